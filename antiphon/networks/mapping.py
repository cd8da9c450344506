"""From noise and labels to a style vector: the mapping network of Karras 2019, conditional."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from antiphon.networks.encoders.note import on_sphere
from antiphon.networks.layers import MLP

NOISE = 32


class Mapping(nn.Module):
    """z (batch, 32) normal, instrument (batch,) index, style (batch, words) multi-hot -> w (batch, style) on the
    sphere."""

    def __init__(self, style: int, instruments: int, words: int, width: int = 192):
        super().__init__()
        self.label = nn.Embedding(instruments, 48)
        self.net = MLP(NOISE + 48 + words, width, width, width, style)

    def forward(self, z: Tensor, instrument: Tensor, words: Tensor) -> Tensor:
        return on_sphere(self.net(torch.cat([z, self.label(instrument), words], -1)))


class StyleCritic(nn.Module):
    """Tells the encoder's w from the mapping's, given the labels: (batch, style) -> (batch,) logits."""

    def __init__(self, style: int, instruments: int, words: int, width: int = 256):
        super().__init__()
        self.label = nn.Embedding(instruments, 48)
        self.net = MLP(style + 48 + words, width, width, 1)

    def forward(self, w: Tensor, instrument: Tensor, words: Tensor) -> Tensor:
        return self.net(torch.cat([w, self.label(instrument), words], -1)).squeeze(-1)
