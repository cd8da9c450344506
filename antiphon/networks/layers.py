"""Building blocks shared by every network: bounded exponents, smooth features, modulated residual blocks."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def bounded(x: Tensor, low: float, high: float) -> Tensor:
    """Squash `x` into (low, high), with slope 1 in the middle: every exponent in Antiphon goes through here first."""
    half = (high - low) / 2
    return (low + half) + half * torch.tanh(x / half)


def bump_features(x: Tensor, count: int, low: float, high: float) -> Tensor:
    """(..., count) overlapping Gaussian bumps on a line: a smooth one-hot encoding of `x`."""
    centres = torch.linspace(low, high, count, device=x.device)
    width = (high - low) / (count - 1)
    return torch.exp(-0.5 * ((x.unsqueeze(-1) - centres) / width) ** 2)


def pitch_features(pitch: Tensor) -> Tensor:
    """(..., 8) slow waves of the MIDI pitch. Slow on purpose: a feature narrower than an octave would be untrained in
    an octave that the training notes leave out."""
    x = (pitch - 60.0) / 48.0
    waves = [x, x * x]
    for period in (2.0, 1.0, 0.5):
        waves += [torch.sin(2 * math.pi * x / period), torch.cos(2 * math.pi * x / period)]
    return torch.stack(waves, -1)


class MLP(nn.Sequential):
    """Linear layers with SiLU between them: widths[0] -> ... -> widths[-1]."""

    def __init__(self, *widths: int):
        layers: list[nn.Module] = []
        for a, b in pairwise(widths[:-1]):
            layers += [nn.Linear(a, b), nn.SiLU()]
        super().__init__(*layers, nn.Linear(widths[-2], widths[-1]))

    @property
    def last(self) -> nn.Linear:
        layer = self[-1]
        assert isinstance(layer, nn.Linear)
        return layer


class ModulatedBlock(nn.Module):
    """Residual gated MLP on frames, its normalised input scaled and shifted by the note's condition (FiLM, Perez 2018).

    It looks at one frame only, so it is causal, and a frame may be at any instant (see `networks.timegrid`).
    """

    def __init__(self, width: int, hidden: int, condition: int):
        super().__init__()
        self.film = nn.Linear(condition, 3 * width)
        self.up = nn.Linear(width, 2 * hidden)
        self.down = nn.Linear(hidden, width)
        nn.init.normal_(self.film.weight, std=0.05)
        nn.init.zeros_(self.film.bias)
        nn.init.normal_(self.down.weight, std=0.02)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x: (batch, frames, width); condition: (batch, condition) -> (batch, frames, width)."""
        return self.step(x, self.film(condition))

    def step(self, x: Tensor, film: Tensor) -> Tensor:
        """`forward` for callers that know what the condition makes of the block: film, (batch, 3 width)."""
        scale, shift, gate = film.unsqueeze(1).chunk(3, -1)
        h = F.rms_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift
        a, b = self.up(h).chunk(2, -1)
        return x + (1 + gate) * self.down(F.silu(a) * b)
