"""Sets of pieces beside each other: how alike their histograms are, and what a piece copies from another set.

Histograms and overlap follow Yang & Lerch (2018): distances between the pieces of a set, and between those of two sets,
as two densities; how much these overlap, and their Kullback-Leibler divergence. Real works differ among themselves, so
that a set of alike pieces may overlap *more* with their mean than another set of real ones does: read these beside the
row of real works against real works, and never alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.music.qualities import NoteTable, key_fit, pitch_classes

LENGTHS = np.array([1 / 8, 1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4])  # crotchets
END = -1  # the token between two melodies
RUNGS = (2, 4, 8, 16, 32)  # tokens in a row that are looked up at once; longer copies are found from there
WIDEST = 12  # semitones: larger steps of a melody count as this
POINTS = 512  # of the densities


# ---- histograms ------------------------------------------------------------------------------------------------------


def melody(notes: NoteTable, part: int) -> NoteTable:
    """The highest pitched note of each moment of a part, in order."""
    own = notes.where((notes.part == part) & ~notes.drum)
    order = np.lexsort((-own.pitch, own.onset))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(own.onset[order]) > 1e-3
    return own.where(order[first])


def melodies(notes: NoteTable) -> list[NoteTable]:
    """Those of all parts with two notes or more."""
    lines = [melody(notes, part) for part in np.unique(notes.part[~notes.drum]).tolist()]
    return [line for line in lines if len(line) > 1]


def length_class(crotchets: np.ndarray) -> np.ndarray:
    """(n,) int: the nearest of LENGTHS, by ratio."""
    edges = np.sqrt(LENGTHS[1:] * LENGTHS[:-1])
    return np.searchsorted(edges, crotchets)


def histograms(notes: NoteTable) -> dict[str, np.ndarray]:
    """By name, the histograms of a piece, each of sum 1 (or all zeros): note lengths, time between onsets, steps of the
    melodies, pitch classes from the tonic, and which of these follows which."""
    tuned, lines = notes.pitched, melodies(notes)
    steps = np.concatenate([np.diff(line.pitch) for line in lines]) if lines else np.zeros(0, int)
    gaps = np.concatenate([np.diff(line.onset) for line in lines]) if lines else np.zeros(0)
    home = tonic(notes)
    classes = (notes.pitch - home) % 12
    follows = np.zeros((12, 12))
    for line in lines:
        named = (line.pitch - home) % 12
        np.add.at(follows, (named[:-1], named[1:]), 1)
    found = {
        "lengths": np.bincount(length_class(tuned.length), minlength=len(LENGTHS)),
        "onsets apart": np.bincount(length_class(gaps), minlength=len(LENGTHS)),
        "steps": np.bincount(np.clip(steps, -WIDEST, WIDEST) + WIDEST, minlength=2 * WIDEST + 1),
        "pitch classes": np.bincount(classes[~notes.drum], minlength=12),
        "transitions": follows.ravel(),
    }
    return {name: counts / max(counts.sum(), 1) for name, counts in found.items()}


def tonic(notes: NoteTable) -> int:
    """The pitch class, 0..11 from C, of the major or minor key that fits the piece best."""
    return int(key_fit(pitch_classes(notes, notes.length)).argmax()) % 12


def distances(a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Euclidean distances between all pairs of a set's histograms, (n, bins), or between those of two sets, (m,
    bins)."""
    others = a if b is None else b
    squares = (a**2).sum(1)[:, None] + (others**2).sum(1)[None] - 2 * a @ others.T
    apart = np.sqrt(np.maximum(squares, 0))
    return apart[np.triu_indices(len(a), 1)] if b is None else apart.ravel()


def overlap(within: np.ndarray, between: np.ndarray) -> tuple[float, float]:
    """(overlap area 0..1, Kullback-Leibler divergence in nats) of the densities of two samples of distances, (n,) and
    (m,); Gaussian kernels of Silverman's width."""
    low, high = min(within.min(), between.min()), max(within.max(), between.max())
    reach = max(high - low, 1e-6)
    points = np.linspace(low - 0.2 * reach, high + 0.2 * reach, POINTS)
    p, q = (_density(sample, points, reach) for sample in (within, between))
    gap = points[1] - points[0]
    p, q = p / (p.sum() * gap), q / (q.sum() * gap)
    divergence = float((p * np.log((p + 1e-9) / (q + 1e-9))).sum() * gap)
    return float(np.minimum(p, q).sum() * gap), divergence


