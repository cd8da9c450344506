"""Events of a scene: when they come, and what each of them is: the clearest sound in some seconds of a place, or a note
of another voice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.labels import parse_pitch
from antiphon.music.master import Meter
from antiphon.verbs.scene_script import Event
from antiphon.voices.capabilities import ImaginesScenes, PlaysNotes
from antiphon.voices.expression import common_pitch
from antiphon.voices.hiring import hired
from antiphon.voices.places import Places
from antiphon.voices.voice import Voice

SEARCHED = 8.0  # seconds of a place in which an event is looked for
STANDS_OUT = 12.0  # dB by which its loudest moment is above the rest; less is no event, but a stretch of sound
STRETCH, STRETCH_FADE = 3.0, 0.5  # seconds of one that serves as an event, and of its fades
BELOW_PEAK, ABOVE_REST = 18.0, 6.0  # dB: what belongs to an event
PAUSE, RINGS = 0.06, 0.4  # seconds: of quiet within one; in which it may still die away
MOST = 2.5  # seconds, unless it is said how long it lasts
RISE, FALL = 0.005, 0.12  # seconds of its fades
RUMBLE = 0.97  # of a sample is taken from the next: below 200 Hz 6 dB less an octave
HELD = 1.5  # seconds that notes are held
LEAST_GAP = 0.3  # of the mean: no two chance events are nearer
HOP, FRAME = SAMPLE_RATE // 100, 0.01  # samples, seconds of a level


def times(event: Event, end: float, seed: int) -> Iterator[float]:
    """The seconds at which an event comes, up to the scene's end: as they are told, evenly, or by chance, with
    exponential gaps over a least one (a Poisson process with dead time)."""
    stop = min(end, event.stop if event.stop is not None else end)
    if event.at:
        yield from (t for t in event.at if t < stop)
        return
    every = event.every or end
    rng = np.random.default_rng((seed, 1023))
    at = event.start + (every * rng.random() if event.chance else 0.0)
    while at < stop:
        yield at
        at += every * (LEAST_GAP + (1 - LEAST_GAP) * rng.exponential()) if event.chance else every


def sound_of(event: Event, voice: ImaginesScenes, seed: int, loudness: float, number: int = 0) -> np.ndarray:
    """(samples, 2) float32: the event's sound for the time that has a `number`, its loudest 0.4 seconds at `loudness`
    LUFS: another moment of the place, or another take of the note by the same player. Raises AntiphonError for what
    cannot be played."""
    try:
        other, name = hired(voice, event.sound)
    except AntiphonError as error:
        kit = "is a drum kit" in str(error)
        raise AntiphonError(f"say which drum, as in {event.sound}:snare drum") if kit else error from None
    if isinstance(other, ImaginesScenes):
        voice, other = other, None
    if other is not None:
        sound = _note(other, name, event, seed, number)
    elif event.pitch is not None:
        raise AntiphonError("a pitch is for notes of other voices, such as `event gm:tubular bells pitch C5`")
    else:
        sound = _heard(voice, name, event, seed + number)
    return sound * np.float32(10 ** ((loudness - loudest(sound)) / 20))


def _heard(voice: ImaginesScenes, name: str, event: Event, seed: int) -> np.ndarray:
    places = Places(voice, seed)
    expression = places.read(name)
    if expression.turns:
        raise AntiphonError(f"'{name}' changes with time, and an event is short: leave the change out, or use a layer")
    path = places.path(expression, SEARCHED)
    seconds, controls = max(SEARCHED, event.lasts or 0.0), dict[str, Any](event.controls)
    stream = voice.scene(path, seed=seed, seconds=seconds, **controls)
    return one_shot(stream.read(round(seconds * SAMPLE_RATE)), event.lasts)


def _note(voice: Voice, name: str, event: Event, seed: int, take: int) -> np.ndarray:
    player = voice.able(PlaysNotes, "play an event")
    label = player.resolve(name, seed)
    pitch = parse_pitch(event.pitch) if event.pitch else common_pitch(player, (label,))
    note = player.note(pitch, instrument=label, seconds=event.lasts or HELD, seed=seed, take=take)
    return np.repeat(note[:, None], 2, axis=1)


def one_shot(sound: np.ndarray, lasts: float | None = None) -> np.ndarray:
    """(samples, 2) float32: the clearest event in (samples, 2), from its onset until it is gone; `lasts` seconds if
    said. If nothing stands out: a stretch of the whole, faded in and out."""
    level = _levels(sound)
    peak = int(np.argmax(level))
    rest = max(float(np.percentile(level, 20)), float(level[peak]) - 60)
    if level[peak] - rest < STANDS_OUT:
        stretch = sound[: round((lasts or STRETCH) * SAMPLE_RATE)]
        fade = min(round(STRETCH_FADE * SAMPLE_RATE), len(stretch) // 4)
        return _faded(stretch, fade, fade)
    floor = rest + ABOVE_REST
    first, last = _around(level > max(level[peak] - BELOW_PEAK, floor), peak, round(PAUSE / FRAME))
    first = max(first, peak - round(MOST / 2 / FRAME))
    ringing = level[last : last + round(RINGS / FRAME)]
    last += int(np.argmax(np.append(ringing < floor, True)))
    start = max(first * HOP - HOP // 2, 0)
    seconds = min((last + 1) * FRAME + FALL - start / SAMPLE_RATE, MOST) if lasts is None else lasts
    found = sound[start : start + round(seconds * SAMPLE_RATE)]
    fall = min(round(FALL * SAMPLE_RATE), len(found) // 2)
    return _faded(found, min(round(RISE * SAMPLE_RATE), len(found) // 4), fall)


def loudest(sound: np.ndarray) -> float:
    """LUFS of the loudest 0.4 seconds of (samples, 2) (momentary loudness, EBU Tech 3341); a shorter sound's as if
    followed by silence."""
    meter = Meter(SAMPLE_RATE)
    meter.add(np.concatenate([sound, np.zeros((meter.size, sound.shape[1]), np.float32)]))
    return float(10 * np.log10(max(max(meter.powers), 1e-12)) - 0.691)


def _levels(sound: np.ndarray) -> np.ndarray:
    """(frames,) dB of every 10 ms, over 30 ms; lows count less, as they do for the ear."""
    count = max(len(sound) // HOP, 1)
    sound = sound - RUMBLE * np.concatenate([np.zeros_like(sound[:1]), sound[:-1]])
    power = np.zeros(count * HOP)
    power[: len(sound)] = (sound[: count * HOP].astype(np.float64) ** 2).sum(axis=1)
    frames = np.pad(power.reshape(count, HOP).mean(axis=1), 1, mode="edge")
    return 10 * np.log10(np.convolve(frames, np.ones(3) / 3, "valid") + 1e-12)


def _around(over: np.ndarray, peak: int, pause: int) -> tuple[int, int]:
    """The first and the last frame that belong to a peak: pauses of fewer frames than `pause` are part of it."""
    at = np.flatnonzero(over)
    gaps = np.flatnonzero(np.diff(at) > pause)
    own = int(np.searchsorted(at, peak))
    before, after = gaps[gaps < own], gaps[gaps >= own]
    return int(at[before[-1] + 1] if len(before) else at[0]), int(at[after[0]] if len(after) else at[-1])


def _faded(sound: np.ndarray, rise: int, fall: int) -> np.ndarray:
    found = np.array(sound, np.float32)
    if rise:
        found[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    if fall:
        found[len(found) - fall :] *= np.linspace(1, 0, fall, dtype=np.float32)[:, None]
    return found
