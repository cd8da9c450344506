"""What belongs to a run folder besides the weights: what it learns from and what was asked for, so that a resumed run
is the same run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from antiphon.core.atomic import atomic, unfinished
from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import (
    HEALTHY,
    LOG,
    PAGE,
    PREPARED,
    RECORD,
    REFUSED,
    SETTINGS,
    SHEETS,
    SKIPPED,
    SOUNDS,
    STATE,
    WEIGHTS,
)
from antiphon.training.recipe import USUAL

try:
    import fcntl
except ImportError:  # on Windows nothing keeps two runs apart
    fcntl = None  # type: ignore[assignment]

CRITICS = ".critics.safetensors", ".players.safetensors"  # beside a voice: its critics' weights, and their old name
USUAL_MINUTES = 10.0
PATIENCE = 5.0  # seconds within which the processes of a killed run are gone
HEAD = 1 << 18  # bytes at the beginning of a file that tell it from another
OWN = (RECORD, SETTINGS, WEIGHTS, STATE, HEALTHY, PREPARED, REFUSED, SKIPPED, LOG, PAGE)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps every other process from training in the folder, which is made, and removed if it stays empty. The lock
    ends with the process, however that ends. Raises AntiphonError if another process holds it."""
    if fcntl is None or (folder.exists() and not folder.is_dir()):
        yield
        return
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)
        if made:
            with contextlib.suppress(OSError):  # there is a run in it
                folder.rmdir()


