"""A note's pitch over time, in cents from its nominal pitch (MIDI, 69 = 440 Hz, any real number).

Tracks have one value per 512 samples, frame j centred at sample 512 j.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from antiphon.audio.envelope import CENT, FRAME, frames_of
from antiphon.core.units import SAMPLE_RATE, midi_to_hz

SEARCH_CENTS = 80.0  # how far a note may be from its label
ELSEWHERE, STRAY = 15.0, 5.0  # cents; see _is_alone
LOUD, ALONE = 2 / 3, 0.95  # shares of the power; see _is_alone


@cache
def _window(samples: int) -> int:
    """The even length nearest to `samples` without a prime factor above 11, for a fast FFT."""

    def liked(n: int) -> bool:
        for prime in (2, 3, 5, 7, 11):
            while n % prime == 0:
                n //= prime
        return n == 1

    samples = int(np.clip(samples, 2048, 32768)) // 2 * 2
    return next(n for away in range(0, samples, 2) for n in (samples + away, samples - away) if liked(n))


def _spectra(audio: np.ndarray, size: int) -> np.ndarray:
    """Unwindowed spectra of `size` samples around every frame (shifted inwards at the note's ends), (frames, bins)."""
    if len(audio) < size:
        audio = np.pad(audio, (0, size - len(audio)))
    count = frames_of(len(audio))
    first = np.clip(np.arange(count) * FRAME - size // 2, 0, len(audio) - size)
    return np.fft.rfft(np.lib.stride_tricks.sliding_window_view(audio.astype(np.float32), size)[first], axis=1)


@dataclass(frozen=True)
class _Tracks:
    """Harmonics 1..6 by frame, all (frames, 6): cents from k hz, power (0 = none within range), error in cents."""

    cents: np.ndarray
    power: np.ndarray
    error: np.ndarray


def harmonic_tracks(audio: np.ndarray, hz: float, period: float, count: int = 6) -> _Tracks:
    """The strongest peak near each of the first `count` harmonics of `hz`, frame by frame.

    Frequencies are reassigned (instantaneous). The Hann window spans five periods (`period` in samples, at least 2048
    in all), so that its zeros fall on the other harmonics; the noise between them tells how far to trust the peak.
    """
    size = _window(round(5 * period))
    spectra = _spectra(audio, size)[: frames_of(len(audio))]
    rows, bins = np.arange(len(spectra)), spectra.shape[1]
    cents, power = np.zeros((2, len(spectra), count))
    error = np.full((len(spectra), count), 100.0)
    reach = 2 ** (SEARCH_CENTS / 1200)
    for k in range(1, count + 1):
        centre = k * hz * size / SAMPLE_RATE
        margin = min(centre / k / 2, 8 + 0.05 * centre)  # bins to search on either side: half way to the next
        low, high = max(int(centre - margin), 1), int(np.ceil(centre + margin)) + 1
        if high > bins - 2:
            break
        part = spectra[:, low - 1 : high + 1]
        windowed = 0.5 * part[:, 1:-1] - 0.25 * (part[:, :-2] + part[:, 2:])  # Hann is a convolution here
        slope = (part[:, :-2] - part[:, 2:]) * (np.pi / (2j * size))  # and so is its derivative
        energy = np.square(np.abs(windowed), dtype=np.float64)
        at = np.arange(low, high)
        near = (at >= int(centre / reach)) & (at <= np.ceil(centre * reach))
        best = np.where(near, energy, -1).argmax(1)
        value, change, top = windowed[rows, best], slope[rows, best], energy[rows, best]
        radians = 2 * np.pi * at[best] / size - (change * value.conj()).imag / np.maximum(top, 1e-30)
        cents[:, k - 1] = np.log(np.maximum(radians * SAMPLE_RATE / (2 * np.pi * k * hz), 1e-3)) / CENT
        power[:, k - 1] = np.where(np.abs(cents[:, k - 1]) <= SEARCH_CENTS, top, 0)
        away = np.abs(at - at[best][:, None]) >= 2.5 + 0.005 * centre
        noise = (energy * away).sum(1) / np.maximum(away.sum(1), 1)
        error[:, k - 1] = 0.5 / (centre * CENT) * np.sqrt(noise / np.maximum(top, 1e-30))
    return _Tracks(cents, power, error)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, *parts: float) -> list[float]:
    """The values at which these shares of the weight are reached; zeros if there is no weight."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    if not len(total) or total[-1] <= 0:
        return [0.0] * len(parts)
    return [float(values[order][min(np.searchsorted(total, total[-1] * part), len(order) - 1)]) for part in parts]


def weighted_middle(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted mean between the weighted 10 and 90 % quantiles: as robust as a median, nearly as precise as a mean."""
    low, high = weighted_quantiles(values, weights, 0.1, 0.9)
    weights = weights * ((values >= low) & (values <= high))
    return float((values * weights).sum() / weights.sum()) if weights.sum() > 0 else 0.0


def measure_f0(audio: np.ndarray, pitch: float) -> tuple[np.ndarray, float]:
    """f0 as cents from the nominal pitch, (frames,) float32, and its energy-weighted middle (the tuning).

    Harmonics 1..6 each give a track; constant differences between them (inharmonicity) are removed, the rest is
    averaged by energy and reliability. Where the note is too quiet (-45 dB) or too noisy, the track is interpolated and
    held.
    """
    hz = midi_to_hz(pitch)
    tracks = harmonic_tracks(audio, hz, SAMPLE_RATE / hz)
    rough = weighted_middle(tracks.cents.ravel(), tracks.power.ravel())
    if abs(rough) > 3 and 5 * SAMPLE_RATE / hz > 1500:  # low and out of tune: adjust the window's zeros
        tracks = harmonic_tracks(audio, hz, SAMPLE_RATE / hz * 2 ** (-rough / 1200))
    weight = tracks.power * np.arange(1, tracks.power.shape[1] + 1) / (1 + np.square(tracks.error / 2))
    if not weight.any():
        return np.zeros(len(weight), np.float32), 0.0
    centre, tuning, stray = _tuning(tracks, weight)
    if _is_alone(tracks, centre - tuning, stray):
        weight[:, np.arange(weight.shape[1]) != tracks.power.sum(0).argmax()] = 0
        centre, tuning, _ = _tuning(tracks, weight)
    total = weight.sum(1)
    weight = weight / np.maximum(total, 1e-30)[:, None]
    moved = tracks.cents - centre
    track = (moved * weight).sum(1)
    error = np.square(weight * tracks.error).sum(1)  # variances, cents^2: of the peaks themselves,
    error += (weight * np.square(moved - track[:, None])).sum(1) * np.square(weight).sum(1)  # and of their disagreement
    keep = (total > max(total.max() * 10**-4.5, 1e-20)) & (np.abs(track) <= SEARCH_CENTS + 20) & (error < 8**2)
    if not keep.any():
        return np.full(len(total), tuning, np.float32), tuning
    n, known = np.arange(len(track)), np.flatnonzero(keep)
    track, error = np.interp(n, known, track[keep]), np.interp(n, known, error[keep])
    return (_despike(_calm(track, error, np.interp(n, known, total[keep]))) + tuning).astype(np.float32), tuning


def _tuning(tracks: _Tracks, weight: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(6,) cents of each harmonic from k hz, their joint estimate of f0 without inharmonicity, and by how many cents
    they disagree. weight: (frames, 6)."""
    centre = np.array([weighted_middle(c, w) for c, w in zip(tracks.cents.T, np.sqrt(weight).T, strict=True)])
    share = np.sqrt(weight.sum(0))
    share /= share.sum()
    stretch = (np.arange(1, len(centre) + 1) ** 2 - 1) / (2 * CENT)  # cents of harmonic k per unit of B
    apart = stretch - (share * stretch).sum()
    b = np.clip((share * apart * centre).sum() / ((share * apart**2).sum() + 1e5), 0, 0.02)
    tuning = (share * (centre - b * stretch)).sum()
    stray = (share * np.abs(centre - b * stretch - tuning)).sum()
    return centre, float(np.clip(tuning, -SEARCH_CENTS, SEARCH_CENTS)), float(stray)


def _is_alone(tracks: _Tracks, cents: np.ndarray, stray: float) -> bool:
    """Whether a sound has one loud partial and no harmonics (timpani, bells, flageolets), so that chance peaks near the
    others mean nothing. cents: (6,) of each from the tuning. stray: from `_tuning`; a stiff string's partials are far
    from the tuning too, but where its inharmonicity predicts."""
    power = tracks.power.sum(0)
    share, off = power.max() / power.sum(), abs(cents[power.argmax()])
    return bool(off > ELSEWHERE and (share > ALONE or (share > LOUD and stray > STRAY)))


def _calm(track: np.ndarray, error: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Blends the track with its energy-weighted mean over 9 frames, the more so as its movement is within its error.

    A player's vibrato passes untouched; the beating of an ensemble, whose harmonics disagree and which jumps where its
    level dips, is smoothed.
    """
    power = np.sqrt(power)
    mean = _smooth(track * power, 9) / np.maximum(_smooth(power, 9), 1e-30)
    dip = np.maximum(_smooth(power, 21) / np.maximum(power, 1e-30) - 1.5, 0)
    error = error + np.square(track - _smooth(track, 21)) * np.minimum(dip, 10)
    moves = _smooth(np.square(track), 21) - np.square(_smooth(track, 21))
    trust = np.clip(1 - 2.5 * _smooth(error, 21) / np.maximum(moves, 1e-6), 0, 1)
    return mean + trust * (track - mean)


def _smooth(x: np.ndarray, n: int) -> np.ndarray:
    """Mean over n (odd) frames under a Hann window; the ends are held."""
    return np.convolve(np.pad(x, n // 2, mode="edge"), np.hanning(n + 2)[1:-1] / ((n + 1) / 2), "valid")


def _despike(track: np.ndarray) -> np.ndarray:
    """Replaces frames that differ from the median of the five around them by more than three times the usual."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(track, 2, mode="edge"), 5)
    middle = np.median(around, axis=1)
    spread = 1.5 * np.median(np.abs(around - middle[:, None]), axis=1)
    return np.where(np.abs(track - middle) > np.maximum(3 * spread, 3.0), middle, track)


def measure_vibrato(cents: np.ndarray) -> tuple[float, float, float]:
    """Rate in Hz, depth in cents (half of peak to peak) and delay in seconds of an f0 track's vibrato; zeros if none.

    It counts as vibrato when a line between 3 and 9 Hz holds most of the track's variance there.
    """
    rate = SAMPLE_RATE / FRAME
    if len(cents) < rate / 2:
        return 0.0, 0.0, 0.0
    n = np.arange(len(cents))
    track = cents - np.polyval(np.polyfit(n, cents, 2), n)
    window = np.hanning(len(track) + 2)[1:-1]
    size = 8 * 2 ** int(np.ceil(np.log2(len(track))))
    power = np.abs(np.fft.rfft(track * window, size)) ** 2
    hz = np.arange(len(power)) * rate / size
    band = (hz >= 3.0) & (hz <= 9.0)
    top = int(np.argmax(np.where(band, power, 0)))
    near = np.abs(hz - hz[top]) < max(2.2 * rate / len(track), 0.8)
    if power[near].sum() < 0.5 * power[hz > 2.0].sum() or not 3.0 < hz[top] < 9.0:
        return 0.0, 0.0, 0.0
    carrier = track * np.exp(-2j * np.pi * hz[top] * n / rate)
    span = max(round(rate / hz[top]), 1)
    depth = 2 * np.abs(np.convolve(carrier, np.full(span, 1 / span), "same"))
    full = float(np.percentile(depth, 75))
    if full < 3.0:
        return 0.0, 0.0, 0.0
    return float(hz[top]), full, float(np.argmax(depth > full / 2) / rate)
