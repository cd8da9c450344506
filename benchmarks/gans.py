"""The literature's GANs and `instrument` on the same notes, for the same processor time, with the same judge.

    python benchmarks/gans.py /usr/share/sounds/sf2/FluidR3_GM.sf2 --out runs/gans        # the table of README.md
    python benchmarks/gans.py examples/notes --out runs/few --notes 24 --size tiny --minutes 0.1 --tuning-minutes 0.02

DATA is a prepared file, a folder of notes, or a soundfont, of which short notes of twelve instruments are rendered, two
fifths of them held out. Each recipe's three settings (contenders.py) are trained for a few minutes and judged by some
held-out notes; the best is trained again for the full time, converted to steps by their processor time, so that a busy
machine costs time but not fairness. All are judged by the other held-out notes. The same command again resumes; if a
machine is available for an hour only, --only makes part of the table and --known merges it with earlier parts made with
the same notes. OUT/gans.html has sounds and pictures, and every run a page.html of its curves.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from contenders import ALIKE, PAPERS, SAMPLES, SETTINGS
from gans_table import joined, tables, told
from rich.console import Console

import antiphon
from antiphon.audio.files import write_audio
from antiphon.audio.mel import fit_length
from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import STATE
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.prepared import Prepared
from antiphon.data.soundfont.render import RenderOptions, render
from antiphon.metrics.embeddings import load_embedding
from antiphon.metrics.evaluation import Evaluation, evaluate, shown_rows
from antiphon.metrics.judge import Judge
from antiphon.metrics.lists import Row, choose_split, draw_reference, draw_rows, fingerprint
from antiphon.metrics.meter import Meter
from antiphon.metrics.plots.sheet import spectrogram_grid
from antiphon.metrics.renderers import Renderer
from antiphon.metrics.sounds import Sounds
from antiphon.metrics.tables import markdown_table, rich_table
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override
from antiphon.verbs.data import prepare
from antiphon.verbs.evaluation_page import evaluation_page
from antiphon.verbs.report import Report
from antiphon.voices.checkpoint import read_metadata

REFERENCES = 2_000  # most training notes among which to look for copies
SHOWN = 5  # notes in the picture and in the sounds
CALIBRATION = 40  # steps whose processor time determines a run's length
# From a soundfont: notes of up to 0.74 s, including release, at every key and at enough velocities for more held-out
# notes than an embedding has numbers.
NOTES = RenderOptions(
    programs=(0, 9, 12, 19, 24, 40, 48, 56, 65, 71, 73, 89), banks=(0,), step=1, velocities=6, hold=(0.1, 0.5),
    longest=SAMPLES / SAMPLE_RATE, block_fraction=0, preset_fraction=0, valid_fraction=0.4,
)  # fmt: skip
console = Console(width=150)


@dataclass(frozen=True)
class Settings:
    """Compare GANs. Example: python benchmarks/gans.py FluidR3_GM.sf2 --out runs/gans"""

    data: Annotated[Path, tyro.conf.Positional] = Path("examples/notes")
    """A prepared file, a folder of notes, or a soundfont."""
    out: Path = Path("runs/gans")
    """Where the runs, figures, pictures and sounds go."""
    minutes: float = 40.0
    """Minutes of training for each, times --threads: processor time."""
    tuning_minutes: float = 5.0
    """Minutes for each of three settings."""
    only: tuple[str, ...] = ()
    """Some recipes (default: all)."""
    size: str | None = None
    """Instead of the settings' own: tiny for a dry run."""
    notes: int = 1_000
    """Held-out notes to judge by, at most."""
    tuning_notes: int = 150
    """Other held-out notes to choose settings by, at most."""
    embeddings: tuple[str, ...] = ("aisfx", "musicnn")
    """Among aisfx, musicnn, mel; settings are chosen in the first."""
    seed: int = 0
    """Random seed of the runs and of the lists of notes."""
    threads: int = os.cpu_count() or 1
    """Processors to use."""
    known: Path | None = None
    """A gans.json of other recipes, whose rows are merged with these."""
    cache: Path = Path("work-data/cache")
    """Folder for converted weights of the embeddings and measurements of real notes."""

    @property
    def recipes(self) -> tuple[str, ...]:
        return self.only or tuple(SETTINGS)

    @property
    def asked(self) -> dict[str, Any]:
        """The conditions under which two tables are comparable, as JSON."""
        minutes = {"processor minutes": self.minutes * self.threads, "of tuning": self.tuning_minutes * self.threads}
        lists = {"notes": [self.notes, self.tuning_notes], "embeddings": list(self.embeddings), "seed": self.seed}
        return {**minutes, "size": self.size, **lists}


# ---- notes -----------------------------------------------------------------------------------------------------------


