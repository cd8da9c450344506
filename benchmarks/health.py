"""Does a run hold? Settings known to collapse or diverge, and every loss and optimiser, with answers off and on.

    python benchmarks/health.py PREPARED.safetensors --out runs/health [--steps 4000] [--seeds 3 --first 0]

The same command again resumes. The sounds that each run's averaged generator draws from noise are compared, as images,
with sounds it was not trained on. Seeds are paired. The table goes to OUT/table.md, or to --table.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from adversary import difference

from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import LOG
from antiphon.data.prepared import Prepared
from antiphon.metrics.kernel import kernel_distance
from antiphon.metrics.neighbours import spread
from antiphon.metrics.prdc import prdc
from antiphon.recipes.check import check
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override
from antiphon.training import loop
from antiphon.training.games.sounds import Summary
from antiphon.training.loop import Run
from antiphon.training.recipe import Recipe
from antiphon.verbs.train import from_prepared

FEW = 12  # notes: seven seconds of sound
BATCH = 32
ALIKE, COVERED = 0.25, 0.1  # a run with less variety (as a share of the real) or coverage has failed
ANSWERS = {"off": "none", "on": "all"}
RATE = "game.optimiser.rate"
CRITIC = "game.optimiser.critic_rate"
FREE = {"network.dropout": 0.0}  # a critic without regularisation
CASES: dict[str, dict[str, Any]] = {
    # Settings that commonly fail; none has R1.
    "few sounds": {"notes": FEW, CRITIC: 1e-3} | FREE,
    "minimax, few sounds": {"notes": FEW, "game.rule": "minimax", CRITIC: 1e-3} | FREE,
    "minimax, fast critic": {"game.rule": "minimax", CRITIC: 1e-2} | FREE,
    "rates 50 times as high": {RATE: 1e-2, CRITIC: 1e-2},
    "Adam, beta1 0.9, rates 10 times": {"game.optimiser.beta1": 0.9, RATE: 2e-3, CRITIC: 2e-3},
    # Every loss, with the recipe's optimiser; every optimiser, with the recipe's loss.
    **{f"loss {r}": {"game.rule": r} for r in ("minimax", "non-saturating", "hinge", "lsgan", "relativistic")},
    "loss wasserstein": {"game.rule": "wasserstein", "game.lipschitz": 10.0},
    **{f"optimiser {o}": {"game.optimiser.name": o} for o in ("adam", "rmsprop", "optimistic-adam")},
    "optimiser adamw": {"game.optimiser.name": "adamw", "game.optimiser.weight_decay": 0.01},  # without, it is adam
    "two time scales": {CRITIC: 8e-4},
}


@dataclass(frozen=True)
class Settings:
    """Train settings known to fail, and others. Example: python benchmarks/health.py notes.safetensors --steps 4000"""

    prepared: Annotated[Path, tyro.conf.Positional]
    """The prepared file to train on."""
    out: Path = Path("runs/health")
    """Where the runs and their figures go."""
    recipe: str = "dcgan"
    """A recipe of the literature, since those have no reconstruction to stabilise them."""
    size: str = "small"
    """tiny, small, base or large."""
    steps: int = 4_000
    """Steps of every run."""
    seeds: int = 3
    """Runs of each setting with the answers off, and with them on; up to 11."""
    first: int = 0
    """The first seed: not 0, for runs that no threshold was chosen on."""
    sounds: int = 512
    """Number of generated and of real sounds to compare."""
    cases: tuple[str, ...] = ()
    """Which rows (default: all)."""
    health: int = 50
    """Steps between two looks."""
    table: Path | None = None
    """Where the table goes."""


def plan(settings: Settings, case: Mapping[str, Any], answers: str, seed: int) -> Recipe:
    """The recipe of one run."""
    changes = {k: v for k, v in case.items() if k != "notes"}
    made = override(
        recipe(settings.recipe, settings.size, seed), {"answers": answers, "health": settings.health} | changes
    )
    check(made)
    return made


def only(data: Prepared, notes: int, seed: int) -> Prepared:
    """The data with only `notes` training notes; the others are held out under another name."""
    train = data.where("train")
    kept = train[torch.from_numpy(np.random.default_rng(seed).permutation(len(train))[:notes])]
    other = copy.copy(data)
    other.split = data.split.clone()
    other.split[train] = data.labels.splits.index("preset")
    other.split[kept] = data.labels.splits.index("train")
    return other


def unknown(data: Prepared) -> Prepared:
    """The data with held-out notes in place of the training notes: for judging only."""
    other, labels = copy.copy(data), data.labels.splits
    heard = next((name for name in ("valid", "block", "preset") if len(data.where(name)) >= 8), "train")
    other.split = torch.where(data.split == labels.index(heard), labels.index("train"), labels.index("preset"))
    return other


@torch.no_grad()
def judged(run: Run, data: Prepared, sounds: int) -> dict[str, float]:
    """kernel: 1000 x squared MMD to unseen real sounds; coverage: of these; variety: spread over theirs."""
    game, summary = run.game.eval(), Summary()
    game.model.load_state_dict(run.ema.module.state_dict())
    source = replace(run.recipe, seed=9_999).source(unknown(data))
    real, made = [], []
    for first in range(0, sounds, BATCH):
        batch = source.batch(first, BATCH).to(run.device)
        rng = torch.Generator().manual_seed(first)
        real.append(summary(game.judge_real(batch).view.cpu()))
        made.append(summary(game.judge_generated(batch, rng).view.cpu()))
    a, b = torch.cat(made).numpy(), torch.cat(real).numpy()
    if not np.isfinite(a).all():
        return {"kernel": math.nan, "coverage": 0.0, "variety": 0.0}
    return {
        "kernel": kernel_distance(a, b),
        "coverage": prdc(b, a)["coverage"],
        "variety": spread(a) / max(spread(b), 1e-12),
    }


def one(settings: Settings, data: Prepared, name: str, answers: str, seed: int) -> dict[str, float]:
    """Train and judge one run, unless it is done already. -> its figures, saved in its folder"""
    folder = settings.out / f"{name.replace(' ', '-').replace(',', '')}-{answers}-{seed}"
    case = CASES[name]
    asked = {"steps": settings.steps, "sounds": settings.sounds, "recipe": settings.recipe, "size": settings.size}
    asked |= {"case": case}
    kept = folder / "judged.json"
    if kept.exists():
        if (known := json.loads(kept.read_text()))["asked"] == asked:
            return known["figures"]
        shutil.rmtree(folder)  # another run under the same name
    print(folder, flush=True)
    sounds = only(data, case["notes"], seed) if "notes" in case else data
    made = plan(settings, case, ANSWERS[answers], seed)
    made.fits(sounds)
    from_prepared(sounds, folder, made, steps=settings.steps, quiet=True)
    run = Run(folder, sounds, made, made.describe(sounds, "health"))
    run.resume()
    figures = judged(run, data, settings.sounds) | {"said": float(len(_said(folder)))}
    kept.write_text(json.dumps({"asked": asked, "figures": figures}, indent=1) + "\n")
    return figures


def _said(folder: Path) -> list[str]:
    rows = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [row["said"] for row in rows if "said" in row]


def failed(figures: Mapping[str, float]) -> bool:
    return not (figures["variety"] >= ALIKE and figures["coverage"] >= COVERED and math.isfinite(figures["kernel"]))


def row(name: str, found: Mapping[str, list[dict[str, float]]]) -> str:
    """A line of the table: each side's failures, distances and coverage, and the paired difference of coverage."""
    cells = [name]
    for side in ANSWERS:
        cells.append(f"{sum(map(failed, found[side]))} of {len(found[side])}")
        for key, form in (("kernel", ".0f"), ("coverage", ".2f"), ("variety", ".2f")):
            cells.append(" ".join(format(one[key], form) for one in found[side]))
    mean, half = difference(*([one["coverage"] for one in found[side]] for side in ("on", "off")))
    return f"| {' | '.join([*cells, f'{mean:+.2f} +-{half:.2f}'])} |"


