"""The figures of an evaluation as tables of text, for a terminal or a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]
SCALED = "scaled"  # the heading of a distance on the scale of floor and naive
Column = tuple[str, Callable[[Row], str]]  # a heading, and the text of a row's cell


@dataclass(frozen=True)
class Grid:
    """A table of text: a sentence that describes it, its headings without the first (names), and a name and cells per
    row."""

    title: str
    headings: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def grids(result: Mapping[str, Any]) -> list[Grid]:
    """Every table of an evaluation's figures (evaluation.py)."""
    rows = result["rows"]
    told = f"{result['notes']} notes of split {result['split']!r} ({result['list']})"
    columns = [column for name in result["embeddings"] for column in distances(name, rows)]
    scale = ", also on the scale floor 0, naive 1" if any(heading == SCALED for heading, _ in columns) else ""
    made = [
        grid_of(f"Distance to the real notes{scale}; lower is better; {told}; ±: 95 %", rows, columns),
        grid_of("Coverage: real notes reached and matched, kinds too frequent or rare (NDB); over the real ones':"
              " diversity within a label, distance to training notes", rows, VARIETY),
        grid_of("Note by note: nearest training note's label, pitch, distance to the real note in dB", rows, NOTES),
    ]  # fmt: skip
    if result.get("variety", {}).get("rows"):
        found = result["variety"]
        title = f"Variety at fixed pitch: {found['sets']} sets, labels {', '.join(found['labels'])}"
        columns = [(key, plain(key, margin=key)) for key in ("precision", "coverage", "spread")]
        made.append(grid_of(title, found["rows"], columns))
    return made


def markdown_table(grid: Grid) -> str:
    """A grid as Markdown, under its title."""
    lines = [
        ("", *grid.headings),
        ("---", *["---:"] * len(grid.headings)),
        *((name, *cells) for name, cells in grid.rows),
    ]
    return "\n".join([grid.title, "", *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def rich_table(grid: Grid) -> Table:
    """A grid for a terminal."""
    from rich.table import Table

    table = Table(title=grid.title, title_justify="left", title_style="bold")
    table.add_column("", overflow="fold")
    for heading in grid.headings:
        table.add_column(heading, justify="right")
    for name, cells in grid.rows:
        table.add_row(name, *cells)
    return table


def grid_of(title: str, rows: Mapping[str, Row], columns: Sequence[Column]) -> Grid:
    """A table of the given columns."""
    body = [(name, [cell(row) for _, cell in columns]) for name, row in rows.items()]
    return Grid(title, [heading for heading, _ in columns], body)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)


def plain(path: str, form: str = ".2f", margin: str = "") -> Callable[[Row], str]:
    """The text of a figure, "a b" being row["a"]["b"], with its 95 % margin if it has one."""

    def text(row: Row) -> str:
        value: Any = row
        for key in path.split(" "):
            value = value.get(key) if isinstance(value, Mapping) else None
        shown, sure = _number(value, form), _number(row.get("margins", {}).get(margin), form)
        return shown if "-" in (shown, sure) else f"{shown} ±{sure.removeprefix('0') or '0'}"

    return text


def distances(name: str, rows: Mapping[str, Row]) -> list[Column]:
    """The columns of an embedding; on the scale of floor and naive only if those are far enough apart for one
    (judge.py)."""
    columns = []
    for key, title in (("fad", "FAD"), ("kernel", "KAD")):
        columns.append((f"{name} {title}", plain(f"{name} {key}", ".2f", f"{name} {key}")))
        if any(row[name].get(f"{key}_normalised") is not None for row in rows.values()):
            columns.append((SCALED, plain(f"{name} {key}_normalised", ".2f", f"{name} {key}_normalised")))
    return columns


VARIETY: list[Column] = [
    *((key, plain(f"prdc {key}", ".2f", key)) for key in ("precision", "recall", "density", "coverage")),
    ("NDB", lambda row: f"{plain('ndb different', '.0f', 'ndb')(row)} of {row['ndb']['bins']}"),
    ("diversity", plain("diversity", ".2f", "diversity")),
    ("near", plain("nearest", ".2f", "nearest")),
    ("copies", plain("copies", ".3f", "copies")),
]
NOTES: list[Column] = [
    ("1-NN", plain("accuracy", ".2f", "accuracy")),
    ("of real's", plain("share", ".2f", "share")),
    ("<= 50 c", plain("pitch within_50", ".3f", "within_50")),
    ("median c", plain("pitch median_cents", ".1f", "median_cents")),
    ("+1/2: <= 50 c", plain("between within_50", ".3f", "between within_50")),
    ("median c", plain("between median_cents", ".1f", "between median_cents")),
    ("log-mel", plain("mel_db", ".1f", "mel_db")),
    ("log-spectral", plain("spectral_db", ".1f", "spectral_db")),
    ("broken", lambda row: str(row["broken"])),
]
