"""Are morphs even, and do they go straight from one end to the other? Judged in an embedding not used to make them.

    python benchmarks/morph.py gm --cache work-data/cache

Pairs of labels drawn at random, 8 steps each, in the aiSFX embedding (mel statistics: --embedding mel), three ways: as
`antiphon morph` goes, in equal steps of w, and by cross-fading the two ends' sounds (the strongest simple alternative).

    widest     the widest step over the mean step; promised to be at most 2
    back       share of steps that go backwards, along the line from one end to the other
    stays      share of steps that do not bring the last end nearer, as a share of both distances
    away       share of steps that come no farther from the first end or no nearer to the last
    detour     the sum of the steps' lengths over the distance between the ends
    pitch      share within 50 cents of the key, of the steps between with a pitch if both ends have one
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import antiphon
from antiphon.audio.mel import fit_length
from antiphon.core.note import Note
from antiphon.data.analysis.tracker import track_pitch
from antiphon.metrics.embeddings import EMBEDDINGS, Embedding, load_embedding
from antiphon.verbs.morph import from_names
from antiphon.voices.expression import common_pitch, still
from antiphon.voices.interpolation import slerp

SECONDS = 1.5  # hold of each note
COLUMNS = ("widest", "back", "stays", "away", "detour", "pitch")
Sounds = list[np.ndarray]


def morphed(voice: antiphon.Voice, start: str, stop: str, steps: int) -> Sounds:
    return from_names(start, stop, voice, steps=steps, seconds=SECONDS)


def by_w(voice: antiphon.Voice, start: str, stop: str, steps: int) -> Sounds:
    """Equal steps along the arc from w to w."""
    a, b = (still(voice, name).w() for name in (start, stop))
    w = torch.stack([slerp(a, b, i / (steps - 1)) for i in range(steps)])
    return voice.notes([Note(common_pitch(voice, (start, stop)), SECONDS)] * steps, w=w)


def cross_faded(voice: antiphon.Voice, start: str, stop: str, steps: int) -> Sounds:
    """The ends' sounds, mixed in equal steps."""
    first, last = by_w(voice, start, stop, 2)
    length = max(len(first), len(last))
    a, b = fit_length(first, length), fit_length(last, length)
    return [a * (1 - share) + b * share for share in np.linspace(0, 1, steps, dtype=np.float32)]


WAYS: dict[str, Callable[..., Sounds]] = {"morph": morphed, "equal w": by_w, "cross-fade": cross_faded}


def judged(sounds: Sounds, key: float, embedding: Embedding) -> tuple[float, ...]:
    """The figures of COLUMNS for one morph; pitch is NaN if an end has none."""
    points = embedding(sounds).astype(np.float64)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    line = points[-1] - points[0]
    along = np.diff(points @ line)
    gone, left = (np.linalg.norm(points - end, axis=1) for end in (points[0], points[-1]))
    nearer = np.diff(gone / (gone + left))
    off = np.array([abs(track_pitch(sound) - key) for sound in sounds])
    ends_sing = max(off[0], off[-1]) <= 0.5  # NaN fails
    pitch = float((off[1:-1] <= 0.5).mean()) if ends_sing else np.nan
    away = ((np.diff(gone) <= 0) | (np.diff(left) >= 0)).mean()
    back, stays = (along <= 0).mean(), (nearer <= 0).mean()
    return steps.max() / steps.mean(), back, stays, away, steps.sum() / np.linalg.norm(line), pitch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="gm")
    parser.add_argument("--cache", type=Path, default=Path("work-data/cache"))
    parser.add_argument("--embedding", choices=sorted(EMBEDDINGS), default="aisfx")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="random seed of the pairs")
    args = parser.parse_args()
    voice, embedding = antiphon.load(args.voice), load_embedding(args.embedding, args.cache)
    rng = np.random.default_rng(args.seed)
    pairs = [rng.choice(voice.instruments, 2, replace=False).tolist() for _ in range(args.pairs)]
    tables: dict[str, list[tuple[float, ...]]] = {name: [] for name in WAYS}
    for start, stop in pairs:
        key = common_pitch(voice, (start, stop))
        for name, way in WAYS.items():
            tables[name].append(judged(way(voice, start, stop, args.steps), key, embedding))
        print(
            f"{start} > {stop}: " + ", ".join(f"{n} {x:.2f}" for n, x in zip(COLUMNS, tables["morph"][-1], strict=True))
        )
    print(f"\n| {len(pairs)} pairs, {args.steps} steps | widest, worst | all <= 2 | " + " | ".join(COLUMNS) + " |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for name, rows in tables.items():
        figures = np.array(rows)
        shown = [f"{figures[:, 0].max():.2f}", f"{(figures[:, 0] <= 2).mean():.2f}"]
        print(f"| {name} | " + " | ".join(shown + [f"{x:.3f}" for x in np.nanmean(figures, 0)]) + " |")


if __name__ == "__main__":
    main()
