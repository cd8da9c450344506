"""Learn a voice from sounds: from_prepared (an opened data set), from_file (a prepared file), and `train` (a folder or
file)."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from antiphon.core.errors import AntiphonError
from antiphon.core.seeds import check_seed
from antiphon.training.run_folder import (
    PREPARED,
    REFUSED,
    STATE,
    WEIGHTS,
    Record,
    Request,
    alone,
    check_same,
    clear,
    fingerprint,
    read_record,
    sweep,
)
from antiphon.verbs.helpers import helpers, share
from antiphon.verbs.report import Report
from antiphon.voices.find import bundled, find, load, title

if TYPE_CHECKING:
    from antiphon.data.labelling.row import Refused
    from antiphon.data.prepared import Prepared
    from antiphon.training.recipe import Recipe
    from antiphon.voices.voice import VoiceInfo

NAMED = 6  # of what a run begins anew that it is told by name

USUAL_MINUTES = 10.0
USUAL_SIZE = "base"
LONGEST_MINUTES = 60 * 24 * 60.0
CRITICS = ".critics.safetensors", ".players.safetensors"  # beside a voice: its critics' weights, and their old name


# ---- the ladder ------------------------------------------------------------------------------------------------------


def from_prepared(
    data: Prepared,
    out: str | Path,
    recipe: Recipe,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    start_from: str | Path | None = None,
    name: str = "untitled",
    quiet: bool = True,
) -> Path:
    """Play the game of `recipe` on an opened data set in the run folder `out`, or go on with it. -> the weights file

    start_from: a voice to begin from (it is not asked again when a run goes on). Raises KeyboardInterrupt, saved,
    after Ctrl-C."""
    from antiphon.recipes.misfits import misfits
    from antiphon.training.loop import Run
    from antiphon.training.parallel import leave

    folder, report = Path(out), Report(quiet)
    recipe.fits(data)
    run = Run(folder, data, recipe, describe(data, name))
    resumed = run.resume()
    for remark in [] if resumed else misfits(recipe, data):
        report.say(f"note: {remark}")
    if resumed:
        total = steps or run.total
        done = f"step {run.step} of {total}" if total else f"step {run.step}"
        if run.step >= (total or math.inf):
            report.say(f"this run is complete: {done} (more steps or minutes prolong it)")
            leave()
            return folder / WEIGHTS
        report.say(f"going on at {done}")
    elif start_from is not None:
        left = run.start_warm(load(start_from), str(start_from), _opponents(find(start_from)))
        if left:
            more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
            report.say(f"note: {start_from} has nothing that fits {', '.join(left[:NAMED])}{more}: these begin anew")
    try:
        return run.train(steps=steps, minutes=minutes, quiet=quiet)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"saved at step {run.step}; the same line goes on") from None


def from_file(path: str | Path, out: str | Path, recipe: Recipe, **how: Any) -> Path:
    """As from_prepared, from a prepared file. Needs torch, numpy and safetensors only."""
    from antiphon.data.prepared import Prepared

    return from_prepared(Prepared(path), out, recipe, **how)


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
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Learn a voice from `source`, a folder of recorded notes or a prepared file, in the folder `out`. -> its weights
    file

    The same call again goes on where it stopped. recipe: which method, instrument or another of antiphon/recipes. size:
    tiny, small, base or large. steps or minutes: how long (10 minutes unless said; minutes are turned into steps once).
    start_from: a voice to begin from; without it the recipe's bundled one (`gm` for instruments), if there is one and
    no other size is asked for; from_scratch: from nothing. seed: of the run's chances, a number or a name, 0 unless
    said. settings: any setting of the recipe by its dotted name, {"game.rule": "hinge"}. threads: of the processor,
    each in a process of its own that plays its share of the batch; all unless said. workers: processes that measure the
    notes. licence: of the sounds, noted in the voice. force: begin anew in a folder that holds another run.

    Raises AntiphonError for anything a person can mend; KeyboardInterrupt, after saving, for Ctrl-C and SIGTERM."""
    source, folder, report = Path(source), Path(out), Report(quiet or _rank() > 0)
    _check_budget(steps, minutes, threads)
    _check_places(source, folder)
    number = None if seed is None else check_seed(seed)
    begin = str(start_from) if start_from is not None else None
    request = Request(size, begin, from_scratch, number, dict(settings or {}), recipe)
    with ExitStack() as stack:
        if _rank() == 0:
            stack.enter_context(alone(folder))
        with _first_process_first():
            record = _open(source, folder, request, threads, force and _rank() == 0, report)
            method = str(record.request.recipe)
            plan, count = share(recipe_of(method, record.recipe), threads or record.threads)
            team = stack.enter_context(helpers(count - 1)) if count > 1 else None  # they get ready during what follows
            prepared = source if source.is_file() else folder / PREPARED
            with _undone(folder):
                if not prepared.exists():
                    _prepare(source, folder, workers, licence, plan, report)
                _check_fits(plan, prepared)
        budget = _budget(record, folder, steps, minutes)
        if _rank() == 0 and budget != (record.steps, record.minutes):
            record = replace(record, steps=budget[0], minutes=budget[1])
            record.write(folder)
        how: dict[str, Any] = {"path": str(prepared), "out": str(folder), "start_from": record.start_from}
        how |= {"steps": budget[0], "minutes": budget[1], "name": title(source)}
        if team:
            from antiphon.recipes.override import flatten

            team.begin(how | {"recipe": [method, dict(flatten(plan))]})
        stack.enter_context(_threads(1 if team else threads or record.threads))
        weights = from_file(recipe=plan, quiet=report.quiet, **how)
    _say_what_next(folder, report)
    return weights


