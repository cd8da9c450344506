"""The frequencies of a note's partials, measured once per recording from one long spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.audio.envelope import CENT, FRAME, decibels, envelope
from antiphon.core.units import SAMPLE_RATE

HARMONICS = 64
FREE_SLOTS = 24
FREE_RANGE = (0.2, 24.0)  # ratios to f0, divided into a log bin for each free slot
SILENT_DB = -120.0  # the level of an absent partial
LONGEST = 0.7  # seconds of a note to analyse
BESIDE_DB = 15.0  # below the strongest; a louder partial close to a harmonic is one of its own


@dataclass(frozen=True)
class Partials:
    """The frequencies and levels of a note's partials, relative to f0 and to the strongest of them."""

    ratios: np.ndarray  # (64,) f_k / f0
    harmonic_level: np.ndarray  # (64,) dB, -120 = none
    inharmonicity: float  # B of f_k = k f0 sqrt(1 + B k^2) / sqrt(1 + B)
    free_ratio: np.ndarray  # (24,) one per log bin over ratio 0.2 .. 24
    free_level: np.ndarray  # (24,) dB, -120 = silent


def stretched(k: np.ndarray, b: float | np.ndarray) -> np.ndarray:
    """Ratio of harmonic k to the first, of a string of inharmonicity b."""
    return k * np.sqrt((1 + b * np.square(k)) / (1 + b))


def free_centres() -> np.ndarray:
    """The geometric centre of each free slot's bin, (24,)."""
    low, high = np.log(FREE_RANGE)
    return np.exp(low + (np.arange(FREE_SLOTS) + 0.5) * (high - low) / FREE_SLOTS)


def loudest_part(audio: np.ndarray, hz: float) -> slice:
    """The samples of a note, LONGEST seconds at most, from where it is nearly at its loudest; fewer of a note that ends
    sooner, but at least eight periods of `hz`."""
    hop = 256
    level = envelope(audio, hop, 5)
    start = max(int(np.argmax(level >= level.max() * 0.1)) - 2, 0)
    energy = np.cumsum(level[start:])
    useful = (int(np.searchsorted(energy, 0.98 * energy[-1])) + 1) * hop  # only the tail follows
    length = int(min(LONGEST * SAMPLE_RATE, max(1.5 * useful, 8 * SAMPLE_RATE / hz, 2048), len(audio) - start * hop))
    return slice(start * hop, start * hop + length)


def excerpt(audio: np.ndarray, hz: np.ndarray | float) -> tuple[np.ndarray, float]:
    """The `loudest_part`, time-warped to the constant f0 returned with it. hz: f0, or a track of it (frames,)."""
    f0 = float(np.median(hz))
    span = loudest_part(audio, f0)
    part = audio[span].astype(np.float64)
    length = len(part)
    if np.ndim(hz) == 0:
        return part, f0
    track = np.interp(np.arange(span.start, span.stop), np.arange(len(np.asarray(hz))) * FRAME, hz)
    f0 = float(np.average(track, weights=np.hanning(length + 2)[1:-1])) if length else f0
    if np.abs(track / f0 - 1).max() < 4 * CENT:
        return part, f0
    double = np.fft.irfft(np.pad(np.fft.rfft(part), (0, length)), 2 * length) * 2  # oversampled for cubic
    phase = np.concatenate([[0.0], np.cumsum(track)[:-1]]) / f0
    where = np.clip(np.interp(np.arange(length), phase, np.arange(length)) * 2, 1, 2 * length - 3)
    return _cubic(double, where), f0


