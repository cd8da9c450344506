"""Clipping: what is louder than a converter or an amplifier can bear is cut off, hard or softly."""

from __future__ import annotations

import numpy as np

from antiphon.data.damage.damage import Damage, Field, decibels

HARD = 0.75  # share that is cut off hard


def clipped(sound: np.ndarray, distance: float, rng: np.random.Generator, field: Field | None) -> np.ndarray:
    """distance: dB from the sound down to the error, as papers on declipping count [Kitic 2015, SDR]."""
    bend = 0.0 if rng.random() < HARD else float(rng.uniform(1.5, 6))
    power = float(np.square(sound, dtype=float).mean())
    low, high = 0.0, float(np.abs(sound).max())
    if high == 0:
        return sound
    for _ in range(18):
        level = (low + high) / 2
        error = float(np.square(limited(sound, level, bend) - sound, dtype=float).mean())
        low, high = (low, level) if decibels(power / max(error, 1e-20)) > distance else (level, high)
    return limited(sound, max(high, 1e-6), bend)


def limited(sound: np.ndarray, level: float, bend: float = 0.0) -> np.ndarray:
    """Cut off at ±level; with a bend, softly: x / (1 + |x/level|^bend)^(1/bend)."""
    if not bend:
        return np.clip(sound, -level, level)
    return np.asarray(sound / (1 + np.abs(sound / level) ** bend) ** (1 / bend), np.float32)


DAMAGES = {"clipping": Damage(50, "dB", 30.0, 2.0, clipped)}
