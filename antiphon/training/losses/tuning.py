"""Training the tuner: spectral losses say nothing usable about frequency, so it learns from measurements."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import FREE_HIGH, FREE_LOW, FREE_SLOTS
from antiphon.networks.gesture import Curves, Tuning
from antiphon.networks.oscillators import HOP
from antiphon.networks.physics import at_blocks
from antiphon.training.batches.excerpts import Excerpts

VIBRATO_WINDOW = 69  # blocks in 0.2 s: a moving mean over one cycle of vibrato leaves the drift


def tuning_losses(predicted: Tuning, curves: Curves, knots: Tensor, batch: Excerpts) -> Tensor:
    """Ratios and free partials weighted by loudness, tuning and drift in cents, vibrato; curves: at `knots`.
    -> scalar"""
    loud = 10 ** (batch.levels.clamp(-60, 0) / 40) * (batch.levels > -50)
    cents_off = 1200 * (torch.log2(predicted.ratios) - torch.log2(batch.tuning.ratios.clamp_min(0.1)))
    ratios = (loud * (cents_off / 20).abs().clamp(max=10)).sum() / loud.sum().clamp_min(1)

    sounding = batch.tuning.active
    worth = sounding * 10 ** (batch.free_levels.clamp(-60, 0) / 40)  # how well each free partial is heard
    likely = predicted.active.float().clamp(1e-4, 1 - 1e-4)
    active = (F.binary_cross_entropy(likely, sounding, reduction="none") * (0.5 + 4 * worth)).mean()
    step = math.log(FREE_HIGH / FREE_LOW) / FREE_SLOTS
    apart = torch.log(predicted.free.clamp_min(0.1) / batch.tuning.free.clamp_min(0.1)) / step
    free = (worth * apart.abs()).sum() / worth.sum().clamp_min(1)

    tuning = ((predicted.cents - batch.tuning.cents) / 20).abs().mean()
    rate, depth, delay = (predicted.vibrato - batch.tuning.vibrato).abs().unbind(-1)
    shakes = (batch.tuning.vibrato[:, 1] > 3).float()
    # no vibrato can be measured in a short note; squared, because the absolute error is mostly smallest for "none"
    long_enough = (batch.gesture.release / SAMPLE_RATE).clamp(max=1)
    vibrato = (long_enough * (depth / 10).square().clamp(max=4)).mean() + (shakes * (rate / 2 + delay)).mean()
    return ratios + active + free + tuning + vibrato + _drift(curves, knots, batch)


def _drift(curves: Curves, knots: Tensor, batch: Excerpts) -> Tensor:
    """The slow part of the measured f0, relative to the tuning, against the trunk's curve at its knots."""
    measured = (batch.cents - batch.tuning.cents.unsqueeze(-1)).clamp(-100, 100)
    half = VIBRATO_WINDOW // 2
    smooth = F.avg_pool1d(F.pad(measured.unsqueeze(1), (half, half), mode="replicate"), VIBRATO_WINDOW, 1).squeeze(1)
    g = batch.gesture
    wanted = at_blocks(smooth, (knots - g.start.unsqueeze(-1)) / HOP)
    return ((curves.drift - wanted) / 20).abs().mean()
