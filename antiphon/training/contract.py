"""What the loop knows of a method: at every step a recipe gives the context, a source draws a batch, a game plays it.
Now and then the game shows how it is doing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from antiphon.training.losses.adversarial import Rule
from antiphon.training.parallel import average_gradients

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice


@dataclass(frozen=True)
class StepContext:
    """Where in a run a step is. rate: factor of the learning rates; ramp: the adversary's share of its weight, 0..1;
    count: excerpts that each process draws; rehearsal: a step without critics, for games that have one. r1, augment:
    what a run's health asks for beyond the recipe [training/health/interventions.py], a weight of R1 and the
    probability that sounds are altered before the critics see them."""

    step: int
    rate: float
    count: int
    ramp: float = 1.0
    rehearsal: bool = False
    r1: float = 0.0
    augment: float = 0.0


class Batch(Protocol):
    """Tensors that travel together."""

    def to(self, device: torch.device) -> Any: ...


class Source(Protocol):
    """Where batches come from: excerpt number i is always the same one, whoever asks for it."""

    def batch(self, first: int, count: int) -> Batch: ...


class Game(nn.Module, ABC):
    """Both sides and their optimisers. Whatever a step depends on is in `state_dict()` and the optimisers, which a run
    saves; random numbers come from the step's `rng` (on the CPU) and from torch's own generator, which the loop seeds
    for every step.

    model: what is averaged, saved and played. critics: what judges it. optimisers: by player; a step scales their
    `rates` by the context's.
    """

    clip: ClassVar[float] = 5.0  # largest norm of a player's gradient
    model: Any
    critics: nn.Module

    def set_optimizers(self, optimisers: dict[str, Optimizer]) -> None:
        """The players' optimisers, each at its full learning rate."""
        self.optimisers = optimisers
        self.rates = {name: o.param_groups[0]["lr"] for name, o in optimisers.items()}

    @abstractmethod
    def step(self, batch: Any, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update of every player. -> scalars by name; one that is not finite means a skipped update"""

    def begin_from(self, voice: Voice, critic_weights: Mapping[str, Tensor]) -> list[str]:
        """Take over a voice's weights, and its critics' if there are any. -> names of those that do not fit"""
        left = take_over(self.model, voice.model.state_dict())
        return left + (take_over(self.critics, critic_weights) if critic_weights else [])

    def set_rates(self, rate: float) -> None:
        for name, optimiser in self.optimisers.items():
            optimiser.param_groups[0]["lr"] = self.rates[name] * rate

    def update(self, name: str, loss: Tensor) -> Tensor:
        """Move one player down its loss. -> the gradient's norm"""
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        return self.advance(name)

    def advance(self, name: str) -> Tensor:
        """Clip the gradient and step; skip the step if the gradient is not finite. -> the gradient's norm."""
        optimiser = self.optimisers[name]
        parameters = optimiser.param_groups[0]["params"]
        average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.clip)
        if torch.isfinite(norm):
            optimiser.step()
        return norm

    @abstractmethod
    def preview(self, voice: Voice, data: Any, folder: Path, step: int) -> Path:
        """Write what `voice`, the averaged model, makes of the data so far, for a person to see and hear:
        folder/sheets/step-NUMBER.* and folder/sounds/step-NUMBER.*. -> the file to point at"""


class Judged(NamedTuple):
    """Items of a batch as D sees them, (batch, ...), and its verdicts: (batch,) mean logits of each."""

    view: Tensor
    verdicts: Tensor


class Examined(ABC):
    """What a game shows of itself, so that a run can check its health. Nothing here may change a weight or an
    average."""

    rule: Rule  # by which D's logits are interpreted

    @abstractmethod
    def judge_real(self, batch: Any) -> Judged:
        """The batch's own items."""

    @abstractmethod
    def judge_generated(self, batch: Any, rng: torch.Generator) -> Judged:
        """Items generated from noise, under the conditions of the batch."""

    @abstractmethod
    def embed(self, view: Tensor) -> Tensor:
        """What D sees -> (batch, features), whose distances measure variety, similarity and copies."""

    def course(self, view: Tensor) -> Tensor:
        """What D sees -> (batch, features), whose distances tell a copy from what is merely alike."""
        return self.embed(view)

    def measured(self, batch: Any, view: Tensor) -> dict[str, float]:
        """What else can be measured of generated items, `view` as D sees them, beside the batch they were generated
        for: by names of fields of a Finding [training/health/diagnostics.py]; and `variety`, which counts as its
        `spread` where it is less."""
        return {}


@torch.no_grad()
def take_over(module: nn.Module, theirs: Mapping[str, Tensor]) -> list[str]:
    """Copy the weights that have the same name and shape. -> names of those that have no counterpart"""
    left = []
    for name, mine in module.state_dict().items():
        if name in theirs and theirs[name].shape == mine.shape:
            mine.copy_(theirs[name])
        else:
            left.append(name)
    return left


def rise_and_fall(step: int, total: int, cool_down: float, peak: float = 1.0) -> float:
    """The usual learning rate schedule: up over the first 100 steps, down to a fiftieth over the last `cool_down` of
    the run. total: 0 while it is not known."""
    up = min((step + 1) / 100, 1.0) * peak
    if not total:
        return up
    left = (total - step) / max(total * cool_down, 1)
    return up * min(max(left, 0.02), 1.0)
