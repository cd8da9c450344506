"""Missing treble, put there by a rule: from the level just below the band limit it falls as music does, and the
harmonics are those of the rectified sound [networks/generators/repair.py, U].

It has the form of the network, so that it runs in the same stream, and nothing in it is trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.repair import (
    ADDED,
    BINS,
    FLOOR,
    HEADS,
    LEAST_ADDED,
    REACH_AHEAD,
    WINDOW,
)

NEAR = (0.7, 0.93)  # the band below the limit, as shares of it, from whose level it goes on
FALL = -1.5  # nepers an octave: what falls more steeply below the limit does not above it, nor the reverse
SOFTER = 0.5  # nepers by which it is softer than that, lest it be noticed
ADDS = 4  # which of the heads


class Extension:
    """Takes a network's place in voices/repair_stream.py. cut: the band limit in Hz."""

    def __init__(self, cut: float):
        hz = torch.arange(BINS) * SAMPLE_RATE / WINDOW
        self._near = (hz > NEAR[0] * cut) & (hz < NEAR[1] * cut)
        self._below = FALL * torch.log2(hz.clamp_min(1) / (sum(NEAR) / 2 * cut)) - SOFTER

    def begin(self, batch: int) -> list[Tensor]:
        """What was said about frames that nobody has asked about yet."""
        return [torch.zeros(batch, REACH_AHEAD, HEADS * BINS)]

    def adds(self, told: Tensor) -> Tensor:
        return torch.ones(len(told))

    def __call__(self, features: Tensor, told: Tensor, past: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """As networks/generators/repair.py's forward."""
        level = (features[..., :BINS] - 1) * (2 * math.log(10))  # nepers
        near = (2 * (level[..., self._near].mean(-1, keepdim=True) - math.log(FLOOR))).exp()
        wanted = (near - 1).clamp_min(0).sqrt() * self._below.exp()  # features end at the floor
        over = torch.log(wanted + math.exp(LEAST_ADDED)) - LEAST_ADDED
        said = torch.zeros(*features.shape[:2], HEADS, BINS)
        said[:, :, ADDS] = torch.log(torch.expm1(over.clamp(1e-4, 20))) / ADDED  # the head's softplus, undone
        said[:, :, ADDS - 1] = -10.0  # no noise
        line = torch.cat([past[0], said.flatten(2)], 1)
        return line[:, : said.shape[1]], [line[:, said.shape[1] :]]
