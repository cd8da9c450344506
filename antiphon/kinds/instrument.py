"""The kind of voice that `antiphon train` makes unless told otherwise: networks/generators/instrument.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from antiphon.kinds.contract import Kind, check_sizes, read_labels, read_numbers
from antiphon.model import InstrumentModel
from antiphon.networks.generators.instrument import FREE_SLOTS, InstrumentConfig
from antiphon.voice import InstrumentVoice

LIMITS = {  # what a voice may ask for: lowest and highest of each width
    "style": (4, 1024),
    "width": (8, 4096),
    "hidden": (8, 8192),
    "blocks": (1, 64),
    "condition": (8, 4096),
    "bands": (8, 512),
    "free_harmonics": (1, 256),
    "noise_bands": (8, 512),
    "strike_bands": (8, 128),
}


def write(model: InstrumentModel) -> dict[str, Any]:
    return {"config": asdict(model.config)}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> InstrumentModel:
    c, labels = read_numbers(InstrumentConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    claims = {
        "generator.enter.weight": (c.width, None),
        f"generator.trunk.{c.blocks - 1}.up.weight": (2 * c.hidden, c.width),
        f"generator.trunk.{c.blocks - 1}.film.weight": (3 * c.width, c.condition),
        "generator.heads.bias": (c.bands + c.free_harmonics + c.noise_bands + c.strike_bands + FREE_SLOTS + 2,),
        "generator.conditioner.0.weight": (c.condition, c.style + 10),
        "mapping.label.weight": (len(labels.instruments), None),
    }
    check_sizes(claims, tensors)
    return InstrumentModel(c, labels)


KINDS = {"instrument": Kind(InstrumentModel, InstrumentVoice, write, read)}
