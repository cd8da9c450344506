"""Figures of sets of pieces for benchmarks/compose.py: a style classifier, overlaps, copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from compose_works import cut

from antiphon.metrics.composition import bar_sets, similarity
from antiphon.metrics.composition_sets import (
    Corpus,
    bar_pictures,
    distances,
    histograms,
    nearest_bars,
    overlap,
)
from antiphon.music.qualities import NoteTable, qualities

CHUNK = 8  # bars that the classifier sees at once
NEAREST = 40_000  # bars of the training works that are compared with
PAIRS = 200_000  # distances of a density


# ---- style -----------------------------------------------------------------------------------------------------------


def chunks(table: NoteTable) -> list[NoteTable]:
    count = len(table.bars) - 1
    parts = [cut(table, at, min(at + CHUNK, count)) for at in range(0, max(count - CHUNK // 2, 1), CHUNK)]
    return [part for part in parts if len(part) >= CHUNK]


def features(table: NoteTable) -> np.ndarray:
    """What a chunk of bars is like: rhythm, degrees, lengths, steps, density, register, voices. Neither programs nor
    the number of parts are in it, or the style would be read off the line-up."""
    found, tuned = histograms(table), bar_pictures(table).reshape(-1, 16, 12)
    onsets = np.bincount(np.minimum(table.place, 31), minlength=32) / max(len(table), 1)
    simple = np.nan_to_num(np.array(list(qualities(table).values())))
    rhythm = bar_sets(table, pitch=False)
    form = np.nan_to_num([similarity(rhythm, 1), similarity(rhythm, 4), table.drum.mean()])
    each = [tuned.sum((0, 1)) / max(tuned.sum(), 1), onsets, simple, form]
    return np.concatenate([*each, found["lengths"], found["onsets apart"], found["steps"]])


class Classifier:
    """Logistic regression of the style of chunks, trained on real ones; a piece is what its chunks say together."""

    def __init__(self, real: Mapping[str, Sequence[NoteTable]], seed: int = 0):
        self.styles = sorted(real)
        rows, marks = [], []
        for number, style in enumerate(self.styles):
            own = [features(chunk) for table in real[style] for chunk in chunks(table)]
            rows += own
            marks += [number] * len(own)
        x, y = np.array(rows), torch.tensor(marks)
        self.mean, self.spread = x.mean(0), x.std(0) + 1e-6
        torch.manual_seed(seed)
        self.model = torch.nn.Linear(x.shape[1], len(self.styles))
        weight = 1 / torch.bincount(y, minlength=len(self.styles)).float().clamp(min=1)
        data = torch.from_numpy(((x - self.mean) / self.spread).astype(np.float32))
        steps = torch.optim.Adam(self.model.parameters(), 0.02, weight_decay=1e-3)
        for _ in range(300):
            loss = torch.nn.functional.cross_entropy(self.model(data), y, weight / weight.sum())
            steps.zero_grad()
            loss.backward()
            steps.step()

    @torch.inference_mode()
    def style(self, table: NoteTable) -> str:
        """ "" for a piece too short or too empty."""
        found = [(features(chunk) - self.mean) / self.spread for chunk in chunks(table)]
        if not found:
            return ""
        said = self.model(torch.from_numpy(np.array(found, np.float32))).log_softmax(-1).sum(0)
        return self.styles[int(said.argmax())]


# ---- overlaps --------------------------------------------------------------------------------------------------------


def overlaps(pieces: Sequence[NoteTable], real: Sequence[NoteTable]) -> dict[str, float]:
    """Overlap area and divergence of the distances within the real works, and those between the pieces and them, by
    histogram and on average."""
    mine, theirs = ([histograms(table) for table in tables] for tables in (pieces, real))
    found: dict[str, float] = {}
    for name in theirs[0]:
        a, b = (np.array([one[name] for one in tables]) for tables in (mine, theirs))
        area, divergence = overlap(distances(b)[:PAIRS], distances(a, b)[:PAIRS])
        found |= {f"overlap of {name}": area, f"divergence of {name}": divergence}
    areas, divergences = ([v for k, v in found.items() if k.startswith(word)] for word in ("overlap", "divergence"))
    return found | {"overlap": float(np.mean(areas)), "divergence": float(np.mean(divergences))}


# ---- copies ----------------------------------------------------------------------------------------------------------


class Copies:
    """How much of a piece is in the training works."""

    def __init__(self, training: Sequence[NoteTable], seed: int = 0):
        self.corpus = Corpus(training)
        bars = np.concatenate([bar_pictures(table) for table in training])
        bars = bars[bars.sum(1) >= 4]
        chosen = np.random.default_rng(seed).permutation(len(bars))[:NEAREST]
        self.bars = bars[np.sort(chosen)]

    def of(self, table: NoteTable) -> dict[str, float]:
        near = nearest_bars(bar_pictures(table), self.bars)
        return {
            "longest copy, notes": float(self.corpus.longest_copy(table)),
            "nearest bar": float(near.mean()) if len(near) else float("nan"),
            "copied bars": float((near > 0.999).mean()) if len(near) else float("nan"),
        }
