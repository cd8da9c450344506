"""Compose music: from_noise, a score; and `compose`, into MIDI, sound, a picture or a page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from antiphon.audio.files import check_place, check_target, encode
from antiphon.core.atomic import all_atomic, in_folder, scratch
from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import check_keywords
from antiphon.core.seeds import check_seed
from antiphon.core.words import counted
from antiphon.data.labelling.gm import PROGRAMS
from antiphon.metrics.plots.png import encode_png
from antiphon.metrics.plots.roll import draw_roll
from antiphon.music.harmony import estimate_key
from antiphon.music.joining import joined
from antiphon.music.notation import ROLES, Key, Metre, Score, ScorePart
from antiphon.music.score import read_score
from antiphon.verbs.play import free, from_file
from antiphon.verbs.report import Report
from antiphon.verbs.score_page import score_page
from antiphon.voices.capabilities import ComposesMusic
from antiphon.voices.find import load

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

BARS = 32
MOST_BARS = 1000
CONTROLS = ("density", "register", "syncopation", "polyphony")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif")
MIDI, PICTURE, PAGE = (".mid", ".midi"), ".png", ".html"
COMPOSER = "composer"
LISTS = ("keep", "parts", "controls")
OPTIONS = {"after": "--continue", "around": "--with", "metre": "--meter", "controls": "--more"}
GAPS = 0.02  # beats that notes are moved by, on average, from which on it is worth a word


class How(TypedDict, total=False):
    """How the music is to be: keywords of every function here.

    style: one of the voice's (default: drawn by the seed, or nearest to what is given). tempo: beats a minute. key:
    "Am", "F#", "Bb minor". metre: "4/4", "6/8". density: 0 (few notes) to 1 (many). parts: the roles of the parts to
    write, one part each, of melody, inner, chords, bass and drums. controls: more of the kind of density, each from 0
    to 1 as the style knows it: register, syncopation, polyphony. seed: another piece; a number or a name. temperature:
    1 as learned, less is more usual, more is bolder. What is not asked for is drawn by the seed as the style has
    it."""

    style: str | None
    tempo: float | None
    key: str | None
    metre: str | None
    density: float | None
    parts: Sequence[str]
    controls: Mapping[str, float]
    temperature: float
    seed: int | str


def from_noise(
    bars: int | None = None,
    voice: str | Path | Voice = COMPOSER,
    *,
    after: str | Path | Score | None = None,
    around: str | Path | Score | None = None,
    keep: Sequence[int] = (),
    vary: str | Path | Score | None = None,
    amount: float = 0.3,
    **how: Unpack[How],
) -> Score:
    """A score: a new piece or, with one of after, around and vary (MIDI files or scores), more of a given one.

    bars: how many (default: 32); with `after`, how many more. after: a piece to go on with; it comes back with the new
    bars behind it. around: a piece to write other parts for; those that `keep` names, counted from 1 (default: all),
    stay note for note. vary: a piece to vary, as a whole, by an amount of 0 (hardly) to 1 (a new piece). See How for
    the other keywords. Raises AntiphonError, in one line, for what cannot be had."""
    composer, told = _composer(voice), _checked(how)
    source, piece = _given(after=after, around=around, vary=vary)
    if keep and source != "around":
        raise AntiphonError("there is nothing to keep: --keep chooses parts of the file that --with names")
    if source == "around":
        return composer.bars(_length(bars, piece), given=piece, keep=_kept(keep, piece), **told)
    if source == "vary":
        if not 0 <= amount <= 1:
            raise AntiphonError(f"an amount of {amount:g} is out of range: use 0 (hardly varied) to 1 (a new piece)")
        return composer.bars(_length(bars, piece), vary=piece, amount=amount, **told)
    count = _count(BARS if bars is None else bars)
    return joined(piece, composer.bars(count, before=piece, **told)) if piece else composer.bars(count, **told)


def compose(
    out: str | Path | None = None,
    voice: str | Path | Voice = COMPOSER,
    *,
    bars: int | None = None,
    after: str | Path | None = None,
    around: str | Path | None = None,
    keep: Sequence[int] = (),
    vary: str | Path | None = None,
    amount: float = 0.3,
    audio: bool | str | Path = False,
    picture: bool = False,
    force: bool = False,
    quiet: bool = False,
    **how: Unpack[How],
) -> Path:
    """Compose music into a file; returns its path.

    out: by its ending a MIDI file (.mid), a sound file (.wav, .flac, .mp3 ...) of it as the voices gm and kit play it,
    a picture (.png), or a page with all of them inside (.html) (default: an unused name, song.mid). audio: also write a
    sound file, of this name or beside `out`; picture: also draw a piano roll with sections, in a PNG beside it. bars,
    after, around, keep, vary, amount: see from_noise; the other keywords are those of How. The same call writes the
    same bytes. Raises AntiphonError for what cannot be had or read, or (without force) if a file exists."""
    report = Report(quiet)
    files = _Files.of(out, audio, picture, force)
    given: dict[str, Any] = {"bars": bars, "after": after, "around": around, "keep": keep, "vary": vary}
    given |= {"amount": amount} if vary else {}
    known = {name: how.get(name) for name in How.__annotations__}
    command = _command_line(files.out, voice, given | known | {"seed": how.get("seed", 0)})
    source, piece = _given(after=after, around=around, vary=vary)
    if piece is not None:
        for line in (*piece.warnings, *_rounded(piece)):
            report.say(f"note: {line}")
    sources: dict[str, Any] = {source: piece} if source else {}
    with report.bar("composing"):
        score = from_noise(bars, voice, keep=keep, amount=amount, **sources, **how)
    for line in (*score.warnings, summary(score)):
        report.say(line)
    files.write(score, command, check_seed(how.get("seed", 0)), quiet)
    return files.out


def summary(score: Score) -> str:
    """A score in a line: "32 bars of 4/4 in A minor at 120 BPM, 1:04: melody (flute, 120 notes), drums (88 notes)"."""
    key = score.key or estimate_key(score)
    metres = list(dict.fromkeys(map(str, score.metres)))
    metre = " and ".join(metres[:3]) if len(metres) < 4 else f"{len(metres)} metres"
    parts = ", ".join(_part_line(part) for part in score.parts if part.notes)
    seconds = round(score.seconds())
    where = f"{named_key(key)} at {score.tempo:g} BPM, {seconds // 60}:{seconds % 60:02d}"
    return f"{counted(score.bars, 'bar')} of {metre} in {where}: {parts}"


def named_key(key: Key) -> str:
    """ "A minor"."""
    return f"{str(key).removesuffix('m')} {'minor' if key.minor else 'major'}"


def _part_line(part: ScorePart) -> str:
    program, name = PROGRAMS[part.program], part.name or part.role
    who = "" if part.is_drum or name.lower() == program else f"{program}, "
    return f"{name} ({who}{counted(len(part.notes), 'note')})"


# ---- what is asked for -----------------------------------------------------------------------------------------------


def _composer(voice: str | Path | Voice) -> ComposesMusic:
    found = load(voice)
    if not isinstance(found, ComposesMusic):
        raise AntiphonError(f"{found.info.name} cannot compose: use a voice that does, such as {COMPOSER}")
    return found


def _checked(how: How) -> dict[str, Any]:
    """The keywords as the voice takes them. Raises AntiphonError for one that no voice could follow."""
    check_keywords("compose", how, How)
    tempo, temperature = how.get("tempo"), how.get("temperature", 1.0)
    if tempo is not None and not 20 <= tempo <= 400:
        raise AntiphonError(f"a tempo of {tempo:g} is out of range: use 20 to 400 beats a minute")
    if not 0.1 <= temperature <= 3:
        raise AntiphonError(
            f"a temperature of {temperature:g} is out of range: use 0.1 (usual) to 3 (wild); 1 is normal"
        )
    controls = dict(how.get("controls") or {})
    for name, value in {"density": how.get("density"), **controls}.items():
        if name not in CONTROLS:
            raise AntiphonError(f"nothing is called '{name}' that music could have more of: use {', '.join(CONTROLS)}")
        if value is not None and not 0 <= value <= 1:
            raise AntiphonError(f"a {name} of {value:g} is out of range: use 0 (little) to 1 (much)")
    return {
        "style": how.get("style"),
        "tempo": tempo,
        "key": None if how.get("key") is None else Key.parse(str(how.get("key"))),
        "metre": None if how.get("metre") is None else Metre.parse(str(how.get("metre"))),
        "density": how.get("density"),
        "parts": _roles(how.get("parts") or ()),
        "seed": check_seed(how.get("seed", 0)),
        "temperature": temperature,
        "controls": controls,
    }


def _roles(words: Sequence[str] | str) -> list[str] | None:
    """The roles of the parts to write; a beginning of a role's name will do. None for none."""
    found = []
    for word in words.split(",") if isinstance(words, str) else words:
        near = [role for role in ROLES if role.startswith(word.strip().lower())] if word.strip() else []
        if not near:
            raise AntiphonError(f"no part is called '{word}': use {', '.join(ROLES)}")
        found += near[:1]
    return found or None


