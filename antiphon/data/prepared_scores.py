"""A prepared file of scores: pieces as tables, all in one safetensors file, and what is known about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.data.phrases import (
    BINS,
    CHORDS,
    FAMILIES,
    FLAT,
    KEYS,
    LENGTHS,
    MOST_PARTS,
    OF_PART,
    OFFSETS,
    PLACES,
    ROLES,
    SEATS,
    Piece,
    habits,
    offset_class,
    tempo_class,
)
from antiphon.data.tables import Divided

KEY, VERSION = "antiphon scores", 1
SPLITS = ("train", "valid")
EDGES = BINS - 1  # between the bins of a control
TABLES: dict[str, tuple[int, ...]] = {  # columns of each: () for one number in a row
    "notes": (6,), "places": (), "compound": (), "metres": (2,), "chords": (2,), "earlier": (), "roles": (),
    "families": (), "seats": (), "programs": (), "controls": (4,), "style": (), "mode": (), "first": (), "split": (),
    "tempo": (), "edges": (4, EDGES), "note_start": (), "bar_start": (), "part_start": (),
}  # fmt: skip


@dataclass
class Entry:
    """A piece on its way into a file. measured: (4,) its raw controls; metres: (bars, 2) beats and unit."""

    name: str
    style: str
    group: str
    piece: Piece
    measured: np.ndarray
    programs: tuple[int, ...]
    metres: np.ndarray
    tempo: float
    content: int


def write_scores(path: Path, entries: Sequence[Entry], licence: str, sources: Sequence[str]) -> None:
    """Controls become bins of equal size within each style; splits are by group."""
    styles = sorted({entry.style for entry in entries})
    index = np.array([styles.index(entry.style) for entry in entries])
    measured = np.stack([entry.measured for entry in entries])
    edges = np.stack([quantiles(measured[index == s]) for s in range(len(styles))])
    controls = np.stack([bins(m, edges[s]) for m, s in zip(measured, index, strict=True)])
    pieces = [entry.piece for entry in entries]
    counts = {
        "note": [len(p.notes) for p in pieces],
        "bar": [p.bars for p in pieces],
        "part": [p.parts for p in pieces],
    }
    tables: dict[str, np.ndarray] = {
        name: np.concatenate([getattr(p, name) for p in pieces]).astype(np.int16)
        for name in ("notes", "places", "compound", "chords", "earlier", "roles", "families", "seats")
    }
    tables |= {f"{name}_start": np.cumsum([0, *sizes]).astype(np.int64) for name, sizes in counts.items()}
    tables |= {
        "metres": np.concatenate([entry.metres for entry in entries]).astype(np.int16),
        "programs": np.concatenate([entry.programs for entry in entries]).astype(np.int16),
        "controls": controls.astype(np.int16),
        "style": index.astype(np.int16),
        "mode": np.array([p.mode for p in pieces], np.int16),
        "first": np.array([p.first for p in pieces], np.int16),
        "split": np.array(split([e.group for e in entries], index), np.int16),
        "tempo": np.array([entry.tempo for entry in entries], np.float32),
        "edges": edges.astype(np.float32),
    }
    said = {"version": VERSION, "styles": styles, "names": [e.name for e in entries], "licence": licence,
            "sources": list(sources)}  # fmt: skip
    body = {name: torch.from_numpy(np.ascontiguousarray(table)) for name, table in tables.items()}
    with atomic(path) as draft:
        save_file(body, draft, {KEY: json.dumps(said)})


def quantiles(measured: np.ndarray) -> np.ndarray:
    """(4, EDGES) between bins of equal size of (n, 4) values."""
    return np.quantile(measured, np.arange(1, BINS) / BINS, axis=0).T.copy()


def bins(measured: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(4,) 1..BINS of (4,) values."""
    return 1 + (measured[:, None] > edges).sum(1)


def split(groups: Sequence[str], styles: np.ndarray, share: float = 0.1) -> list[int]:
    """An index into SPLITS for each piece: of each style, whole groups (a composer's works, say) are held out, drawn by
    their names, until they hold a tenth of its pieces; none that is larger than that."""
    import zlib

    found = np.zeros(len(groups), np.int64)
    names = np.array(groups)
    for style in np.unique(styles):
        mine = names[styles == style]
        wanted, taken = share * len(mine), 0
        for name in sorted(set(mine), key=lambda text: zlib.crc32(text.encode())):
            size = int((mine == name).sum())
            if taken < wanted and taken + size <= 1.3 * wanted:
                found[(styles == style) & (names == name)] = 1
                taken += size
    return found.tolist()


class Scores(Divided):
    """A prepared file, opened and checked: tables under the names of `TABLES`; `piece(i)`, `programs(i)`. styles: their
    names; names: of the pieces."""

    splits = SPLITS

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            with safe_open(self.path, "pt") as file:
                said = json.loads((file.metadata() or {})[KEY])
                self.tables = {name: file.get_tensor(name).numpy() for name in TABLES}
            _check(said, self.tables)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise AntiphonError(f"{path} holds no prepared scores: prepare the folder of MIDI files again") from None
        self.said: dict[str, Any] = said
        self.styles: tuple[str, ...] = tuple(said["styles"])
        self.names: list[str] = said["names"]
        self.split = torch.from_numpy(self.tables["split"].astype(np.int64))

    def __len__(self) -> int:
        return len(self.tables["style"])

    @property
    def extent(self) -> str:
        bars = sum(int(np.diff(self.tables["bar_start"])[i]) for i in self.where("train").tolist())
        return f"{len(self.where('train'))} pieces, {bars:,} bars"

    def _of(self, kind: str, index: int) -> slice:
        start = self.tables[f"{kind}_start"]
        return slice(int(start[index]), int(start[index + 1]))

    def piece(self, index: int) -> Piece:
        t, notes, bars, parts = self.tables, *(self._of(kind, index) for kind in ("note", "bar", "part"))
        tempo = tempo_class(float(t["tempo"][index]))
        return Piece(
            t["notes"][notes], t["places"][bars], t["compound"][bars] > 0, t["chords"][bars], t["earlier"][bars],
            t["roles"][parts], t["families"][parts], t["seats"][parts], t["controls"][index],
            int(t["style"][index]), int(t["mode"][index]), int(t["first"][index]), tempo,
        )  # fmt: skip

    def programs(self, index: int) -> np.ndarray:
        return self.tables["programs"][self._of("part", index)]

    def metres(self, index: int) -> np.ndarray:
        """(bars, 2) beats and unit."""
        return self.tables["metres"][self._of("bar", index)]


