"""Does the adversary earn its place? The same run with and without it, several seeds each, judged as in notes.py.

    python benchmarks/adversary.py PREPARED.safetensors --out runs/adversary [--steps 3000] [--notes 1000]

The same command again resumes: finished runs are not trained again, judged ones not judged again. "With" is the recipe
as it is; "without" sets the weights of all losses from critics of sound to 0. Seeds are paired, and a pair shares its
rehearsal, in which no critic takes part.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from notes import Settings as ListSettings
from notes import choose_rows, console
from rich.table import Table

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.metrics.embeddings import load_embedding
from antiphon.metrics.judge import Judge
from antiphon.metrics.lists import fingerprint
from antiphon.metrics.meter import Meter
from antiphon.metrics.renderers import renderers
from antiphon.metrics.sounds import Sounds

SILENT_CRITICS = {f"game.weights.{name}": 0.0 for name in ("adversarial", "features", "imagined")}
GAMES: dict[str, dict[str, float]] = {"with": {}, "without": SILENT_CRITICS}
# Two-sided 95 % quantiles of Student's t by degrees of freedom (scipy.stats.t.ppf(0.975, n)).
STUDENT = (math.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class Settings:
    """Train with and without the adversary. Example: python benchmarks/adversary.py gm.safetensors --steps 3000"""

    prepared: Annotated[Path, tyro.conf.Positional]
    """The prepared file to train on, with the held-out notes to judge by."""
    out: Path = Path("runs/adversary")
    """Where the runs and their figures go."""
    steps: int = 3_000
    """Steps of every run, including its rehearsal."""
    rehearsal: float = 0.5
    """Share of the steps spent in rehearsal."""
    size: str = "small"
    """tiny, small, base or large."""
    seeds: int = 3
    """Number of runs with the adversary, and of runs without it; up to 11."""
    notes: int = 1_000
    """Held-out notes to judge by."""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A setting of the recipe for all runs, such as batch=8; may be repeated."""
    threads: int | None = None
    """Processor threads to train with (default: all)."""
    cache: Path = Path("work-data/cache")
    """Folder for converted weights of the embeddings and measurements of real notes."""
    embeddings: tuple[str, ...] = ("aisfx", "musicnn")
    """Among aisfx, musicnn, mel."""


class Jury:
    """Judges a voice's distance to held-out notes, on the scale floor 0, naive 1."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.prepared = settings, Prepared(settings.prepared)

    @cached_property
    def judge(self) -> Judge:
        how = ListSettings(voice="", prepared=self.settings.prepared, n=self.settings.notes)
        rows, _ = choose_rows(self.prepared, how)
        embeddings = [load_embedding(name, self.settings.cache) for name in self.settings.embeddings]
        return Judge(Meter(Sounds(self.prepared, rows), embeddings, self.settings.cache), np.zeros(0, np.int64))

    @cached_property
    def fixed(self) -> dict[str, Any]:
        return self.judge.fixed_sets()

    def __call__(self, weights: Path) -> dict[str, Any]:
        """{"encoded": {embedding: {"fad_normalised": ...}}, "imagined": ...}, kept beside the weights."""
        kept = weights.with_name("distance.json")
        asked = {"notes": self.settings.notes, "steps": self.settings.steps, "prepared": fingerprint(self.prepared)}
        asked |= {"embeddings": list(self.settings.embeddings)}
        if kept.exists() and (known := json.loads(kept.read_text()))["asked"] == asked:
            return known["figures"]
        made = renderers(antiphon.load(weights), self.judge.sounds)
        figures = {k: self.judge.distances(self.judge.meter.matched(make), self.fixed) for k, make in made.items()}
        kept.write_text(json.dumps({"asked": asked, "figures": figures}, indent=1) + "\n")
        return figures


def difference(with_it: Sequence[float], without: Sequence[float]) -> tuple[float, float]:
    """(mean of with - without over paired seeds, half the width of its 95 % t-interval)."""
    gaps = np.subtract(with_it, without)
    if len(gaps) < 2:
        return float(gaps.mean()), math.nan
    return float(gaps.mean()), float(_student(len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))


def _student(freedom: int) -> float:
    """Beyond the table, the expansion around the normal quantile (Abramowitz & Stegun 26.7.5), accurate to 0.1 %."""
    if freedom < len(STUDENT):
        return STUDENT[freedom]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def run(settings: Settings) -> dict[str, Any]:
    """Train and judge all runs. -> {game: [figures of each seed]}"""
    jury = Jury(settings)
    figures: dict[str, Any] = {name: [] for name in GAMES}
    before = round(settings.rehearsal * settings.steps)
    for seed in range(settings.seeds):
        start = _trained(settings, settings.out / f"rehearsed-{seed}", before, seed, {"rehearsal": 1.0})
        for name, silenced in GAMES.items():
            folder = settings.out / f"{name}-{seed}"
            weights = _trained(settings, folder, settings.steps - before, seed, {**silenced, "rehearsal": 0.0}, start)
            figures[name].append(jury(weights))
    return figures


def _trained(
    settings: Settings, folder: Path, steps: int, seed: int, chosen: dict[str, Any], start: Path | None = None
) -> Path:
    """The weights of a run, which is resumed if it was begun. start: the voice to begin from, None for from scratch."""
    from antiphon.recipes.override import parse_settings

    console.print(f"{folder}")
    how: dict[str, Any] = {"start_from": start} if start else {"size": settings.size, "from_scratch": True}
    chosen = {**parse_settings(settings.set), **chosen}
    return antiphon.train(
        settings.prepared, folder, steps=steps, seed=seed, settings=chosen, threads=settings.threads, **how
    )


def report(figures: dict[str, Any], settings: Settings) -> None:
    """Print a row for each way of playing and distance."""
    title = f"Normalised distance (floor 0, naive 1), {settings.size}, {settings.steps} steps, {settings.notes} notes"
    table = Table("", *GAMES, "with - without", "95 %", title=title, title_justify="left")
    for way in ("encoded", "imagined"):
        for embedding in settings.embeddings:
            for key in ("fad_normalised", "kernel_normalised"):
                seen = {name: [one[way][embedding][key] for one in figures[name]] for name in GAMES}
                mean, half = difference(seen["with"], seen["without"])
                cells = [" ".join(f"{value:.2f}" for value in seen[name]) for name in GAMES]
                label = f"{way}, {embedding} {key.removesuffix('_normalised')}"
                table.add_row(label, *cells, f"{mean:+.3f}", f"{mean - half:+.3f} .. {mean + half:+.3f}")
    console.print(table)


def main() -> None:
    """Parse the command line, train, judge, print."""
    settings = tyro.cli(Settings)
    torch.set_num_threads(1)
    try:
        if not 1 <= settings.seeds <= len(STUDENT):
            raise AntiphonError(f"cannot compare {settings.seeds} seeds: use 1 to {len(STUDENT)}")
        figures = run(settings)
    except AntiphonError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(2)
    report(figures, settings)


if __name__ == "__main__":
    main()
