"""Beginning from a published voice: take over what fits, by name and shape and label."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from antiphon.checkpoint import read_tensors
from antiphon.training.ema import Ema
from antiphon.training.game import Game
from antiphon.voice import Voice


@torch.no_grad()
def warm_start(game: Game, ema: Ema, voice: Voice, players: Path | None) -> list[str]:
    """Copy the voice's weights into the game's model, and its opponents' from `players` where given.

    Rows of tables that belong to a label are matched by the label. -> names of the weights that were not taken over.
    """
    left = _take(game.model, voice.model.state_dict(), game.model.labels, voice.model.labels)
    if players is not None and players.exists():
        tensors, _ = read_tensors(players)
        left += _take(
            game.critics,
            {k.removeprefix("game.").removeprefix("critics."): v.float() for k, v in tensors.items()},
            game.model.labels,
            voice.model.labels,
        )
    ema.module.load_state_dict(game.model.state_dict())
    return left


def _take(module: nn.Module, theirs: dict[str, Tensor], labels: object, their_labels: object) -> list[str]:
    left = []
    for name, mine in module.state_dict().items():
        found = theirs.get(name)
        if found is not None and name.endswith("label.weight") and found.shape[1:] == mine.shape[1:]:
            _take_rows(mine, found, labels.instruments, their_labels.instruments)  # type: ignore[attr-defined]
        elif found is not None and found.shape == mine.shape:
            mine.copy_(found)
        elif found is not None and name.endswith("net.0.weight"):
            _take_columns(mine, found, labels.styles, their_labels.styles)  # type: ignore[attr-defined]
        else:
            left.append(name)
    return left


def _take_rows(mine: Tensor, theirs: Tensor, names: tuple[str, ...], their_names: tuple[str, ...]) -> None:
    """An instrument known by name keeps its row; a new one starts at the mean of the known."""
    mine.copy_(theirs.mean(0, keepdim=True).expand_as(mine))
    for i, name in enumerate(names):
        if name in their_names:
            mine[i] = theirs[their_names.index(name)]


def _take_columns(mine: Tensor, theirs: Tensor, words: tuple[str, ...], their_words: tuple[str, ...]) -> None:
    """A layer that ends in style words: the columns before them, and those of words known by name."""
    fixed = mine.shape[1] - len(words)
    if fixed != theirs.shape[1] - len(their_words) or mine.shape[0] != theirs.shape[0]:
        return
    mine[:, :fixed] = theirs[:, :fixed]
    mine[:, fixed:] = 0
    for i, word in enumerate(words):
        if word in their_words:
            mine[:, fixed + i] = theirs[:, fixed + their_words.index(word)]
