"""What happens by chance in a scene, as functions of a seed and the time: nothing is remembered, so that any moment can
be asked for alone, and a loop is the same functions on a circle.

    smooth   a Gaussian process for each rate: normals at the corners of cells, joined by cubic B-splines
    events   one at a random place in every cell: how long ago the last was, and its marks, which stay until the next
    pulse    a phasor at a measured rate: what ticks cannot be drawn from noise

Random numbers are a hash of (seed, stream, cell) [splitmix64: Steele 2014], the same on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FEWEST = 4  # cells of a loop in which a smooth path moves at all

SLOW = (0.08, 0.25, 0.8, 2.5, 8.0, 25.0)  # cells a second of the paths that a scene's knots hear of
SLOW_PATHS = 6  # of each
SPARSE = (0.25, 1.2, 5.0)  # events a second
SPARSE_STREAMS = 3  # of each
SPARSE_FADES = (0.04, 0.2, 1.0)  # seconds in which the trace of an event fades to 1/e
FAST = (60.0, 200.0, 689.0)  # the same for what happens between two knots
FAST_PATHS = 3
DENSE = (12.0, 60.0, 250.0)
DENSE_STREAMS = 2
DENSE_FADES = (0.002, 0.012)
MARKS = 3
SLOW_PULSE = 4, 30.0, (0.03, 0.1)  # harmonics, highest Hz, fades in seconds
FAST_PULSE = 6, 330.0, (0.003, 0.015, 0.06, 0.2)


def pulse_features(plan: tuple[int, float, Sequence[float]]) -> int:
    return 2 * plan[0] + len(plan[2]) + 1


KNOT_FEATURES = (
    len(SLOW) * SLOW_PATHS + len(SPARSE) * SPARSE_STREAMS * (len(SPARSE_FADES) + MARKS) + pulse_features(SLOW_PULSE)
)
FAST_FEATURES = (
    len(FAST) * FAST_PATHS + len(DENSE) * DENSE_STREAMS * (len(DENSE_FADES) + MARKS) + pulse_features(FAST_PULSE)
)


def mixed(x: np.ndarray) -> np.ndarray:
    """uint64 -> uint64, a bijection that leaves no pattern. (Arrays wrap around without a warning.)"""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hashed(seed: int, stream: int | np.ndarray, cells: np.ndarray) -> np.ndarray:
    """uint64: a number for each integer in `cells` of each stream, as they broadcast."""
    start = np.uint64(seed * int(GOLDEN) & 0xFFFFFFFFFFFFFFFF)
    key = mixed(np.atleast_1d(np.asarray(stream)).astype(np.uint64) + start + np.uint64(1))
    return mixed(key + (cells.astype(np.int64).view(np.uint64) + np.uint64(1)) * GOLDEN)


def uniform(seed: int, stream: int | np.ndarray, cells: np.ndarray) -> np.ndarray:
    """float64 in [0, 1)."""
    return (hashed(seed, stream, cells) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, stream: int | np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Standard normal float32 (Box-Muller 1958)."""
    bits = hashed(seed, stream, cells)
    a = ((bits >> np.uint64(32)).astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)
    b = (bits & np.uint64(0xFFFFFFFF)).astype(np.float32) * np.float32(2.0**-32 * 2 * np.pi)
    return np.sqrt(-2 * np.log(np.minimum(a, np.float32(1 - 2**-24)))) * np.cos(b)


