"""What can be measured of a bar among the bars before it: how like them it is, how full, how consonant, how it moves.

A critic that sees these and no notes cannot learn phrases by heart [networks/discriminators/measured.py]."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from antiphon.data.phrases import CHORDS, GRID, LENGTHS, PLACES, Piece

BACK = (1, 2, 4, 8, 16)  # bars
COPIED = (1, 4, 8)
STEP = GRID // 4  # places in a sixteenth
WIDTH = PLACES // STEP  # sixteenths
HEARD = 8  # bars whose pitch classes a bar's are compared with
SCALE = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11))  # pieces are in C major or A minor
CONSONANT = np.isin(np.arange(12), (0, 3, 4, 5, 7, 8, 9))
KICK, SNARE, TOMS = 128 + 36 - 27, (128 + 38 - 27, 128 + 40 - 27), tuple(128 + k - 27 for k in (41, 43, 45, 47, 48, 50))
_SHAPES = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 6), (0, 3, 7, 10), (0, 4, 7, 11))
TONES = np.array([np.isin((np.arange(12) - chord // 6) % 12, _SHAPES[chord % 6]) for chord in range(CHORDS)])
NAMES = (
    *(f"has {n} before" for n in BACK), *(f"rhythm at {n}" for n in BACK), *(f"notes at {n}" for n in BACK),
    *(f"drums at {n}" for n in BACK), *(f"copied parts at {n}" for n in COPIED), "onsets at 1", "silent parts",
    "fallen silent", "density", "on the beat", "on a weak sixteenth", "off the grid", "notes of a part",
    "most notes of a part", "notes at once", "pitch classes of a part", "pitch classes", "new pitch classes",
    "entropy of pitch classes", "in the scale", "in the chord", "chords alike", "consonance", "sound together",
    "interval", "steps", "leaps", "repeated notes", "length", "short notes", "long notes", "spread of lengths",
    "mean pitch", "lowest", "highest", "drums", "strokes", "keys of drums", "kick begins", "snares", "toms",
)  # fmt: skip


def bar_measures(piece: Piece, first: int, stop: int, begin: int = 0) -> np.ndarray:
    """(stop - first, len(NAMES)) float32 of bars `first` to `stop` - 1; those before `begin` do not count as there."""
    low = max(first - max(BACK), begin)
    index = piece.notes[:, 0]
    rows = piece.notes[np.searchsorted(index, low) : np.searchsorted(index, stop)].astype(np.int64)
    bars = [rows[rows[:, 0] == bar] for bar in range(low, stop)]
    drums = piece.families == 16
    seen = [_contents(own, drums) for own in bars]
    found = []
    for bar in range(first, stop):
        values = [float(bar - n >= begin) for n in BACK]
        values += [value for kind in range(3) for value in _likeness(seen, bar - low, kind)]
        values += _copied(bars, bar - low, drums)
        values += _texture(piece, bars, bar, low, drums)
        values += _harmony(piece, bars, bar, low, drums)
        values += _lines(bars[bar - low], drums)
        values += _beats(bars[bar - low], drums)
        found.append(values)
    return np.array(found, np.float32).reshape(-1, len(NAMES))


def _contents(rows: np.ndarray, drums: np.ndarray) -> tuple[set[int], ...]:
    """Of a bar: where its pitched parts begin notes, which these are, and strokes of drums."""
    at, drum = rows[:, 1] * WIDTH + rows[:, 2] // STEP, drums[rows[:, 1]]
    keyed = at * 256 + rows[:, 3]
    return set(at[~drum].tolist()), set(keyed[~drum].tolist()), set(keyed[drum].tolist())


def _likeness(seen: list[tuple[set[int], ...]], at: int, kind: int) -> Iterator[float]:
    """Intersection by union with bars before."""
    for back in BACK:
        a, b = seen[at][kind], seen[at - back][kind] if at >= back else set()
        yield len(a & b) / len(a | b) if a or b else 0.0


def _copied(bars: list[np.ndarray], at: int, drums: np.ndarray) -> Iterator[float]:
    """The share of a bar's pitched parts that play the same as before."""
    mine = [bars[at][bars[at][:, 1] == part][:, 2:4].tobytes() for part in np.flatnonzero(~drums).tolist()]
    playing = sum(bool(block) for block in mine)
    for back in COPIED:
        theirs = bars[at - back] if at >= back else bars[at][:0]
        other = [theirs[theirs[:, 1] == part][:, 2:4].tobytes() for part in np.flatnonzero(~drums).tolist()]
        yield sum(bool(a) and a == b for a, b in zip(mine, other, strict=True)) / max(playing, 1)