# ---- counting --------------------------------------------------------------------------------------------------------


def counted(data: Scores, settings: int) -> dict[str, np.ndarray]:
    """What a composer takes from the training pieces by counting.

    settings: (settings, SETTING) int16, of pieces of all styles alike: style, mode, beats a minute, beats and unit of
    most bars, whether it begins with a pickup, controls; role, program, seat and habits, in percent, of each part, -1
    for none. ranges:
    (styles, ROLES, 2) int16 keys between which nearly all notes of a role lie, in C or A minor. edges: (styles, 4,
    EDGES) of controls. dynamic: (styles,) share of the pieces with velocities that tell something. backs: (styles, 8,
    classes) how often a bar of each place in eight takes up a bar so far back."""
    train = data.where("train").tolist()
    pieces = {i: data.piece(i) for i in train}
    styles = len(data.styles)
    dynamic, backs = np.zeros(styles, np.float32), np.ones((styles, 8, len(OFFSETS) + 1), np.float32)
    ranges = np.zeros((styles, ROLES, 2), np.int16)
    for style in range(styles):
        mine = [pieces[i] for i in train if pieces[i].style == style]
        dynamic[style] = np.mean([bool((p.notes[:, 5] < FLAT).any()) for p in mine] or [False])
        for piece in mine:
            back = np.array([offset_class(bar - int(e)) if e >= 0 else 0 for bar, e in enumerate(piece.earlier)])
            np.add.at(backs[style], ((piece.first + np.arange(piece.bars)) % 8, back), 1)
        ranges[style] = _ranges(mine)
    shown = _evenly(train, [pieces[i].style for i in train], settings)
    rows = [_setting(data, i, pieces[i]) for i in shown]
    table = np.stack([rows[k % len(rows)] for k in range(settings)]).astype(np.int16)
    edges = data.tables["edges"].astype(np.float32)
    return {"settings": table, "ranges": ranges, "edges": edges, "dynamic": dynamic, "backs": backs}


def _evenly(items: list[int], styles: list[int], count: int) -> list[int]:
    """At most `count` items, as many of each style, spread over them."""
    by_style = [[i for i, s in zip(items, styles, strict=True) if s == style] for style in sorted(set(styles))]
    each = max(count // len(by_style), 1)
    return [mine[k * len(mine) // min(each, len(mine))] for mine in by_style for k in range(min(each, len(mine)))][
        :count
    ]


def _ranges(pieces: list[Piece]) -> np.ndarray:
    rows = np.concatenate([p.notes for p in pieces] or [np.zeros((0, 6), np.int16)])
    roles = np.concatenate([p.roles[p.notes[:, 1]] for p in pieces] or [np.zeros(0, np.int16)])
    found = np.tile(np.array([36, 84]), (ROLES, 1))
    for role in range(ROLES):
        keys = rows[(roles == role), 3]
        if len(keys):
            found[role] = np.quantile(keys, [0.002, 0.998], method="nearest")
    return found


def _setting(data: Scores, index: int, piece: Piece) -> np.ndarray:
    metres, counts = np.unique(data.metres(index), axis=0, return_counts=True)
    beats, unit = metres[counts.argmax()]
    parts = np.full((MOST_PARTS, OF_PART), -1)
    parts[: piece.parts, :3] = np.stack([piece.roles, data.programs(index), piece.seats], 1)
    parts[: piece.parts, 3:] = np.rint(100 * habits(piece))
    tempo = round(float(data.tables["tempo"][index]))
    head = [piece.style, piece.mode, tempo, beats, unit, piece.first == 15, *piece.controls]
    return np.array([*head, *parts.flatten()])


def _check(said: dict[str, Any], tables: dict[str, np.ndarray]) -> None:
    """Raises ValueError for tables that do not fit together."""
    count = len(tables["style"])
    if said["version"] != VERSION or len(said["names"]) != count or not count:
        raise ValueError
    for name, columns in TABLES.items():
        if tables[name].shape[1:] != columns:
            raise ValueError
    for kind, sized in (("note", "notes"), ("bar", "places"), ("part", "roles")):
        start = tables[f"{kind}_start"]
        if len(start) != count + 1 or start[0] or start[-1] != len(tables[sized]) or (np.diff(start) < 0).any():
            raise ValueError
    highest = {"style": len(said["styles"]) - 1, "split": len(SPLITS) - 1, "mode": 1, "first": 15, "places": PLACES,
               "roles": ROLES - 1, "families": FAMILIES - 1, "seats": SEATS - 1, "programs": 127, "chords": CHORDS,
               "controls": BINS}  # fmt: skip
    limits = np.array([2**15, MOST_PARTS, PLACES, KEYS, len(LENGTHS), FLAT + 1])
    if any((tables[n] < 0).any() or (tables[n] > most).any() for n, most in highest.items()):
        raise ValueError
    if (tables["notes"] < 0).any() or (tables["notes"] >= limits).any():
        raise ValueError
