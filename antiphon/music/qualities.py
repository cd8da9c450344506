"""What can be measured of a piece of music and asked of a composer: density, register, polyphony, syncopation, mode.

All of it is measured on `NoteTable`, a piece's notes in arrays. Times are in crotchets (quarter notes); rhythms are
read on a grid of sixteenths within the bar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from antiphon.music.harmony import MAJOR, MINOR
from antiphon.music.notation import STEPS as SCORE_STEPS
from antiphon.music.notation import Score

STEPS = 4  # of the grid, in a crotchet
EARLY = 0.5 / STEPS  # crotchets: what begins this shortly before a barline is meant to be on it


@dataclass(frozen=True)
class NoteTable:
    """A piece's notes in arrays, in any order. onset, length: (n,) float, crotchets since the beginning and for how
    long; pitch: (n,) int, MIDI, of drums the key; part: (n,) int, which part plays it; drum: (n,) bool; bars: (m + 1,)
    float, crotchets where each bar begins, and where the last ends; parts: how many parts there are, silent ones
    too."""

    onset: np.ndarray
    length: np.ndarray
    pitch: np.ndarray
    part: np.ndarray
    drum: np.ndarray
    bars: np.ndarray
    parts: int = 1

    def __len__(self) -> int:
        return len(self.onset)

    def where(self, chosen: np.ndarray) -> NoteTable:
        """Only some notes. chosen: (n,) bool or indices."""
        names = ("onset", "length", "pitch", "part", "drum")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    @property
    def pitched(self) -> NoteTable:
        """Without the drums."""
        return self.where(~self.drum)

    @cached_property
    def bar(self) -> np.ndarray:
        """(n,) int: the bar, from 0, in which each note begins."""
        found = np.searchsorted(self.bars, self.onset + EARLY, "right") - 1
        return np.clip(found, 0, max(len(self.bars) - 2, 0))

    @cached_property
    def place(self) -> np.ndarray:
        """(n,) int: the sixteenth of its bar, from 0, on which each note begins."""
        return np.maximum(np.rint((self.onset - self.bars[self.bar]) * STEPS), 0).astype(int)

    @property
    def crotchets(self) -> float:
        """How long the bars are, all together."""
        return float(self.bars[-1] - self.bars[0])


def note_table(score: Score) -> NoteTable:
    """A score's notes, in arrays."""
    tables = [score.table(part) for part in score.parts]
    rows = np.concatenate([*tables, np.zeros((0, 5), np.int64)])
    sizes = [len(table) for table in tables]
    return NoteTable(
        onset=rows[:, 0] / SCORE_STEPS,
        length=rows[:, 2] / SCORE_STEPS,
        pitch=rows[:, 1],
        part=np.repeat(np.arange(len(tables)), sizes),
        drum=np.repeat(np.array([part.is_drum for part in score.parts], bool), sizes),
        bars=score.starts / SCORE_STEPS,
        parts=len(tables),
    )


def pitch_classes(notes: NoteTable, weights: np.ndarray | None = None) -> np.ndarray:
    """(12,) how many pitched notes there are of each pitch class, from C; or, by `weights` (n,), how much of them."""
    weights = np.ones(len(notes)) if weights is None else weights
    heard = ~notes.drum
    return np.bincount(notes.pitch[heard] % 12, weights[heard], 12)


def density(notes: NoteTable) -> float:
    """0..1: the share of all sixteenths on which something begins, drums included. A walking crotchet is .25."""
    begun = len(np.unique(notes.bar * 1024 + notes.place))
    return begun / max(round(notes.crotchets * STEPS), 1) if len(notes) else 0.0


def register(notes: NoteTable) -> float:
    """The mean pitch, MIDI, of what is not drums, each note weighted by its length. NaN if there is none."""
    tuned = notes.pitched
    return float(np.average(tuned.pitch, weights=np.maximum(tuned.length, 1e-3))) if len(tuned) else float("nan")


