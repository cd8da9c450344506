"""Files that appear complete or not at all: written under another name beside their place, then renamed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from antiphon.core.errors import AntiphonError

UNFINISHED = ".part"  # suffix of files being written; their names begin with a dot


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary name under which to write what becomes `path` when the block ends; after an error in the block
    nothing is left of it. Raises AntiphonError, in one line, where the system cannot write (a full disk)."""
    with all_atomic([path]) as (temporary,):
        yield temporary


@contextmanager
def all_atomic(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """`atomic` for several files: none of them appears before all are written and on the disk. After that only a
    renaming can fail (a file that another program holds open, say), which leaves those already renamed in place."""
    drafts = [_draft(path, number) for number, path in enumerate(paths)]
    try:
        yield drafts
        for draft in drafts:
            _flush(draft)  # a full disk may be reported only now
        for draft, path in zip(drafts, paths, strict=True):
            os.replace(draft, path)
    except OSError as error:
        raise AntiphonError(f"cannot write {paths[0]}: {error.strerror or error}") from None
    finally:
        for draft in drafts:
            with suppress(OSError):
                draft.unlink()


def _draft(path: Path, number: int) -> Path:
    mark = zlib.crc32(path.name.encode(errors="surrogateescape"))  # the name itself may be as long as possible
    return path.with_name(f".{mark:08x}-{number}.{os.getpid()}{UNFINISHED}")  # and two may have the same mark


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
