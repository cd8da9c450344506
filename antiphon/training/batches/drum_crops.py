"""From a prepared file of hits to training batches, as `excerpts` does with notes.

A hit and the hit its style is encoded from are turned into another drum of the same make, both in the same way. Each of
two changes is made half of the time: moved up or down by resampling, since size is what two drums of a kind differ in
most; and damped, made brighter or darker [training/batches/reshape.py].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.modes import AUDIBLE_DB
from antiphon.data.prepared import Prepared
from antiphon.networks.encoders.note import LISTEN
from antiphon.networks.generators.one_shot import NOMINAL, STRIKE, Ringing, gliding
from antiphon.networks.gesture import Gesture
from antiphon.networks.oscillators import HOP
from antiphon.networks.timegrid import knots, pad_knots
from antiphon.training.batches.excerpts import Crop, CropSource, Originals
from antiphon.training.batches.reshape import BEFORE, Reshape
from antiphon.training.batches.transpose import playback_rate

FARTHEST = 4.0  # semitones


@dataclass(frozen=True)
class Hits(Originals):
    """A batch of hits, each with another of the same drum. tuning: measured modes and glide. levels: (batch, 32) dB of
    the modes. reference_pitch and reference_release are what an encoder of notes is conditioned on."""

    tuning: Ringing
    levels: Tensor


@dataclass(frozen=True)
class Stroke(Crop):
    """reshape: how the hit and its reference are changed beyond their pitch."""

    reshape: Reshape


class StrokeSource(CropSource):
    """Draws crops of `samples` samples from hits. moved: how often they are moved in pitch; reshaped: how often they
    are damped, made brighter or darker."""

    def __init__(
        self, data: Prepared, samples: int, seed: int, *, moved: float = 0.5, reshaped: float = 0.5, **how: Any
    ):
        super().__init__(data, samples, seed, **how)
        self.moved, self.reshaped = moved, reshaped

    def _start(self, rng: np.random.Generator, note: int, speed: float) -> int:
        """Mostly the onset; now and then a later part of hits longer than a crop."""
        last = self.data.samples(note) - self.samples // 2
        if rng.random() >= 0.3 or last <= STRIKE:
            return 0
        return int(rng.integers(STRIKE, last)) // HOP * HOP

    def _stroke(self, index: int) -> Stroke:
        rng = np.random.default_rng((self.seed, index, 1))
        semitones = float(rng.uniform(-FARTHEST, FARTHEST)) if rng.random() < self.moved else 0.0
        crop = replace(self._crop(index), semitones=semitones, reference_semitones=semitones)
        seconds = self.data.samples(crop.note) / playback_rate(semitones) / SAMPLE_RATE
        reshape = Reshape.drawn(rng, seconds) if rng.random() < self.reshaped else Reshape()
        return Stroke(**vars(crop), reshape=reshape)

    def _audio(self, crop: Stroke) -> np.ndarray:  # type: ignore[override]
        return self._reshaped(crop, crop.note, crop.start, self.samples)

    def _reference(self, crop: Stroke) -> np.ndarray:  # type: ignore[override]
        return self._reshaped(crop, crop.reference, 0, LISTEN)

    def _reshaped(self, stroke: Stroke, note: int, start: int, samples: int) -> np.ndarray:
        """(samples,) of a hit, moved and reshaped."""
        if not stroke.reshape:
            return self._heard(note, stroke.semitones, start, samples)
        before = min(start, BEFORE)
        heard = self._heard(note, stroke.semitones, start - before, samples + before)
        return stroke.reshape(np.pad(heard, (BEFORE - before, 0)), start)

    def batch(self, first: int, count: int) -> Hits:
        """Crops first .. first + count - 1."""
        d, crops = self.data, [self._stroke(first + i) for i in range(count)]
        note = torch.tensor([c.note for c in crops])
        speed, start = torch.tensor([playback_rate(c.semitones) for c in crops]), torch.tensor([c.start for c in crops])
        hz, levels = d.modes[note].unbind(-1)
        octaves, seconds = d.glide[note].unbind(-1)
        glide = torch.stack([octaves, seconds / speed], -1)
        nominal = torch.full((count,), float(d.pitch[note[0]]))
        gesture = Gesture(
            pitch=nominal,
            velocity=d.velocity[note] / 127,
            release=torch.full((count,), torch.inf),
            start=start,
            samples=self.samples,
            knots=pad_knots([knots(c.start, c.start + self.samples, None) for c in crops]),
            f0=gliding(glide, nominal, start, self.samples),
            take=torch.tensor([c.take for c in crops]),
        )
        active = (levels > AUDIBLE_DB).float()
        return Hits(
            audio=torch.from_numpy(np.stack([self._audio(c) for c in crops])),
            gesture=gesture,
            tuning=Ringing(hz * speed.unsqueeze(-1) / NOMINAL, active, glide),
            levels=levels,
            reference=torch.from_numpy(np.stack([self._reference(c) for c in crops])),
            reference_pitch=nominal,
            reference_release=torch.full((count,), torch.inf),
            instrument=d.instrument[note],
            preset=d.preset[note],
            style=d.style[note].float(),
        )
