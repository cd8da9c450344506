"""The textbook's audio GAN: a small DCGAN (Radford 2016) that generates a log-mel image.

    z (100) -> dense 256 -> dense 512 -> (8, 8, 8) -> 3x3 convolutions 128, 256, 1, each twice as large -> tanh: 64 x 64

512 numbers are 8 channels of 8 x 8; textbooks reshape them into 8 x 8 x 256, which would take 16,384. See
docs/textbook-gan.md for this and the other repairs. Each convolution follows a doubling by repetition, which leaves no
checkerboards (Odena 2016) as a strided transposed one does. Labels, which the textbook does not have, join the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.networks.image_gan import Conditions, ImageGenerator


@dataclass(frozen=True)
class DCGANConfig:
    """bands, frames: of the image, both multiples of 8. width: of the layers, 1 for the textbook's."""

    bands: int = 64
    frames: int = 64
    noise: int = 100
    width: float = 1.0
    dropout: float = 0.5
    conditions: Conditions = field(default_factory=Conditions)

    limits: ClassVar = {
        "bands": (8, 4096),
        "frames": (8, 65_536),
        "noise": (1, 4096),
        "width": (0.01, 32.0),
        "dropout": (0.0, 0.99),
    }

    @property
    def shape(self) -> tuple[int, int, int]:
        return (1, self.bands, self.frames)

    def wide(self, units: int) -> int:
        return max(round(units * self.width), 1)

    @property
    def seed_shape(self) -> tuple[int, int, int]:
        """The shape into which the second dense layer's 512 numbers are put: (channels, bands/8, frames/8)."""
        high, wide = self.bands // 8, self.frames // 8
        if self.bands % 8 or self.frames % 8 or not high * wide:
            raise AntiphonError(
                f"an image of {self.bands} x {self.frames} cannot be made by doubling three times: use multiples of 8"
            )
        return (max(self.wide(512) // (high * wide), 1), high, wide)


SIZES = {
    "tiny": DCGANConfig(bands=16, frames=16, width=0.125),
    "small": DCGANConfig(width=0.5),
    "base": DCGANConfig(),
    "large": DCGANConfig(width=2.0),
}


class DCGANGenerator(ImageGenerator):
    def __init__(self, config: DCGANConfig):
        super().__init__()
        self.noise, self.shape, self.seed_shape = config.noise, config.shape, config.seed_shape
        channels, high, wide = self.seed_shape
        first, second = config.wide(128), config.wide(256)
        self.dense = nn.Sequential(
            nn.Linear(config.noise + config.conditions.size, config.wide(256)),
            nn.ReLU(),
            nn.Linear(config.wide(256), channels * high * wide),
            nn.ReLU(),
        )
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in ((channels, first), (first, second), (second, 1))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (first, second))
        for name, weight in self.convolutions.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(weight, std=0.02)  # Radford 2016, section 4

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        x = self.dense(torch.cat([z, condition], 1)).view(-1, *self.seed_shape)
        for layer, norm in zip(self.convolutions, self.norms, strict=False):
            x = F.relu(norm(layer(_doubled(x))))
        return torch.tanh(self.convolutions[-1](_doubled(x)))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


GENERATORS = {"dcgan": (DCGANConfig, DCGANGenerator)}
