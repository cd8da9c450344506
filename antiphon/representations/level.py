"""Power on a scale for networks: -1 is the floor, nothing below it is kept, 1 is full scale."""

from __future__ import annotations

import torch
from torch import Tensor


def level_of(power: Tensor, floor_db: float) -> Tensor:
    """2 log(power + floor^2) / log(1 / floor^2) + 1: decibels, stretched so that floor_db is -1 and 0 dB is 1."""
    return 1 - 20 / floor_db * torch.log10(power + 10 ** (floor_db / 10))


def power_of(level: Tensor, floor_db: float) -> Tensor:
    """The inverse; the floor itself is silence, and whatever is below."""
    return (torch.pow(10.0, (1 - level) * (floor_db / 20)) - 10 ** (floor_db / 10)).clamp_min(0)


def root(power: Tensor) -> Tensor:
    """Magnitude, with a gradient at 0 and exactly 0 there; 0.1 % low at -113 dB, exact above."""
    return power / (power + 1e-14).sqrt()