def _lock(handle: int, folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise AntiphonError(
                    f"another training is under way in {folder}: wait for it, or use another folder"
                ) from None
            time.sleep(0.1)
        except OSError:  # a file system without locks
            return None


@dataclass(frozen=True)
class Request:
    """What a person asked for; None or empty: left to the defaults."""

    size: str | None = None
    start_from: str | None = None
    from_scratch: bool = False
    seed: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: str | None = None


UNSAID = {"seed": 0}  # defaults of a request that are not the recipe's


@dataclass(frozen=True)
class Record:
    """run.json. content: a fingerprint of the data; recipe: the settings of the one that the request names; start_from:
    the voice it began from. threads: of the processor. steps, minutes: the budget; both if minutes were changed after
    they had been turned into steps."""

    source: str
    content: str
    request: Request
    recipe: dict[str, Any]
    start_from: str | None
    threads: int
    steps: int | None = None
    minutes: float | None = None

    def write(self, folder: Path) -> None:
        with atomic(folder / RECORD) as draft:
            draft.write_text(json.dumps(asdict(self), indent=2) + "\n")


def read_record(folder: Path) -> Record | None:
    """The folder's record, None if there is none. Raises AntiphonError for a folder that is something else."""
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise AntiphonError(f"{folder} is a file: give a folder for the run")
    if not (folder / RECORD).exists():
        if set(folder.iterdir()) - set(unfinished(folder)):
            raise AntiphonError(f"{folder} contains other files: give a new folder for the run")
        return None
    try:
        raw = json.loads((folder / RECORD).read_text())
        request = Request(**{"recipe": USUAL} | raw.pop("request"))  # older runs had only one
        record = Record(request=request, **raw)
        _check_types(record, request)
        return record
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise AntiphonError(f"{folder / RECORD} is damaged: start again with --force, or in another folder") from None


def _check_types(record: Record, request: Request) -> None:
    """Raises TypeError or ValueError for values that no run writes."""
    texts = (record.source, record.content, request.recipe, record.start_from or "", request.start_from or "")
    tables = (record.recipe, request.settings)
    if not all(isinstance(t, str) for t in texts) or not all(isinstance(t, dict) for t in tables):
        raise TypeError
    if type(record.threads) is not int or not 1 <= record.threads <= 1024:
        raise ValueError
    if type(record.steps or 1) is not int or not 0 < (record.steps or 1) <= 1 << 40:
        raise ValueError
    if type(record.minutes or 1.0) not in (int, float) or not 0 < (record.minutes or 1.0) < 1e9:
        raise ValueError


def clear(folder: Path) -> None:
    """Remove what a run wrote, and nothing else."""
    for name in OWN:
        (folder / name).unlink(missing_ok=True)
    for part in (SHEETS, SOUNDS):
        for path in (folder / part).glob("step-[0-9]*.*"):
            path.unlink()
    sweep(folder)


@contextlib.contextmanager
def undone(folder: Path) -> Iterator[None]:
    """If a new run cannot learn from its data, remove what it wrote: its record and the prepared file."""
    try:
        yield
    except AntiphonError:
        if not (folder / STATE).exists():
            clear(folder)
        raise


def keep_healthy(folder: Path) -> None:
    """Give the state file, just written and healthy, a second name."""
    new = folder / f".{HEALTHY}"
    new.unlink(missing_ok=True)
    try:
        os.link(folder / STATE, new)
    except OSError:  # a file system without links
        shutil.copyfile(folder / STATE, new)
    os.replace(new, folder / HEALTHY)


def sweep(folder: Path) -> None:
    """Remove half-written files left behind by a kill."""
    for path in unfinished(folder):
        path.unlink(missing_ok=True)


def check_same(record: Record, content: str, request: Request, folder: Path) -> None:
    """Raises AntiphonError if a run was begun on other data or with another setting than is asked for now. What is not
    given now is taken to be as before."""
    hint = "use another folder, or --force to start again"
    if record.content != content:
        raise AntiphonError(f"{folder} was begun on other notes, those of {record.source}: {hint}")
    for name, now in asdict(request).items():
        before = getattr(record.request, name)
        said = now is not None and now is not False and now != {}  # 0 is said
        if said and now != (UNSAID.get(name) if before is None else before):
            option = {"start_from": "from", "settings": "set"}.get(name, name).replace("_", "-")
            raise AntiphonError(f"{folder} was begun with another --{option} ({before or 'none'}, not {now}): {hint}")


def budget(record: Record, folder: Path, steps: int | None, minutes: float | None) -> Record:
    """The record with the budget asked for now. Minutes were turned into steps once; other minutes change that number.
    Raises AntiphonError for minutes if the run was begun with steps."""
    if steps is not None:
        return replace(record, steps=steps, minutes=None)
    total = total_steps(folder)
    if minutes is None:
        return replace(record, minutes=record.minutes or (USUAL_MINUTES if record.steps is None else None))
    if record.minutes is None and total:
        raise AntiphonError(f"{folder} was begun with {total} steps: extend it with --steps, not --minutes")
    if record.minutes is not None and minutes != record.minutes and total:
        total = record.steps or total  # those of the record's minutes; the state's may be older than the last change
        return replace(record, steps=max(round(total * minutes / record.minutes), 1), minutes=minutes)
    return replace(record, steps=record.steps if minutes == record.minutes else None, minutes=minutes)


def total_steps(folder: Path) -> int:
    """The number of steps a run is to have; 0 if that is not known yet."""
    if not (folder / STATE).exists():
        return 0
    from antiphon.voices.checkpoint import read_metadata

    return int(read_metadata(folder / STATE).get("total", 0))


def critics_of(weights: Path) -> Path | None:
    """The file with a voice's critics: published beside it, or its run's state."""
    for path in (*(weights.with_suffix(ending) for ending in CRITICS), weights.with_name(STATE)):
        if path.exists():
            return path
    return None


def fingerprint(source: Path, suffixes: Collection[str]) -> str:
    """What tells a folder of data, or a prepared file, from another: names, sizes and beginnings of those of its files
    that end in one of `suffixes`."""
    digest = hashlib.blake2b(digest_size=16)
    if source.is_file():
        return _add(digest, source, source.name).hexdigest()
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in suffixes and path.is_file():
            _add(digest, path, path.relative_to(source).as_posix())
    return digest.hexdigest()


def _add(digest: hashlib.blake2b, path: Path, name: str) -> hashlib.blake2b:
    with path.open("rb") as file:
        digest.update(f"{name}\0{path.stat().st_size}\0".encode(errors="surrogateescape") + file.read(HEAD))
    return digest
