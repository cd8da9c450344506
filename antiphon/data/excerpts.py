"""From a prepared file to training batches. Excerpt number i of a seed is the same crop always, whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.data.prepared import Prepared
from antiphon.errors import AntiphonError
from antiphon.networks.encoders.note import LISTEN
from antiphon.networks.generators.instrument import STRIKE, Gesture, Tuning, midi_to_hz
from antiphon.networks.oscillators import HOP, block_count
from antiphon.networks.timegrid import knots

SLOWEST = 3.5  # Hz
AUDIBLE_DB = -60.0  # a free partial below this, relative to the note's strongest, is not played


@dataclass(frozen=True)
class Excerpts:
    """A batch: crops to imitate, and another note of the same preset to learn the style from.

    audio: (batch, samples). gesture, tuning: how the crop was played, frequencies as measured. levels: (batch, 64) dB
    of the note's harmonics and free_levels: (batch, 24), what the tuning is worth. cents: (batch, blocks) measured,
    off the key. reference: (batch, LISTEN) with reference_pitch and reference_release (batch,). instrument, preset:
    (batch,) indices; style: (batch, words) multi-hot.
    """

    audio: Tensor
    gesture: Gesture
    tuning: Tuning
    levels: Tensor
    free_levels: Tensor
    cents: Tensor
    reference: Tensor
    reference_pitch: Tensor
    reference_release: Tensor
    instrument: Tensor
    preset: Tensor
    style: Tensor

    def to(self, device: torch.device) -> Excerpts:
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {
            k: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v.to(device) for k, v in own.items()
        }
        return Excerpts(**moved)


@dataclass(frozen=True)
class _Crop:
    note: int
    reference: int
    start: int
    take: int


class ExcerptSource:
    """Draws excerpts of `samples` samples from the notes of some splits of a prepared file.

    Presets are drawn equally often and then a note of the preset, so that a preset with many notes does not rule.
    """

    def __init__(
        self, data: Prepared, samples: int, seed: int, splits: tuple[str, ...] = ("train",), same_note: float = 0.25
    ):
        self.data, self.samples, self.seed, self.same_note = data, samples, seed, same_note
        chosen = torch.cat([data.where(s) for s in splits]).tolist()
        self.by_preset: list[list[int]] = [
            notes for p in range(len(data.labels.presets)) if (notes := [i for i in chosen if data.preset[i] == p])
        ]
        if not self.by_preset:
            raise AntiphonError(f"{data.path} has no notes to train on (split {', '.join(splits)})")

    def _crop(self, index: int) -> _Crop:
        rng = np.random.default_rng((self.seed, index))
        notes = self.by_preset[rng.integers(len(self.by_preset))]
        note = notes[rng.integers(len(notes))]
        reference = note if rng.random() < self.same_note else notes[rng.integers(len(notes))]
        length = self.data.samples(note)
        start = 0
        last = length - 512  # crops near the end are mostly silence: a note must learn to stay silent
        if rng.random() < 0.45 and last > STRIKE:
            start = int(rng.integers(STRIKE, last)) // HOP * HOP
            hold = int(self.data.hold[note])
            if 0 < hold < length and rng.random() < 0.3:  # make sure that releases are met
                start = max(hold - int(rng.integers(self.samples // 2)), STRIKE) // HOP * HOP
        return _Crop(note, reference, start, int(rng.integers(1 << 31)))

    def _cents(self, crop: _Crop) -> np.ndarray:
        """(blocks,) measured cents off the key at block centres."""
        centres = (crop.start + HOP * np.arange(block_count(self.samples))) / 512
        first = int(centres[0])
        track = self.data.f0_cents(crop.note, first, int(centres[-1]) + 2)
        return np.interp(centres - first, np.arange(len(track)), track).astype(np.float32)

    def batch(self, first: int, count: int) -> Excerpts:
        """Excerpts first .. first + count - 1."""
        d = self.data
        crops = [self._crop(first + i) for i in range(count)]
        note = torch.tensor([c.note for c in crops])
        reference = torch.tensor([c.reference for c in crops])
        cents = torch.from_numpy(np.stack([self._cents(c) for c in crops]))
        pitch = d.pitch[note]
        gesture = Gesture(
            pitch=pitch,
            velocity=d.velocity[note] / 127,
            release=_release(d.hold[note]),
            start=torch.tensor([c.start for c in crops]),
            samples=self.samples,
            knots=pad_knots([_knots(c.start, self.samples, int(d.hold[c.note])) for c in crops]),
            f0=midi_to_hz(pitch.unsqueeze(-1) + cents / 100),
            take=torch.tensor([c.take for c in crops]),
        )
        free_levels = d.free_level[note]
        tuning = Tuning(
            ratios=d.ratios[note],
            stretch=d.inharmonicity[note],
            free=d.free_ratio[note],
            active=(free_levels > AUDIBLE_DB).float(),
            cents=d.tuning[note],
            vibrato=_vibrato(d.vibrato[note]),
        )
        return Excerpts(
            audio=torch.from_numpy(np.stack([d.audio(c.note, c.start, c.start + self.samples) for c in crops])),
            gesture=gesture,
            tuning=tuning,
            levels=d.harmonic_level[note],
            free_levels=free_levels,
            cents=cents,
            reference=torch.from_numpy(np.stack([d.audio(c.reference, 0, LISTEN) for c in crops])),
            reference_pitch=d.pitch[reference],
            reference_release=_release(d.hold[reference]),
            instrument=d.instrument[note],
            preset=d.preset[note],
            style=d.style[note].float(),
        )


def _release(hold: Tensor) -> Tensor:
    return torch.where(hold < 0, torch.inf, hold.float())


def _vibrato(measured: Tensor) -> Tensor:
    """Slower than SLOWEST it is drift that was taken for vibrato: its depth is 0."""
    rate, depth, delay = measured.unbind(-1)
    return torch.stack([rate, depth * (rate > SLOWEST), delay], -1)


def _knots(start: int, samples: int, hold: int) -> np.ndarray:
    return knots(start, start + samples, None if hold < 0 else hold)


def pad_knots(rows: list[np.ndarray]) -> Tensor:
    """(batch, t) float32: rows of knots, the shorter ones padded by repeating their last."""
    longest = max(len(r) for r in rows)
    return torch.from_numpy(np.stack([np.pad(r, (0, longest - len(r)), mode="edge") for r in rows]).astype(np.float32))
