"""Pairs of stretches of one recording: what a scene's game hears, and what it plays instead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from antiphon.audio.mel import mel_bands
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.scenes import Scenes
from antiphon.networks.chance import Chance
from antiphon.networks.generators.scene import MARGIN, SHORT_HOP
from antiphon.networks.texture import FLOOR, LONG, LONG_BANDS, LONG_HOP
from antiphon.training.batches.batch import Tensors

APART = 20.0  # seconds between the two stretches of a pair, at most: a place stays itself for about so long
CELL = 8192  # samples of a cell of the long view
CELLS, GLIMPSES = 80, 3  # cells (15 s) of it, and moments at which each is imagined
LATEST = 3600.0  # seconds: where on the line of chance a crop may lie


@dataclass(frozen=True)
class Places(Tensors):
    """Stretches, two of one recording after each other: `audio` (batch, 2, samples) mid and side; `instrument` (batch,)
    and `style` (batch, 0); `rate`, `strength` (batch,) of the pulse; `knots` and `moments` (batch, n, features) of
    chance [networks/chance.py]. The long view of the first's recording: `levels` (cells, LONG_BANDS) in nepers, and
    chance at moments in these cells, `far_knots` and `far_moments` (cells * GLIMPSES, features)."""

    audio: Tensor
    instrument: Tensor
    style: Tensor
    rate: Tensor
    strength: Tensor
    knots: Tensor
    moments: Tensor
    levels: Tensor
    far_knots: Tensor
    far_moments: Tensor


@dataclass(frozen=True)
class Stretch:
    """Samples start.. of a recording, played `speed` times as fast."""

    recording: int
    start: int
    speed: float
    chance: int


class PlaceSource:
    """Draws stretches of `samples` samples; number i is always the same one. moved: share of the pairs played faster or
    slower by up to `semitones`."""

    def __init__(self, data: Scenes, samples: int, seed: int, moved: float = 0.5, semitones: float = 3.0):
        self.data, self.samples, self.seed = data, samples, seed
        self.moved, self.semitones = moved, semitones
        self.filters = mel_bands(SAMPLE_RATE, LONG, LONG_BANDS, 20.0, 20_000.0)
        chosen = data.where("train").tolist()
        labels = data.instrument[chosen].numpy()
        weight = np.sqrt([data.samples(i) for i in chosen])
        each = np.bincount(labels, weight)
        self.chosen, self.share = chosen, weight / each[labels] / len(np.unique(labels))

    def batch(self, first: int, count: int) -> Places:
        """Stretches first .. first + count - 1."""
        drawn = [self.stretch(i) for i in range(first, first + count)]
        at = torch.tensor([one.recording for one in drawn])
        rate = self.data.pulse[at, 0] * torch.tensor([one.speed for one in drawn])
        strength = self.data.pulse[at, 1].clamp_min(0)
        chance = [self._chance(one, float(r), float(s)) for one, r, s in zip(drawn, rate, strength, strict=True)]
        levels, knots, moments = self._far(drawn[0], float(rate[0]), float(strength[0]))
        return Places(
            audio=torch.from_numpy(np.stack([self._audio(one) for one in drawn])),
            instrument=self.data.instrument[at],
            style=torch.zeros(count, 0),
            rate=rate,
            strength=strength,
            knots=torch.from_numpy(np.stack([c[0] for c in chance])),
            moments=torch.from_numpy(np.stack([c[1] for c in chance])),
            levels=torch.from_numpy(levels),
            far_knots=torch.from_numpy(knots),
            far_moments=torch.from_numpy(moments),
        )

    def stretch(self, index: int) -> Stretch:
        rng = np.random.default_rng((self.seed, index // 2))
        recording = self.chosen[int(rng.choice(len(self.chosen), p=self.share))]
        speed = 2 ** (rng.uniform(-self.semitones, self.semitones) / 12) if rng.random() < self.moved else 1.0
        needed, length = self._needed(speed), self.data.samples(recording)
        free = max(length - 2 * needed, 0)
        if free:
            first = int(rng.integers(free + 1))
            starts = first, first + needed + int(rng.integers(min(free - first, int(APART * SAMPLE_RATE)) + 1))
        else:
            starts = int(rng.integers(max(length - needed, 0) + 1)), max(length - needed, 0)
        swapped = int(rng.integers(2))
        chance = int(rng.integers(1 << 62)) + index % 2
        return Stretch(recording, starts[(index + swapped) % 2], float(speed), chance)

    def _needed(self, speed: float) -> int:
        return int(self.samples * speed) + 16

    def _audio(self, one: Stretch) -> np.ndarray:
        """(2, samples) float32; a recording that is too short is repeated."""
        needed, length = self._needed(one.speed) if one.speed != 1 else self.samples, self.data.samples(one.recording)
        found = self.data.audio(one.recording, one.start, min(one.start + needed, length))
        while found.shape[1] < needed:
            found = np.concatenate([found, found], 1)
        found = found[:, :needed]
        if one.speed != 1:
            import soxr

            both = soxr.resample(found.T, SAMPLE_RATE * one.speed, SAMPLE_RATE, quality="LQ").T
            found = np.pad(both, ((0, 0), (0, max(self.samples - both.shape[1], 0))))
        return np.ascontiguousarray(found[:, : self.samples])

    def _chance(self, one: Stretch, rate: float, strength: float) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(one.chance)
        begin, turn = rng.uniform(10, LATEST), rng.uniform()
        chance = Chance(one.chance)

        def at(first: int, count: int, hop: int) -> tuple[np.ndarray, ...]:
            since = (first + np.arange(count)) * (hop / SAMPLE_RATE)
            return begin + since, turn + rate * since, np.full(count, rate), np.full(count, strength)

        return (
            chance.knots(*at(-MARGIN, self.samples // LONG_HOP + 2 * MARGIN + 1, LONG_HOP)),
            chance.moments(*at(-1, self.samples // SHORT_HOP + 3, SHORT_HOP)),
        )

    def _far(self, one: Stretch, rate: float, strength: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The long view: levels in cells, and chance in them."""
        length = self.data.samples(one.recording)
        cells = max(min(length // CELL, CELLS), 1)
        start = min(max(one.start - cells * CELL // 2, 0), max(length - cells * CELL, 0))
        sound = self.data.audio(one.recording, start, min(start + cells * CELL, length))[0]
        frames = np.pad(sound, (0, cells * CELL - len(sound))).reshape(cells, CELL // LONG, LONG)
        window = np.hanning(LONG + 1)[:-1].astype(np.float32) * (4 / LONG)
        power = np.abs(np.fft.rfft(frames * window, axis=-1)).astype(np.float32) ** 2
        levels = 0.5 * np.log(power.mean(1) @ self.filters.T + FLOOR)
        rng = np.random.default_rng((one.chance, 1))
        begin, turn = rng.uniform(10, LATEST), rng.uniform()
        since = (np.arange(cells).repeat(GLIMPSES) + np.sort(rng.uniform(size=(cells, GLIMPSES)), 1).ravel()) * (
            CELL / SAMPLE_RATE / one.speed
        )
        chance, count = Chance(one.chance + 7), len(since)
        where = begin + since, turn + rate * since, np.full(count, rate), np.full(count, strength)
        return levels.astype(np.float32), chance.knots(*where), chance.moments(*where)
