"""How a note's pitch moves: bends, drift and vibrato, and the cycles that have gone by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.gesture import Tuning
from antiphon.networks.oscillators import HOP, TURN, cycles_from
from antiphon.networks.shaping import KNOBS, VIBRATO
from antiphon.networks.timegrid import rounded_up

STEADY = 1.5  # cents of drift and vibrato that count as none
SWELL = 0.3  # seconds in which vibrato sets in
SOON = 0.15  # seconds in which vibrato that was asked for begins, at the latest
FAINT = 3.0  # cents of vibrato that are not played: the depth measured without any vibrato is not exactly 0


def bent(note: Note, start: int, blocks: int) -> np.ndarray:
    """(blocks,) semitones off the key at block centres from sample `start` on, by the note's bend points."""
    if not note.bend:
        return np.zeros(blocks)
    times = (start + HOP * np.arange(blocks)) / SAMPLE_RATE
    return np.interp(times, *np.array(note.bend, np.float64).T)


def let_go_at(release: float) -> float:
    """The first block that takes account of a release: all samples of those before it lie before the release."""
    return rounded_up(release, HOP) / HOP + 1


@dataclass(frozen=True)
class Drift:
    """(t,) knots and cents of one note while it is held, (u,) after its release."""

    held: np.ndarray
    held_cents: np.ndarray
    after: np.ndarray
    after_cents: np.ndarray


@dataclass(frozen=True)
class Track:
    """(blocks,) float64 of one note: cycles per sample of f0 at block centres, and how many have gone by since the
    onset; `summed` by trapezoids, up to the last block. home: cycles per sample where the note begins. steady: the
    pitch never moves."""

    cycles: np.ndarray
    gone: Tensor
    summed: float
    home: float
    steady: bool


@dataclass(frozen=True)
class Pitches:
    """How a note's pitch moves: its bends, and the instrument's own drift and vibrato if they can be heard, since a
    steady note is cheaper to play."""

    note: Note
    tuning: Tuning  # of one note
    drift: Drift
    release: float  # samples, inf while it is held
    in_tune: bool

    def cycles(self, first: int, count: int, switch: float) -> np.ndarray:
        """(count,) cycles per sample of f0 at blocks first, first + 1, ..., of which those from `switch` on take
        account of the release."""
        at = HOP * (first + np.arange(count))
        rate, _, delay = self.tuning.vibrato.tolist()
        depth, added = self.depth, self._added
        cents = self._drift(at, first + np.arange(count) < switch)
        if not self.in_tune:
            cents = cents + float(self.tuning.cents)
        if depth > FAINT:
            delay = min(delay, SOON) if added > 0 else delay
            since = np.maximum(at / SAMPLE_RATE - delay, 0)
            cents = cents + depth * np.minimum(since / SWELL, 1) * np.sin(2 * np.pi * rate * since)
        keys = self.note.pitch - 69 + bent(self.note, HOP * first, count)
        return np.asarray(440 / SAMPLE_RATE * np.exp2(keys / 12 + cents / 1200))

    @property
    def _added(self) -> float:
        """Cents of vibrato that the note's knob adds."""
        knob, turns = KNOBS[VIBRATO], self.note.shaping
        return min(max(float(turns[VIBRATO]), knob.least), knob.most) if len(turns) > VIBRATO else 0.0

    @property
    def depth(self) -> float:
        """Cents of vibrato."""
        own = float(self.tuning.vibrato[1])
        if own > FAINT or self._added <= 0:
            return max(own + self._added, 0.0)
        return FAINT + self._added  # what is asked for is to be heard, however little

    def _drift(self, at: np.ndarray, held: np.ndarray) -> np.ndarray:
        """(n,) cents at samples `at`, at which the note is `held` or not, (n,) booleans."""
        before, after = self._heard(self.drift.held_cents), self._heard(self.drift.after_cents)
        if not (before.any() or after.any()):
            return np.zeros(len(at))
        cents = np.interp(at, self.drift.held, before)
        if len(after) and not held.all():
            cents[~held] = np.interp(at[~held], self.drift.after, after)
        return cents

    def _heard(self, drift: np.ndarray) -> np.ndarray:
        """Drift too small to be heard counts as none, unless there is vibrato; from twice that on it is left as it
        is."""
        if self.depth > FAINT:
            return drift
        return drift * np.clip(np.abs(drift) / STEADY - 1, 0, 1)

    def track(self, first: int, count: int, before: Track | None = None) -> Track:
        """The blocks first .. first + count - 1. before: the track that ends where this begins; None at the onset."""
        switch = let_go_at(self.release)
        wide = self.cycles(first - 1, count + 2, switch)
        if before is None:
            wide[0] = 2 * wide[1] - wide[2]
        summed = (wide[2] - wide[1]) * (HOP / 12) if before is None else before.summed
        f = torch.from_numpy(wide)
        gone = cycles_from(f, torch.tensor([summed], dtype=torch.float64))
        if first <= switch - 1 < first + count:  # this block does not know the pitch after the release yet
            ignorant = float(self.cycles(int(switch), 1, switch + 1)[0])
            gone[int(switch) - 1 - first] += (ignorant - float(f[int(switch) + 1 - first])) / 2 * TURN
        steps = (wide[1:-2] + wide[2:-1]) * (HOP / 2)
        home = float(wide[1]) if before is None else before.home
        return Track(wide[1:-1], gone, summed + float(steps.sum()), home, bool((wide[1:-1] == wide[1]).all()))
