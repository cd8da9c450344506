"""The default critic of generators without their own: DCGAN's strided convolutions (Radford 2016) over an image
(channels, bins, frames) or a waveform (1, samples)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.networks.image_gan import ImageCritic, Judgement, Projection

WIDTHS = (32, 64, 128, 256)
KERNELS: dict[int, tuple[type[nn.Module], int, int]] = {  # dimensions of the image -> layer, kernel, stride
    1: (nn.Conv1d, 25, 4),
    2: (nn.Conv2d, 5, 2),
}


class UsualDiscriminator(ImageCritic):
    """config: a generator's, of which `shape` and `conditions` are used."""

    def __init__(self, config: Any):
        super().__init__()
        channels, *sides = config.shape
        if len(sides) not in KERNELS:
            raise AntiphonError(
                f"the default critic does not accept images of {config.shape}: define one for the generator"
            )
        layer, kernel, stride = KERNELS[len(sides)]
        self.layers = nn.ModuleList(
            layer(a, b, kernel, stride, padding=kernel // 2) for a, b in pairwise((channels, *WIDTHS))
        )
        left = [-(-side // stride ** len(WIDTHS)) for side in sides]
        self.head = Projection(WIDTHS[-1] * math.prod(left), config.conditions.size)

    def forward(self, x: Tensor, condition: Tensor) -> Judgement:
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return Judgement(self.head(x.flatten(1), condition), None, features)