# ---- checks ----------------------------------------------------------------------------------------------------------


def _check_budget(steps: int | None, minutes: float | None, threads: int | None) -> None:
    if steps is not None and minutes is not None:
        raise AntiphonError("say either --steps or --minutes, not both")
    if steps is not None and not 0 < steps <= 100_000_000:
        raise AntiphonError(f"cannot train for {steps} steps: use 1 or more")
    if minutes is not None and not 0 < minutes <= LONGEST_MINUTES:
        raise AntiphonError(f"cannot train for {minutes:g} minutes: use more than 0 and at most {LONGEST_MINUTES:g}")
    if threads is not None and not 1 <= threads <= 1024:
        raise AntiphonError(f"cannot use {threads} threads: use 1 or more")


def _check_places(source: Path, folder: Path) -> None:
    if not source.exists():
        raise AntiphonError(f"there is no folder {source}: give a folder of sound files, or a prepared file")
    if source.is_dir() and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(source)):
        raise AntiphonError(f"{folder} lies among the sounds to learn from: put the run outside {source}")


# ---- beginning and going on ------------------------------------------------------------------------------------------


def _open(source: Path, folder: Path, request: Request, threads: int | None, force: bool, report: Report) -> Record:
    """The run's record: of the run that is in the folder, or of a new one."""
    content = fingerprint(source)
    if force and folder.is_dir():
        clear(folder)
    record = None if force and not (folder / STATE).exists() else read_record(folder)
    if record is not None and (folder / STATE).exists():
        check_same(record, content, request, folder)
        if _rank() == 0:
            sweep(folder)
        return record
    if record is not None and _rank() > 0:  # the first process has just begun it
        return record
    from antiphon.recipes.override import flatten
    from antiphon.training.recipe import USUAL

    recipe, start = _plan(request, report)
    request = replace(request, recipe=request.recipe or USUAL)
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    if record is not None and (record.content, record.request) != (content, request):
        (folder / PREPARED).unlink(missing_ok=True)
    record = Record(str(source), content, request, dict(flatten(recipe)), start, threads or _all_threads())
    record.write(folder)
    return record


