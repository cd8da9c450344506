"""Critics of scenes: they see log-mel pictures at two resolutions, mid and side, and are told the label and the place
that the pair shares (projection: Miyato 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from antiphon.networks.texture import SILENT_SIDE, WIDEST_SIDE, Texture

Plan = tuple[tuple[int, int, tuple[int, int], tuple[int, int]], ...]  # in, out, kernel, stride of each layer


class PictureCritic(nn.Module):
    """(batch, channels, bands, frames) -> logits (batch, patches)."""

    def __init__(self, plan: Plan, labels: int, style: int, dropout: float = 0.0):
        super().__init__()
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, kernel, stride, padding=_half(kernel))) for a, b, kernel, stride in plan
        )
        last = plan[-1][1]
        self.dropout = nn.Dropout(dropout)
        self.score = weight_norm(nn.Conv2d(last, 1, 1))
        self.label, self.place = nn.Embedding(labels, last), nn.Linear(style, last)
        nn.init.normal_(self.label.weight, std=0.02)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, picture: Tensor, label: Tensor, w: Tensor) -> Tensor:
        x = picture
        for layer in self.layers:
            x = self.dropout(F.leaky_relu(layer(x), 0.2))
        told = (self.label(label) + self.place(w))[..., None, None]
        return (self.score(x) + (x * told).mean(1, keepdim=True)).flatten(1)


class SceneCritics(nn.ModuleList):
    """Two resolutions: forward -> a list of logits (batch, patches)."""

    def __init__(self, labels: int, style: int, channels: int = 16, dropout: float = 0.0):
        c = channels
        long = ((2, c, (4, 4), (2, 2)), (c, 2 * c, (4, 4), (2, 2)), (2 * c, 4 * c, (4, 4), (2, 2)),
                (4 * c, 4 * c, (3, 3), (1, 1)))  # fmt: skip
        short = ((1, c, (4, 8), (2, 4)), (c, 2 * c, (4, 4), (2, 2)), (2 * c, 4 * c, (4, 4), (2, 2)),
                 (4 * c, 4 * c, (3, 3), (1, 1)))  # fmt: skip
        super().__init__([PictureCritic(plan, labels, style, dropout) for plan in (long, short)])

    def forward(self, pictures: tuple[Tensor, Tensor], label: Tensor, w: Tensor) -> list[Tensor]:
        return [critic(picture, label, w) for critic, picture in zip(self, pictures, strict=True)]


def pictures(t: Texture) -> tuple[Tensor, Tensor]:
    """What the critics see: (batch, 2, bands, frames), mid and how far side is from it, and (batch, 1, bands, frames),
    mid at the short resolution; about -1..1."""
    mid, side = t.long[:, 0], t.long[:, 1]
    wide = (side - mid).clamp(SILENT_SIDE, WIDEST_SIDE)
    return torch.stack([mid / 4 + 1, wide / 2 + 1], 1), t.short.unsqueeze(1) / 4 + 1


def _half(kernel: tuple[int, int]) -> tuple[int, int]:
    """The padding with which a layer of stride 1 keeps odd sizes, and one of stride 2 halves even ones."""
    high, wide = kernel
    return (high - 1) // 2, (wide - 1) // 2
