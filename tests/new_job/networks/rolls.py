"""Who draws piano rolls, and who judges them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from antiphon.data.rolls import KEYS, STEPS
from antiphon.networks.model import LabelTable


@dataclass(frozen=True)
class RollConfig:
    noise: int = 8
    hidden: int = 32


class RollModel(nn.Module):
    """The generator: noise (batch, noise) -> (batch, KEYS, STEPS), how likely each key sounds, 0..1."""

    def __init__(self, config: RollConfig, labels: LabelTable):
        super().__init__()
        self.config, self.labels = config, labels
        self.layers = nn.Sequential(
            nn.Linear(config.noise, config.hidden), nn.ReLU(), nn.Linear(config.hidden, KEYS * STEPS)
        )

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(z)).view(-1, KEYS, STEPS)


class RollCritic(nn.Sequential):
    """(batch, KEYS, STEPS) -> (batch,) logits."""

    def __init__(self, hidden: int):
        super().__init__(
            nn.Flatten(1), nn.Linear(KEYS * STEPS, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1), nn.Flatten(0)
        )
