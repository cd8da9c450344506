"""Named controls of a voice's sounds: `brightness=+1` makes them brighter. Of a voice with knobs [networks/knobs.py] a
control turns these, and of any other it moves w along a direction that was heard to do so:

    shaping = sum_i |c_i| k_i(sign of c_i)      w' = w (+) sum_i c_i d_i         c_i asked, -2 .. 2
                                                (+) a step along the sphere, where w is on one

Turns and directions are fitted by listening (metrics/turns.py, controls.py) and lie beside the voice's weights, in a
file of their own. From -1 to 1 a control changes as much as the label's own sounds differ, from their 10th to their
90th percentile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.voices.checkpoint import read_tensors, write_tensors
from antiphon.voices.kind import read_names

SUFFIX = ".controls.safetensors"
FORMAT, FORMATS = 2, (1, 2)  # that is written, and those that are read: 1 has no knobs
FURTHEST = 2.0  # how far a control can be turned
MOST = 64  # controls
LONGEST_MEANING = 200  # characters
TABLES = ("directions", "spans", "effects", "turns")
MAY_LACK = ("directions", "turns")  # in a file: they are all zeros then


@dataclass(frozen=True)
class Controls:
    """names, and what +1 of each means, with the unit it was measured in; labels: the voice's.

    directions: (labels, controls, style) the step of w for +1; turns: (labels, controls, 2, knobs) of the voice's knobs
    for -1 and for +1; both are zeros where a label has no such control.
    spans: (labels, controls, 3) the 10th, 50th and 90th percentile of the label's imagined sounds, in that unit.
    effects: (labels, controls, controls) what +1 of one (row) did to each (column), in halves of its span.
    """

    names: tuple[str, ...]
    meanings: tuple[str, ...]
    labels: tuple[str, ...]
    directions: Tensor
    spans: Tensor
    effects: Tensor
    turns: Tensor

    def of(self, label: str) -> tuple[str, ...]:
        """The names of a label's controls."""
        there = self.there[self.labels.index(label)]
        return tuple(name for name, moves in zip(self.names, there.tolist(), strict=True) if moves)

    @property
    def there(self) -> Tensor:
        """(labels, controls) booleans: which label has which control."""
        return (self.directions != 0).any(2) | (self.turns != 0).flatten(2).any(2)

    @property
    def direct(self) -> bool:
        """Whether they turn knobs of the synthesis, and do not move w."""
        return bool((self.turns != 0).any())

    def step(self, label: str, wanted: Mapping[str, float]) -> Tensor:
        """(style,) the step of w for controls by their full names; what a label lacks moves nothing."""
        amounts = torch.tensor([float(wanted.get(name, 0.0)) for name in self.names])
        return amounts @ self.directions[self.labels.index(label)]

    def shaping(self, label: str, wanted: Mapping[str, float]) -> tuple[float, ...]:
        """How far the voice's knobs are turned for controls by their full names; () if none is."""
        amounts = torch.tensor([float(wanted.get(name, 0.0)) for name in self.names])
        sides = torch.stack([(-amounts).clamp_min(0), amounts.clamp_min(0)], 1)
        turned = torch.einsum("cs,csk->k", sides, self.turns[self.labels.index(label)]).tolist()
        return tuple(turned) if any(turned) else ()

    def named(self, wanted: Mapping[str, float], who: str) -> dict[str, float]:
        """The controls by their full names, from names or unambiguous beginnings; those at 0 are left out. who: the
        voice, for the message. Raises AntiphonError for an unknown name or an amount out of range."""
        found: dict[str, float] = {}
        for name, amount in wanted.items():
            full = self._full(name, who)
            if isinstance(amount, bool) or not isinstance(amount, int | float) or not abs(amount) <= FURTHEST:
                raise AntiphonError(f"{full}={amount} is out of range: use -{FURTHEST:g} to {FURTHEST:g} (usual: 1)")
            if full in found:
                raise AntiphonError(f"the control {full} is given twice: give it once")
            found[full] = float(amount)
        return {name: amount for name, amount in found.items() if amount}

    def _full(self, name: str, who: str) -> str:
        wanted = str(name).strip().lower()
        hits = [n for n in self.names if n == wanted] or [n for n in self.names if wanted and n.startswith(wanted)]
        if len(hits) != 1:
            what = "ambiguous" if hits else "unknown"
            raise AntiphonError(f"control '{name}' is {what}: {who} has {', '.join(self.names) or 'none'}")
        return hits[0]

    def alone(self, label: str, called: str) -> Controls:
        """The controls of one label, under another name."""
        at = [self.labels.index(label)]
        tables = (self.directions[at], self.spans[at], self.effects[at], self.turns[at])
        return Controls(self.names, self.meanings, (called,), *tables)


