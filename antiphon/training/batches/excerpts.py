"""From a prepared file to training batches. Excerpt number i of a seed is always the same crop, whoever asks for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.networks.encoders.note import LISTEN
from antiphon.networks.gesture import STRIKE, Gesture, Tuning
from antiphon.networks.oscillators import HOP, block_count
from antiphon.networks.physics import midi_to_hz
from antiphon.networks.timegrid import knots, pad_knots
from antiphon.training.batches.batch import Tensors
from antiphon.training.batches.hearing import Hearing, hearing
from antiphon.training.batches.transpose import missing_keys, playback_rate, transposed

SLOWEST = 3.5  # Hz
AUDIBLE_DB = -60.0  # a free partial below this, relative to the note's strongest, is not played


@dataclass(frozen=True)
class Originals(Tensors):
    """A batch: crops to imitate, and another sound of the same preset to learn the style from.

    audio: (batch, samples). gesture: how the crop was played. reference: (batch, LISTEN) with reference_pitch and
    reference_release (batch,). instrument, preset: (batch,) indices; style: (batch, words) multi-hot.
    """

    audio: Tensor
    gesture: Gesture
    reference: Tensor
    reference_pitch: Tensor
    reference_release: Tensor
    instrument: Tensor
    preset: Tensor
    style: Tensor


@dataclass(frozen=True)
class Excerpts(Originals):
    """A batch of notes. tuning: measured frequencies. levels: (batch, 64) dB of the note's harmonics and free_levels:
    (batch, 24) of its free partials, weights of the tuning. cents: (batch, blocks) measured, off the key."""

    tuning: Tuning
    levels: Tensor
    free_levels: Tensor
    cents: Tensor


@dataclass(frozen=True)
class Crop:
    """Which part of which note an excerpt is; reference: the note its style is encoded from; take: seed of the rest."""

    note: int
    semitones: float  # by which the note is moved
    reference: int
    reference_semitones: float
    start: int  # samples since the onset of the moved note
    take: int


class CropSource:
    """Draws crops of `samples` samples, at the onset, from the notes of some splits of a prepared file.

    Presets are drawn equally often, and then a note of the preset, so that a preset with many notes does not dominate.
    Keys missing between the recorded ones occur as often as those, but make up a share of `transposed` at most.
    """

    def __init__(
        self,
        data: Prepared,
        samples: int,
        seed: int,
        splits: tuple[str, ...] = ("train",),
        *,
        same_note: float = 0.25,
        transposed: float = 0.0,
    ):
        self.data, self.samples, self.seed, self.same_note = data, samples, seed, same_note
        chosen = torch.cat([data.where(s) for s in splits])
        by_preset: dict[int, list[int]] = {}
        for note, preset in zip(chosen.tolist(), data.preset[chosen].tolist(), strict=True):
            by_preset.setdefault(preset, []).append(note)
        self.by_preset = [by_preset[preset] for preset in sorted(by_preset)]
        if not self.by_preset:
            raise AntiphonError(f"{data.path} has no notes to train on (split {', '.join(splits)})")
        self.missing = [missing_keys(data, notes) if transposed else [] for notes in self.by_preset]
        keys = [len({float(data.pitch[i]) for i in notes}) for notes in self.by_preset]
        self.filling = [
            min(len(gaps) / (len(gaps) + recorded), transposed)
            for gaps, recorded in zip(self.missing, keys, strict=True)
        ]

    def _crop(self, index: int) -> Crop:
        rng = np.random.default_rng((self.seed, index))
        preset = int(rng.integers(len(self.by_preset)))
        note, semitones = self._note(rng, preset)
        reference = (note, semitones) if rng.random() < self.same_note else self._note(rng, preset)
        start = self._start(rng, note, playback_rate(semitones))
        return Crop(note, semitones, *reference, start, int(rng.integers(1 << 31)))

    def _note(self, rng: np.random.Generator, preset: int) -> tuple[int, float]:
        """A note of a preset, and the semitones it is moved by."""
        notes = self.by_preset[preset]
        if rng.random() >= self.filling[preset]:
            return notes[rng.integers(len(notes))], 0.0
        key = self.missing[preset][rng.integers(len(self.missing[preset]))]
        return key.notes[rng.integers(len(key.notes))], key.semitones

    def _start(self, rng: np.random.Generator, note: int, speed: float) -> int:
        """Where a crop begins, in samples since the onset."""
        return 0

    def _audio(self, crop: Crop) -> np.ndarray:
        """(samples,) of the recording, moved to the crop's key."""
        return self._heard(crop.note, crop.semitones, crop.start, self.samples)

    def _heard(self, note: int, semitones: float, start: int, samples: int) -> np.ndarray:
        if semitones:
            return transposed(self.data, note, semitones, start, samples)
        return self.data.audio(note, start, start + samples)


