"""Pitch of a recording by swift-f0 (optional extra `antiphon[pitch]`), and the figures made of it."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from antiphon.errors import AntiphonError

LOW, HIGH = 47.0, 2_094.0  # Hz, the tracker's range
SKIP_SECONDS, HEARD_SECONDS = 0.05, 1.5  # the attack's scoop is left out, and what follows the first 1.5 s


@lru_cache(maxsize=1)
def _tracker() -> Any:
    try:
        import swift_f0
    except ImportError:
        raise AntiphonError("measuring pitch needs swift-f0: pip install 'antiphon[pitch]'") from None
    return swift_f0.SwiftF0(threads=1, spin=False)


def can_track() -> bool:
    """Whether swift-f0 is installed."""
    return find_spec("swift_f0") is not None


def in_range(pitch: np.ndarray | float) -> np.ndarray:
    """Whether MIDI pitches can be heard by the tracker (47-2,094 Hz, half a semitone kept clear): bool array."""
    frequency = 440 * 2 ** ((np.asarray(pitch, np.float64) - 69) / 12)
    margin = 2 ** (0.5 / 12)
    return (frequency > LOW * margin) & (frequency < HIGH / margin)


def track_pitch(audio: np.ndarray, sample_rate: int = 44_100) -> float:
    """Median MIDI pitch of one note, audio (samples,), over its voiced frames; NaN where none is voiced.

    A note lasts seconds and changes little: frames from 50 ms to 1.5 s are heard, or all of a shorter note.
    """
    sound = np.asarray(audio, np.float32)[: int(HEARD_SECONDS * sample_rate)]
    peak = float(np.abs(sound).max(initial=0.0))
    if len(sound) < 256 or not np.isfinite(peak) or peak < 1e-5:
        return float("nan")
    result = _tracker().detect(sound * (0.5 / peak), sample_rate)
    voiced = result.confidence >= 0.5
    settled = voiced & (result.timestamps >= SKIP_SECONDS)
    kept = settled if settled.sum() >= 3 else voiced
    if not kept.any():
        return float("nan")
    return float(69 + 12 * np.log2(np.median(result.pitch_hz[kept]) / 440))


def pitch_score(measured: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Compare MIDI pitches (n,) measured (NaN: none found) with those wanted, where the tracker can hear them.

    `within_50`: share within 50 cents, 0..1, a note without pitch counting as missed; `median_cents`: of the absolute
    errors of all notes with a pitch; `notes`: how many were judged.
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
