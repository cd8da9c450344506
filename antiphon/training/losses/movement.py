"""How much the partials move: beats of ensembles and double strings, the unsteadiness of breath and bow.

Which way a partial moves next is random, so a loss that compares instant with instant is smallest for no movement at
all: everything would sound like an organ. Here the amount of movement is compared over the whole excerpt, measured the
same way in both sounds: the mean change of a partial's log-magnitude from one frame to a later one.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.gesture import Gesture
from antiphon.networks.oscillators import HOP
from antiphon.representations.spectral import magnitude

WINDOW, STEP = 2048, 1024
LAGS = (1, 4)  # frames: 23 and 93 ms
GROUPS = (0.0, 800.0, 3_000.0, 12_000.0)  # Hz: high partials beat faster than low ones
PARTIALS = 32
FLOOR = 1e-4  # -80 dB of full scale
LEAST = 0.02  # nepers per frame that count as no movement


def movement_loss(fake: Tensor, real: Tensor, g: Gesture, ratios: Tensor) -> Tensor:
    """|log of the ratio of the two sounds' movement|, weighted mean over notes, lags and groups of partials.

    fake, real: (batch, samples); ratios: (batch, >= 32) of the harmonics to g.f0. -> scalar"""
    hz = g.f0[:, :: STEP // HOP].unsqueeze(-1) * ratios[:, None, :PARTIALS]
    bins = (hz * (2 * WINDOW / SAMPLE_RATE)).round().long().clamp(max=WINDOW)
    with torch.autocast(fake.device.type, enabled=False):
        played, seen = (torch.log(_read(x, bins) + FLOOR) for x in (fake, real.detach()))
        times = g.start.unsqueeze(-1) + STEP * torch.arange(hz.shape[1], device=hz.device)
        weight = torch.exp(seen / 2) * (times >= WINDOW // 2).unsqueeze(-1)
        groups = torch.stack([(hz >= a) & (hz < b) for a, b in pairwise(GROUPS)]).float()
        terms = []
        for lag in LAGS:
            both = torch.minimum(weight[:, lag:], weight[:, :-lag]) * groups[:, :, lag:]
            total = both.sum((2, 3)).clamp_min(1e-6)  # (groups, batch)
            moved = [(both * (x[:, lag:] - x[:, :-lag]).abs()).sum((2, 3)) / total for x in (played, seen)]
            apart = (torch.log(moved[0] + LEAST) - torch.log(moved[1] + LEAST)).abs()
            terms.append((apart * total / total.sum(0)).sum(0).mean())
    return torch.stack(terms).mean()


def _read(audio: Tensor, bins: Tensor) -> Tensor:
    """(batch, frames, K) magnitudes at the bins of each frame."""
    return magnitude(audio, WINDOW, STEP, padding=2).transpose(1, 2).gather(-1, bins)
