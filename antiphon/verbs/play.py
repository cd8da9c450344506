"""Play a MIDI file with a voice: from_song, from_file, from_file_to_file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from antiphon.audio.files import Form, check_target
from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import check_keywords
from antiphon.core.seeds import check_seed
from antiphon.data.labelling.row import note_name
from antiphon.music.arrange import paced, stretch, transposed, until
from antiphon.music.bounce import bounce
from antiphon.music.casting import DRUMS, KIT, NOBODY, Casting, Character, Player, cast, heard, is_kit
from antiphon.music.drums import Drummer, kit_style
from antiphon.music.master import Level, check_level
from antiphon.music.midi import read_midi
from antiphon.music.player import in_room, render, stem_names, stream
from antiphon.music.song import Part, Song
from antiphon.music.stage import WIDTH
from antiphon.verbs.report import Report
from antiphon.voices.capabilities import PlaysNotes
from antiphon.voices.find import bundled, load
from antiphon.voices.hiring import hired
from antiphon.voices.ranges import beyond

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

DRUMS_OWN = f"{KIT}."  # begins the names of the drums' controls
SONGS = Path(__file__).parent.parent / "music" / "songs"


class How(TypedDict, total=False):
    """How a song is played: keywords of every function here.

    instrument: an instrument expression (see antiphon.voices.expression) for every melodic part, in place of the song's
    programs. mapping: instruments for some parts, by channel (1-16), "tN" for track N or part of a track's name; "kit"
    makes a part a drum part, and an instrument makes a drum part melodic. An instrument may come from any voice:
    "oboe.safetensors", "runs/sax:alto sax", "gm:violin". morphs: "flute>cello@0:30-1:00": parts that play the first
    name turn into the next, between two times of the song or throughout it. variation: 0..1, typical sounds to as
    varied as in training (default: 1, but 0 for recordings). control: named controls of the melodic players, -2..2
    each, such as {"brightness": 1}; "kit.decay" is the drums' decay. seed: which players, a number or a
    name. room: 0..1, no reverberation to a hall. kit: a drum voice for the song's drums (default: the bundled kit).

    only, mute: parts to play or to leave out, named as in `mapping`, or "drums". bars: a stretch of the song, "8-16" or
    "8"; start, stop: the same in seconds or as "1:02.5". tempo: how many times as fast as written. transpose:
    semitones, drums excepted. width: of the stage, 0 (every sound a point where the song puts it) to 1 (default: 0.5);
    below 0 as the players see it. lufs: loudness of the mix (default: -16); gain: dB on top, into the limiter.
    parts: an older name of `layers`."""

    instrument: str | None
    mapping: Mapping[str | int, str | int] | None
    morphs: Sequence[str]
    variation: float | None
    control: Mapping[str, float] | None
    seed: int | str
    room: float
    kit: str | Path | Voice | None
    only: Sequence[str | int]
    mute: Sequence[str | int]
    bars: str | None
    start: float | str | None
    stop: float | str | None
    tempo: float
    transpose: float
    width: float
    lufs: float | None
    gain: float
    parts: bool


def from_song(song: Song, voice: str | Path | Voice = "gm", *, quiet: bool = True, **how: Unpack[How]) -> np.ndarray:
    """(samples, 2) float32 at 44.1 kHz: a song played by the voice; see How for the keywords."""
    with _played(song, voice, how, quiet, "from_song") as band, band.report.bar("playing") as advance:
        return render(
            band.players,
            band.voice,
            room=band.room,
            seed=band.seed,
            start=band.start,
            level=band.level,
            progress=advance,
        )


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
    layers: bool = False,
    rate: int | None = None,
    bits: int | None = None,
    mono: bool = False,
    force: bool = False,
    quiet: bool = True,
    **how: Unpack[How],
) -> Path:
    """Play a MIDI file into a sound file (wav, flac, ogg, mp3 ... by its suffix). -> its path

    stems: also write a file for each track and channel, and for the room; layers: also write two, all partials and all
    noise. Both are dry except the room's own file, and share one gain: they sum to the mix before its limiter. rate:
    samples per second (default: 44100). bits: 16, 24 or 32 (float), of wav, flac and aiff (default: 24). mono: one
    channel. See How for the other keywords. The sound goes through nameless files on the disk of `out`, 21 MB per
    minute and stem, so that memory does not grow with the song's length. Raises AntiphonError if a file exists, unless
    force."""
    layers = how.pop("parts", False) or layers
    form = Form(rate, bits, mono)
    song, out = read_midi(path), check_target(out, form=form, force=force)
    with _played(song, voice, how, quiet, "play") as band, band.report.bar("playing") as advance:
        blocks = stream(band.players, band.voice, stems=stems, parts=layers, start=band.start, progress=advance)
        blocks = in_room(blocks, band.voice.sample_rate, band.room, band.seed)
        return bounce(blocks, out, band.voice.sample_rate, force, level=band.level, form=form)


def play(
    song: str | Path | None = None,
    out: str | Path | None = None,
    voice: str | Path | Voice = "gm",
    *,
    stems: bool = False,
    layers: bool = False,
    rate: int | None = None,
    bits: int | None = None,
    mono: bool = False,
    force: bool = False,
    quiet: bool = False,
    **how: Unpack[How],
) -> Path:
    """Play a MIDI file, or the bundled song, into a sound file; returns its path.

    out: a file, or a folder (one that exists, or a name that ends in /) to put `<song>.wav` in (default: an unused name
    in the current folder). voice: a bundled voice's name, a run folder, a weights file or a loaded voice. stems,
    layers: more files beside it; rate, bits, mono: how they are written: see from_file_to_file. The other keywords are
    those of How. Raises AntiphonError for a song that cannot be read, an unknown voice or instrument, or (without
    force) if `out` exists."""
    source = _source(song)
    if out is None:
        target = free(Path(f"{source.stem}.wav"), force)
    else:
        folder = str(out).endswith(("/", os.sep)) or Path(out).is_dir()
        target = Path(out) / f"{source.stem}.wav" if folder else Path(out)
    files: dict[str, Any] = {"stems": stems, "layers": layers, "rate": rate, "bits": bits, "mono": mono}
    return from_file_to_file(source, target, voice, **files, force=force, quiet=quiet, **how)


def who_plays(
    song: str | Path | None = None, voice: str | Path | Voice = "gm", *, quiet: bool = True, **how: Unpack[How]
) -> list[str]:
    """Who would play a MIDI file, or the bundled song: a line for each player, with its stem's name, its instrument and
    its notes. Nothing is played. See How for the keywords."""
    with _played(read_midi(_source(song)), voice, how, quiet, "who_plays", say=False) as band:
        return _credits(band.players, band.voice)


def _source(song: str | Path | None) -> Path:
    return SONGS / "antiphon.mid" if song is None else Path(song)


@dataclass(frozen=True)
class _Band:
    """Who plays a song, from which second on, in which room, and how loud."""

    players: list[Player]
    voice: PlaysNotes
    report: Report
    start: float
    room: float
    seed: int
    level: Level


@contextmanager
def _played(
    song: Song, voice: str | Path | Voice, how: How, quiet: bool, verb: str, say: bool = True
) -> Iterator[_Band]:
    """Who plays a song; reports them, the song's warnings and those that come while it is played."""
    check_keywords(verb, how, How)
    seed, room = check_seed(how.get("seed", 0)), how.get("room", 0.0)
    if not 0 <= room <= 1:
        raise AntiphonError(f"a room of size {room:g} is out of range: use 0 (none) to 1 (a hall)")
    width = how.get("width", WIDTH)
    if not -1 <= width <= 1:
        raise AntiphonError(f"a width of {width:g} is out of range: use 0 (points) to 1 (wide), or -1 to 0 from behind")
    level = check_level(how.get("lufs"), how.get("gain", 0.0))
    report, player = Report(quiet), load(voice).able(PlaysNotes, "play a song")
    if player.song_part != "voice":
        raise player.cannot("play a song, because it has no control of pitch")
    for note in song.warnings:
        report.say(f"note: {note}")
    song, start = _arranged(song, how)

    with report.warnings():
        players = _cast(song, player, how, seed, width)
        for line in _credits(players, player) if say else ():
            report.say(line)
        yield _Band(players, player, report, start, room, seed, level)


