"""From a recorded note to a style vector w, which describes the instrument and not the note it plays."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.layers import MLP, pitch_features
from antiphon.representations.spectral import LogMel

LISTEN = 65_536  # samples from the onset that are used: 1.49 s


def on_sphere(w: Tensor) -> Tensor:
    """Scale w to unit mean square, so that it is bounded whatever the network's output, as in StyleGAN's mapping."""
    return F.rms_norm(w.float(), w.shape[-1:], eps=1e-8)


class NoteEncoder(nn.Module):
    """Strided 1-D convolutions over log-mel frames, conditioned on the pitch and the gate, pooled over time.

    forward: audio (batch, LISTEN), pitch (batch,) MIDI, release (batch,) samples (inf if none) -> w (batch, style)
    """

    def __init__(self, style: int, channels: int = 192, bands: int = 96):
        super().__init__()
        self.mel = LogMel(2048, 512, bands)
        widths = [bands + 9, channels, channels, channels]
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 5, stride=2, padding=2) for a, b in pairwise(widths))
        self.out = MLP(3 * channels, channels, style)

    def forward(self, audio: Tensor, pitch: Tensor, release: Tensor) -> Tensor:
        return self.described(self.mel(audio), pitch, release)

    def described(self, x: Tensor, pitch: Tensor, release: Tensor) -> Tensor:
        """x: (batch, bands, frames), the log-mel of the audio -> w (batch, style)"""
        frames = torch.arange(x.shape[-1], device=x.device) * 512
        gate = (frames < release.unsqueeze(-1)).float().unsqueeze(1)
        p = pitch_features(pitch).unsqueeze(-1).expand(-1, -1, x.shape[-1])
        x = torch.cat([x, gate, p], 1)
        for layer in self.layers:
            x = F.silu(layer(x))
            x = F.rms_norm(x.transpose(1, 2), x.shape[1:2], eps=1e-6).transpose(1, 2)
        pooled = torch.cat([x.mean(-1), x.amax(-1), x[..., :2].mean(-1)], -1)
        return on_sphere(self.out(pooled))
