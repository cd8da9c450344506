"""Log-magnitude and instantaneous frequency, the images of GANSynth (Engel 2019, section 2; "IF" and "IF-Mel").

Channel 0 is the level, channel 1 the phase advance since the previous frame, in half turns, wrapped into [-1, 1]; in
the first frame it is the phase itself. A steady sinusoid of f Hz advances by 2 f hop / rate half turns per frame in
every bin it reaches, so a partial is a band of one colour, whereas its phase would look like noise, also to a network.

Changed from the original: levels in dB over a floor instead of log(x + 1e-6); phases referred to the middle of the
window, so that the bins of a lobe agree; of 1,025 bins the highest is dropped, not the lowest, which bass notes reach.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.representations.contract import Exactness, Representation, check_audio, check_bands, check_image
from antiphon.representations.level import level_of, power_of, root
from antiphon.representations.mel import hat_weights, mel, mel_to_hz
from antiphon.representations.stft import check_window, frame_count, istft, stft

INAUDIBLE = 1e-14  # power, -140 dB: phases below are set to 0, where angle() has no gradient


def angle_of(spectrum: Tensor) -> Tensor:
    """Phase in radians, 0 for silent bins."""
    silent = spectrum.real.square() + spectrum.imag.square() < INAUDIBLE
    return torch.atan2(spectrum.imag.masked_fill(silent, 0.0), spectrum.real.masked_fill(silent, 1.0))


def turns_of(phase: Tensor) -> Tensor:
    """Phases (..., frames) in radians -> half turns since the previous frame, in [-1, 1]; the first from phase 0."""
    turned = torch.diff(phase, dim=-1, prepend=torch.zeros_like(phase[..., :1])) / math.pi
    return turned - 2 * torch.round(turned / 2)


def phase_of(turns: Tensor) -> Tensor:
    """The inverse of `turns_of`, in radians from -pi to pi; summed in float64, as a minute has 5,000 frames."""
    total = turns.double().cumsum(-1)
    return ((total - 2 * torch.round(total / 2)) * math.pi).float()


class MagnitudeIF(Representation):
    """(batch, samples) <-> (batch, 2, window/2, frames): level and instantaneous frequency of all bins but one."""

    units = "level (-1 the floor, 1 full scale), phase advance per frame in half turns"
    promise = Exactness(75.0, 75.0)

    def __init__(self, window: int = 2048, hop: int = 512, floor_db: float = -100.0):
        super().__init__()
        check_window(window, hop)
        self.window, self.hop, self.floor_db = window, hop, floor_db

    def shape(self, samples: int) -> tuple[int, ...]:
        return (2, self.window // 2, frame_count(samples, self.hop))

    def encode(self, audio: Tensor) -> Tensor:
        check_audio(audio)
        spectrum = stft(audio, self.window, self.hop)[:, :-1]
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.stack([level_of(power, self.floor_db), turns_of(angle_of(spectrum))], 1)

    def decode(self, image: Tensor, samples: int) -> Tensor:
        check_image(image, self.shape(samples))
        level, turns = image.float().unbind(1)
        spectrum = torch.polar(root(power_of(level, self.floor_db)), phase_of(turns))
        return istft(torch.cat([spectrum, torch.zeros_like(spectrum[:, :1])], 1), self.window, self.hop, samples)


class MelMagnitudeIF(Representation):
    """(batch, samples) <-> (batch, 2, bands, frames): the same in bands equally spaced in mel, window/2 of them.

    A band's power is the mean of its bins' powers. Its phase is that of the *sum of its bins*, dominated by the loudest
    partial. (The original takes the mean of unwrapped angles, to which silent bins contribute as much as loud ones.)
    Bands are finer than bins below 5.6 kHz and up to 3.6 times coarser above, where the inversion is an estimate.
    """

    units = MagnitudeIF.units
    promise = Exactness(35.0, 35.0)
    to_bands: Tensor
    to_bins: Tensor

    def __init__(
        self,
        window: int = 2048,
        hop: int = 512,
        bands: int = 1024,
        floor_db: float = -100.0,
        sample_rate: int = SAMPLE_RATE,
    ):
        super().__init__()
        check_window(window, hop)
        check_bands(bands)
        self.window, self.hop, self.bands, self.floor_db = window, hop, bands, floor_db
        centres, to_bands = mel_warp(window, bands, sample_rate)
        bins = torch.arange(window // 2 + 1) * (sample_rate / window)
        self.register_buffer("to_bands", to_bands, persistent=False)
        self.register_buffer("to_bins", hat_weights(bins, centres), persistent=False)

    def shape(self, samples: int) -> tuple[int, ...]:
        return (2, self.bands, frame_count(samples, self.hop))

    def encode(self, audio: Tensor) -> Tensor:
        check_audio(audio)
        spectrum = stft(audio, self.window, self.hop)
        with torch.autocast(audio.device.type, enabled=False):
            power = self.to_bands @ (spectrum.real.square() + spectrum.imag.square())
            summed = torch.complex(self.to_bands @ spectrum.real, self.to_bands @ spectrum.imag)
        return torch.stack([level_of(power, self.floor_db), turns_of(angle_of(summed))], 1)

    def decode(self, image: Tensor, samples: int) -> Tensor:
        check_image(image, self.shape(samples))
        level, turns = image.float().unbind(1)
        phase = phase_of(turns)
        with torch.autocast(image.device.type, enabled=False):
            power = self.to_bins @ power_of(level, self.floor_db)
            phase = angle_of(torch.complex(self.to_bins @ phase.cos(), self.to_bins @ phase.sin()))
        return istft(torch.polar(root(power), phase), self.window, self.hop, samples)


def mel_warp(window: int, bands: int, sample_rate: int) -> tuple[Tensor, Tensor]:
    """Centres (bands,) in Hz from 0 to the highest bin, and (bands, window/2+1) triangles of unit sum around them, each
    at least wide enough to interpolate between two bins."""
    step = sample_rate / window
    top = float(mel(torch.tensor(sample_rate / 2)))
    centres = mel_to_hz(torch.linspace(0.0, top, bands))
    centres[-1] = sample_rate / 2
    width = torch.cat([centres[1:] - centres[:-1], centres[-1:] - centres[-2:-1]]).clamp_min(step)
    triangles = 1 - (torch.arange(window // 2 + 1) * step - centres[:, None]).abs() / width[:, None]
    triangles = triangles.clamp_min(0)
    return centres, triangles / triangles.sum(1, keepdim=True)


REPRESENTATIONS = {"if": MagnitudeIF, "mel-if": MelMagnitudeIF}
