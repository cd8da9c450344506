"""Which damages a sound gets: none, one or several at once, as a function of (seed, index)."""

from __future__ import annotations

import numpy as np

from antiphon.data.damage.damage import Damaged, Field, damages, filtered, inflict

CLEAN, ALONE = 0.15, 0.6  # shares of sounds with no damage, and with one
SHARES = {"noise": 2.5, "bandwidth": 3.5, "codec": 2.5, "clipping": 0.4, "clicks": 0.2, "hum": 0.2}


def damaged(clean: np.ndarray, seed: int, index: int, field: Field | None = None) -> Damaged:
    """clean: (samples, channels). Its colour and level are chance too, since recordings differ in both."""
    rng = np.random.default_rng((seed, index, 31))
    clean = levelled(coloured(clean, rng), rng)
    amounts = drawn(rng)
    sound = inflict(clean, amounts, rng, field)
    if rng.random() < 0.5:  # files of 16 bits have a floor
        sound = np.round(sound * 32768 + rng.uniform(-0.5, 0.5, sound.shape)) / 32768
    return Damaged(clean, sound.astype(np.float32), amounts)


def drawn(rng: np.random.Generator) -> dict[str, float]:
    """Damages by name with their amounts."""
    known = damages()
    if (chance := rng.random()) < CLEAN:
        return {}
    count = 1 if chance < CLEAN + ALONE else int(rng.integers(2, 4))
    odds = np.array([SHARES.get(name, 1.0) for name in known])
    chosen = set(rng.choice(list(known), count, replace=False, p=odds / odds.sum()).tolist())
    return {name: known[name].draw(rng) for name in known if name in chosen}


def coloured(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the time equalised: a tilt, and a broad hill or valley."""
    if rng.random() < 0.5:
        return sound
    tilt, size, centre, width = rng.uniform(-1.5, 1.5), rng.uniform(-6, 6), rng.uniform(-3, 4), rng.uniform(0.7, 2)

    def gain(hz: np.ndarray) -> np.ndarray:
        octaves = np.log2(np.maximum(hz, 20) / 1000)
        return np.asarray(10 ** ((tilt * octaves + size * np.exp(-(((octaves - centre) / width) ** 2))) / 20))

    return filtered(sound, gain)


def levelled(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Its peak anywhere from -24 to -0.5 dB of full scale."""
    peak = float(np.abs(sound).max())
    return np.asarray(sound * (10 ** (rng.uniform(-24, -0.5) / 20) / peak), np.float32) if peak > 1e-4 else sound
