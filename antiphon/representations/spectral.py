"""Magnitude spectra: STFT and log-mel, in float32 whatever the autocast, for losses, encoders and discriminators."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.representations.mel import mel, mel_to_hz


@lru_cache(maxsize=32)
def hann_window(window: int, device: torch.device) -> Tensor:
    """(window,) periodic Hann, created once per device."""
    with torch.inference_mode(False):  # cached: inference may ask first, and training next
        return torch.hann_window(window, device=device)


def magnitude(audio: Tensor, window: int, hop: int, padding: int = 1) -> Tensor:
    """|STFT| scaled so that a full-scale sine peaks at 1.

    audio: (batch, samples) float32 -> (batch, padding*window/2+1, samples/hop + 1); frame j is centred on sample hop*j,
    zeros beyond. padding: frames are zero-padded to this many windows; the nearest bin reads a partial to within 1.4 dB
    with 1, 0.4 dB with 2.
    """
    hann = hann_window(window, audio.device)
    with torch.autocast(audio.device.type, enabled=False):
        x = F.pad(audio.float(), (window // 2, window // 2))
        spectrum = torch.fft.rfft(x.unfold(-1, window, hop) * (hann * (4 / window)), n=padding * window)
        # not abs(): its gradient at 0 is undefined, and on a CPU it is several times slower
        return (spectrum.real.square() + spectrum.imag.square() + 1e-14).sqrt().transpose(1, 2)


def mel_filters(
    window: int, bands: int, sample_rate: int = SAMPLE_RATE, low: float = 20.0, high: float = 20_000.0
) -> Tensor:
    """(bands, window/2+1) triangles equally spaced in mel, each of unit sum; narrow low bands hold at least one bin.

    Their sides are straight in Hz, as usual (HTK, librosa), and voices are trained on them; `audio.mel.mel_bands`, for
    what judges, has them straight in mel."""
    edges = mel_to_hz(torch.linspace(float(mel(torch.tensor(low))), float(mel(torch.tensor(high))), bands + 2))
    bins = torch.arange(window // 2 + 1) * (sample_rate / window)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = torch.minimum(rise, fall).clamp_min(0)
    nearest = (edges[1:-1] / (sample_rate / window)).round().long()
    empty = filters.sum(1) == 0
    filters[empty, nearest[empty]] = 1.0
    return filters / filters.sum(1, keepdim=True)


class LogMel(nn.Module):
    """Log-mel spectrogram over a floor: 0 at `floor`, 1 at full scale, so that inaudible sound is exactly silent.

    (batch, samples) -> (batch, bands, frames)
    """

    filters: Tensor

    def __init__(self, window: int, hop: int, bands: int, floor_db: float = -80.0):
        super().__init__()
        self.window, self.hop, self.floor = window, hop, 10 ** (floor_db / 20)
        self.span = -floor_db
        self.register_buffer("filters", mel_filters(window, bands), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        spectrum = magnitude(audio, self.window, self.hop)
        with torch.autocast(audio.device.type, enabled=False):
            power = self.filters @ spectrum.square()
            return 10 / self.span * torch.log10(power + self.floor**2) + 1
