"""How good are a voice's notes? Judge it against real notes it was never trained on, always the same ones.

    python benchmarks/notes.py VOICE --prepared PREPARED.safetensors [--n 2000] [--out out/notes.json]

2,000 notes take about 22 minutes of one processor, the first time 16 more for the real ones, which are then cached.

It is `antiphon evaluate` with a saved list of notes. The voice is compared with the real recordings against themselves
(the floor), the training note a sampler would pitch-shift (naive), the untrained network, and a Gaussian per label
instead of the mapping network.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.console import Console

from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.metrics.embeddings import BUILT_IN, load_embedding
from antiphon.metrics.evaluation import Evaluation, shown_rows
from antiphon.metrics.evaluation import evaluate as evaluate_all
from antiphon.metrics.judge import Judge
from antiphon.metrics.lists import Row, draw_reference, draw_rows, fingerprint, load_rows, save_rows
from antiphon.metrics.meter import Meter
from antiphon.metrics.plots.sheet import spectrogram_sheet
from antiphon.metrics.sounds import Sounds
from antiphon.metrics.tables import grids, rich_table
from antiphon.verbs.report import Report

FROZEN = Path(__file__).with_name("notes_list.json")
console = Console(width=150)


@dataclass(frozen=True)
class Settings:
    """Judge a voice's notes. Example: python benchmarks/notes.py gm --prepared gm.safetensors --out out/notes.json"""

    voice: Annotated[str, tyro.conf.Positional]
    """A bundled voice's name, a run folder, or a weights file."""
    prepared: Path
    """The prepared file with the held-out notes to judge by."""
    n: int = 2_000
    """Notes to compare, at most: as many as are held out in pairs."""
    split: str = "block"
    """'block': octave blocks held out of known presets. 'preset': unseen presets."""
    quick: bool = False
    """300 notes, 1,000 references, log-mel statistics instead of musicnn: good for ranking only."""
    embeddings: tuple[str, ...] = ("aisfx", "musicnn")
    """Among aisfx, musicnn, mel; identity, variety and neighbours are judged in the first."""
    references: int = 4_000
    """Training notes for the 1-NN classifier."""
    seed: int = 1
    """Random seed of the list of notes, if no saved one matches."""
    rows: Path = FROZEN
    """A saved list: used if it was made for this prepared file and split, but not with --quick."""
    freeze: bool = False
    """Write the list to --rows and stop."""
    out: Path = Path("out/notes.json")
    """Where to write the figures."""
    sheet: Path | None = None
    """Where to write a spectrogram sheet: real beside encoded, ten instruments."""
    cache: Path = Path("work-data/cache")
    """Folder for converted weights and measurements of real notes."""
    threads: int | None = None
    """Sounds measured at once (default: as many as there are processors)."""


def choose_rows(prepared: Prepared, settings: Settings) -> tuple[list[Row], str]:
    """The rows and their origin: the saved list if it matches, else drawn."""
    if settings.rows.exists() and not (settings.quick or settings.freeze):
        try:
            return load_rows(settings.rows, prepared, settings.split)[: settings.n], settings.rows.name
        except AntiphonError as error:
            console.print(f"[yellow]{error}; drawing one[/yellow]")
    rows = draw_rows(prepared, split=settings.split, n=settings.n, seed=settings.seed)
    return rows, f"drawn with seed {settings.seed}"


def judge_of(prepared: Prepared, settings: Settings, rows: list[Row]) -> Judge:
    """A judge of these rows."""
    embeddings = [load_embedding(name, settings.cache) for name in settings.embeddings]
    meter = Meter(Sounds(prepared, rows), embeddings, settings.cache, settings.threads, Report().bar)
    return Judge(meter, draw_reference(prepared, n=settings.references, seed=settings.seed))


def evaluate(voice: Any, prepared: Prepared, settings: Settings) -> dict[str, Any]:
    """All figures of a voice as one JSON-able dictionary."""
    began = time.perf_counter()
    if settings.quick:
        quick = dict.fromkeys((settings.embeddings[0], BUILT_IN))
        settings = replace(settings, n=min(settings.n, 300), references=1_000, embeddings=tuple(quick))
    rows, origin = choose_rows(prepared, settings)
    judge = judge_of(prepared, settings, rows)
    found = evaluate_all(judge, {settings.voice: voice})
    if settings.sheet:
        write_sheet(found, judge.sounds, settings.sheet)
    return {
        "voice": settings.voice,
        "split": settings.split,
        "notes": len(rows),
        "list": origin,
        "prepared": {"name": prepared.path.name, "fingerprint": fingerprint(prepared)},
        "embeddings": list(settings.embeddings),
        "warnings": found.warnings,
        **found.figures,
        "seconds": round(time.perf_counter() - began, 1),
    }


def write_sheet(found: Evaluation, sounds: Sounds, path: Path, *, count: int = 10) -> None:
    """Real beside encoded for one row each of `count` instruments spread over the list."""
    chosen = shown_rows(sounds, count)
    notes = [sounds.rows[at].real for at in chosen]
    titles = [f"{sounds.note(note).instrument} {float(sounds.prepared.pitch[note]):.0f}" for note in notes]
    spectrogram_sheet(list(zip(titles, map(sounds.real, notes), found.renderers["encoded"](chosen), strict=True)), path)


def print_report(result: Mapping[str, Any]) -> None:
    """Print the figures of one evaluation."""
    for grid in grids(result):
        console.print(rich_table(grid))
    for warning in result["warnings"]:
        console.print(f"note: {warning}")


def main() -> None:
    """Parse the command line, judge, print, write."""
    settings = tyro.cli(Settings)
    torch.set_num_threads(1)  # pieces of work side by side, each on one thread
    try:
        prepared = Prepared(settings.prepared)
        if settings.freeze:
            rows, _ = choose_rows(prepared, settings)
            save_rows(settings.rows, prepared, rows, settings.split)
            console.print(f"{len(rows)} rows frozen in {settings.rows}")
            return
        import antiphon

        result = evaluate(antiphon.load(settings.voice), prepared, settings)
    except AntiphonError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(2)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    shown = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(settings).items()}
    settings.out.write_text(json.dumps({**result, "settings": shown}, indent=1) + "\n")
    print_report(result)
    console.print(f"written to {settings.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
