"""Another drum of the same make: more damped, brighter or darker than the one that was recorded.

    y(t) = e^(-d t) (h * x)(t)        H(s) = (1/g + s) / (1 + s/g), s = j f / f_c: from 1/g in the bass to g above

Neither moves a mode, so the measured modes and glides remain valid. A handful of recordings of one kind becomes a whole
distribution, so there is something to vary when the kind is imagined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.core.units import SAMPLE_RATE

DAMPING = (0.5, 8.0)  # nepers over the hit's length
BRIGHTER_DB = 12.0  # of treble against bass, up or down, at most
TURN = 1000.0  # Hz: where the level stays as it is
BEFORE = 512  # samples before a crop that the filter is given: its memory is shorter than 5 ms


@dataclass(frozen=True)
class Reshape:
    """damping: nepers a second; brighter: dB of treble against bass."""

    damping: float = 0.0
    brighter: float = 0.0

    @classmethod
    def drawn(cls, rng: np.random.Generator, seconds: float) -> Reshape:
        """A random one for a hit of `seconds`; half of them are damped."""
        low, high = np.log(DAMPING)
        damping = float(np.exp(rng.uniform(low, high))) / seconds if rng.random() < 0.5 else 0.0
        return cls(damping, float(rng.uniform(-BRIGHTER_DB, BRIGHTER_DB)))

    def __bool__(self) -> bool:
        return self != Reshape()

    def __call__(self, audio: np.ndarray, start: int) -> np.ndarray:
        """(samples,) of a hit from sample `start` since its onset, with what lies BEFORE it in front (zeros before the
        onset) -> (samples - BEFORE,) float32, reshaped."""
        count = len(audio)
        size = 1 << count.bit_length()  # longer than the sound, so that the filter's response does not wrap around
        spectrum = np.fft.rfft(audio, size) * self._shelf(np.arange(size // 2 + 1) / size)
        t = (start + np.arange(count - BEFORE)) / SAMPLE_RATE
        return (np.fft.irfft(spectrum, size)[BEFORE:count] * np.exp(-self.damping * t)).astype(np.float32)

    def _shelf(self, cycles: np.ndarray) -> np.ndarray:
        """The filter's response at `cycles` per sample: of first order and minimum phase, so that nothing sounds before
        the stroke; s by the bilinear transform."""
        gain, z = 10 ** (self.brighter / 40), np.exp(-2j * np.pi * cycles)
        rise, one = (1 - z) / np.tan(np.pi * TURN / SAMPLE_RATE), 1 + z
        return (one / gain + rise) / (one + rise / gain)
