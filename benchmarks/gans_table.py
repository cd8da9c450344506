"""The tables of gans.py, and how to merge those of several calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contenders import SAMPLES, SETTINGS

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.tables import Column, Grid, distances, grid_of, grids, plain

FIXED = ("real", "floor", "naive")  # rows that do not depend on a voice

RUNS: list[Column] = [
    ("setting", lambda row: f"{row['setting']}, {row['tried'][row['setting'] - 1]['why']}"),
    ("KAD when tuned", lambda row: " ".join(format(one["distance"], ".0f") for one in row["tried"])),
    ("parameters, M", lambda row: format(row["parameters"] / 1e6, ".2f")),
    ("steps", plain("steps", ",.0f")),
    ("processor minutes", plain("minutes", ".0f")),
    ("sounds, of the paper's run", lambda row: "-" if row["of_paper"] is None else f"{row['of_paper']:.1%}"),
]
SUMMARY: list[Column] = [
    ("precision", plain("prdc precision", ".2f", "precision")),
    ("recall", plain("prdc recall", ".2f", "recall")),
    ("coverage", plain("prdc coverage", ".2f", "coverage")),
    ("<= 50 c", plain("pitch within_50", ".2f", "within_50")),
    ("median c", plain("pitch median_cents", ".1f", "median_cents")),
    ("right instrument", plain("accuracy", ".2f", "accuracy")),
    ("diversity", plain("diversity", ".2f", "diversity")),
    ("copies", plain("copies", ".3f", "copies")),
]


def tables(result: Mapping[str, Any]) -> list[Grid]:
    """The main table, how each run was made, and all measurements."""
    first = f"{result['notes']} held-out notes of {SAMPLES / SAMPLE_RATE:.2f} s; ±: 95 %"
    far = [column for name in result["embeddings"] for column in distances(name, result["rows"])]
    summary = [*far, *SUMMARY]
    return [
        grid_of(first, result["rows"], summary),
        grid_of("Runs", result["runs"], RUNS),
        *grids(result)[1:],
    ]


# ---- in pieces -------------------------------------------------------------------------------------------------------


def told(path: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The result of another call, if it was made under the same conditions."""
    try:
        result: dict[str, Any] = json.loads(path.read_text())
        differ = [name for name, value in asked.items() if result["asked"][name] != value]
        sound = all(isinstance(result[part], dict) for part in ("rows", "runs", "prepared"))
    except (OSError, ValueError, KeyError, TypeError):
        raise AntiphonError(f"{path} is not a gans.json of this benchmark") from None
    if not sound:
        raise AntiphonError(f"{path} is not a gans.json of this benchmark")
    if differ:
        raise AntiphonError(f"{path} was made with other {differ[0]}: {result['asked'][differ[0]]}")
    return result


def joined(result: Mapping[str, Any], path: Path | None) -> dict[str, Any]:
    """These figures, merged with those of other recipes from a file, judged by the same notes."""
    if path is None:
        return dict(result)
    other = told(path, result["asked"])
    if other["prepared"] != result["prepared"]:
        raise AntiphonError(f"{path} was made with other notes")
    runs = other["runs"] | result["runs"]
    runs = {name: runs[name] for name in SETTINGS if name in runs}
    rows = other["rows"] | result["rows"]
    rows = {way: row for name in (*FIXED, *runs) for way, row in rows.items() if way.split(":")[0] == name}
    warnings = list(dict.fromkeys([*other["warnings"], *result["warnings"]]))
    return {**result, "rows": rows, "runs": runs, "voices": list(runs), "warnings": warnings}
