"""The textbook's critic: strided convolutions (64, 128), LeakyReLU(0.2), dropout 0.5, one dense layer.

It takes the generator's image, while textbooks leave it shaped for rows of features. Its sigmoid is in the losses,
which take logits.
"""

from __future__ import annotations

from torch import nn

from antiphon.networks.generators.dcgan import DCGANConfig
from antiphon.networks.image_gan import Projection, StridedCritic


class DCGANDiscriminator(StridedCritic):
    def __init__(self, config: DCGANConfig):
        super().__init__()
        _, high, wide = config.shape
        first, second = config.wide(64), config.wide(128)
        self.layers = nn.ModuleList([nn.Conv2d(1, first, 3, 2, padding=1), nn.Conv2d(first, second, 3, 2, padding=1)])
        self.dropout = nn.Dropout(config.dropout)
        self.head = Projection(second * (high // 4) * (wide // 4), config.conditions.size)


DISCRIMINATORS = {"dcgan": DCGANDiscriminator}