def _plan(request: Request, report: Report) -> tuple[Recipe, str | None]:
    """What a request means: the recipe, and the voice to begin from, None for from scratch."""
    from antiphon.recipes.check import check
    from antiphon.recipes.lookup import recipe as recipe_called
    from antiphon.recipes.override import override
    from antiphon.training.recipe import USUAL

    if request.from_scratch and request.start_from is not None:
        raise AntiphonError("say either --from or --from-scratch, not both")
    recipe = recipe_called(request.recipe or USUAL, request.size or USUAL_SIZE, request.seed or 0)
    usual = recipe.usual_start if recipe.usual_start in bundled() and not request.from_scratch else None
    start = request.start_from or usual
    alike = recipe.like(load(start)) if start is not None else recipe
    recipe = override(alike if request.size is None else recipe, request.settings)
    check(recipe)
    if start is not None and recipe.network != alike.network:
        if request.start_from is not None:
            raise AntiphonError(f"{start} has another size: leave out --size, or say --from-scratch")
        report.say(f"beginning from scratch: the voice {start} has another size")
        start = None
    elif start is not None:
        report.say(f"beginning from the voice {start} (--from-scratch begins from nothing)")
    return recipe, start


def recipe_of(name: str, settings: Mapping[str, Any]) -> Recipe:
    """The recipe of that name with these settings, by their dotted names. Raises AntiphonError for one that cannot
    work."""
    from antiphon.recipes.check import check
    from antiphon.recipes.lookup import recipe as recipe_called
    from antiphon.recipes.override import override

    recipe = override(recipe_called(name), settings)
    check(recipe)
    return recipe


def _budget(record: Record, folder: Path, steps: int | None, minutes: float | None) -> tuple[int | None, float | None]:
    """(steps, minutes) to train for. Minutes were turned into steps once; other minutes change that number."""
    if steps is not None:
        return steps, None
    total = _total(folder)
    if minutes is None:
        return record.steps, record.minutes or (USUAL_MINUTES if record.steps is None else None)
    if record.minutes is None and total:
        raise AntiphonError(f"{folder} was begun for {total} steps: prolong it with --steps")
    if record.minutes is not None and minutes != record.minutes and total:
        total = record.steps or total  # of the record's minutes; the state's may be from before they were changed
        return max(round(total * minutes / record.minutes), 1), minutes
    return record.steps if minutes == record.minutes else None, minutes


def _total(folder: Path) -> int:
    """The number of steps a run is to have; 0 if that is not settled."""
    if not (folder / STATE).exists():
        return 0
    from antiphon.voices.checkpoint import read_metadata

    return int(read_metadata(folder / STATE).get("total", 0))


def _opponents(weights: Path) -> Path | None:
    """The file with the opponents of a voice: published beside it, or in its run's state."""
    for path in (*(weights.with_suffix(ending) for ending in CRITICS), weights.with_name(STATE)):
        if path.exists():
            return path
    return None


# ---- preparing -------------------------------------------------------------------------------------------------------


@contextmanager
def _undone(folder: Path) -> Iterator[None]:
    """Sounds that a new run cannot learn from leave nothing behind, neither its record nor what was prepared."""
    try:
        yield
    except AntiphonError:
        if _rank() == 0 and not (folder / STATE).exists():
            clear(folder)
        raise


def _check_fits(recipe: Recipe, prepared: Path) -> None:
    from antiphon.data.prepared import Prepared

    recipe.fits(Prepared(prepared))


