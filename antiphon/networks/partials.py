"""From curves to the sound of partials, in training, rehearsal and playing alike:

partials (where they lie, how loud they are at the knots) -> coefficients (complex, at blocks) -> oscillate
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.gesture import Curves, Gesture, Tuning
from antiphon.networks.layers import bounded
from antiphon.networks.oscillators import HOP, block_count, oscillate, oscillate_steady
from antiphon.networks.physics import (
    FREE_SLOTS,
    HARMONIC_SLOTS,
    TOP,
    carrier,
    chorus,
    harmonics_below_top,
    midi_to_hz,
    random_phases,
    stretched,
    unison_modulation,
)
from antiphon.representations.mel import hat_weights, mel

SILENT = -40.0  # nepers (-347 dB); much less would be denormal, and slow
UNEVEN, LOOSE = 0.8, 0.5  # dB by which beats may change a note's level where it begins; seconds until it is twice that
TOGETHER = 1 << 15  # partials x rows that a processor works on at once: more would not fit its cache


@dataclass(frozen=True)
class Bank:
    """The partials of notes. ratios: (batch, K) to f0, the 24 free slots and then the harmonics; level: (batch, t, K)
    log-amplitudes at the knots; real: (batch, K), False for padding, which comes last. harmonics: how many each note
    has. slots: (batch, K) which of the note's own partials, harmonics and then free ones, each is; always on the
    CPU."""

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
        """Only the partials in `kept`, (batch, K) booleans; padded to the note that keeps most."""
        most = max(int(kept.sum(1).max()), 1)
        index = torch.argsort(kept, dim=1, descending=True, stable=True)[:, :most]
        real = kept.gather(1, index)
        level = self.level.gather(2, index.unsqueeze(1).expand(-1, self.level.shape[1], -1))
        return Bank(self.ratios.gather(1, index), level, real, self.harmonics, self.slots.gather(1, index))

    def lots(self, rows: int) -> tuple[list[int], list[int]]:
        """How many notes are processed at once, each with `rows` rows per partial, and the partials of each such lot.
        On the CPU it is one note or a few, which fit its cache; on any other device all, since one note would not keep
        it busy."""
        if self.ratios.device.type != "cpu":
            return [len(self.ratios)], [self.ratios.shape[1]]
        counts, widths = [0], [1]
        for own in (self.real * torch.arange(1, self.real.shape[1] + 1)).amax(1).tolist():
            wide = max(widths[-1], own)
            if counts[-1] and (counts[-1] + 1) * wide * rows > TOGETHER:
                counts.append(1)
                widths.append(max(own, 1))
            else:
                counts[-1] += 1
                widths[-1] = wide
        return counts, widths

    def split(self, counts: list[int], widths: list[int]) -> Iterator[Bank]:
        """Lots of `counts` notes, with `widths` partials each."""
        columns = [x.split(counts) for x in (self.ratios, self.level, self.real, self.slots)]
        first = 0
        for ratios, level, real, slots, width in zip(*columns, widths, strict=True):
            own = self.harmonics[first : first + len(ratios)]
            first += len(ratios)
            yield Bank(ratios[:, :width], level[..., :width], real[:, :width], own, slots[:, :width])


def partials(curves: Curves, g: Gesture, tuning: Tuning, centres: Tensor) -> Bank:
    """The envelope read at each partial's frequency, plus the own levels of the low harmonics and the free slots; of
    each note, as many harmonics as fit below 18 kHz. centres: (bands,) mel of the envelope's bands."""
    nominal = midi_to_hz(g.pitch)
    harmonics = tuple(harmonics_below_top(f0) for f0 in nominal.tolist())
    most = max(harmonics)
    k = torch.arange(1, most + 1, device=nominal.device)
    stiff = stretched(k[HARMONIC_SLOTS:], tuning.stretch.unsqueeze(-1))
    ratios = torch.cat([tuning.free, tuning.ratios[:, :most], stiff], -1)
    own = torch.tensor(harmonics).unsqueeze(-1)
    slots = torch.cat([own + torch.arange(FREE_SLOTS), torch.arange(most).minimum(own - 1)], 1)
    below_top = k <= own.to(k.device, non_blocking=True)
    real = torch.cat([torch.ones_like(tuning.free, dtype=torch.bool), below_top], -1)
    gains = torch.cat([tuning.gains, below_top.float()], -1)
    hz = nominal.unsqueeze(-1) * ratios
    level = curves.envelope @ hat_weights(mel(hz), centres.expand(len(hz), -1)).transpose(1, 2)
    low = curves.harmonics[..., :most]
    low = torch.nn.functional.pad(low, (0, most - low.shape[-1]))
    level = bounded(level + torch.cat([curves.free, low], -1), -14, 2)
    heard = (hz > 18) & (hz < TOP + 500)
    return Bank(ratios, level + torch.log(gains * heard + 1e-7).unsqueeze(1), real, harmonics, slots)


