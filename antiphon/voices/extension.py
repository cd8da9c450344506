"""Missing treble, put there by a rule: the envelope goes on above the band limit as it falls below it, and the
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

NEAR, FAR = (0.7, 0.93), (0.5, 0.7)  # bands below the limit, as shares of it, from which the envelope goes on
GENTLE, STEEP = -0.7, -4.0  # nepers an octave between which it may fall
SOFTER = 0.5  # nepers by which it is softer than that, lest it be noticed
ADDS = 4  # which of the heads


class Extension:
    """Takes a network's place in voices/repair_stream.py. cut: the band limit in Hz."""

    def __init__(self, cut: float):
        hz = torch.arange(BINS) * SAMPLE_RATE / WINDOW
        self._near, self._far = ((hz > low * cut) & (hz < high * cut) for low, high in (NEAR, FAR))
        middles = [math.log2(sum(band) / 2 * cut) for band in (NEAR, FAR)]
        self._octave = middles[0] - middles[1]
        self._above = torch.log2(hz.clamp_min(1)) - middles[0]

    def begin(self, batch: int) -> list[Tensor]:
        """What was said about frames that nobody has asked about yet."""
        return [torch.zeros(batch, REACH_AHEAD, HEADS * BINS)]

    def adds(self, told: Tensor) -> Tensor:
        return torch.ones(len(told))

    def __call__(self, features: Tensor, told: Tensor, past: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """As networks/generators/repair.py's forward."""
        level = (features[..., :BINS] - 1) * (2 * math.log(10))  # nepers
        near, far = level[..., self._near].mean(-1), level[..., self._far].mean(-1)
        slope = ((near - far) / self._octave).clamp(STEEP, GENTLE)
        wanted = near.unsqueeze(-1) + slope.unsqueeze(-1) * self._above - SOFTER
        over = (wanted - math.log(FLOOR) - LEAST_ADDED).clamp(1e-3, 20)
        said = torch.zeros(*features.shape[:2], HEADS, BINS)
        said[:, :, ADDS] = torch.log(torch.expm1(over)) / ADDED  # the head's softplus, undone
        said[:, :, ADDS - 1] = -10.0  # no noise
        line = torch.cat([past[0], said.flatten(2)], 1)
        return line[:, : said.shape[1]], [line[:, said.shape[1] :]]
