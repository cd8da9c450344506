"""The settings that every game has, whatever its players generate: the rule, the critics' penalties, and how both sides
learn.

    penalty = r1/2 R1 + r2/2 R2 + lipschitz GP + drift E[D(x)^2]          a mean over the critics of a game

R1, R2 and GP are slopes of a critic's mean logit at the image it sees of a sound [training/losses/adversarial.py].
They are computed in one of `every` moves and count for all of these (Karras 2020, appendix B)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import choose
from antiphon.networks.spectral_norm import spectrally_normed
from antiphon.training.games.optimisers import OPTIMISERS, OptimiserConfig
from antiphon.training.losses.adversarial import (
    finite_difference_penalty,
    gradient_penalty,
    lazily,
    lipschitz_penalty,
    rule_called,
)

LIMITS: Mapping[str, tuple[float, float]] = {  # of those of these settings that a recipe has
    **{f"game.{name}": (0, 1e6) for name in ("r1", "r2", "lipschitz", "drift")},
    "game.every": (1, 10_000),
    "game.dropout": (0, 0.95),
    **{f"game.optimiser.{name}": (1e-12, 1) for name in ("rate", "critic_rate")},
    **{f"game.optimiser.{name}": (0, 0.999999) for name in ("beta1", "beta2", "critic_beta1")},
    "game.optimiser.weight_decay": (0, 1),
}
C = TypeVar("C", bound=nn.Module)


class Seen(NamedTuple):
    """What one critic sees in a move. score: images -> (batch,) logits, in float32 if `finite`; real, generated: images
    of the sounds, (batch, ...) of one shape, in pairs."""

    score: Callable[[Tensor], Tensor]
    real: Tensor
    generated: Tensor


@dataclass(frozen=True, kw_only=True)
class AdversaryConfig:
    """Every weight may be 0, which leaves its term out."""

    rule: str = "non-saturating"  # one of losses.adversarial.rules()
    r1: float = 0.0
    r2: float = 0.0
    lipschitz: float = 0.0  # WGAN-GP's lambda, 10 in its paper
    drift: float = 0.0  # keeps a Wasserstein critic near 0: 0.001 in Karras 2018, appendix A.1
    every: int = 1  # penalties once in so many moves
    finite: bool = False  # R1 and R2 without a second backward pass
    spectral: bool = False  # spectral norm in the critics
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def check(self) -> None:
        """Raises AntiphonError, naming the setting, for what no limit can express."""
        rule = rule_called(self.rule)
        choose(OPTIMISERS, "optimiser", self.optimiser.name)
        if not rule.in_doubt and not self.lipschitz:
            raise AntiphonError(
                f"game.rule={self.rule} needs its penalty, or the critic has no bound: add game.lipschitz=10"
            )

    def normed(self, critics: C) -> C:
        """The critics, with spectral norm if `spectral`."""
        return spectrally_normed(critics) if self.spectral else critics

    def penalty(
        self, logits: Sequence[Tensor], seen: Callable[[], Sequence[Seen]], r1: float, move: int, rng: torch.Generator
    ) -> Tensor:
        """The penalty of one move of the critics, a scalar. logits: theirs of the real sounds, a tensor each. seen:
        called only if slopes are computed. r1: what the run's health adds to R1's weight. rng: on the CPU; it is used
        only if it is needed."""
        total, often, r1 = logits[0].new_zeros(()), lazily(move, self.every), self.r1 + r1
        if self.drift:
            total = total + self.drift * torch.stack([x.square().mean() for x in logits]).mean()
        return total + often * self._slopes(seen(), r1, rng) if often and (r1 or self.r2 or self.lipschitz) else total

    def _slopes(self, seen: Sequence[Seen], r1: float, rng: torch.Generator) -> Tensor:
        def slope(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
            return finite_difference_penalty(score, x, rng) if self.finite else gradient_penalty(score, x)

        terms = []
        if r1:
            terms.append(r1 / 2 * torch.stack([slope(s.score, s.real) for s in seen]).mean())
        if self.r2:
            terms.append(self.r2 / 2 * torch.stack([slope(s.score, s.generated) for s in seen]).mean())
        if self.lipschitz:
            between = [lipschitz_penalty(s.score, s.real, s.generated, rng) for s in seen]
            terms.append(self.lipschitz * torch.stack(between).mean())
        return torch.stack(terms).sum()
