"""Train a voice on sounds: from_prepared (an opened data set), from_file (a prepared file), and `train` (a folder or
file)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import renamed
from antiphon.core.run_files import PREPARED, SHEETS, SOUNDS, STATE, WEIGHTS
from antiphon.core.seeds import check_seed
from antiphon.training.recipe import USUAL
from antiphon.training.run_folder import (
    Record,
    Request,
    alone,
    budget,
    check_same,
    clear,
    critics_of,
    fingerprint,
    read_record,
    sweep,
    undone,
)
from antiphon.verbs.helpers import helpers, share
from antiphon.verbs.report import Report
from antiphon.voices.find import bundled, find, load, title

if TYPE_CHECKING:
    from antiphon.training.loop import Run
    from antiphon.training.recipe import Data, Recipe

NAMED = 6  # weights that a run could not take over, to be shown by name
USUAL_SIZE = "base"
LONGEST_MINUTES = 60 * 24 * 60.0


# ---- the ladder ------------------------------------------------------------------------------------------------------


def from_prepared(
    data: Data,
    out: str | Path,
    recipe: Recipe[Any],
    *,
    steps: int | None = None,
    minutes: float | None = None,
    start_from: str | Path | None = None,
    name: str = "untitled",
    quiet: bool = True,
) -> Path:
    """Play the game of `recipe` on an opened data set in the run folder `out`, or resume it. -> the weights file

    start_from: a voice to begin from (not used when a run is resumed). Raises KeyboardInterrupt, after saving, for
    Ctrl-C."""
    from antiphon.training.loop import Run
    from antiphon.training.parallel import leave

    folder, report = Path(out), Report(quiet)
    recipe.fits(data)
    run = Run(folder, data, recipe, recipe.describe(data, name))
    if run.resume():
        total = steps or run.total
        done = f"step {run.step} of {total}" if total else f"step {run.step}"
        if run.complete(steps):
            report.say(f"this run is complete: {done} (more steps or minutes extend it)")
            leave()
            return folder / WEIGHTS
        report.say(f"resuming at {done}")
    else:
        for remark in recipe.misfits(data):
            report.say(f"note: {remark}")
        if start_from is not None:
            _start_warm(run, start_from, report)
    try:
        return run.train(steps=steps, minutes=minutes, quiet=quiet)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"saved at step {run.step}; the same command again resumes") from None


def from_file(path: str | Path, out: str | Path, recipe: Recipe[Any], **how: Any) -> Path:
    """As from_prepared, with a prepared file. Needs only torch, numpy and safetensors."""
    return from_prepared(recipe.open(Path(path)), out, recipe, **how)


@renamed(label="as_")
def train(
    source: str | Path,
    out: str | Path,
    *,
    recipe: str | None = None,
    size: str | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    start_from: str | Path | None = None,
    from_scratch: bool = False,
    seed: int | str | None = None,
    settings: Mapping[str, Any] | None = None,
    threads: int | None = None,
    workers: int = 1,
    licence: str = "",
    as_: str = "",
    repair: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Train a voice on `source`, a folder of recordings (or of whatever the recipe learns from) or a prepared file, in
    the run folder `out`. -> its weights file

    The same call again resumes where it stopped. recipe: which method, one of antiphon/recipes (default: instrument).
    size: tiny, small, base or large (default: that of the voice it begins from, else base). steps or minutes: how long
    (default: 10 minutes, which are turned into steps once). start_from: a voice to begin from (default: the recipe's
    bundled one, `gm` for instruments, if there is one and no other size is asked for). from_scratch: begin from
    nothing. seed: random seed, a number or a name (default: 0). settings: any settings of the recipe by their dotted
    names, {"game.rule": "hinge"}. threads: of the processor, each in a process of its own that plays its share of the
    batch (default: all). workers: processes that prepare the folder. licence: of the recordings, noted in the voice.
    as_: what to call the instrument, if not by the names of folders and files. repair: rid the sounds of noise, hum,
    clicks and clipping first, as `repair` does. force: start over in a folder that holds another run.

    Raises AntiphonError for anything a person can fix; KeyboardInterrupt, after saving, for Ctrl-C and SIGTERM."""
    source, folder = Path(source), Path(out)
    _check_budget(steps, minutes, threads)
    _check_places(source, folder)
    number = None if seed is None else check_seed(seed)
    begin = str(start_from) if start_from is not None else None
    request = Request(size, begin, from_scratch, number, dict(settings or {}), recipe)
    from antiphon.training import parallel

    with ExitStack() as stack:
        with parallel.first_process_first() as first:
            report = Report(quiet or not first)
            if first:
                stack.enter_context(alone(folder))
                record, whole = open_run(source, folder, request, steps, minutes, threads, force, report)
            else:
                record, whole = reopen_run(folder)
            plan, count = share(whole, threads or record.threads)
            team = stack.enter_context(helpers(count - 1)) if count > 1 else None  # they start up during what follows
            prepared = source if source.is_file() else folder / PREPARED
            with undone(folder):
                if not prepared.exists():
                    _prepare(source, prepared, plan, workers, licence, as_, repair, report)
                data = plan.open(prepared)
                _check_label(data, as_, source)
                _check_repaired(data, repair, source)
                plan.fits(data)
        if team:
            team.begin({"path": str(prepared), "folder": str(folder)})
        stack.enter_context(parallel.threads(1 if team else threads or record.threads))
        weights = from_prepared(data, folder, plan, **_how(record), name=title(source), quiet=report.quiet)
    _say_what_next(folder, report)
    return weights