def _arranged(song: Song, how: How) -> tuple[Song, float]:
    """The song as it is to be played, and from which second on."""
    song = transposed(paced(song, how.get("tempo", 1.0)), how.get("transpose", 0.0))
    start, stop = stretch(song, how.get("bars"), how.get("start"), how.get("stop"))
    return song if stop is None else until(song, stop), start


def _cast(song: Song, voice: PlaysNotes, how: How, seed: int, width: float) -> list[Player]:
    """The players that are to be heard; warns of notes that their voices were never taught."""
    with _casting(voice, song, how) as casting:
        players = cast(
            song,
            casting,
            instrument=how.get("instrument"),
            mapping=how.get("mapping"),
            seed=seed,
            drummer=_drummer(how) if _has_drums(song, how) else None,
            width=width,
        )
    players = heard(players, song, _names(how.get("only")), _names(how.get("mute")))
    for player in players:
        learned, far = beyond(player.voice or voice, player.character.label(), [n.pitch for n in player.part.notes])
        if far:
            where = f"{len(far)} of {len(player.part.notes)} notes ({_span(far)}) of {_stem(player)}"
            warnings.warn(f"{learned}: {where} lie beyond and are guesses", stacklevel=2)
    return players


def _names(given: Sequence[str | int] | str | int | None) -> list[str | int]:
    """Names of parts, also if only one is given."""
    return [] if given is None else [given] if isinstance(given, str | int) else list(given)


