"""The kind of voice that the recipes of the literature make: noise and labels -> an image of a sound -> the sound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from antiphon.image_model import ImageConfig, ImageModel, ViewConfig, generators
from antiphon.image_voice import ImageVoice
from antiphon.kinds.contract import Kind, read_labels, read_numbers
from antiphon.model import LabelTable
from antiphon.networks.image_gan import Conditions, limits_of
from antiphon.parts import part

SAMPLES = 256, 1 << 20  # of a sound
TOLD: dict[str, tuple[float, float]] = {
    "keys": (0, 128),
    "lowest": (0, 127),
    "instruments": (0, 10_000),
    "styles": (0, 10_000),
    "descriptors": (0, 100),
}
VIEW = {"window": (0, 8192), "hop": (0, 8192), "bands": (0, 4096)}
LARGEST = 1 << 24  # numbers in an image


def write(model: ImageModel) -> dict[str, Any]:
    return {"config": asdict(model.config) | {"generator": model.config.generator}}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ImageModel:
    labels, raw = read_labels(meta["labels"]), dict(meta["config"])
    if raw.keys() != {"generator", "network", "view", "samples"}:
        raise ValueError("its configuration has other fields")
    make, network = _network(raw["generator"], dict(raw["network"]), labels)
    config = ImageConfig(network, _view(dict(raw["view"])), raw["samples"])
    low, high = SAMPLES
    if type(config.samples) is not int or not low <= config.samples <= high or math.prod(network.shape) > LARGEST:
        raise ValueError("its sounds have no possible length")
    with torch.device("meta"):  # shapes without memory
        claims = make(network).state_dict()
    found = {k.removeprefix("generator."): v.shape for k, v in tensors.items() if k.startswith("generator.")}
    if found != {k: v.shape for k, v in claims.items()}:
        raise ValueError("its weights do not match its configuration")
    return ImageModel(config, labels)


def _network(name: Any, raw: dict[str, Any], labels: LabelTable) -> tuple[Any, Any]:
    """The generator's class and its configuration."""
    config, make = part(generators(), "generator", str(name))
    conditions = read_numbers(Conditions, raw.pop("conditions"), TOLD)
    told = (conditions.styles, conditions.descriptors)
    if conditions.instruments not in (0, len(labels.instruments)) or told != (len(labels.styles), len(labels.scales)):
        raise ValueError("its label table does not match its configuration")
    if not conditions.instruments and len(labels.instruments) != 1:
        raise ValueError("its label table has names that its network was not told")
    return make, read_numbers(config, raw, limits_of(config), conditions=conditions)


def _view(raw: dict[str, Any]) -> ViewConfig:
    name, standardised = raw.pop("name"), raw.pop("standardised")
    if not isinstance(name, str) or type(standardised) is not bool:
        raise ValueError("its representation is not one")
    return read_numbers(ViewConfig, raw, VIEW, name=name, standardised=standardised)


KINDS = {"image": Kind(ImageModel, ImageVoice, write, read)}
