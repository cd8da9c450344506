"""Imagine a place and let it sound, for any time, into a file: from_sound, from_script, and `scene`.

antiphon.scene("rain.wav", sound="rain:0.6,crowd:0.4", minutes=10)
antiphon.scene("loop.wav", sound="stream", seconds=20, loop=True)
antiphon.scene("park.flac", script="park.txt")
"""

from __future__ import annotations

import heapq
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from antiphon.audio.files import PLAIN, SUFFIXES, Form, audio_blocks, check_target, probe, writing
from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import check_keywords
from antiphon.core.seeds import check_seed
from antiphon.core.units import SAMPLE_RATE
from antiphon.core.words import counted
from antiphon.music.bounce import CODERS, LOSSY
from antiphon.music.master import CEILING, MARGIN, Meter, TruePeak, check_level, limited
from antiphon.music.room import Room
from antiphon.music.scenery import Read, Source, mixed
from antiphon.verbs.report import Report
from antiphon.verbs.scene_events import sound_of, times
from antiphon.verbs.scene_script import (
    CONTROLS,
    LONGEST,
    Cue,
    Event,
    Layer,
    Script,
    check_times,
    parse_script,
    read_script,
)
from antiphon.voices.capabilities import ImaginesScenes, Place, ScenePath, SceneStream
from antiphon.voices.find import bundled, load
from antiphon.voices.places import Places, last_time

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

AMBIENCE = "ambience"
REFERENCE = -23.0  # LUFS of a scene, of a layer, and of the loudest moment of an event at level 0 (EBU R 128)
USUAL, EACH = 30.0, 10.0  # seconds, by default: of a scene, and of each of several
SHORTEST, SHORTEST_LOOP = 0.1, 1.0  # seconds
EDGE = 0.01  # seconds of fade at the ends of a plain scene
ROOM = 0.3  # of scripts in which something is distant, if they do not say it
PROBED, PROBED_LONGEST = 6.0, 24.0  # seconds of a sound by which its level is set; if these are silent
SOFTEST, LOUDEST = -60.0, -14.0  # LUFS of recordings that scenes are like


class How(TypedDict, total=False):
    """How a scene sounds: keywords of every function here.

    seed: another number or name, another scene. variation: 0..1, from a label's typical place to as varied as in
    training (default: 1). density, brightness, motion: 0..1, how much happens, how bright it is and how much it moves,
    of what a label's recordings span (default: as imagined). level: dB, 0 is -23 LUFS, or the loudness of the recording
    that it is like. width: 0 mono to 1 as wide as the widest recordings. control: named controls, -2..2 each, by which
    every place is turned, such as {"hiss": -1}: see `info` for the voice's."""

    seed: int | str
    variation: float
    density: float | None
    brightness: float | None
    motion: float | None
    level: float
    width: float | None
    control: Mapping[str, float] | None


def from_sound(
    sound: str | None = None,
    voice: str | Path | Voice = AMBIENCE,
    *,
    seconds: float | None = None,
    loop: bool = False,
    **how: Unpack[How],
) -> np.ndarray:
    """(samples, 2) float32 at 44.1 kHz: a place as it sounds for some seconds.

    sound: a label, a blend "rain:0.6,crowd:0.4", a change "rain>storm@1:00-3:00", or a recording of a place (default:
    a label drawn by the seed). seconds: default 30, or until a while after its changes. loop: its end joins its
    beginning. See How for the other keywords."""
    check_keywords("from_sound", how, How)
    return _sound(_plain(voice, sound, _length(seconds, None), loop, how))


def from_script(
    script: str | Path,
    voice: str | Path | Voice = AMBIENCE,
    *,
    seconds: float | None = None,
    seed: int | str | None = None,
) -> np.ndarray:
    """(samples, 2) float32 at 44.1 kHz: a scene by a script (docs/scenes.md).

    script: a file, or the text itself. seconds, seed: in place of what the script says."""
    return _sound(_scripted(voice, _read(script), _length(seconds, None), seed))


