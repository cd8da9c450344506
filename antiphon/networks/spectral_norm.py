"""Spectral normalisation of any critic (Miyato 2018): no layer may stretch a vector."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized, register_parametrization, remove_parametrizations

from antiphon.networks.equalised import EqualConv2d, EqualLinear

M = TypeVar("M", bound=nn.Module)
NORMED = (nn.Linear, nn.Embedding, nn.modules.conv._ConvNd)


def spectrally_normed(critic: M) -> M:
    """The same critic, changed in place: each weight divided by its largest singular value, tracked by power iteration.

    It replaces a weight norm, and applies to label embeddings too; equalised layers are left alone, since they have
    their own scale."""
    for layer in list(critic.modules()):
        if isinstance(layer, NORMED) and not isinstance(layer, EqualConv2d | EqualLinear):
            if is_parametrized(layer, "weight"):
                remove_parametrizations(layer, "weight")
            if layer.weight.is_meta:
                turned = isinstance(layer, nn.modules.conv._ConvTransposeNd)
                register_parametrization(layer, "weight", _Outline(layer.weight.shape, int(turned)), unsafe=True)
            else:
                spectral_norm(layer)
    return critic


class _Outline(nn.Module):
    """The shapes of spectral norm's two vectors, of a weight whose outputs lie along `axis`, for a network that is
    nothing but shapes: a power iteration on those takes seconds."""

    def __init__(self, shape: torch.Size, axis: int):
        super().__init__()
        self.register_buffer("_u", torch.empty(shape[axis], device="meta"))
        self.register_buffer("_v", torch.empty(shape.numel() // shape[axis], device="meta"))

    def forward(self, weight: Tensor) -> Tensor:
        return weight
