"""Evaluates voices and folders of sounds with one judge: their figures, and warnings about how far to trust them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.metrics.gaussians import LabelGaussians
from antiphon.metrics.judge import CROWD, Judge
from antiphon.metrics.meter import Measured
from antiphon.metrics.renderers import (
    Renderer,
    copiers,
    fit_gaussians,
    folder_sounds,
    gaussian_renderer,
    plays,
    renderers,
    unknown_labels,
    untrained,
)
from antiphon.metrics.sounds import Sounds
from antiphon.metrics.variety import variety

SHOWN = ("encoded", "imagined", "vocoded")  # rows to look at closely


@dataclass
class Evaluation:
    """figures: JSON. players: by the rows' names, to listen to them. gaussians: a single voice's, if it can encode.
    warnings: one line each."""

    figures: dict[str, Any]
    renderers: dict[str, Renderer] = field(default_factory=dict)
    gaussians: LabelGaussians | None = None
    warnings: list[str] = field(default_factory=list)


def evaluate(judge: Judge, contenders: Mapping[str, Any], *, among_others: bool = False) -> Evaluation:
    """`rows` by name, `labels` (accuracy, pitch and distance by instrument) and `variety` of one voice, or of several
    their `rows` only, named "voice: row".

    contenders: voices, or folders of sounds, by name. among_others: report a single voice in the form for several.
    Besides real, floor and naive a voice has the rows `untrained` (if it has networks), `imagined` and `encoded` (if it
    can encode), and when alone also `gaussian`; a vocoder has `untrained`, `vocoded` and other inversions of log-mel.
    """
    alone = len(contenders) == 1 and not among_others
    sets, found = judge.fixed_sets(), Evaluation({})
    for name, contender in contenders.items():
        start = "" if alone else f"{name}: "
        if isinstance(contender, Path):
            sets[name] = _folder(judge, contender, found)
            continue
        made = _ways(judge, name, contender, alone, found)
        found.renderers |= {start + way: player for way, player in made.items()}
        sets |= {start + way: judge.meter.matched(player, start + way) for way, player in made.items()}
    table = judge.table(sets)
    _add_between(judge, table, found.renderers)
    found.figures = {"rows": table}
    if alone and found.renderers:
        found.figures |= _closer(judge, next(iter(contenders.values())), sets, found)
    found.warnings = _warnings(judge, table) + found.warnings
    found.figures = _without_nan(found.figures)
    return found


def _folder(judge: Judge, folder: Path, found: Evaluation) -> Measured:
    """Sounds without a corresponding note: as many as there are notes, if there are enough."""
    sounds = folder_sounds(folder, len(judge.rows))
    if len(sounds) < len(judge.rows):
        found.warnings.append(
            f"{folder} has {len(sounds)} sounds for {len(judge.rows)} notes: its Fréchet distance is too high"
        )
    return judge.meter.free(sounds, str(folder))


def _ways(judge: Judge, name: str, voice: Any, alone: bool, found: Evaluation) -> dict[str, Renderer]:
    """The rows of a voice."""
    sounds, made = judge.sounds, {}
    if not plays(voice):
        return copiers(voice, sounds)
    fresh = untrained(voice)
    if fresh is None:
        found.warnings.append(f"{name} has no row 'untrained': it has no network to reset")
    else:
        made["untrained"] = Renderer(fresh, sounds)
    known = renderers(voice, sounds)
    if alone and "encoded" in known:
        found.gaussians = fit_gaussians(voice, sounds, judge.reference)
        made["gaussian"] = gaussian_renderer(voice, sounds, found.gaussians)
    if strange := unknown_labels(voice, sounds):
        listed = ", ".join(strange[:5]) + (f" and {len(strange) - 5} more" if len(strange) > 5 else "")
        found.warnings.append(f"{name} does not know {listed}: for such notes it imagines sounds of its own choice")
    return made | {way: known[way] for way in ("imagined", "encoded") if way in known}


def _add_between(judge: Judge, table: dict[str, dict[str, Any]], made: Mapping[str, Renderer]) -> None:
    for name, player in made.items():
        asked = name.endswith(("imagined", "encoded")) and getattr(player.voice, "pitched", True)
        if asked and judge.meter.hears_pitch:
            table[name]["between"], margins = judge.between(player, f"{name}, between the keys")
            table[name]["margins"] |= {f"between {key}": value for key, value in margins.items()}


def _closer(judge: Judge, voice: Any, sets: dict[str, Measured], found: Evaluation) -> dict[str, Any]:
    """Figures for a single voice only."""
    labels = judge.by_label(sets, [way for way in SHOWN if way in found.renderers])
    if not plays(voice):  # imagined sounds may be too similar
        return {"labels": labels}
    with judge.meter.bar("variety"):
        spread = variety(voice, found.gaussians, judge.sounds, judge.meter.embeddings[0])
    return {"labels": labels, "variety": spread}


def _warnings(judge: Judge, table: Mapping[str, Any]) -> list[str]:
    n, said = len(judge.rows), []
    for embedding in judge.meter.embeddings:
        if n <= embedding.dim:
            said.append(
                f"{n} notes are fewer than the {embedding.dim} numbers of the {embedding.name} embedding: Fréchet "
                "distances are comparable only within this table, and roughly; trust the kernel distances more"
            )
    if not judge.meter.hears_pitch and judge.prepared.labels.pitched:
        said.append("pitch is not measured: pip install 'antiphon[eval]'")
    largest = int(np.unique(judge.labels, return_counts=True)[1].max())
    if largest < CROWD:
        said.append(
            f"diversity is not measured: it takes {CROWD} notes of one label to judge by, and no label has more than "
            f"{largest} here: give more of each, or a larger -n"
        )
    for name, row in table.items():
        if row["broken"]:
            said.append(f"{row['broken']} sounds of {name} have samples that are not finite")
    return said


def shown_rows(sounds: Sounds, count: int) -> list[int]:
    """Positions of one row for each of up to `count` instruments, spread over the list's."""
    first = {int(sounds.prepared.instrument[row.real]): at for at, row in reversed(list(enumerate(sounds.rows)))}
    kinds = sorted(first)
    return [first[kinds[at]] for at in np.unique(np.linspace(0, len(kinds) - 1, count).round().astype(int))]


def _without_nan(value: Any) -> Any:
    """Replaces NaN, which JSON lacks, with None."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
