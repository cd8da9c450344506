"""Number of statistically different bins (Richardson & Weiss, NeurIPS 2018): which kinds of sound are too frequent or
too rare? Real embeddings are clustered, and each cluster's share of the generated ones is tested against its share of
the real ones: a dropped mode is a bin that differs."""

from __future__ import annotations

import numpy as np

from antiphon.metrics.neighbours import squared_distances

SIGNIFICANT = 1.96  # standard errors: the two-sided 5 % level of the paper
PER_BIN = 20  # real rows per bin, on average
MOST_BINS = 100
ROUNDS = 50  # most iterations of Lloyd's algorithm


def bins_for(n: int) -> int:
    """How many bins n real rows allow: 20 rows per bin, 2 to 100 bins."""
    return int(np.clip(n // PER_BIN, 2, MOST_BINS))


def k_means(features: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """(k, dim) centres of a cloud (n >= k, dim): k-means++ (Arthur & Vassilvitskii 2007), then Lloyd's algorithm."""
    rng = np.random.default_rng(seed)
    points = np.asarray(features, np.float64)
    centres = points[[rng.integers(len(points))]]
    for _ in range(k - 1):
        away = squared_distances(points, centres).min(1)
        share = away / away.sum() if away.any() else None  # all points are on centres: any will do
        centres = np.concatenate([centres, points[[rng.choice(len(points), p=share)]]])
    for _ in range(ROUNDS):
        owner = squared_distances(points, centres).argmin(1)
        moved = np.stack([points[owner == j].mean(0) if (owner == j).any() else centres[j] for j in range(k)])
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def binned(
    features: np.ndarray, reference: np.ndarray, *, bins: int | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, int]:
    """The bin of each row of features (n, dim) and of reference (m, dim), whose clusters the bins are: (n,), (m,), and
    the number of bins."""
    k = bins or bins_for(len(reference))
    centres = k_means(reference, k, seed)
    mine, theirs = (squared_distances(x, centres).argmin(1) for x in (features, reference))
    return mine, theirs, k


def different_bins(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(..., k) bool: which shares differ, by the two-proportion z-test; mine, theirs: (..., k) counts."""
    n, m = mine.sum(-1, keepdims=True), theirs.sum(-1, keepdims=True)
    pooled = (mine + theirs) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    different: np.ndarray = np.abs(mine / n - theirs / m) > SIGNIFICANT * error
    return different


def ndb(mine: np.ndarray, theirs: np.ndarray, k: int) -> dict[str, float]:
    """Figures of rows in k bins, as `binned` gives them: `bins`, the number whose shares differ (`different`), that
    number over bins (`share`; about 0.05 for equal distributions), and the Jensen-Shannon divergence of the two
    histograms (`divergence`, 0..1 bit)."""
    counts = [np.bincount(bins, minlength=k) for bins in (mine, theirs)]
    different = int(different_bins(*counts).sum())
    p, q = (count / count.sum() for count in counts)
    divergence = (_relative_entropy(p, (p + q) / 2) + _relative_entropy(q, (p + q) / 2)) / 2
    return {"bins": k, "different": different, "share": different / k, "divergence": divergence}


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence in bits."""
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())