def _count(bars: int) -> int:
    if not 1 <= bars <= MOST_BARS:
        raise AntiphonError(f"cannot compose {bars} bars: use 1 to {MOST_BARS:,}")
    return bars


def _length(bars: int | None, piece: Score | None) -> int:
    """As many bars as a given piece has."""
    own = piece.bars if piece else 0
    if bars not in (None, own):
        raise AntiphonError(f"the piece that is given has {counted(own, 'bar')}: leave --bars out")
    return _count(own)


def _kept(keep: Sequence[int], piece: Score | None) -> list[int]:
    """Indices, from 0, of the parts that stay: numbers from 1."""
    parts = piece.parts if piece else ()
    for number in keep:
        if not 1 <= number <= len(parts):
            known = ", ".join(f"{i} {part.name or part.role}" for i, part in enumerate(parts, 1))
            raise AntiphonError(f"there is no part {number} to keep: there are {known}")
    if keep and all(parts[number - 1].is_drum for number in keep):
        raise AntiphonError("the parts to keep are only drums, which have no harmony to accompany: keep another")
    return [number - 1 for number in dict.fromkeys(keep)] or list(range(len(parts)))


def _given(**pieces: str | Path | Score | None) -> tuple[str, Score | None]:
    """The one piece that is given, and what for; ("", None) if none is."""
    found = [(name, piece) for name, piece in pieces.items() if piece is not None]
    if len(found) > 1:
        raise AntiphonError("--continue, --with and --vary are three things: use one of them")
    for name, piece in found:
        score = piece if isinstance(piece, Score) else read_score(piece)
        if name == "around" and all(part.is_drum for part in score.parts):
            named = "the piece" if isinstance(piece, Score) else piece
            raise AntiphonError(f"{named} has only drums, which have no harmony to accompany: give a melody or chords")
        return name, score
    return "", None


