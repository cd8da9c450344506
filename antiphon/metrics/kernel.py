"""Kernel distances between two clouds of embeddings: squared MMD, which is unbiased for small sets too."""

from __future__ import annotations

import numpy as np

from antiphon.metrics.neighbours import squared_distances


def _unbiased(within_a: np.ndarray, within_b: np.ndarray, between: np.ndarray) -> float:
    """Squared MMD from kernel matrices without their diagonals (Gretton et al. 2012, equation 3)."""
    n, m = len(within_a), len(within_b)
    a = (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
    b = (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
    return float(a + b - 2 * between.mean())


def kernel_distance(features: np.ndarray, reference: np.ndarray) -> float:
    """1000 x squared MMD with a Gaussian kernel whose width is the median distance within `reference` (KAD, 2025).

    features: (n, dim), reference: (m, dim), n and m >= 2. About 0 (it may be slightly below) for equal distributions.
    """
    return 1000 * _unbiased(*_gaussian_kernels(features, reference))


def kernel_distances_redrawn(features: np.ndarray, reference: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """`kernel_distance` on redrawn rows: lists (draws, n) positions in both sets, of n rows each. -> (draws,)

    The kernels are computed once, and pairs of a row with itself, which redrawing multiplies, are still left out."""
    within_a, within_b, between = _gaussian_kernels(features, reference)
    counts = np.stack([np.bincount(row, minlength=len(features)) for row in lists]).astype(np.float64)
    pairs = counts.sum(1) ** 2 - np.square(counts).sum(1)

    def mean_within(kernel: np.ndarray) -> np.ndarray:
        everything = np.einsum("di,di->d", counts @ kernel, counts)
        return (everything - np.square(counts) @ np.diag(kernel)) / pairs

    across = np.einsum("di,di->d", counts @ between, counts) / counts.sum(1) ** 2
    return 1000 * (mean_within(within_a) + mean_within(within_b) - 2 * across)


def _gaussian_kernels(features: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernel matrices (n, n), (m, m) and (n, m), whose width is the median distance within the reference."""
    within = squared_distances(reference, reference)
    width = np.median(within[np.triu_indices(len(within), 1)]) or 1.0

    def kernel(squared: np.ndarray) -> np.ndarray:
        return np.exp(-squared / (2 * width))

    between = kernel(squared_distances(features, reference))
    return kernel(squared_distances(features, features)), kernel(within), between


def kid(features: np.ndarray, reference: np.ndarray) -> float:
    """1000 x squared MMD with the kernel (x.y / dim + 1)^3 (KID, Binkowski et al. 2018). Shapes as above.

    Both sets are scaled by the reference's root mean square, so that the embedding's units do not matter.
    """
    scale = np.sqrt(np.mean(np.square(reference, dtype=np.float64))) or 1.0
    a, b = (np.asarray(x, np.float64) / scale for x in (features, reference))
    within_a, within_b, between = ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    return 1000 * _unbiased(within_a, within_b, between)
