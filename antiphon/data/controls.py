"""Measured descriptors of sounds, such as brightness, as controls: 0 is the least met in training, 1 the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared

RARE = 0.02  # share of the training sounds below a scale's 0, and above its 1


@dataclass(frozen=True)
class Scale:
    """A descriptor's range. low, high: the measured values at 0 and at 1. usual: mean and standard deviation on the
    scale, for each of a model's instruments."""

    name: str
    low: float
    high: float
    usual: tuple[tuple[float, float], ...]

    def place(self, measured: Tensor) -> Tensor:
        """Measured values -> 0..1."""
        return ((measured - self.low) / (self.high - self.low)).clamp(0, 1)


def scales(data: Prepared, names: Sequence[str], together: bool) -> tuple[Scale, ...]:
    """The scales of some descriptors over the training notes. together: of all instruments as if they were one.

    Raises AntiphonError for a descriptor that was not measured or is the same in all notes."""
    notes, found = data.where("train"), []
    for name in names:
        if name not in data.labels.descriptors or names.count(name) > 1:
            known = ", ".join(data.labels.descriptors) or "nothing"
            raise AntiphonError(f"descriptors={','.join(names)} cannot be used: choose from {known}, each once")
        measured = data.descriptors[notes, data.labels.descriptors.index(name)].double()
        low, high = torch.quantile(measured, torch.tensor([RARE, 1 - RARE], dtype=torch.float64)).tolist()
        if high - low < 1e-6:
            raise AntiphonError(f"descriptors={name} is the same in all these notes: leave it out")
        plain = Scale(name, low, high, ())
        instrument = torch.zeros(len(notes)) if together else data.instrument[notes]
        groups = [
            plain.place(measured[instrument == i]) for i in range(1 if together else len(data.labels.instruments))
        ]
        usual = tuple((float(g.mean()), float(g.std(correction=0))) if len(g) else (0.5, 0.0) for g in groups)
        found.append(Scale(name, low, high, usual))
    return tuple(found)


def controls(words: Sequence[str], known: Sequence[Scale]) -> dict[str, float]:
    """NAME=0..1 among style words -> values by the scales' names, which may be shortened. Raises AntiphonError."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        hits = [s.name for s in known if s.name == name.lower()] or [
            s.name for s in known if s.name.startswith(name.lower())
        ]
        if len(hits) != 1:
            listed = ", ".join(s.name for s in known) or "no descriptors"
            raise AntiphonError(f"'{word}' is not a control of this voice: it knows {listed}")
        try:
            found[hits[0]] = float(value)
        except ValueError:
            found[hits[0]] = -1.0
        if not 0 <= found[hits[0]] <= 1:
            raise AntiphonError(f"'{word}' is not valid: use {hits[0]}=0 (least in training) to {hits[0]}=1 (most)")
    return found
