"""A band limit: the treble is missing above a frequency. There are many ways to lose it, since a network that has met
one only [Sulun & Davies 2020] fails on all others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.damage.damage import Damage, Field, filtered

Shape = Callable[[np.ndarray, float], np.ndarray]  # frequencies re the cut-off, a random number 0..1 -> gain


def cut(sound: np.ndarray, hertz: float, rng: np.random.Generator, field: Field | None) -> np.ndarray:
    """hertz: above it the sound is at least 3 dB softer, soon much more."""
    way = int(rng.integers(len(SHAPES) + len(RESAMPLED)))
    if way < len(SHAPES):
        chance = float(rng.uniform())
        return filtered(sound, lambda hz: SHAPES[way](hz / hertz, chance))
    return RESAMPLED[way - len(SHAPES)](sound, hertz)


def _steps(low: float, high: float) -> Shape:
    """From 1 to 0 along a cosine between two frequencies."""
    return lambda f, _: 0.5 + 0.5 * np.cos(np.pi * np.clip((f - low) / (high - low), 0, 1))


def _butterworth(order: int, turned: bool = False) -> Shape:
    if not turned:
        return lambda f, _: 1 / np.sqrt(1 + f ** (2 * order))
    poles = np.exp(1j * np.pi * (2 * np.arange(order) + order + 1) / (2 * order))
    return lambda f, _: np.prod([-p / (1j * f - p) for p in poles], 0)


SHAPES: tuple[Shape, ...] = (
    lambda f, _: (f <= 1).astype(float),
    lambda f, x: (f <= 1) + (f > 1) * 10 ** (-(40 + 50 * x) / 20),  # a floor is left
    _steps(0.98, 1.02),
    _steps(0.9, 1.1),
    _steps(0.75, 1.15),
    _butterworth(4),
    _butterworth(6, turned=True),
    _butterworth(8),
    _butterworth(16),
    lambda f, x: 10 ** (-np.maximum(np.log2(np.maximum(f, 1e-6)), 0) * (36 + 60 * x) / 20),  # so many dB an octave
    lambda f, x: 1 / np.sqrt(1 + 0.25 * np.cos(8 * np.arccos(np.clip(f, 0, 1))) ** 2 + (np.maximum(f, 1) ** 24 - 1)),
    lambda f, x: np.exp(-0.35 * f**6),
    lambda f, x: np.abs(np.sinc(np.clip(f - 0.9 + 0.3 * x, 0, None) * 3)) * (f < 3),  # lobes
)


def _resampled(quality: str) -> Callable[[np.ndarray, float], np.ndarray]:
    def through(sound: np.ndarray, hertz: float) -> np.ndarray:
        import soxr

        low = soxr.resample(sound, SAMPLE_RATE, 2 * hertz, quality=quality)
        return _fitted(soxr.resample(low, 2 * hertz, SAMPLE_RATE, quality=quality), len(sound))

    return through


def _drawn(sound: np.ndarray, hertz: float) -> np.ndarray:
    """Resampled by straight lines between samples, as simple players do: mirror images are left above."""
    import soxr

    low = soxr.resample(sound, SAMPLE_RATE, 2 * hertz, quality="HQ")
    at = np.arange(len(sound)) * (2 * hertz / SAMPLE_RATE)
    return np.stack([np.interp(at, np.arange(len(low)), side) for side in low.T], 1)


def _fitted(sound: np.ndarray, samples: int) -> np.ndarray:
    return np.pad(sound[:samples], ((0, max(samples - len(sound), 0)), (0, 0)))


RESAMPLED = (_resampled("HQ"), _resampled("LQ"), _resampled("VHQ"), _drawn)

DAMAGES = {"bandwidth": Damage(60, "Hz", 16_000.0, 2000.0, cut, ratio=True)}
