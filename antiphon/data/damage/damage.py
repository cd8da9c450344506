"""What happens to recordings: each damage is a file here with a dictionary `DAMAGES`, found by the registry.

A damage has an amount in a unit of its own (a noise's distance in dB, a cut-off in Hz) and happens at its place in a
recording's life: the room, then noise, then the tape and the disc, the converter, the codec. What is drawn is a
function of the random numbers given, and those are a function of (seed, index).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import registry
from antiphon.core.units import SAMPLE_RATE

Field = Callable[[int], np.ndarray]  # samples -> (samples,) of recorded noise


class Damage(NamedTuple):
    """order: its place in a recording's life. mild, severe: ends of its amounts, in `unit`; ratio: whether amounts are
    compared by ratios, as frequencies are. apply: (samples, channels) float32, an amount, random numbers and recorded
    noise if there is any -> the damaged sound, of the same shape."""

    order: int
    unit: str
    mild: float
    severe: float
    apply: Callable[[np.ndarray, float, np.random.Generator, Field | None], np.ndarray]
    ratio: bool = False

    def severity(self, amount: float) -> float:
        """0.05 for the mildest amount to 1 for the most severe; 0 is left for none."""
        scale: Callable[[float], float] = (lambda x: math.log(max(x, 1e-3))) if self.ratio else float
        share = (scale(amount) - scale(self.mild)) / (scale(self.severe) - scale(self.mild))
        return min(max(share, 0.05), 1.0)

    def draw(self, rng: np.random.Generator) -> float:
        """An amount, evenly between both ends."""
        share = float(rng.uniform())
        if self.ratio:
            return self.mild * (self.severe / self.mild) ** share
        return self.mild + (self.severe - self.mild) * share


class Damaged(NamedTuple):
    """clean, damaged: (samples, channels) float32. amounts: what was done, by the damages' names."""

    clean: np.ndarray
    damaged: np.ndarray
    amounts: dict[str, float]


def damages() -> dict[str, Damage]:
    """Every damage by its name, in the order of a recording's life."""
    found: dict[str, Damage] = registry("antiphon.data.damage", "DAMAGES")
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def inflict(
    clean: np.ndarray, amounts: dict[str, float], rng: np.random.Generator, field: Field | None = None
) -> np.ndarray:
    """(samples, channels) float32 with the damages of `amounts` done to it, one after another in their order."""
    known = damages()
    if unknown := amounts.keys() - known.keys():
        raise AntiphonError(f"no damage named '{min(unknown)}': use one of {', '.join(known)}")
    sound = np.asarray(clean, np.float32)
    for name, damage in known.items():
        if name in amounts:
            sound = damage.apply(sound, amounts[name], rng, field).astype(np.float32)
    return sound


def decibels(ratio: float) -> float:
    """Of two powers."""
    return 10 * math.log10(max(ratio, 1e-20))


def at_distance(sound: np.ndarray, noise: np.ndarray, distance: float) -> np.ndarray:
    """`noise`, scaled so that the sound is `distance` dB above it."""
    loud, quiet = float(np.square(sound, dtype=float).mean()), float(np.square(noise, dtype=float).mean())
    if loud <= 0 or quiet <= 0:
        return np.zeros_like(noise)
    return noise * np.float32(math.sqrt(loud / quiet) * 10 ** (-distance / 20))


def filtered(sound: np.ndarray, gain: Callable[[np.ndarray], np.ndarray], sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """A sound, (samples, channels), after a filter given by its gain at frequencies in Hz, real or complex; zeros
    beyond both ends."""
    size = 1 << max(len(sound) + 2048, 1).bit_length()
    spectrum = np.fft.rfft(sound, size, axis=0) * gain(np.fft.rfftfreq(size, 1 / sample_rate))[:, None]
    return np.fft.irfft(spectrum, size, axis=0)[: len(sound)].astype(np.float32)


def told_of(names: Sequence[str], amounts: Mapping[str, float | None], heard: bool = True) -> np.ndarray:
    """(damages, 2) what a network is told: how severe each damage is, and whether that is known. amounts: of those that
    are there, None for one of unknown amount; the others are none at all, if `heard`, or unknown."""
    known = damages()
    rows = np.zeros((len(names), 2), np.float32)
    for row, name in zip(rows, names, strict=True):
        amount = amounts.get(name)
        if amount is not None:
            row[:] = known[name].severity(amount), 1
        elif name not in amounts and heard:
            row[:] = 0, 1
    return rows
