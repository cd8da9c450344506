"""Precision, recall, density and coverage (Kynkäänniemi et al. 2019; Naeem et al. 2020), by k nearest neighbours."""

from __future__ import annotations

import numpy as np

from antiphon.metrics.neighbours import squared_distances


def _radii(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each row to its k-th nearest other row, (n,)."""
    squared = squared_distances(features, features)
    np.fill_diagonal(squared, np.inf)
    return np.partition(squared, k - 1, axis=1)[:, k - 1]


def prdc(real: np.ndarray, generated: np.ndarray, *, k: int = 5) -> dict[str, float]:
    """The four figures for real (n, dim) against generated (m, dim), n and m > k: the means of `prdc_by_row`."""
    return {name: float(values.mean()) for name, values in prdc_by_row(real, generated, k=k).items()}


def prdc_by_row(real: np.ndarray, generated: np.ndarray, *, k: int = 5) -> dict[str, np.ndarray]:
    """Each row's contribution to the four figures: (m,) for precision and density, (n,) for recall and coverage.

    precision: share of generated rows inside some real row's k-ball. recall: share of real rows inside some generated
    row's k-ball. density: real k-balls a generated row lies in, over k (1 when the sets agree, unbounded). coverage:
    share of real rows with a generated row inside their k-ball.
    """
    if min(len(real), len(generated)) <= k:
        raise ValueError(f"need more than k = {k} rows on both sides, not {len(real)} and {len(generated)}")
    between = squared_distances(real, generated)
    inside_real = between < _radii(real, k)[:, None]
    inside_generated = between < _radii(generated, k)[None]
    return {
        "precision": inside_real.any(0),
        "recall": inside_generated.any(1),
        "density": inside_real.sum(0) / k,
        "coverage": inside_real.any(1),
    }