def _texture(piece: Piece, bars: list[np.ndarray], bar: int, low: int, drums: np.ndarray) -> list[float]:
    rows, before = bars[bar - low], bars[bar - low - 1] if bar > low else bars[bar - low]
    size = max(int(piece.places[bar]) // STEP, 1)
    begun, then = (set((own[:, 2] // STEP).tolist()) for own in (rows, before))
    playing, played = (set(own[:, 1].tolist()) for own in (rows, before))
    counts = np.bincount(rows[~drums[rows[:, 1]], 1], minlength=1)
    counts = counts[counts > 0]
    moments = len(np.unique(rows[~drums[rows[:, 1]]][:, 1:3], axis=0))
    places = rows[:, 2]
    many = max(len(rows), 1)
    return [
        len(begun & then) / max(len(begun | then), 1),
        1 - len(playing) / piece.parts,
        len(played - playing) / piece.parts,
        len(begun) / size,
        float((places % GRID == 0).sum()) / many,
        float((places // STEP % 2 == 1).sum()) / many,
        float((places % STEP > 0).sum()) / many,
        float(np.log1p(counts).mean()) if len(counts) else 0.0,
        float(np.log1p(counts.max(initial=0))),
        int(counts.sum()) / max(moments, 1),
    ]


def _harmony(piece: Piece, bars: list[np.ndarray], bar: int, low: int, drums: np.ndarray) -> list[float]:
    rows = bars[bar - low]
    tuned = rows[~drums[rows[:, 1]]]
    classes = tuned[:, 3] % 12
    by_part = len(np.unique(tuned[:, 1] * 12 + classes)) / max(len(np.unique(tuned[:, 1])), 1)
    around = np.concatenate(bars[max(bar - low - HEARD + 1, 0) : bar - low + 1])
    heard = np.bincount(around[~drums[around[:, 1]], 3] % 12, minlength=12)
    own = np.bincount(classes, minlength=12)
    share = heard[heard > 0] / max(heard.sum(), 1)
    chord = piece.chords[bar][(2 * tuned[:, 2] >= piece.places[bar]).astype(int)]
    known = (chord >= 0) & (chord < CHORDS)
    fits = TONES[np.clip(chord, 0, CHORDS - 1), classes] & known
    same = piece.chords[bar - 1] == piece.chords[bar] if bar > low else np.zeros(2, bool)
    first, second = np.triu_indices(len(tuned), 1)
    together = (tuned[first, 2] == tuned[second, 2]) & (tuned[first, 3] != tuned[second, 3])
    right = CONSONANT[np.abs(tuned[first, 3] - tuned[second, 3]) % 12][together]
    many = max(len(tuned), 1)
    return [
        by_part,
        float((own > 0).sum()),
        float(((own > 0) & (heard == own)).sum()) / max(float((own > 0).sum()), 1.0),
        float(-(share * np.log2(share)).sum()),
        float(SCALE[classes].sum()) / many,
        float(fits.sum()) / many,
        float(same.mean()),
        float(right.mean()) if len(right) else 0.8,
        float(np.log1p(len(right))),
    ]


def _lines(rows: np.ndarray, drums: np.ndarray) -> list[float]:
    """How the top notes of parts move, how long notes are, and where they lie."""
    tuned = rows[~drums[rows[:, 1]]]
    order = np.lexsort((-tuned[:, 3], tuned[:, 2], tuned[:, 1]))
    top = tuned[order]
    fresh = np.ones(len(top), bool)
    fresh[1:] = (np.diff(top[:, 1]) != 0) | (np.diff(top[:, 2]) != 0)
    top = top[fresh]
    moved = np.abs(np.diff(top[:, 3]))[np.diff(top[:, 1]) == 0]
    steps = moved if len(moved) else np.zeros(1)
    lengths = np.array(LENGTHS)[tuned[:, 4]] if len(tuned) else np.full(1, GRID)
    keys = tuned[:, 3] if len(tuned) else np.full(1, 60)
    logs = np.log2(lengths)
    return [
        float(np.minimum(steps, 12).mean()), float(((steps > 0) & (steps < 3)).mean()), float((steps > 7).mean()),
        float((steps == 0).mean()) * (len(moved) > 0), float(logs.mean()), float((lengths < GRID / 2).mean()),
        float((lengths > GRID).mean()), float(logs.std()), float(keys.mean()) / 12, float(keys.min()) / 12,
        float(keys.max()) / 12,
    ]  # fmt: skip


def _beats(rows: np.ndarray, drums: np.ndarray) -> list[float]:
    strokes = rows[drums[rows[:, 1]]]
    keys, many = strokes[:, 3], max(len(strokes), 1)
    return [
        float(drums.any()), float(np.log1p(len(strokes))), float(len(np.unique(keys))),
        float(((keys == KICK) & (strokes[:, 2] == 0)).any()), float(np.isin(keys, SNARE).sum()) / many,
        float(np.isin(keys, TOMS).sum()) / many,
    ]  # fmt: skip
