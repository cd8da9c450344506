"""Phases for magnitudes, iteratively: which sound has nearly this spectrogram, and what phases does it have?"""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.representations.stft import istft, stft

MOMENTUM = 0.99


@torch.no_grad()
def griffin_lim(
    magnitude: Tensor, window: int, hop: int, samples: int, start: Tensor | None = None, iterations: int = 64
) -> Tensor:
    """Fast Griffin-Lim (Perraudin, Balazs & Sondergaard 2013, algorithm 2).

    magnitude: (batch, window/2+1, frames). start: initial phases in radians (default: noise with a fixed seed).
    -> phases in radians, in the shape of `magnitude`
    """
    if start is None:
        rng = torch.Generator().manual_seed(0)  # one draw for the whole batch: sounds must not depend on each other
        start = (2 * torch.pi) * torch.rand(magnitude.shape[1:], generator=rng).to(magnitude.device)
    guess = torch.polar(magnitude, start.expand_as(magnitude).to(magnitude.dtype))
    before = torch.zeros_like(guess)
    for _ in range(iterations):
        heard = stft(istft(guess, window, hop, samples), window, hop)
        pushed = heard + MOMENTUM * (heard - before)
        guess, before = torch.polar(magnitude, pushed.angle()), heard
    return guess.angle()
