"""Pairs of clean and damaged music, the damage done on the fly. Pair number i of a seed is always the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.data.damage.damage import Field, inflict, told_of
from antiphon.data.damage.draw import damaged
from antiphon.data.recordings import Recordings
from antiphon.networks.generators.repair import ADDING
from antiphon.training.batches.batch import Tensors

TRIES = 6  # at a stretch in which something sounds
AUDIBLE = 3e-3  # its RMS
UNTOLD = 0.4  # share of what is wrong that the network is not told
TOLD_NOTHING = 0.25  # share of pairs of which it is told nothing at all
ERROR = 0.08  # by which a severity that it is told may be wrong: listening errs too


@dataclass(frozen=True)
class Repairs(Tensors):
    """A batch. clean, damaged: (batch, samples). told: (batch, 2 damages), as networks/generators/repair.py has it."""

    clean: Tensor
    damaged: Tensor
    told: Tensor


class RepairSource:
    """Draws stretches of `samples` samples from the recordings of a split, one side of them or both mixed."""

    def __init__(self, data: Recordings, samples: int, seed: int, names: Sequence[str], split: str = "train"):
        self.data, self.samples, self.seed, self.names = data, samples, seed, tuple(names)
        self.music, self.noise = data.where(split).tolist(), data.where(split, noise=True).tolist()
        if not self.music:
            raise AntiphonError(f"{data.path} has no recordings to train on: give more than one file")
        sizes = np.array([data.samples(i) for i in self.music], float)
        self.odds = sizes / sizes.sum()

    def batch(self, first: int, count: int) -> Repairs:
        """Pairs first .. first + count - 1."""
        rows = [self._pair(first + i) for i in range(count)]
        return Repairs(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)))

    def shown(self, amounts_of: Sequence[dict[str, float]]) -> Repairs:
        """One pair for each of some damages, of which it is told all, for a person to see; always the same."""
        rows = []
        for i, amounts in enumerate(amounts_of):
            rng = np.random.default_rng((self.seed, i, 19))
            clean = self._music(rng)
            made = inflict(clean, amounts, rng, self._noise(rng))
            rows.append((clean[:, 0], made[:, 0], told_of(self.names, amounts).ravel()))
        return Repairs(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)))

    def _pair(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, index, 17))
        found = damaged(self._music(rng), self.seed, index, self._noise(rng))
        told = told_of(self.names, found.amounts)
        told[:, 0] += rng.uniform(-ERROR, ERROR, len(told)) * (told[:, 0] > 0)
        known = (rng.random(len(told)) >= UNTOLD) & (rng.random() >= TOLD_NOTHING)
        known |= [name in ADDING for name in self.names]  # what is missing is always told [generators/repair.py]
        told = told * known[:, None]
        return found.clean[:, 0], found.damaged[:, 0], told.ravel().astype(np.float32)

    def _music(self, rng: np.random.Generator) -> np.ndarray:
        """(samples, 1)"""
        sound = np.zeros((self.samples, 1), np.float32)
        for _ in range(TRIES):
            i = int(rng.choice(self.music, p=self.odds))
            start = int(rng.integers(max(self.data.samples(i) - self.samples, 0) + 1))
            both = self.data.audio(i, start, start + self.samples)
            side = int(rng.integers(both.shape[1] + 1))
            sound = both[:, side : side + 1] if side < both.shape[1] else both.mean(1, keepdims=True)
            if float(np.square(sound).mean()) > AUDIBLE**2:
                break
        return sound

    def _noise(self, rng: np.random.Generator) -> Field | None:
        return partial(self._field, rng) if self.noise else None

    def _field(self, rng: np.random.Generator, samples: int) -> np.ndarray:
        """(samples,) of a noise recording, over and over if it is short."""
        i = int(rng.choice(self.noise))
        length = self.data.samples(i)
        start = int(rng.integers(max(length - samples, 0) + 1))
        sound = self.data.audio(i, start, start + min(samples, length)).mean(1)
        return np.resize(sound, samples)
