"""The kind of voice that the recipe `vocoder` makes: networks/generators/vocoder.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from antiphon.kinds.contract import Kind, check_sizes, read_labels, read_numbers
from antiphon.networks.generators.vocoder import Vocoder, VocoderConfig
from antiphon.vocoder_voice import VocoderVoice

LIMITS = {"width": (8, 4096), "hidden": (8, 8192), "blocks": (1, 64)}


def write(model: Vocoder) -> dict[str, Any]:
    return {"config": asdict(model.config)}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Vocoder:
    c, labels = read_numbers(VocoderConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    last = f"trunk.{c.blocks - 1}"
    check_sizes({"head.weight": (None, c.width), f"{last}.up.weight": (c.hidden, c.width)}, tensors)
    return Vocoder(c, labels)


KINDS = {"vocoder": Kind(Vocoder, VocoderVoice, write, read)}
