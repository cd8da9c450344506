"""Levels in mel bands: the smallest image of a sound. Decoding estimates both the bins within a band and the phases, by
rules or with a network trained on notes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.representations.contract import check_audio, check_bands, check_image
from antiphon.representations.level import level_of, power_of
from antiphon.representations.log_magnitude import LogMagnitude
from antiphon.representations.mel import hat_weights, mel, mel_to_hz
from antiphon.representations.spectral import mel_filters
from antiphon.representations.stft import frame_count, stft

if TYPE_CHECKING:
    pass

LOW, HIGH = 20.0, 20_000.0  # Hz
UPDATES = 30  # with 100 a note's bins are 0.1 dB closer, with none 6 dB farther off
TINY = 1e-14


class LogMelSpectrogram(LogMagnitude):
    """(batch, samples) <-> (batch, 1, bands, frames); the same levels as `spectral.LogMel`, scaled from [0, 1] to
    [-1, 1]. `phases`: one of `phase_retrieval.PHASES`."""

    filters: Tensor
    spread: Tensor

    def __init__(
        self,
        window: int = 2048,
        hop: int = 512,
        bands: int = 128,
        floor_db: float = -80.0,
        phases: str = "pghi+griffin-lim",
        sample_rate: int = SAMPLE_RATE,
    ):
        super().__init__(window, hop, floor_db, phases)
        check_bands(bands)
        self.bands = bands
        filters = mel_filters(window, bands, sample_rate, LOW, min(HIGH, sample_rate / 2))
        edges = mel(torch.tensor([LOW, min(HIGH, sample_rate / 2)]))
        centres = mel_to_hz(torch.linspace(float(edges[0]), float(edges[1]), bands + 2))[1:-1]
        bins = torch.arange(window // 2 + 1) * (sample_rate / window)
        heard = filters.sum(0, keepdim=True).T > 0
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("spread", hat_weights(bins, centres) * heard, persistent=False)

    def shape(self, samples: int) -> tuple[int, ...]:
        return (1, self.bands, frame_count(samples, self.hop))

    def encode(self, audio: Tensor) -> Tensor:
        check_audio(audio)
        spectrum = stft(audio, self.window, self.hop)
        with torch.autocast(audio.device.type, enabled=False):
            power = self.filters @ (spectrum.real.square() + spectrum.imag.square())
        return level_of(power, self.floor_db).unsqueeze(1)

    def decode(self, image: Tensor, samples: int) -> Tensor:
        check_image(image, self.shape(samples))
        with torch.autocast(image.device.type, enabled=False):
            power = self.bins_of(power_of(image.float().squeeze(1), self.floor_db))
        return self.with_phases(power, samples)

    def bins_of(self, bands: Tensor, prior: Tensor | None = None, updates: int = UPDATES) -> Tensor:
        """Power of bins that explains the power of bands: (batch, bands, frames) -> (batch, window/2+1, frames).

        Interpolation, times the prior of each bin, then multiplicative updates that keep it non-negative and make it
        agree with the bands (Richardson 1972, Lucy 1974; the Kullback-Leibler update of Lee & Seung 2001)."""
        share = self.filters / self.filters.sum(0, keepdim=True).clamp_min(TINY)
        power = self.spread @ bands
        power = power if prior is None else power * prior
        for _ in range(updates):
            power = power * (share.T @ (bands / (self.filters @ power + TINY)))
        return power


REPRESENTATIONS = {"log-mel": LogMelSpectrogram} | {
    f"log-mel/{name}": partial(LogMelSpectrogram, phases=name) for name in ("griffin-lim", "pghi")
}