class ExcerptSource(CropSource):
    """Draws excerpts for the instrument's game, with their gestures, measured frequencies and a reference.
    hear: how likely each of the things that recordings have is put on a reference [hearing.py]."""

    def __init__(self, data: Prepared, samples: int, seed: int, *, hear: float = 0.0, **how: Any):
        super().__init__(data, samples, seed, **how)
        self.hear = hear

    def _start(self, rng: np.random.Generator, note: int, speed: float) -> int:
        """Where a crop begins: more than half of them at the onset."""
        length, hold = (int(n / speed) for n in (self.data.samples(note), int(self.data.hold[note])))
        last = length - 512  # crops near the end are mostly silence: the generator has to learn to stay silent
        if rng.random() >= 0.45 or last <= STRIKE:
            return 0
        start = int(rng.integers(STRIKE, last))
        if 0 < hold < length and rng.random() < 0.3:  # make sure that releases occur
            start = max(hold - int(rng.integers(self.samples // 2)), STRIKE)
        return start // HOP * HOP

    def _cents(self, crop: Crop) -> np.ndarray:
        """(blocks,) measured cents off the key at block centres."""
        centres = (crop.start + HOP * np.arange(block_count(self.samples))) * playback_rate(crop.semitones) / 512
        first = int(centres[0])
        track = self.data.f0_cents(crop.note, first, int(centres[-1]) + 2)
        return np.interp(centres - first, np.arange(len(track)), track).astype(np.float32)

    def _recorded(self, crop: Crop, how: Hearing) -> np.ndarray:
        """(LISTEN,) of the reference as it is heard."""
        sound = self._heard(crop.reference, crop.reference_semitones, 0, LISTEN + max(how.trimmed, 0))
        return how(sound)[:LISTEN]

    def batch(self, first: int, count: int) -> Excerpts:
        """Excerpts first .. first + count - 1."""
        d = self.data
        crops = [self._crop(first + i) for i in range(count)]
        heard = [hearing(self.hear, self.seed, first + i) for i in range(count)]
        trimmed = torch.tensor([h.trimmed for h in heard])
        note = torch.tensor([c.note for c in crops])
        reference = torch.tensor([c.reference for c in crops])
        cents = torch.from_numpy(np.stack([self._cents(c) for c in crops]))
        semitones = torch.tensor([c.semitones for c in crops])
        moved = torch.tensor([c.reference_semitones for c in crops])
        pitch = d.pitch[note] + semitones
        release = measured_release(d.hold[note], semitones)
        gesture = Gesture(
            pitch=pitch,
            velocity=d.velocity[note] / 127,
            release=release,
            start=torch.tensor([c.start for c in crops]),
            samples=self.samples,
            knots=pad_knots([_knots(c.start, self.samples, r) for c, r in zip(crops, release.tolist(), strict=True)]),
            f0=midi_to_hz(pitch.unsqueeze(-1) + cents / 100),
            take=torch.tensor([c.take for c in crops]),
        )
        return Excerpts(
            audio=torch.from_numpy(np.stack([self._audio(c) for c in crops])),
            gesture=gesture,
            tuning=measured_tuning(d, note, semitones),
            levels=d.harmonic_level[note],
            free_levels=d.free_level[note],
            cents=cents,
            reference=torch.from_numpy(np.stack([self._recorded(c, h) for c, h in zip(crops, heard, strict=True)])),
            reference_pitch=d.pitch[reference] + moved,
            reference_release=(measured_release(d.hold[reference], moved) - trimmed).clamp_min(0),
            instrument=d.instrument[note],
            preset=d.preset[note],
            style=d.style[note].float(),
        )


def measured_tuning(data: Prepared, notes: Tensor, semitones: Tensor) -> Tuning:
    """Where the partials of `notes` lie, (batch,) indices, which are moved by `semitones`."""
    return Tuning(
        ratios=data.ratios[notes],
        stretch=data.inharmonicity[notes],
        free=data.free_ratio[notes],
        active=(data.free_level[notes] > AUDIBLE_DB).float(),
        cents=data.tuning[notes],
        vibrato=_vibrato(data.vibrato[notes], semitones),
    )


def measured_release(hold: Tensor, semitones: Tensor) -> Tensor:
    """Samples since the onset of the moved notes."""
    return torch.where(hold < 0, torch.inf, torch.floor(hold / playback_rate(semitones)))


def _vibrato(measured: Tensor, semitones: Tensor) -> Tensor:
    """Vibrato slower than SLOWEST is drift that was mistaken for it: its depth is 0."""
    rate, depth, delay = measured.unbind(-1)
    speed = playback_rate(semitones)
    return torch.stack([rate * speed, depth * (rate > SLOWEST), delay / speed], -1)


def _knots(start: int, samples: int, release: float) -> np.ndarray:
    return knots(start, start + samples, None if math.isinf(release) else int(release))
