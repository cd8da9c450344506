"""Small operations on float32 audio in numpy: resampling, folding to mono, trimming.

Shapes: mono audio is (samples,), multichannel audio (samples, channels). Levels are in dB re full scale (1.0).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]


def resample(audio: Audio, source_rate: int, target_rate: int) -> Audio:
    """(samples,) or (samples, channels) from `source_rate` to `target_rate` Hz, by soxr at high quality."""
    if source_rate == target_rate or not len(audio):
        return audio
    import soxr

    return np.asarray(soxr.resample(audio, source_rate, target_rate, quality="HQ"), dtype=np.float32)


def to_mono(audio: Audio, similar: float = 0.9) -> Audio:
    """(samples, channels) to (samples,): the average where the channels agree, else the loudest channel.

    Averaging channels that differ in phase combs the sound, so it is done only when every channel's correlation with
    the loudest exceeds `similar`. Silent channels are left out.
    """
    if audio.ndim == 1:
        return audio
    channel = mono_channel(audio, similar)
    return np.ascontiguousarray(audio.mean(axis=1, dtype=np.float32) if channel is None else audio[:, channel])


def mono_channel(audio: Audio, similar: float = 0.9) -> int | None:
    """Which channel of (samples, channels) represents them all, or None if their average does."""
    energy = np.square(audio, dtype=np.float64).sum(axis=0)
    loudest = int(np.argmax(energy))
    if audio.shape[1] == 1 or np.any(energy <= 1e-8 * energy[loudest]):
        return loudest
    inner = audio.T.astype(np.float64) @ audio[:, loudest]
    return None if np.all(inner > similar * np.sqrt(energy * energy[loudest])) else loudest


def cut_tail_by_peak(audio: Audio, floor_db: float = -60.0, fade: int = 220) -> Audio:
    """Audio (samples,) cut after its last sample above `floor_db` re its peak, the last `fade` samples of that faded;
    a copy. `envelope.cut_and_fade_tail` goes by power and keeps all that is above; `mel.cut_tail` fades nothing."""
    size = np.abs(audio)
    peak = float(size.max(initial=0.0))
    if peak == 0.0:
        return audio[:0]
    kept = audio[: int(np.flatnonzero(size > peak * 10 ** (floor_db / 20))[-1]) + 1].copy()
    fade = min(fade, len(kept))
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade, endpoint=False, dtype=np.float32)
    return kept
