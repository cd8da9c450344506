"""SpecGAN's critic (Donahue 2019, table 6): the generator reversed, with leaky ReLUs, without phase shuffle."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from antiphon.networks.generators.specgan import KERNEL, SpecGANConfig
from antiphon.networks.image_gan import Projection, StridedCritic, glorot


class SpecGANDiscriminator(StridedCritic):
    def __init__(self, config: SpecGANConfig):
        super().__init__()
        channels, high, wide = config.seed_shape
        self.layers = nn.ModuleList(nn.Conv2d(a, b, KERNEL, 2, padding=2) for a, b in pairwise(config.widths[::-1]))
        self.dropout = nn.Dropout(config.dropout)
        self.head = Projection(channels * high * wide, config.conditions.size)
        self.apply(glorot)


DISCRIMINATORS = {"specgan": SpecGANDiscriminator}
