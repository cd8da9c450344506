"""Each partial's level against what the recording shows at its frequency.

A spectral loss on the sum of all sources says little about a partial that noise covers, and early in training noise
covers everything: the generator then plays hiss for every instrument. Reading the recording's spectrum at the
partials' known frequencies gives each of them a direct gradient from the first step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.gesture import Gesture
from antiphon.networks.oscillators import HOP, block_count
from antiphon.networks.partials import Bank
from antiphon.representations.mel import hat_weights
from antiphon.representations.spectral import magnitude

STEP = 1024  # samples between the frames compared
FLOOR = 1e-4  # -80 dB of full scale
LOW = 110.0  # Hz: below this, partials lie closer than a window of 2048 can separate


def partials_loss(bank: Bank, g: Gesture, audio: Tensor) -> Tensor:
    """Mean over notes, frames and partials of |log level - log of the recording's magnitude there|, weighted by the
    square root of that magnitude. audio: (batch, samples) the recordings. -> scalar"""
    low = g.f0[:, 0] < LOW
    losses = []
    for window, chosen in ((2048, torch.nonzero(~low).flatten()), (4096, torch.nonzero(low).flatten())):
        if len(chosen):
            spectra = magnitude(audio[chosen].detach(), window, STEP, padding=2).transpose(1, 2)
            few, gestures = bank[chosen], g[chosen]
            counts, widths = few.lots(block_count(g.samples))
            lots = zip(few.split(counts, widths), gestures.split(counts), spectra.split(counts), strict=True)
            losses += [_of_notes(*lot, window) for lot in lots]
    return torch.cat(losses).mean()


def _of_notes(bank: Bank, g: Gesture, spectra: Tensor, window: int) -> Tensor:
    """(batch,) the loss of each note."""
    f0 = g.f0[:, :: STEP // HOP]
    bins = (f0.unsqueeze(-1) * bank.ratios.unsqueeze(1) * (2 * window / SAMPLE_RATE)).round().long().clamp(max=window)
    target = spectra.gather(-1, bins)
    times = g.start.unsqueeze(-1) + STEP * torch.arange(f0.shape[-1], device=f0.device)
    played = torch.exp(hat_weights(times.to(g.knots.dtype), g.knots) @ bank.level)
    heard = (times >= window // 2).unsqueeze(-1)  # a window that begins before the onset reads too low
    return compare_levels(played, target, heard & bank.real.unsqueeze(1))


def compare_levels(drawn: Tensor, target: Tensor, heard: Tensor) -> Tensor:
    """(...) weighted mean of |log drawn - log target| over (..., frames, partials) amplitudes, where `heard`."""
    weight = (target + FLOOR).sqrt() * heard
    error = (torch.log(drawn + FLOOR) - torch.log(target + FLOOR)).abs()
    return (weight * error).sum((-2, -1)) / weight.sum((-2, -1)).clamp_min(1e-3)
