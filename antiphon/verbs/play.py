"""Play a MIDI file with a voice: from_song, from_file, from_file_to_file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from antiphon.audio.files import check_target
from antiphon.core.errors import AntiphonError
from antiphon.core.seeds import check_seed
from antiphon.music.bounce import bounce
from antiphon.music.casting import KIT, Casting, Character, Player, cast, is_kit
from antiphon.music.drums import Drummer, kit_style
from antiphon.music.midi import read_midi
from antiphon.music.player import in_room, render, stream
from antiphon.music.song import Part, Song
from antiphon.verbs.report import Report
from antiphon.voices.capabilities import PlaysNotes
from antiphon.voices.find import bundled, load

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

SONGS = Path(__file__).parent.parent / "music" / "songs"


class How(TypedDict, total=False):
    """How a song is played: keywords of every function here.

    instrument: an instrument expression (see antiphon.voices.expression) for every melodic part, in place of the song's
    programs. mapping: instruments for some parts, by channel (1-16), "tN" for track N or part of a track's name; "kit"
    makes a part a drum part, and an instrument makes a drum part melodic. morphs: "flute>cello@0:30-1:00": parts that
    play the first name turn into the next, between two times of the song or throughout it. variation: 0..1, typical
    sounds to as varied as in training (default: 1, but 0 for recordings). seed: which players, a number or a name.
    room: 0..1, no reverberation to a hall. kit: a drum voice for the song's drums (default: the bundled kit)."""

    instrument: str | None
    mapping: Mapping[str | int, str | int] | None
    morphs: Sequence[str]
    variation: float | None
    seed: int | str
    room: float
    kit: str | Path | Voice | None


def from_song(song: Song, voice: str | Path | Voice = "gm", *, quiet: bool = True, **how: Unpack[How]) -> np.ndarray:
    """(samples, 2) float32 at 44.1 kHz: a song played by the voice; see How for the keywords."""
    with _played(song, voice, how, quiet) as (players, player, advance):
        return render(players, player, room=how.get("room", 0.0), seed=check_seed(how.get("seed", 0)), progress=advance)


def from_file(
    path: str | Path, voice: str | Path | Voice = "gm", *, quiet: bool = True, **how: Unpack[How]
) -> np.ndarray:
    """(samples, 2) float32 at 44.1 kHz: a MIDI file played by the voice; see How for the keywords."""
    return from_song(read_midi(path), voice, quiet=quiet, **how)


def from_file_to_file(
    path: str | Path,
    out: str | Path,
    voice: str | Path | Voice = "gm",
    *,
    stems: bool = False,
    parts: bool = False,
    force: bool = False,
    quiet: bool = True,
    **how: Unpack[How],
) -> Path:
    """Play a MIDI file into a sound file (wav, flac, ogg, mp3 ... by its suffix). -> its path

    stems: also write a file for each track and channel, and for the room; parts: also write two, all partials and all
    noise. Both are dry except the room's own file, and share one gain: they sum to the mix before its limiter. See How
    for the other keywords. The sound goes through nameless files on the disk of `out`, 21 MB per minute and stem,
    so that memory does not grow with the song's length. Raises AntiphonError if a file exists, unless force."""
    song, out = read_midi(path), check_target(out, force=force)
    with _played(song, voice, how, quiet) as (players, player, advance):
        blocks = stream(players, player, stems=stems, parts=parts, progress=advance)
        blocks = in_room(blocks, player.sample_rate, how.get("room", 0.0), check_seed(how.get("seed", 0)))
        return bounce(blocks, out, player.sample_rate, force)


def play(
    song: str | Path | None = None,
    out: str | Path | None = None,
    voice: str | Path | Voice = "gm",
    *,
    stems: bool = False,
    parts: bool = False,
    force: bool = False,
    quiet: bool = False,
    **how: Unpack[How],
) -> Path:
    """Play a MIDI file, or the bundled song, into a sound file; returns its path.

    out: a file, or a folder to put `<song>.wav` in (default: an unused name in the current folder). voice: a bundled
    voice's name, a run folder, a weights file or a loaded voice. stems, parts: more files beside it, see
    from_file_to_file. The other keywords are those of How. Raises AntiphonError for a song that cannot be read, an
    unknown voice or instrument, or (without force) if `out` exists."""
    source = SONGS / "antiphon.mid" if song is None else Path(song)
    if out is None:
        target = _free(Path(f"{source.stem}.wav"), force)
    else:
        target = Path(out) / f"{source.stem}.wav" if Path(out).is_dir() else Path(out)
    return from_file_to_file(source, target, voice, stems=stems, parts=parts, force=force, quiet=quiet, **how)


