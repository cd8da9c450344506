"""When to evaluate the trunk: knots in time, dense where a note changes fast (onset, release) and sparse elsewhere.

The generator's trunk is a function of time and not a filter, so it need not be evaluated at equal steps. Log-amplitudes
are interpolated linearly between knots, which gives exact exponential decays; 2 s of sound take about 70 knots instead
of 172 frames at 86 Hz, and yet the first knots lie 3 ms apart.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SPARSEST = 2048  # samples between knots far from any event: 46 ms, eight per cycle of a 2.7 Hz tremolo, three at 7 Hz


@lru_cache(maxsize=8)
def _after(limit: int, sparsest: int, share: int = 6) -> np.ndarray:
    """Knots after an event, in samples: 128 apart at first, then by a sixth (1/share) of the elapsed time, at most
    `sparsest`."""
    times, t = [0], 0
    while t < limit:
        t += int(np.clip(t // share // 64 * 64, 128, sparsest))
        times.append(t)
    return np.array(times, np.int64)


def held_knots(first: int, count: int) -> np.ndarray:
    """(count,) int64, samples since the onset: knots first, first + 1, ... of a note that is still held. They are those
    of `knots` without a release, and have no end."""
    dense = _after(1 << 18, SPARSEST)
    number = np.arange(first, first + count)
    last = len(dense) - 1
    return dense[np.minimum(number, last)] + SPARSEST * np.maximum(number - last, 0)


def held_count(stop: int) -> int:
    """How many of `held_knots` cover samples [0, stop]."""
    dense = _after(1 << 18, SPARSEST)
    if stop > dense[-1]:
        return len(dense) - int(-(stop - dense[-1]) // SPARSEST)
    return int(np.searchsorted(dense, stop, side="left")) + 1


def released_knots(span: int) -> np.ndarray:
    """(t,) int64, samples since the release that cover [0, span]: few, for playing, where the length of a release is
    not known in advance."""
    reach = 1 << max(int(span).bit_length(), 18)
    grid = _after(reach, reach, 2)
    return grid[: int(np.searchsorted(grid, span, side="left")) + 1]


def knots(start: int, stop: int, release: int | None) -> np.ndarray:
    """Knots that cover samples [start, stop] of a note.

    Args:
        start, stop: samples since the onset, 0 <= start < stop.
        release: samples from onset to release; None when the note is never released.
    Returns:
        (t,) int64, strictly rising; the first is <= start and the last >= stop.
    """
    reach = 1 << max(int(stop).bit_length(), 18)
    grid = _after(reach, SPARSEST)
    if release is not None and release < stop:
        tail = release + _after(reach, 2 * SPARSEST)  # a release only decays
        before = grid[grid < max(release - 1, 1)]
        held = [release - 1] if release - 1 > before[-1] else []  # the last moment before the release
        grid = np.concatenate([before, held, tail]).astype(np.int64)
    first = max(int(np.searchsorted(grid, start, side="right")) - 1, 0)
    last = int(np.searchsorted(grid, stop, side="left"))
    return grid[first : last + 1]


def pad_knots(rows: list[np.ndarray], multiple: int = 1) -> Tensor:
    """(batch, t) float32: rows of knots, shorter ones padded with their last; t is a multiple of `multiple`."""
    longest = -(-max(len(r) for r in rows) // multiple) * multiple
    return torch.from_numpy(np.stack([np.pad(r, (0, longest - len(r)), mode="edge") for r in rows]).astype(np.float32))


def rounded_up(samples: float, step: int) -> float:
    """The next multiple of `step`; inf stays inf."""
    return samples if math.isinf(samples) else -(-samples // step) * step