@dataclass(frozen=True)
class Chance:
    """One scene's. period: seconds of a loop, None for a scene that never comes back."""

    seed: int
    period: float | None = None

    def cells(self, rate: float) -> tuple[float, int | None]:
        """Cells a second, and how many a loop has: a whole number."""
        if self.period is None:
            return rate, None
        count = max(round(rate * self.period), 1)
        return count / self.period, count

    def smooth(self, rate: float, paths: int, times: np.ndarray, stream: int) -> np.ndarray:
        """(times, paths) float32 of unit variance, smooth over about a cell. times: (n,) float64 seconds, ascending."""
        rate, count = self.cells(rate)
        streams = stream + np.arange(paths)[:, None]
        if count is not None and count < FEWEST:
            return np.broadcast_to(normal(self.seed, streams, np.zeros(1, np.int64)).T, (len(times), paths))
        x = times * rate
        cell = np.floor(x).astype(np.int64)
        weights = _spline((x - cell).astype(np.float32))
        first = int(cell[0]) - 1
        corners = _around(np.arange(first, int(cell[-1]) + 3), count)
        known = np.ascontiguousarray(normal(self.seed, streams, corners).T)
        at = cell - 1 - first
        return sum(weights[:, k, None] * known[at + k] for k in range(4))  # type: ignore[return-value]

    def events(self, rate: float, streams: int, times: np.ndarray, stream: int) -> tuple[np.ndarray, np.ndarray]:
        """(times, streams) seconds since the last event of each stream, and (times, streams, MARKS) its marks,
        float32."""
        rate, count = self.cells(rate)
        own = stream + 10 * np.arange(streams)[:, None]
        x = times * rate
        cell = np.floor(x).astype(np.int64)
        first = int(cell[0]) - 1
        known = np.arange(first, int(cell[-1]) + 1)
        begins = known + uniform(self.seed, own, _around(known, count))  # (streams, cells)
        marks = normal(self.seed, (own + 1 + np.arange(MARKS))[:, :, None], _around(known, count))
        now = cell - first
        event = now - (begins[:, now] > x)  # (streams, times): this cell's, or else the one before
        row = np.arange(streams)[:, None]
        age = (x - begins[row, event]) / rate
        return age.T.astype(np.float32), marks[row, :, event].transpose(1, 0, 2)

    def knots(self, times: np.ndarray, cycles: np.ndarray, rate: np.ndarray, strength: np.ndarray) -> np.ndarray:
        """(times, KNOT_FEATURES) float32: all that a scene's knots hear of chance. cycles: (n,) of the pulse since some
        beginning; rate: (n,) Hz; strength: (n,) 0..1, 0 for no pulse."""
        found = [self.smooth(rate_, SLOW_PATHS, times, 100 * i) for i, rate_ in enumerate(SLOW)]
        found += self._traces(SPARSE, SPARSE_STREAMS, SPARSE_FADES, times, 1000)
        return np.concatenate([*found, pulse(SLOW_PULSE, cycles, rate, strength)], 1).astype(np.float32)

    def moments(self, times: np.ndarray, cycles: np.ndarray, rate: np.ndarray, strength: np.ndarray) -> np.ndarray:
        """(times, FAST_FEATURES) float32: the same for the moments between knots."""
        found = [self.smooth(rate_, FAST_PATHS, times, 2000 + 100 * i) for i, rate_ in enumerate(FAST)]
        found += self._traces(DENSE, DENSE_STREAMS, DENSE_FADES, times, 3000)
        return np.concatenate([*found, pulse(FAST_PULSE, cycles, rate, strength)], 1).astype(np.float32)

    def _traces(
        self, rates: Sequence[float], streams: int, fades: Sequence[float], times: np.ndarray, stream: int
    ) -> list[np.ndarray]:
        found = []
        for i, rate in enumerate(rates):
            age, marks = self.events(rate, streams, times, stream + 100 * i)
            left = np.exp(-age[:, :, None] / np.array(fades, np.float32))
            found.append(np.concatenate([left, marks], 2).reshape(len(times), -1))
        return found


def pulse(
    plan: tuple[int, float, Sequence[float]], cycles: np.ndarray, rate: np.ndarray, strength: np.ndarray
) -> np.ndarray:
    """(n, pulse_features(plan)): harmonics of a phasor, without those too fast to be followed, what is left of its last
    tick, and how regular it is."""
    harmonics, highest, fades = plan
    turn = (cycles - np.floor(cycles)).astype(np.float32)
    k = np.arange(1, harmonics + 1, dtype=np.float32)
    heard = np.clip(2 - 2 * k * rate[:, None] / highest, 0, 1) * strength[:, None]
    angle = 2 * np.pi * k * turn[:, None]
    age = turn / np.maximum(rate, 1e-3)
    left = np.exp(-age[:, None] / np.array(fades, np.float32)) * strength[:, None]
    return np.concatenate([np.sin(angle) * heard, np.cos(angle) * heard, left, strength[:, None]], 1).astype(np.float32)


def _around(cells: np.ndarray, count: int | None) -> np.ndarray:
    return cells if count is None else cells % count


def _spline(f: np.ndarray) -> np.ndarray:
    """(n, 4) weights of the corners around a place f in 0..1 of a cell, whose squares sum to 1."""
    g = 1 - f
    w = np.stack([g**3, 3 * f**3 - 6 * f**2 + 4, 3 * g**3 - 6 * g**2 + 4, f**3], 1)
    return w / np.sqrt((w**2).sum(1, keepdims=True))
