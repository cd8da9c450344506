"""Another representation's image, each bin normalised over the sounds it was fitted to (Donahue 2019, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.representations.contract import Exactness, Representation

SPREAD = 3.0  # standard deviations mapped to 1; what is beyond is clipped


class Standardised(Representation):
    """Every bin of every channel with mean 0 and standard deviation 1/3 over the training sounds, clipped to [-1, 1].

    Raises AntiphonError for a view without bins. Fit before use; `mean` and `deviation` are saved with the model.
    """

    units = "a third of a standard deviation of the bin, clipped"
    promise = Exactness(-inf, 10.0)
    mean: Tensor
    deviation: Tensor

    def __init__(self, view: Representation, samples: int):
        super().__init__()
        shape = view.shape(samples)
        if len(shape) != 3:
            raise AntiphonError("a waveform has no bins to standardise: set view.standardised=false")
        channels, bins, _ = shape
        self.view = view
        self.register_buffer("mean", torch.zeros(channels, bins, 1))
        self.register_buffer("deviation", torch.ones(channels, bins, 1))

    @torch.no_grad()
    def fit(self, sounds: Iterable[Tensor]) -> Standardised:
        """Measure mean and deviation over batches of audio (batch, samples). Raises AntiphonError without batches."""
        count, total, squares = 0, torch.zeros_like(self.mean).double(), torch.zeros_like(self.mean).double()
        for audio in sounds:
            image = self.view.encode(audio).double()
            count += image.shape[0] * image.shape[-1]
            total += image.sum((0, -1)).unsqueeze(-1)
            squares += image.square().sum((0, -1)).unsqueeze(-1)
        if not count:
            raise AntiphonError("there are no sounds to measure: give at least one batch")
        mean = total / count
        self.mean.copy_(mean)
        self.deviation.copy_((squares / count - mean.square()).clamp_min(1e-8).sqrt())
        return self

    def shape(self, samples: int) -> tuple[int, ...]:
        return self.view.shape(samples)

    def encode(self, audio: Tensor) -> Tensor:
        return ((self.view.encode(audio) - self.mean) / (SPREAD * self.deviation)).clamp(-1, 1)

    def decode(self, image: Tensor, samples: int) -> Tensor:
        return self.view.decode(image.float() * (SPREAD * self.deviation) + self.mean, samples)
