"""What is played, and what the network makes of it: the terms that generators, games, losses and voices share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

UNLIKELY, LIKELY = 0.4, 0.6  # probabilities of a free partial between which it fades in
STRIKE = 3584  # samples (81 ms) that an instrument's short noise lasts


@dataclass(frozen=True)
class Gesture:
    """A batch of notes, or of crops of notes, as they are played.

    pitch: (batch,) MIDI. velocity: (batch,) 0..1. release: (batch,) samples since the onset, inf if never; or
    (batch, t), as known at each knot: a note counts as held until it is released.
    start: (batch,) first sample to be rendered, since the onset. samples: how many (a multiple of 512).
    knots: (batch, t) samples since the onset, rising, padded by repeating the last.
    f0: (batch, blocks) Hz at samples start + 128 j. take: (batch,) int64 seeds of everything random in the note.
    shaping: (batch, knobs) how far the voice's knobs are turned; None if none is, as in training.
    """

    pitch: Tensor
    velocity: Tensor
    release: Tensor
    start: Tensor
    samples: int
    knots: Tensor
    f0: Tensor
    take: Tensor
    shaping: Tensor | None = None

    def to(self, device: torch.device) -> Gesture:
        return self._each(lambda x: x.to(device, non_blocking=True))

    def __getitem__(self, index: slice | Tensor) -> Gesture:
        return self._each(lambda x: x[index])

    def split(self, counts: list[int]) -> list[Gesture]:
        """Parts of `counts` notes each."""
        return [self[first - n : first] for first, n in zip(accumulate(counts), counts, strict=True)]

    def _each(self, change: Callable[[Tensor], Tensor]) -> Gesture:
        changed: dict[str, Any] = {k: change(v) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **changed)


@dataclass(frozen=True)
class Tuning:
    """Where the partials lie. ratios: (batch, 64) f_k/f0. stretch: (batch,) B of f_k = k f0 sqrt(1 + B k^2).
    free: (batch, 24) ratios of the free slots, active: (batch, 24) how likely each is to sound, 0..1.
    cents: (batch,) how far the recording is off its key. vibrato: (batch, 3) rate in Hz, depth in cents, delay in s."""

    ratios: Tensor
    stretch: Tensor
    free: Tensor
    active: Tensor
    cents: Tensor
    vibrato: Tensor

    @property
    def gains(self) -> Tensor:
        """(batch, 24) of the free slots: a likely partial sounds in full, at the trunk's level, and an unlikely one not
        at all; in between, its level would match neither case."""
        return ((self.active - UNLIKELY) / (LIKELY - UNLIKELY)).clamp(0, 1)

    def __getitem__(self, index: int | slice | Tensor) -> Tuning:
        return Tuning(**{k: v[index] for k, v in vars(self).items()})

    def to(self, device: torch.device) -> Tuning:
        return Tuning(**{k: v.to(device, non_blocking=True) for k, v in vars(self).items()})


@dataclass(frozen=True)
class Curves:
    """The trunk's output at each knot, all log-amplitudes in nepers: (batch, t, ...)."""

    envelope: Tensor  # (.., bands) read at each partial's frequency
    harmonics: Tensor  # (.., free_harmonics) correction of the first harmonics
    free: Tensor  # (.., 24)
    noise: Tensor  # (.., noise_bands)
    strike: Tensor  # (.., strike_bands)
    ensemble: Tensor  # (..,) 0..1, how much of a partial is its unison copies
    drift: Tensor  # (..,) cents off the key, without vibrato
    detune: Tensor  # (batch,) cents, how far apart the unison copies are
