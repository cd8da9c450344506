"""What two stretches of one place share: the statistics of a texture (McDermott & Simoncelli 2011, "Sound texture
perception via statistics of the auditory periphery"), at two resolutions, of mid and side.

Levels are in nepers of amplitude: 1 neper = 8.7 dB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.representations.mel import band_centres, mel
from antiphon.representations.spectral import hann_window, mel_filters

LONG, LONG_HOP, LONG_BANDS = 2048, 512, 64
SHORT, SHORT_HOP, SHORT_BANDS = 256, 128, 24
FLOOR = 1e-8  # of power: -80 dB
SILENT_SIDE, WIDEST_SIDE = -4.0, 0.5  # nepers of side re mid, at least and at most
LAGS = (1, 2, 4, 8, 16, 32)  # frames of LONG_HOP
SHORT_LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # frames of SHORT_HOP
PULSE_LAGS = 256  # 0.74 s, of the whole band
BINS = 167  # up to 3.6 kHz the fine spectrum has a point at every bin of LONG,
CENT = 1.006  # and from there on points this ratio apart, up to
HIGHEST = 17_000.0  # Hz
DESCRIPTORS = ("density", "brightness", "motion", "width")


def fine_points() -> Tensor:
    """(points,) float32 bins of LONG, not all whole: where the fine spectrum is measured and drawn."""
    top = int(math.log(HIGHEST / (BINS * SAMPLE_RATE / LONG)) / math.log(CENT))
    above = BINS * CENT ** torch.arange(1, top + 1, dtype=torch.float64)
    return torch.cat([torch.arange(1, BINS + 1, dtype=torch.float64), above]).float()


FINE_POINTS = len(fine_points())


@dataclass(frozen=True)
class Texture:
    """What is seen of sounds: `long` (batch, 2, LONG_BANDS, frames) levels of mid and side, `short` (batch,
    SHORT_BANDS, frames) and `fine` (batch, FINE_POINTS), the mean, of mid."""

    long: Tensor
    short: Tensor
    fine: Tensor


class TextureView(nn.Module):
    """Mid and side (batch, 2, samples) -> Texture."""

    long_filters: Tensor
    short_filters: Tensor
    low: Tensor
    share: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("long_filters", mel_filters(LONG, LONG_BANDS), persistent=False)
        self.register_buffer("short_filters", mel_filters(SHORT, SHORT_BANDS), persistent=False)
        points = fine_points()
        self.register_buffer("low", points.floor().long(), persistent=False)
        self.register_buffer("share", points - points.floor(), persistent=False)

    def forward(self, sound: Tensor) -> Texture:
        long = power(sound.flatten(0, 1), LONG, LONG_HOP)
        fine = long.unflatten(0, (-1, 2))[:, 0].mean(1)
        fine = torch.lerp(fine[:, self.low], fine[:, self.low + 1], self.share)
        return Texture(
            _levels(long, self.long_filters).unflatten(0, (-1, 2)),
            _levels(power(sound[:, 0], SHORT, SHORT_HOP), self.short_filters),
            0.5 * torch.log(fine + 0.1 * FLOOR),
        )


class _Power(torch.autograd.Function):
    """Power spectra of frames. torch would take the gradient of a real FFT by a complex one of twice the size, and that
    of overlapping frames sample by sample; here it is one inverse FFT and `window / hop` additions.

        dL/dx_n = sum_k 2 g_k Re(X_k e^(2 pi i k n / N)),   g = dL/d|X|^2
    """

    @staticmethod
    def forward(ctx: Any, sound: Tensor, window: Tensor, hop: int) -> Tensor:  # type: ignore[override]
        size = len(window)
        padded = F.pad(sound, (size // 2, size // 2))
        spectrum = torch.fft.rfft(padded.unfold(-1, size, hop) * window)
        ctx.save_for_backward(spectrum, window)
        ctx.hop, ctx.samples = hop, sound.shape[-1]
        return squared(spectrum)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        spectrum, window = ctx.saved_tensors
        size, hop = len(window), ctx.hop
        scaled = grad * size
        scaled[..., 0] *= 2
        scaled[..., -1] *= 2
        both = torch.view_as_complex(torch.view_as_real(spectrum) * scaled.unsqueeze(-1))
        pieces = (torch.fft.irfft(both, n=size) * window).unflatten(-1, (size // hop, hop))
        out = grad.new_zeros(len(grad), pieces.shape[1] + size // hop - 1, hop)
        for i in range(size // hop):
            out[:, i : i + pieces.shape[1]] += pieces[:, :, i]
        return out.flatten(1)[:, size // 2 : size // 2 + ctx.samples], None, None


def squared(spectrum: Tensor) -> Tensor:
    """|x|^2 of a complex tensor."""
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)


def power(sound: Tensor, window: int, hop: int) -> Tensor:
    """(batch, frames, window/2+1) of sound (batch, samples): a full-scale sine has 1, as in
    representations.spectral.magnitude, without its root."""
    found: Tensor = _Power.apply(sound, hann_window(window, sound.device) * (4 / window), hop)
    return found


def _levels(power: Tensor, filters: Tensor) -> Tensor:
    return 0.5 * torch.log((power @ filters.T).transpose(1, 2) + FLOOR)


def statistics(t: Texture) -> dict[str, Tensor]:
    """The texture's statistics by name, each (batch, n), each about 1 from one sort of place to another."""
    long, side, short = t.long[:, 0], t.long[:, 1], t.short
    found = {"fine": t.fine}
    for name, x in (("long", long), ("short", short)):
        mean = x.mean(-1)
        away = x - mean.unsqueeze(-1)
        deviation = (away.square().mean(-1) + 1e-3).sqrt()
        skew = away.pow(3).mean(-1) / (deviation.pow(3) + 0.1)
        crest = 0.5 * torch.log(torch.exp(2 * away).mean(-1))
        found |= {f"{name} mean": mean, f"{name} deviation": deviation, f"{name} skew": skew, f"{name} crest": crest}
    groups = _centred(F.avg_pool1d(long.transpose(1, 2), 4).transpose(1, 2))  # (batch, 16, frames)
    found["long lags"] = torch.stack([_correlation(groups, lag) for lag in LAGS], -1).flatten(1)
    scaled = groups / (groups.square().mean(-1, keepdim=True) + 0.02).sqrt()
    found["together"] = (scaled @ scaled.transpose(1, 2) / groups.shape[-1]).flatten(1)
    fast = _centred(F.avg_pool1d(short.transpose(1, 2), 4).transpose(1, 2))  # (batch, 6, frames)
    found["short lags"] = _lagged(fast)[..., list(SHORT_LAGS)].flatten(1)
    found["pulse"] = _lagged(_centred(short.mean(1, keepdim=True)))[:, 0, 1 : PULSE_LAGS + 1]
    power = (torch.exp(2 * side).mean(-1) - FLOOR).clamp_min(1e-13)  # of a mono recording: none
    found["side"] = 0.5 * torch.log(power / torch.exp(2 * long).mean(-1)).clamp(2 * SILENT_SIDE, 2 * WIDEST_SIDE)
    found["side deviation"] = (side - side.mean(-1, keepdim=True)).square().mean(-1).add(1e-3).sqrt() * (
        found["side"].detach() > SILENT_SIDE
    )
    return found


