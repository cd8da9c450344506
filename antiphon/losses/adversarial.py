"""The rules of the game: what the discriminator (D) and the generator (G) each minimise, given logits.

Every rule is a pair of functions of logits of real and generated sounds; `RULES` names them for the recipes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Rule(NamedTuple):
    discriminator: Callable[[Tensor, Tensor], Tensor]  # (real, fake) logits -> loss
    generator: Callable[[Tensor, Tensor], Tensor]


def _lsgan_d(real: Tensor, fake: Tensor) -> Tensor:
    return ((real - 1).square() + fake.square()).mean() / 2


def _lsgan_g(real: Tensor, fake: Tensor) -> Tensor:
    return (fake - 1).square().mean() / 2


def _hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    return (F.relu(1 - real) + F.relu(1 + fake)).mean()


def _hinge_g(real: Tensor, fake: Tensor) -> Tensor:
    return -fake.mean()


def _non_saturating_d(real: Tensor, fake: Tensor) -> Tensor:
    return (F.softplus(-real) + F.softplus(fake)).mean()


def _non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-fake).mean()


def _relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(fake - real).mean()


def _relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(real - fake).mean()


RULES: dict[str, Rule] = {
    "lsgan": Rule(_lsgan_d, _lsgan_g),  # Mao 2017, eq. 9 with a=0, b=c=1
    "hinge": Rule(_hinge_d, _hinge_g),  # Lim & Ye 2017
    "non-saturating": Rule(_non_saturating_d, _non_saturating_g),  # Goodfellow 2014, section 3
    # Jolicoeur-Martineau 2018; paired, as in R3GAN (2025), eq. 2
    "relativistic": Rule(_relativistic_d, _relativistic_g),
}


def feature_matching(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Mean absolute difference of D's features of a real sound and of its imitation, each layer relative to its own
    scale (Larsen 2016; MelGAN, eq. 3). Gradients go to the imitation only."""
    terms = [
        (f.float() - r.detach().float()).abs().mean() / r.detach().float().abs().mean().clamp_min(1e-3)
        for rs, fs in zip(real, fake, strict=True)
        for r, f in zip(rs, fs, strict=True)
    ]
    return torch.stack(terms).mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Mean squared norm of d score / dx at x: R1 at real, R2 at generated samples (Mescheder 2018, eq. 9)."""
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
