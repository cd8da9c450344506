"""How good is a voice? from_prepared, from_file, from_file_to_file for any number of voices, `evaluate` for one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from antiphon.audio.files import check_place
from antiphon.core.atomic import all_atomic, in_folder, scratch
from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import check_keywords, renamed
from antiphon.core.run_files import PREPARED, RECORD, WEIGHTS
from antiphon.core.seeds import check_seed
from antiphon.training.run_folder import read_record
from antiphon.verbs.report import Report
from antiphon.voices.find import bundled, load, title

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared
    from antiphon.metrics.evaluation import Evaluation
    from antiphon.metrics.judge import Judge

NOTES, REFERENCES = 2_000, 4_000
QUICK_NOTES, QUICK_REFERENCES = 300, 1_000
NETWORKS = ("aisfx", "musicnn")
SPLITS = ("block", "preset", "valid", "train")


class How(TypedDict, total=False):
    """How voices are judged: keywords of every function here.

    n: real notes to compare with, at most (default: 2,000). split: which of them: "block", "preset" or "valid", held
    out of training, or "train" (default: the first with enough). embeddings: among aisfx, musicnn and mel, the first of
    which judges likeness and variety (default: those installed, or mel). as_: what to call the notes' instrument when
    voices are asked for it, if not by its own name. quick: 300 notes, one network. seed: of the choice of notes, a
    number or a name. cache: a folder for measurements of real notes and for weights. threads: of the processor
    (default: all).
    """

    n: int | None
    split: str | None
    embeddings: Sequence[str]
    as_: str
    quick: bool
    seed: int | str
    cache: str | Path | None
    threads: int | None


@renamed(label="as_")
def from_prepared(
    contenders: Mapping[str, Any], prepared: Prepared, *, quiet: bool = True, **how: Unpack[How]
) -> Evaluation:
    """All figures (`figures`, JSON) of `contenders`, voices by name: anything with `notes(list of Note) -> list of
    (samples,)`, or a folder (Path) of sounds. Raises AntiphonError if the file has too few notes, or an embedding is
    not installed."""
    from antiphon.metrics.evaluation import evaluate as judged

    report = Report(quiet)
    judge, split = _judge(prepared, how, report)
    found = judged(judge, contenders)
    if split == "train":
        found.warnings.insert(
            0, f"these are training notes of {prepared.path.name}: voices may have learned the same sounds"
        )
    found.figures = {"voices": list(contenders), "split": split, "notes": len(judge.rows)} | _about(judge, how) | {
        "warnings": found.warnings, **found.figures
    }  # fmt: skip
    for warning in found.warnings:
        report.say(f"note: {warning}")
    return found


def from_file(
    voices: Sequence[str | Path | Any], data: str | Path, *, quiet: bool = True, **how: Unpack[How]
) -> dict[str, Any]:
    """The same for voices given by name, run folder, weights file or folder of sounds, and for `data` that is a
    prepared file, a run folder or a folder of notes. -> the figures"""
    check_keywords("from_file", how, How)
    contenders = named(voices)
    with opened(data, contenders, Report(quiet), how.get("threads")) as prepared:
        return from_prepared(contenders, prepared, quiet=quiet, **how).figures


def from_file_to_file(
    voices: Sequence[str | Path | Any],
    data: str | Path,
    out: str | Path,
    *,
    force: bool = False,
    quiet: bool = True,
    **how: Unpack[How],
) -> dict[str, Any]:
    """The same, written to files: `out` is a self-contained page (.html) of tables, sounds and pictures; the figures
    are beside it as JSON. -> the figures

    Both files appear at the end, or none does. Raises AntiphonError if one exists, unless force."""
    from antiphon.verbs.evaluation_page import evaluation_page

    check_keywords("evaluate", how, How, ("out", "force", "quiet"))
    page = Path(out)
    if page.suffix.lower() not in (".html", ".htm"):
        raise AntiphonError(f"cannot write {page.name!r}: use a name that ends in .html (the figures go into a .json)")
    targets = [check_place(path, force=force) for path in (page, page.with_suffix(".json"))]
    contenders = named(voices)
    with opened(data, contenders, Report(quiet), how.get("threads")) as prepared:
        found = from_prepared(contenders, prepared, quiet=quiet, **how)
        html = evaluation_page(found, str(data))
    with in_folder(page.parent), all_atomic(targets) as drafts:
        drafts[0].write_text(html, encoding="utf-8")
        drafts[1].write_text(json.dumps(found.figures, indent=1) + "\n", encoding="utf-8")
    return found.figures


@renamed(label="as_")
def evaluate(
    voice: str | Path | Any,
    data: str | Path,
    out: str | Path = "evaluation.html",
    *,
    force: bool = False,
    quiet: bool = False,
    **how: Unpack[How],
) -> dict[str, Any]:
    """Judge a voice by real notes: distances, precision and variety, pitch, likeness, copying; beside the real notes
    among themselves, the nearest training note shifted, and the untrained voice. -> the figures, which are also written
    to the page `out` and the .json beside it.

    voice: a bundled voice's name, a run folder, a weights file, a loaded voice, anything with `notes`, or a folder of
    sounds. data: see from_file. See How for the other keywords. Raises AntiphonError for what cannot be read, too few
    notes, or (without force) if `out` exists."""
    return from_file_to_file([voice], data, out, force=force, quiet=quiet, **how)


def named(voices: Sequence[str | Path | Any]) -> dict[str, Any]:
    """Voices and folders of sounds by name, with distinct names."""
    found: dict[str, Any] = {}
    for one in voices:
        name, contender = _contender(one)
        number = 2
        while name in found:
            name, number = f"{_contender(one)[0]} {number}", number + 1
        found[name] = contender
    if not found:
        raise AntiphonError("nothing to judge: give a voice")
    return found


def _contender(one: str | Path | Any) -> tuple[str, Any]:
    if not isinstance(one, str | Path):
        return getattr(getattr(one, "info", None), "name", type(one).__name__), one
    if str(one) in bundled():
        return str(one), load(one)
    path = Path(one).expanduser()
    if path.is_dir() and not (path / WEIGHTS).is_file() and not (path / RECORD).is_file():
        from antiphon.metrics.renderers import folder_sounds

        folder_sounds(path, 0)  # are there enough?
        return path.resolve().name, path
    return title(path.parent if path.name == WEIGHTS else path), load(one)


@contextmanager
def opened(
    data: str | Path, contenders: Mapping[str, Any], report: Report, threads: int | None = None
) -> Iterator[Prepared]:
    """The real notes: of a prepared file, of the run in a folder, or of a folder of notes (of hits, if a kit is to be
    judged), which is prepared into a temporary file, by `threads` processes, for the duration of the block."""
    from antiphon.data.prepared import Prepared

    path = Path(data).expanduser()
    if (path / RECORD).is_file():
        record = read_record(path)
        path = path / PREPARED if (path / PREPARED).is_file() or record is None else Path(record.source)
        if not path.exists():
            raise AntiphonError(f"the run {data} was trained on {path}, which is gone: give the folder of notes")
    if not path.is_dir():
        yield Prepared(path)
        return
    from antiphon.verbs.data import prepare

    with scratch() as folder:
        file = Path(folder, f"{path.resolve().name}.safetensors")
        hits = any(getattr(one, "song_part", "") == "kit" for one in contenders.values())
        pitch = "yes" if any(getattr(one, "pitched", True) for one in contenders.values()) else "auto"
        workers = threads or os.cpu_count() or 1
        try:
            yield Prepared(prepare(path, file, one_shots=hits, pitch=pitch, workers=workers, quiet=report.quiet))
        except AntiphonError as error:  # name the folder rather than the temporary file
            raise AntiphonError(str(error).replace(str(file), str(path))) from None


def _judge(prepared: Prepared, how: How, report: Report) -> tuple[Judge, str]:
    """A judge for these notes, and the split they are from."""
    from antiphon.metrics.embeddings import load_embedding
    from antiphon.metrics.judge import Judge
    from antiphon.metrics.lists import FEWEST, choose_split, draw_reference, draw_rows
    from antiphon.metrics.meter import Meter
    from antiphon.metrics.networks.weights import default_cache
    from antiphon.metrics.sounds import Sounds

    quick, seed = how.get("quick", False), check_seed(how.get("seed", 1))
    n = (QUICK_NOTES if quick else NOTES) if how.get("n") is None else int(how["n"] or 0)
    split = how.get("split") or choose_split(prepared)
    if split not in SPLITS:
        raise AntiphonError(f"there is no split {split!r}: use {', '.join(SPLITS)}")
    if n < FEWEST:
        raise AntiphonError(f"{n} notes are too few to judge by: use {FEWEST} or more")
    cache = Path(how.get("cache") or default_cache()).expanduser()
    names = _embeddings(how, cache, report)
    rows = draw_rows(prepared, split=split, n=n, seed=seed)
    judged = [note for row in rows for note in (row.real, row.other)]
    references = draw_reference(prepared, n=QUICK_REFERENCES if quick else REFERENCES, seed=seed, judged=judged)
    embeddings = [load_embedding(name, cache) for name in names]
    meter = Meter(Sounds(prepared, rows, called=how.get("as_", "")), embeddings, cache, how.get("threads"), report.bar)
    return Judge(meter, references), split


def _embeddings(how: How, cache: Path, report: Report) -> list[str]:
    """Those requested; else the networks that are installed (one, if quick), else the built-in one."""
    from antiphon.metrics.embeddings import BUILT_IN
    from antiphon.metrics.networks.weights import INSTALL, installed

    if asked := list(dict.fromkeys(how.get("embeddings") or ())):
        return asked
    there = [name for name in NETWORKS if installed(name) or (cache / f"{name}.safetensors").is_file()]
    if not there:
        report.say(f"note: comparing log-mel statistics, because no embedding is installed: {INSTALL}")
    return [*there[:1], BUILT_IN] if how.get("quick") or not there else there


def _about(judge: Judge, how: How) -> dict[str, Any]:
    """What distinguishes one evaluation from another."""
    from antiphon.metrics.lists import fingerprint

    embeddings = {embedding.name: embedding.dim for embedding in judge.meter.embeddings}
    return {
        "list": f"drawn with seed {how.get('seed', 1)}",
        "references": len(judge.reference),
        "prepared": {"name": judge.prepared.path.name, "fingerprint": fingerprint(judge.prepared)},
        "embeddings": list(embeddings),
        "dimensions": embeddings,
    }
