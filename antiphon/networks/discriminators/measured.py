"""A critic of bars by what can be measured of them [data/bar_measures.py]: how real each is, among those before it.

It cannot learn phrases by heart, as one that sees notes does within a few dozen steps, and it takes a hundredth of the
time. What it cannot measure it cannot judge."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.data.bar_measures import NAMES

FARTHEST = 4.0  # standard deviations: what is farther out counts as this


class MeasuredCritic(nn.Module):
    """(batch, bars, NAMES) measures, (batch,) styles -> (batch, bars) logits. mean, spread: of real bars. moves: how
    often it has been taught."""

    mean: Tensor
    spread: Tensor
    moves: Tensor

    def __init__(self, width: int, styles: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(NAMES)))
        self.register_buffer("spread", torch.ones(len(NAMES)))
        self.register_buffer("moves", torch.zeros((), dtype=torch.long))
        self.first, self.second = nn.Linear(len(NAMES), width), nn.Linear(width, width)
        self.verdict, self.style = nn.Linear(width, 1), nn.Embedding(styles, width)
        nn.init.zeros_(self.style.weight)

    def know(self, real: Tensor) -> None:
        """Take the scale of (bars, NAMES) measures of real bars."""
        self.mean.copy_(real.mean(0))
        self.spread.copy_(real.std(0).clamp_min(1e-2))

    def forward(self, measures: Tensor, style: Tensor) -> Tensor:
        x = ((measures - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)
        x = F.leaky_relu(self.first(x) + self.style(style)[:, None], 0.2)
        logits: Tensor = self.verdict(F.leaky_relu(self.second(x), 0.2)).squeeze(-1)
        return logits
