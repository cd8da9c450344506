"""SpecGAN's generator (Donahue 2019, table 5): DCGAN on a log-magnitude spectrogram, each bin standardised.

    z (100) -> dense -> 16 d channels -> transposed convolutions of 5 x 5, stride 2, five times -> tanh

Changed: labels join the noise; 44.1 kHz instead of 16, so the image is 256 bins x 128 frames of windows of 512 samples,
hop 128, for 16,384 samples (the original: 128 x 128, 256, 128, whose hop of half a window cannot be inverted well);
inversion starts from heap integration instead of noise; the width is a choice (the paper's is `large`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.networks.image_gan import Conditions, ImageGenerator, glorot

LAYERS = 5
KERNEL = 5


@dataclass(frozen=True)
class SpecGANConfig:
    """bins, frames: of the image, multiples of 32. channels: of the last hidden layer, the paper's d = 64. dropout: in
    the critic."""

    bins: int = 256
    frames: int = 128
    noise: int = 100
    channels: int = 32
    dropout: float = 0.0
    conditions: Conditions = field(default_factory=Conditions)

    limits: ClassVar = {
        "bins": (8, 4096),
        "frames": (8, 65_536),
        "noise": (1, 4096),
        "channels": (1, 1024),
        "dropout": (0.0, 0.99),
    }

    @property
    def shape(self) -> tuple[int, int, int]:
        return (1, self.bins, self.frames)

    @property
    def seed_shape(self) -> tuple[int, int, int]:
        """The shape of the dense layer's output: (channels, bins/32, frames/32)."""
        shrink = 2**LAYERS
        if self.bins % shrink or self.frames % shrink or not self.bins * self.frames:
            raise AntiphonError(f"an image of {self.bins} x {self.frames} cannot work: use multiples of {shrink}")
        return (self.widths[0], self.bins // shrink, self.frames // shrink)

    @property
    def widths(self) -> list[int]:
        """Channels from the dense layer to the image: 16 d, 8 d, 4 d, 2 d, d, 1."""
        return [self.channels * 2 ** (LAYERS - 1 - i) for i in range(LAYERS)] + [1]


SIZES = {
    "tiny": SpecGANConfig(bins=32, frames=32, channels=2),
    "small": SpecGANConfig(channels=16),
    "base": SpecGANConfig(),
    "large": SpecGANConfig(channels=64),
}


class SpecGANGenerator(ImageGenerator):
    def __init__(self, config: SpecGANConfig):
        super().__init__()
        self.noise, self.shape, self.seed_shape = config.noise, config.shape, config.seed_shape
        channels, high, wide = self.seed_shape
        self.dense = nn.Linear(config.noise + config.conditions.size, channels * high * wide)
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(a, b, KERNEL, 2, padding=2, output_padding=1) for a, b in pairwise(config.widths)
        )
        self.apply(glorot)

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """(count, noise), uniform in [-1, 1] as in the paper."""
        return 2 * torch.rand(count, self.noise, generator=rng) - 1

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        x = self.dense(torch.cat([z, condition], 1)).view(-1, *self.seed_shape)
        for layer in self.layers:
            x = layer(F.relu(x))
        return torch.tanh(x)


GENERATORS = {"specgan": (SpecGANConfig, SpecGANGenerator)}
