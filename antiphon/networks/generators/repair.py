"""The generator of repairs: a damaged spectrum in, what each bin has to become louder or softer by and how its phase
has to turn out.

A single stream of causal ConvNeXt blocks (Liu 2022) at frame rate, as in Vocos (Siuzdak 2023) and AP-BWE (Lu 2024),
told what is wrong by FiLM (Perez 2018). It looks REACH_AHEAD frames ahead and no further: whole files and streams go
through the same forward, which takes and returns the blocks' memory of the past.

    Y = (e^d P/(P + N) X + e^a U) e^(i r)

For each bin and frame the heads say d, a change of level, r, a turn, N, a noise's power, and a, the level of what is
missing. What is told apart in one bin by Wiener's rule (P = |X|^2) need not pass through the trunk, which is much
narrower than a spectrum. They are alike for all channels, so that a stereo image stands still. U is the spectrum of
|x|, flattened: a guitarist's exciter. Its harmonics go on where x has none, so what is missing above a band limit
starts from there and not from the rounding noise of an empty bin. At the start d = r = 0, N is at -100 dB, and a at
-81 dB where something is missing, otherwise at nothing. Digital silence stays silent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.layers import MLP, bounded
from antiphon.networks.precision import mixed
from antiphon.representations.stft import istft, stft

WINDOW, HOP = 2048, 512
BINS = WINDOW // 2 + 1
REACH = 7  # frames that a block sees: its own and six before it, `dilation` apart
DILATIONS = (1, 1, 2, 2, 4, 4, 8, 8)
REACH_AHEAD = 2  # frames
LEVEL = 7.0  # nepers by which a bin may change, either way
FLOOR = 1e-4  # -80 dB of full scale
TINY = 1e-9
NOISE, FIRST_NOISE = 5.0, -4.6  # nepers of power: how far the head for noise goes for 1, and its start above FLOOR
ADDED, LEAST_ADDED, MOST_ADDED = 3.0, -0.1, 8.0  # nepers of amplitude above FLOOR: the same for what is added
ADDING = ("bandwidth", "codec")  # damages that take something away: told of neither, it adds nothing
FLAT = 33  # bins over which U is flattened
HEADS = 5  # numbers for each bin: change, turn (2), noise, what is added


@dataclass(frozen=True)
class RepairConfig:
    """width, hidden: of the trunk and inside its blocks."""

    width: int = 192
    hidden: int = 576
    blocks: int = 6


class Spectra(NamedTuple):
    """Of a sound, complex (batch, channels, BINS, frames): itself, and of its absolute values, None if nothing is to be
    added."""

    sound: Tensor
    rectified: Tensor | None


class CausalBlock(nn.Module):
    """ConvNeXt on frames, each with those before it, modulated by what is wrong. (batch, frames, width) -> the same"""

    def __init__(self, width: int, hidden: int, dilation: int):
        super().__init__()
        self.past = (REACH - 1) * dilation  # frames
        self.mix = nn.Conv1d(width, width, REACH, dilation=dilation, groups=width)
        self.film = nn.Linear(width, 2 * width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        nn.init.normal_(self.down.weight, std=0.02)

    def forward(self, x: Tensor, told: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """told: (batch, width). past: (batch, width, self.past), of earlier frames. -> also that of the next ones"""
        line = torch.cat([past, x.transpose(1, 2)], 2)
        h = self.mix(line).transpose(1, 2)
        scale, shift = self.film(told).unsqueeze(1).chunk(2, -1)
        h = F.rms_norm(h, h.shape[-1:], eps=1e-6) * (1 + scale) + shift
        return x + self.down(F.gelu(self.up(h))), line[..., line.shape[-1] - self.past :]


class Repair(nn.Module):
    """forward: features, what is wrong and the past -> the heads, and the past of what follows.

    labels.instruments are the names of the damages it can be told; what it is told are two numbers for each: how severe
    it is, 0 for none and 1 for most, and 1 if that is known at all (both 0 if not)."""

    def __init__(self, config: RepairConfig, labels: Any):
        super().__init__()
        self.config, self.labels = config, labels
        self.enter = nn.Linear(3 * BINS, config.width)
        self.told = MLP(2 * len(labels.instruments), config.width, config.width)
        self.trunk = nn.ModuleList(
            CausalBlock(config.width, config.hidden, DILATIONS[i % len(DILATIONS)]) for i in range(config.blocks)
        )
        self.head = nn.Linear(config.width, HEADS * BINS)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def begin(self, batch: int) -> list[Tensor]:
        """The past before the first frame."""
        return [self.head.weight.new_zeros(batch, self.config.width, block.past) for block in self.trunk]  # type: ignore

    def forward(self, features: Tensor, told: Tensor, past: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """features: (batch, frames, 3 BINS). told: (batch, 2 damages). -> (batch, frames, HEADS BINS): of frame j what
        is said about frame j - REACH_AHEAD"""
        x, told, after = self.enter(features), F.silu(self.told(told)), []
        for block, before in zip(self.trunk, past, strict=True):
            x, left = block(x, told, before)
            after.append(left)
        return self.head(F.rms_norm(x, x.shape[-1:], eps=1e-6)), after

    def adds(self, told: Tensor) -> Tensor:
        """(batch,) 1 if it is told that something is missing. That is always told: what is added at first, and has to
        be for its level to be learned, would be heard where nothing is missing."""
        rows = [i for i, name in enumerate(self.labels.instruments) if name in ADDING]
        return (told.unflatten(1, (-1, 2))[:, rows, 0] > 0).any(1).float()

    def difference(self, audio: Tensor, told: Tensor) -> Tensor:
        """(batch, samples), what is wrong -> (batch, samples), to be added to the sound: it is nothing at first."""
        spectra = spectra_of(audio.unsqueeze(1))
        wide = F.pad(features_of(spectra.sound), (0, 0, 0, REACH_AHEAD))
        with mixed(audio.device, self.training):
            said, _ = self(wide, told, self.begin(len(audio)))
        changed = corrected(spectra, said[:, REACH_AHEAD:].float(), self.adds(told)) - spectra.sound
        return istft(changed.squeeze(1), WINDOW, HOP, audio.shape[-1])


def spectra_of(audio: Tensor) -> Spectra:
    """(batch, channels, samples) of a whole sound."""
    both = torch.stack([audio, audio.abs()])
    found = stft(both.flatten(0, -2), WINDOW, HOP).unflatten(0, both.shape[:-1])
    return Spectra(found[0], found[1])


def features_of(spectrum: Tensor) -> Tensor:
    """complex (batch, channels, BINS, frames) -> (batch, frames, 3 BINS): levels over all channels, and the compressed
    spectrum of their sum, for its phases."""
    power = _power(spectrum).mean(1)
    level = torch.log10(power + FLOOR**2) / 4 + 1  # 1 at full scale, -1 at the floor
    total = spectrum.mean(1)
    small = (_power(total) + FLOOR**2) ** -0.35
    return torch.cat([level, total.real * small, total.imag * small], 1).transpose(1, 2)


def corrected(spectra: Spectra, said: Tensor, adds: Tensor) -> Tensor:
    """The spectrum, complex (batch, channels, BINS, frames), as the heads, (batch, frames, HEADS BINS), want it. adds:
    (batch,) 1 where something may be added, otherwise 0."""
    heads = said.transpose(1, 2).unflatten(1, (HEADS, BINS)).unsqueeze(2)
    change, real, imaginary, noise, added = heads.unbind(1)
    gain = bounded(change, -LEVEL, LEVEL).exp()
    turn = torch.complex(1 + real, imaginary)
    turn = turn / (_power(turn) + 1e-8).sqrt()
    power = _power(spectra.sound)
    unwanted = FLOOR**2 * bounded(NOISE * noise + FIRST_NOISE, -25.0, 25.0).exp()
    wanted = power.mean(1, keepdim=True) / (power.mean(1, keepdim=True) + unwanted)
    mended = spectra.sound * (gain * wanted)
    if spectra.rectified is None:
        return mended * turn
    share = (power.sum(2, keepdim=True) + TINY) / (power.sum(2, keepdim=True).mean(1, keepdim=True) + TINY)
    level = FLOOR * ((F.softplus(ADDED * added) + LEAST_ADDED).clamp_max(MOST_ADDED).exp() - math.exp(LEAST_ADDED))
    fill = _flattened(spectra.rectified) * (level * share.sqrt() * adds.view(-1, 1, 1, 1))
    return (mended + fill) * turn


def _flattened(spectrum: Tensor) -> Tensor:
    """A spectrum whose level over FLAT bins is 1."""
    power = _power(spectrum).flatten(0, 1)
    around = F.avg_pool1d(power.transpose(1, 2), FLAT, 1, FLAT // 2, count_include_pad=False).transpose(1, 2)
    return spectrum / (around.view(spectrum.shape) + TINY**2).sqrt()


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square() + spectrum.imag.square()
