"""Pitch of a recording by swift-f0 (optional extra `antiphon[pitch]`), and figures derived from it."""

from __future__ import annotations

import numpy as np

from antiphon.core.units import midi_to_hz

LOW, HIGH = 47.0, 2_094.0  # Hz, the tracker's range


def in_range(pitch: np.ndarray | float) -> np.ndarray:
    """Whether MIDI pitches can be heard by the tracker (47-2,094 Hz, half a semitone kept clear): bool array."""
    frequency = midi_to_hz(np.asarray(pitch, np.float64))
    margin = 2 ** (0.5 / 12)
    return (frequency > LOW * margin) & (frequency < HIGH / margin)


def pitch_score(measured: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Compare MIDI pitches (n,) measured (NaN: none found) with those wanted, within the tracker's range.

    `within_50`: share within 50 cents, 0..1, counting a note without pitch as a miss; `median_cents`: median absolute
    error of all notes with a pitch; `notes`: how many were judged.
    """
    measured, wanted = np.asarray(measured, np.float64), np.asarray(wanted, np.float64)
    audible = in_range(wanted)
    if not audible.any():
        return {"within_50": float("nan"), "median_cents": float("nan"), "notes": 0}
    cents = 100 * np.abs(measured - wanted)[audible]
    found = np.isfinite(cents)
    median = float(np.median(cents[found])) if found.any() else float("nan")
    return {
        "within_50": float((np.where(found, cents, np.inf) <= 50).mean()),
        "median_cents": median,
        "notes": int(audible.sum()),
    }
