"""Critics on log-magnitude spectrograms at several resolutions (UnivNet, Jang 2021), unconditional."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from antiphon.representations.spectral import magnitude

RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128))
FLOOR = 1e-4


class SpectrogramDiscriminator(nn.Module):
    """One resolution: (batch, samples) -> (logits (batch, patches), features)."""

    def __init__(self, window: int, hop: int, channels: int = 12, dropout: float = 0.0):
        super().__init__()
        self.window, self.hop = window, hop
        c = channels
        plan = [(1, c, (7, 4)), (c, 2 * c, (5, 4)), (2 * c, 4 * c, (5, 4)), (4 * c, 4 * c, (3, 3))]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, k, (2, 2) if i < 3 else 1, (k[0] // 2, 1))) for i, (a, b, k) in enumerate(plan)
        )
        self.dropout = nn.Dropout(dropout)
        self.score = weight_norm(nn.Conv2d(4 * c, 1, 1))

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.judge(self.picture(audio))

    def picture(self, audio: Tensor) -> Tensor:
        """(batch, samples) -> (batch, 1, bins, frames), the image to judge."""
        return torch.log10(magnitude(audio, self.window, self.hop) + FLOOR).unsqueeze(1) / 2 + 1

    def judge(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same for such an image."""
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
            x = self.dropout(x)
        return self.score(x).flatten(1), features


class SpectrogramDiscriminators(nn.ModuleList):
    """All resolutions: forward -> (list of logits, list of feature lists)."""

    def __init__(self, channels: int = 12, dropout: float = 0.0):
        super().__init__(SpectrogramDiscriminator(window, hop, channels, dropout) for window, hop in RESOLUTIONS)

    def forward(self, audio: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        verdicts = [critic(audio) for critic in self]
        return [v[0] for v in verdicts], [v[1] for v in verdicts]
