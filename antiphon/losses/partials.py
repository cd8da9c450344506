"""Each partial's level against what the recording shows at that frequency.

A spectral loss on the sum of all sources says little about a partial that noise covers, and early in training noise covers everything: the
generator then draws hiss for every instrument. Reading the recording's spectrum at the partials' known frequencies gives each of them a straight
gradient from the first step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.networks.generators.instrument import SAMPLE_RATE, Gesture, Partials
from antiphon.networks.layers import hat_weights
from antiphon.networks.oscillators import HOP

HOP_FRAMES = 512
FLOOR = 1e-4  # -80 dB of full scale


def partials_loss(partials: list[Partials], g: Gesture, audio: Tensor) -> Tensor:
    """Mean over notes, frames and partials of |log level - log of the recording's magnitude there|, weighted by the square root
    of that magnitude. audio: (batch, samples) the recordings. -> scalar"""
    losses = []
    wide = _spectra(audio, 4096) if bool((g.f0 < 110).any()) else None
    narrow = _spectra(audio, 2048)
    for i, (ratios, level) in enumerate(partials):
        f0 = g.f0[i, :: HOP_FRAMES // HOP]
        low = wide is not None and float(f0[0]) < 110  # partials closer than a 2048 window can part
        spectrum = wide[i] if wide is not None and low else narrow[i]
        bin_hz = SAMPLE_RATE / (2 * (spectrum.shape[-1] - 1))
        bins = (f0.unsqueeze(-1) * ratios / bin_hz).round().long().clamp(max=spectrum.shape[-1] - 1)
        target = spectrum.gather(1, bins)
        times = g.start[i] + HOP_FRAMES * torch.arange(len(f0), device=audio.device)
        drawn = torch.exp(hat_weights(times.to(g.knots.dtype), g.knots[i]) @ level)
        # a window that begins before the onset reads low
        heard = ((times >= (2048 if low else 1024)) | (times.new_tensor(g.samples) < 4096)).unsqueeze(-1)
        weight = (target + FLOOR).sqrt() * heard
        error = (torch.log(drawn + FLOOR) - torch.log(target + FLOOR)).abs()
        losses.append((weight * error).sum() / weight.sum().clamp_min(1e-3))
    return torch.stack(losses).mean()


def _spectra(audio: Tensor, window: int) -> Tensor:
    """(batch, frames, window + 1) magnitudes, zero-padded twofold so that the nearest bin reads a partial within 0.4 dB."""
    with torch.no_grad(), torch.autocast(audio.device.type, enabled=False):
        x = F.pad(audio.float(), (window // 2, window // 2)).unfold(-1, window, HOP_FRAMES)
        hann = torch.hann_window(window, device=audio.device)
        return torch.fft.rfft(x * (hann * (4 / window)), n=2 * window).abs()