def _cubic(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Four-point Lagrange interpolation of x at fractional indices."""
    i = at.astype(np.int64)
    d = at - i
    a, b, c, e = x[i - 1], x[i], x[i + 1], x[np.minimum(i + 2, len(x) - 1)]
    return (
        -a * d * (d - 1) * (d - 2) / 6 + b * (d + 1) * (d - 1) * (d - 2) / 2 - c * (d + 1) * d * (d - 2) / 2
        + e * (d + 1) * d * (d - 1) / 6
    )  # fmt: skip


def at_harmonics(hz: np.ndarray, f0: float, resolution: float) -> np.ndarray:
    """Whether each frequency counts as a harmonic: within 35 cents of one, or within the main lobe of a window that
    resolves `resolution` Hz."""
    order = np.maximum(np.round(hz / f0), 1)
    width = np.maximum(2.5 * resolution, np.minimum(order * f0 * 35 * CENT, 0.25 * f0))
    return np.abs(hz - order * f0) < width


@dataclass(frozen=True)
class _Peaks:
    """Spectral peaks in ascending order, and the spectrum they were found in."""

    hz: np.ndarray
    level: np.ndarray  # dB of the energy around the peak
    above: np.ndarray  # dB over the local floor
    resolution: float  # 1 / T in Hz
    power: np.ndarray  # the spectrum, 1 at its strongest partial
    step: float  # Hz per bin


def find_peaks(part: np.ndarray, base: float) -> _Peaks:
    """Peaks of a Hann-windowed, zero-padded spectrum, and how far each rises above the median over one f0 around it."""
    length = len(part)
    size = 2 ** int(np.ceil(np.log2(max(length, 1024)))) * 2
    power = np.abs(np.fft.rfft(part * np.hanning(length + 2)[1:-1], size)) ** 2 + 1e-20
    step = SAMPLE_RATE / size
    lowest = min(int(0.7 * FREE_RANGE[0] * base / step), len(power) - 2)  # below is rumble
    power /= power[lowest:].max()
    db = decibels(power)
    i = np.flatnonzero((db[1:-1] > db[:-2]) & (db[1:-1] >= db[2:]) & (db[1:-1] > -100)) + 1
    i = i[i >= lowest]
    left, mid, right = db[i - 1], db[i], db[i + 1]
    bend = left - 2 * mid + right
    offset = np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0)
    resolution = SAMPLE_RATE / length
    block = min(max(int(max(60.0, 16 * resolution, base) / step), 8), len(db))
    whole = len(db) // block * block
    floor = np.median(db[:whole].reshape(-1, block), axis=1)
    floor = np.interp(i, (np.arange(len(floor)) + 0.5) * block, floor)
    return _Peaks((i + offset) * step, mid - 0.25 * (left - right) * offset, mid - floor, resolution, power, step)


def measure_partials(audio: np.ndarray, f0: np.ndarray | float) -> Partials:
    """Measures partials relative to f0, Hz: a number, or a track (frames,) whose changes are warped away first."""
    part, base = excerpt(audio, f0)
    peaks = find_peaks(part, base)
    ratios, level, b = _harmonics(peaks, base)
    free_ratio, free_level = _free(peaks, base, ratios)
    top = max(level.max(), free_level.max())
    if top <= SILENT_DB:
        top = 0.0
    level, free_level = (np.where(x > SILENT_DB, np.maximum(x - top, -119.0), SILENT_DB) for x in (level, free_level))
    kind = np.float32
    return Partials(ratios.astype(kind), level.astype(kind), b, free_ratio.astype(kind), free_level.astype(kind))


def _harmonics(peaks: _Peaks, base: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Ratios and levels of the 64 harmonics, and B.

    Where a harmonic is a hump (an ensemble), its frequency is the hump's centre and its level all of the hump's energy.
    """
    k = np.arange(1, HARMONICS + 1, dtype=np.float64)
    width = np.minimum(np.maximum(k * base * 35 * CENT, 1.5 * peaks.resolution), 0.4 * base)
    good = peaks.above > np.where(peaks.level > -25, 9, 12)
    hz, db = peaks.hz[good], peaks.level[good]
    b = _guess_b(hz, db, base, peaks.resolution)
    total = np.concatenate([[0.0], np.cumsum(peaks.power)])
    moment = np.concatenate([[0.0], np.cumsum(peaks.power * np.arange(len(peaks.power)))])
    sine = 1.5 * peaks.resolution / peaks.step  # the energy of a steady sine of 0 dB
    for _ in range(2):
        ratios, level = stretched(k, b), np.full(HARMONICS, SILENT_DB)
        for n in np.flatnonzero(ratios * base < 20000):
            target = base * ratios[n]
            low, high = np.searchsorted(hz, [target - width[n], target + width[n]])
            if low == high:
                continue
            best = low + int(np.argmax(db[low:high] - 6 * (np.abs(hz[low:high] - target) / width[n]) ** 2))
            reach = max(2 * peaks.resolution, min((n + 1) * base * 25 * CENT, 0.25 * base))
            left = max(round((hz[best] - reach) / peaks.step), 0)
            right = min(round((hz[best] + reach) / peaks.step) + 1, len(peaks.power))
            energy = total[right] - total[left]
            level[n] = 10 * np.log10(max(energy, 1e-30) / sine)
            hump = level[n] > db[best] + 2
            ratios[n] = ((moment[right] - moment[left]) / energy * peaks.step if hump else hz[best]) / base
        b = _fit_b(k, ratios, level) if b > 0 else 0.0
    return np.where(level > SILENT_DB, ratios, stretched(k, b)), level, b


def _guess_b(hz: np.ndarray, db: np.ndarray, base: float, resolution: float) -> float:
    """The B of the grid whose first 20 harmonics match the most and strongest peaks; 0 unless the lowest match."""
    grid = np.concatenate([[0.0], np.geomspace(1e-5, 2e-2, 46)])
    strong = np.argsort(-db)[:80]
    strong = strong[db[strong] > -50]
    k = np.arange(1, 21)
    expected = base * stretched(k, grid[:, None])
    miss = (expected[:, :, None] - hz[strong]) / (k * base * 15 * CENT + resolution)[:, None]
    met = ((db[strong] + 50) * np.exp(-np.square(miss))).max(2, initial=0.0) * (expected < 20000)
    score = met.sum(1) - 0.1 * met[0].sum() * (grid > 0)
    best = int(score.argmax())
    low = np.flatnonzero(expected[best, :6] < 16000)
    return float(grid[best]) if len(low) and (met[best, low] > 0.5).sum() >= max(2, 0.6 * len(low)) else 0.0


def _fit_b(k: np.ndarray, ratios: np.ndarray, level: np.ndarray) -> float:
    """B by least squares, (r_k / k)^2 = (1 + B k^2) / (1 + B), over the audible harmonics, then without outliers."""
    use = (level > level.max() - 50) & (k <= 24)
    x, y = k[use] ** 2 - 1, (ratios[use] / k[use]) ** 2 - 1
    keep, b = np.ones(len(x)), 0.0
    for _ in range(3):
        b = float((keep * x * y).sum() / ((keep * x * x).sum() + 1e-3))
        miss = np.abs(y - b * x)
        keep = (miss <= 3 * np.median(miss) + 1e-4).astype(np.float64)
    return float(np.clip(b / max(1 - b, 0.5), 0.0, 0.03))


def _free(peaks: _Peaks, base: float, ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The strongest peak of each free slot that is not a harmonic, noise or another peak's side lobe."""
    ratio, out = free_centres(), np.full(FREE_SLOTS, SILENT_DB)
    strongest = peaks.level.max() if len(peaks.level) else 0.0
    use = np.flatnonzero((peaks.above > 14) & (peaks.level > strongest - 60) & (peaks.hz < 20000))
    low, high = np.log(FREE_RANGE)
    slot = np.floor((np.log(np.maximum(peaks.hz, 1e-3) / base) - low) / (high - low) * FREE_SLOTS).astype(int)
    use = use[(slot[use] >= 0) & (slot[use] < FREE_SLOTS)]
    every = ratios * base
    order = np.arange(1, HARMONICS + 1)
    guard = np.maximum(np.minimum(order * 50 * CENT, 0.24) * base, 3 * peaks.resolution)
    wide = np.maximum(guard, min(25.0, 0.2 * base))  # what wavers beside a harmonic, unless about as strong
    for i in use[np.argsort(-peaks.level[use])]:
        nearest = int(np.argmin(np.abs(every - peaks.hz[i])))
        near = wide if peaks.level[i] < strongest - BESIDE_DB else guard
        if abs(every[nearest] - peaks.hz[i]) < near[nearest] or out[slot[i]] > SILENT_DB:
            continue  # part of a broad harmonic (ensembles), or a weaker peak of this slot
        if peaks.level[i] < _side_lobes(peaks, i):
            continue
        if _prominence(peaks, i) < 12 and not (peaks.level[i] > strongest - 20 and peaks.above[i] > 20):
            continue  # a weak hump is a passing thump, a strong one a wavering partial
        ratio[slot[i]], out[slot[i]] = peaks.hz[i] / base, peaks.level[i]
    return ratio, out


def _prominence(peaks: _Peaks, i: int) -> float:
    """dB by which peak i rises above the median of the 12 resolution cells either side: little for a passing thump."""
    middle, span = round(peaks.hz[i] / peaks.step), round(12 * peaks.resolution / peaks.step)
    around = peaks.power[max(middle - span, 0) : middle + span]
    return float(10 * np.log10(peaks.power[middle] / np.median(around)))


def _side_lobes(peaks: _Peaks, i: int) -> float:
    """The level that the other peaks' Hann side lobes may reach at peak i, with a margin of 10 dB."""
    distance = np.maximum(np.abs(peaks.hz - peaks.hz[i]) / peaks.resolution, 2.0)
    lobes = peaks.level - 20 * np.log10(np.pi * distance * (distance**2 - 1)) + 10
    lobes[i] = SILENT_DB
    return float(lobes.max())
