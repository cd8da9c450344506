"""Random stretches of notes, made louder or softer: what a vocoder learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from antiphon.data.prepared import Prepared
from antiphon.training.batches.batch import Tensors
from antiphon.training.batches.excerpts import CropSource

LOUDEST = 0.98  # full scale is 1


@dataclass(frozen=True)
class RandomCrops(Tensors):
    """A batch: (batch, samples)."""

    audio: Tensor


class RandomCropSource(CropSource):
    """Draws stretches of `samples` samples that begin at most half their length before an onset and contain at least a
    quarter of it before the note's end. gain: dB by which each is made louder or softer, at most, without clipping."""

    def __init__(self, data: Prepared, samples: int, seed: int, gain: float):
        super().__init__(data, samples, seed)
        self.gain = gain

    def _start(self, rng: np.random.Generator, note: int, speed: float) -> int:
        """May be negative: silence before the onset."""
        first, last = -self.samples // 2, self.data.samples(note) - self.samples // 4
        return int(rng.integers(first, max(last, first + 1)))

    def batch(self, first: int, count: int) -> RandomCrops:
        """Stretches first .. first + count - 1."""
        return RandomCrops(torch.from_numpy(np.stack([self._stretch(first + i) for i in range(count)])))

    def _stretch(self, index: int) -> np.ndarray:
        crop = self._crop(index)
        before = max(-crop.start, 0)
        out = np.zeros(self.samples, np.float32)
        out[before:] = self.data.audio(crop.note, crop.start + before, crop.start + self.samples)
        wanted = 10 ** (self.gain / 20 * np.random.default_rng(crop.take).uniform(-1, 1))
        return out * np.float32(min(wanted, LOUDEST / max(float(np.abs(out).max()), 1e-9)))
