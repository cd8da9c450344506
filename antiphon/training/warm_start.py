"""Beginning from a published voice: take over what fits, by name and shape and label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from antiphon.training.game import InstrumentGame
    from antiphon.voice import Voice


@torch.no_grad()
def take_over_labelled(game: InstrumentGame, voice: Voice, opponents: Mapping[str, Tensor]) -> list[str]:
    """Copy the voice's weights into the game's model, and its opponents' where there are any.

    Rows of tables that belong to a label are matched by the label. -> names of the weights that were not taken over.
    """
    labels, theirs = game.model.labels, voice.model.labels
    left = _take(game.model, voice.model.state_dict(), labels, theirs)
    if opponents:
        left += _take(game.critics, opponents, labels, theirs)
    return left


def _take(module: nn.Module, theirs: Mapping[str, Tensor], labels: object, their_labels: object) -> list[str]:
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
