"""Another drum of the same make: damped sooner, brighter or darker than the one that was recorded.

    y(t) = e^(-d t) (h * x)(t)        H(s) = (1/g + s) / (1 + s/g), s = j f / f_c: from 1/g in the bass to g above

Neither moves a mode, so that what was measured of modes and glides stays true. A handful of recordings of one kind
becomes a cloud, and whoever imagines the kind has something to vary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.core.units import SAMPLE_RATE

DAMPING = (0.5, 8.0)  # nepers over the hit's length
BRIGHTER_DB = 12.0  # of treble against bass, up or down, at most
TURN = 1000.0  # Hz: where the level stays as it is
BEFORE = 512  # samples that the filter hears before a crop: it remembers less than 5 ms


@dataclass(frozen=True)
class Reshape:
    """damping: nepers a second; brighter: dB of treble against bass."""

    damping: float = 0.0
    brighter: float = 0.0

    @classmethod
    def drawn(cls, rng: np.random.Generator, seconds: float) -> Reshape:
        """One for a hit of so many seconds; half of them are damped."""
        low, high = np.log(DAMPING)
        damping = float(np.exp(rng.uniform(low, high))) / seconds if rng.random() < 0.5 else 0.0
        return cls(damping, float(rng.uniform(-BRIGHTER_DB, BRIGHTER_DB)))

    def __bool__(self) -> bool:
        return self != Reshape()

    def __call__(self, audio: np.ndarray, start: int) -> np.ndarray:
        """(samples,) of a hit from sample `start` since its onset, with what lies BEFORE it in front (zeros before the
        onset) -> (samples - BEFORE,) float32, reshaped."""
        count = len(audio)
        size = 1 << count.bit_length()  # twice the length at least: what the filter remembers must not come round
        spectrum = np.fft.rfft(audio, size) * self._shelf(np.arange(size // 2 + 1) / size)
        t = (start + np.arange(count - BEFORE)) / SAMPLE_RATE
        return (np.fft.irfft(spectrum, size)[BEFORE:count] * np.exp(-self.damping * t)).astype(np.float32)

    def _shelf(self, cycles: np.ndarray) -> np.ndarray:
        """The filter's response at `cycles` a sample: of first order and minimum phase, so that nothing sounds before
        the stroke; s by the bilinear transform."""
        gain, z = 10 ** (self.brighter / 40), np.exp(-2j * np.pi * cycles)
        rise, one = (1 - z) / np.tan(np.pi * TURN / SAMPLE_RATE), 1 + z
        return (one / gain + rise) / (one + rise / gain)
