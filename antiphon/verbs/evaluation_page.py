"""An evaluation as one page: its tables, and some of the notes to hear and see beside the real ones."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np

from antiphon.audio.mel import cut_tail
from antiphon.data.labelling.row import note_name
from antiphon.metrics.evaluation import SHOWN, Evaluation, shown_rows
from antiphon.metrics.plots.sheet import spectrogram_panels
from antiphon.metrics.sounds import Sounds
from antiphon.metrics.tables import Grid, grids
from antiphon.verbs.page import Chapter, Figure, Group, html_page

INSTRUMENTS = 8  # of which a note is shown
TABLES = """
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.4rem 0; }
th, td { text-align: right; padding: 0.15rem 0.6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; } .scroll { overflow-x: auto; margin: 1.5rem 0; }
"""
EXPLAINED = {
    "real": "the notes to judge by",
    "floor": "other real notes, as near to them as possible",
    "naive": "the nearest training note, resampled",
    "untrained": "the voice before its first step",
    "imagined": "from noise and the label",
    "encoded": "in the style of another note of the same instrument",
    "gaussian": "with styles drawn from a Gaussian per label",
    "vocoded": "the note after log-mel and back",
}


def evaluation_page(found: Evaluation, data: str) -> str:
    """The page as one self-contained HTML document."""
    figures = found.figures
    title = f"{', '.join(figures['voices'])} judged by {data}"
    warned = "".join(f"<li>{escape(warning)}</li>" for warning in figures["warnings"])
    tables = "\n".join(_table(grid) for grid in grids(figures))
    extra = f"{f'<ul>{warned}</ul>' if warned else ''}\n{tables}"
    return html_page(title, _explained(figures["rows"]), _chapters(found), extra, TABLES)


def _explained(rows: Iterable[str]) -> str:
    """What the rows that there are mean."""
    kinds = {name.rpartition(": ")[2] for name in rows}
    return " ".join(f"{name}: {words}." for name, words in EXPLAINED.items() if name in kinds)


def _chapters(found: Evaluation) -> list[Chapter]:
    """Some notes: real, naive, and as each voice plays them."""
    heard = {name: player for name, player in found.renderers.items() if name.endswith(SHOWN)}
    if not heard:
        return []
    sounds = next(iter(heard.values())).sounds
    chosen = shown_rows(sounds, INSTRUMENTS)
    played = {name: player(chosen) for name, player in heard.items()}
    groups = [_group(sounds, at, {name: made[k] for name, made in played.items()}) for k, at in enumerate(chosen)]
    return [
        Chapter(
            "To hear and see",
            "Single notes of the list, each of a different instrument; pictures side by side share a scale.",
            groups,
        )
    ]


def _group(sounds: Sounds, at: int, played: dict[str, np.ndarray]) -> Group:
    """One note of the list in all its versions."""
    row, prepared = sounds.rows[at], sounds.prepared
    pitch = float(prepared.pitch[row.real])
    told = {"real": sounds.real(row.real), "naive": sounds.shifted(row.naive, pitch), **played}
    heard = {name: cut_tail(np.nan_to_num(sound[: sounds.limit])) for name, sound in told.items()}
    pictures = spectrogram_panels(list(heard.values()))
    figures = [Figure(name, sound, picture) for (name, sound), picture in zip(heard.items(), pictures, strict=True)]
    label = sounds.instruments[int(prepared.instrument[row.real])]
    asked = f"{label}, {note_name(pitch)}" if prepared.labels.pitched else label
    return Group(figures, remark=f"{asked}, velocity {float(prepared.velocity[row.real]):.0f}")


def _table(grid: Grid) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in ("", *grid.headings))
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
        for name, cells in grid.rows
    )
    caption = f"<caption>{escape(grid.title)}</caption>"
    return f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