def scene(
    out: str | Path,
    voice: str | Path | Voice = AMBIENCE,
    *,
    sound: str | None = None,
    like: str | Path | None = None,
    script: str | Path | None = None,
    seconds: float | None = None,
    minutes: float | None = None,
    loop: bool = False,
    lufs: float | None = None,
    rate: int | None = None,
    bits: int | None = None,
    mono: bool = False,
    force: bool = False,
    quiet: bool = False,
    **how: Unpack[How],
) -> Path:
    """Imagine a place and write how it sounds into a file; returns its path. Memory does not grow with the length.

    sound: where it is: a label, a blend "rain:0.6,crowd:0.4", a change "rain>storm@1:00-3:00", or a recording of a
    place (default: a label drawn by the seed). like: a recording that the scene goes on like, as loud as it is; it
    copies nothing of it. script: a text file that says what sounds when and where (docs/scenes.md). seconds, minutes:
    how long (default: what the script says, or 30 seconds). loop: its end joins its beginning, without a cross-fade.
    lufs: loudness of the whole, in place of a level. rate, bits, mono: of the file, as in `play`. See How for the other
    keywords. Raises AntiphonError for what cannot be understood, or (without force) if `out` exists."""
    check_keywords("scene", how, How)
    form, report, length = Form(rate, bits, mono), Report(quiet), _length(seconds, minutes)
    target = check_target(out, form=form, force=force)
    check_level(lufs, 0.0)
    given = [name for name, value in (("sound", sound), ("like", like), ("script", script)) if value is not None]
    if len(given) > 1:
        raise AntiphonError(f"{' and '.join(given)} are different ways to say what sounds: give one of them")
    with report.warnings():
        if script is not None:
            _only_seed(how, loop)
            stage = _scripted(voice, _read(script), length, how.get("seed"))
        elif like is not None:
            stage = _plain(voice, str(like), length, loop, {**how, "level": how.get("level", 0.0) + _level_of(like)})
        else:
            stage = _plain(voice, sound, length, loop, how)
        report.say(stage.credit)
        if loop and target.suffix.lower() in LOSSY:
            report.say(
                f"note: {target.suffix} files have a gap at their ends in many players: use wav or flac for loops"
            )
        with report.bar("imagining") as advance:
            return _write(
                replace(stage, advance=advance), target, stage.loudness if lufs is None else lufs, form, force
            )


def _only_seed(how: How, loop: bool) -> None:
    """Raises AntiphonError for what a script says itself."""
    if loop:
        raise AntiphonError("a script has a beginning and an end: loop a --sound instead, or leave --loop out")
    if how.get("control"):
        raise AntiphonError("controls turn one sound, not a script: use them with --sound")
    others = [name for name, value in how.items() if name not in ("seed", "control") and value not in (None, 0.0, 1.0)]
    if others:
        raise AntiphonError(f"with a script, write {', '.join(others)} into its layers and events")


