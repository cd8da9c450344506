"""Weights on disk: safetensors with everything else as JSON in the metadata. Reading one never runs code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from antiphon.errors import AntiphonError
from antiphon.model import InstrumentModel, LabelTable
from antiphon.networks.generators.instrument import InstrumentConfig
from antiphon.voice import Voice, VoiceInfo

KEY = "antiphon"
FORMAT = 1
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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: dict[str, Any]) -> None:
    """Write a safetensors file that appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, {KEY: json.dumps(meta)})
        with open(temporary, "rb") as f:
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except OSError as e:
        raise AntiphonError(f"cannot write {path}: {e.strerror or e}") from None
    finally:
        temporary.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON metadata of a file. Raises AntiphonError for anything but an Antiphon safetensors file."""
    try:
        with safe_open(path, framework="pt") as f:
            meta = json.loads((f.metadata() or {})[KEY])
            tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise AntiphonError(f"{path} does not exist") from None
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        raise AntiphonError(f"{path} is not an Antiphon weights file, or it is damaged") from None
    if not isinstance(meta, dict):
        raise AntiphonError(f"{path} is not an Antiphon weights file, or it is damaged")
    return tensors, meta


def save_voice(path: Path, model: InstrumentModel, info: VoiceInfo) -> None:
    """Half-precision weights with the configuration, the label tables and `info`."""
    tensors = {k: v.half() for k, v in model.state_dict().items()}
    meta = {"format": FORMAT, "kind": "instrument", "config": asdict(model.config), "labels": asdict(model.labels)}
    write_tensors(path, tensors, meta | {"info": asdict(info)})


def load_voice(path: Path) -> Voice:
    """Read a voice, every field checked. Raises AntiphonError, in one line, for anything that does not fit."""
    tensors, meta = read_tensors(path)
    try:
        if meta["format"] != FORMAT or meta["kind"] != "instrument":
            raise ValueError(f"it is format {meta['format']!r}, kind {meta['kind']!r}, and this version knows another")
        config = _config(meta["config"])
        labels = LabelTable(_names(meta["labels"]["instruments"]), _names(meta["labels"]["styles"], empty=True))
        info = _info(meta.get("info", {}))
        with torch.device("meta"):
            model = InstrumentModel(config, labels)
        expected = {k: v.shape for k, v in model.state_dict().items()}
        if expected.keys() != tensors.keys() or any(expected[k] != tensors[k].shape for k in expected):
            raise ValueError("its weights do not match its configuration")
        if not all(v.is_floating_point() and bool(torch.isfinite(v).all()) for v in tensors.values()):
            raise ValueError("its weights are not finite numbers")
        model = InstrumentModel(config, labels)
        model.load_state_dict({k: v.float() for k, v in tensors.items()})
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise AntiphonError(f"{path} is not a voice Antiphon can play: {e}") from None
    return Voice(model, info)


def _config(raw: dict[str, Any]) -> InstrumentConfig:
    known = {f.name for f in fields(InstrumentConfig)}
    if raw.keys() != known:
        raise ValueError(f"its configuration has other fields: {', '.join(sorted(raw.keys() ^ known))}")
    for name, value in raw.items():
        low, high = LIMITS[name]
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"its {name} is {value!r}, not an integer from {low} to {high}")
    return InstrumentConfig(**raw)


def _names(raw: Any, empty: bool = False) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(x, str) and 0 < len(x) <= 200 for x in raw):
        raise ValueError("its label table is not a list of names")
    if len(set(raw)) != len(raw) or len(raw) > 10_000 or not (raw or empty):
        raise ValueError("its label table is empty, too long or repeats itself")
    return tuple(raw)


def _info(raw: dict[str, Any]) -> VoiceInfo:
    styles = {
        str(k): [(_names(list(words), empty=True), int(count)) for words, count in v]
        for k, v in raw.get("styles_of", {}).items()
    }
    ranges = {str(k): (float(v[0]), float(v[1])) for k, v in raw.get("range_of", {}).items()}
    training = raw.get("training", {})
    if not isinstance(training, dict):
        raise ValueError("its training record is not a table")
    sources = tuple(str(s) for s in raw.get("sources", ()))
    return VoiceInfo(str(raw.get("name", "untitled")), styles, ranges, training, str(raw.get("licence", "unknown")), sources)
