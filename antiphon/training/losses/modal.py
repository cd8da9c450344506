"""Training a drum's modes and their glide from measurements, since spectral losses cannot teach them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.networks.generators.one_shot import Ringing

OCTAVES, NEPERS = 0.25, 0.7  # errors of a glide's depth and of its time that count alike


def modal_loss(predicted: Ringing, measured: Ringing, levels: Tensor) -> Tensor:
    """Modes weighted by loudness, glides by their depth. levels: (batch, 32) dB of the modes re the strongest.
    -> scalar"""
    # one slot in eight has a mode: if loud ones had much more weight, an uncertain network would let all of them sound
    worth = measured.active * 10 ** (levels.clamp(-60, 0) / 40)
    likely = predicted.active.float().clamp(1e-4, 1 - 1e-4)
    active = (F.binary_cross_entropy(likely, measured.active, reduction="none") * (0.5 + worth)).mean() * 2
    apart = torch.log2(predicted.ratios / measured.ratios).abs()  # of a slot's quarter of an octave
    place = (worth * apart).sum() / worth.sum().clamp_min(1) * 4
    (depth, time), (true_depth, true_time) = predicted.glide.unbind(-1), measured.glide.unbind(-1)
    deep = ((depth - true_depth).abs() / OCTAVES).clamp(max=8)
    slow = (true_depth.abs() > 0.1) * (torch.log(time / true_time.clamp_min(1e-3)).abs() / NEPERS)
    return active + place + 0.3 * (deep + slow).mean()
