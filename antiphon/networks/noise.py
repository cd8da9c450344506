"""Filtered noise: white spectra shaped in bands, at two time resolutions.

A long window (2048 samples, hop 1024) makes lasting noise of breath, bow and hammer; a short one (256, hop 64) makes
that of the first 80 ms, which the long one would smear.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from antiphon.representations.mel import band_centres, hat_weights, mel


@lru_cache(maxsize=8)
def sine_window(size: int, hop: int, device: torch.device | None = None) -> Tensor:
    """(size,) sine window, whose squares add to 1 at any hop that divides size/2."""
    with torch.inference_mode(False):  # cached: playing may be the first to call it, and training the next
        return torch.sin(math.pi * (torch.arange(size, device=device) + 0.5) / size) * math.sqrt(2 * hop / size)


def band_to_bin(bands: int, window: int, sample_rate: int) -> Tensor:
    """(bands, window/2+1) matrix that spreads log-gains from mel-spaced bands over FFT bins."""
    bins = torch.arange(window // 2 + 1, dtype=torch.float32) * (sample_rate / window)
    return hat_weights(mel(bins), mel(band_centres(bands))).T.contiguous()


@lru_cache(maxsize=4)
def white_spectra(seed: int, *tables: tuple[int, int]) -> list[Tensor]:
    """Complex normal spectra whose `shape_noise` has unit variance at gain 1: of each table (frames, window) that is
    asked for (frames, window/2+1). They are shared by all networks that ask for the same, and never written to."""
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode(False):  # as above
        return [
            torch.view_as_complex(torch.randn(frames, window // 2 + 1, 2, generator=generator)) * math.sqrt(window / 2)
            for frames, window in tables
        ]


def frame_centres(samples: int, window: int, hop: int, device: torch.device | None = None) -> Tensor:
    """(frames,) centres, in samples, of the frames that make samples [0, samples): some before 0 and after the end."""
    lap = window // hop
    count = -(-samples // hop) + lap - 1
    return (torch.arange(count, device=device) - (lap // 2 - 1)) * hop


def shape_noise(gains: Tensor, white: Tensor, window: int, hop: int) -> Tensor:
    """Noise whose frame j is centred on sample `frame_centres(...)[j]` and has magnitude `gains[j]`.

    Args:
        gains: (batch, frames, window/2+1) linear gains, >= 0.
        white: the same shape, complex, from `white_spectra`.
    Returns:
        (batch, (frames - window/hop + 1) * hop) samples of unit variance where the gain is 1.
    """
    lap = window // hop
    frames = torch.fft.irfft(gains * white, n=window).mul_(sine_window(window, hop, gains.device))
    pieces = frames.unflatten(-1, (lap, hop))
    count = frames.shape[-2] - lap + 1
    out = pieces[:, lap - 1 : lap - 1 + count, 0]
    for i in range(1, lap):
        out = out + pieces[:, lap - 1 - i : lap - 1 - i + count, i]
    return out.flatten(-2)
