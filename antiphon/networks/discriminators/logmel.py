"""Conditional critics on log-mel spectrograms at two time resolutions.

They see magnitudes only (start phase is arbitrary), the time since onset and the gate frame by frame, and by projection
(Miyato 2018) the pitch, velocity and instrument, which are the same for both sounds of a pair.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.gesture import Gesture
from antiphon.networks.layers import pitch_features
from antiphon.representations.spectral import LogMel


class LogMelDiscriminator(nn.Module):
    """One resolution. forward -> (logits (batch, patches), features [(batch, channels, bands, frames), ...])"""

    def __init__(self, window: int, hop: int, bands: int, instruments: int, channels: int = 16, dropout: float = 0.0):
        super().__init__()
        self.mel = LogMel(window, hop, bands)
        c = channels
        plan = [(3, c, 4, 2), (c, 2 * c, 4, 2), (2 * c, 4 * c, 4, 2), (4 * c, 4 * c, 3, 1)]
        self.layers = nn.ModuleList(weight_norm(nn.Conv2d(a, b, k, s, padding=1)) for a, b, k, s in plan)
        self.dropout = nn.Dropout(dropout)
        self.score = weight_norm(nn.Conv2d(4 * c, 1, 1))
        self.label = nn.Embedding(instruments, 4 * c)
        self.condition = nn.Linear(9, 4 * c)
        nn.init.normal_(self.label.weight, std=0.02)

    def forward(self, audio: Tensor, gesture: Gesture, instrument: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.judge(self.mel(audio), gesture, instrument)

    def judge(self, image: Tensor, gesture: Gesture, instrument: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same for an image, (batch, bands, frames), as `mel` encodes it."""
        x = image.unsqueeze(1)
        x = torch.cat([2 * x - 1, self._clock(gesture, x.shape[-1]).expand(-1, -1, x.shape[2], -1)], 1)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
            x = self.dropout(x)
        played = torch.cat([pitch_features(gesture.pitch), gesture.velocity.unsqueeze(-1)], -1)
        embedding = self.label(instrument) + self.condition(played)
        with torch.autocast(image.device.type, enabled=False):
            x = x.float()
            logits = self.score(x) + (x * embedding.float()[..., None, None]).mean(1, keepdim=True)
        return logits.flatten(1), features

    def _clock(self, gesture: Gesture, frames: int) -> Tensor:
        """(batch, 2, 1, frames): log time since the onset, and whether the key is down."""
        times = gesture.start.unsqueeze(-1) + self.mel.hop * torch.arange(frames, device=gesture.start.device)
        since = torch.log1p(times / (0.01 * SAMPLE_RATE)) / 6
        return torch.stack([since, (times < gesture.release.unsqueeze(-1)).float()], 1).unsqueeze(2)


class Discriminators(nn.ModuleList):
    """All resolutions: forward -> (list of logits, list of feature lists)."""

    def __init__(self, instruments: int, channels: int = 16, dropout: float = 0.0):
        super().__init__(
            [
                LogMelDiscriminator(2048, 512, 128, instruments, channels, dropout),
                LogMelDiscriminator(512, 128, 64, instruments, channels, dropout),
            ]
        )

    def forward(self, audio: Tensor, gesture: Gesture, instrument: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        verdicts = [d(audio, gesture, instrument) for d in self]
        return [v[0] for v in verdicts], [v[1] for v in verdicts]
