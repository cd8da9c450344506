"""The kind of voice that the recipe `drums` makes: networks/generators/one_shot.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from antiphon.data.modes import SLOTS
from antiphon.kinds.contract import Kind, check_sizes, read_labels, read_numbers
from antiphon.kit_voice import KitVoice
from antiphon.model import KitModel
from antiphon.networks.generators.one_shot import OneShotConfig

LIMITS = {  # what a voice may ask for: lowest and highest of each width
    "style": (4, 1024),
    "width": (8, 4096),
    "hidden": (8, 8192),
    "blocks": (1, 64),
    "condition": (8, 4096),
    "noise_bands": (8, 512),
    "strike_bands": (8, 128),
}


def write(model: KitModel) -> dict[str, Any]:
    return {"config": asdict(model.config)}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> KitModel:
    c, labels = read_numbers(OneShotConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    claims = {
        "generator.enter.weight": (c.width, None),
        f"generator.trunk.{c.blocks - 1}.up.weight": (2 * c.hidden, c.width),
        f"generator.trunk.{c.blocks - 1}.film.weight": (3 * c.width, c.condition),
        "generator.heads.bias": (SLOTS + c.noise_bands + c.strike_bands,),
        "generator.conditioner.0.weight": (c.condition, c.style + 2),
        "mapping.label.weight": (len(labels.instruments), None),
    }
    check_sizes(claims, tensors)
    return KitModel(c, labels)


KINDS = {"drums": Kind(KitModel, KitVoice, write, read)}
