"""Clicks of scratches, crackle of dust: short pulses that a needle or a bad cable adds."""

from __future__ import annotations

import numpy as np

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.damage.damage import Damage, Field


def clicking(sound: np.ndarray, rate: float, rng: np.random.Generator, field: Field | None) -> np.ndarray:
    """rate: clicks a second. A few are loud, most are crackle; each is 2 to 60 samples long and rings a little."""
    count = int(rng.poisson(rate * len(sound) / SAMPLE_RATE))
    size = float(np.sqrt(np.square(sound, dtype=float).mean())) or 1.0
    out = np.array(sound, np.float32)
    for _ in range(min(count, 5000)):
        length = int(2 + 60 * rng.beta(1, 4))
        at = int(rng.integers(len(sound)))
        pulse = rng.standard_normal(length) * np.exp(-4 * np.arange(length) / length)
        pulse *= size * 10 ** rng.uniform(-0.3, 1.2) / max(float(np.abs(pulse).max()), 1e-9)
        sides = np.ones(sound.shape[1]) if rng.random() < 0.5 else rng.uniform(-1, 1, sound.shape[1])
        part = out[at : at + length]
        part += (pulse[: len(part), None] * sides).astype(np.float32)
    return out


DAMAGES = {"clicks": Damage(40, "clicks a second", 0.5, 60.0, clicking, ratio=True)}
