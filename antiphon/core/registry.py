"""Adding a part means adding a file: collects the dictionaries of one name from all files of a package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from antiphon.core.errors import AntiphonError


def registry(package: str, table: str) -> dict[str, Any]:
    """Every part by its name: the union of the dictionaries called `table` in the files of `package`, in file order.

    `registry("antiphon.representations", "REPRESENTATIONS")` finds a new representation as soon as its file is there.
    """
    found: dict[str, Any] = {}
    folders = [Path(folder) for folder in import_module(package).__path__]
    for name in _files(*((folder, folder.stat().st_mtime_ns if folder.exists() else 0) for folder in folders)):
        found |= getattr(import_module(f"{package}.{name}"), table, {})
    return found


@cache
def _files(*folders: tuple[Path, int]) -> list[str]:
    """The names of all modules in folders, each given with the time of its last change."""
    return sorted(file.name for file in iter_modules([str(folder) for folder, _ in folders]))


def choose(offered: Mapping[str, Any], kind: str, name: str) -> Any:
    """The part of that name. Raises AntiphonError, listing the available names, if there is none."""
    if name not in offered:
        raise AntiphonError(f"no {kind} named '{name}': use one of {', '.join(sorted(offered))}")
    return offered[name]
