"""The baseline for a mapping network: a plain Gaussian for each instrument."""

from __future__ import annotations

import numpy as np


class LabelGaussians:
    """A plain Gaussian per instrument, fitted to style vectors: the baseline for the mapping network."""

    def __init__(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        """vectors: (n, dim) style vectors; labels: (n,) instrument indices."""
        self.vectors, self.labels = np.asarray(vectors, np.float64), np.asarray(labels)

    def draw(self, label: int, seed: int) -> np.ndarray:
        """One style vector (dim,) float32 from the label's Gaussian; from the whole set's if it has fewer than 2."""
        own = self.vectors[self.labels == label]
        cloud = own if len(own) > 1 else self.vectors
        centred = cloud - cloud.mean(0)
        # Weighting the centred rows by white noise gives exactly the sample covariance, without factorisation.
        noise = np.random.default_rng(seed).standard_normal(len(cloud)) / np.sqrt(len(cloud) - 1)
        return (cloud.mean(0) + noise @ centred).astype(np.float32)
