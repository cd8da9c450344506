"""The last step of a mix: a level that is the same from song to song, and a limiter, so that nothing clips.

Everything works on blocks of any length, so that a longer song takes no more memory: a Meter measures the mix first,
and `mastered` sets its level when it is written.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from antiphon.core.errors import AntiphonError
from antiphon.music.convolve import Convolver

TARGET_LUFS = -16.0
LUFS, MOST_GAIN = (-50.0, -6.0), 40.0  # what may be asked for; dB
CEILING = 10 ** (-1 / 20)  # -1 dBTP
MARGIN = 10 ** (-0.3 / 20)  # true-peak meters interpolate, and may differ from ours by this much
MOST_LIMITING = 4.0  # dB: a song with higher peaks is left quieter rather than squeezed
TOP = 19_500.0  # Hz; inaudible above, but peaks between samples depend on it, and differently in each meter
CHUNK = 1 << 18  # samples processed at once
BLOCK = 32  # samples between points of the limiter's gain
AHEAD = 8  # blocks (6 ms) over which the gain comes down before a peak
RELEASE = 0.080  # time constant in seconds: 63 % recovered
TAPS, PHASES = 48, 8  # of the interpolation between samples


class Level(NamedTuple):
    """How loud a song is to be: lufs, and dB of gain on top, into the limiter."""

    lufs: float = TARGET_LUFS
    gain: float = 0.0


USUAL = Level()


def check_level(lufs: float | None, gain: float) -> Level:
    """A level as users ask for it. Raises AntiphonError for one that nobody means."""
    if lufs is not None and not LUFS[0] <= lufs <= LUFS[1]:
        raise AntiphonError(f"{lufs:g} LUFS is out of range: use {LUFS[0]:g} to {LUFS[1]:g}")
    if not -MOST_GAIN <= gain <= MOST_GAIN:
        raise AntiphonError(f"a gain of {gain:g} dB is out of range: use {-MOST_GAIN:g} to {MOST_GAIN:g}")
    return Level(TARGET_LUFS if lufs is None else lufs, gain)


def master(mix: np.ndarray, sample_rate: int) -> np.ndarray:
    """Level and limit: (samples, 2) float32 -> the same shape, about TARGET_LUFS, true peak at most -1 dBTP."""
    meter = Meter(sample_rate)
    meter.add(mix)
    return np.concatenate([mix[:0], *mastered(_chunks(mix), meter.gain(), sample_rate)])


def mastered(
    blocks: Iterable[np.ndarray], gain: float, sample_rate: int, ceiling: float = CEILING
) -> Iterator[np.ndarray]:
    """Blocks of a mix, (n, 2) float32 each, multiplied by `gain` and limited: as many samples, in other blocks."""
    return limited(_low_passed((block * np.float32(gain) for block in blocks), sample_rate), sample_rate, ceiling)


class Meter:
    """Integrated loudness (ITU-R BS.1770-4) and sample peak of a stream of blocks, (n, channels) each.

    The K weighting is applied to spectra of 0.4 s, which overlap by half.
    """

    def __init__(self, sample_rate: int):
        self.size = round(0.4 * sample_rate)
        self.weight = _k_weighting(np.fft.rfftfreq(self.size, 1 / sample_rate))[:, None] * (2 / self.size**2)
        self.rest: np.ndarray | None = None
        self.powers: list[float] = []
        self.peak = 0.0

    def add(self, block: np.ndarray) -> None:
        """Measure the next (n, channels) samples."""
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
        heard = block if self.rest is None else np.concatenate([self.rest, block])
        step = self.size // 2
        count = max((len(heard) - self.size) // step + 1, 0)
        for start in range(0, count * step, step):
            self.powers.append(self._power(heard[start : start + self.size]))
        self.rest = heard[count * step :].copy()

    def loudness(self) -> float:
        """LUFS; -inf for silence."""
        power = np.array(self.powers)
        if not len(power) and self.rest is not None and len(self.rest):  # shorter than one block
            power = np.array([self._power(self.rest) * self.size / len(self.rest)])
        power = power[power > 10 ** ((-70 + 0.691) / 10)]
        if not len(power):
            return -np.inf
        return float(10 * np.log10(power[power > power.mean() / 10].mean()) - 0.691)

    def gain(self, level: Level = USUAL) -> float:
        """The gain that brings the whole song to a level in LUFS, or as near as MOST_LIMITING allows, and the level's
        own gain on top."""
        loud = self.loudness()
        if self.peak == 0.0 or not np.isfinite(loud):
            return 1.0
        most = CEILING * 10 ** (MOST_LIMITING / 20) / self.peak
        return float(min(10 ** ((level.lufs - loud) / 20), most) * 10 ** (level.gain / 20))

    def _power(self, block: np.ndarray) -> float:
        return float((np.abs(np.fft.rfft(block, self.size, axis=0)) ** 2 * self.weight).sum())


class TruePeak:
    """The true peak of a stream of blocks, (n, 2) float32 each: the maximum at or between their samples."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._held = np.zeros((TAPS // 2, 2), np.float32)

    def add(self, block: np.ndarray) -> None:
        """Measure the next (n, 2) samples; the last 2 ms are judged with what follows."""
        for piece in _chunks(block):
            held = np.concatenate([self._held, piece])
            judged = len(held) // BLOCK - 2
            if judged > 0:
                self.peak = max(self.peak, float(_peaks(held, judged, self.peak / 2).max()))
                held = held[judged * BLOCK :].copy()
            self._held = held

    def end(self) -> float:
        """The peak of the whole stream, as if followed by silence."""
        self.add(np.zeros((3 * BLOCK, 2), np.float32))
        return self.peak


