"""Kernel distances between two clouds of embeddings: unbiased squared MMD, which does not punish small sets."""

from __future__ import annotations

import numpy as np

from antiphon.measures.neighbours import squared_distances


def _unbiased(within_a: np.ndarray, within_b: np.ndarray, between: np.ndarray) -> float:
    """Squared MMD from kernel matrices, the diagonals left out (Gretton et al. 2012, equation 3)."""
    n, m = len(within_a), len(within_b)
    a = (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
    b = (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
    return float(a + b - 2 * between.mean())


def kernel_distance(features: np.ndarray, reference: np.ndarray) -> float:
    """1000 x squared MMD with a Gaussian kernel whose width is the median distance within `reference` (KAD, 2025).

    features: (n, dim), reference: (m, dim), n and m >= 2. About 0 (it may be slightly below) for equal distributions.
    """
    within = squared_distances(reference, reference)
    width = np.median(within[np.triu_indices(len(within), 1)]) or 1.0

    def kernel(squared: np.ndarray) -> np.ndarray:
        return np.exp(-squared / (2 * width))

    between = kernel(squared_distances(features, reference))
    return 1000 * _unbiased(kernel(squared_distances(features, features)), kernel(within), between)


def kid(features: np.ndarray, reference: np.ndarray) -> float:
    """1000 x squared MMD with the kernel (x.y / dim + 1)^3 (KID, Binkowski et al. 2018). Shapes as above.

    Both sets are scaled by the reference's root mean square, or the figure would depend on the embedding's units.
    """
    scale = np.sqrt(np.mean(np.square(reference, dtype=np.float64))) or 1.0
    a, b = (np.asarray(x, np.float64) / scale for x in (features, reference))
    within_a, within_b, between = ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    return 1000 * _unbiased(within_a, within_b, between)
