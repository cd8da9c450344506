"""What the loop knows of a method: at every step a recipe names the moment, a source draws a batch, a game plays it.
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
    """Where in a run a step is. rate: what learning rates are multiplied by; ramp: the adversary's share of its weight,
    0..1; count: excerpts a process draws; rehearsal: a step without critics, for games that have such. r1, augment:
    what a run's health asks for beyond the recipe [training/health/interventions.py], a weight of R1 and the
    probability of altered sounds before the critics."""

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
    """Where batches come from: excerpt number i is the same one always, whoever asks for it."""

    def batch(self, first: int, count: int) -> Batch: ...


class Game(nn.Module, ABC):
    """Both sides and their optimisers. Whatever a step depends on is in `state_dict()` and the optimisers, which a run
    saves; chance comes from the step's `rng` (on the CPU) and from torch's own, which the loop seeds for every step.

    model: what is averaged, saved and played. critics: what judges it. optimisers: by player; a step scales their
    `rates` by the moment's.
    """

    clip: ClassVar[float] = 5.0  # norm of a player's gradient, at most
    model: Any
    critics: nn.Module

    def set_optimizers(self, optimisers: dict[str, Optimizer]) -> None:
        """The players' optimisers, each at its full learning rate."""
        self.optimisers = optimisers
        self.rates = {name: o.param_groups[0]["lr"] for name, o in optimisers.items()}

    @abstractmethod
    def step(self, batch: Any, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update of every player. -> scalars by name, of which one that is not finite means a skipped update"""

    def begin_from(self, voice: Voice, critic_weights: Mapping[str, Tensor]) -> list[str]:
        """Take over a voice's weights, and its critics' where there are any. -> names of those that do not fit"""
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
        """Clip and step, unless the gradient is not finite: then skip. -> the gradient's norm."""
        optimiser = self.optimisers[name]
        parameters = optimiser.param_groups[0]["params"]
        average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.clip)
        if torch.isfinite(norm):
            optimiser.step()
        return norm

    @abstractmethod
    def preview(self, voice: Voice, data: Any, folder: Path, step: int) -> Path:
        """Write what `voice`, the averaged model, makes of the data so far, for a person to look at and to hear:
        folder/sheets/step-NUMBER.* and folder/sounds/step-NUMBER.*. -> the file to point at"""


class Judged(NamedTuple):
    """Items of a batch as D sees them, (batch, ...), and its verdicts: (batch,) mean logits."""

    view: Tensor
    verdicts: Tensor


class Examined(ABC):
    """What a game lets be looked at, whose health a run is to know. Nothing here may change a weight or an average."""

    rule: Rule  # by which D's logits are read

    @abstractmethod
    def judge_real(self, batch: Any) -> Judged:
        """The batch's own items."""

    @abstractmethod
    def judge_generated(self, batch: Any, rng: torch.Generator) -> Judged:
        """Items made of noise, under the conditions of the batch."""

    @abstractmethod
    def embed(self, view: Tensor) -> Tensor:
        """What D sees -> (batch, features): by distances between these, variety, likeness and copies are measured."""

    def measured(self, batch: Any, view: Tensor) -> dict[str, float]:
        """What else can be told of what was generated, `view` as D sees it, beside the batch it was generated for: by
        names of fields of a Finding [training/health/diagnostics.py]."""
        return {}


@torch.no_grad()
def take_over(module: nn.Module, theirs: Mapping[str, Tensor]) -> list[str]:
    """Copy the weights that have the same name and shape. -> names of those that had none"""
    left = []
    for name, mine in module.state_dict().items():
        if name in theirs and theirs[name].shape == mine.shape:
            mine.copy_(theirs[name])
        else:
            left.append(name)
    return left


def rise_and_fall(step: int, total: int, cool_down: float, peak: float = 1.0) -> float:
    """A learning rate's usual course: up over the first 100 steps, down to a fiftieth over the last share of the run.
    total: 0 while it is not known."""
    up = min((step + 1) / 100, 1.0) * peak
    if not total:
        return up
    left = (total - step) / max(total * cool_down, 1)
    return up * min(max(left, 0.02), 1.0)