def polyphony(notes: NoteTable) -> float:
    """How many pitched notes sound at once, on average over the time in which any does [MusPy, `polyphony`]. NaN if
    there is none."""
    tuned = notes.pitched
    if not len(tuned):
        return float("nan")
    times = np.concatenate([tuned.onset, tuned.onset + tuned.length])
    change = np.repeat([1, -1], len(tuned))
    order = np.lexsort((change, times))
    sounding, spans = np.cumsum(change[order])[:-1], np.diff(times[order])
    heard = float(spans[sounding > 0].sum())
    return float((sounding * spans).sum()) / heard if heard else float("nan")


def metric_weights(steps: int) -> np.ndarray:
    """(steps,) int: how strong each sixteenth of a bar is, 0 for its first and less for weaker ones: the bar is halved
    down to its beats, and these down to sixteenths [Longuet-Higgins & Lee 1984]. steps: sixteenths in the bar. Beats
    are crotchets where those fit, else dotted crotchets, else quavers."""
    beat = next(unit for unit in (4, 6, 2, 1) if steps % unit == 0)
    spans = [steps]
    while spans[-1] > beat:
        even = spans[-1] % 2 == 0 and spans[-1] // 2 % beat == 0
        spans.append(spans[-1] // 2 if even else beat)
    spans += {4: [2, 1], 6: [2, 1], 2: [1], 1: []}[beat]
    weights = np.empty(steps, int)
    for level in range(len(spans) - 1, -1, -1):
        weights[:: spans[level]] = -level
    return weights


def syncopation(notes: NoteTable) -> float:
    """0 or more: by how many levels of the bar notes are early, on average. A note on a weak sixteenth, after which its
    part begins nothing on the next stronger ones, counts as the difference of their weights [Longuet-Higgins & Lee
    1984]. NaN without notes."""
    sizes = np.maximum(np.rint(np.diff(notes.bars) * STEPS), 1).astype(int)
    line = np.concatenate([metric_weights(size) for size in sizes.tolist()])
    starts = np.cumsum(sizes) - sizes
    early = [np.zeros(0, int)]
    for part in np.unique(notes.part):
        own = notes.part == part
        at = np.unique(starts[notes.bar[own]] + notes.place[own])
        at = at[at < len(line)]
        if not len(at):
            continue
        after = np.append(at[1:], len(line))
        spans = np.stack([at + 1, after], 1).ravel()  # what is passed over: reduceat takes the first of each two
        passed = np.maximum.reduceat(np.append(line, [-99, -99]), spans)[::2]
        early.append(np.where(after > at + 1, np.maximum(passed - line[at], 0), 0))
    found = np.concatenate(early)
    return float(found.mean()) if len(found) else float("nan")


def _profiles() -> np.ndarray:
    """(24, 12) of mean 0 and length 1."""
    found = np.stack([np.roll(kind, tonic) for kind in (MAJOR, MINOR) for tonic in range(12)])
    found = found - found.mean(1, keepdims=True)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


PROFILES = _profiles()


def key_fit(classes: np.ndarray) -> np.ndarray:
    """(24,) how well each key fits (12,) weights of pitch classes, as correlations with the profiles of Krumhansl and
    Kessler: C major to B major, then C minor to B minor. Zeros if all classes weigh the same."""
    heard = classes - classes.mean()
    size = np.linalg.norm(heard)
    return PROFILES @ heard / size if size > 1e-9 else np.zeros(24)


def mode(notes: NoteTable) -> float:
    """-1..1: how much better the best major key fits than the best minor key does; minor below 0."""
    fit = key_fit(pitch_classes(notes, notes.length))
    return float(fit[:12].max() - fit[12:].max())


QUALITIES = {
    "density": density,
    "register": register,
    "polyphony": polyphony,
    "syncopation": syncopation,
    "mode": mode,
}


def qualities(notes: NoteTable) -> dict[str, float]:
    """All of them, by name. (Tempo is what the score says it is.)"""
    return {name: measure(notes) for name, measure in QUALITIES.items()}
