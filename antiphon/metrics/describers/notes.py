"""Notes with a pitch: brightness, attack, decay and others of a note held for 0.8 s at the middle of its range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from antiphon.audio.envelope import decibels, envelope
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.data.analysis.descriptors import DESCRIPTORS, descriptors
from antiphon.data.analysis.pitch import measure_f0, measure_vibrato
from antiphon.metrics.describers.describer import Describer, Trait
from antiphon.voices.capabilities import Imagines, PlaysNotes
from antiphon.voices.expression import common_pitch
from antiphon.voices.voice import Voice

HELD = 0.8  # seconds
HOP = 441
BEGINNING = 0.06  # seconds whose brightness is compared with that of the rest
LASTING = (0.25, 0.75)  # seconds, the rest
FALL = 30.0  # dB that a release is followed for
TRAITS = (
    Trait("brightness", "more of the high partials", "octaves of the centre of the spectrum above the note", 0.15),
    Trait("attack", "a slower beginning", "log10 of seconds from 10 to 90 % of the peak", 0.15),
    Trait("decay", "keeps its level longer while held", "dB a second gained, or lost below 0", 4),
    Trait("release", "rings longer after the key is let go", "log10 of seconds until it has fallen by 30 dB", 0.12),
    Trait("noisiness", "more breath, bow or hammer", "dB of what is not in the partials, of all", 3),
    Trait("hollowness", "odd partials over even ones, as in a clarinet", "dB of odd against even partials", 2.5),
    Trait("vibrato", "a deeper vibrato", "cents", 6),
    Trait("width", "more players, or detuning", "log2 of 1 + cents that the partials are wide", 0.3),
    Trait("bite", "a brighter beginning than the rest", "octaves of the first 60 ms above the rest", 0.2),
)


def measure(sound: np.ndarray, pitch: float) -> np.ndarray:
    """(9,) in the order of TRAITS. sound: (samples,) of a note at a MIDI pitch, held for 0.8 s."""
    audio = np.asarray(sound, np.float32).reshape(-1)
    audio = np.pad(audio, (0, max(round(1.05 * HELD * SAMPLE_RATE) - len(audio), 0)))
    hold = round(HELD * SAMPLE_RATE)
    f0, _ = measure_f0(audio[:hold], pitch)
    vibrato = measure_vibrato(f0)
    hz = midi_to_hz(pitch) * (np.exp2(f0 / 1200) if vibrato[1] else 1.0)  # vibrato is neither width nor noise
    known = dict(zip(DESCRIPTORS, descriptors(audio, hz, hold, vibrato), strict=True))
    begin, rest = audio[: round(BEGINNING * SAMPLE_RATE)], audio[slice(*(round(t * SAMPLE_RATE) for t in LASTING))]
    values = [
        known["brightness"],
        known["attack"],
        -known["decay"],
        np.log10(release_seconds(audio, hold)),
        known["noisiness"],
        known["odd_even"],
        known["vibrato_depth"],
        known["width"],
        _centre(begin) - _centre(rest),
    ]
    return np.nan_to_num(np.array(values, np.float64))


def release_seconds(audio: np.ndarray, hold: int) -> float:
    """Seconds after `hold` samples in which the level falls by 30 dB, at least 10 ms."""
    level = decibels(envelope(audio[hold:], HOP, 3))
    if not len(level):
        return 0.01
    below = np.flatnonzero(level < level[0] - FALL)
    frames = below[0] if len(below) else len(level)
    return float(max(frames, 1) * HOP / SAMPLE_RATE)


def _centre(part: np.ndarray) -> float:
    """log2 of the centre of a part's spectrum in Hz."""
    power = np.abs(np.fft.rfft(part * _window(len(part)), 16_384 if len(part) < 16_384 else 32_768)) ** 2
    hz = np.fft.rfftfreq(2 * len(power) - 2, 1 / SAMPLE_RATE)
    heard = (hz > 20) & (hz < 20_000)
    return float(np.log2(max((power * hz)[heard].sum() / (power[heard].sum() + 1e-20), 20.0)))


@lru_cache(maxsize=8)
def _window(length: int) -> np.ndarray:
    return np.hanning(length)


def play(voice: Any, label: str, w: Tensor, shapings: Sequence[tuple[float, ...]]) -> list[np.ndarray]:
    note = Note(common_pitch(voice, (label,)), HELD, 100, label)
    sounds: list[np.ndarray] = voice.notes([replace(note, shaping=one) for one in shapings], w=w)
    return sounds


def suits(voice: Voice) -> bool:
    return isinstance(voice, PlaysNotes) and isinstance(voice, Imagines) and voice.pitched


DESCRIBERS = {"notes": Describer(TRAITS, suits, play, measure, lambda voice, label: common_pitch(voice, (label,)))}
