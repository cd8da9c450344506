"""The grain of a place: how its fine spectrum differs from what bands can say, as a few numbers.

Hums, chirps and the strings of a street's tune are lines narrower than a band. A network does not find hundreds of them
through a style vector, even those it is trained on (after 1,500 steps its fine spectra correlate by 0.17 with other
stretches of the same recordings, which correlate by 0.46 with each other). But the places of a run differ along few
axes, which a principal component analysis (Hotelling 1933) finds at once: 32 of them reach 0.45, and 0.31 for
recordings never heard. So these numbers are measured and are a part of w; how likely they are is learned.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.texture import FINE_POINTS

NEAR = 9  # points over whose mean a point stands out


class Grain(nn.Module):
    """Fine spectra (batch, FINE_POINTS) in nepers [networks/texture.py] as numbers (batch, axes), and back."""

    mean: Tensor
    axes: Tensor
    spread: Tensor

    def __init__(self, axes: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(FINE_POINTS))
        self.register_buffer("axes", torch.zeros(axes, FINE_POINTS))
        self.register_buffer("spread", torch.ones(axes))

    def learn(self, fine: Tensor) -> None:
        """Take over the axes along which places, (n, FINE_POINTS), differ most; with few places they are fewer."""
        outstanding = self._outstanding(fine)
        self.mean.copy_(outstanding.mean(0))
        _, sizes, axes = torch.linalg.svd(outstanding - self.mean, full_matrices=False)
        there = sizes[: len(self.axes)] > 1e-3 * sizes[0].clamp_min(1e-6)
        count = int(there.sum())
        self.axes.zero_()[:count] = axes[:count]
        self.spread.fill_(1.0)[:count] = sizes[:count] / max(len(fine) - 1, 1) ** 0.5

    def heard(self, fine: Tensor) -> Tensor:
        """Numbers of about unit variance from place to place."""
        return ((self._outstanding(fine) - self.mean) @ self.axes.T / self.spread).clamp(-5, 5)

    def drawn(self, numbers: Tensor) -> Tensor:
        return self.mean + (numbers * self.spread) @ self.axes

    @staticmethod
    def _outstanding(fine: Tensor) -> Tensor:
        side = NEAR // 2
        around = F.pad(fine.unsqueeze(1), (side, side), mode="replicate")
        return fine - F.avg_pool1d(around, NEAR, 1).squeeze(1)
