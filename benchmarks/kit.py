"""How much do the hits of one drum vary? Sixteen imagined ones of each, compared with the training recordings.

    python benchmarks/kit.py kit runs/kit --prepared work-data/kit.safetensors

Spread is the mean distance between two hits of a drum in an embedding (aiSFX; --embedding); for the recordings, between
its different drums, one stroke each; drums of a single recording have none. `nearest` is the mean distance of an
imagined hit to the nearest recording of its drum: a kit that repeats its recordings is near them and has no more spread
than they have. Drums are grouped by the number of recordings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import antiphon
from antiphon.data.labelling.drums import AS_RECORDED
from antiphon.data.prepared import Prepared
from antiphon.metrics.embeddings import EMBEDDINGS, Embedding, load_embedding

GROUPS = ((1, 1), (2, 3), (4, 8), (9, 999))  # recordings of a drum


def recordings(data: Prepared) -> dict[str, list[int]]:
    """For each drum, one training stroke of each of its recordings: the loudest."""
    own: dict[str, dict[int, int]] = {}
    for i in sorted(data.where("train").tolist(), key=lambda i: float(data.velocity[i])):
        own.setdefault(data.labels.instruments[int(data.instrument[i])], {})[int(data.preset[i])] = i
    return {drum: list(strokes.values()) for drum, strokes in sorted(own.items())}


def spread(points: np.ndarray) -> float:
    """Mean distance between two of (n, dim) points; NaN for a single one."""
    if len(points) < 2:
        return np.nan
    return float(_distances(points, points)[np.triu_indices(len(points), 1)].mean())


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a[:, None] - b[None], axis=-1)


def imagined(voice: antiphon.Voice, drum: str, count: int, embedding: Embedding) -> np.ndarray:
    """(count, dim) hits of different seeds."""
    return embedding(voice.notes([antiphon.Note(AS_RECORDED, 1.0, 110, drum, seed=seed) for seed in range(count)]))


def table(voices: Sequence[antiphon.Voice], real: dict[str, np.ndarray], count: int, embedding: Embedding) -> None:
    """Print a line for each drum, and one for each group of them."""
    names = [f"{column} {voice.info.name}" for voice in voices for column in ("spread", "nearest")]
    print(f"{'drum':20}{'hits':>6}{'spread':>9}" + "".join(f"{name:>18}" for name in names))
    rows = {}
    for drum, points in real.items():
        row = [spread(points)]
        for voice in voices:
            made = imagined(voice, drum, count, embedding)
            row += [spread(made), float(_distances(made, points).min(1).mean())]
        rows[drum] = row
        _line(drum, len(points), row)
    for low, high in GROUPS:
        group = [rows[drum] for drum, points in real.items() if low <= len(points) <= high]
        if group:
            middle = np.array(group).mean(0) if low == 1 else np.nanmean(group, 0)
            _line(f"{low} to {high if high < 999 else 'all'} hits: {len(group)}", len(group), middle.tolist())


def _line(name: str, hits: int, row: Sequence[float]) -> None:
    first, *rest = (f"{value:.1f}" if np.isfinite(value) else "-" for value in row)
    print(f"{name:20}{hits:6d}{first:>9}" + "".join(f"{value:>18}" for value in rest), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", nargs="+")
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--embedding", choices=sorted(EMBEDDINGS), default="aisfx")
    parser.add_argument("--cache", type=Path, default=Path("work-data/cache"))
    parser.add_argument("-n", type=int, default=16)
    asked = parser.parse_args()
    data, embedding = Prepared(asked.prepared), load_embedding(asked.embedding, asked.cache)
    real = {drum: embedding([data.audio(i) for i in notes]) for drum, notes in recordings(data).items()}
    table([antiphon.load(name) for name in asked.voices], real, asked.n, embedding)


if __name__ == "__main__":
    main()
