"""Fréchet distance between two clouds of embeddings, each treated as a Gaussian (Dowson & Landau 1982; FID, FAD)."""

from __future__ import annotations

import numpy as np


def gaussian(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (dim,) and covariance (dim, dim) of `features` (n, dim), n >= 2, in float64."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"need (n >= 2, dim) features, not {features.shape}")
    return features.mean(0), np.atleast_2d(np.cov(features, rowvar=False))


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a positive semi-definite matrix; rounding errors below zero are clamped."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def gaussian_distance(mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^1/2), >= 0.

    The trace of the root of C_a C_b is that of the symmetric R C_b R with R = C_a^1/2, so no complex numbers appear.
    """
    root = _root(cov_a)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    return max(float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross), 0.0)


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Fréchet distance between two sets (n, dim) and (m, dim). Biased upwards for small n: compare only equal n."""
    if max(len(features_a), len(features_b)) < np.shape(features_a)[1]:
        return _of_few(features_a, features_b)
    return gaussian_distance(*gaussian(features_a), *gaussian(features_b))


def _of_few(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """The same for fewer rows than dimensions, without a dim x dim matrix: with C_a = A^T A and C_b = B^T B, the trace
    of (C_a C_b)^1/2 is the sum of the singular values of A B^T (n, m)."""
    means, roots = [], []
    for features in (features_a, features_b):
        rows = np.asarray(features, np.float64)
        if rows.ndim != 2 or len(rows) < 2:
            raise ValueError(f"need (n >= 2, dim) features, not {rows.shape}")
        means.append(rows.mean(0))
        roots.append((rows - means[-1]) / np.sqrt(len(rows) - 1))
    a, b = roots
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(float(((means[0] - means[1]) ** 2).sum() + (a * a).sum() + (b * b).sum() - 2 * cross), 0.0)
