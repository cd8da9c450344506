"""A note's level over time: where it begins and ends. Audio is (samples,) float32 at 44.1 kHz."""

from __future__ import annotations

import numpy as np

from antiphon.core.units import SAMPLE_RATE

FRAME = 512
CENT = np.log(2.0) / 1200


def frames_of(samples: int) -> int:
    """Number of frames in a note of `samples` samples."""
    return samples // FRAME + 1


def decibels(power: np.ndarray) -> np.ndarray:
    """10 log10, floored at -160 dB."""
    return 10 * np.log10(np.maximum(power, 1e-16))


def envelope(audio: np.ndarray, hop: int, width: int) -> np.ndarray:
    """Mean power over `width` hops centred on hop j (samples hop j .. hop (j + 1)), (ceil(samples / hop),)."""
    padded = np.zeros(-(-len(audio) // hop) * hop, np.float64)
    padded[: len(audio)] = audio
    power = np.square(padded).reshape(-1, hop).mean(1)
    if width > 1 and len(power):
        power = np.convolve(power, np.full(width, 1 / width))[(width - 1) // 2 :][: len(power)]
    return power


def without_dc(audio: np.ndarray, hz: float = 10.0) -> np.ndarray:
    """Audio through a causal one-pole high-pass of `hz` if its mean exceeds 0.3 % of its peak, else unchanged."""
    if not len(audio) or abs(float(audio.mean())) <= 3e-3 * float(np.abs(audio).max()):
        return audio
    pole = np.exp(-2 * np.pi * hz / SAMPLE_RATE)
    response = (1 - pole) * pole ** np.arange(min(len(audio), int(14 / (1 - pole))))
    size = 2 ** int(np.ceil(np.log2(len(audio) + len(response))))
    slow = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)
    return (audio - slow[: len(audio)]).astype(np.float32)


def find_onset(audio: np.ndarray) -> int:
    """Sample at which the sound begins, to within 16: where it passes -40 dB re its peak, traced back to where it is
    quiet."""
    hop = 16
    level = envelope(audio, hop, 5)
    if not len(level) or level.max() <= 0:
        return 0
    j = int(np.argmax(level >= level.max() * 1e-4))
    fine = envelope(audio, hop, 1)
    quiet = max(float(np.median(level[: max(j - 2, 1)])) * 4, level.max() * 1e-6) if j > 2 else 0.0
    earliest = max(0, j - 2 * SAMPLE_RATE // (100 * hop))  # a rise of 20 ms from silence to -40 dB is slow enough
    while j > earliest and (level[j - 1] < level[j] or fine[j] > quiet) and level[j] > quiet:
        j -= 1
    ahead = fine[j : j + 5] > max(quiet, level.max() * 1e-6)  # the mean over 5 hops rises up to 4 before the sound
    return (j + int(ahead.argmax())) * hop if ahead.any() else j * hop


def cut_and_fade_tail(audio: np.ndarray, floor_db: float = -60.0, fade: float = 0.02) -> np.ndarray:
    """The note up to where it stays `floor_db` below its loudest 10 ms, plus a fade of `fade` seconds; a copy."""
    hop = 441
    level = envelope(audio, hop, 1)
    if not len(level) or level.max() <= 0:
        return audio[:1].copy()
    ramp = max(int(fade * SAMPLE_RATE), 1)
    end = min(len(audio), (int(np.flatnonzero(level > level.max() * 10 ** (floor_db / 10))[-1]) + 1) * hop + ramp)
    out = audio[:end].astype(np.float32, copy=True)
    ramp = min(ramp, end)
    out[end - ramp :] *= (0.5 + 0.5 * np.cos(np.pi * np.arange(1, ramp + 1) / ramp)).astype(np.float32)
    return out


def loudness(audio: np.ndarray) -> float:
    """RMS in dBFS of the loudest 0.2 s (of the whole sound if shorter)."""
    hop = 441
    level = envelope(audio, hop, 1)
    span = min(20, len(level))
    sums = np.convolve(level, np.full(span, 1 / span), "valid")
    return float(10 * np.log10(max(sums.max(), 1e-12)))


def attack_seconds(audio: np.ndarray) -> float:
    """Rise time in seconds, from 10 to 90 % of the peak amplitude within the first second; at least 1 ms."""
    hop = 44
    amplitude = np.sqrt(envelope(audio[:SAMPLE_RATE], hop, 9))
    top = float(amplitude.max()) if len(amplitude) else 0.0
    rise = int(np.argmax(amplitude >= 0.9 * top)) - int(np.argmax(amplitude >= 0.1 * top))
    return max(rise * hop / SAMPLE_RATE, 1e-3)


def decay_rate(audio: np.ndarray, hold: int) -> float:
    """Decay in dB/s from the loudest moment to the release (or -50 dB), 0 .. 120, by a straight-line fit."""
    hop = 441
    level = decibels(envelope(audio[: hold if hold > 0 else len(audio)], hop, 5))
    if len(level) < 8:
        return 0.0
    first = int(level.argmax())
    level = level[first:]
    quiet = np.flatnonzero(level < level[0] - 50)
    level = level[: quiet[0] if len(quiet) else len(level)]
    if len(level) < 8:
        return 0.0 if not len(quiet) else 120.0
    slope = np.polyfit(np.arange(len(level)) * hop / SAMPLE_RATE, level, 1)[0]
    return float(np.clip(-slope, 0, 120))
