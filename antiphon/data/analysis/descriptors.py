"""Measuring one recorded note: its envelope, its pitch over time, its partials, its character. Numpy only.

Everywhere: audio (samples,) float32 at 44.1 kHz; tracks have one value per 512 samples, frame j centred at sample
512 j; cents are deviations from the nominal pitch (MIDI, 69 = 440 Hz, any real number). This is the door; the parts
live in `audio.envelope`, `pitch`, `partials` and `release`.
"""

from __future__ import annotations

import numpy as np

from antiphon.audio.envelope import (
    CENT,
    FRAME,
    attack_seconds,
    cut_and_fade_tail,
    decay_rate,
    find_onset,
    frames_of,
    loudness,
    without_dc,
)
from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.data.analysis.partials import Partials, at_harmonics, excerpt, find_peaks, measure_partials
from antiphon.data.analysis.pitch import SEARCH_CENTS, measure_f0, measure_vibrato
from antiphon.data.analysis.release import find_release

__all__ = [
    "DESCRIPTORS",
    "FRAME",
    "Partials",
    "cut_and_fade_tail",
    "descriptors",
    "find_onset",
    "find_release",
    "frames_of",
    "loudness",
    "measure_f0",
    "measure_partials",
    "measure_vibrato",
    "plausible_pitch",
    "without_dc",
]

DESCRIPTORS = (
    "centroid",  # log2 of the spectral centroid in Hz
    "brightness",  # log2 of the spectral centroid in multiples of f0
    "attack",  # log10 of the rise time in seconds, 10 to 90 % of the amplitude
    "decay",  # dB/s lost while held, 0 .. 120
    "noisiness",  # dB of the energy outside partials, -60 .. 0
    "odd_even",  # dB of odd against even harmonics, -40 .. 40
    "vibrato_depth",  # cents
    "vibrato_rate",  # Hz
    "width",  # log2 of 1 + the strong partials' bandwidth in cents beyond a steady sine's: ensemble, detuning, beats
)


def descriptors(
    audio: np.ndarray, f0: np.ndarray | float, hold: int, vibrato: tuple[float, float, float]
) -> np.ndarray:
    """The character of a sound, (9,) float32 in the order of DESCRIPTORS; finite for any input."""
    part, base = excerpt(audio, f0)
    length = len(part)
    size = 2 ** int(np.ceil(np.log2(max(length, 1024))))
    power = np.abs(np.fft.rfft(part * np.hanning(length + 2)[1:-1], size)) ** 2
    hz = np.arange(len(power)) * SAMPLE_RATE / size
    heard = (hz > 0.15 * base) & (hz < 20000)
    total = float(power[heard].sum()) + 1e-20
    centroid = float((power * hz)[heard].sum() / total)
    order = np.maximum(np.round(hz / base), 1)
    near = heard & at_harmonics(hz, base, SAMPLE_RATE / max(length, 1))
    odd, even = (float(power[near & (order % 2 == parity) & (order < 40)].sum()) + 1e-6 * total for parity in (1, 0))
    values = (
        np.log2(max(centroid, 1.0)),
        np.log2(max(centroid / base, 0.01)),
        np.log10(attack_seconds(audio)),
        decay_rate(audio, hold),
        10 * np.log10(np.clip((total - power[near].sum()) / total, 1e-6, 1)),
        np.clip(10 * np.log10(odd / even), -40, 40),
        vibrato[1],
        vibrato[0],
        np.log2(1 + _bandwidth(power, hz, base, SAMPLE_RATE / max(length, 1))),
    )
    return np.nan_to_num(np.array(values, np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _bandwidth(power: np.ndarray, hz: np.ndarray, base: float, resolution: float) -> float:
    """Energy-weighted spread of harmonics 1..12 in cents, less what the window adds to a steady sine."""
    spreads, weights = [], []
    for k in range(1, 13):
        reach = max(min(k * base * 50 * CENT, 0.4 * base), 2 * resolution)
        low, high = np.searchsorted(hz, [k * base - reach, k * base + reach])
        energy = power[low:high]
        if high - low < 3 or energy.sum() <= 0:
            continue
        mean = (energy * hz[low:high]).sum() / energy.sum()
        variance = (energy * (hz[low:high] - mean) ** 2).sum() / energy.sum()
        spreads.append(np.sqrt(max(variance - 0.34 * resolution**2, 0)) / (k * base) / CENT)
        weights.append(energy.sum())
    return float(np.average(spreads, weights=weights)) if weights else 0.0


def plausible_pitch(audio: np.ndarray, pitch: float) -> bool:
    """Whether anything within 30 dB of the strongest sound lies near one of the first six harmonics of the pitch."""
    part, base = excerpt(audio, midi_to_hz(pitch))
    peaks = find_peaks(part, base)
    k = np.maximum(np.round(peaks.hz / base), 1)
    near = (k <= 6) & (np.abs(peaks.hz - k * base) < np.maximum(k * base * SEARCH_CENTS * CENT, 2 * peaks.resolution))
    return bool(len(peaks.level)) and bool((peaks.level[near] > peaks.level.max() - 30).any())
