"""What each of a few causes contributes to a difference: Shapley values, exact, over all coalitions; of many, sampled.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))          sum_i phi_i = v(all) - v(none)

(Shapley 1953; for explanations Lundberg and Lee 2017, who have to sample what is enumerated here: six causes have 64
coalitions.)"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np

MOST = 12  # causes


def coalitions(count: int) -> list[frozenset[int]]:
    """All subsets of `count` causes, the empty one first and the whole last."""
    if not 1 <= count <= MOST:
        raise ValueError(f"{count} causes: use 1 to {MOST}")
    return [frozenset(some) for size in range(count + 1) for some in combinations(range(count), size)]


def shapley(values: dict[frozenset[int], np.ndarray], count: int) -> np.ndarray:
    """(count, ...) the contribution of each cause. values: by coalition, (...) each."""
    shares = []
    for cause in range(count):
        total = np.zeros_like(values[frozenset()], dtype=np.float64)
        for some in coalitions(count):
            if cause not in some:
                weight = factorial(len(some)) * factorial(count - len(some) - 1) / factorial(count)
                total += weight * (values[some | {cause}] - values[some])
        shares.append(total)
    return np.stack(shares)


def sampled_shapley(
    value: Callable[[np.ndarray], np.ndarray], count: int, orders: int, rng: np.random.Generator
) -> np.ndarray:
    """(count,) the contributions of many causes, on average over orders in which they join (Castro 2009), each of them
    followed by its reverse. They sum to v(all) - v(none), whatever was drawn.

    value: (n, count) coalitions, 1 for each cause inside and 0 for others -> (n,) values."""
    total, order = np.zeros(count), np.arange(count)
    for i in range(orders):
        order = order[::-1] if i % 2 else rng.permutation(count)
        joined = np.argsort(order)[None] < np.arange(count + 1)[:, None]
        total[order] += np.diff(value(joined.astype(np.float64)))
    return total / orders
