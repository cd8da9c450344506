"""What ticks: the rate at which a recording repeats itself within a second or two, and how regularly. Rotors, clocks,
engines and crickets have one, and no gradient finds it: it is measured, as the partials of a note are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from antiphon.audio.mel import mel_power
from antiphon.core.units import SAMPLE_RATE

WINDOW, HOP, BANDS = 512, 128, 24
FRAMES = SAMPLE_RATE / HOP  # a second
LONGEST = 60.0  # seconds that are looked at
SLOWEST, FASTEST = 0.55, 100.0  # Hz
EARLIER = 0.88  # share of the highest peak that an earlier one needs to be the pulse
MULTIPLES = 8  # of the period, by which it is made precise


class Pulse(NamedTuple):
    """rate: Hz. strength: 0..1, how alike the sound is to itself a period later."""

    rate: float
    strength: float


def onsets(audio: np.ndarray) -> np.ndarray:
    """(frames,) how much louder a sound (samples,) becomes from one frame to the next, over all bands; no mean."""
    level = np.log(mel_power(audio[: int(LONGEST * SAMPLE_RATE)], SAMPLE_RATE, WINDOW, HOP, BANDS) + 1e-8)
    rise = np.maximum(np.diff(level, axis=0), 0).mean(1)
    return rise - rise.mean()


def self_likeness(x: np.ndarray, longest: int) -> np.ndarray:
    """(longest,) correlation of x with itself at each lag, 1 at 0, each by as many terms as it has."""
    size = 1 << int(np.ceil(np.log2(len(x) + longest)))
    spectrum = np.fft.rfft(x, size)
    found = np.fft.irfft(np.abs(spectrum) ** 2, size)[:longest] / np.arange(len(x), len(x) - longest, -1)
    return found / max(found[0], 1e-12)


def find_pulse(audio: np.ndarray) -> Pulse:
    """The pulse of a recording (samples,) at 44.1 kHz; of strength 0 if it is too short for one."""
    if len(audio) < SAMPLE_RATE // 4:
        return Pulse(1.0, 0.0)
    x = onsets(audio)
    longest = min(int(MULTIPLES * FRAMES / SLOWEST), len(x) // 2)
    first, last = int(FRAMES / FASTEST), min(int(FRAMES / SLOWEST), longest - 2)
    if last - first < 8:
        return Pulse(1.0, 0.0)
    like = np.convolve(self_likeness(x, longest), (0.25, 0.5, 0.25), "same")
    inside = like[first : last + 1]
    peaks = first + np.flatnonzero((inside >= like[first - 1 : last]) & (inside > like[first + 1 : last + 2]))
    if not len(peaks):
        return Pulse(1.0, 0.0)
    lag = int(next(p for p in peaks if like[p] >= EARLIER * like[peaks].max()))
    strength = float(np.clip(like[lag] / max(like[0], 1e-9), 0, 1))
    return Pulse(float(np.clip(FRAMES / _precise(like, float(lag)), SLOWEST, 1.2 * FASTEST)), strength)


def _precise(like: np.ndarray, lag: float) -> float:
    """The period in frames, from the peaks near its multiples."""
    period = lag
    for k in range(1, MULTIPLES + 1):
        reach, at = max(int(0.08 * lag), 1), round(k * period)
        if at + reach + 1 >= len(like):
            break
        low = max(at - reach, 1)
        top = low + int(np.argmax(like[low : at + reach + 1]))
        a, b, c = like[top - 1 : top + 2]
        curve = a - 2 * b + c
        if b < 0.5 * like[round(lag)] or curve >= 0 or b < max(a, c):
            break
        period = (top + 0.5 * (a - c) / curve) / k
    return period
