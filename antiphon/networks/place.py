"""Places as style vectors: heard in a recording, imagined from noise, told of, and drawn as sound."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.encoders.note import on_sphere
from antiphon.networks.generators.scene import SceneConfig, SceneGenerator
from antiphon.networks.grain import Grain
from antiphon.networks.layers import MLP, bump_features
from antiphon.networks.mapping import Mapping
from antiphon.networks.model import LabelTable
from antiphon.networks.texture import DESCRIPTORS, FINE_POINTS, STATISTICS

SLOWEST, FASTEST, RATES = 0.5, 110.0, 108  # Hz of a pulse, and how many rates are told apart: 5 % each
BUMPS = 36
REGULAR = 0.25  # strength of a pulse below which there is none


class PlaceEncoder(nn.Module):
    """A recording's statistics (networks/texture.py) and its pulse -> w (batch, style) on the sphere; its last
    `axes` numbers are the grain [networks/grain.py], as it was measured."""

    mean: Tensor
    scale: Tensor

    def __init__(self, style: int, axes: int, width: int):
        super().__init__()
        count = sum(n for _, n in STATISTICS) - FINE_POINTS
        self.grain = Grain(axes)
        self.net = MLP(axes + count + BUMPS + 1, width, width, style - axes)
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))

    def standardise(self, found: Tensor) -> None:
        """Take over means, spreads and the grain's axes of statistics, (places, stretches, all of STATISTICS)."""
        fine, rest = self._parted(found)
        self.grain.learn(fine.mean(1))
        self.mean.copy_(rest.flatten(0, 1).mean(0))
        self.scale.copy_(rest.flatten(0, 1).std(0).clamp_min(0.05))

    @staticmethod
    def _parted(found: Tensor) -> tuple[Tensor, Tensor]:
        fine, rest = found.split([FINE_POINTS, found.shape[-1] - FINE_POINTS], -1)  # the first of STATISTICS
        return fine, rest

    def forward(self, found: Tensor, rate: Tensor, strength: Tensor) -> Tensor:
        """found: (batch, all of STATISTICS); rate: (batch,) Hz; strength: (batch,) 0..1, 0 for no pulse"""
        place = torch.log(rate.clamp(SLOWEST, FASTEST) / SLOWEST) / math.log(FASTEST / SLOWEST)
        pulse = bump_features(place, BUMPS, 0.0, 1.0) * strength.unsqueeze(-1)
        fine, rest = self._parted(found)
        x = ((rest - self.mean) / self.scale).clamp(-5, 5)
        grain = self.grain.heard(fine)
        x = self.net(torch.cat([grain, x, 3 * pulse, 3 * strength.unsqueeze(-1)], -1))
        return on_sphere(torch.cat([on_sphere(x), grain], -1))


class Teller(nn.Module):
    """What w says of its place in numbers: w (batch, style) -> logits of the pulse's rate (batch, RATES), its strength
    (batch,) as a logit, and the descriptors (batch, 4)."""

    def __init__(self, style: int, width: int = 192):
        super().__init__()
        self.net = MLP(style, width, RATES + 1 + len(DESCRIPTORS))

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rate, strength, told = self.net(w.float()).split([RATES, 1, len(DESCRIPTORS)], -1)
        return rate, strength.squeeze(-1), told

    def pulse(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """(batch,) Hz and (batch,) strength, 0 where there is none."""
        logits, strength, _ = self(w)
        chance = F.softmax(logits, -1)
        near = (torch.arange(RATES, device=w.device) - chance.argmax(-1, keepdim=True)).abs() <= 2
        weight = chance * near
        at = (weight * torch.arange(RATES, device=w.device)).sum(-1) / weight.sum(-1)
        regular = torch.sigmoid(strength)
        rate = SLOWEST * (FASTEST / SLOWEST) ** (at / (RATES - 1))
        return rate, torch.where(regular > REGULAR, regular, torch.zeros_like(regular))

    def loss(self, w: Tensor, rate: Tensor, strength: Tensor, told: Tensor) -> Tensor:
        """How far it is from what was measured; rates count where there is a pulse."""
        logits, regular, guess = self(w)
        place = (RATES - 1) * torch.log(rate.clamp(SLOWEST, FASTEST) / SLOWEST) / math.log(FASTEST / SLOWEST)
        hat = (1 - (torch.arange(RATES, device=w.device) - place.unsqueeze(-1)).abs()).clamp_min(0)
        wrong = -(hat * F.log_softmax(logits, -1)).sum(-1)
        there = (strength > REGULAR).float()
        rates = (wrong * there).sum() / there.sum().clamp_min(1)
        return 0.3 * rates + F.binary_cross_entropy_with_logits(regular, strength) + 5 * F.l1_loss(guess, told)


class SceneModel(nn.Module):
    """encoder: recording -> w. mapping: noise and label -> w. teller: w -> numbers. generator: w, chance -> sound."""

    def __init__(self, config: SceneConfig, labels: LabelTable):
        super().__init__()
        self.config, self.labels = config, labels
        self.generator = SceneGenerator(config)
        self.encoder = PlaceEncoder(config.style, config.axes, max(32, config.width * 3 // 2))
        self.mapping = Mapping(config.style, len(labels.instruments), len(labels.styles))
        self.teller = Teller(config.style)

    def standardise(self, found: Tensor) -> None:
        """Take over what was measured of all places, (places, stretches, all of STATISTICS)."""
        self.encoder.standardise(found)
        self.generator.grain.load_state_dict(self.encoder.grain.state_dict())
