"""The game of composing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from antiphon.networks.composer import ComposerModel
from antiphon.training.batches.phrases import Phrases
from antiphon.training.contract import Game, StepContext
from antiphon.training.games.optimisers import OptimiserConfig
from antiphon.training.losses.decisions import surprises


@dataclass(frozen=True)
class ComposerOptimiser(OptimiserConfig):
    name: str = "adamw"
    rate: float = 1.5e-3
    critic_rate: float = 5e-4
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.01


@dataclass(frozen=True)
class ComposerGameConfig:
    optimiser: OptimiserConfig = field(default_factory=ComposerOptimiser)
    half: bool = True  # the transformer in bfloat16


class ComposerGame(Game):
    clip: ClassVar[float] = 1.0
    model: ComposerModel

    def __init__(self, model: ComposerModel, config: ComposerGameConfig):
        super().__init__()
        self.model, self.config = model, config
        self.critics = nn.Module()
        self.set_optimizers({"generator": config.optimiser.generator(model.parameters())})

    def step(self, batch: Phrases, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        self.set_rates(moment.rate)
        found = surprises(self.model, batch, self.config.half)
        total = torch.stack([nats.sum() for nats in found.values()]).sum() / max(len(batch.places), 1)
        norm = self.update("generator", total)
        log = {name: nats.mean() for name, nats in found.items()} | {"nats": total, "generator_norm": norm}
        return {name: value.detach() for name, value in log.items()}

    def preview(self, voice: Any, data: Any, folder: Path, step: int) -> Path:
        return folder
