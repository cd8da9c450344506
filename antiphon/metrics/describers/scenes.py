"""Places: brightness, density, motion and others of three seconds of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from antiphon.audio.envelope import decibels, envelope
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.describers.describer import Describer, Trait
from antiphon.voices.capabilities import ImaginesScenes

SECONDS = 3.0
FINE, SLOW = 88, 4410  # samples: 2 ms, in which single events are seen, and 0.1 s
BASS, AIR = 200.0, 6000.0  # Hz
TRAITS = (
    Trait("brightness", "more of the high end", "log2 of Hz at the centre of the spectrum", 0.3),
    Trait("density", "events closer together, a smoother sound", "dB of the median 2 ms below the loudest", 3.0),
    Trait("motion", "more swelling and dying away", "dB by which the level moves from 0.1 s to the next", 1.0),
    Trait("depth", "more rumble", "dB below 200 Hz, of all", 3.0),
    Trait("hiss", "more air", "dB above 6 kHz, of all", 3.0),
    Trait("tone", "more hum and song, less noise", "dB of the spectrum's peaks above its floor", 2.0),
)


def measure(sound: np.ndarray, pitch: float = 60.0) -> np.ndarray:
    """(6,) in the order of TRAITS. sound: (samples,)."""
    audio = np.asarray(sound, np.float64).reshape(-1)
    audio = np.pad(audio, (0, max(SAMPLE_RATE - len(audio), 0)))
    size = 8192
    frames = np.lib.stride_tricks.sliding_window_view(audio, size)[:: size // 2] * np.hanning(size)
    power = (np.abs(np.fft.rfft(frames, axis=1)) ** 2).mean(0)
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    heard = (hz > 20) & (hz < 20_000)
    total = power[heard].sum() + 1e-20
    fine, slow = decibels(envelope(audio, FINE, 1)), decibels(envelope(audio, SLOW, 1))
    floor = np.median(np.lib.stride_tricks.sliding_window_view(power[heard], 65), axis=1)
    peaks = 10 * np.log10((power[heard][32:-32] + 1e-20) / (floor + 1e-20))
    values = [
        (power[heard] * np.log2(hz[heard])).sum() / total,
        np.median(fine) - np.percentile(fine, 99),
        np.abs(np.diff(slow)).mean() if len(slow) > 1 else 0.0,
        10 * np.log10(power[heard & (hz < BASS)].sum() / total + 1e-6),
        10 * np.log10(power[heard & (hz > AIR)].sum() / total + 1e-6),
        np.percentile(peaks, 99),
    ]
    return np.nan_to_num(np.array(values, np.float64))


def play(voice: Any, label: str, w: Tensor, shapings: Sequence[tuple[float, ...]]) -> list[np.ndarray]:
    sounds: list[np.ndarray] = voice.notes([Note(60.0, SECONDS, 100, label)] * len(w), w=w)
    return sounds


DESCRIBERS = {
    "scenes": Describer(TRAITS, lambda v: isinstance(v, ImaginesScenes), play, measure, lambda voice, label: 60.0)
}