@dataclass(frozen=True)
class Blocks:
    """Where the blocks of notes lie. pitch: (batch,) MIDI. take: (batch,). start: (batch,) samples since the onset at
    the centre of the first block. place: (batch, blocks, t) weight of each knot's level in a block. cycles: (batch,
    blocks) of f0 per sample, of which `gone`, (batch, blocks) float64, have gone by; None: counted from the first."""

    pitch: Tensor
    take: Tensor
    start: Tensor
    place: Tensor
    cycles: Tensor
    gone: Tensor | None = None

    @classmethod
    def of(cls, g: Gesture) -> Blocks:
        """Those of a gesture."""
        times = g.start.unsqueeze(-1) + HOP * torch.arange(block_count(g.samples), device=g.start.device)
        place = hat_weights(times.to(g.knots.dtype), g.knots)
        return cls(g.pitch, g.take, g.start, place, g.f0 / SAMPLE_RATE)


def coefficients(bank: Bank, ensemble: Tensor, detune: Tensor, b: Blocks, even: bool = False) -> Tensor:
    """(batch, blocks, K) complex amplitudes of every partial at the centres of blocks. ensemble: (batch, t) at the
    knots, detune: (batch,), as in `Curves`. even: keep the beats of the copies from making one take of a note louder
    than another while it begins."""
    phase, copies = _phases(bank, b.take)
    depth = b.place @ ensemble.unsqueeze(-1)
    level = bank.level.masked_fill(~bank.real.unsqueeze(1), SILENT)
    hz = midi_to_hz(b.pitch).unsqueeze(-1) * bank.ratios
    unison = unison_modulation(copies, detune, hz, b.start, b.cycles.shape[-1])
    plain = torch.exp(b.place @ level)
    sounding = plain * carrier(b.cycles, bank.ratios, phase, b.gone) * chorus(unison, depth)
    return sounding.mul_(_evened(plain, sounding, b).unsqueeze(-1)) if even else sounding


def _evened(plain: Tensor, sounding: Tensor, b: Blocks) -> Tensor:
    """(batch, blocks) gains that keep the power of all partials together within UNEVEN dB of what it would be without
    beats, that of `plain`, when a note begins, and further from it the longer it sounds."""
    power = torch.linalg.vector_norm(torch.view_as_real(sounding).flatten(-2), dim=-1)
    change = power / torch.linalg.vector_norm(plain, dim=-1).clamp_min(1e-15)
    decibels = 20 * torch.log10(change.clamp_min(1e-3))
    seconds = (b.start.unsqueeze(-1) + HOP * torch.arange(plain.shape[1], device=plain.device)) / SAMPLE_RATE
    most = UNEVEN * (1 + (seconds / LOOSE).square())
    return 10 ** ((most * torch.tanh(decibels / most) - decibels) / 20)


def play(bank: Bank, curves: Curves, g: Gesture, steady: float) -> Tensor:
    """(batch, samples) the sound of every note's partials. Where f0 stays within `steady` cents, blocks use its mean as
    their frequency."""
    counts, widths = bank.lots(block_count(g.samples))
    lots = zip(
        bank.split(counts, widths),
        curves.ensemble.split(counts),
        curves.detune.split(counts),
        g.split(counts),
        strict=True,
    )
    return torch.cat(
        [
            _oscillate(coefficients(few, ensemble, detune, Blocks.of(own)), few.ratios, own, steady)
            for few, ensemble, detune, own in lots
        ]
    )


def _oscillate(coefficient: Tensor, ratios: Tensor, g: Gesture, steady: float) -> Tensor:
    """Notes of steady pitch by one matrix product each, others block by block."""
    cycles = g.f0 / SAMPLE_RATE
    still = cycles.amax(1) / cycles.amin(1) < 2 ** (2 * steady / 1200)
    still_ones, moving = torch.nonzero(still).flatten(), torch.nonzero(~still).flatten()
    parts = []
    if len(still_ones):
        f = (cycles[still_ones].mean(1, keepdim=True) * ratios[still_ones]).clamp(max=0.49)
        parts.append(oscillate_steady(coefficient[still_ones], f, g.samples))
    if len(moving):
        f = (cycles[moving].unsqueeze(-1) * ratios[moving].unsqueeze(1)).clamp(max=0.49)
        parts.append(oscillate(coefficient[moving], f, g.samples))
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts)[torch.argsort(torch.cat([still_ones, moving]))]


def _phases(bank: Bank, takes: Tensor) -> tuple[Tensor, Tensor]:
    """Start phases (batch, K) and unison copies (batch, 2, COPIES, K), for each note the same as if it were alone."""
    phases, copies = [], []
    for take, own, slots in zip(takes.tolist(), bank.harmonics, bank.slots, strict=True):
        phase, copy = random_phases(take, own + FREE_SLOTS)
        phases.append(phase[slots])
        copies.append(copy[..., slots])
    device = bank.ratios.device
    return torch.stack(phases).to(device, non_blocking=True), torch.stack(copies).to(device, non_blocking=True)
