"""How a note begins: its level over the first fifth of a second, by which an attack is fast or slow.

    L = sum_t u_t |a(t) - b(t)| / max b        u_t ~ 1 / (t + 8 ms), adding up to 1

a, b: the amplitude over 9 ms of what is played and of the recording. Start phases are random in every take, and
partials that add up or cancel make each take's attack different, so a is taken from the mean power of several takes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLES = 8_192  # of a note, which are compared
HOP = 44  # as where descriptors measure an attack [audio/envelope.py]
WIDTH = 9  # hops, over which power is averaged
QUIET = 1e-4  # of the recording's greatest power: the difference of amplitudes has no gradient at 0


def onset_loss(takes: Tensor, recording: Tensor) -> Tensor:
    """takes: (n, samples) of one note from its onset. recording: (samples,). -> scalar, 0 where levels agree, about 1
    where nothing is played"""
    made, real = _power(takes).mean(0), _power(recording.unsqueeze(0)).squeeze(0)
    top = real.max().clamp_min(1e-12)
    weight = 1 / (torch.arange(len(real), device=real.device) + 8.0)
    apart = ((made / top + QUIET).sqrt() - (real / top + QUIET).sqrt()).abs()
    return (weight * apart).sum() / weight.sum()


def _power(audio: Tensor) -> Tensor:
    """(n, samples / HOP) mean power around the beginning of every hop."""
    reach = HOP * WIDTH
    padded = F.pad(audio.square().unsqueeze(1), (reach // 2, reach // 2))
    return F.avg_pool1d(padded, reach, HOP).squeeze(1)
