"""Hum of the mains: 50 or 60 Hz with its harmonics, each as strong as chance has it."""

from __future__ import annotations

import numpy as np

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.damage.damage import Damage, Field, at_distance


def humming(sound: np.ndarray, distance: float, rng: np.random.Generator, field: Field | None) -> np.ndarray:
    """distance: dB from the sound down to the hum."""
    base = float(rng.choice([50.0, 60.0])) * (1 + 1e-3 * rng.uniform(-1, 1))
    time = np.arange(len(sound)) / SAMPLE_RATE
    fall, odd = rng.uniform(0.3, 1.6), rng.uniform(0.1, 1.0)
    hum = np.zeros(len(sound))
    for k in range(1, int(rng.integers(6, 32))):
        level = k**-fall * (1 if k % 2 else odd) * rng.uniform(0.3, 1)
        hum += level * np.sin(2 * np.pi * (k * base * time + rng.uniform()))
    return sound + at_distance(sound, np.repeat(hum[:, None], sound.shape[1], 1), distance)


DAMAGES = {"hum": Damage(30, "dB", 40.0, 0.0, humming)}