STATISTICS = (  # their names and lengths
    ("fine", FINE_POINTS),
    *((f"{name} {what}", bands) for name, bands in (("long", LONG_BANDS), ("short", SHORT_BANDS))
      for what in ("mean", "deviation", "skew", "crest")),
    ("long lags", LONG_BANDS // 4 * len(LAGS)),
    ("together", (LONG_BANDS // 4) ** 2),
    ("short lags", SHORT_BANDS // 4 * len(SHORT_LAGS)),
    ("pulse", PULSE_LAGS),
    ("side", LONG_BANDS),
    ("side deviation", LONG_BANDS),
)  # fmt: skip
MEASURED = len(DESCRIPTORS) + sum(n for _, n in STATISTICS)


def measured(t: Texture) -> Tensor:
    """(batch, MEASURED): descriptors, then all statistics in the order of STATISTICS."""
    found = statistics(t)
    return torch.cat([descriptors(t, found), joined(found)], 1)


def joined(found: dict[str, Tensor]) -> Tensor:
    """(batch, all of STATISTICS)"""
    return torch.cat([found[name] for name, _ in STATISTICS], 1)


def parted(x: Tensor) -> dict[str, Tensor]:
    """The other way."""
    pieces = x.split([n for _, n in STATISTICS], 1)
    return {name: piece for (name, _), piece in zip(STATISTICS, pieces, strict=True)}


def descriptors(t: Texture, found: dict[str, Tensor]) -> Tensor:
    """(batch, 4) about 0..1: how even it is in time (density), where its spectrum lies (brightness), how much its level
    moves within a second (motion), side against mid (width)."""
    level = torch.exp(found["long mean"])
    centres = mel(band_centres(LONG_BANDS)).to(level.device)
    bright = (level * centres / centres[-1]).sum(1) / level.sum(1)
    slow = F.avg_pool1d(t.long[:, 0].mean(1, keepdim=True), 16)
    motion = (slow.var(-1, correction=0) + 1e-6).sqrt().squeeze(1)
    width = (found["side"].mean(1) - SILENT_SIDE) / (WIDEST_SIDE - SILENT_SIDE)
    return torch.stack([1 - found["short deviation"].mean(1) / 2, bright, motion, width], 1)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


def _correlation(x: Tensor, lag: int) -> Tensor:
    """(batch, groups) of x, (batch, groups, frames), with itself `lag` frames later."""
    return (x[..., :-lag] * x[..., lag:]).mean(-1) / (x.square().mean(-1) + 0.02)


def _lagged(x: Tensor) -> Tensor:
    """(..., frames) the correlation of x, (..., frames), with itself at every lag, by FFT."""
    frames = x.shape[-1]
    spectrum = torch.fft.rfft(x, n=2 * frames)
    power = spectrum.real.square() + spectrum.imag.square()
    together = torch.fft.irfft(torch.complex(power, torch.zeros_like(power)), n=2 * frames)[..., :frames]
    count = torch.arange(frames, 0, -1, device=x.device)
    return together / count / (x.square().mean(-1, keepdim=True) + 0.02)
