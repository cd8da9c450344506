"""Measures of composed music, on a piece's notes in arrays (music/qualities.py).

MuseGAN's five (Dong et al. 2018): empty bars, pitch classes a bar, qualified notes, drum pattern, tonal distance.
MusPy's four (Dong et al. 2020): scale consistency, pitch-class entropy, groove consistency, drum consistency. Form: how
much of the rhythm, and of the notes, a bar shares with the one 1, 2, 4, 8 and 16 bars before. Consonance of what begins
together. None of them says whether music is good: each is to be read beside the same measure of real works.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from antiphon.music.qualities import NoteTable, pitch_classes

SCALE = (0, 2, 4, 5, 7, 9, 11)  # major; natural minor has the same notes from another tonic
CONSONANT = (0, 3, 4, 5, 7, 8, 9)  # semitones within an octave: all but seconds, sevenths and the tritone
BACK = (1, 2, 4, 8, 16)  # bars
SHORTEST = 1 / 8  # crotchets: notes shorter than a demisemiquaver are MuseGAN's unqualified ones
NEAR = 1 / 48  # crotchets
NAN = float("nan")


def measures(notes: NoteTable) -> dict[str, float]:
    """Every measure of a piece, by name. NaN where there is nothing to measure (no drums, one part, too few bars)."""
    found = {
        "empty bars": empty_bars(notes),
        "pitch classes a bar": used_pitch_classes(notes),
        "qualified notes": qualified_notes(notes),
        "drum pattern": drum_pattern(notes),
        "tonal distance": tonal_distance(notes),
        "scale consistency": scale_consistency(notes),
        "pitch-class entropy": pitch_class_entropy(notes),
        "groove consistency": groove_consistency(notes),
        "drum consistency": drum_consistency(notes),
        "consonance": consonance(notes),
    }
    rhythm, content = bar_sets(notes, pitch=False), bar_sets(notes, pitch=True)
    found |= {f"rhythm at {back}": similarity(rhythm, back) for back in BACK}
    return found | {f"notes at {back}": similarity(content, back) for back in BACK}


# ---- MuseGAN ---------------------------------------------------------------------------------------------------------


def empty_bars(notes: NoteTable) -> float:
    """0..1: the share of bars in which a part does not begin a note, over all parts (EB)."""
    bars = max(len(notes.bars) - 1, 1)
    filled = len(np.unique(notes.part.astype(np.int64) * bars + notes.bar))
    return 1 - filled / (bars * max(notes.parts, 1))


def used_pitch_classes(notes: NoteTable) -> float:
    """1..12: pitch classes in a bar of a part, on average over its bars with notes (UPC)."""
    tuned = notes.pitched
    if not len(tuned):
        return NAN
    place = tuned.part.astype(np.int64) * len(notes.bars) + tuned.bar
    return len(np.unique(place * 12 + tuned.pitch % 12)) / len(np.unique(place))


def qualified_notes(notes: NoteTable) -> float:
    """0..1: the share of pitched notes that last a demisemiquaver or longer (QN)."""
    tuned = notes.pitched
    return float((tuned.length >= SHORTEST - 1e-9).mean()) if len(tuned) else NAN


def drum_pattern(notes: NoteTable) -> float:
    """0..1: the share of drum strokes on the grid of sixteenths (DP)."""
    return _on_grid(notes, 4)


def tonal_centroid(classes: np.ndarray) -> np.ndarray:
    """(..., 6) where weights of pitch classes (..., 12) lie on the circles of fifths, minor thirds and major thirds
    [Harte et al. 2006]. They must not all be zero."""
    turns = np.arange(12) * np.pi * np.array([[7 / 6], [3 / 2], [2 / 3]])
    circles = np.stack([np.sin(turns), np.cos(turns)], 1) * np.array([1, 1, 0.5])[:, None, None]
    return classes @ circles.reshape(6, 12).T / classes.sum(-1, keepdims=True)


def tonal_distance(notes: NoteTable) -> float:
    """0..: the distance of the tonal centroids of two parts in a crotchet in which both begin notes, on average over
    crotchets and pairs of parts (TD). NaN if no two do."""
    tuned = notes.pitched
    beats: dict[int, dict[int, np.ndarray]] = defaultdict(lambda: defaultdict(lambda: np.zeros(12)))
    for beat, part, pitch in zip(np.floor(tuned.onset + 1e-6).astype(int).tolist(), tuned.part.tolist(),
                                 (tuned.pitch % 12).tolist(), strict=True):  # fmt: skip
        beats[beat][part][pitch] += 1
    found = []
    for together in beats.values():
        if len(together) > 1:
            centroids = tonal_centroid(np.stack(list(together.values())))
            apart = np.linalg.norm(centroids[:, None] - centroids[None], axis=-1)
            found.append(apart[np.triu_indices(len(centroids), 1)])
    return float(np.concatenate(found).mean()) if found else NAN


# ---- MusPy -----------------------------------------------------------------------------------------------------------


def scale_consistency(notes: NoteTable) -> float:
    """0..1: the share of pitched notes in the best fitting of the 24 major and natural minor scales."""
    classes = pitch_classes(notes)
    if not classes.sum():
        return NAN
    return float(max(np.roll(classes, -tonic)[list(SCALE)].sum() for tonic in range(12)) / classes.sum())


def pitch_class_entropy(notes: NoteTable) -> float:
    """0..3.58 bits: the entropy of the pitch classes of all pitched notes."""
    classes = pitch_classes(notes)
    share = classes[classes > 0] / max(classes.sum(), 1)
    return float(-(share * np.log2(share)).sum()) if len(share) else NAN


def groove_consistency(notes: NoteTable) -> float:
    """0..1: one less the share of sixteenths by which a bar differs from the next in where something begins [Wu & Yang
    2020]. Bars of different lengths are not compared. NaN if there are none to compare."""
    rows = [np.zeros(max(round(size * 4), 1), bool) for size in np.diff(notes.bars).tolist()]
    for bar, place in zip(notes.bar.tolist(), notes.place.tolist(), strict=True):
        if place < len(rows[bar]):
            rows[bar][place] = True
    found = [float((a != b).mean()) for a, b in pairwise(rows) if len(a) == len(b)]
    return 1 - float(np.mean(found)) if found else NAN


def drum_consistency(notes: NoteTable) -> float:
    """0..1: the share of drum strokes on the grid of sixteenths or on that of triplets of quavers, whichever has
    more."""
    return max(_on_grid(notes, 4), _on_grid(notes, 3))


def _on_grid(notes: NoteTable, steps: int) -> float:
    """The share of drum strokes within NEAR of a grid of so many steps in a crotchet. NaN without drums."""
    at = notes.onset[notes.drum]
    return float((np.abs(at * steps - np.rint(at * steps)) <= NEAR * steps + 1e-9).mean()) if len(at) else NAN


# ---- harmony ---------------------------------------------------------------------------------------------------------


def consonance(notes: NoteTable) -> float:
    """0..1: the share of consonant intervals among pairs of pitched notes that begin at the same time, in one part or
    in two. NaN if none do."""
    tuned = notes.pitched
    right = total = 0
    for pitches in _together(tuned):
        apart = np.abs(pitches[:, None] - pitches[None])[np.triu_indices(len(pitches), 1)]
        right += int(np.isin(apart % 12, CONSONANT).sum())
        total += len(apart)
    return right / total if total else NAN


def _together(notes: NoteTable) -> Iterator[np.ndarray]:
    """Pitches that begin at the same time, each once."""
    moment = np.rint(notes.onset * 48).astype(np.int64)  # 48 has triplets and demisemiquavers
    order = np.lexsort((notes.pitch, moment))
    cuts = np.flatnonzero(np.diff(moment[order])) + 1
    for chord in np.split(notes.pitch[order], cuts):
        if len(chord) > 1:
            yield np.unique(chord)


def agreement(notes: NoteTable, given: Sequence[int]) -> float:
    """0..1: the share of consonant intervals between each pitched note of the `given` parts and all pitched notes of
    the others that sound when it begins. NaN if none ever do."""
    tuned = notes.pitched
    mine = np.isin(tuned.part, list(given))
    other, end = tuned.where(~mine), (tuned.onset + tuned.length)[~mine]
    order = np.argsort(other.onset, kind="stable")
    onset, pitch, end = other.onset[order], other.pitch[order], end[order]
    longest = float((end - onset).max()) if len(end) else 0.0
    right = total = 0
    for at, key in zip(tuned.onset[mine].tolist(), tuned.pitch[mine].tolist(), strict=True):
        low, high = np.searchsorted(onset, (at - longest - NEAR, at + NEAR), "left")
        sounding = pitch[low:high][end[low:high] > at + NEAR]
        right += int(np.isin(np.abs(sounding - key) % 12, CONSONANT).sum())
        total += len(sounding)
    return right / total if total else NAN


# ---- form ------------------------------------------------------------------------------------------------------------


def bar_sets(notes: NoteTable, *, pitch: bool) -> list[set[int]]:
    """For each bar, what begins in it: sets of (part, sixteenth) or, with `pitch`, of (part, sixteenth, pitch); drums
    always have their key."""
    keys = np.where(notes.drum | pitch, notes.pitch, 0)
    codes = (notes.part.astype(np.int64) * 1024 + notes.place) * 128 + keys
    found: list[set[int]] = [set() for _ in range(max(len(notes.bars) - 1, 1))]
    for bar, code in zip(notes.bar.tolist(), codes.tolist(), strict=True):
        found[bar].add(code)
    return found


def similarity(bars: list[set[int]], back: int) -> float:
    """0..1: what a bar shares with the one `back` bars before it (intersection by union), on average over pairs of
    which one is not empty. NaN if there are none."""
    pairs = [(a, b) for a, b in zip(bars, bars[back:], strict=False) if a or b]
    return float(np.mean([len(a & b) / len(a | b) for a, b in pairs])) if pairs else NAN


RUN = 4  # bars in a row that have to be alike to count as a return
SHORT = 8  # bars
ALIKE, STILL = 0.5, 0.35  # what bars share on average where a return begins, and each bar as long as it lasts


def sections(notes: NoteTable) -> list[tuple[int, str]]:
    """(bar, letter) where the sections of a piece begin, as far as its bars tell: what returns has the letter that it
    had before, whatever is between two returns a new one. What repeats at once, after less than SHORT bars, is one
    section."""
    alike = _likeness(notes)
    runs = _returns(alike)
    edges = {0, *(edge for start, source, size in runs for edge in (start, start + size, source, source + size))}
    for start, source, size in runs:  # sections within what returns, return with it
        edges |= {edge + start - source for edge in edges if source < edge < source + size}
    letters: dict[int, str] = {}
    found: list[tuple[int, str]] = []
    for edge in sorted(edge for edge in edges if edge < len(alike)):
        before = next((source + edge - start for start, source, size in runs if start <= edge < start + size), None)
        if before is None:
            letters[edge] = chr(ord("A") + min(len(set(letters.values())), 25))
        else:
            letters[edge] = letters[max(at for at in letters if at <= before)]
        if not found or found[-1][1] != letters[edge] or edge - found[-1][0] >= SHORT:
            found.append((edge, letters[edge]))
    return found


def _likeness(notes: NoteTable) -> np.ndarray:
    """(bars, bars) 0..1: what each two bars share (intersection by union), a third of it of rhythm, the rest of
    notes."""
    total = np.zeros((max(len(notes.bars) - 1, 1),) * 2)
    for pitch, weight in ((False, 1 / 3), (True, 2 / 3)):
        bars = bar_sets(notes, pitch=pitch)
        known = {code: i for i, code in enumerate(sorted(set().union(*bars)))}
        rows = np.zeros((len(bars), max(len(known), 1)), np.float32)
        for bar, codes in enumerate(bars):
            rows[bar, [known[code] for code in codes]] = 1
        shared, sizes = rows @ rows.T, rows.sum(1)
        union = sizes[:, None] + sizes[None] - shared
        total += weight * np.where(union > 0, shared / np.maximum(union, 1), 1.0)
    return total


def _returns(alike: np.ndarray) -> list[tuple[int, int, int]]:
    """(first bar, the earlier bar that it is like, bars) of each stretch that returns, in order."""
    count, at = len(alike), RUN
    found: list[tuple[int, int, int]] = []
    while at + RUN <= count:
        shared = [float(np.mean([alike[at + k, j + k] for k in range(RUN)])) for j in range(at - RUN + 1)]
        best = int(np.argmax(np.array(shared) > max(shared) - 0.02))
        if shared[best] < ALIKE:
            at += 1
            continue
        size = RUN
        while at + size < count and best + size < at and alike[at + size, best + size] >= STILL:
            size += 1
        found.append((at, best, size))
        at += size
    return found
