"""Batches of bars, each moved to a key drawn for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from antiphon.data.rolls import KEYS, Rolls


@dataclass(frozen=True)
class Bars:
    """rolls: (batch, keys, steps), 0 or 1."""

    rolls: Tensor

    def to(self, device: torch.device) -> Bars:
        return Bars(self.rolls.to(device))


class RollSource:
    """Bar number i of a seed is the same one always, whoever asks for it."""

    def __init__(self, data: Rolls, seed: int):
        self.rolls, self.seed = data.rolls[data.where("train")].float(), seed

    def batch(self, first: int, count: int) -> Bars:
        return Bars(torch.stack([self._bar(first + i) for i in range(count)]))

    def _bar(self, index: int) -> Tensor:
        rng = np.random.default_rng((self.seed, index))
        return self.rolls[rng.integers(len(self.rolls))].roll(int(rng.integers(KEYS)), 0)
