"""A folder of MIDI files as something to learn from: which files can be used, what style and group each belongs to."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.row import Refused
from antiphon.data.prepared_scores import Entry, write_scores
from antiphon.music.score import read_score
from antiphon.music.tabulate import tabulate

SUFFIXES = frozenset({".mid", ".midi", ".kar", ".rmi"})
WORKS = "works.csv"  # path, and any of kind, composer, work
ENOUGH = 100  # composers of a style, from which on it is split by composer and not by work
MOST_STYLES = 32


def prepare_scores(
    source: Path, target: Path, licence: str, label: str, progress: Callable[[int, int], None]
) -> tuple[list[Entry], list[Refused]]:
    """Read all MIDI files below a folder into one prepared file. -> what was taken and what was not, with the reason

    A style is a sub-folder of `source`, or what works.csv calls a piece's kind, or else all of it. Pieces of one
    composer are on one side of the split where there are many composers, else those of one work. Raises AntiphonError
    if nothing can be learned from."""
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    works = read_works(source)
    entries: list[Entry] = []
    refused: list[Refused] = []
    seen: dict[int, str] = {}
    for number, path in enumerate(files):
        progress(number, len(files))
        name = path.relative_to(source).as_posix()
        try:
            entry = _entry(path, name, _style(name, works.get(name, {}), label, source), works.get(name, {}))
            if entry.content in seen:
                raise AntiphonError(f"it is the same as {seen[entry.content]}")
        except AntiphonError as error:
            refused.append(Refused(path, str(error)))
            continue
        seen[entry.content] = name
        entries.append(entry)
    if not entries:
        raise AntiphonError(f"{source} has no MIDI files to learn from: give a folder of .mid files")
    if len({entry.style for entry in entries}) > MOST_STYLES:
        raise AntiphonError(f"{source} has more than {MOST_STYLES} sub-folders, each of which is a style: join some")
    _group(entries, works)
    write_scores(target, entries, licence, [source.name])
    return entries, refused


def read_works(source: Path) -> dict[str, dict[str, str]]:
    """Rows of works.csv by path; none if there is no such file. Raises AntiphonError for one that cannot be read."""
    path = source / WORKS
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {row["path"]: {k: v for k, v in row.items() if k and v} for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError):
        raise AntiphonError(
            f"cannot read {path}: it is to be a table with the columns path, kind, composer, work"
        ) from None


def _style(name: str, work: dict[str, str], label: str, source: Path) -> str:
    folders = name.split("/")[:-1]
    return label or work.get("kind") or (folders[0] if folders else source.resolve().name) or "all"


def _entry(path: Path, name: str, style: str, work: dict[str, str]) -> Entry:
    score = read_score(path)
    found = tabulate(score)
    metres = np.array([(metre.beats, metre.unit) for metre in score.metres])
    group = work.get("composer", "") + work.get("work", "") or name
    content = zlib.crc32(found.piece.notes.tobytes())
    return Entry(name, style, group, found.piece, found.measured, found.programs, metres, score.tempo, content)


def _group(entries: Sequence[Entry], works: dict[str, dict[str, str]]) -> None:
    """By composer, in styles of many composers."""
    for style in {entry.style for entry in entries}:
        mine = [entry for entry in entries if entry.style == style]
        composers = {works.get(entry.name, {}).get("composer", "") for entry in mine} - {""}
        if len(composers) >= ENOUGH:
            for entry in mine:
                entry.group = works.get(entry.name, {}).get("composer", entry.group)
