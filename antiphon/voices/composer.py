from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from antiphon.networks.composer import ComposerConfig, ComposerModel
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers
from antiphon.voices.voice import Voice

LIMITS = {"width": (16, 2048), "layers": (1, 48), "heads": (1, 64)}


class ComposerVoice(Voice):
    kind = "composer"
    model: ComposerModel

    def describe(self) -> str:
        return "no sounds: it composes, as scores"


def write(model: ComposerModel) -> dict[str, Any]:
    return {"config": asdict(model.config)}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ComposerModel:
    config = read_numbers(ComposerConfig, meta["config"], LIMITS)
    if config.width % (2 * config.heads):
        raise ValueError("its width is not a multiple of twice its heads")
    claims = {
        "embed.weight": (None, config.width),
        f"layers.{config.layers - 1}.up.weight": (config.hidden, config.width),
    }
    check_sizes(claims, tensors)
    return ComposerModel(config, read_labels(meta["labels"]))


KINDS = {"composer": Kind(ComposerModel, ComposerVoice, write, read)}
