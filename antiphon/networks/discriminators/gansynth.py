"""GANSynth's critic: which sounds are real, and which key they play (Engel 2019, section 3; AC-GAN, Odena 2017).

It is not conditioned on the pitch but classifies it: a cross-entropy on `Judgement.keys`, weight 10, for real and
generated sounds. It is conditioned on other labels, by projection. Changed: residual blocks (Karras 2020) instead of
progressive growing.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.equalised import EqualConv2d, EqualLinear
from antiphon.networks.generators.gansynth import GANSynthConfig
from antiphon.networks.image_gan import ImageCritic, Judgement, Projection


class _Halving(nn.Module):
    """Residual block: halves the image's size, `outputs` channels."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.layers = nn.ModuleList([EqualConv2d(inputs, inputs, 3), EqualConv2d(inputs, outputs, 3)])
        self.straight = EqualConv2d(inputs, outputs, 1, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
        return (F.avg_pool2d(h, 2) + self.straight(F.avg_pool2d(x, 2))) / math.sqrt(2)


class GANSynthDiscriminator(ImageCritic):
    def __init__(self, config: GANSynthConfig):
        super().__init__()
        widths = config.widths[::-1]
        _, high, wide = config.seed_shape
        self.enter = EqualConv2d(2, widths[0], 1)
        self.blocks = nn.ModuleList(_Halving(a, b) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(config.dropout)
        self.last = EqualConv2d(widths[-1] + 1, widths[-1], 3)
        self.dense = EqualLinear(widths[-1] * high * wide, widths[-1])
        self.asked = config.conditions.keys
        self.head = Projection(widths[-1], config.conditions.size - self.asked)
        self.keys = EqualLinear(widths[-1], self.asked, gain=1.0) if self.asked else None

    def forward(self, x: Tensor, condition: Tensor) -> Judgement:
        x = F.leaky_relu(self.enter(x), 0.2)
        features = []
        for block in self.blocks:
            x = self.dropout(block(x))
            features.append(x)
        x = F.leaky_relu(self.last(torch.cat([x, _spread(x)], 1)), 0.2)
        x = F.leaky_relu(self.dense(x.flatten(1)), 0.2)
        keys = None if self.keys is None else self.keys(x).float()
        return Judgement(self.head(x, condition[:, self.asked :]), keys, features)


def _spread(x: Tensor) -> Tensor:
    """(batch, 1, bins, frames) how much the batch's sounds differ, one number everywhere, from which a critic notices
    if they are all alike (Karras 2018, section 3)."""
    deviation = (x.float().var(0, correction=0) + 1e-8).sqrt().mean()
    return deviation.to(x.dtype).expand(len(x), 1, *x.shape[2:])


DISCRIMINATORS = {"gansynth": GANSynthDiscriminator}