def _stem(player: Player) -> str:
    return next(iter(stem_names([player]).values()))


def _span(pitches: Sequence[float]) -> str:
    low, high = note_name(round(min(pitches))), note_name(round(max(pitches)))
    return low if low == high else f"{low} to {high}"


def _credits(players: Sequence[Player], voice: PlaysNotes) -> list[str]:
    """A line for each player: "02-01 Strings: string ensemble 1, 121 notes from D3 to D5"."""
    lines = []
    for player in players:
        own = player.voice or voice
        label, notes = player.character.label(), player.part.notes
        who = label if player.voice is None else own.info.name if player.word else f"{label} of {own.info.name}"
        many = f"{len(notes)} note{'s' * (len(notes) > 1)}"
        if not player.word:
            many += f", {_span([note.pitch for note in notes])}"
        lines.append(f"{_stem(player)}: {who}, {many}")
    return lines


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
    if str(asked).strip().lower() in NOBODY[:4] and asked is not None:
        raise AntiphonError(f"no kit is called '{asked}': to leave the drums out, use --mute {DRUMS}")
    found = load(KIT if asked is None else asked)
    if found.song_part != "kit":
        raise AntiphonError(f"{found.info.name} is not a drum kit: give a voice trained with `--recipe drums`")
    kit, control = found.able(PlaysNotes, "play drums"), _controls(how)[1]

    def drummer(part: Part, seed: int) -> Drummer:
        def casting(drum: str) -> Character:
            style = kit_style(part.program, kit.info.styles_of.get(drum, []))
            return character(kit, drum, seed=seed, style=style, variation=how.get("variation"), control=control)

        return Drummer(part, kit, casting, seed, kit.instruments)

    return drummer


def _controls(how: How) -> tuple[dict[str, float], dict[str, float]]:
    """The controls of the melodic players, and those of the drums, without `kit.`."""
    both: tuple[dict[str, float], dict[str, float]] = {}, {}
    for name, amount in (how.get("control") or {}).items():
        both[name.startswith(DRUMS_OWN)][name.removeprefix(DRUMS_OWN)] = amount
    return both


@contextmanager
def _casting(voice: Voice, song: Song, how: How) -> Iterator[Casting]:
    """The casting of expressions to characters, which morphs may change. Raises AntiphonError in the end if one of the
    morphs has matched no part."""
    from antiphon.voices.expression import character, parse

    variation, control = how.get("variation"), _controls(how)[0]
    starts = {text: parse(text).first.text for text in how.get("morphs", ())}
    for text in starts:
        if not parse(text).turns:
            raise AntiphonError(f"'{text}' is not a morph: give both ends, such as flute>cello@0:30-1:00")
    unused = dict(starts)

    def casting(expression: str | int, own: int) -> Character:
        other, name = hired(voice, expression) if isinstance(expression, str) else (None, expression)
        if other is not None:
            if other.song_part != "voice" or not isinstance(other, PlaysNotes):
                raise other.cannot(f"play '{expression}' in a song, because it has no control of pitch")
            found = character(other, name, seed=own, variation=variation, seconds=song.seconds, control=control)
            return replace(found, voice=other)
        found = character(voice, name, seed=own, variation=variation, seconds=song.seconds, control=control)
        fit = [text for text, start in starts.items() if character(voice, start, seed=own).label() == found.label()]
        if len(fit) > 1:
            raise AntiphonError(f"'{fit[0]}' and '{fit[1]}' begin alike: join them, as in a>b@0:10-0:20>c@1:00-1:10")
        for text in fit:
            unused.pop(text, None)
            return character(voice, text, seed=own, variation=variation, seconds=song.seconds, control=control)
        return found

    yield casting
    for text, start in unused.items():
        raise AntiphonError(f"no part plays {start}, so '{text}' changes nothing: map a part to it with --map")


def free(path: Path, force: bool) -> Path:
    """The path, or with -2, -3 ... added to its name if it is taken."""
    if force or not path.exists():
        return path
    for number in range(2, 10_000):
        other = path.with_stem(f"{path.stem}-{number}")
        if not other.exists():
            return other
    raise AntiphonError(f"{path} and its numbered variants exist: give another name with -o")
