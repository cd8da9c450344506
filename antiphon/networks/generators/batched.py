"""The instrument's partials for a whole batch at once, padded to the note with most: what `InstrumentGenerator` does
note by note, in a hundredth of the operations. For graphics cards, and for playing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from antiphon.networks.generators.physics import (
    FREE_SLOTS,
    HARMONIC_SLOTS,
    SAMPLE_RATE,
    TOP,
    carrier,
    chorus,
    harmonics_below_top,
    midi_to_hz,
    random_phases,
    stretched,
    unison_modulation,
)
from antiphon.networks.layers import bounded
from antiphon.networks.oscillators import HOP, block_count, oscillate, oscillate_steady
from antiphon.representations.mel import hat_weights, mel

if TYPE_CHECKING:
    from antiphon.networks.gesture import Curves, Gesture, Tuning


@dataclass(frozen=True)
class Bank:
    """ratios: (batch, K) to f0, the harmonics and then the 24 free slots; level: (batch, t, K) log-amplitudes at the
    knots; real: (batch, K), False for padding. harmonics: of each note, how many it has. slots: (batch, K) which of
    the note's own partials, harmonics and then free ones, each is; always in the processor's memory."""

    ratios: Tensor
    level: Tensor
    real: Tensor
    harmonics: tuple[int, ...]
    slots: Tensor

    def __getitem__(self, index: Tensor) -> Bank:
        own = tuple(self.harmonics[i] for i in index.tolist())
        return Bank(self.ratios[index], self.level[index], self.real[index], own, self.slots[index])

    def audible(self, above: Tensor) -> Tensor:
        """(batch, K) whether a partial is louder than `above`, (batch,) nepers, at any time."""
        return self.real & (self.level.amax(1) > above.unsqueeze(-1))

    def only(self, kept: Tensor) -> Bank:
        """The partials that are kept, (batch, K) booleans; padded to the note that keeps most."""
        most = max(int(kept.sum(1).max()), 1)
        index = torch.argsort(kept, dim=1, descending=True, stable=True)[:, :most]
        real = kept.gather(1, index)
        level = self.level.gather(2, index.unsqueeze(1).expand(-1, self.level.shape[1], -1))
        return Bank(self.ratios.gather(1, index), level, real, self.harmonics, self.slots.gather(1, index))


SILENT = -1e4  # nepers


def partials(curves: Curves, g: Gesture, tuning: Tuning, centres: Tensor) -> Bank:
    """As `InstrumentGenerator.partials`, of every note. centres: (bands,) mel of the envelope's bands."""
    nominal = midi_to_hz(g.pitch)
    harmonics = tuple(harmonics_below_top(f0) for f0 in nominal.tolist())
    most = max(harmonics)
    k = torch.arange(1, most + 1, device=nominal.device)
    stiff = stretched(k[HARMONIC_SLOTS:], tuning.stretch.unsqueeze(-1))
    ratios = torch.cat([tuning.ratios[:, :most], stiff, tuning.free], -1)
    own = torch.tensor(harmonics).unsqueeze(-1)
    slots = torch.cat([torch.arange(most).minimum(own - 1), own + torch.arange(FREE_SLOTS)], 1)
    below_top = k <= own.to(k.device, non_blocking=True)
    real = torch.cat([below_top, torch.ones_like(tuning.free, dtype=torch.bool)], -1)
    gains = torch.cat([below_top.float(), tuning.gains], -1)
    hz = nominal.unsqueeze(-1) * ratios
    level = curves.envelope @ hat_weights(mel(hz), centres.expand(len(hz), -1)).transpose(1, 2)
    low = curves.harmonics[..., :most]
    low = torch.nn.functional.pad(low, (0, most - low.shape[-1]))
    level = bounded(level + torch.cat([low, curves.free], -1), -14, 2)
    heard = (hz > 18) & (hz < TOP + 500)
    return Bank(ratios, level + torch.log(gains * heard + 1e-7).unsqueeze(1), real, harmonics, slots)


def coefficients(bank: Bank, curves: Curves, g: Gesture) -> Tensor:
    """(batch, blocks, K) complex amplitudes of every partial at the centres of blocks."""
    phase, copies = _phases(bank, g)
    blocks = block_count(g.samples)
    times = g.start.unsqueeze(-1) + HOP * torch.arange(blocks, device=g.start.device)
    place = hat_weights(times.to(g.knots.dtype), g.knots)
    depth = place @ curves.ensemble.unsqueeze(-1)
    level = bank.level.masked_fill(~bank.real.unsqueeze(1), SILENT)
    hz = midi_to_hz(g.pitch).unsqueeze(-1) * bank.ratios
    unison = unison_modulation(copies, curves.detune, hz, g.start, blocks)
    return torch.exp(place @ level) * carrier(g.f0 / SAMPLE_RATE, bank.ratios, phase) * chorus(unison, depth)


def play(bank: Bank, curves: Curves, g: Gesture, steady: float) -> Tensor:
    """(batch, samples) the sound of the partials of every note. Where f0 stays within `steady` cents, blocks take its
    mean for their frequency."""
    cycles = g.f0 / SAMPLE_RATE
    still = cycles.amax(1) / cycles.amin(1) < 2 ** (2 * steady / 1200)
    return _oscillate(coefficients(bank, curves, g), cycles, bank.ratios, still, g.samples)


def _oscillate(coefficient: Tensor, cycles: Tensor, ratios: Tensor, still: Tensor, samples: int) -> Tensor:
    """Notes of steady pitch by one matrix product each, the others block by block."""
    steady, moving = torch.nonzero(still).flatten(), torch.nonzero(~still).flatten()
    parts = []
    if len(steady):
        f = (cycles[steady].mean(1, keepdim=True) * ratios[steady]).clamp(max=0.49)
        parts.append(oscillate_steady(coefficient[steady], f, samples))
    if len(moving):
        f = (cycles[moving].unsqueeze(-1) * ratios[moving].unsqueeze(1)).clamp(max=0.49)
        parts.append(oscillate(coefficient[moving], f, samples))
    return torch.cat(parts)[torch.argsort(torch.cat([steady, moving]))]


def _phases(bank: Bank, g: Gesture) -> tuple[Tensor, Tensor]:
    """Start phases (batch, K) and unison copies (batch, 2, COPIES, K), each note's the same as if it were alone."""
    phases, copies = [], []
    for take, own, slots in zip(g.take.tolist(), bank.harmonics, bank.slots, strict=True):
        phase, copy = random_phases(take, own + FREE_SLOTS)
        phases.append(phase[slots])
        copies.append(copy[..., slots])
    device = bank.ratios.device
    return torch.stack(phases).to(device, non_blocking=True), torch.stack(copies).to(device, non_blocking=True)
