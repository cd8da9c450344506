"""Spectral normalisation of any critic (Miyato 2018): no layer may stretch a vector."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from antiphon.networks.equalised import EqualConv2d, EqualLinear

M = TypeVar("M", bound=nn.Module)


def spectrally_normed(critic: M) -> M:
    """The same critic, changed in place: each weight divided by its largest singular value, tracked by power iteration.

    Equalised layers are left alone: they have a scale of their own."""
    for layer in critic.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd) and not isinstance(layer, EqualConv2d | EqualLinear):
            spectral_norm(layer)
    return critic
