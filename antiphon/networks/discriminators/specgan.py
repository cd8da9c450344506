"""SpecGAN's critic (Donahue 2019, table 6): the generator reversed, with leaky ReLUs, without phase shuffle."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.generators.specgan import KERNEL, SpecGANConfig
from antiphon.networks.image_gan import ImageCritic, Judgement, Projection, glorot


class SpecGANDiscriminator(ImageCritic):
    def __init__(self, config: SpecGANConfig):
        super().__init__()
        channels, high, wide = config.seed_shape
        self.layers = nn.ModuleList(nn.Conv2d(a, b, KERNEL, 2, padding=2) for a, b in pairwise(config.widths[::-1]))
        self.dropout = nn.Dropout(config.dropout)
        self.head = Projection(channels * high * wide, config.conditions.size)
        self.apply(glorot)

    def forward(self, x: Tensor, condition: Tensor) -> Judgement:
        features = []
        for layer in self.layers:
            x = self.dropout(F.leaky_relu(layer(x), 0.2))
            features.append(x)
        return Judgement(self.head(x.flatten(1), condition), None, features)


DISCRIMINATORS = {"specgan": SpecGANDiscriminator}
