"""The instrument's partials for a whole batch at once, padded to the note with most: what `InstrumentGenerator` does
note by note, in a hundredth of the kernel launches. For graphics cards; a processor is faster note by note."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from antiphon.networks.generators.physics import (
    COPIES,
    FREE_SLOTS,
    HARMONIC_SLOTS,
    SAMPLE_RATE,
    TOP,
    harmonics_below_top,
    midi_to_hz,
    random_phases,
    stretched,
    turn,
)
from antiphon.networks.layers import bounded, hat_weights, mel
from antiphon.networks.oscillators import HOP, block_count, cycles_at_blocks, oscillate, oscillate_steady

if TYPE_CHECKING:
    from antiphon.networks.generators.instrument import Curves, Gesture, Tuning


@dataclass(frozen=True)
class Bank:
    """ratios: (batch, K) to f0, the harmonics and then the 24 free slots; level: (batch, t, K) log-amplitudes at the
    knots; real: (batch, K), False for padding. harmonics: of each note, how many are real."""

    ratios: Tensor
    level: Tensor
    real: Tensor
    harmonics: tuple[int, ...]


def partials(curves: Curves, g: Gesture, tuning: Tuning, centres: Tensor) -> Bank:
    """As `InstrumentGenerator.partials`, of every note. centres: (bands,) mel of the envelope's bands."""
    nominal = midi_to_hz(g.pitch)
    harmonics = tuple(harmonics_below_top(f0) for f0 in nominal.tolist())
    most = max(harmonics)
    k = torch.arange(1, most + 1, device=nominal.device)
    stiff = stretched(k[HARMONIC_SLOTS:], tuning.stretch.unsqueeze(-1))
    ratios = torch.cat([tuning.ratios[:, :most], stiff, tuning.free], -1)
    below_top = k <= torch.tensor(harmonics).to(k.device, non_blocking=True).unsqueeze(-1)
    real = torch.cat([below_top, torch.ones_like(tuning.free, dtype=torch.bool)], -1)
    gains = torch.cat([below_top.float(), tuning.gains], -1)
    hz = nominal.unsqueeze(-1) * ratios
    level = curves.envelope @ hat_weights(mel(hz), centres.expand(len(hz), -1)).transpose(1, 2)
    own = curves.harmonics[..., :most]
    own = torch.nn.functional.pad(own, (0, most - own.shape[-1]))
    level = bounded(level + torch.cat([own, curves.free], -1), -14, 2)
    heard = (hz > 18) & (hz < TOP + 500)
    return Bank(ratios, level + torch.log(gains * heard + 1e-7).unsqueeze(1), real, harmonics)


def play(bank: Bank, curves: Curves, g: Gesture, inaudible: float, steady: float) -> Tensor:
    """(batch, samples) the sound of the partials of every note."""
    phase, copies = _phases(bank, g)
    blocks = block_count(g.samples)
    times = g.start.unsqueeze(-1) + HOP * torch.arange(blocks, device=g.start.device)
    place = hat_weights(times.to(g.knots.dtype), g.knots)
    depth = place @ curves.ensemble.unsqueeze(-1)
    cycles = g.f0 / SAMPLE_RATE
    turns = cycles_at_blocks(cycles).unsqueeze(-1) * bank.ratios.double().unsqueeze(1) + phase.unsqueeze(1)
    audible = bank.real & (bank.level.amax(1) > inaudible)
    coefficient = torch.exp(place @ bank.level) * audible.unsqueeze(1) * turn(turns)
    unison = _unison(copies, midi_to_hz(g.pitch).unsqueeze(-1) * bank.ratios, g.start, blocks)
    coefficient = coefficient * (1 - depth + depth * unison)
    still = cycles.amax(1) / cycles.amin(1) < 2 ** (2 * steady / 1200)
    return _oscillate(coefficient, cycles, bank.ratios, still, g.samples)


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
    count = bank.ratios.shape[1]
    most = count - FREE_SLOTS
    phase = torch.zeros(len(bank.harmonics), count, dtype=torch.float64)
    copies = torch.zeros(len(bank.harmonics), 2, COPIES, count)
    for i, (take, own) in enumerate(zip(g.take.tolist(), bank.harmonics, strict=True)):
        drawn, drawn_copies = random_phases(take, own + FREE_SLOTS)
        phase[i, :own], phase[i, most:] = drawn[:own], drawn[own:]
        copies[i, ..., :own], copies[i, ..., most:] = drawn_copies[..., :own], drawn_copies[..., own:]
    device = bank.ratios.device
    return phase.to(device, non_blocking=True), copies.to(device, non_blocking=True)


def _unison(copies: Tensor, hz: Tensor, start: Tensor, blocks: int) -> Tensor:
    """(batch, blocks, K): `unison_modulation` of every partial of every note, a copy at a time."""
    phase, cents = copies.double().unbind(1)  # (batch, COPIES, K) each
    speed = hz.double().unsqueeze(1) * (torch.exp2(cents / 1200) - 1) / SAMPLE_RATE
    at = start.unsqueeze(-1) + HOP * torch.arange(blocks, device=start.device)
    turns = [turn(phase[:, u, None] + speed[:, u, None] * at.unsqueeze(-1)) for u in range(COPIES)]
    return torch.stack(turns).sum(0) / math.sqrt(COPIES)
