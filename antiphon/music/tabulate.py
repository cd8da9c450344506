"""Scores to the tables that a composer learns from (data/phrases.py), and the way back.

A piece is moved to C major or A minor, its parts are put in order, its chords are estimated, and for every bar the
earlier one that it takes up is looked for: form, as far as it can be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.data.phrases import (
    COARSE,
    DRUM_KEYS,
    FLAT,
    GRID,
    LENGTHS,
    LOWEST_DRUM,
    MOST_PARTS,
    PLACES,
    SEATS,
    Piece,
    length_class,
    seat_class,
    tempo_class,
)
from antiphon.music.harmony import chord_spans, chords, estimate_key, home
from antiphon.music.notation import ROLES, STEPS, Key, Score, ScorePart

FINER = STEPS // GRID  # steps of a score in a place
FEWEST_NOTES, FEWEST_BARS = 16, 4  # of a piece that can be learned from
FAR_BACK = 64  # bars among which the one is looked for that a bar takes up
ALIKE = 0.6  # similarity (rhythm + pitches, 0..2) from which one is taken up
USUAL_BACK = (2, 4, 8, 16, 32)
PREFERRED = 0.03  # similarity that such a distance is worth
BEYOND = 12 << 20  # places: more than any piece has, and a multiple of a beat
STEADY = 3.0  # standard deviation of velocities below which they tell nothing


class Tabulated(NamedTuple):
    """piece: its style and its controls still to be filled in. measured: (4,) its raw controls. programs: (parts,).
    shift: semitones by which it was moved to C or A minor; chosen: which parts of the score, in order."""

    piece: Piece
    measured: np.ndarray
    programs: tuple[int, ...]
    shift: int
    chosen: tuple[int, ...]


def tabulate(score: Score, key: Key | None = None, parts: Sequence[int] | None = None) -> Tabulated:
    """key: its key (default: estimated). parts: indices of those to take, of pieces however short (default: up to
    MOST_PARTS, of a piece that can be learned from). Raises AntiphonError, saying why, for one that cannot be used."""
    chosen = chosen_parts(score) if parts is None else list(parts)
    if parts is None and sum(len(score.parts[i].notes) for i in chosen) < FEWEST_NOTES:
        raise AntiphonError(f"it has fewer than {FEWEST_NOTES} notes")
    if parts is None and score.bars < FEWEST_BARS:
        raise AntiphonError(f"it has fewer than {FEWEST_BARS} bars")
    if any(metre.steps > PLACES * FINER for metre in score.metres):
        raise AntiphonError(f"it has bars longer than {PLACES // GRID} beats")
    if len(chosen) > MOST_PARTS:
        raise AntiphonError(f"it has more than {MOST_PARTS} parts")
    key = key or estimate_key(score)
    shift = home(key)
    own = [score.parts[i] for i in chosen]
    moved = replace(score, parts=tuple(own)).transposed(shift)
    rows = _rows(moved)
    places = np.array([max(metre.steps // FINER, 1) for metre in score.metres], np.int16)
    piece = Piece(
        notes=rows,
        places=places,
        compound=np.array([m.unit >= 8 and m.beats % 3 == 0 for m in score.metres]),
        chords=_by_bar(moved),
        earlier=taken_up(rows, places),
        roles=np.array([ROLES.index(part.role) for part in own], np.int16),
        families=np.array([16 if part.is_drum else part.program // 8 for part in own], np.int16),
        seats=np.array([_seat(part) for part in moved.parts], np.int16),
        controls=np.zeros(4, np.int16),
        mode=int(key.minor),
        first=15 if score.bars > 1 and score.metres[0].steps < score.metres[1].steps else 0,
        tempo=tempo_class(score.tempo),
    )
    return Tabulated(piece, measure(piece), tuple(part.program for part in own), shift, tuple(chosen))


def chosen_parts(score: Score, fewest: int = 4) -> list[int]:
    """Parts with more than a few notes, doublings left out, in the order of their roles, then from high to low; of too
    many, those with most notes and always the drums."""
    seen, kept = set(), []
    for i, part in enumerate(score.parts):
        content = frozenset((n.bar, n.position, n.pitch) for n in part.notes)
        if len(content) >= fewest and content not in seen:
            seen.add(content)
            kept.append(i)
    most = sorted(kept, key=lambda i: (not score.parts[i].is_drum, -len(score.parts[i].notes)))[:MOST_PARTS]
    return sorted(most, key=lambda i: _order(score.parts[i]))


def _order(part: ScorePart) -> tuple[int, float]:
    return ROLES.index(part.role), -float(np.mean([n.pitch for n in part.notes] or [0]))


def _seat(part: ScorePart) -> int:
    return SEATS - 1 if part.is_drum else seat_class(float(np.mean([n.pitch for n in part.notes] or [60])))


def _rows(score: Score) -> np.ndarray:
    """(n, 6) int16: bar, part, place, key, length class, velocity class; one note for a key at a place."""
    flat = np.std([n.velocity for part in score.parts for n in part.notes] or [0]) < STEADY
    found = []
    for index, part in enumerate(score.parts):
        table = np.array(part.notes, np.int64).reshape(-1, 5)
        keys = np.clip(table[:, 2] - LOWEST_DRUM, 0, DRUM_KEYS - 1) + 128 if part.is_drum else table[:, 2]
        velocity = np.full(len(table), FLAT) if flat else table[:, 4] // 16
        columns = (table[:, 0], np.full(len(table), index), table[:, 1] // FINER, keys,
                   length_class(np.maximum(table[:, 3], 1) / FINER), velocity)  # fmt: skip
        found.append(np.stack(columns, 1))
    rows = np.concatenate(found) if found else np.zeros((0, 6), np.int64)
    rows = rows[np.lexsort((rows[:, 4], rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
    again = np.concatenate([(rows[1:, :4] == rows[:-1, :4]).all(1), [False]]) if len(rows) else np.zeros(0, bool)
    return rows[~again].astype(np.int16)


def _by_bar(score: Score) -> np.ndarray:
    """(bars, 2): the chord of each half of a bar."""
    spans, found = chord_spans(score), chords(score)
    first = np.searchsorted(spans[:, 2], np.arange(score.bars))
    last = np.searchsorted(spans[:, 2], np.arange(score.bars), "right") - 1
    return np.stack([found[first], found[last]], 1).astype(np.int16)


def taken_up(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(bars,) the earlier bar, of the same length and at least two bars back, that each is most like; -1 for none.

    Likeness is the Jaccard index of where notes begin, by part, plus that of which notes do."""
    bars = len(places)
    rhythm, notes = np.zeros((bars, MOST_PARTS * PLACES), np.float32), np.zeros((bars, 4096), np.float32)
    wide = rows.astype(np.int64)
    rhythm[wide[:, 0], (wide[:, 1] % MOST_PARTS) * PLACES + wide[:, 2]] = 1
    notes[wide[:, 0], (wide[:, 1] * 7919 + wide[:, 2] * 193 + wide[:, 3] * 31) % 4096] = 1
    alike = _jaccard(rhythm) + _jaccard(notes)
    back = np.arange(bars)[:, None] - np.arange(bars)[None]
    alike += PREFERRED * np.isin(back, USUAL_BACK)
    alike -= 1e-4 * np.clip(back, 0, FAR_BACK)
    alike[(back < 2) | (back > FAR_BACK) | (places[:, None] != places[None])] = -1
    best = alike.argmax(1)
    return np.where(alike[np.arange(bars), best] >= ALIKE, best, -1).astype(np.int16)


