"""Optimisers for the two sides of a game, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import choose
from antiphon.networks.optimisers import Adam, AdamW, RMSprop


class OptimisticAdam(Adam):
    """Adam that responds to the move it expects the other side to make next (Daskalakis 2018, algorithm 1).

        x_t = x_{t-1} - 2 u_t + u_{t-1},    u_t: the step that Adam would take, u_0 = 0

    Where two plain players circle around an equilibrium, two optimistic ones spiral into it.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.clone() for p in moved]
        loss = super().step(closure)
        for p, old in zip(moved, before, strict=True):
            update = old - p
            p.sub_(update - self.state[p].get("last_update", 0.0))
            self.state[p]["last_update"] = update
        return loss


@dataclass(frozen=True)
class OptimiserConfig:
    """How both sides learn. Two different rates are the two time scales of Heusel 2017, where D has the higher one.

    rate, critic_rate: of the generator and of D. beta1, beta2: decay of the means of the gradient and of its square
    (RMSprop has only the second). weight_decay: AdamW's, decoupled; the others add it to the gradient.
    """

    name: str = "adam"
    rate: float = 2e-4
    critic_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_decay: float = 0.0

    def generator(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        return self._make(parameters, self.rate)

    def critic(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        return self._make(parameters, self.critic_rate)

    def _make(self, parameters: Iterable[nn.Parameter], rate: float) -> Optimizer:
        if not (rate > 0 and 0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise AntiphonError(
                f"rate={rate:g}, beta1={self.beta1:g}, beta2={self.beta2:g} cannot work: use a rate above 0, and betas "
                "of at least 0 and below 1"
            )
        made: Optimizer = choose(OPTIMISERS, "optimiser", self.name)(parameters, rate, self)
        return made


@dataclass(frozen=True)
class ReconstructionOptimiser(OptimiserConfig):
    """The same for a generator that also imitates recordings: the critics, for which it changes more slowly, have a
    shorter memory, `critic_beta1`, and `weight_decay` applies to the generator only."""

    name: str = "adamw"
    rate: float = 3e-4
    critic_rate: float = 6e-4
    beta1: float = 0.8
    beta2: float = 0.99
    weight_decay: float = 1e-4
    critic_beta1: float = 0.5

    def critic(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        return self._plain(self.critic_beta1)._make(parameters, self.critic_rate)

    def player_of_styles(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """For either side of the game in the space of styles [training/games/style.py]: without momentum (Huang
        2025)."""
        return self._plain(0.0)._make(parameters, self.rate)

    def _plain(self, beta1: float) -> OptimiserConfig:
        return replace(self, beta1=beta1, weight_decay=0.0)


def _adam(kind: type[Adam] | type[AdamW]) -> Callable[[Any, float, OptimiserConfig], Optimizer]:
    return lambda p, rate, c: kind(p, lr=rate, betas=(c.beta1, c.beta2), weight_decay=c.weight_decay)


OPTIMISERS: dict[str, Callable[[Any, float, OptimiserConfig], Optimizer]] = {
    "adam": _adam(Adam),  # Kingma & Ba 2015
    "adamw": _adam(AdamW),  # Loshchilov & Hutter 2019
    "optimistic-adam": _adam(OptimisticAdam),
    "rmsprop": lambda p, rate, c: RMSprop(p, lr=rate, alpha=c.beta2, weight_decay=c.weight_decay),  # Hinton 2012
}
