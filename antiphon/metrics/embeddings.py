"""Embeddings in which sounds are compared: one vector per sound. aiSFX and musicnn are networks whose weights are
installed separately (weights.py); log-mel statistics need nothing.

Sounds begin at their onset; those shorter than an embedding's window are padded with silence; levels are unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np

from antiphon.audio.mel import mel_power
from antiphon.core.registry import choose
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.networks.batching import padded

BUILT_IN = "mel"


class Embedding(Protocol):
    """One vector per sound."""

    name: str
    dim: int
    seconds: float  # how much of a sound it covers

    def __call__(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Sounds, each (samples,) float at 44.1 kHz, to (n, dim) float32."""


class MelStatistics:
    """No network: 64 mel bands in dB, their mean, spread and mean rise in three stretches of time (576 numbers)."""

    name, dim = BUILT_IN, 576
    seconds = 2.4
    edges = (0.0, 0.1, 0.6, 2.4)  # seconds: attack, body, tail

    def _vector(self, sound: np.ndarray) -> np.ndarray:
        power = mel_power(padded(sound, int(self.seconds * SAMPLE_RATE)), SAMPLE_RATE, 1_024, 256, 64)
        decibels = np.maximum(10 * np.log10(power + 1e-10), -80) / 20
        rise = np.diff(decibels, axis=0, prepend=decibels[:1])
        cuts = [round(edge * SAMPLE_RATE / 256) for edge in self.edges]
        parts = []
        for start, stop in pairwise(cuts):
            stretch = decibels[start:stop]
            parts += [stretch.mean(0), stretch.std(0), 10 * np.abs(rise[start:stop]).mean(0)]
        return np.concatenate(parts).astype(np.float32)

    def __call__(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Sounds to (n, 576)."""
        return np.stack([self._vector(sound) for sound in sounds])


def _aisfx(cache: Path) -> Embedding:
    from antiphon.metrics.networks.aisfx import AiSFX

    return AiSFX(cache)


def _musicnn(cache: Path) -> Embedding:
    from antiphon.metrics.networks.musicnn import Musicnn

    return Musicnn(cache)


EMBEDDINGS: dict[str, Callable[[Path], Embedding]] = {
    "aisfx": _aisfx,
    "musicnn": _musicnn,
    BUILT_IN: lambda cache: MelStatistics(),
}


def load_embedding(name: str, cache: Path) -> Embedding:
    """The embedding named `name`; its converted weights are kept in `cache`. Raises AntiphonError if there is none
    of that name, or if its weights are not installed."""
    embedding: Embedding = choose(EMBEDDINGS, "embedding", name)(cache)
    return embedding
