"""The spectrum a sound would have, without rendering the sound.

At any instant the generator gives each partial's level and the noise in each band. The expected power spectrum of a
window is then known: each partial shows the window's lobe, noise its variance, and powers add,

    E |X(b)|^2  =  sum_k a_k^2 W(b - b_k)^2  +  (6 / N) g(b)^2            (Hann of N samples, 4/N of its sum)

with W(d) = sinc(d) / (1 - d^2). A few instants of a note cost a hundredth of its synthesis, so the network sees several
times more notes in the same time. Start phases, beats and movement do not appear here: they are left to the game that
follows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import SHORT, InstrumentConfig, strike_fade
from antiphon.networks.gesture import Curves, Gesture
from antiphon.networks.noise import band_to_bin
from antiphon.networks.oscillators import HOP
from antiphon.networks.partials import Bank
from antiphon.networks.physics import at_blocks
from antiphon.representations.spectral import hann_window, mel_filters
from antiphon.training.losses.partials import compare_levels
from antiphon.training.losses.spectral import FLOOR

REACH = 4  # bins on each side of a partial in which its lobe is computed: down to -50 dB
MEDIAN = math.log(2)  # the median of a noise's power in one bin, relative to its mean
MEL_RANGE = 75.0  # dB


class View(NamedTuple):
    """One window length: samples, mel bands, and the number of instants of a note seen through it."""

    window: int
    bands: int
    instants: int


VIEWS = (View(4096, 128, 5), View(1024, 64, 6), View(256, 24, 5))


class ExpectedLoss(nn.Module):
    """`instants` samples times, `forward` compares the expected spectra there with the recording's."""

    def __init__(self, config: InstrumentConfig):
        super().__init__()
        for view in VIEWS:
            for name, bands in (("noise", config.noise_bands), ("strike", config.strike_bands)):
                matrix = band_to_bin(bands, view.window, SAMPLE_RATE)
                self.register_buffer(f"{name}_{view.window}", matrix, persistent=False)
            self.register_buffer(f"mel_{view.window}", mel_filters(view.window, view.bands).T, persistent=False)

    def instants(self, g: Gesture, rng: torch.Generator) -> Tensor:
        """(batch, t) samples since the onset, view by view: anywhere in the crop, but more often soon after an
        onset."""
        uniform = torch.rand(len(g.pitch), sum(v.instants for v in VIEWS), generator=rng).to(g.start.device)
        parts = []
        for view, u in zip(VIEWS, uniform.split([v.instants for v in VIEWS], 1), strict=True):
            early = u**4 if view.window <= SHORT else u**2
            u = torch.where((g.start == 0).unsqueeze(-1), early, u)
            parts.append(view.window // 2 + u * (g.samples - view.window))
        return (torch.cat(parts, 1) + g.start.unsqueeze(-1)).round()

    def forward(self, bank: Bank, curves: Curves, g: Gesture, audio: Tensor) -> dict[str, Tensor]:
        """bank, curves: at g.knots, which are `instants`. audio: (batch, samples). -> {"log", "linear", "mel",
        "partials"} scalars, of about the size they have in the game."""
        f0 = at_blocks(g.f0, (g.knots - g.start.unsqueeze(-1)) / HOP)
        terms: list[dict[str, Tensor]] = []
        at = 0
        with torch.autocast(audio.device.type, enabled=False):
            for view in VIEWS:
                look = slice(at, at + view.instants)
                at += view.instants
                hz = f0[:, look].unsqueeze(-1) * bank.ratios.unsqueeze(1)
                terms.append(self._through(view, look, hz, bank, curves, g, audio))
        mean = {k: torch.stack([t[k] for t in terms]).mean() for k in ("log", "linear", "mel")}
        return mean | {"partials": terms[0]["partials"]}

    def _through(
        self, view: View, look: slice, hz: Tensor, bank: Bank, curves: Curves, g: Gesture, audio: Tensor
    ) -> dict[str, Tensor]:
        window, level = view.window, bank.level[:, look]
        seen = _spectra(audio, (g.knots[:, look] - g.start.unsqueeze(-1)).long(), window)
        real = seen[..., ::2]
        noise = self._noise(window, look, curves, g)
        tones = lobes(hz, level, window)
        expected = (tones + MEDIAN * noise + 1e-14).sqrt()
        weight = (real + FLOOR).sqrt()
        weight = weight / weight.mean((1, 2), keepdim=True)
        filters = getattr(self, f"mel_{window}")
        floor = 10 ** (-MEL_RANGE / 10)
        mel = torch.log10((tones + noise) @ filters + floor) - torch.log10(real.square() @ filters + floor)
        out = {
            "log": (weight * (torch.log(expected + FLOOR) - torch.log(real + FLOOR)).abs()).mean(),
            "linear": ((expected - real).abs().sum((1, 2)) / (real.sum((1, 2)) + 0.1)).mean(),
            "mel": 8 * 10 / MEL_RANGE * mel.abs().mean(),
        }
        if view is VIEWS[0]:  # the longest window separates partials
            bins = (hz * (2 * window / SAMPLE_RATE)).round().long().clamp(max=window)
            audible = bank.real.unsqueeze(1) & (g.knots[:, look] >= window // 2).unsqueeze(-1)
            out["partials"] = compare_levels(torch.exp(level), seen.gather(-1, bins), audible).mean()
        return out

    def _noise(self, window: int, look: slice, curves: Curves, g: Gesture) -> Tensor:
        """(batch, t, window/2+1) mean power of both noises."""
        lasting = torch.exp(2 * curves.noise[:, look] @ getattr(self, f"noise_{window}"))
        strike = torch.exp(2 * curves.strike[:, look] @ getattr(self, f"strike_{window}"))
        return 6 / window * (lasting + strike_fade(g.knots[:, look]).square().unsqueeze(-1) * strike)


def lobes(hz: Tensor, level: Tensor, window: int) -> Tensor:
    """(batch, t, window/2+1) power of partials at `hz` (batch, t, K) with log-amplitudes `level` in a Hann window that
    shows a full-scale sine as 1."""
    place = hz * (window / SAMPLE_RATE)
    bins = place.round().unsqueeze(-1) + torch.arange(-REACH, REACH + 1, device=hz.device)
    off = bins - place.unsqueeze(-1)
    pole = 1 - off.square()
    lobe = torch.where(pole.abs() > 1e-4, torch.sinc(off) / pole, 0.5)
    power = torch.exp(2 * level).unsqueeze(-1) * lobe.square()
    inside = (bins >= 0) & (bins <= window // 2)
    at = bins.clamp(0, window // 2).long().flatten(-2)
    empty = power.new_zeros(*hz.shape[:2], window // 2 + 1)
    return empty.scatter_add(-1, at, (power * inside).flatten(-2))


def _spectra(audio: Tensor, centres: Tensor, window: int) -> Tensor:
    """(batch, t, window + 1) magnitudes around samples `centres` (batch, t) of audio, zero-padded twofold."""
    at = (centres - window // 2).unsqueeze(-1) + torch.arange(window, device=audio.device)
    frames = audio.unsqueeze(1).expand(-1, centres.shape[1], -1).gather(-1, at)
    spectrum = torch.fft.rfft(frames * (hann_window(window, audio.device) * (4 / window)), n=2 * window)
    return (spectrum.real.square() + spectrum.imag.square()).sqrt()
