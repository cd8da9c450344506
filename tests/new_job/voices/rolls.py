"""A voice that composes: how it is written, read and asked for bars. It makes no sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.networks.rolls import RollConfig, RollModel
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers
from antiphon.voices.voice import Voice

LIMITS = {"noise": (1, 1024), "hidden": (1, 4096)}


class RollVoice(Voice):
    kind = "rolls"
    model: RollModel

    def describe(self) -> str:
        return "bars of music, as piano rolls"

    @torch.inference_mode()
    def compose(self, seed: int = 0) -> np.ndarray:
        """(keys, steps) bool: a bar, the same for the same seed."""
        z = torch.randn(1, self.model.config.noise, generator=torch.Generator().manual_seed(seed))
        return (self.model(z)[0] > 0.5).numpy()


def write(model: RollModel) -> dict[str, Any]:
    return {"config": asdict(model.config)}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> RollModel:
    config = read_numbers(RollConfig, meta["config"], LIMITS)
    check_sizes({"layers.0.weight": (config.hidden, config.noise)}, tensors)
    return RollModel(config, read_labels(meta["labels"]))


KINDS = {"rolls": Kind(RollModel, RollVoice, write, read)}