def play_along(path: str, folder: str, world: int) -> None:
    """A helper's part of a run that the first of `world` processes has opened in a folder."""
    record, recipe = reopen_run(Path(folder))
    from_file(path, folder, recipe.shared(world), **_how(record))


def _how(record: Record) -> dict[str, Any]:
    return {"steps": record.steps, "minutes": record.minutes, "start_from": record.start_from}


# ---- checks ----------------------------------------------------------------------------------------------------------


def _check_budget(steps: int | None, minutes: float | None, threads: int | None) -> None:
    if steps is not None and minutes is not None:
        raise AntiphonError("use either --steps or --minutes, not both")
    if steps is not None and not 0 < steps <= 100_000_000:
        raise AntiphonError(f"cannot train for {steps} steps: use 1 or more")
    if minutes is not None and not 0 < minutes <= LONGEST_MINUTES:
        raise AntiphonError(f"cannot train for {minutes:g} minutes: use more than 0 and at most {LONGEST_MINUTES:g}")
    if threads is not None and not 1 <= threads <= 1024:
        raise AntiphonError(f"cannot use {threads} threads: use 1 or more")


def _check_places(source: Path, folder: Path) -> None:
    if not source.exists():
        raise AntiphonError(f"{source} does not exist: give a folder of sound files, or a prepared file")
    if source.is_dir() and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(source)):
        raise AntiphonError(f"{folder} is inside the folder to learn from: put the run outside {source}")


# ---- beginning and resuming ------------------------------------------------------------------------------------------


def open_run(
    source: Path,
    folder: Path,
    request: Request,
    steps: int | None,
    minutes: float | None,
    threads: int | None,
    force: bool,
    report: Report,
) -> tuple[Record, Recipe[Any]]:
    """The run that is in the folder, or a new one: its record, written, and its recipe. Called by the first process
    only."""
    from antiphon.recipes.lookup import recipe as recipe_called
    from antiphon.recipes.lookup import recipe_of

    if force and folder.is_dir():
        clear(folder)
    record = None if force else read_record(folder)
    going_on = record is not None and (folder / STATE).exists()
    method = str(record.request.recipe if record and going_on else request.recipe or USUAL)
    content = fingerprint(source, recipe_called(method).suffixes)
    if record and going_on:
        check_same(record, content, request, folder)
        new, recipe = record, recipe_of(method, record.recipe)
    else:
        recipe, start = _plan(replace(request, recipe=method), report)
        new = _new_record(source, content, replace(request, recipe=method), recipe, start, threads)
        folder.mkdir(parents=True, exist_ok=True)
        if record and (record.content, record.request) != (new.content, new.request):
            (folder / PREPARED).unlink(missing_ok=True)
    sweep(folder)
    new = budget(new, folder, steps, minutes)
    if new != record:
        new.write(folder)
    return new, recipe