def notes_of(settings: Settings) -> Prepared:
    """The notes of all recipes, prepared once."""
    if settings.data.suffix == ".safetensors":
        return Prepared(settings.data)
    prepared, folder, named = settings.out / "notes.safetensors", settings.data, settings.out / "data.txt"
    if prepared.exists() and named.exists() and named.read_text() != str(settings.data.resolve()):
        raise AntiphonError(f"{settings.out} compares by {named.read_text()}: give another --out")
    named.write_text(str(settings.data.resolve()))
    if not prepared.exists():
        if folder.suffix.lower() in (".sf2", ".sf3"):
            folder = settings.out / "notes"
            render([settings.data], folder, NOTES, report=lambda words: None)
        prepare(folder, prepared, workers=settings.threads)
    return Prepared(prepared)


def check(settings: Settings, prepared: Prepared) -> None:
    """Raises now what would otherwise end the comparison hours later."""
    for name in settings.embeddings:
        load_embedding(name, settings.cache)
    for name in settings.recipes:
        for setting in SETTINGS[name]:
            override(recipe(name, settings.size or setting.size), ALIKE[name] | setting.changes).fits(prepared)
    if settings.known is not None:
        told(settings.known, settings.asked)


class Jury:
    """The judges of settings and of voices; their lists share no note."""

    def __init__(self, settings: Settings, prepared: Prepared) -> None:
        self.settings, self.prepared, self.split = settings, prepared, choose_split(prepared)
        rows = draw_rows(prepared, split=self.split, n=settings.notes + settings.tuning_notes, seed=settings.seed)
        rows = [rows[at] for at in np.random.default_rng(settings.seed).permutation(len(rows))]
        tuning = min(settings.tuning_notes, len(rows) // 4)
        self.tuning_rows, self.rows = rows[:tuning], rows[tuning:]
        told = json.dumps([fingerprint(prepared), *(asdict(row) for row in self.tuning_rows)])
        self.asked = hashlib.sha256(told.encode()).hexdigest()

    def judge(self, rows: list[Row], embeddings: tuple[str, ...]) -> Judge:
        how = self.settings
        judged = [note for row in rows for note in (row.real, row.other)]
        sounds = Sounds(self.prepared, rows, SAMPLES)
        known = [load_embedding(name, how.cache) for name in embeddings]
        references = draw_reference(self.prepared, n=REFERENCES, seed=how.seed, judged=judged)
        return Judge(Meter(sounds, known, how.cache, how.threads, Report().bar), references)

    @cached_property
    def tuner(self) -> Judge:
        return self.judge(self.tuning_rows, self.settings.embeddings[:1])

    @cached_property
    def fixed(self) -> dict[str, Any]:
        return self.tuner.fixed_sets()

    def distance(self, weights: Path) -> float:
        """A voice's kernel distance (unbiased for few notes) to the tuning notes; saved beside the voice."""
        kept = weights.with_name("distance.json")
        asked = {"rows": self.asked, "steps": _progress(weights.parent)["step"], "eye": self.tuner.eye}
        if kept.exists() and (known := json.loads(kept.read_text()))["asked"] == asked:
            return float(known["distance"])
        try:
            voice = antiphon.load(weights)
        except AntiphonError as error:  # it diverged
            console.print(f"note: {error}", markup=False)
            return math.inf
        made = self.tuner.meter.matched(Renderer(voice, self.tuner.sounds), weights.parent.name)
        found = self.tuner.distances(made, self.fixed)[self.tuner.eye]["kernel"]
        kept.write_text(json.dumps({"asked": asked, "distance": found}) + "\n")
        return found


# ---- training --------------------------------------------------------------------------------------------------------


def train(settings: Settings, jury: Jury, name: str, number: int, folder: Path, **budget: Any) -> Path:
    """Train, or resume, one of the settings of a recipe; budget: minutes or steps. -> its weights"""
    setting = SETTINGS[name][number]
    return antiphon.train(
        jury.prepared.path, folder, recipe=name, size=settings.size or setting.size, seed=settings.seed,
        settings=ALIKE[name] | setting.changes, from_scratch=True, threads=settings.threads, **budget,
    )  # fmt: skip


def tuned(settings: Settings, jury: Jury, name: str, number: int) -> dict[str, Any]:
    """Train a setting for the tuning time and judge it. -> its distance and its pace, in steps per minute"""
    setting, folder = SETTINGS[name][number], settings.out / "tuning" / f"{name}-{number + 1}"
    console.print(f"[bold]{name}[/bold], setting {number + 1}: {setting.why}")
    if not (folder / STATE).exists():  # how fast it is, in processor time
        train(settings, jury, name, number, folder, steps=CALIBRATION)
    steps = int(_progress(folder)["total"])
    if steps <= CALIBRATION:
        steps = max(round(settings.tuning_minutes * pace(settings, folder)), CALIBRATION + 1)
    weights = train(settings, jury, name, number, folder, steps=steps)
    return {"why": setting.why, "distance": jury.distance(weights), "pace": pace(settings, folder)}


def pace(settings: Settings, folder: Path) -> float:
    """Steps per minute if the run had all processors to itself; wall time on a graphics card."""
    progress, voice = _progress(folder), antiphon.load(folder)
    if voice.info.training["device"] == "cuda":
        return 60 * progress["step"] / progress["seconds"]
    used = progress["processor"] * voice.info.training["processes"]
    return float(60 * settings.threads * progress["step"] / used)


def _progress(folder: Path) -> dict[str, Any]:
    return dict(read_metadata(folder / STATE))


def contender(settings: Settings, jury: Jury, name: str) -> dict[str, Any]:
    """Choose a recipe's setting and train it for the full time. -> the run's facts"""
    tried = [tuned(settings, jury, name, number) for number in range(len(SETTINGS[name]))]
    best = int(np.nanargmin([one["distance"] for one in tried]))
    steps, folder = max(round(settings.minutes * tried[best]["pace"]), 1), settings.out / name
    console.print(f"[bold]{name}[/bold]: {tried[best]['why']}, {steps} steps")
    train(settings, jury, name, best, folder, steps=steps)
    voice, progress = antiphon.load(folder), _progress(folder)
    training = voice.info.training
    seen = steps * training["batch"] * training["processes"]
    return {
        "setting": best + 1,
        "tried": tried,
        "steps": steps,
        "minutes": progress["processor"] * training["processes"] / 60,
        "parameters": sum(p.numel() for p in voice.model.parameters()),
        "of_paper": seen / PAPERS[name] if name in PAPERS else None,
    }


# ---- the figures ---------------------------------------------------------------------------------------------------


def judged(settings: Settings, jury: Jury, runs: Mapping[str, Any]) -> tuple[Evaluation, dict[str, Any]]:
    """All figures of the trained voices."""
    judge = jury.judge(jury.rows, settings.embeddings)
    found = evaluate(judge, {name: antiphon.load(settings.out / name) for name in runs}, among_others=True)
    warnings = [f"{name} was trained on {run['of_paper']:.1%} of the sounds of its paper's run: it is undertrained"
                for name, run in runs.items() if run["of_paper"] is not None and run["of_paper"] < 0.5]  # fmt: skip
    if jury.split == "train":
        warnings.insert(0, "none of these notes is held out: all recipes are judged by notes they were trained on")
    dimensions = {embedding.name: embedding.dim for embedding in judge.meter.embeddings}
    found.figures = {
        "asked": settings.asked,
        "voices": list(runs),
        "split": jury.split,
        "notes": len(judge.rows),
        "list": f"drawn with seed {settings.seed}",
        "references": len(judge.reference),
        "prepared": {"name": jury.prepared.path.name, "fingerprint": fingerprint(jury.prepared)},
        "embeddings": list(dimensions),
        "dimensions": dimensions,
        "warnings": found.warnings + warnings,
        "runs": dict(runs),
        **found.figures,
    }
    return found, found.figures


def write(settings: Settings, found: Evaluation, result: Mapping[str, Any]) -> None:
    """gans.json, gans.md, gans.html, gans.png and sounds/ in OUT."""
    out = settings.out
    shown = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(settings).items()}
    (out / "gans.json").write_text(json.dumps({**result, "settings": shown}, indent=1) + "\n")
    notes = "".join(f"- {warning}\n" for warning in result["warnings"])
    (out / "gans.md").write_text("\n".join([*map(markdown_table, tables(result)), notes]))
    (out / "gans.html").write_text(evaluation_page(found, settings.data.name), encoding="utf-8")
    heard = {name.split(":")[0]: player for name, player in found.renderers.items() if name.endswith("imagined")}
    sounds = next(iter(heard.values())).sounds
    chosen = shown_rows(sounds, SHOWN)
    real = [sounds.real(sounds.rows[at].real) for at in chosen]
    played = {"real": real} | {
        name: [fit_length(sound, SAMPLES) for sound in player(chosen)] for name, player in heard.items()
    }
    notes_shown = [sounds.note(sounds.rows[at].real) for at in chosen]
    spectrogram_grid(played, [f"{note.instrument} {note.pitch:.0f}" for note in notes_shown], out / "gans.png")
    gap = np.zeros(SAMPLE_RATE // 4, np.float32)
    for name, line in played.items():
        write_audio(out / "sounds" / f"{name}.wav", np.concatenate([s for one in line for s in (one, gap)]), force=True)


def main() -> None:
    """Parse the command line; tune, train, judge, write."""
    settings = tyro.cli(Settings)
    torch.set_num_threads(1)
    try:
        if wrong := set(settings.recipes) - set(SETTINGS):
            raise AntiphonError(f"no contender named {', '.join(sorted(wrong))}: use some of {', '.join(SETTINGS)}")
        settings.out.mkdir(parents=True, exist_ok=True)
        jury = Jury(settings, notes_of(settings))
        check(settings, jury.prepared)
        runs = {name: contender(settings, jury, name) for name in settings.recipes}
        found, result = judged(settings, jury, runs)
        result = joined(result, settings.known)
        write(settings, found, result)
    except AntiphonError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(2)
    except KeyboardInterrupt as stop:
        console.print(str(stop) or "stopped: the same command resumes")
        sys.exit(130)
    for grid in tables(result):
        console.print(rich_table(grid))
    for warning in result["warnings"]:
        console.print(f"note: {warning}", markup=False)
    console.print(f"{settings.out / 'gans.md'}, gans.html, gans.png, sounds", soft_wrap=True)


if __name__ == "__main__":
    main()
