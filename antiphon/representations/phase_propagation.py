"""Phases for magnitudes, frame by frame, from the expected phase differences.

A phase vocoder advances the phase of each bin by its frequency, and locks neighbouring bins, since those of one partial
share one phase (Puckette 1995; Laroche & Dolson 1999). Here both are expectations over the unknown phases,

    advance[m, j] = E[exp i (phase[m, j] - phase[m, j-1])],        lock[m, j] = E[exp i (phase[m+1, j] - phase[m, j])]

complex numbers whose direction is the phase difference and whose length, up to 1, is its reliability. A frame takes the
previous one, rotated, and then neighbours vote:

    c = X[:, j-1] advance[:, j],     v[m] = c[m] + c[m-1] lock[m-1] + c[m+1] conj(lock[m]) + (new energy) chain[m]
    X[m, j] = magnitude[m, j] v[m] / |v[m]|

New energy, by which a bin is louder than before, has no past: its phases follow from bin to bin by `chain`, the product
of all the locks below, so that an attack stays an attack and is not smeared.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from antiphon.representations.heap_integration import HANN, slope

SILENT = 1e-6  # magnitude, -120 dB: below it nothing changes
TINY = 1e-20


@torch.no_grad()
def propagate(magnitude: Tensor, advance: Tensor, lock: Tensor) -> Tensor:
    """magnitude: (batch, bins, frames), at least 0; advance: complex, the same shape; lock: complex (batch, bins-1,
    frames) -> the phases as complex numbers of length 1, or 0 where nothing sounds."""
    new = torch.diff(magnitude, dim=2, prepend=torch.zeros_like(magnitude[..., :1])).clamp_min(0) * _chain(lock)
    spectrum = torch.zeros_like(new[..., 0])
    found = []
    frames = (x.movedim(2, 0).contiguous() for x in (magnitude, new, advance, lock, lock.conj().resolve_conj()))
    for now, fresh, step, bond, back in zip(*frames, strict=True):
        moved = spectrum * step
        vote = moved + fresh
        vote[:, 1:].addcmul_(moved[:, :-1], bond)
        vote[:, :-1].addcmul_(moved[:, 1:], back)
        phase = vote / vote.abs().clamp_min_(TINY)
        spectrum = phase * now
        found.append(phase)
    return torch.stack(found, 2)


@torch.no_grad()
def gaussian_turns(magnitude: Tensor, window: int, hop: int) -> tuple[Tensor, Tensor]:
    """Advance and lock estimated from the magnitudes alone, of length 1 (as in heap_integration.py, but there gradients
    are at points, while a difference averages those of the two points that it joins)."""
    s = magnitude.clamp_min(SILENT).log()
    scale = HANN * window / hop
    on, up = slope(s, 1) / scale, -scale * slope(s, 2)
    centre = 2 * math.pi * hop / window * torch.arange(s.shape[1], device=s.device).view(-1, 1)
    on = centre + torch.cat([on[..., :1], (on[..., 1:] + on[..., :-1]) / 2], -1)
    up = (up[:, 1:] + up[:, :-1]) / 2
    return torch.polar(torch.ones_like(on), on), torch.polar(torch.ones_like(up), up)


def _chain(lock: Tensor) -> Tensor:
    """(batch, bins, frames) of length 1: the directions of the locks, multiplied cumulatively from the lowest bin."""
    lock = lock + TINY  # a lock of length 0 counts as 1
    return torch.cat([torch.ones_like(lock[:, :1]), lock / lock.abs()], 1).cumprod(1)