def reopen_run(folder: Path) -> tuple[Record, Recipe[Any]]:
    """The record and the recipe of a run that another process has opened."""
    from antiphon.recipes.lookup import recipe_of

    record = read_record(folder)
    if record is None:
        raise AntiphonError(f"{folder} is not a run folder")
    return record, recipe_of(str(record.request.recipe), record.recipe)


def _new_record(
    source: Path, content: str, request: Request, recipe: Recipe[Any], start: str | None, threads: int | None
) -> Record:
    import torch

    from antiphon.recipes.override import flatten

    return Record(str(source), content, request, dict(flatten(recipe)), start, threads or torch.get_num_threads())


def _plan(request: Request, report: Report) -> tuple[Recipe[Any], str | None]:
    """What a request means: the recipe, and the voice to begin from, None to begin from scratch."""
    from antiphon.recipes.check import check
    from antiphon.recipes.lookup import recipe as recipe_called
    from antiphon.recipes.override import override

    if request.from_scratch and request.start_from is not None:
        raise AntiphonError("use either --from or --from-scratch, not both")
    recipe = recipe_called(str(request.recipe), request.size or USUAL_SIZE, request.seed or 0)
    usual = recipe.usual_start if recipe.usual_start in bundled() and not request.from_scratch else None
    start = request.start_from or usual
    alike = recipe.like(load(start)) if start is not None else recipe
    recipe = override(alike if request.size is None else recipe, request.settings)
    check(recipe)
    if start is not None and recipe.network != alike.network:
        if request.start_from is not None:
            raise AntiphonError(f"{start} has another size: leave out --size, or use --from-scratch")
        report.say(f"starting from scratch: the voice {start} has another size")
        start = None
    elif start is not None:
        report.say(f"starting from the voice {start} (--from-scratch: from nothing)")
    return recipe, start


def _prepare(
    source: Path,
    target: Path,
    recipe: Recipe[Any],
    workers: int,
    licence: str,
    label: str,
    repair: bool,
    report: Report,
) -> None:
    named: dict[str, Any] = {"label": label} if label else {}  # a recipe of one's own may know no labels
    if repair:
        from antiphon.recipes.sounds import SoundsRecipe
        from antiphon.verbs.repair import mended

        if not isinstance(recipe, SoundsRecipe):
            raise AntiphonError("only recipes that learn from notes, hits or other short sounds can repair them first")
        named["mend"] = mended
    try:
        recipe.prepare(source, target, report, workers=workers, licence=licence, **named)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped before training; the same command starts again") from None


def _check_label(data: Any, label: str, source: Path) -> None:
    """Raises AntiphonError if the sounds have been prepared under another name."""
    known = tuple(getattr(getattr(data, "labels", None), "instruments", ()))
    if label and known != (label,):
        raise AntiphonError(f"{source} was prepared as {', '.join(known[:4])}: leave --as out, or begin anew (--force)")


def _check_repaired(data: Any, repair: bool, source: Path) -> None:
    """Raises AntiphonError if sounds that were to be repaired have been prepared as they are."""
    from antiphon.recipes.sounds import is_repaired

    if repair and not is_repaired(data):
        raise AntiphonError(f"{source} was prepared without --repair: leave it out, or begin anew (--force)")


def _start_warm(run: Run, start_from: str | Path, report: Report) -> None:
    left = run.start_warm(load(start_from), str(start_from), critics_of(find(start_from)))
    if left:
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        report.say(f"note: {start_from} has nothing for {', '.join(left[:NAMED])}{more}: these start from scratch")


def _say_what_next(folder: Path, report: Report) -> None:
    from antiphon.voices.capabilities import Imagines, Transforms

    for what, part in (("look", SHEETS), ("listen", SOUNDS)):
        found = sorted((folder / part).glob("step-*.*"))
        if found:
            report.say(f"{what + ':':8}{found[-1]}  (real, then generated)")
    run = f"./{folder}" if str(folder) in bundled() else str(folder)  # the bare name is the bundled voice's
    voice = load(run)
    if isinstance(voice, Transforms):
        report.say(f"use:    antiphon.load({run!r}).from_file_to_file('in.wav', 'out.wav') in Python")
    if voice.song_part:
        report.say(f"play:   antiphon play --{voice.song_part} {quote(run)}")
    if voice.plays and isinstance(voice, Imagines):
        report.say(f"make:   antiphon generate {quote(run)} -o {quote(str(folder / 'notes'))}")
