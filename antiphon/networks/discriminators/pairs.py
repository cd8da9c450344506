"""Critics that see a sound and the damaged one it was made from (pix2pix, Isola 2017), as spectrograms at several
resolutions: they judge not only whether it sounds clean, but whether it is the clean version of this one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from antiphon.networks.discriminators.spectrogram import RESOLUTIONS, SpectrogramDiscriminator


class PairDiscriminator(SpectrogramDiscriminator):
    """One resolution: (batch, 2, samples), a sound and the damaged one -> (logits (batch, patches), features)."""

    def __init__(self, window: int, hop: int, channels: int):
        super().__init__(window, hop, channels)
        self.layers[0] = weight_norm(nn.Conv2d(2, channels, (7, 4), (2, 2), (3, 1)))

    def picture(self, audio: Tensor) -> Tensor:
        """(batch, 2, samples) -> (batch, 2, bins, frames)"""
        return super().picture(audio.flatten(0, 1)).unflatten(0, audio.shape[:2]).squeeze(2)


class PairDiscriminators(nn.ModuleList):
    """All resolutions: forward -> (list of logits, list of feature lists)."""

    def __init__(self, channels: int = 8):
        super().__init__(PairDiscriminator(window, hop, channels) for window, hop in RESOLUTIONS)

    def forward(self, audio: Tensor, damaged: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """audio, damaged: (batch, samples)"""
        verdicts = [critic(torch.stack([audio, damaged], 1)) for critic in self]
        return [v[0] for v in verdicts], [v[1] for v in verdicts]
