"""Real works for benchmarks/compose.py: read once, then kept as arrays; cut into windows; split as in training."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.music.harmony import estimate_key, home
from antiphon.music.notation import STEPS, Score, ScorePart, notes_in
from antiphon.music.qualities import NoteTable, note_table
from antiphon.music.score import Metre, read_score

WINDOWS = 4  # of a work, at most
LEAST = 16  # bars of a window, at least


@dataclass(frozen=True)
class Work:
    """A real work. table: its notes; roles, programs: of its parts; shift: semitones that move it to C or A minor;
    metre: its most usual one; unheard: whether it was held out of training."""

    style: str
    name: str
    table: NoteTable
    roles: tuple[str, ...]
    programs: tuple[int, ...]
    shift: int
    tempo: float
    metre: tuple[int, int]
    unheard: bool = False


def works(folder: Path, cache: Path, unheard: set[str]) -> list[Work]:
    """All usable MIDI files below a folder, whose folders name their styles."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        _keep(list(_read(folder)), cache)
    return [replace(work, unheard=f"{work.style}/{work.name}" in unheard) for work in _kept(cache)]


def held_out(folder: Path, share: float = 0.1) -> set[str]:
    """Without a prepared file: a tenth of each style, whole composers where works.csv names them."""
    import zlib

    with (folder / "works.csv").open(encoding="utf-8") as file:
        composer = {Path(row["path"]).stem: row["composer"] for row in csv.DictReader(file)}
    found: set[str] = set()
    for style in sorted(p.name for p in folder.iterdir() if p.is_dir()):
        names = sorted(path.stem for path in (folder / style).glob("*.mid"))
        groups = sorted({composer.get(name) or name for name in names}, key=lambda group: zlib.crc32(group.encode()))
        taken: list[str] = []
        for group in groups:
            own = [name for name in names if (composer.get(name) or name) == group]
            if len(taken) + len(own) <= 1.3 * share * len(names) and len(taken) < share * len(names):
                taken += own
        found |= {f"{style}/{name}" for name in taken}
    return found


def prepared_split(path: Path) -> set[str]:
    """What a prepared file of scores holds out."""
    from antiphon.data.prepared_scores import Scores

    scores = Scores(path)
    return {str(Path(scores.names[i]).with_suffix("")) for i in scores.where("valid").tolist()}


def _read(folder: Path) -> Iterator[Work]:
    for path in sorted(folder.glob("*/*.mid")):
        try:
            score = read_score(path)
        except AntiphonError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        if score.bars >= LEAST:
            yield work_of(score, path.parent.name, path.stem)


def work_of(score: Score, style: str, name: str) -> Work:
    metre = Counter(score.metres).most_common(1)[0][0]
    roles, programs = tuple(p.role for p in score.parts), tuple(p.program for p in score.parts)
    shift = home(estimate_key(score))
    return Work(style, name, note_table(score), roles, programs, shift, score.tempo, tuple(metre))


def _keep(found: Sequence[Work], cache: Path) -> None:
    facts = [
        {"style": w.style, "name": w.name, "roles": w.roles, "programs": w.programs, "shift": w.shift,
         "tempo": w.tempo, "metre": w.metre, "parts": w.table.parts}
        for w in found
    ]  # fmt: skip
    arrays = {
        name: np.concatenate([getattr(w.table, name) for w in found])
        for name in ("onset", "length", "pitch", "part", "drum", "bars")
    }
    sizes = np.array([[len(w.table), len(w.table.bars)] for w in found])
    np.savez_compressed(cache, sizes=sizes, facts=np.array(json.dumps(facts)), **arrays)


def _kept(cache: Path) -> list[Work]:
    with np.load(cache) as file:
        facts, sizes = json.loads(str(file["facts"])), file["sizes"]
        names = ("onset", "length", "pitch", "part", "drum")
        columns = [np.split(file[name], np.cumsum(sizes[:-1, 0])) for name in names]
        columns.append(np.split(file["bars"], np.cumsum(sizes[:-1, 1])))
    tables = [NoteTable(*row) for row in zip(*columns, strict=True)]
    return [
        Work(f["style"], f["name"], replace(table, parts=f["parts"]), tuple(f["roles"]), tuple(f["programs"]),
             f["shift"], f["tempo"], tuple(f["metre"]))
        for f, table in zip(facts, tables, strict=True)
    ]  # fmt: skip


# ---- tables ----------------------------------------------------------------------------------------------------------


def cut(table: NoteTable, first: int, stop: int) -> NoteTable:
    """Bars first to stop - 1, from 0 on."""
    inside = table.where((table.bar >= first) & (table.bar < stop))
    bars = table.bars[first : stop + 1]
    return replace(inside, onset=np.maximum(inside.onset - bars[0], 0), bars=bars - bars[0])


def windows(table: NoteTable, bars: int) -> list[NoteTable]:
    """Stretches of so many bars, evenly spread, without those of silence; a shorter work is one of its own length."""
    count = len(table.bars) - 1
    size = min(bars, count)
    many = min(max(count // size, 1), WINDOWS)
    starts = np.linspace(0, count - size, many).astype(int) if many > 1 else [0]
    return [part for part in (cut(table, int(at), int(at) + size) for at in starts) if len(part) >= size]


def in_c(work: Work) -> NoteTable:
    """Its notes in C major or A minor; drums stay."""
    table = work.table
    return replace(table, pitch=np.where(table.drum, table.pitch, np.clip(table.pitch + work.shift, 0, 127)))


def score_of(table: NoteTable, work: Work, metre: Metre | None = None) -> Score:
    """A score of these notes, with the parts and the tempo of a work."""
    metres = tuple(Metre.of(round(size * STEPS)) for size in np.diff(table.bars).tolist()) if metre is None else (
        (metre,) * (len(table.bars) - 1))  # fmt: skip
    starts = np.cumsum([0, *(one.steps for one in metres)])
    rows = np.stack([table.onset * STEPS, table.pitch, np.maximum(table.length * STEPS, 1), 0 * table.onset + 80], 1)
    rows = np.rint(rows).astype(np.int64)
    parts = [
        ScorePart(role, role, notes_in(starts, rows[table.part == i]), program)
        for i, (role, program) in enumerate(zip(work.roles, work.programs, strict=True))
    ]
    return Score(tuple(parts), metres, ((0, work.tempo),))
