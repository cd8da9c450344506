"""The key of a score, and its chords."""

from __future__ import annotations

import numpy as np

from antiphon.music.notation import NAMES, STEPS, Key, Score

# How well each degree fits a major and a minor key (Krumhansl & Kessler 1982)
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
LAST = 0.15  # weight of the last bass note, which is mostly the tonic, beside a correlation

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "dim": (0, 3, 6), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11),
}  # fmt: skip
QUALITY_NAMES = tuple(QUALITIES)
CHORDS = 12 * len(QUALITIES)  # chord numbers: root * 6 + quality; CHORDS for none
NO_CHORD = CHORDS
SIMPLER = (0.0, 0.0, 0.05, 0.08, 0.08, 0.1)  # of a quality: how much better it has to fit than a triad
ON_BASS = 0.12  # how much it counts that the root is the lowest note
COMMON = 0.04  # how much it counts that a chord was there before


def sounding(score: Score) -> np.ndarray:
    """(notes, 5) of all melodic parts: onset, pitch, length, velocity, bar."""
    tables = [score.table(part) for part in score.parts if not part.is_drum]
    return np.concatenate(tables) if tables else np.zeros((0, 5), np.int64)


def estimate_key(score: Score) -> Key:
    """By the correlation of how long each pitch class sounds with the profiles of all keys; the last bass note helps.
    A score without melodic notes is in C."""
    rows = sounding(score)
    if not len(rows):
        return Key(0)
    lengths = np.minimum(rows[:, 2], 8 * STEPS).astype(float)
    heard = np.bincount(rows[:, 1] % 12, lengths, 12)
    final = rows[rows[:, 0] + rows[:, 2] >= (rows[:, 0] + rows[:, 2]).max() - STEPS]
    last = int(final[np.argmin(final[:, 1]), 1]) % 12
    fits = {}
    for minor, profile in ((False, MAJOR), (True, MINOR)):
        for tonic in range(12):
            fit = np.corrcoef(np.roll(profile, tonic), heard)[0, 1] if heard.std() > 0 else 0.0
            fits[Key(tonic, minor)] = fit + LAST * (tonic == last)
    return max(fits, key=lambda key: fits[key])


def home(key: Key) -> int:
    """Semitones, -5 to 6, that move a key to C major or A minor."""
    return ((9 if key.minor else 0) - key.tonic + 5) % 12 - 5


def _templates() -> np.ndarray:
    """(CHORDS, 12) of unit length: pitch classes of each chord, the root counting a little more."""
    rows = np.zeros((CHORDS, 12))
    for root in range(12):
        for q, tones in enumerate(QUALITIES.values()):
            rows[root * len(QUALITIES) + q, [(root + t) % 12 for t in tones]] = 1.0
            rows[root * len(QUALITIES) + q, root] = 1.2
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


TEMPLATES = _templates()
PENALTY = np.tile(np.array(SIMPLER), 12)


def chord_tones(chord: int) -> tuple[int, ...]:
    """Pitch classes of a chord, the root first; none for NO_CHORD."""
    root, quality = divmod(chord, len(QUALITIES))
    return () if chord >= CHORDS else tuple((root + t) % 12 for t in QUALITIES[QUALITY_NAMES[quality]])


def chord_name(chord: int) -> str:
    root, quality = divmod(chord, len(QUALITIES))
    return "-" if chord >= CHORDS else NAMES[root] + QUALITY_NAMES[quality]


def chord_spans(score: Score) -> np.ndarray:
    """(spans, 3) int: first step, last + 1, bar of what one chord is estimated for: half bars where a bar has an even
    number of beats of which there are at least four, else whole bars."""
    spans = []
    for bar, metre in enumerate(score.metres):
        start, size = int(score.starts[bar]), metre.steps
        half = size // 2 if size >= 4 * STEPS and size % 4 == 0 else size
        spans += [(start, start + half, bar)] + [(start + half, start + size, bar)] * (half < size)
    return np.array(spans, np.int64).reshape(-1, 3)


def pitch_classes(score: Score, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(spans, 12): steps that each pitch class sounds within each span; (spans,) the lowest pitch, 128 for none."""
    rows = sounding(score)
    heard, lowest = np.zeros((len(spans), 12)), np.full(len(spans), 128)
    onset, end, pitch = rows[:, 0], rows[:, 0] + np.minimum(rows[:, 2], 4 * STEPS), rows[:, 1]
    first = np.searchsorted(spans[:, 1], onset, "right")
    for shift in range(8):  # a note reaches over at most so many spans
        at = np.minimum(first + shift, len(spans) - 1)
        shared = np.minimum(end, spans[at, 1]) - np.maximum(onset, spans[at, 0])
        kept = (shared > 0) & (first + shift < len(spans))
        np.add.at(heard, (at[kept], pitch[kept] % 12), shared[kept])
        np.minimum.at(lowest, at[kept], pitch[kept])
    return heard, lowest


def chords(score: Score) -> np.ndarray:
    """(spans,) chord numbers of `chord_spans`: root * 6 + quality, NO_CHORD where nothing sounds.

    Each is the chord whose tones the sounding pitch classes resemble most (cosine), the root in the bass and the chord
    before it counting for something; sevenths have to fit better than triads."""
    spans = chord_spans(score)
    heard, lowest = pitch_classes(score, spans)
    fits = np.sqrt(heard) / np.maximum(np.linalg.norm(np.sqrt(heard), axis=1, keepdims=True), 1e-9) @ TEMPLATES.T
    fits = fits - PENALTY
    root = np.arange(CHORDS) // len(QUALITIES)
    fits += ON_BASS * (root[None] == (lowest % 12)[:, None])
    found, before = np.full(len(spans), NO_CHORD), NO_CHORD
    for i in range(len(spans)):
        if heard[i].sum() > 0:
            fit = fits[i]
            if before < CHORDS:
                fit = fit + COMMON * (np.arange(CHORDS) == before)
            before = found[i] = int(fit.argmax())
    return found
