"""WaveGAN's critic (Donahue 2019, table 4) and its phase shuffle (section 3.3).

Transposed convolutions leave a pattern of fixed phase, by which a critic could recognise them without listening.
Shifting every layer's activations by a few random steps prevents that.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.generators.wavegan import KERNEL, STRIDE, WaveGANConfig
from antiphon.networks.image_gan import ImageCritic, Judgement, Projection, glorot


class PhaseShuffle(nn.Module):
    """Shifts each sound's activations by its own -reach .. reach steps, mirrored at the ends; all its channels alike.

    Only in training. (The original shifts a whole batch alike.) (batch, channels, steps) -> the same shape
    """

    def __init__(self, reach: int):
        super().__init__()
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.reach):
            return x
        last = x.shape[-1] - 1
        by = torch.randint(-self.reach, self.reach + 1, (len(x), 1, 1), device=x.device)
        at = (torch.arange(last + 1, device=x.device) - by).abs()  # mirrored at the beginning,
        return x.gather(-1, (last - (last - at).abs()).expand_as(x))  # and at the end


class WaveGANDiscriminator(ImageCritic):
    def __init__(self, config: WaveGANConfig):
        super().__init__()
        widths = config.widths[::-1]
        self.layers = nn.ModuleList(nn.Conv1d(a, b, KERNEL, STRIDE, padding=11) for a, b in pairwise(widths))
        self.shuffle = PhaseShuffle(config.shuffle)
        self.dropout = nn.Dropout(config.dropout)
        self.head = Projection(config.first * widths[-1], config.conditions.size)
        self.apply(glorot)

    def forward(self, x: Tensor, condition: Tensor) -> Judgement:
        features: list[Tensor] = []
        for layer in self.layers:
            x = F.leaky_relu(layer(self.shuffle(x) if features else x), 0.2)
            x = self.dropout(x)
            features.append(x)
        return Judgement(self.head(x.flatten(1), condition), None, features)


DISCRIMINATORS = {"wavegan": WaveGANDiscriminator}
