"""Batches of windows of pieces, each with its parts in an order of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from antiphon.data.phrases import Piece, Window, window
from antiphon.data.prepared_scores import Scores

HIDDEN = 0.4  # share of the windows in which a control is not told
UNTOLD_END = 0.2  # share of the windows in which it is not told how many bars are left
PHRASE = 4  # bars that the generator writes at a time in the game
BEGINNINGS = 0.12  # share of the windows that begin where their piece does
SHUFFLED = 0.5  # share of the windows whose parts are in any order


@dataclass(frozen=True)
class Context:
    """Where a phrase of a piece begins, and the order of its parts."""

    piece: Piece
    begin: int
    order: tuple[int, ...]


@dataclass(frozen=True)
class Phrases:
    """Windows one after another: tokens (batch, tokens, fields), padded with zeros, and the tables of Window, with
    places in the flattened tokens. contexts: a place in each window's piece, from which the game lets the generator
    write on."""

    tokens: Tensor
    bar_at: Tensor
    bar_rows: Tensor
    bar_hints: Tensor
    bar_chords: Tensor
    block_at: Tensor
    block_rows: Tensor
    block_hints: Tensor
    block_answers: Tensor
    maps: Tensor
    sizes: Tensor
    place_at: Tensor
    place_block: Tensor
    place_now: Tensor
    places: Tensor
    note_at: Tensor
    small: Tensor
    classes: Tensor
    keys: Tensor
    answers: Tensor
    contexts: tuple[Context, ...] = ()

    def to(self, device: torch.device) -> Phrases:
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "contexts"}
        return Phrases(**moved, contexts=self.contexts)


def collated(windows: list[Window], contexts: Sequence[Context] = ()) -> Phrases:
    longest = max(len(w.tokens) for w in windows)
    tokens = np.zeros((len(windows), longest, windows[0].tokens.shape[1]), np.int64)
    tables: dict[str, list[np.ndarray]] = {f.name: [] for f in fields(Window) if f.name != "tokens"}
    blocks = 0
    for i, w in enumerate(windows):
        tokens[i, : len(w.tokens)] = w.tokens
        moved = {"bar_at": i * longest, "block_at": i * longest, "place_at": i * longest, "note_at": i * longest,
                 "place_block": blocks}  # fmt: skip
        for name, collected in tables.items():
            collected.append(getattr(w, name) + moved.get(name, 0) if name in moved else getattr(w, name))
        blocks += len(w.sizes)
    joined = {name: torch.from_numpy(np.concatenate(arrays)) for name, arrays in tables.items()}
    return Phrases(tokens=torch.from_numpy(tokens), contexts=tuple(contexts), **joined)


class PhraseSource:
    """Window number i of a seed is the same one always, whoever asks for it. Styles are drawn by the fourth root of
    how many bars they have, pieces by the square root of theirs, and a first bar."""

    def __init__(self, data: Scores, longest: int, seed: int):
        self.data, self.longest, self.seed = data, longest, seed
        chosen = data.where("train").numpy()
        self.by_style = [chosen[data.tables["style"][chosen] == s] for s in range(len(data.styles))]
        self.by_style = [pieces for pieces in self.by_style if len(pieces)]
        bars = np.diff(data.tables["bar_start"])
        self.weights = [np.sqrt(bars[pieces]) / np.sqrt(bars[pieces]).sum() for pieces in self.by_style]
        styles = np.array([bars[pieces].sum() for pieces in self.by_style]) ** 0.25
        self.styles = styles / styles.sum()
        self._pieces: dict[int, Piece] = {}

    def batch(self, first: int, count: int) -> Phrases:
        items = range(first, first + count)
        return collated([self.window(i) for i in items], [self.context(i) for i in items])

    def context(self, index: int) -> Context:
        piece, first, order, _ = self.drawn(index)
        return Context(piece, max(min(first, piece.bars - PHRASE), 0), tuple(order))

    def drawn(self, index: int) -> tuple[Piece, int, list[int], np.random.Generator]:
        """The piece, first bar and order of parts of a window, and what draws the rest of it."""
        rng = np.random.default_rng((self.seed, index))
        style = int(rng.choice(len(self.styles), p=self.styles))
        number = int(rng.choice(self.by_style[style], p=self.weights[style]))
        if number not in self._pieces:
            self._pieces[number] = self.data.piece(number)
        piece = self._pieces[number]
        first = int(rng.integers(max(piece.bars - 2, 1)))
        first = 0 if rng.random() < BEGINNINGS else first
        order = list(range(piece.parts))
        if rng.random() < SHUFFLED:
            order = rng.permutation(piece.parts).tolist()
        return piece, first, order, rng

    def window(self, index: int) -> Window:
        piece, first, order, rng = self.drawn(index)
        hidden = (rng.random(4) < HIDDEN).tolist()
        return window(piece, first, order, self.longest, hidden, bool(rng.random() >= UNTOLD_END))