def _jaccard(rows: np.ndarray) -> np.ndarray:
    """(n, n) of the sets whose members are ones in (n, d)."""
    shared, sizes = rows @ rows.T, rows.sum(1)
    return shared / np.maximum(sizes[:, None] + sizes[None] - shared, 1)


def measure(piece: Piece) -> np.ndarray:
    """(4,) density: notes a beat; register: mean pitch; syncopation: share of a part's onsets that are between beats
    while it begins nothing on the beat after; polyphony: pitches that sound at once, while any does."""
    rows = piece.notes.astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(piece.places)])
    onset = starts[rows[:, 0]] + rows[:, 2]
    pitched = rows[:, 3] < 128
    begun = np.unique(rows[:, 1] * BEYOND + onset)
    weak = begun[begun % GRID != 0]
    off = ~np.isin((weak // GRID + 1) * GRID, begun)
    lengths = np.array(LENGTHS)[rows[pitched, 4]]
    sounding = np.zeros(starts[-1] // COARSE + 2, np.int64)
    np.add.at(sounding, np.minimum(onset[pitched] // COARSE, len(sounding) - 1), 1)
    np.add.at(sounding, np.minimum((onset[pitched] + lengths) // COARSE, len(sounding) - 1), -1)
    together = np.cumsum(sounding)
    return np.array([
        len(rows) / max(starts[-1] / GRID, 1),
        rows[pitched, 3].mean() if pitched.any() else 60.0,
        off.sum() / max(len(begun), 1),
        together[together > 0].mean() if (together > 0).any() else 0.0,
    ])  # fmt: skip