def table(settings: Settings, figures: Mapping[str, Mapping[str, list[dict[str, float]]]]) -> str:
    """The table in Markdown."""
    sides = [f"{side}: {what}" for side in ANSWERS for what in ("failed", "kernel distance", "coverage", "variety")]
    head = f"| | {' | '.join([*sides, 'coverage on - off, 95 %'])} |"
    pooled = {side: [one for found in figures.values() for one in found[side]] for side in ANSWERS}
    mean, half = difference(*([one["coverage"] for one in pooled[side]] for side in ("on", "off")))
    failures = (f"{sum(map(failed, runs))} of {len(runs)} failed with answers {side}" for side, runs in pooled.items())
    whole = f"Together {', '.join(failures)}; coverage on - off {mean:+.2f} +-{half:.2f} (pairs of runs, 95 %)."
    note = (
        f"`{settings.recipe}`, {settings.size}, {settings.steps} steps, {settings.seeds} paired seeds (a figure each), "
        f"{settings.sounds} generated sounds against real ones that were not trained on, as images in 40 bands and 8 "
        f"stretches of time. Failed: variety below {ALIKE} of the real, coverage below {COVERED}, or not finite."
    )
    lines = [head, "|---" * (len(sides) + 2) + "|", *(row(n, f) for n, f in figures.items())]
    return "\n".join([note, "", *lines, "", whole]) + "\n"


def main() -> None:
    """Parse the command line, train, judge, write."""
    settings = tyro.cli(Settings)
    loop.SHEETS = 1  # a picture takes as long as fifty steps
    torch.set_num_threads(1)
    try:
        data, chosen = Prepared(settings.prepared), settings.cases or tuple(CASES)
        if wrong := set(chosen) - set(CASES):
            raise AntiphonError(f"no row named {', '.join(sorted(wrong))}: use some of {', '.join(CASES)}")
        settings.out.mkdir(parents=True, exist_ok=True)
        target = settings.table or settings.out / "table.md"
        figures: dict[str, dict[str, list[dict[str, float]]]] = {}
        seeds = range(settings.first, settings.first + settings.seeds)
        for name in chosen:
            figures[name] = {side: [one(settings, data, name, side, seed) for seed in seeds] for side in ANSWERS}
            target.write_text(table(settings, figures))
    except AntiphonError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(target.read_text())


if __name__ == "__main__":
    main()
