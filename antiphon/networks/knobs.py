"""Knobs: parameters of the synthesis itself, which bend what a network says before it sounds.

A style vector says what a sound is like, all at once. A knob changes one thing of it, by construction, and as far as it
is turned: the slope of a spectrum, the time that a beginning takes. At 0 a knob changes not a bit. Which knobs there
are is the business of each sort of generator: shaping.py, hit_shaping.py; notes carry how they are turned
[core/note.py].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

NEPERS = 0.115129  # of a dB


class Knob(NamedTuple):
    """name: one word; what it changes, for a person; unit. first: a small turn that is plainly heard. least, most: how
    far it goes. alike: whether a small turn down does what one up does, the other way round."""

    name: str
    what: str
    unit: str
    first: float
    least: float
    most: float
    alike: bool = True


def turned(shapings: Sequence[Sequence[float]], knobs: Sequence[Knob]) -> Tensor | None:
    """(notes, knobs) how far each note's knobs are turned, within their limits; None if none is. Notes that say
    nothing have all at 0."""
    if not any(any(shaping) for shaping in shapings):
        return None
    rows = [[*shaping, *[0.0] * (len(knobs) - len(shaping))][: len(knobs)] for shaping in shapings]
    low, high = (torch.tensor([getattr(knob, end) for knob in knobs]) for end in ("least", "most"))
    return torch.tensor(rows, dtype=torch.float32).clamp(low, high)


def octaves_above(hz: Tensor, f0: Tensor) -> Tensor:
    """How many octaves frequencies lie above f0, -3 to 8; below that a slope goes no further."""
    return torch.log2((hz / f0).clamp_min(1e-6)).clamp(-3, 8)


def sloped(level: Tensor, change: Tensor, weight: Tensor | None = None) -> Tensor:
    """(..., n) levels in nepers, changed, and then moved together so that their power stays as it was. weight: (n,) of
    each in that power (default: 1)."""
    share = level if weight is None else level + 0.5 * torch.log(weight)
    before, after = (torch.logsumexp(2 * x, -1, keepdim=True) for x in (share, share + change))
    return level + change + (before - after) / 2
