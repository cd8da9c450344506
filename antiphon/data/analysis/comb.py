"""Whether an excerpt of a sound is a tone of a given pitch: where its lower partials lie. A thousandth of the tracker's
work, but it has to be told which pitch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from antiphon.core.units import SAMPLE_RATE

PARTIALS = 8  # harmonics that count
SECONDS, PERIODS = 0.15, 48  # of an excerpt in which they are told from others: at least
TOLERANCE = 0.025  # share of its frequency by which a partial may be off
OWN = 0.02  # share of the energy in harmonics that a tone an octave, or a twelfth, above does not have


def comb_size(hz: float) -> int:
    """Samples of an excerpt for a tone of `hz`."""
    return int(2 ** np.ceil(np.log2(max(PERIODS / hz, SECONDS) * SAMPLE_RATE)))


@lru_cache(maxsize=256)
def comb(hz: float) -> Comb:
    """The one for a tone of `hz`."""
    return Comb(hz, comb_size(hz))


class Comb:
    """The harmonics of `hz` in a spectrum of `size` samples."""

    def __init__(self, hz: float, size: int):
        width = SAMPLE_RATE / size
        place = np.arange(1, min(int((PARTIALS + 0.5) * hz / width), size // 2)) * width
        self.order = np.round(place / hz)
        self.near = (np.abs(place - self.order * hz) < np.maximum(TOLERANCE * place, 2.0 * width)) & (self.order > 0)
        self.size, self.window = size, np.hanning(size).astype(np.float32)

    def power(self, audio: np.ndarray) -> np.ndarray:
        """Of the bins that count, of the first `size` samples."""
        spectrum = np.fft.rfft(audio[: self.size] * self.window)[1 : len(self.near) + 1]
        return np.asarray(spectrum.real**2 + spectrum.imag**2)

    def share(self, audio: np.ndarray) -> float:
        """How much of the energy lies at the harmonics, 0..1."""
        power = self.power(audio)
        return float(power[self.near].sum() / max(power.sum(), 1e-20))

    def fits(self, audio: np.ndarray, enough: float) -> bool:
        """Whether so much lies there, and some where a higher tone's, whose harmonics are among these, does not."""
        power = self.power(audio)
        on, total = np.where(self.near, power, 0.0), max(float(power.sum()), 1e-20)
        own = (float(on[self.order % k > 0].sum()) > OWN * total for k in (2, 3))
        return float(on.sum()) > enough * total and all(own)