def parse_controls(words: Sequence[str]) -> dict[str, float]:
    """["brightness=+1", "attack=-0.5"] -> {"brightness": 1.0, "attack": -0.5}. Raises AntiphonError for anything
    else."""
    found: dict[str, float] = {}
    for word in words:
        name, mark, amount = (part.strip() for part in word.partition("="))
        try:
            value = float(amount)
        except ValueError:
            mark = ""
            value = 0.0
        if not (name and mark):
            raise AntiphonError(f"'{word}' is not a control: write it like brightness=+1 or attack=-0.5")
        if name in found:
            raise AntiphonError(f"the control {name} is given twice: give it once")
        found[name] = value
    return found


# ---- on disk ---------------------------------------------------------------------------------------------------------


def place_of(weights: Path) -> Path:
    """Where the controls of a weights file are."""
    return weights.with_name(weights.name.removesuffix(".safetensors") + SUFFIX)


def fingerprint(weights: Path) -> str:
    """Of the weights that controls were fitted to."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def write_controls(controls: Controls, weights: Path) -> Path:
    """Write controls beside the weights they belong to. -> their file"""
    names = ("names", "meanings", "labels")
    meta: dict[str, Any] = {"controls": FORMAT, "of": fingerprint(weights)}
    meta |= {name: list(getattr(controls, name)) for name in names}
    tables = {name: getattr(controls, name) for name in TABLES}
    tensors = {k: v for k, v in tables.items() if k not in MAY_LACK or bool(v.any())}
    dtypes = {"directions": torch.float16, "spans": torch.float32, "effects": torch.float16, "turns": torch.float32}
    place = place_of(weights)
    write_tensors(place, {name: tensor.to(dtypes[name]) for name, tensor in tensors.items()}, meta)
    return place


def read_controls(weights: Path, labels: Sequence[str], style: int, knobs: int = 0) -> Controls | None:
    """The controls beside a weights file, checked; None if there are none. labels, style, knobs: of the voice.

    Raises AntiphonError for a damaged file, or one that belongs to other weights."""
    place = place_of(weights)
    if not place.is_file():
        return None
    tensors, meta = read_tensors(place)
    try:
        if meta["controls"] not in FORMATS:
            raise ValueError(f"this version does not know format {meta['controls']!r}")
        names, found = read_names(meta["names"]), read_names(meta["labels"])
        meanings = meta["meanings"]
        if len(names) > MOST or not isinstance(meanings, list) or len(meanings) != len(names):
            raise ValueError("its names do not match their meanings")
        if not all(isinstance(text, str) and len(text) <= LONGEST_MEANING for text in meanings):
            raise ValueError("its meanings are not texts")
        stale = found != tuple(labels) or meta["of"] != fingerprint(weights)
        if not stale:
            tensors.setdefault("directions", torch.zeros(len(found), len(names), style))
            tensors.setdefault("turns", torch.zeros(len(found), len(names), 2, knobs))
            _check(tensors, len(found), len(names), style, knobs)
    except (ValueError, TypeError, KeyError, AttributeError, AntiphonError) as e:
        raise AntiphonError(f"{place} does not hold controls: {e}") from None
    if stale:
        raise AntiphonError(
            f"{place.name} was made for other weights: make it again with antiphon explain {weights} --fit"
        )
    return Controls(names, tuple(meanings), found, *(tensors[name].float() for name in TABLES))


def _check(tensors: Mapping[str, Tensor], labels: int, names: int, style: int, knobs: int) -> None:
    shapes = {"directions": (labels, names, style), "spans": (labels, names, 3), "effects": (labels, names, names)}
    shapes["turns"] = (labels, names, 2, knobs)  # type: ignore[assignment]
    if tensors.keys() != shapes.keys() or any(tuple(tensors[k].shape) != shape for k, shape in shapes.items()):
        raise ValueError("its tables do not match its names and the voice")
    if not all(bool(t.is_floating_point() and torch.isfinite(t).all()) for t in tensors.values()):
        raise ValueError("its tables are not finite numbers")
