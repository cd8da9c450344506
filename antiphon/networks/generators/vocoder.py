"""The generator of a vocoder: log-mel frames -> how loud each bin of the spectrum is and how its phase turns -> sound.

A trunk of ConvNeXt blocks at frame rate with an inverse STFT at its end, as Vocos (Siuzdak 2023, arXiv 2306.00814),
changed where sustained notes are concerned. Vocos says phases. A convolution cannot: of a steady tone all frames look
alike, and a network that answers alike to all of them can only play multiples of the frame rate, 86 Hz. This one says
how phases *turn*, from frame to frame and from bin to bin, which of a steady tone is the same in all frames; the turns
are followed [representations/phase_propagation.py], and two rounds of Griffin-Lim make overlapping frames agree.

It says only what rules do not know: levels within a band (what the bands say is kept), and by how much the turns differ
from those that the levels imply.
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
LEVEL = 12.0  # nepers of power that a bin may differ from its neighbourhood: valleys between partials are deep
UPDATES = 5  # that make bins agree with their bands: with what the network knows they do more than 30 without it
ROUNDS = 2  # of Griffin-Lim, after the turns: frames overlap, and then agree where they do
TINY = 1e-20
PER_BIN = 5  # numbers that the head says of each: a level and two turns


@dataclass(frozen=True)
class VocoderConfig:
    """width, hidden: of the trunk and inside its blocks."""

    width: int = 256
    hidden: int = 512
    blocks: int = 6


class Spectra(NamedTuple):
    """What is expected of each bin and frame, (batch, bins, frames). magnitude: of a full-scale sine 1. advance, lock:
    complex, see representations/phase_propagation.py; lock has a bin less."""

    magnitude: Tensor
    advance: Tensor
    lock: Tensor


class ConvNeXtBlock(nn.Module):
    """Frames are mixed band by band, then bands frame by frame (Liu 2022). (batch, frames, width) -> the same"""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.mix = nn.Conv1d(width, width, REACH, padding=REACH // 2, groups=width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        nn.init.normal_(self.down.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        h = self.mix(x.transpose(1, 2)).transpose(1, 2)
        return x + self.down(F.gelu(self.up(F.rms_norm(h, h.shape[-1:], eps=1e-6))))


class Vocoder(nn.Module):
    """forward: image (batch, 1, bands, frames) as LogMelSpectrogram draws it -> Spectra. `sound` makes it heard."""

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
        """(batch, samples). Phases are constants to the gradient."""
        phase = self._phase(Spectra(*(x.detach() for x in spectra)), samples)
        return istft(spectra.magnitude * phase, self.view.window, self.view.hop, samples)

    def _phase(self, spectra: Spectra, samples: int) -> Tensor:
        """Complex numbers of length 1, or 0: the turns followed, and then what the nearest sound's phases are."""
        size, window, hop = spectra.magnitude, self.view.window, self.view.hop
        phase = propagate(size, spectra.advance, spectra.lock)
        for _ in range(ROUNDS):
            heard = stft(istft(size * phase, window, hop, samples), window, hop)
            phase = heard / heard.abs().clamp_min(TINY)
        return phase
