"""Log-spectral distance (Gray & Markel 1976): how far two spectra are apart, bin by bin, with no model of hearing."""

from __future__ import annotations

import numpy as np

from antiphon.audio.mel import FLOOR_DB, frames

SIZE, HOP = 2_048, 512  # samples


def log_spectral_distance(audio: np.ndarray, target: np.ndarray) -> float:
    """Root mean square over frequency of the difference in dB, its mean over time; 0 for equal sounds.

    audio, target: (samples,); the shorter is padded with silence. Both are clamped 60 dB below the target's loudest
    bin, and frames in which neither reaches that are left out.
    """
    length = max(len(audio), len(target), 1)
    x, y = (_decibels(np.pad(np.asarray(sound, np.float32), (0, length - len(sound)))) for sound in (audio, target))
    floor = y.max() + FLOOR_DB
    heard = (x > floor).any(1) | (y > floor).any(1)
    gap = np.maximum(x, floor) - np.maximum(y, floor)
    return float(np.sqrt(np.square(gap[heard]).mean(1)).mean()) if heard.any() else 0.0


def _decibels(audio: np.ndarray) -> np.ndarray:
    """(frames, bins) level in dB with a Hann window."""
    window = np.hanning(SIZE + 1)[:-1].astype(np.float32)
    return 20 * np.log10(np.abs(np.fft.rfft(frames(audio, SIZE, HOP) * window, axis=1)) + 1e-7)
