"""What a composer has to be better than: training bars in any order, and n-grams of each part by itself, both in C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from compose_works import Work, in_c, score_of

from antiphon.metrics.composition_sets import grams
from antiphon.music.notation import Metre, Score
from antiphon.music.qualities import NoteTable

GRID = 12  # steps of a crotchet
ORDER = 3  # notes of context of the longest n-gram, which is of order 4
FEWEST = 4  # times that a context must have been met to be used
FAR = 8 * GRID


def shuffled(works: Sequence[Work], bars: int, seed: int) -> Score:
    """The parts of a work, with each bar from any work of its style and metre: right by bar, without form."""
    rng = np.random.default_rng([seed, 1])
    model = works[int(rng.integers(len(works)))]
    length = 4 * model.metre[0] / model.metre[1]
    same = [work for work in works if work.metre == model.metre]
    pieces = []
    for bar in range(bars):
        notes = _any_bar(same, length, rng, model)
        pieces.append(replace(notes, onset=notes.onset + bar * length))
    columns = (
        np.concatenate([getattr(p, name) for p in pieces]) for name in ("onset", "length", "pitch", "part", "drum")
    )
    table = NoteTable(*columns, np.arange(bars + 1) * length, len(model.roles))
    return score_of(table, model, Metre(*model.metre))


def _any_bar(works: Sequence[Work], length: float, rng: np.random.Generator, model: Work) -> NoteTable:
    """A bar in C, its parts given to those of the model with the same role."""
    for _ in range(50):
        work = works[int(rng.integers(len(works)))]
        table, sizes = work.table, np.diff(work.table.bars)
        bar = int(rng.integers(len(sizes)))
        inside = table.bar == bar
        if abs(sizes[bar] - length) < 1e-6 and inside.any():
            notes = replace(in_c(work).where(inside), onset=table.onset[inside] - table.bars[bar])
            part = np.array([model.roles.index(role) if role in model.roles else -1 for role in work.roles])
            moved = replace(notes, part=part[notes.part], onset=np.maximum(notes.onset, 0))
            return moved.where(moved.part >= 0)
    return model.table.where(np.zeros(len(model.table), bool))


class Ngrams:
    """N-grams of the notes of one role: (time since the note before, pitch in C, length)."""

    def __init__(self, works: Sequence[Work], role: str):
        lines = [_tokens(in_c(work), part) for work in works for part, own in enumerate(work.roles) if own == role]
        lines = [line for line in lines if len(line) > ORDER]
        self.first = np.array([line[0] for line in lines])
        self.line = np.concatenate([np.append(line, -1) for line in lines]) if lines else np.zeros(0, np.int64)
        self.places = {}
        for order in range(1, ORDER + 1):
            hashes = grams(self.line, order)[:-1]  # the last has nothing after it
            by_hash = np.argsort(hashes, kind="stable")
            self.places[order] = (hashes[by_hash], by_hash + order)

    def next(self, past: Sequence[int], rng: np.random.Generator) -> int:
        """A token as it followed the longest context that was met often enough; -1 where a line ended."""
        for order in range(min(ORDER, len(past)), 0, -1):
            hashes, after = self.places[order]
            wanted = grams(np.array(past[-order:]), order)[0]
            low, high = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, "right")
            if high - low >= (FEWEST if order > 1 else 1):
                return int(self.line[after[int(rng.integers(low, high))]])
        return -1

    def notes(self, crotchets: float, rng: np.random.Generator) -> list[tuple[float, float, int]]:
        """(onset, length, pitch) until so many crotchets have passed."""
        past, at, found = [], 0.0, []
        for _ in range(100_000):
            token = self.next(past, rng) if past else -1
            token = int(self.first[int(rng.integers(len(self.first)))]) if token < 0 else token
            past.append(token)
            gap, pitch, length = token >> 20, token >> 10 & 1023, token & 1023
            at += gap / GRID
            if at >= crotchets:
                break
            found.append((at, length / GRID, pitch))
        return found


def _tokens(table: NoteTable, part: int) -> np.ndarray:
    own = table.where(table.part == part)
    order = np.lexsort((own.pitch, own.onset))
    onset = np.rint(own.onset[order] * GRID).astype(np.int64)
    gap = np.clip(np.diff(onset, prepend=onset[:1]), 0, FAR)
    length = np.clip(np.rint(own.length[order] * GRID), 1, FAR).astype(np.int64)
    return gap << 20 | own.pitch[order].astype(np.int64) << 10 | length


class Markov:
    """A composer of n-grams in a style."""

    def __init__(self, works: Sequence[Work]):
        self.works = works
        self.roles = {role: Ngrams(works, role) for role in sorted({role for work in works for role in work.roles})}

    def piece(self, bars: int, seed: int) -> Score:
        """A score with the parts, the tempo and the metre of a work of the style."""
        rng = np.random.default_rng([seed, 2])
        model = self.works[int(rng.integers(len(self.works)))]
        length = 4 * model.metre[0] / model.metre[1]
        rows = [
            (*note, part, role == "drums")
            for part, role in enumerate(model.roles)
            for note in self.roles[role].notes(bars * length, rng)
        ]
        onset, lengths, pitch, part, drum = (np.array(column) for column in zip(*rows, strict=True))
        table = NoteTable(onset, lengths, pitch, part, drum, np.arange(bars + 1) * length, len(model.roles))
        return score_of(table, model, Metre(*model.metre))
