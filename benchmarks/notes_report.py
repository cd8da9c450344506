"""The tables benchmarks/notes.py prints."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(width=150)
ORDER = ("real", "floor", "naive", "untrained", "gaussian", "imagined", "encoded")


def _number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)


def _sure(value: float | None, margin: float | None, form: str = ".2f") -> str:
    """A figure with its 95 % margin, where it has one."""
    shown = _number(margin, form)
    return _number(value, form) + ("" if shown == "-" else f" ±{shown.removeprefix('0')}")


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def print_report(result: dict[str, Any]) -> None:
    """Print the figures of one evaluation."""
    rows, names = result["rows"], result["embeddings"]
    present = [name for name in ORDER if name in rows]
    title = f"{result['voice']}: {result['notes']} notes of split {result['split']!r} ({result['list']})"
    columns = [f"{name} {what}" for name in names for what in ("FAD", "scaled", "KAD", "scaled")]
    table = _table(f"Distance to the real notes, and on the scale floor 0, naive 1. {title}", columns)
    for name in present:
        cells, margins = [], rows[name]["margins"]
        for embedding in names:
            part = rows[name][embedding]
            for key in ("fad", "kernel"):
                margin = margins.get(f"{embedding} {key}_normalised")
                cells += [_number(part[key], ".1f"), _sure(part[f"{key}_normalised"], margin)]
        table.add_row(name, *cells)
    console.print(table)
    _print_identity(rows, present)
    _print_variety(result["variety"])


def _print_identity(rows: dict[str, Any], present: list[str]) -> None:
    heads = [
        "1-NN",
        "/ real",
        "<=50c",
        "|c|",
        "+1/2: <=50c",
        "|c|",
        "prec.",
        "recall",
        "dens.",
        "cover",
        "near",
        "copies",
    ]
    table = _table("Identity, pitch, spread (near: distance to training notes over real ones'; ±: 95 %)", heads)
    table.add_column("mel dB", justify="right")
    table.add_column("broken", justify="right")
    real = rows["real"]["accuracy"] or math.nan
    for name in present:
        row = rows[name]
        between, four, margins = row.get("between", {}), row.get("prdc", {}), row["margins"]
        cells = [_number(row["accuracy"]), _sure(row["accuracy"] / real, margins.get("share"))]
        cells += [_sure(row["pitch"]["within_50"], margins.get("within_50"), ".3f")]
        cells += [_sure(row["pitch"]["median_cents"], margins.get("median_cents"), ".1f")]
        cells += [_number(between.get("within_50"), ".3f"), _number(between.get("median_cents"), ".1f")]
        cells += [_number(four.get(key)) for key in ("precision", "recall", "density", "coverage")]
        cells += [_number(row["nearest"]), _number(row["copies"], ".3f"), _number(row["mel_db"]), str(row["broken"])]
        table.add_row(name, *cells)
    console.print(table)


def _print_variety(figures: dict[str, Any]) -> None:
    if not figures["rows"]:
        console.print("No label has six presets at one pitch: variety is not judged.")
        return
    title = f"Variety at fixed pitch: {figures['sets']} sets, labels {', '.join(figures['labels'])}"
    table = _table(title, ["precision", "coverage", "spread / real"])
    for name, row in figures["rows"].items():
        table.add_row(name, *(_number(row[key]) for key in ("precision", "coverage", "spread")))
    console.print(table)
