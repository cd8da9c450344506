"""The pitch of a single recorded note, by swift-f0 (46.9-2,093.75 Hz). Needs the extra `antiphon[pitch]`."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.files import read_audio
from antiphon.audio.ops import Audio
from antiphon.core.errors import AntiphonError
from antiphon.core.stopping import held
from antiphon.core.units import SAMPLE_RATE, hz_to_midi

LISTEN_SECONDS = 2.5  # of a file
SKIP_SECONDS, HEARD_SECONDS = 0.05, 1.5  # the attack's scoop is left out, and what follows the first 1.5 s
OWN_RATE = 16_000  # swift-f0's


class Tracker:
    """Listens to notes with swift-f0, on one thread that sleeps between calls. Its model is loaded when it is made."""

    def __init__(self) -> None:
        with held():  # a stop in the middle of its import would look as if it were not installed
            from swift_f0 import SwiftF0

            self._detector: Any = SwiftF0(threads=1, spin=False)

    def pitch(self, audio: Audio, sample_rate: int) -> float | None:
        """The steady pitch of one note, (samples,), as a MIDI number; None if there is no certain one."""
        if len(audio) < sample_rate // 20:
            return None
        found = self._detector.detect(audio, sample_rate)
        loud = found.loudness_db > found.loudness_db.max(initial=-200) - 30
        sure = loud & (found.confidence > 0.8)
        if sure.sum() < max(3, 0.4 * loud.sum()):
            return None
        midi = hz_to_midi(found.pitch_hz[sure])
        middle = float(np.median(midi))
        return middle if np.mean(np.abs(midi - middle) < 0.6) > 0.7 else None

    def contour(self, audio: Audio, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame by frame, of audio (samples,): (frames,) seconds and (frames,) MIDI pitch, NaN where none is sure."""
        found = self._detector.detect(audio, sample_rate)
        loud = found.loudness_db > found.loudness_db.max(initial=-200) - 45
        sure = loud & (found.confidence > 0.7)
        midi = hz_to_midi(np.maximum(found.pitch_hz, 1.0))
        return np.asarray(found.timestamps, float), np.where(sure, midi, np.nan)

    def pitch_of_file(self, path: Path) -> float | None:
        """`pitch` of the beginning of a file. Raises AntiphonError if it cannot be read."""
        return self.pitch(read_audio(path, sample_rate=OWN_RATE, max_seconds=LISTEN_SECONDS), OWN_RATE)

    def median_pitch(self, audio: Audio, sample_rate: int) -> float:
        """Median MIDI pitch of one note, (samples,), over its voiced frames, however unsteady; NaN where none is
        voiced. A note lasts seconds and changes little: frames from 50 ms to 1.5 s are heard, or all of a shorter note.
        """
        sound = np.asarray(audio, np.float32)[: int(HEARD_SECONDS * sample_rate)]
        peak = float(np.abs(sound).max(initial=0.0))
        if len(sound) < 256 or not np.isfinite(peak) or peak < 1e-5:
            return float("nan")
        found = self._detector.detect(sound * (0.5 / peak), sample_rate)
        voiced = found.confidence >= 0.5
        settled = voiced & (found.timestamps >= SKIP_SECONDS)
        kept = settled if settled.sum() >= 3 else voiced
        return float(hz_to_midi(np.median(found.pitch_hz[kept]))) if kept.any() else float("nan")


@lru_cache(maxsize=1)
def _tracker() -> Tracker:
    """The one that everybody shares. Raises AntiphonError if swift-f0 is not installed."""
    try:
        return Tracker()
    except ImportError:
        raise AntiphonError("listening for pitch needs: pip install 'antiphon[pitch]'") from None


def can_track() -> bool:
    """Whether swift-f0 is installed."""
    return find_spec("swift_f0") is not None


def open_tracker(*, demand: bool = False) -> Tracker | None:
    """The tracker, or None if swift-f0 is not installed; with `demand` that is an AntiphonError."""
    try:
        return _tracker()
    except AntiphonError:
        if demand:
            raise
        return None


def track_pitch(audio: np.ndarray, sample_rate: int = SAMPLE_RATE) -> float:
    """`Tracker.median_pitch` of one note, (samples,). Raises AntiphonError if swift-f0 is not installed."""
    return _tracker().median_pitch(audio, sample_rate)
