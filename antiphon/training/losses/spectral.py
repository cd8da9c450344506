"""How far a sound is from its target, by magnitudes at several resolutions; phase is free."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from antiphon.representations.spectral import LogMel, magnitude

RESOLUTIONS = ((4096, 1024), (1024, 256), (256, 128))
FLOOR = 1e-4  # -80 dB of full scale


class SpectralLoss(nn.Module):
    """Log-magnitude L1 weighted by the square root of the target's magnitude, plus linear L1, plus log-mel L1.

    The weight keeps the noise floor, most of a spectrogram's area, from dominating what is heard; the log-mel term
    covers the decay and the floor. forward: (batch, samples) twice -> {"log", "linear", "mel"} scalars
    """

    def __init__(self) -> None:
        super().__init__()
        self.mels = nn.ModuleList([LogMel(2048, 512, 128, -75.0), LogMel(512, 128, 48, -75.0)])

    def forward(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        logs, linears = [], []
        for window, hop in RESOLUTIONS:
            f, r = magnitude(fake, window, hop), magnitude(real, window, hop)
            weight = (r + FLOOR).sqrt()
            weight = weight / weight.mean((1, 2), keepdim=True)
            logs.append((weight * (torch.log(f + FLOOR) - torch.log(r + FLOOR)).abs()).mean())
            linears.append(((f - r).abs().sum((1, 2)) / (r.sum((1, 2)) + 1.0)).mean())
        mels = [(m(fake) - m(real)).abs().mean() * 8 for m in self.mels]
        return {
            "log": torch.stack(logs).mean(),
            "linear": torch.stack(linears).mean(),
            "mel": torch.stack(mels).mean(),
        }
