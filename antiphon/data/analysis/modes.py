"""The modes of a struck sound: their frequencies, and how they glide together as its tension falls.

    f_k(t) = f_k 2^(g e^(-t/tau))                   g octaves, tau seconds: one glide for all modes

Spectral losses give no usable gradient for frequency, so both are measured, once per recording. Numpy only; audio is
(samples,) float32 at 44.1 kHz, from its onset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.audio.envelope import decibels
from antiphon.core.units import SAMPLE_RATE

SLOTS = 32
MODE_RANGE = (30.0, 10_000.0)  # Hz, divided into a log bin for each slot, which holds the bin's strongest mode
SILENT_DB = -120.0  # the level of an absent mode
AUDIBLE_DB = -50.0  # re the strongest
ABOVE_DB = 15.0  # over the median of the 2/3 octave around it: peaks of pure noise reach 12
HEARD = 0.5  # seconds analysed
GLIDES = 0.25  # seconds in which to look for glides
DEPTHS = (-0.4, 0.25, 0.5, 0.8, 1.2, 1.7, 2.3, 3.0)  # octaves
TIMES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)  # seconds
GAIN = 1.25  # a glide must sharpen the spectrum by this factor to count
_LOW, _DECIMATE = 1500.0, 8  # glides are searched below this many Hz, at a sample rate this many times lower


@dataclass(frozen=True)
class Modes:
    """hz: (32,) each slot's mode after the glide; level: (32,) dB re the strongest, -120 = none; glide: octaves above
    `hz` at the onset, and the seconds in which that falls to 1/e."""

    hz: np.ndarray
    level: np.ndarray
    glide: tuple[float, float]


def slot_edges() -> np.ndarray:
    """The edges of the slots' bins, (33,) Hz."""
    return np.geomspace(*MODE_RANGE, SLOTS + 1)


def measure_modes(audio: np.ndarray) -> Modes:
    """The modes of one hit. A sound without modes, such as a shaker's, has all slots silent."""
    part = np.asarray(audio[: round(HEARD * SAMPLE_RATE)], np.float64)
    glide = find_glide(part)
    hz, level = _strongest(_straightened(_finer(part), glide, SAMPLE_RATE) if glide[0] else part)
    rings = bool((level > AUDIBLE_DB).any())
    return Modes(hz.astype(np.float32), level.astype(np.float32), glide if rings else (0.0, glide[1]))


def glide_at(seconds: np.ndarray, glide: tuple[float, float]) -> np.ndarray:
    """Octaves above the modes' resting frequencies."""
    return glide[0] * np.exp(-np.asarray(seconds) / max(glide[1], 1e-4))


def find_glide(part: np.ndarray) -> tuple[float, float]:
    """Octaves and seconds of the glide whose removal makes the lowest modes' spectrum sharpest; (0, 0.03) if there is
    none."""
    low, rate = _lowered(part[: round(GLIDES * SAMPLE_RATE)]), SAMPLE_RATE / _DECIMATE
    plain = best = _sharpness(low, rate)
    fine, found = _finer(low), (0.0, 0.03)
    for depth in DEPTHS:
        for seconds in TIMES:
            sharp = _sharpness(_straightened(fine, (depth, seconds), rate), rate)
            if sharp > max(best, GAIN * plain):
                best, found = sharp, (depth, seconds)
    return found


def _lowered(part: np.ndarray) -> np.ndarray:
    """The part below 1.5 kHz, at an eighth of the rate."""
    size = 1 << (len(part) + 1024).bit_length()
    spectrum = np.fft.rfft(part, size)
    hz = np.arange(len(spectrum)) * SAMPLE_RATE / size
    spectrum *= 0.5 + 0.5 * np.cos(np.pi * np.clip((hz - _LOW) / 500, 0, 1))
    low = np.fft.irfft(spectrum[: size // _DECIMATE // 2 + 1], size // _DECIMATE)
    return low[: -(-len(part) // _DECIMATE)] / _DECIMATE


def _finer(x: np.ndarray) -> np.ndarray:
    """x at twice the rate, so that linear interpolation is good enough."""
    even = x[: len(x) // 2 * 2]
    return np.fft.irfft(np.pad(np.fft.rfft(even), (0, len(even) // 2)), 2 * len(even)) * 2


def _straightened(fine: np.ndarray, glide: tuple[float, float], rate: float) -> np.ndarray:
    """(samples,) of a sound given at twice the rate, time-warped so that gliding modes stand still."""
    t = np.arange(len(fine) // 2) / rate
    speed = np.exp2(glide_at(t + 0.5 / rate, glide))
    phase = np.concatenate([[0.0], np.cumsum(speed)[:-1]]) / rate  # of a mode that rests at 1 Hz
    when = np.interp(np.arange(0, phase[-1], 1 / rate), phase, t)
    return np.interp(when * rate * 2, np.arange(len(fine)), fine) / np.sqrt(np.interp(when, t, speed))


def _sharpness(x: np.ndarray, rate: float) -> float:
    """How concentrated the energy of 25 .. 1500 Hz is: sum f P^2 / (sum P)^2, which scaling all frequencies by a ratio
    does not change."""
    power = np.abs(np.fft.rfft(x, 1 << (len(x) + 1).bit_length())) ** 2
    hz = np.arange(len(power)) * rate / 2 / (len(power) - 1)
    heard = (hz > 25) & (hz < _LOW)
    power, hz = power[heard], hz[heard]
    return float((np.square(power) * hz).sum() / max(power.sum() ** 2, 1e-30))


def _strongest(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(32,) Hz and dB of the strongest mode of each slot; a slot without one has its centre, at -120 dB."""
    length, edges = len(part), slot_edges()
    hz, level = np.sqrt(edges[:-1] * edges[1:]), np.full(SLOTS, SILENT_DB)
    if length < 256:
        return hz, level
    window = 0.5 + 0.5 * np.cos(np.pi * np.arange(length) / length)
    size = max(1 << (2 * length).bit_length(), 1 << 14)  # so that every slot has bins
    db = decibels(np.abs(np.fft.rfft(part * window, size)) ** 2)
    step = SAMPLE_RATE / size
    top = db[int(MODE_RANGE[0] / step) :].max()
    for slot in range(SLOTS):
        low, high = max(int(np.ceil(edges[slot] / step)), 1), int(np.ceil(edges[slot + 1] / step))
        i = low + int(np.argmax(db[low:high]))
        wide = max(i / 3, 300 / step)
        floor = np.median(db[max(int(i - wide), 0) : int(i + wide)])
        if db[i] > max(top + AUDIBLE_DB, floor + ABOVE_DB) and db[i - 1] <= db[i] >= db[i + 1]:
            bend = db[i - 1] - 2 * db[i] + db[i + 1]
            hz[slot] = np.clip(
                (i + 0.5 * (db[i - 1] - db[i + 1]) / min(bend, -1e-9)) * step, edges[slot], edges[slot + 1]
            )
            level[slot] = db[i] - top
    return hz, level
