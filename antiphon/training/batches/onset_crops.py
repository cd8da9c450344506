"""Sounds from their onsets on, with their labels: what the GANs of the literature learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.data.prepared import Prepared
from antiphon.training.batches.batch import Tensors
from antiphon.training.batches.excerpts import CropSource


@dataclass(frozen=True)
class Sounds(Tensors):
    """A batch. audio: (batch, samples) from the onset, zeros after the end; pitch: (batch,) MIDI; velocity: (batch,)
    1..127; instrument: (batch,) index; style: (batch, words) multi-hot; descriptors: (batch, numbers) as measured,
    those that the source was made with."""

    audio: Tensor
    pitch: Tensor
    velocity: Tensor
    instrument: Tensor
    style: Tensor
    descriptors: Tensor

    def __getitem__(self, some: slice) -> Sounds:
        return self._each(lambda x: x[some])


class OnsetCropSource(CropSource):
    """Draws sounds of `samples` samples; see CropSource. descriptors: names of those included in a batch."""

    def __init__(self, data: Prepared, samples: int, seed: int, *, descriptors: Sequence[str] = (), **how: Any):
        super().__init__(data, samples, seed, **how)
        self.columns = [data.labels.descriptors.index(name) for name in descriptors]

    def batch(self, first: int, count: int) -> Sounds:
        """Sounds first .. first + count - 1."""
        d, crops = self.data, [self._crop(first + i) for i in range(count)]
        note = torch.tensor([c.note for c in crops])
        return Sounds(
            audio=torch.from_numpy(np.stack([self._audio(c) for c in crops])),
            pitch=d.pitch[note] + torch.tensor([c.semitones for c in crops]),
            velocity=d.velocity[note],
            instrument=d.instrument[note],
            style=d.style[note].float(),
            descriptors=d.descriptors[note][:, self.columns],
        )
