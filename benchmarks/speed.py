"""How fast a voice plays and trains on this machine, with the speed of its matrix products for comparison.

    python benchmarks/speed.py [VOICE] [--prepared FILE] [--threads 2] [--out out/speed.json]

Notes are held for 2 s (releases are rendered but not counted), one at a time and in batches; the song is
benchmarks/songs/dense.mid; training steps need a prepared file. Best of three, nothing cached.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import antiphon
from antiphon.data.prepared import Prepared
from antiphon.music import midi
from antiphon.recipes.instrument import instrument
from antiphon.training.batches.excerpts import ExcerptSource
from antiphon.training.contract import StepContext
from antiphon.training.loop import new_game
from antiphon.verbs import play

SONG = Path(__file__).parent / "songs" / "dense.mid"
SECONDS, COUNT = 2.0, 128


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of several runs."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)


def gemm_gflops() -> float:
    """The machine's matrix products in float32 GFLOP/s: 1024 x 1024 matrices."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return 2 * 1024**3 / best(lambda: a @ b, 10) / 1e9


def some_notes(voice: antiphon.Voice, count: int) -> list[antiphon.Note]:
    rng = np.random.default_rng(1)
    names = voice.instruments
    return [
        antiphon.Note(float(rng.integers(40, 85)), SECONDS, float(rng.integers(40, 120)), names[i % len(names)], seed=i)
        for i in range(count)
    ]


def training_pace(path: Path) -> float:
    """Steps per second of the base recipe (16 excerpts of 0.74 s per step)."""
    data = Prepared(path)
    recipe = instrument("base")
    game = new_game(data, recipe)
    source = ExcerptSource(data, recipe.samples, 0)
    rng = torch.Generator().manual_seed(0)
    steps = iter(range(2000, 3000))

    def step() -> None:
        k = next(steps)
        game.step(source.batch(k * recipe.batch, recipe.batch), StepContext(k, 1.0, recipe.batch), rng)

    step()
    return 1 / best(step, 5)


def measure(voice: antiphon.Voice, prepared: Path | None) -> dict[str, float]:
    notes = some_notes(voice, COUNT)
    song = midi.read_midi(SONG)
    voice.notes(notes[:4])
    rows = {"GEMM, GFLOP/s": gemm_gflops()}
    rows["one note at a time, times real time"] = 16 * SECONDS / best(lambda: [voice.notes([n]) for n in notes[:16]])
    rows[f"batches of {COUNT} notes, times real time"] = COUNT * SECONDS / best(lambda: voice.notes(notes))
    held = sum(n.seconds for part in song.parts for n in part.notes)
    rows["dense song, sounding seconds a second"] = held / best(lambda: play.from_song(song, voice), 1)
    if prepared:
        rows["training, steps a second"] = training_pace(prepared)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="gm")
    parser.add_argument("--prepared", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = measure(antiphon.load(args.voice), args.prepared)
    for name, value in rows.items():
        print(f"{name:48s} {value:10.1f}")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"threads": args.threads} | rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
