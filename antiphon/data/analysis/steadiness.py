"""Is it noise? The power of noise in a band of many bins hardly moves, while music swells, decays and begins anew.

Of n independent bins the sum has a standard deviation of 4.3 / sqrt(n) dB, whatever the noise's colour. Noise that
comes and goes does so in all bands at once: less what neighbours have in common, it is as steady again. And where a
note is heard, its partials stand out of the band, and nothing is known of the noise: only flat spectra count."""

from __future__ import annotations

import numpy as np

WIDE = 32  # bins in a band
BANDS = 51  # of 345 Hz: up to 17.6 kHz
FLAT = 3.2  # dB from a band's mean power down to the mean of its levels: 2.5 of noise
APART = 2  # frames, which overlap by half, between two that have nothing in common
AROUND = 13  # bands whose median change is what they have in common
STEP, STEPS = 0.05, 400  # dB of a change: how finely it is counted, and up to what
FINE, LOWEST, LEVELS = 0.25, -150.0, 680  # and of a level
QUIETEST = 1.85  # dB from the median of noise down to its quietest tenth: 1.4 in the long run
MOVES = 0.65, 1.3  # dB by which noise changes half the time: 0.9 in the long run
JUMPS = 2.95  # dB by which it does nine tenths of the time: 2.5
SWELLS = 4.0  # dB in a tenth of a second: noise that comes and goes does not come as suddenly as notes
OFTEN = 0.1  # share of the time that a band has to be flat to be judged
KNOWN = 0.1  # share of the bands that have to be judged
STEADY, SWELLING = 0.7, 0.6  # and of those, that have to be steady, or to swell as noise does


class Steadiness:
    """Call it with power spectra, one after another; `noise` says whether what it saw is noise."""

    def __init__(self) -> None:
        self._before: list[tuple[np.ndarray, np.ndarray]] = []
        self._pairs = 0
        self._levels = np.zeros((BANDS, LEVELS), np.int32)
        self._alone = np.zeros((BANDS, STEPS), np.int32)  # changes, less what neighbours have in common
        self._common = np.zeros((BANDS, STEPS), np.int32)  # and that

    def __call__(self, power: np.ndarray) -> None:
        """power: (bins,) of a frame"""
        bins = power[: BANDS * WIDE].reshape(BANDS, WIDE) + 1e-20
        level = 10 * np.log10(bins.mean(1))
        flat = level - 10 * np.log10(bins).mean(1) < FLAT
        self._levels[flat, _column((level[flat] - LOWEST) / FINE, LEVELS)] += 1
        if len(self._before) == APART:
            earlier, was_flat = self._before.pop(0)
            self._pairs += 1
            self._count(np.flatnonzero(flat & was_flat), level - earlier)
        self._before.append((level, flat))

    def _count(self, band: np.ndarray, change: np.ndarray) -> None:
        """band: which bands were flat before and after a change."""
        if len(band) <= AROUND // 2:
            return
        padded = np.pad(change[band], AROUND // 2, mode="reflect")
        common = np.median(np.lib.stride_tricks.sliding_window_view(padded, AROUND), 1)
        self._alone[band, _column(np.abs(change[band] - common) / STEP, STEPS)] += 1
        self._common[band, _column(np.abs(common) / STEP, STEPS)] += 1

    def noise(self, low: float, high: float, width: float) -> bool:
        """Whether most of what is between `low` and `high` Hz is noise, steady or coming and going. width: Hz of a
        bin"""
        part = slice(round(low / (WIDE * width)), max(min(int(high / (WIDE * width)), BANDS), 1))
        known = self._alone[part].sum(1) >= max(OFTEN * self._pairs, 1)
        if not known.any() or known.mean() < KNOWN:
            return False
        quiet = FINE * (percentile(self._levels, 0.5) - percentile(self._levels, 0.1))
        moves, jumps = (STEP * percentile(self._alone, share) for share in (0.5, 0.9))
        swells = STEP * percentile(self._common, 0.9)
        steady = quiet < QUIETEST
        swelling = (moves > MOVES[0]) & (moves < MOVES[1]) & (jumps < JUMPS) & (swells < SWELLS)
        return bool(steady[part][known].mean() >= STEADY or swelling[part][known].mean() >= SWELLING)


def _column(where: np.ndarray, columns: int) -> np.ndarray:
    return np.clip(where, 0, columns - 1).astype(int)


def percentile(counts: np.ndarray, share: float) -> np.ndarray:
    """(rows,) the first column up to which there is that share of a row's counts"""
    total = np.cumsum(counts, 1)
    return np.asarray((total >= share * total[:, -1:]).argmax(1), float)
