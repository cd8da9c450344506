"""Noise: white, coloured, hiss, a band of it, or recorded in the field."""

from __future__ import annotations

import numpy as np

from antiphon.data.damage.damage import Damage, Field, at_distance, filtered


def noisy(sound: np.ndarray, distance: float, rng: np.random.Generator, field: Field | None) -> np.ndarray:
    """distance: dB from the sound down to the noise."""
    noise = recorded(sound, field, rng) if field is not None and rng.random() < 0.35 else made(sound, rng)
    if rng.random() < 0.3:  # it comes and goes
        knots = rng.uniform(-6, 6, 2 + len(sound) // 22_050)
        noise = (
            noise * 10 ** (np.interp(np.linspace(0, 1, len(sound)), np.linspace(0, 1, len(knots)), knots) / 20)[:, None]
        )
    return sound + at_distance(sound, noise, distance)


def made(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of a random colour, shaped like `sound`; its sides alike or not."""
    noise = rng.standard_normal(sound.shape, np.float32)
    if sound.shape[1] > 1:
        noise += rng.uniform(0, 2) * noise[:, :1]
    kind = rng.integers(4)
    if kind == 0:
        return noise
    slope, centre, width = rng.uniform(-2.5, 1.0), 10 ** rng.uniform(2.3, 4.0), rng.uniform(0.5, 3.0)

    def gain(hz: np.ndarray) -> np.ndarray:
        octaves = np.log2(np.maximum(hz, 20) / 1000)
        if kind == 1:  # coloured: white, pink, brown and between
            return 2 ** (slope * octaves)
        if kind == 2:  # hiss: of tape and amplifiers
            return np.asarray(hz / (hz + centre))
        return np.asarray(0.03 + np.exp(-0.5 * ((octaves - np.log2(centre / 1000)) / width) ** 2))

    return filtered(noise, gain)


def recorded(sound: np.ndarray, field: Field, rng: np.random.Generator) -> np.ndarray:
    """Rain, wind, a crowd: the same on all sides."""
    return np.repeat(field(len(sound))[:, None], sound.shape[1], 1)


DAMAGES = {"noise": Damage(20, "dB", 45.0, -3.0, noisy)}
