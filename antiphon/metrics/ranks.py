"""Rank correlation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spearman(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Spearman's rank correlation, equal values sharing their ranks; 0 if nothing moves."""
    if np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return 0.0
    return float(np.corrcoef(_ranks(np.asarray(a)), _ranks(np.asarray(b)))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) how many values are less than each, and half of those that are equal."""
    less, equal = values[None] < values[:, None], values[None] == values[:, None]
    ranks: np.ndarray = less.sum(1) + equal.sum(1) / 2
    return ranks