def _prepare(source: Path, folder: Path, workers: int, licence: str, recipe: Recipe, report: Report) -> None:
    from antiphon.data.labelling.manifest import scan
    from antiphon.data.labelling.row import PITCHLESS
    from antiphon.data.prepare import prepare
    from antiphon.recipes.misfits import check_sort

    try:
        with report.bar("reading") as advance:
            manifest = scan(source, one_shots=recipe.one_shots, pitch=recipe.needs_pitch, progress=advance)
        check_sort(manifest)
        for remark in manifest.remarks:
            report.say(f"note: {remark}")
        workers = workers if len(manifest.rows) >= 500 else 1  # starting a process costs as much as a hundred notes
        with report.bar("measuring") as advance:
            done = prepare(
                manifest,
                folder / PREPARED,
                workers=workers,
                progress=advance,
                licence=licence,
                sources=[source.name],
                force=True,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped before training; the same line starts again") from None
    instruments = len({row.instrument for row in manifest.rows})
    sounds, kinds = ("notes", "instruments") if manifest.pitched else ("sounds", "kinds")
    report.say(
        f"learning from {done.notes} {sounds} of {instruments} {kinds} ({done.seconds / 60:.1f} minutes of sound)"
    )
    if len(done.refused) > done.notes:
        lost = sum(item.reason == PITCHLESS for item in done.refused)
        hint = f" (the pitch of {lost} is unknown; --recipe wavegan and drums need none)" if lost else ""
        report.say(f"note: more files were refused than are learned from{hint}: see whether this is what you mean")
    _write_refused(done.refused, source, folder, report)


def _write_refused(refused: Sequence[Refused], source: Path, folder: Path, report: Report) -> None:
    if not refused:
        return
    lines = [f"{r.path.relative_to(source) if r.path.is_relative_to(source) else r.path}: {r.reason}" for r in refused]
    text = "".join(f"{line}\n" for line in lines)
    (folder / REFUSED).write_text(text, encoding="utf-8", errors="surrogateescape")
    report.say(f"{len(lines)} files were refused, all listed in {folder / REFUSED}:")
    for line in lines[:3]:
        report.say(f"  {line}")


def describe(data: Prepared, name: str) -> VoiceInfo:
    """What a voice learned from a data set will say of itself: styles met, trained ranges, licence and sources."""
    from antiphon.voices.voice import VoiceInfo

    styles: dict[str, Counter[tuple[str, ...]]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for i in data.where("train").tolist():
        label = data.labels.instruments[int(data.instrument[i])]
        words = tuple(word for word, hot in zip(data.labels.styles, data.style[i].tolist(), strict=True) if hot)
        styles.setdefault(label, Counter())[words] += 1
        pitch = float(data.pitch[i])
        low, high = ranges.get(label, (pitch, pitch))
        ranges[label] = (min(low, pitch), max(high, pitch))
    met = {label: sorted(counter.items()) for label, counter in styles.items()}
    extra = data.labels.extra
    return VoiceInfo(
        name=name,
        styles_of=met,
        range_of=ranges,
        licence=str(extra.get("licence") or "unknown"),
        sources=tuple(str(s) for s in extra.get("sources", ())),
    )


# ---- processes and words ---------------------------------------------------------------------------------------------


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


@contextmanager
def _first_process_first() -> Iterator[None]:
    """Under torchrun: the first process goes through the block before the others do, and they find what it made."""
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        yield
        return
    import torch.distributed as dist

    from antiphon.training.parallel import join

    join()
    if _rank() > 0:
        dist.barrier()
    yield
    if _rank() == 0:
        dist.barrier()


def _all_threads() -> int:
    import torch

    return torch.get_num_threads()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Use so many threads inside; a run that goes on uses as many as before, so that it comes to the same weights."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _say_what_next(folder: Path, report: Report) -> None:
    for what, part, ending in (("look", "sheets", "png"), ("listen", "sounds", "wav")):
        found = sorted((folder / part).glob(f"step-*.{ending}"))
        if found:
            report.say(f"{what + ':':8}{found[-1]}  (real, then generated)")
    run = f"./{folder}" if str(folder) in bundled() else str(folder)  # the bare name is the bundled voice's
    voice = load(run)
    if not voice.plays:
        report.say(f"use:    antiphon.load({run!r}).from_file_to_file('in.wav', 'out.wav') in Python")
        return
    if voice.kind == "drums" or voice.pitched:
        report.say(f"play:   antiphon play --{'kit' if voice.kind == 'drums' else 'voice'} {quote(run)}")
    report.say(f"make:   antiphon generate {quote(run)} -o {quote(str(folder / 'notes'))}")
