"""Kinds of voices. A weights file's metadata names its kind, and the kind knows how to read the rest.

A kind is one file here, with a dictionary `KINDS` from the name in the metadata to a Kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from antiphon.core.registry import choose, registry
from antiphon.data.controls import Scale
from antiphon.data.labelling.labels import LONGEST_LABEL
from antiphon.networks.model import LabelTable
from antiphon.voices.voice import Voice, VoiceInfo

C = TypeVar("C")


class Kind(NamedTuple):
    """model: its class, whose instances have `config` and `labels`, from which another is made: model(config, labels).
    voice: the class that plays it.

    write: model -> the metadata entries that `read` needs, as JSON; "labels" are always written.
    read: the metadata and the tensors, both untrusted -> the model, its weights not loaded yet. It checks every field,
    and every size against a tensor that has it, before it builds anything: a false claim must not cost memory, and
    nothing in the file is executed. It raises ValueError (or KeyError, TypeError ...) for anything invalid.
    """

    model: type[nn.Module]
    voice: type[Voice]
    write: Callable[[Any], dict[str, Any]]
    read: Callable[[Mapping[str, Any], Mapping[str, Tensor]], nn.Module]


def kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    return registry("antiphon.voices", "KINDS")


def kind(name: str) -> Kind:
    found: Kind = choose(kinds(), "kind of voice", name)
    return found


def kind_of(model: nn.Module) -> str:
    """The name of a model's kind."""
    return next(name for name, known in kinds().items() if type(model) is known.model)


def voice_of(model: nn.Module, info: VoiceInfo) -> Voice:
    """The voice that plays a model."""
    return kind(kind_of(model)).voice(model, info)


def write_config(model: Any) -> dict[str, Any]:
    """The `write` of a kind whose `read` needs no more than its dataclass of numbers."""
    return {"config": asdict(model.config)}


# ---- what every kind's `read` checks ---------------------------------------------------------------------------------


def read_numbers(config: type[C], raw: Any, limits: Mapping[str, tuple[float, float]], **given: Any) -> C:
    """A dataclass of numbers from JSON: exactly its fields except those in `given`, each within its limits and of their
    type."""
    known = {f.name for f in fields(config)} - given.keys()  # type: ignore[arg-type]
    if not isinstance(raw, dict) or raw.keys() != known:
        other = raw.keys() ^ known if isinstance(raw, dict) else known
        raise ValueError(f"its configuration has missing or unknown fields: {', '.join(sorted(other))}")
    for name, value in raw.items():
        low, high = limits[name]
        if type(value) is not type(low) or not low <= value <= high:
            whole = "an integer" if type(low) is int else "a number"
            raise ValueError(f"its {name} is {value!r}, not {whole} from {low} to {high}")
    return config(**raw, **given)


def check_sizes(claims: Mapping[str, tuple[int | None, ...]], tensors: Mapping[str, Tensor]) -> None:
    """Check every width against a tensor that has it, before anything is built: a false claim must not cost memory.
    claims: shapes by tensor name, None for any size."""
    for name, shape in claims.items():
        found = tensors[name].shape if name in tensors else ()
        if len(found) != len(shape) or any(b is not None and a != b for a, b in zip(found, shape, strict=True)):
            raise ValueError("its weights do not match its configuration")


def read_labels(raw: Any) -> LabelTable:
    instruments, scales = read_names(raw["instruments"]), [_read_scale(s) for s in raw.get("scales", [])]
    read_names([s.name for s in scales], empty=True)
    if any(len(s.usual) != len(instruments) for s in scales):
        raise ValueError("its scales do not match its label table")
    return LabelTable(instruments, read_names(raw["styles"], empty=True), tuple(scales))


def _read_scale(raw: Any) -> Scale:
    numbers = [raw["low"], raw["high"], *(x for pair in raw["usual"] for x in pair)]
    if raw.keys() != {"name", "low", "high", "usual"} or any(type(x) is not float or not abs(x) < 1e6 for x in numbers):
        raise ValueError("its scales are not numbers")
    usual = tuple((mean, spread) for mean, spread in raw["usual"])
    if raw["low"] >= raw["high"] or any(not (0 <= x <= 1) for pair in usual for x in pair):
        raise ValueError("one of its scales has no range")
    return Scale(raw["name"], raw["low"], raw["high"], usual)


def read_names(raw: Any, empty: bool = False) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(x, str) and 0 < len(x) <= LONGEST_LABEL for x in raw):
        raise ValueError("its label table is not a list of names")
    if len(set(raw)) != len(raw) or len(raw) > 10_000 or not (raw or empty):
        raise ValueError("its label table is empty, too long or repeats itself")
    return tuple(raw)