def _rounded(piece: Score) -> list[str]:
    """A line if a piece was played freely, and not on the grid that it is read on."""
    if piece.off_grid < GAPS:
        return []
    return [f"its notes were played off the grid: they are moved by {piece.off_grid:.2f} beats on average"]


# ---- what is written -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Files:
    """The files to write: `out`, and what kind of each there is, None for none."""

    out: Path
    midi: Path | None
    sound: Path | None
    picture: Path | None
    page: Path | None

    @classmethod
    def of(cls, out: str | Path | None, audio: bool | str | Path, picture: bool, force: bool) -> _Files:
        """Raises AntiphonError for an ending that nothing has, or (without force) for a file that exists."""
        target = free(Path("song.mid"), force) if out is None else Path(out)
        kind = target.suffix.lower()
        sound = None if not audio else target.with_suffix(".wav") if audio is True else Path(audio)
        drawn = target.with_suffix(PICTURE) if picture or kind == PICTURE else None
        found = cls(target, None, sound, drawn, target if kind == PAGE else None)
        if kind in MIDI:
            found = replace(found, midi=target)
        elif kind not in (PICTURE, PAGE):
            if target.suffix.lower() not in SOUNDS:
                raise AntiphonError(f"cannot write {target.name!r}: use a name that ends in .mid, .wav, .png or .html")
            if sound not in (None, target.with_suffix(".wav")):
                raise AntiphonError(f"{target} is a sound file already: leave --audio out, or end -o in .mid")
            found = replace(found, sound=target)
        for path in found.all:
            check_place(path, force=force)
        if found.sound:
            check_target(found.sound, force=force)
        return found

    @property
    def all(self) -> list[Path]:
        return list(dict.fromkeys(path for path in (self.midi, self.sound, self.picture, self.page) if path))

    def write(self, score: Score, command: str, seed: int, quiet: bool) -> None:
        """All of them appear together, or none does."""
        folders = [path.parent for path in self.all]
        with in_folder(*folders), all_atomic(self.all) as drafts, scratch() as place:
            draft = dict(zip(self.all, drafts, strict=True))
            if self.midi:
                draft[self.midi].write_bytes(score.encode())
            roll = draw_roll(score) if self.picture or self.page else None
            if self.picture and roll:
                draft[self.picture].write_bytes(encode_png(roll.pixels, roll.words))
            sound = _played(score, place, seed, quiet) if self.sound or self.page else None
            if self.sound and sound is not None:
                encode(draft[self.sound], self.sound, sound)
            if self.page and roll and sound is not None:
                page = score_page(score, roll, sound, summary(score), command, seed)
                draft[self.page].write_text(page, encoding="utf-8", errors="replace")


def _played(score: Score, place: Path, seed: int, quiet: bool) -> np.ndarray:
    """(samples, 2) float32: the score as the bundled voices play it."""
    path = place / "song.mid"
    path.write_bytes(score.encode())
    return from_file(path, quiet=quiet, seed=seed)


def _command_line(out: Path, voice: str | Path | Voice, how: Mapping[str, Any]) -> str:
    """The command that composes this again."""
    words = ["antiphon", "compose", "-o", str(out)]
    if isinstance(voice, str | Path) and str(voice) != COMPOSER:
        words += ["--voice", str(voice)]
    for name, value in how.items():
        if value is None or (name, value) == ("temperature", 1) or (name in LISTS and not value):
            continue
        option = OPTIONS.get(name, f"--{name}")
        if isinstance(value, Mapping):
            value = ",".join(f"{key}={one:g}" for key, one in value.items())
        elif isinstance(value, Sequence) and not isinstance(value, str):
            value = ",".join(map(str, value))
        words += [option, str(value)]
    return shlex.join(words)
