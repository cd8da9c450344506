"""The physics of the instrument, in small pieces: where partials lie, how their phases turn, what is random in them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.oscillators import HOP, cycles_at_blocks, unit

HARMONIC_SLOTS, FREE_SLOTS = 64, 24  # ratios measured per note; harmonics above the 64th follow the stretch
MAX_HARMONICS = 256
TOP = 18_000.0  # Hz; no partial above
DRIFTS, COPIES = 6, 4  # slow random waves that the trunk is given; unison copies of an ensemble


def midi_to_hz(pitch: Tensor) -> Tensor:
    return 440.0 * torch.exp2((pitch - 69.0) / 12.0)


def hz_to_midi(hz: Tensor) -> Tensor:
    return 69.0 + 12.0 * torch.log2(hz / 440.0)


def at_blocks(values: Tensor, position: Tensor) -> Tensor:
    """(batch, t) values (batch, blocks) interpolated at fractional positions (batch, t); constant beyond the ends."""
    last = values.shape[-1] - 1
    position = position.clamp(0, last)
    left = position.long()
    frac = position - left
    return values.gather(-1, left) * (1 - frac) + values.gather(-1, (left + 1).clamp(max=last)) * frac


def stretched(k: Tensor, stretch: Tensor) -> Tensor:
    """Ratios of a stiff string (Fletcher 1964): k sqrt((1 + B k^2) / (1 + B))."""
    return k * torch.sqrt((1 + stretch * k * k) / (1 + stretch))


def harmonics_below_top(f0: float) -> int:
    """How many harmonics of f0 (Hz) are played."""
    return int(np.clip(TOP / f0, 1, MAX_HARMONICS))


def random_phases(take: int, count: int) -> tuple[Tensor, Tensor]:
    """(count,) start phases in cycles, and (2, COPIES, count): the unison copies' phases in cycles and their detune in
    units of the ensemble's."""
    rng = np.random.default_rng((take, 1))
    phase = torch.from_numpy(rng.random(count))
    copies = torch.from_numpy(rng.random((COPIES, count), dtype=np.float32))
    detune = torch.from_numpy(rng.standard_normal((COPIES, 1), dtype=np.float32)).expand(-1, count)
    return phase, torch.stack([copies, detune])


def carrier(cycles: Tensor, ratios: Tensor, phase: Tensor, gone: Tensor | None = None) -> Tensor:
    """(..., blocks, K) unit phasors of partials `ratios` (..., K) of f0 with `cycles` (..., blocks) per sample
    at block centres, of which `gone` (..., blocks), float64, have gone by (default: counted from the first block)."""
    if bool((cycles == cycles[..., :1]).all()):
        speed = cycles[..., :1].double() * HOP * ratios.double()
        if gone is not None:
            phase = torch.addcmul(phase, gone[..., :1], ratios.double())
        return spin(speed.unsqueeze(-1), phase.unsqueeze(-1), cycles.shape[-1])
    gone = cycles_at_blocks(cycles) if gone is None else gone
    return turn(torch.addcmul(phase.unsqueeze(-2), gone.unsqueeze(-1), ratios.double().unsqueeze(-2)))


def unison_modulation(copies: Tensor, detune: Tensor, hz: Tensor, start: Tensor, blocks: int) -> Tensor:
    """(..., blocks, K) complex, mean power 1, of notes that begin at `start` (...) samples and whose copies lie
    `detune` (...) cents apart (their standard deviation). Detuned copies are a slow complex modulation of a partial,
    since sum_u e^{i 2 pi (f + d_u) t} = e^{i 2 pi f t} sum_u e^{i 2 pi d_u t}: an ensemble costs no oscillators."""
    phase, apart = copies.double().transpose(-1, -2).unbind(-3)  # (..., K, COPIES) each
    speed = hz.double().unsqueeze(-1) * (torch.exp2(detune[..., None, None] * apart / 1200) - 1) / SAMPLE_RATE
    return spin(speed * HOP, phase + speed * start[..., None, None], blocks) / math.sqrt(COPIES)


def chorus(unison: Tensor, share: Tensor) -> Tensor:
    """The factor of a partial of whose amplitude `share` (0..1) is its copies': of mean power 1, so that movement does
    not change loudness."""
    return (1 - share.square()).clamp_min(1e-4).sqrt() + share * unison


def turn(cycles: Tensor) -> Tensor:
    """e^{i 2 pi cycles}, complex64, for any number of cycles, float64."""
    return unit(cycles.frac().float() * (2 * math.pi))


def spin(speed: Tensor, phase: Tensor, blocks: int) -> Tensor:
    """(..., blocks, K) sum over u of e^{i 2 pi (phase + j speed)} for j = 0, 1, ...; speed (cycles per block) and
    phase: (..., K, u).

    Equal steps, so e^{i(16 m + r)x} factors into two small tables and a matrix product, and few sines are computed."""
    side = 16
    rows = torch.arange(-(-blocks // side), device=speed.device).unsqueeze(-1) * side
    coarse = turn(rows * speed.unsqueeze(-2) + phase.unsqueeze(-2))  # (..., K, m, u)
    fine = turn(torch.arange(side, device=speed.device) * speed.unsqueeze(-1))  # (..., K, u, r)
    return (coarse @ fine).flatten(-2)[..., :blocks].transpose(-1, -2)


def slow_waves(take: Tensor, knots: Tensor) -> Tensor:
    """(batch, t, DRIFTS) seeded smooth noise below 7 Hz, of unit variance: what differs between takes."""
    rows = [np.random.default_rng((int(s), 2)).random((2, DRIFTS, 4)) for s in take.tolist()]
    draw = torch.from_numpy(np.stack(rows).astype(np.float32)).to(knots.device, non_blocking=True)
    rate = 0.3 * torch.exp(draw[:, 0] * math.log(7 / 0.3))
    angle = 2 * math.pi * (knots[..., None, None] / SAMPLE_RATE * rate.unsqueeze(1) + draw[:, 1].unsqueeze(1))
    return torch.sin(angle).sum(-1) * math.sqrt(2 / 4)


def pick(table: Tensor, take: Tensor, frames: Tensor) -> Tensor:
    """(batch, frames, bins) each note's part of the noise table, wrapped around: the frames numbered `frames`,
    (frames,) or (batch, frames)."""
    first = (take * 2_654_435_761) % table.shape[0]
    rows = (first.unsqueeze(-1) + frames) % table.shape[0]
    return table.index_select(0, rows.flatten()).unflatten(0, rows.shape)