@contextmanager
def _played(
    song: Song, voice: str | Path | Voice, how: How, quiet: bool
) -> Iterator[tuple[list[Player], PlaysNotes, Callable[[int, int], None]]]:
    """Who plays a song, the voice, and a bar to advance; reports the song's warnings."""
    seed, room = check_seed(how.get("seed", 0)), how.get("room", 0.0)
    if not 0 <= room <= 1:
        raise AntiphonError(f"a room of size {room:g} is out of range: use 0 (none) to 1 (a hall)")
    report, player = Report(quiet), load(voice).able(PlaysNotes, "play a song")
    if player.song_part != "voice":
        raise player.cannot("play a song, because it has no control of pitch")
    for note in song.warnings:
        report.say(f"note: {note}")

    with report.warnings():
        with _casting(player, song, how) as casting:
            players = cast(
                song,
                casting,
                instrument=how.get("instrument"),
                mapping=how.get("mapping"),
                seed=seed,
                drummer=_drummer(how) if _has_drums(song, how) else None,
            )
        with report.bar("playing") as advance:
            yield players, player, advance


def _has_drums(song: Song, how: How) -> bool:
    """Whether a kit may be needed, or was asked for."""
    chosen = [how.get("instrument"), *(how.get("mapping") or {}).values()]
    return bool(song.drums) or how.get("kit") is not None or any(is_kit(name) for name in chosen)


def _drummer(how: How) -> Callable[[Part, int], Drummer] | None:
    """Who plays drums: the kit requested, or the bundled one of the same name; None if there is none."""
    from antiphon.voices.expression import character

    asked = how.get("kit")
    if asked is None and KIT not in bundled():
        return None
    found = load(KIT if asked is None else asked)
    if found.song_part != "kit":
        raise AntiphonError(f"{found.info.name} is not a drum kit: give a voice trained with `--recipe drums`")
    kit = found.able(PlaysNotes, "play drums")

    def drummer(part: Part, seed: int) -> Drummer:
        def casting(drum: str) -> Character:
            style = kit_style(part.program, kit.info.styles_of.get(drum, []))
            return character(kit, drum, seed=seed, style=style, variation=how.get("variation"))

        return Drummer(part, kit, casting, seed, kit.instruments)

    return drummer


@contextmanager
def _casting(voice: Voice, song: Song, how: How) -> Iterator[Casting]:
    """The casting of expressions to characters, which morphs may change. Raises AntiphonError in the end if one of the
    morphs has matched no part."""
    from antiphon.voices.expression import character, parse

    variation = how.get("variation")
    starts = {text: parse(text).first.text for text in how.get("morphs", ())}
    for text in starts:
        if not parse(text).turns:
            raise AntiphonError(f"'{text}' is not a morph: give both ends, such as flute>cello@0:30-1:00")
    unused = dict(starts)

    def casting(expression: str | int, own: int) -> Character:
        found = character(voice, expression, seed=own, variation=variation, seconds=song.seconds)
        fit = [text for text, start in starts.items() if character(voice, start, seed=own).label() == found.label()]
        if len(fit) > 1:
            raise AntiphonError(f"'{fit[0]}' and '{fit[1]}' begin alike: join them, as in a>b@0:10-0:20>c@1:00-1:10")
        for text in fit:
            unused.pop(text, None)
            return character(voice, text, seed=own, variation=variation, seconds=song.seconds)
        return found

    yield casting
    for text, start in unused.items():
        raise AntiphonError(f"no part plays {start}, so '{text}' changes nothing: map a part to it with --map")


def _free(path: Path, force: bool) -> Path:
    """The path, or with -2, -3 ... added to its name if it is taken."""
    if force or not path.exists():
        return path
    for number in range(2, 10_000):
        other = path.with_stem(f"{path.stem}-{number}")
        if not other.exists():
            return other
    raise AntiphonError(f"{path} and its numbered variants exist: give another name with -o")
