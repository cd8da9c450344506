"""Layers of the progressive GANs (Karras 2018): equalised learning rate and pixel norm.

Weights are drawn from N(0, 1) and scaled at run time by He's constant, so that a step of Adam changes all layers by the
same proportion, however wide they are.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


class EqualConv2d(nn.Conv2d):
    """Square convolution that keeps the size. gain: sqrt(2) before a ReLU, 1 without."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = math.sqrt(2)):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.scale = gain / math.sqrt(inputs * kernel**2)
        _standard(self)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight * self.scale, self.bias)


class EqualLinear(nn.Linear):
    def __init__(self, inputs: int, outputs: int, gain: float = math.sqrt(2)):
        super().__init__(inputs, outputs)
        self.scale = gain / math.sqrt(inputs)
        _standard(self)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


def _standard(layer: nn.Conv2d | nn.Linear) -> None:
    nn.init.normal_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def pixel_norm(x: Tensor) -> Tensor:
    """Every pixel's channels divided by their root mean square (Karras 2018, section 4.2)."""
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