def _k_weighting(frequency: np.ndarray) -> np.ndarray:
    """Power response of BS.1770's two filters (published for 48 kHz, evaluated at the true frequency in Hz)."""
    z = np.exp(-2j * np.pi * np.minimum(frequency, 24000) / 48000)
    shelf = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], z)
    shelf /= np.polyval([0.73248077421585, -1.69065929318241, 1.0], z)
    low = (1 - z) ** 2 / np.polyval([0.99007225036621, -1.99004745483398, 1.0], z)
    return np.abs(shelf * low) ** 2


def _low_passed(blocks: Iterable[np.ndarray], sample_rate: int) -> Iterator[np.ndarray]:
    """Blocks low-passed at TOP by a linear-phase windowed sinc, with its delay compensated."""
    half = 32
    at = np.arange(-half, half + 1)
    cut = 2 * TOP / sample_rate
    kernel = np.sinc(at * cut) * np.kaiser(len(at), 5.0)
    filtered = Convolver(kernel / kernel.sum())
    early = half  # samples of delay still to be dropped
    for block in chain(blocks, [np.zeros((half, 2), np.float32)]):
        out = filtered(block)
        yield out[early:]
        early = max(early - len(out), 0)


def limit(audio: np.ndarray, sample_rate: int, ceiling: float = CEILING) -> np.ndarray:
    """`limited` for a whole sound, (samples, 2) float32."""
    return np.concatenate([audio[:0], *limited(_chunks(audio), sample_rate, ceiling)])


