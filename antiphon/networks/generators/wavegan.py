"""WaveGAN's generator (Donahue 2019, table 3): DCGAN flattened to one dimension, straight to the waveform.

    z (100) -> dense -> 16 steps -> transposed convolutions of 25, stride 4, five times: 16,384 samples; six: 65,536

Changed: labels join the noise; 44.1 kHz, where the original has 16 kHz, so the lengths are 0.37 s and 1.49 s; the width
is a choice (the paper's is `large`).
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

FIRST = (16, 32)  # steps that the dense layer may output; 16 in the paper
KERNEL, STRIDE = 25, 4


@dataclass(frozen=True)
class WaveGANConfig:
    """samples: 16 or 32 times a power of 4; 16,384 or 65,536 in the paper. channels: of the last hidden layer, the
    paper's d = 64. shuffle: how far, in steps, phase shuffle moves each layer of the critic. dropout: in the critic."""

    samples: int = 16_384
    noise: int = 100
    channels: int = 32
    shuffle: int = 2
    dropout: float = 0.0
    conditions: Conditions = field(default_factory=Conditions)

    limits: ClassVar = {
        "samples": (256, 1 << 20),
        "noise": (1, 4096),
        "channels": (1, 1024),
        "shuffle": (0, 64),
        "dropout": (0.0, 0.99),
    }

    @property
    def shape(self) -> tuple[int, int]:
        return (1, self.samples)

    @property
    def layers(self) -> int:
        """How many times the dense layer's output is made four times as long."""
        layers = 0
        while FIRST[-1] * STRIDE**layers < self.samples:
            layers += 1
        if self.samples / STRIDE**layers not in FIRST or layers < 2:
            raise AntiphonError(f"samples={self.samples} cannot work: use 16384, 32768 or 65536 (or 256, 1024, 4096)")
        return layers

    @property
    def first(self) -> int:
        """Steps of the dense layer's output."""
        return self.samples // STRIDE**self.layers

    @property
    def widths(self) -> list[int]:
        """Channels from the dense layer to the waveform: 16 d, 8 d, 4 d, 2 d, d, 1 for 16,384 samples."""
        return [self.channels * 2 ** (self.layers - 1 - i) for i in range(self.layers)] + [1]


SIZES = {
    "tiny": WaveGANConfig(samples=4096, channels=2),
    "small": WaveGANConfig(channels=16),
    "base": WaveGANConfig(),
    "large": WaveGANConfig(channels=64),
}


class WaveGANGenerator(ImageGenerator):
    def __init__(self, config: WaveGANConfig):
        super().__init__()
        self.noise, self.shape = config.noise, config.shape
        self.seed_shape = (config.widths[0], config.first)
        self.dense = nn.Linear(config.noise + config.conditions.size, config.widths[0] * config.first)
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(a, b, KERNEL, STRIDE, padding=11, output_padding=1) for a, b in pairwise(config.widths)
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


GENERATORS = {"wavegan": (WaveGANConfig, WaveGANGenerator)}
