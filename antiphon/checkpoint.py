"""Weights on disk: safetensors with everything else as JSON in the metadata. Reading one never runs code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from antiphon.errors import AntiphonError
from antiphon.model import InstrumentModel, LabelTable
from antiphon.networks.generators.instrument import FREE_SLOTS, InstrumentConfig
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
        os.chmod(temporary, 0o644)  # safetensors makes it private
        os.replace(temporary, path)
    except (OSError, SafetensorError) as e:
        raise AntiphonError(f"cannot write {path}: {e}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON metadata of a file. Raises AntiphonError for anything but an Antiphon file."""
    with _opened(path) as (file, meta):
        return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118 (not a dict)


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON metadata of a file, without its tensors. Raises as `read_tensors`."""
    with _opened(path) as (_, meta):
        return meta


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """An open safetensors file and its metadata; whatever is wrong with the file becomes one AntiphonError."""
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})[KEY])
            if not isinstance(meta, dict):
                raise ValueError
            yield file, meta
    except FileNotFoundError:
        raise AntiphonError(f"{path} does not exist") from None
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        raise AntiphonError(f"{path} is not an Antiphon weights file, or it is damaged") from None


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
        _check_sizes(config, labels, tensors)
        model = InstrumentModel(config, labels)
        expected = {k: v.shape for k, v in model.state_dict().items()}
        if expected.keys() != tensors.keys() or any(expected[k] != tensors[k].shape for k in expected):
            raise ValueError("its weights do not match its configuration")
        if not all(v.is_floating_point() and bool(torch.isfinite(v).all()) for v in tensors.values()):
            raise ValueError("its weights are not finite numbers")
        model.load_state_dict({k: v.float() for k, v in tensors.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ArithmeticError) as e:
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


def _check_sizes(config: InstrumentConfig, labels: LabelTable, tensors: dict[str, Tensor]) -> None:
    """Every width against a tensor that has it, before anything is built: a lie may not cost memory."""
    c = config
    claims = {
        "generator.enter.weight": (c.width, None),
        f"generator.trunk.{c.blocks - 1}.up.weight": (2 * c.hidden, c.width),
        f"generator.trunk.{c.blocks - 1}.film.weight": (3 * c.width, c.condition),
        "generator.heads.bias": (c.bands + c.free_harmonics + c.noise_bands + c.strike_bands + FREE_SLOTS + 2,),
        "generator.conditioner.0.weight": (c.condition, c.style + 10),
        "mapping.label.weight": (len(labels.instruments), None),
    }
    for name, shape in claims.items():
        found = tensors[name].shape if name in tensors else ()
        if len(found) != len(shape) or any(b is not None and a != b for a, b in zip(found, shape, strict=True)):
            raise ValueError("its weights do not match its configuration")


def _names(raw: Any, empty: bool = False) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(x, str) and 0 < len(x) <= 200 for x in raw):
        raise ValueError("its label table is not a list of names")
    if len(set(raw)) != len(raw) or len(raw) > 10_000 or not (raw or empty):
        raise ValueError("its label table is empty, too long or repeats itself")
    return tuple(raw)


def _info(raw: dict[str, Any]) -> VoiceInfo:
    styles = {str(k): [_met(entry) for entry in v] for k, v in raw.get("styles_of", {}).items()}
    ranges = {str(k): _range(v) for k, v in raw.get("range_of", {}).items()}
    training = raw.get("training", {})
    if not isinstance(training, dict):
        raise ValueError("its training record is not a table")
    sources = tuple(str(s) for s in raw.get("sources", ()))
    name, licence = str(raw.get("name", "untitled")), str(raw.get("licence", "unknown"))
    return VoiceInfo(name, styles, ranges, training, licence, sources)


def _met(raw: Any) -> tuple[tuple[str, ...], int]:
    words, count = raw
    if type(count) is not int or not 0 < count < 1 << 40:
        raise ValueError(f"it met a style {count!r} times")
    return _names(words, empty=True), count


def _range(raw: Any) -> tuple[float, float]:
    low, high = (float(x) for x in raw)
    if not 0 <= low <= high <= 127:
        raise ValueError(f"a range of its pitches is {low:g} to {high:g}")
    return low, high
