"""GANSynth's generator (Engel 2019, appendix; Karras 2018): level and instantaneous frequency, in two dimensions.

    z (256), labels -> pixel norm -> 16 x 2 -> (twice as large, two 3x3 convolutions) six times -> 1,024 x 128 x 2

Changed: no progressive growing. All resolutions learn from the first step, and every stage adds its own image to that
of the stage before, enlarged (the skip generator with which Karras 2020 replaced growing). The first stage has one more
layer.
65,536 samples at 44.1 kHz are 1.49 s (the original: 4 s at 16 kHz). Instrument and style may join the pitch. The width
is a choice (the paper's is `large`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.networks.equalised import EqualConv2d, EqualLinear, pixel_norm
from antiphon.networks.image_gan import Conditions, ImageGenerator

WIDEST = 8  # times the last stage's channels: 256 of 32 in the paper


@dataclass(frozen=True)
class GANSynthConfig:
    """bins, frames: of the image, multiples of 2^stages. channels: of the finest stage, the paper's 32. dropout: in the
    critic."""

    bins: int = 1024
    frames: int = 128
    noise: int = 256
    channels: int = 16
    stages: int = 6
    dropout: float = 0.0
    conditions: Conditions = field(default_factory=Conditions)

    limits: ClassVar = {
        "bins": (8, 4096),
        "frames": (8, 65_536),
        "noise": (1, 4096),
        "channels": (1, 1024),
        "stages": (1, 10),
        "dropout": (0.0, 0.99),
    }

    @property
    def shape(self) -> tuple[int, int, int]:
        return (2, self.bins, self.frames)

    @property
    def seed_shape(self) -> tuple[int, int, int]:
        """The shape of the coarsest stage: (channels, bins / 2^stages, frames / 2^stages), 16 x 2 in the paper."""
        shrink = 2**self.stages
        if self.bins % shrink or self.frames % shrink or not self.bins * self.frames:
            raise AntiphonError(f"an image of {self.bins} x {self.frames} cannot work: use multiples of {shrink}")
        return (self.widths[0], self.bins // shrink, self.frames // shrink)

    @property
    def widths(self) -> list[int]:
        """Channels of each stage, the coarsest first: 256, 256, 256, 256, 128, 64, 32 in the paper."""
        return [self.channels * min(WIDEST, 2 ** (self.stages - i)) for i in range(self.stages + 1)]


SIZES = {
    "tiny": GANSynthConfig(bins=32, frames=8, noise=16, channels=2, stages=2),
    "small": GANSynthConfig(channels=8),
    "base": GANSynthConfig(),
    "large": GANSynthConfig(channels=32),
}


class _Layer(EqualConv2d):
    def forward(self, x: Tensor) -> Tensor:
        return pixel_norm(F.leaky_relu(super().forward(x), 0.2))


class GANSynthGenerator(ImageGenerator):
    def __init__(self, config: GANSynthConfig):
        super().__init__()
        self.noise, self.shape, self.seed_shape = config.noise, config.shape, config.seed_shape
        widths = config.widths
        self.dense = EqualLinear(config.noise + config.conditions.size, math.prod(self.seed_shape))
        self.stages = nn.ModuleList(
            nn.Sequential(_Layer(before, width, 3), _Layer(width, width, 3))
            for before, width in zip([widths[0], *widths[:-1]], widths, strict=True)
        )
        self.images = nn.ModuleList(EqualConv2d(width, 2, 1, gain=1.0) for width in widths)

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        x = pixel_norm(torch.cat([z, condition], 1))
        x = pixel_norm(F.leaky_relu(self.dense(x), 0.2).view(-1, *self.seed_shape))
        image: Tensor | None = None
        for stage, draw in zip(self.stages, self.images, strict=True):
            if image is not None:
                image, x = (F.interpolate(i, scale_factor=2.0, mode="nearest") for i in (image, x))
            x = stage(x)
            image = draw(x) if image is None else image + draw(x)
        assert image is not None
        return torch.tanh(image)


GENERATORS = {"gansynth": (GANSynthConfig, GANSynthGenerator)}
