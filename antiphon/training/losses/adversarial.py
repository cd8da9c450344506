"""The rules of the game: what the discriminator (D) and the generator (G) each minimise, given logits.

Every rule is a pair of functions of logits of real and generated sounds. A file of this package with a dictionary
`RULES` adds rules that a recipe can name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.core.registry import choose, registry


class Rule(NamedTuple):
    """discriminator, generator: (real, fake) logits -> loss.

    belief: a logit -> how real D takes its sound to be, 0..1. pairs: whether D learns only which of two is the real
    one; a belief is then about the difference from the generated sound's logit. in_doubt: whether D ought to be in
    doubt; if it may win every time and still teaches, being sure is no sign of trouble and R1 does not hold it back
    [training/health/interventions.py]."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    belief: Callable[[Tensor], Tensor] = torch.sigmoid
    pairs: bool = False
    in_doubt: bool = True


def _lsgan_d(real: Tensor, fake: Tensor) -> Tensor:
    return ((real - 1).square() + fake.square()).mean() / 2


def _lsgan_g(real: Tensor, fake: Tensor) -> Tensor:
    return (fake - 1).square().mean() / 2


def _lsgan_belief(logit: Tensor) -> Tensor:
    return logit.clamp(0, 1)


def _hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    return (F.relu(1 - real) + F.relu(1 + fake)).mean()


def _hinge_g(real: Tensor, fake: Tensor) -> Tensor:
    return -fake.mean()


def _hinge_belief(logit: Tensor) -> Tensor:
    return ((logit + 1) / 2).clamp(0, 1)


def _non_saturating_d(real: Tensor, fake: Tensor) -> Tensor:
    return (F.softplus(-real) + F.softplus(fake)).mean()


def _non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-fake).mean()


def _minimax_g(real: Tensor, fake: Tensor) -> Tensor:
    return -F.softplus(fake).mean()  # log(1 - sigmoid(fake)): flat where D is sure of itself


def _wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    return (fake - real).mean()


def _wasserstein_g(real: Tensor, fake: Tensor) -> Tensor:
    return -fake.mean()


def _wasserstein_belief(difference: Tensor) -> Tensor:
    return (difference.sign() + 1) / 2  # its scale means nothing


def _relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(fake - real).mean()


def _relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(real - fake).mean()


RULES: dict[str, Rule] = {
    "minimax": Rule(_non_saturating_d, _minimax_g),  # Goodfellow 2014, eq. 1
    "lsgan": Rule(_lsgan_d, _lsgan_g, _lsgan_belief),  # Mao 2017, eq. 9 with a=0, b=c=1
    "hinge": Rule(_hinge_d, _hinge_g, _hinge_belief),  # Lim & Ye 2017
    "non-saturating": Rule(_non_saturating_d, _non_saturating_g),  # Goodfellow 2014, section 3
    # Arjovsky 2017; wants `lipschitz_penalty`, or D has no bound
    "wasserstein": Rule(_wasserstein_d, _wasserstein_g, _wasserstein_belief, pairs=True, in_doubt=False),
    # Jolicoeur-Martineau 2018; paired, as in R3GAN (2025), eq. 2
    "relativistic": Rule(_relativistic_d, _relativistic_g, pairs=True),
}


def rules() -> dict[str, Rule]:
    """Every rule by its name."""
    return registry("antiphon.training.losses", "RULES")


def rule_called(name: str) -> Rule:
    """The rule with this name. Raises AntiphonError for an unknown one."""
    found: Rule = choose(rules(), "rule", name)
    return found


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


def finite_difference_penalty(
    score: Callable[[Tensor], Tensor], x: Tensor, rng: torch.Generator, step: float = 0.01
) -> Tensor:
    """`gradient_penalty` without a second backward pass: R1 or R2 from one more forward pass, of x moved a little.

    For normal e, E[((score(x + step e) - score(x)) / step)^2] is the squared norm of the gradient as step -> 0: the
    penalty of APT (Lin 2025) and of stable-audio-tools' ARC (Novack 2025), here in R1's units. Both passes use the same
    random numbers, or dropout would count as slope. `rng`: on the CPU.
    """
    x = x.detach()
    moved = x + step * torch.randn(x.shape, generator=rng).to(x)
    with torch.random.fork_rng([x.device] if x.device.type == "cuda" else []):
        here = score(x)
    return ((score(moved) - here).float() / step).reshape(len(x), -1).sum(1).square().mean()


def lipschitz_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """WGAN-GP: mean of (|d score / dx| - 1)^2 at random points between pairs of real and generated samples (Gulrajani
    2017, eq. 3); its usual weight is 10. `rng`: on the CPU."""
    share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=rng).to(real)
    x = torch.lerp(real.detach(), fake.detach(), share).requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
    norm = (gradient.square().flatten(1).sum(1) + 1e-12).sqrt()  # the root has no gradient at 0
    return (norm - 1).square().mean()


def lazily(step: int, every: int) -> float:
    """The factor of a penalty that is computed only in one of `every` steps: `every` then, otherwise 0 (Karras 2020,
    appendix B)."""
    return float(every) if step % every == 0 else 0.0
