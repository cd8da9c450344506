"""A folder of MIDI files: what a composer could learn from it, and what not and why."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.core.errors import AntiphonError
from antiphon.core.parallel import in_order
from antiphon.music.harmony import estimate_key
from antiphon.music.score import read_score
from antiphon.music.tabulate import tabulate

SUFFIXES = frozenset({".mid", ".midi", ".kar", ".rmi", ".smf"})
FREE = 0.02  # beats off the grid, on average, from which on a file counts as played and not written


@dataclass(frozen=True)
class ScoreFile:
    """A MIDI file that can be learned from. path: within the folder; style: the name of its folder; parts: (name, role,
    General MIDI program from 0, notes) of each; key: "Am"; metres: with the bars of each, the most usual first; tempo:
    beats a minute at the beginning; off_grid: beats by which its notes lie off the grid, on average; content: equal for
    the same notes in any key and at any tempo, as in training."""

    path: str
    style: str
    bars: int
    parts: tuple[tuple[str, str, int, int], ...]
    key: str
    metres: tuple[tuple[str, int], ...]
    tempo: float
    tempos: int
    off_grid: float
    content: int
    warnings: tuple[str, ...] = ()

    @property
    def notes(self) -> int:
        return sum(part[3] for part in self.parts)


@dataclass(frozen=True)
class ScoreFolder:
    """files: that can be learned from, each piece once; copies: (path, path of the same piece); refused: (path,
    why)."""

    folder: Path
    files: tuple[ScoreFile, ...]
    copies: tuple[tuple[str, str], ...]
    refused: tuple[tuple[str, str], ...]


def midi_files(folder: str | Path) -> list[Path]:
    """All MIDI files below a folder, by their names, in order; hidden ones are left out."""
    found = (path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def scan_scores(
    folder: str | Path, progress: Callable[[int, int], None] | None = None, processes: int | None = None
) -> ScoreFolder:
    """Reads every file. Raises AntiphonError if the folder cannot be read or has no MIDI files."""
    folder = Path(folder)
    if not folder.is_dir():
        raise AntiphonError(f"{folder} is not a folder: give one of MIDI files")
    paths = midi_files(folder)
    if not paths:
        raise AntiphonError(f"{folder} has no MIDI files")
    files: dict[int, ScoreFile] = {}
    copies, refused = [], []
    for done, result in enumerate(in_order(lambda i: _looked_at(folder, paths[i]), len(paths), processes), 1):
        if progress:
            progress(done, len(paths))
        if isinstance(result, tuple):
            refused.append(result)
        elif result.content in files:
            copies.append((result.path, files[result.content].path))
        else:
            files[result.content] = result
    return ScoreFolder(folder, tuple(files.values()), tuple(copies), tuple(refused))


def _looked_at(folder: Path, path: Path) -> ScoreFile | tuple[str, str]:
    """What is known of a file, or its path and why it cannot be used."""
    place = path.relative_to(folder).as_posix()
    try:
        score = read_score(path)
        content = zlib.crc32(tabulate(score).piece.notes.tobytes())
    except AntiphonError as error:
        return place, str(error).removeprefix(f"{path} ")
    key = score.key or estimate_key(score)
    metres = Counter(map(str, score.metres)).most_common()
    parts = tuple((part.name, part.role, part.program, len(part.notes)) for part in score.parts)
    style = place.split("/")[0] if "/" in place else folder.resolve().name
    return ScoreFile(place, style, score.bars, parts, str(key), tuple(metres), round(score.tempo, 2),
                     len(score.tempos), round(score.off_grid, 4), content, score.warnings)  # fmt: skip


def facts(found: ScoreFolder) -> dict[str, Any]:
    """All of it as JSON can hold it."""
    rows = [
        {
            "path": f.path,
            "style": f.style,
            "bars": f.bars,
            "notes": f.notes,
            "parts": [dict(zip(("name", "role", "program", "notes"), part, strict=True)) for part in f.parts],
            "key": f.key,
            "metres": dict(f.metres),
            "tempo": f.tempo,
            "tempo_changes": f.tempos - 1,
            "off_grid": f.off_grid,
            "warnings": list(f.warnings),
        }
        for f in found.files
    ]
    return {
        "folder": str(found.folder),
        "rows": rows,
        "copies": [{"path": path, "of": other} for path, other in found.copies],
        "refused": [{"path": path, "reason": reason} for path, reason in found.refused],
    }
