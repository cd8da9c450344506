"""Weights on disk: safetensors with everything else as JSON in the metadata. Reading one never runs code."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.core.note import LARGEST_SEED
from antiphon.voices.kind import kind, kind_of, kinds, read_names
from antiphon.voices.voice import Voice, VoiceInfo

KEY = "antiphon"
FORMAT = 1
MOST_KNOBS = 64


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: dict[str, Any]) -> None:
    """Write a safetensors file that appears complete or not at all."""
    body = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    try:
        with atomic(path) as draft:
            save_file(body, draft, {KEY: json.dumps(meta)})
            os.chmod(draft, 0o644)  # safetensors creates it unreadable to others
    except SafetensorError as e:
        raise AntiphonError(f"cannot write {path}: {e}") from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON metadata of a file. Raises AntiphonError for anything but an Antiphon file."""
    with _opened(path) as (file, meta):
        return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118 (not a dict)


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON metadata of a file, without its tensors. Raises like `read_tensors`."""
    with _opened(path) as (_, meta):
        return meta


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """An open safetensors file and its metadata; whatever is wrong with the file becomes an AntiphonError."""
    try:
        with _named_in_utf8(path) as name, safe_open(name, framework="pt") as file:
            meta = json.loads((file.metadata() or {})[KEY])
            if not isinstance(meta, dict):
                raise ValueError
            yield file, meta
    except FileNotFoundError:
        raise AntiphonError(f"{path} does not exist") from None
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        raise AntiphonError(f"{path} is not an Antiphon weights file, or it is damaged") from None


@contextmanager
def _named_in_utf8(path: Path) -> Iterator[str | Path]:
    """The path, or for one that is not UTF-8, which safetensors cannot read, another name of the same file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield path


def save_voice(path: Path, model: nn.Module, info: VoiceInfo) -> None:
    """Write half-precision weights (other tensors keep their type) with kind, configuration, labels and `info`."""
    name, weights = kind_of(model), {k for k, _ in model.named_parameters()}
    tensors = {k: v.half() if k in weights else v for k, v in model.state_dict().items()}
    meta = {"format": FORMAT, "kind": name, **kind(name).write(model), "labels": asdict(model.labels)}  # type: ignore[call-overload]
    facts = {k: v for k, v in asdict(info).items() if v or k != "shaping"}  # few voices have any
    write_tensors(path, tensors, meta | {"info": facts})


def load_voice(path: Path) -> Voice:
    """Read a voice, checking every field. Raises AntiphonError, in one line, for anything invalid."""
    tensors, meta = read_tensors(path)
    try:
        if meta["format"] != FORMAT or meta["kind"] not in kinds():
            raise ValueError(f"this version does not know format {meta['format']!r}, kind {meta['kind']!r}")
        model, info = kind(meta["kind"]).read(meta, tensors), _info(meta.get("info", {}))
        expected = model.state_dict()
        if expected.keys() != tensors.keys() or any(expected[k].shape != tensors[k].shape for k in expected):
            raise ValueError("its weights do not match its configuration")
        if any(expected[k].is_floating_point() != tensors[k].is_floating_point() for k in expected) or not all(
            bool(torch.isfinite(v).all()) for v in tensors.values()
        ):
            raise ValueError("its weights are not finite numbers")
        model.load_state_dict({k: v.to(expected[k].dtype) for k, v in tensors.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ArithmeticError, AntiphonError) as e:
        raise AntiphonError(f"{path} is not a voice Antiphon can play: {e}") from None
    voice = kind(meta["kind"]).voice(model, info)
    voice.file = path
    return voice


def _info(raw: dict[str, Any]) -> VoiceInfo:
    styles = {str(k): [_met(entry) for entry in v] for k, v in raw.get("styles_of", {}).items()}
    ranges = {str(k): _range(v) for k, v in raw.get("range_of", {}).items()}
    training = raw.get("training", {})
    if not isinstance(training, dict):
        raise ValueError("its training record is not a table")
    sources = tuple(str(s) for s in raw.get("sources", ()))
    name, licence = str(raw.get("name", "untitled")), str(raw.get("licence", "unknown"))
    shaping = tuple(float(x) for x in raw.get("shaping", ()))
    if len(shaping) > MOST_KNOBS or not all(map(math.isfinite, shaping)):
        raise ValueError("its shaping is not a few numbers")
    return VoiceInfo(name, styles, ranges, training, licence, sources, _takes(raw.get("takes", {})), shaping)


def _takes(raw: Any) -> dict[float, tuple[int, ...]]:
    found = {float(key): tuple(takes) for key, takes in raw.items()}
    if any(type(take) is not int or not 0 <= take <= LARGEST_SEED for takes in found.values() for take in takes):
        raise ValueError("its takes are not numbers of takes")
    return found


def _met(raw: Any) -> tuple[tuple[str, ...], int]:
    words, count = raw
    if type(count) is not int or not 0 < count < 1 << 40:
        raise ValueError(f"it met a style {count!r} times")
    return read_names(words, empty=True), count


def _range(raw: Any) -> tuple[float, float]:
    low, high = (float(x) for x in raw)
    if not 0 <= low <= high <= 127:
        raise ValueError(f"one of its pitch ranges is {low:g} to {high:g}")
    return low, high