def _density(sample: np.ndarray, points: np.ndarray, reach: float) -> np.ndarray:
    width = max(0.9 * float(sample.std()) * len(sample) ** -0.2, 0.01 * reach)
    heights = np.histogram(sample, POINTS, (points[0], points[-1]))[0].astype(float)  # then blurred: n may be large
    spread = np.arange(-POINTS + 1, POINTS) * (points[1] - points[0]) / width
    return np.convolve(heights, np.exp(-0.5 * spread**2))[POINTS - 1 : 2 * POINTS - 1]


# ---- copies ----------------------------------------------------------------------------------------------------------


def tokens(line: NoteTable) -> np.ndarray:
    """(n - 1,) int64: (interval to the next note, time to it) of a melody, the same in every key and at every tempo."""
    steps, gaps = np.diff(line.pitch), np.rint(np.diff(line.onset) * 24)
    return (np.clip(steps, -64, 63).astype(np.int64) + 64) * 4096 + np.clip(gaps, 0, 4095).astype(np.int64)


def grams(line: np.ndarray, n: int) -> np.ndarray:
    """Hashes, uint64, of all n tokens in a row."""
    if len(line) < n:
        return np.zeros(0, np.uint64)
    with np.errstate(over="ignore"):
        factor, total = np.uint64(0x9E3779B97F4A7C15), np.zeros(len(line) - n + 1, np.uint64)
        mixed = (line.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(32)
        for k in range(n):
            total = total * factor + mixed[k : len(line) - n + 1 + k]
    return total


class Corpus:
    """What may have been copied from: the melodies of the training works, as tokens."""

    def __init__(self, pieces: Sequence[NoteTable]):
        lines = [np.append(tokens(line), END) for piece in pieces for line in melodies(piece)]
        self.line = np.concatenate([np.zeros(0, np.int64), *lines])
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def _places(self, line: np.ndarray, at: int, n: int) -> np.ndarray:
        """Where in the corpus the n tokens from `at` on of a line stand."""
        if n not in self._known:
            hashes = grams(self.line, n)
            order = np.argsort(hashes)
            self._known[n] = (hashes[order], order)
        hashes, order = self._known[n]
        low, high = (int(np.searchsorted(hashes, grams(line[at : at + n], n)[0], side)) for side in ("left", "right"))
        return order[low:high]

    def longest_copy(self, piece: NoteTable) -> int:
        """The length, in notes, of the longest stretch of one of the piece's melodies whose intervals and rhythm are
        those of a stretch of the corpus. 0 if there is none of three notes."""
        found = 0
        for line in (tokens(own) for own in melodies(piece)):
            at = 0
            while at + max(found + 1, RUNGS[0]) <= len(line):
                found = max(found, self._longest_at(line, at, found + 1))
                at += 1
        return found + 1 if found else 0

    def _longest_at(self, line: np.ndarray, at: int, least: int) -> int:
        """How many tokens from `at` on are in the corpus, if that is `least` or more; else 0."""
        rung = max(n for n in RUNGS if n <= max(least, RUNGS[0]))
        places, n = self._places(line, at, rung), rung
        while at + n < len(line) and len(places):
            ahead = np.minimum(places + n, len(self.line) - 1)  # which is an END
            further = places[self.line[ahead] == line[at + n]]
            if not len(further):
                break
            places, n = further, n + 1
        return n if len(places) and n >= least else 0


def bar_pictures(notes: NoteTable) -> np.ndarray:
    """(bars, 192) float32, 0 or 1: which pitch class, from the tonic, begins on which sixteenth of each bar; what
    begins after the sixteenth of these is left out. Drums are not in it."""
    tuned, home = notes.pitched, tonic(notes)
    found = np.zeros((max(len(notes.bars) - 1, 1), 16, 12), np.float32)
    early = tuned.place < 16
    found[tuned.bar[early], tuned.place[early], (tuned.pitch[early] - home) % 12] = 1
    return found.reshape(len(found), -1)


def nearest_bars(bars: np.ndarray, corpus: np.ndarray, fewest: int = 4) -> np.ndarray:
    """For each bar with so many notes or more, how much of it and of the nearest bar of the corpus is the same
    (intersection by union, 1: a copy). bars, corpus: (n, 192), (m, 192)."""
    mine = bars[bars.sum(1) >= fewest]
    sizes = corpus.sum(1)
    found = np.zeros(len(mine))
    for start in range(0, len(mine), 64):
        some = mine[start : start + 64]
        shared = some @ corpus.T
        found[start : start + 64] = (shared / (some.sum(1)[:, None] + sizes[None] - shared)).max(1)
    return found
