"""Spectral normalisation of any critic (Miyato 2018): no layer may stretch a vector."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

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
            spectral_norm(layer)
    return critic
