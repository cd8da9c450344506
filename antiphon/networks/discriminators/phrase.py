"""A critic of phrases: how real each bar of a few is, in its context.

It sees a roll: for each role where notes begin and, but for drums, where they sound; a bar has sixteen cells, whatever
its metre; the first bars are real ones, which it does not judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.data.phrases import LENGTHS, ROLES, Piece

CELLS = 16  # of a bar
LOW, ROWS = 24, 84  # the lowest pitch that is seen, and how many
CHANNELS = 2 * ROLES - 1


def phrase_roll(piece: Piece, bars: Sequence[int]) -> np.ndarray:
    """(CHANNELS, bars * CELLS, ROWS) bool of consecutive bars, which may lie before the beginning of the piece."""
    roll = np.zeros((CHANNELS, len(bars) * CELLS, ROWS), bool)
    index = piece.notes[:, 0].astype(np.int64)
    rows = piece.notes[np.searchsorted(index, bars[0]) : np.searchsorted(index, bars[-1], "right")].astype(np.int64)
    places = piece.places.astype(np.int64)
    for bar, part, place, key, length, _ in rows.tolist():
        role, drum = int(piece.roles[part]), key >= 128
        row = min(max(key - 128 if drum else key - LOW, 0), ROWS - 1)
        cell = (bar - bars[0]) * CELLS + place * CELLS // int(places[bar])
        roll[role, cell, row] = True
        if not drum and role < ROLES - 1:
            roll[ROLES + role, cell : cell + max(LENGTHS[length] * CELLS // int(places[bar]), 1), row] = True
    return roll


class PhraseCritic(nn.Module):
    """(batch, CHANNELS, bars * CELLS, ROWS) -> (batch, bars) logits."""

    def __init__(self, channels: int, styles: int):
        super().__init__()
        c = channels
        self.first = nn.Conv2d(CHANNELS, c, (3, 13), (1, 3), (1, 6))
        self.second = nn.Conv2d(c, 2 * c, 4, 2, 1)
        self.third = nn.Conv2d(2 * c, 3 * c, 4, 2, 1)
        self.join = nn.Linear(3 * c * (ROWS // 12), 4 * c)
        self.bar = nn.Conv1d(4 * c, 4 * c, CELLS // 4, CELLS // 4)
        self.around = nn.Conv1d(4 * c, 4 * c, 3, 1, 1)
        self.verdict, self.style = nn.Linear(4 * c, 1), nn.Embedding(styles, 4 * c)
        nn.init.zeros_(self.style.weight)

    def forward(self, roll: Tensor, style: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(roll), 0.2)
        x = F.leaky_relu(self.second(x), 0.2)
        x = F.leaky_relu(self.third(x), 0.2)
        x = F.leaky_relu(self.join(x.transpose(1, 2).flatten(2)), 0.2).transpose(1, 2)
        x = F.leaky_relu(self.bar(x), 0.2)
        x = F.leaky_relu(x + self.around(x), 0.2).transpose(1, 2)
        logits: Tensor = self.verdict(x).squeeze(-1) + (x * self.style(style)[:, None]).sum(-1) / x.shape[-1] ** 0.5
        return logits


def rolls(pieces: Sequence[Piece], bars: Sequence[Sequence[int]]) -> Tensor:
    """(n, CHANNELS, cells, ROWS) float."""
    return torch.from_numpy(np.stack([phrase_roll(p, b) for p, b in zip(pieces, bars, strict=True)])).float()
