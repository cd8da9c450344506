"""Where a sound comes from: the training sounds nearest to it, and how near real ones are to each other.

An index holds one vector per training sound (embeddings.MelStatistics, at one level and in half precision) with its
name. The distance that matters is not a number of its own: beside it stands how far each training sound is from the
nearest other one, and a sound nearer than nearly all of those may be a copy (the rule of `evaluate`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from antiphon.audio.envelope import loudness
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.labels import LONGEST_LABEL
from antiphon.data.labelling.row import note_name
from antiphon.data.prepare import TARGET_DB
from antiphon.data.prepared import Prepared
from antiphon.metrics.embeddings import MelStatistics
from antiphon.metrics.judge import COPY_QUANTILE
from antiphon.metrics.neighbours import nearest, squared_distances
from antiphon.voices.checkpoint import read_tensors, write_tensors

SUFFIX = ".index.safetensors"
FORMAT = 1
MOST = 4000  # sounds of an index
DIM = 2 * MelStatistics.dim // 3  # its attack and body, 0.6 s: the tail is that of the hold


class Near(NamedTuple):
    """A training sound, and its distance in units of the median one between real sounds."""

    name: str
    distance: float


@dataclass(frozen=True)
class Index:
    """names: of the sounds; vectors: (n, 384) float32; own: (n,) each one's distance to the nearest other."""

    names: tuple[str, ...]
    vectors: np.ndarray
    own: np.ndarray

    def near(self, sound: np.ndarray, count: int = 5) -> list[Near]:
        """The nearest training sounds, the nearest first."""
        distance = np.sqrt(squared_distances(embedded([sound]), self.vectors)[0])
        usual = max(float(np.median(self.own)), 1e-9)
        return [Near(self.names[i], float(distance[i]) / usual) for i in np.argsort(distance, kind="stable")[:count]]

    @property
    def between(self) -> tuple[float, float, float]:
        """The 1st, 10th and 90th percentile of the distances between real sounds, in units of their median."""
        usual = max(float(np.median(self.own)), 1e-9)
        low, ten, ninety = np.quantile(self.own, (COPY_QUANTILE, 0.1, 0.9)) / usual
        return float(low), float(ten), float(ninety)


def embedded(sounds: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 384) of sounds, (samples,) each from its onset, at one level: loudness tells of no origin."""
    level = [np.float32(10 ** ((TARGET_DB - loudness(sound)) / 20)) for sound in sounds]
    found = MelStatistics()([np.asarray(s, np.float32) * gain for s, gain in zip(sounds, level, strict=True)])
    return found[:, :DIM].astype(np.float16).astype(np.float32)


def make_index(data: Prepared, progress: Callable[[int, int], None] = lambda done, total: None) -> Index:
    """The index of a prepared file's training sounds, at most 4,000 of them, evenly chosen."""
    notes = data.where("train").tolist()
    notes = [notes[i] for i in np.linspace(0, len(notes) - 1, min(len(notes), MOST)).round().astype(int).tolist()]
    vectors = np.zeros((len(notes), DIM), np.float32)
    for row, i in enumerate(notes):
        vectors[row] = embedded([data.audio(i)[: round(3 * SAMPLE_RATE)]])[0]
        if row % 16 == 15 or row + 1 == len(notes):
            progress(row + 1, len(notes))
    return Index(tuple(_name(data, i) for i in notes), vectors, _own(vectors))


def _own(vectors: np.ndarray) -> np.ndarray:
    return nearest(vectors, vectors, skip_self=True)[0] if len(vectors) > 1 else np.ones(len(vectors))


def _name(data: Prepared, i: int) -> str:
    preset = str(data.labels.presets[int(data.preset[i])]["name"])
    pitch = f" {note_name(float(data.pitch[i]))}" if data.labels.pitched else ""
    label = data.labels.instruments[int(data.instrument[i])]
    return f"{label}{pitch} v{float(data.velocity[i]):.0f}, {preset}"[:LONGEST_LABEL]


def write_index(index: Index, weights: Path) -> Path:
    """Write it beside a voice's weights. -> its file"""
    place = place_of(weights)
    write_tensors(
        place, {"vectors": torch.from_numpy(index.vectors).half()}, {"index": FORMAT, "names": list(index.names)}
    )
    return place


def place_of(weights: Path) -> Path:
    """Where the index of a weights file is."""
    return weights.with_name(weights.name.removesuffix(".safetensors") + SUFFIX)


def read_index(weights: Path) -> Index | None:
    """The index beside a weights file, checked; None if there is none. Raises AntiphonError for a damaged one."""
    place = place_of(weights)
    if not place.is_file():
        return None
    tensors, meta = read_tensors(place)
    try:
        vectors, names = tensors["vectors"], meta["names"]
        if meta["index"] != FORMAT or not isinstance(names, list) or not 1 <= len(names) <= MOST:
            raise ValueError("it is of another format, empty or too large")
        if not all(isinstance(name, str) and 0 < len(name) <= LONGEST_LABEL for name in names):
            raise ValueError("its names are not texts")
        if tuple(vectors.shape) != (len(names), DIM) or not bool(torch.isfinite(vectors.float()).all()):
            raise ValueError("its vectors are not finite numbers, one row a name")
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise AntiphonError(f"{place} is not an index of sounds: {e}") from None
    found = vectors.float().numpy()
    return Index(tuple(names), found, _own(found))


def found_beside(weights: Path, prepared: Path, progress: Any = lambda done, total: None) -> Index | None:
    """The index beside a voice, or one made of its run's prepared file; None if there is neither."""
    index = read_index(weights)
    if index is None and prepared.is_file():
        index = make_index(Prepared(prepared), progress)
    return index
