"""Nearest neighbours in an embedding: what does a sound resemble, and is it a copy?"""

from __future__ import annotations

import numpy as np

CHUNK = 2_048  # rows of the distance matrix computed at a time


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (n, m) between the rows of a (n, dim) and b (m, dim), float64, never below zero."""
    # Centring first avoids cancellation in the subtraction below; it does not change distances.
    centre = np.mean(b, 0, dtype=np.float64)
    a, b = np.asarray(a, np.float64) - centre, np.asarray(b, np.float64) - centre
    return np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)


def nearest(features: np.ndarray, reference: np.ndarray, *, skip_self: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Distance to and index of each row's nearest row in `reference`: (n,) float64 and (n,) int64.

    skip_self: both sets are the same one, and a row is not its own neighbour.
    """
    distance, index = np.empty(len(features)), np.empty(len(features), np.int64)
    for start in range(0, len(features), CHUNK):
        squared = squared_distances(features[start : start + CHUNK], reference)
        if skip_self:
            squared[np.arange(len(squared)), start + np.arange(len(squared))] = np.inf
        best = squared.argmin(1)
        index[start : start + CHUNK] = best
        distance[start : start + CHUNK] = np.sqrt(squared[np.arange(len(squared)), best])
    return distance, index


def label_accuracy(
    features: np.ndarray, labels: np.ndarray, reference: np.ndarray, reference_labels: np.ndarray
) -> float:
    """Share of rows, 0..1, whose nearest row of `reference` has the same label (a 1-nearest-neighbour classifier)."""
    _, index = nearest(features, reference)
    return float(np.mean(np.asarray(reference_labels)[index] == np.asarray(labels)))


def spread(features: np.ndarray) -> float:
    """Mean distance between two different rows of `features` (n >= 2, dim): the variety of a set."""
    squared = squared_distances(features, features)
    return float(np.sqrt(squared[np.triu_indices(len(squared), 1)]).mean())
