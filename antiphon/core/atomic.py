"""Files that appear complete or not at all: written under another name beside their place, then renamed.

What is under way is written down before it exists, so that whatever interrupts a program, and even if it interrupts the
removal, `sweep_up` finds what is left."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from antiphon.core.detail import detail
from antiphon.core.errors import AntiphonError
from antiphon.core.stopping import check, held

UNFINISHED = ".part"  # suffix of files being written; their names begin with a dot
THEIRS = re.compile(r"\.tmp\w{6}")  # names that safetensors gives to what it has not finished writing
_under_way: set[Path] = set()  # drafts and scratch folders that exist, or may soon


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary name under which to write what becomes `path` when the block ends; after an error in the block
    nothing is left of it. Raises AntiphonError, in one line, where the system cannot write (a full disk)."""
    with all_atomic([path]) as (temporary,):
        yield temporary


@contextmanager
def all_atomic(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """`atomic` for several files: none of them appears before all are written and on the disk. After that only a
    renaming can fail (a file that another program holds open, say), which leaves those already renamed in place. A stop
    that comes during the renaming is too late."""
    drafts = [_draft(path, number) for number, path in enumerate(paths)]
    _under_way.update(drafts)
    try:
        yield drafts
        for draft in drafts:
            _flush(draft)  # a full disk may be reported only now
        check()
        with held(late=True):
            for draft, path in zip(drafts, paths, strict=True):
                os.replace(draft, path)
        for path in paths:
            detail(f"wrote {path}, {path.stat().st_size:,} bytes")
    except OSError as error:
        raise AntiphonError(f"cannot write {paths[0]}: {error.strerror or error}") from None
    finally:
        _remove(*drafts)


def temporary_folder() -> Path:
    """Where the system keeps temporary files. Raises OSError if nothing can be written anywhere."""
    import tempfile

    with held():  # the first time, a file is written there to see whether that can be done
        return Path(tempfile.gettempdir())


@contextmanager
def scratch(place: Path | None = None) -> Iterator[Path]:
    """A folder for what is needed during the block only: in `place`, or where the system keeps such things."""
    try:
        folder = (place or temporary_folder()) / f".antiphon-{os.urandom(6).hex()}"
    except OSError:  # its message is a list of folders
        raise AntiphonError("no folder for temporary files can be written to: set TMPDIR to one that can") from None
    _under_way.add(folder)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove(folder)


def nameless(place: Path) -> IO[bytes]:
    """A new file on the disk of the folder `place` that has no name there, and is gone when it is closed."""
    import tempfile

    with held():
        return tempfile.TemporaryFile(dir=place)


@contextmanager
def in_folder(*folders: Path) -> Iterator[None]:
    """The folders exist during the block and afterwards; if the block fails, those made for it are removed again,
    unless there is something in them."""
    missing = {place for folder in folders for place in (folder, *folder.parents) if not os.path.lexists(place)}
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with held():
            for place in sorted(missing, key=lambda place: -len(place.parts)):
                with suppress(OSError):
                    place.rmdir()
        raise


def unfinished(folder: Path) -> list[Path]:
    """Files in a folder that a killed program did not finish writing."""
    return [p for p in folder.iterdir() if p.name[0] == "." and (p.suffix == UNFINISHED or THEIRS.fullmatch(p.name))]


def sweep_up() -> None:
    """Remove whatever is under way. For the end of a program: an interrupt at the wrong moment may have left some."""
    _remove(*_under_way)


def _remove(*paths: Path) -> None:
    import shutil

    with held(late=True):
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                path.unlink()
            _under_way.discard(path)


def _draft(path: Path, number: int) -> Path:
    mark = zlib.crc32(path.name.encode(errors="surrogateescape"))  # the name itself may be as long as possible
    return path.with_name(f".{mark:08x}-{number}.{os.getpid()}{UNFINISHED}")  # and two may have the same mark


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