def several(
    voice: ImaginesScenes,
    out: str | Path,
    n: int,
    *,
    sound: str | None = None,
    controls: Mapping[str, float] | None = None,
    control: Mapping[str, float] | None = None,
    seconds: float | None = None,
    seed: int = 0,
    variation: float | None = None,
    gain: float = 0.0,
    lufs: float | None = None,
    form: Form = PLAIN,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Write `n` scenes into the folder `out`, NNN_<sound>_s<seed>.wav, each of a seed of its own, counted up from
    `seed`; or a single one into a sound file. For `generate`, whose keywords these are. -> out"""
    out, length = Path(out), _length(seconds, None) or EACH
    drawn = {} if variation is None else {"variation": variation}
    how: How = {"level": gain, "control": control, **(controls or {})} | drawn  # type: ignore
    check_level(lufs, gain)
    single = out.suffix.lower() in SUFFIXES
    if not single and out.exists() and not out.is_dir():
        raise AntiphonError(f"{out} is not a folder: give a folder for the sounds")
    report = Report(quiet)
    stages: list[tuple[Path, Callable[[], Stage]]] = []
    with report.warnings():
        for own in range(seed, seed + n):
            text = sound or voice.instruments[own % len(voice.instruments)]
            named = re.sub(r"[^\w.]+", "-", Path(text).name.lower()).strip("-.")[:80]
            name = f"{len(stages) + 1:03d}_{named}_s{own}.wav"
            target = check_target(out if single else out / name, form=form, force=force)
            stages.append((target, partial(_plain, voice, text, length, False, {**how, "seed": own})))
        with report.bar("imagining") as advance:
            for number, (target, stage) in enumerate(stages, 1):
                _write(stage(), target, lufs, form, force)
                advance(number, n)
    return out


def read_controls(words: Sequence[str]) -> dict[str, float]:
    """Controls from words such as "density=0.3". Raises AntiphonError for others."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name.strip().lower()] = float(value)
        except ValueError:
            name = ""
        if name.strip().lower() not in CONTROLS:
            raise AntiphonError(f"style '{word}' is unknown: scenes have {', '.join(f'{c}=0..1' for c in CONTROLS)}")
    return found


# ---- a scene that is ready -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """A scene that is ready to be played, more than once if need be. blocks: -> (n, 2) float32 one after another,
    `length` samples in all. loop: its end joins its beginning, so nothing may treat one end differently. loudness: LUFS
    that a script asks for. credit: what it is, in a line. advance: told the seconds that are done, and all of them."""

    blocks: Callable[[], Iterator[np.ndarray]]
    length: int
    loop: bool
    credit: str
    loudness: float | None = None
    advance: Callable[[int, int], None] = lambda done, total: None

    def play(self, passes: int = 1, number: int = 0) -> Iterator[np.ndarray]:
        """Its blocks; the bar moves as it does in pass `number` of some."""
        done, seconds = 0, self.length / SAMPLE_RATE
        for block in self.blocks():
            yield block
            done += len(block)
            self.advance(round(seconds * (number + done / self.length) / passes), round(seconds))


def _plain(voice: str | Path | Voice, sound: str | None, seconds: float | None, loop: bool, how: How) -> Stage:
    """A scene of one sound."""
    player, seed, controls = _imagining(voice), check_seed(how.get("seed", 0)), _controls(how)
    places = Places(player, seed, controls.get("variation", 1.0), how.get("control"))
    expression = places.read(player.resolve(None, seed) if sound is None else sound)
    length = _samples(seconds or max(USUAL, 1.2 * last_time(expression)), loop)
    path = places.path(expression, length / SAMPLE_RATE)
    if loop and expression.turns:
        raise AntiphonError(f"'{sound}' changes, and a loop stays in one place: leave the change or --loop out")
    gain = _gain(partial(player.scene, seed=seed, **controls), path, how.get("level", 0.0))

    def blocks() -> Iterator[np.ndarray]:
        stream = player.scene(path, seed=seed, seconds=length / SAMPLE_RATE, loop=loop, **controls)
        edge = 0 if loop else min(round(EDGE * SAMPLE_RATE), length // 4)
        return mixed([Source(0, length, lambda: stream.read, gain, edge, edge)], length, SAMPLE_RATE)

    said = expression.first.text if sound is None else sound
    credit = f"{said}: {length / SAMPLE_RATE:g} s, seed {seed}{', a loop' if loop else ''}"
    return Stage(blocks, length, loop, credit)


def _scripted(voice: str | Path | Voice, script: Script, seconds: float | None, seed: int | str | None) -> Stage:
    """A scene by a script."""
    length = _samples(seconds or script.length or _last(script))
    check_times(script, length / SAMPLE_RATE)
    number = check_seed(seed if seed is not None else script.seed if script.seed is not None else 0)
    cast = _Cast(_imagining(voice), script.name, number, length)
    seeds = cast.seeds(script.cues)
    layers = [cast.layer(cue, own) for cue, own in seeds if isinstance(cue, Layer)]
    events = [cast.events(cue, own) for cue, own in seeds if isinstance(cue, Event)]
    far = any(cue.distance > 0 for cue in script.cues)
    size = script.room if script.room is not None else ROOM if far else 0.0

    def blocks() -> Iterator[np.ndarray]:
        order = heapq.merge(sorted(layers, key=_start), *(make() for make in events), key=_start)
        return mixed(order, length, SAMPLE_RATE, Room(size, SAMPLE_RATE, number) if size else None)

    what = f"{counted(len(layers), 'layer')}, {counted(len(events), 'kind')} of events"
    return Stage(blocks, length, False, f"{script.name}: {what}, {length / SAMPLE_RATE:g} s", script.loudness)


@dataclass(frozen=True)
class _Cast:
    """Turns the cues of a script into sources."""

    player: ImaginesScenes
    name: str
    seed: int
    length: int

    def seeds(self, cues: tuple[Cue, ...]) -> list[tuple[Cue, int]]:
        """Every cue with its seed: its own, or one that follows from the scene's and from what sounds, so that a line
        more elsewhere does not change it."""
        met: Counter[str] = Counter()
        found = []
        for cue in cues:
            own = zlib.crc32(f"{self.seed}/{cue.sound}/{met[cue.sound]}".encode(errors="replace")) >> 2
            met[cue.sound] += 1
            with self._line(cue):
                found.append((cue, own if cue.seed is None else check_seed(cue.seed)))
        return found

    def layer(self, cue: Layer, seed: int) -> Source:
        """Its source."""
        start = round(cue.start * SAMPLE_RATE)
        stop = self.length if cue.stop is None else min(round(cue.stop * SAMPLE_RATE), self.length)
        seconds = (stop - start) / SAMPLE_RATE
        with self._line(cue):
            places = Places(self.player, seed, cue.controls.get("variation", 1.0))
            path = places.path(places.read(cue.sound), seconds, cue.start)
            controls = dict[str, Any](cue.controls)
            make = partial(self.player.scene, path, seed=seed, seconds=seconds, **controls)
            gain = _gain(partial(self.player.scene, seed=seed, **controls), path, cue.level, start)
        shrink = min(seconds / max(cue.fade_in + cue.fade_out, 1e-9), 1.0)
        rise, fall = (round(fade * shrink * SAMPLE_RATE) for fade in (cue.fade_in, cue.fade_out))
        return Source(start, stop, lambda: make().read, gain, rise, fall, cue.pan, cue.distance)

    def events(self, cue: Event, seed: int) -> Callable[[], Iterator[Source]]:
        """-> its sources, in order of time, each made when the mix is about to reach it."""
        with self._line(cue):
            first = sound_of(cue, self.player, seed, REFERENCE + cue.level)  # what cannot be is known before any work

        def sources() -> Iterator[Source]:
            for number, at in enumerate(times(cue, self.length / SAMPLE_RATE, seed)):
                sound = sound_of(cue, self.player, seed, REFERENCE + cue.level, number) if number else first
                start = round(at * SAMPLE_RATE)
                reader = partial(_reader, sound)
                yield Source(start, start + len(sound), reader, pan=cue.pan, distance=cue.distance)

        return sources

    @contextmanager
    def _line(self, cue: Cue) -> Iterator[None]:
        """What is wrong in the block is wrong in the line of the cue."""
        try:
            yield
        except AntiphonError as error:
            raise AntiphonError(f"{self.name}, line {cue.line}: {error}") from None


def _reader(sound: np.ndarray) -> Read:
    at = 0

    def read(samples: int) -> np.ndarray:
        nonlocal at
        at += samples
        return sound[at - samples : at]

    return read


def _start(source: Source) -> int:
    return source.start


def _last(script: Script) -> float:
    """How long a script is that does not say it: until everything in it has ended, or else a while after its last
    time."""
    ends = [cue.stop for cue in script.cues]
    if all(end is not None for end in ends):
        return max(end for end in ends if end is not None)
    told = [t for cue in script.cues for t in (cue.start, cue.stop or 0.0, *(cue.at if isinstance(cue, Event) else ()))]
    return max(told) + USUAL


# ---- its level, and its file -----------------------------------------------------------------------------------------


def _gain(
    make: Callable[[ScenePath], SceneStream], path: ScenePath, level: float, start: int = 0
) -> tuple[tuple[float, float], ...]:
    """The gain of a Source that begins at a sample, by which every place of a path has a level in dB re REFERENCE."""
    points = [(start + at * SAMPLE_RATE, place) for at, place in path]
    known: list[tuple[Place, float]] = []  # a change begins where the last one ended
    gain = []
    for at, place in points:
        if not known or known[-1][0] is not place:
            known.append((place, level + _lacking(make(((0.0, place),)))))
        gain.append((at, known[-1][1]))
    return tuple(gain)


def _lacking(stream: SceneStream) -> float:
    """The dB that bring a stream to REFERENCE, by how its first seconds sound; 0 for silence."""
    meter, seconds = Meter(SAMPLE_RATE), 0.0
    while seconds < PROBED or (not np.isfinite(meter.loudness()) and seconds < PROBED_LONGEST):
        block = stream.read(round(PROBED * SAMPLE_RATE))
        if not len(block):
            break
        meter.add(np.asarray(block, np.float32))
        seconds += len(block) / SAMPLE_RATE
    loud = meter.loudness()
    return REFERENCE - loud if np.isfinite(loud) else 0.0


def _level_of(recording: str | Path) -> float:
    """The level, dB re REFERENCE, at which a scene is as loud as a recording."""
    meter = Meter(probe(recording).sample_rate)
    for block in audio_blocks(recording):
        meter.add(block[:, :2])
    return float(np.clip(meter.loudness(), SOFTEST, LOUDEST)) - REFERENCE


def _write(stage: Stage, target: Path, lufs: float | None, form: Form, force: bool) -> Path:
    ceiling = CEILING * (CODERS if target.suffix.lower() in LOSSY else 1.0)
    with writing(target, 2, sample_rate=SAMPLE_RATE, form=form, force=force) as write:
        for block in _leveled(stage, lufs, ceiling):
            write(block)
    return target


def _leveled(stage: Stage, lufs: float | None = None, ceiling: float = CEILING) -> Iterator[np.ndarray]:
    """The blocks of a scene as they are written: at a loudness, if there is to be one, and with no peak above the
    ceiling. It is played twice where that has to be known before it is written, since it needs no room on a disk. A
    limiter would treat the beginning of a loop and its end differently, so loops have one gain."""
    if lufs is None and not stage.loop:
        return limited(stage.play(), SAMPLE_RATE, ceiling)
    meter, peak = Meter(SAMPLE_RATE), TruePeak()
    for block in stage.play(2, 0):
        meter.add(block)
        peak.add(block)
    loud = meter.loudness()
    gain = 10 ** ((lufs - loud) / 20) if lufs is not None and np.isfinite(loud) else 1.0
    if stage.loop:
        gain = min(gain, ceiling * MARGIN / max(peak.end(), 1e-9))
        return (block * np.float32(gain) for block in stage.play(2, 1))
    return limited((block * np.float32(gain) for block in stage.play(2, 1)), SAMPLE_RATE, ceiling)


def _sound(stage: Stage) -> np.ndarray:
    """(samples, 2) float32: all of a scene."""
    return np.concatenate([np.zeros((0, 2), np.float32), *_leveled(stage, stage.loudness)])


# ---- what users ask for ----------------------------------------------------------------------------------------------


def _imagining(voice: str | Path | Voice) -> ImaginesScenes:
    try:
        found = load(voice)
    except AntiphonError as error:
        if isinstance(voice, str) and AMBIENCE in bundled() and voice.lower() in load(AMBIENCE).instruments:
            raise AntiphonError(f"'{voice}' is a sound of the voice {AMBIENCE}: write --sound {voice}") from None
        raise error
    if not isinstance(found, ImaginesScenes):
        raise AntiphonError(f"{found.info.name} cannot imagine scenes: use a voice trained with `--recipe scene`")
    return found


def _controls(how: How) -> dict[str, Any]:
    """The controls that were given. Raises AntiphonError for one beyond 0..1, and a level that nobody means."""
    found = {name: how[name] for name in CONTROLS if how.get(name) is not None}  # type: ignore[literal-required]
    for name, value in found.items():
        if not 0 <= value <= 1:
            raise AntiphonError(f"a {name} of {value:g} is out of range: use 0 to 1")
    check_level(None, how.get("level", 0.0))
    return found


def _length(seconds: float | None, minutes: float | None) -> float | None:
    """The seconds asked for. Raises AntiphonError for both, and for a length that no scene has."""
    if seconds is not None and minutes is not None:
        raise AntiphonError("seconds and minutes are two lengths: give one of them")
    asked = seconds if minutes is None else 60 * minutes
    if asked is not None and not SHORTEST <= asked <= LONGEST:
        raise AntiphonError(f"a scene of {asked:g} s is out of range: use {SHORTEST:g} s to {LONGEST / 3600:g} hours")
    return asked


def _samples(seconds: float, loop: bool = False) -> int:
    if loop and seconds < SHORTEST_LOOP:
        raise AntiphonError(f"a loop of {seconds:g} s is too short: use at least {SHORTEST_LOOP:g} s")
    return round(seconds * SAMPLE_RATE)


def _read(script: str | Path) -> Script:
    """A script from a file, or from its text."""
    return parse_script(script) if isinstance(script, str) and "\n" in script else read_script(script)
