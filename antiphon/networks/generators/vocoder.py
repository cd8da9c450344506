"""The generator of a vocoder: log-mel frames -> how loud each bin of the spectrum is and how its phase turns -> sound.

A trunk of ConvNeXt blocks at frame rate with an inverse STFT at its end, as in Vocos (Siuzdak 2023, arXiv 2306.00814),
changed for the sake of sustained notes. Vocos predicts phases, which a convolution cannot: all frames of a steady tone
look alike, and a network with the same output for all of them can only play multiples of the frame rate, 86 Hz. This
one predicts how phases *turn*, from frame to frame and from bin to bin, which is the same in all frames of a steady
tone; the turns are added up [representations/phase_propagation.py], and two rounds of Griffin-Lim make overlapping
frames agree.

It predicts only what no rule gives: levels within a band (the bands' own levels are kept), and how much the turns
differ from those that the levels imply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.layers import bounded
from antiphon.representations.level import power_of, root
from antiphon.representations.log_mel import LogMelSpectrogram
from antiphon.representations.phase_propagation import gaussian_turns, propagate
from antiphon.representations.stft import istft, stft

REACH = 7  # frames that a block sees
LEVEL = 12.0  # nepers of power by which a bin may differ from its neighbours: valleys between partials are deep
UPDATES = 5  # that make bins agree with their bands: with the network's levels they do more than 30 without them
ROUNDS = 2  # of Griffin-Lim, after the turns: they make overlapping frames agree
TINY = 1e-20
PER_BIN = 5  # numbers that the head outputs for each: a level and two complex turns


@dataclass(frozen=True)
class VocoderConfig:
    """width, hidden: of the trunk and inside its blocks."""

    width: int = 256
    hidden: int = 512
    blocks: int = 6


class Spectra(NamedTuple):
    """What is predicted for each bin and frame, (batch, bins, frames). magnitude: 1 for a full-scale sine. advance,
    lock: complex, see representations/phase_propagation.py; lock has one bin less."""

    magnitude: Tensor
    advance: Tensor
    lock: Tensor


class ConvNeXtBlock(nn.Module):
    """Mixes frames band by band, then bands frame by frame (Liu 2022). (batch, frames, width) -> the same"""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.mix = nn.Conv1d(width, width, REACH, padding=REACH // 2, groups=width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        nn.init.normal_(self.down.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        h = self.mix(x.transpose(1, 2)).transpose(1, 2)
        return x + self.down(F.gelu(self.up(F.rms_norm(h, h.shape[-1:], eps=1e-6))))


class Vocoder(nn.Module):
    """forward: image (batch, 1, bands, frames) as LogMelSpectrogram encodes it -> Spectra. `sound` renders them."""

    def __init__(self, config: VocoderConfig, labels: Any):
        super().__init__()
        self.config, self.labels = config, labels
        self.view = LogMelSpectrogram()
        self.bins = self.view.window // 2 + 1
        self.enter = nn.Conv1d(self.view.bands, config.width, REACH, padding=REACH // 2)
        self.trunk = nn.ModuleList(ConvNeXtBlock(config.width, config.hidden) for _ in range(config.blocks))
        self.head = nn.Linear(config.width, PER_BIN * self.bins)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, image: Tensor) -> Spectra:
        x = self.enter(image.squeeze(1).clamp(-1.5, 1.5)).transpose(1, 2)
        for block in self.trunk:
            x = block(x)
        said = self.head(F.rms_norm(x, x.shape[-1:], eps=1e-6)).transpose(1, 2)
        with torch.autocast(image.device.type, enabled=False):
            level, *turns = said.float().unflatten(1, (PER_BIN, self.bins)).unbind(1)
            bands = power_of(image.float().squeeze(1), self.view.floor_db)
            magnitude = root(self.view.bins_of(bands, bounded(level, -LEVEL, LEVEL).exp(), UPDATES))
            advance, lock = gaussian_turns(magnitude.detach(), self.view.window, self.view.hop)
            return Spectra(
                magnitude=magnitude,
                advance=advance * torch.complex(1 + turns[0], turns[1]),
                lock=lock * torch.complex(1 + turns[2], turns[3])[:, :-1],
            )

    def sound(self, spectra: Spectra, samples: int) -> Tensor:
        """(batch, samples). Phases are constants for the gradient."""
        phase = self._phase(Spectra(*(x.detach() for x in spectra)), samples)
        return istft(spectra.magnitude * phase, self.view.window, self.view.hop, samples)

    def _phase(self, spectra: Spectra, samples: int) -> Tensor:
        """Complex numbers of length 1, or 0: the turns added up, and then the phases of the nearest sound."""
        size, window, hop = spectra.magnitude, self.view.window, self.view.hop
        phase = propagate(size, spectra.advance, spectra.lock)
        for _ in range(ROUNDS):
            heard = stft(istft(size * phase, window, hop, samples), window, hop)
            phase = heard / heard.abs().clamp_min(TINY)
        return phase