def limited(blocks: Iterable[np.ndarray], sample_rate: int, ceiling: float = CEILING) -> Iterator[np.ndarray]:
    """A look-ahead peak limiter for blocks of (n, 2) float32: as many samples, unchanged where nothing passes the
    ceiling. Peaks are judged between the samples too; both channels get the same gain.

    The reduction (1 - gain) of each BLOCK falls exponentially after a peak and rises along a straight line before it.
    Between the edges of blocks it is linear, each edge taking the larger of its neighbours' values, so that it is never
    less than a block needs.
    """
    keep = float(np.exp(-BLOCK / (RELEASE * sample_rate)))
    margin = TAPS // 2
    held = np.zeros((margin, 2), np.float32)  # samples not output yet, after `margin` samples that were
    released = reached = 0.0  # reduction of the last block output: by release alone, and in total
    total = left = 0
    pieces = (piece for block in blocks for piece in _chunks(block))
    for block in chain(pieces, [None]):
        total += 0 if block is None else len(block)
        more = np.zeros(((AHEAD + 3) * BLOCK + margin, 2), np.float32) if block is None else block
        held = np.concatenate([held, more])
        judged = max((len(held) - 2 * margin) // BLOCK, 0)
        ready = judged - AHEAD - 1
        if ready <= 0:
            continue
        falling = _falling(_needed(held, judged, ceiling), released, keep)
        rising = _rising(falling)
        edges = np.maximum(np.append(reached, rising[:ready]), rising[: ready + 1])
        released, reached = float(falling[ready - 1]), float(rising[ready - 1])
        count = min(ready * BLOCK, total - left)
        yield held[margin : margin + count] * _lines(1 - edges)[:count, None]
        left += count
        held = held[ready * BLOCK :].copy()


def _needed(held: np.ndarray, judged: int, ceiling: float) -> np.ndarray:
    """(judged,) reductions at which each block's true peak stays below the ceiling; `held` as in _peaks."""
    peaks = _peaks(held, judged, ceiling / 2)
    return np.where(peaks > ceiling * MARGIN, 1 - ceiling * MARGIN / np.maximum(peaks, 1e-9), 0.0)


def _peaks(held: np.ndarray, judged: int, least: float) -> np.ndarray:
    """(judged,) true peaks of blocks; `held` begins half of TAPS before the first. Blocks with no sample in or around
    them above `least`, and so no peak above twice that, are skipped: 0."""
    margin = TAPS // 2
    left, right = np.abs(held[: (judged + 2) * BLOCK]).T  # a block's surroundings lie within these, from its own on
    level = np.maximum(left, right)
    level = np.pad(level, (0, -len(level) % BLOCK)).reshape(-1, BLOCK).max(axis=1)
    level = np.max([level[k : k + judged] for k in range(3)], axis=0)
    hot = np.flatnonzero(level > least)
    peaks = np.zeros(judged)
    for channel in held.T:
        around = sliding_window_view(np.ascontiguousarray(channel), BLOCK + 2 * margin)[::BLOCK]
        for some in np.array_split(hot, len(hot) // 2048 + 1):
            peaks[some] = np.maximum(peaks[some], np.abs(around[some] @ _between()).max(axis=1, initial=0.0))
    return peaks


@lru_cache(maxsize=1)
def _between() -> np.ndarray:
    """(BLOCK + TAPS, BLOCK PHASES) float32: from a block with its surroundings to the values at and between its
    samples, by a Kaiser-windowed sinc."""
    at = TAPS / 2 + np.arange(BLOCK * PHASES) / PHASES
    away = np.arange(BLOCK + TAPS)[:, None] - at
    window = np.i0(5.0 * np.sqrt(np.clip(1 - (2 * away / TAPS) ** 2, 0, None))) / np.i0(5.0)
    return (np.sinc(away) * window * (np.abs(away) < TAPS / 2)).astype(np.float32)


def _falling(needed: np.ndarray, before: float, keep: float) -> np.ndarray:
    """f[n] = max(needed[n], keep f[n-1]), f[-1] = before. needed: little more than a CHUNK: powers stay finite."""
    powers = keep ** np.arange(1, len(needed) + 1)
    return np.maximum(np.maximum.accumulate(needed / powers), before) * powers


def _rising(falling: np.ndarray) -> np.ndarray:
    """Reductions that build up linearly over AHEAD blocks: (n,) -> (n - AHEAD,)."""
    count = len(falling) - AHEAD
    ahead = [falling[k : k + count] * (1 - k / (AHEAD + 1)) for k in range(AHEAD + 1)]
    return np.max(ahead, axis=0)


def _lines(edges: np.ndarray) -> np.ndarray:
    """Values at block edges -> (samples,) float32, linear between them."""
    position = np.arange(BLOCK, dtype=np.float32) / BLOCK
    edges = edges.astype(np.float32)
    return (edges[:-1, None] + (edges[1:] - edges[:-1])[:, None] * position).reshape(-1)


def _chunks(audio: np.ndarray) -> Iterator[np.ndarray]:
    return (audio[start : start + CHUNK] for start in range(0, len(audio), CHUNK))
