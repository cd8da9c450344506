"""A room around the sound: a direct path, a few early reflections, and noise that dies away (Moorer 1979)."""

from __future__ import annotations

import numpy as np

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.damage.damage import Damage, Field


def reverberant(sound: np.ndarray, seconds: float, rng: np.random.Generator, field: Field | None) -> np.ndarray:
    """seconds: until the room's sound has fallen by 60 dB. The direct sound stays as it is."""
    count = int(1.1 * seconds * SAMPLE_RATE)
    tail = rng.standard_normal((count, sound.shape[1])) * 10 ** (-3 * np.arange(count) / SAMPLE_RATE / seconds)[:, None]
    spectrum = np.fft.rfft(tail, axis=0)
    hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)[:, None]
    tail = np.fft.irfft(
        spectrum / (1 + (hz / 10 ** rng.uniform(3.3, 4.1)) ** 2), count, axis=0
    )  # walls take the treble
    tail *= np.clip(np.arange(count) / (0.01 * SAMPLE_RATE), 0, 1)[:, None]
    for _ in range(int(rng.integers(4, 12))):
        at = int(rng.uniform(0.002, 0.05) * SAMPLE_RATE)
        if at < count:
            tail[at] += rng.normal(0, 1) * float(np.abs(tail).max()) * 4
    tail /= np.sqrt(np.square(tail).sum(0)) + 1e-9
    size = 1 << (len(sound) + count).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size, axis=0) * np.fft.rfft(tail, size, axis=0), size, axis=0)[: len(sound)]
    early = int(rng.uniform(0.002, 0.02) * SAMPLE_RATE)  # the walls are not at the microphone
    wet = np.pad(wet, ((early, 0), (0, 0)))[: len(sound)]
    return sound + (10 ** (rng.uniform(-16, -2) / 20) * wet).astype(np.float32)


DAMAGES = {"reverb": Damage(10, "s", 0.2, 2.0, reverberant, ratio=True)}
