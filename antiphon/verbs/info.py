"""Facts about a voice: labels, ranges, styles, size, how it was trained, on what and under which licence."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import RECORD, WEIGHTS
from antiphon.data.labelling import gm
from antiphon.data.labelling.row import note_name
from antiphon.recipes.lookup import recipes
from antiphon.training.run_folder import read_record
from antiphon.voices.capabilities import Imagines
from antiphon.voices.cost import multiply_adds_a_second, parameter_count
from antiphon.voices.find import find, load
from antiphon.voices.kind import kind

if TYPE_CHECKING:
    from rich.console import RenderableType

    from antiphon.voices.voice import Voice


def facts(voice: str | Path, words: Sequence[str] = ()) -> dict[str, Any]:
    """Everything known about a voice, as plain JSON. words: only instruments with one of them in their name, family or
    styles."""
    loaded, path = load(voice), find(voice)
    written = kind(loaded.kind).write(loaded.model)
    method = _recipe(loaded, written, path)
    return {
        "name": loaded.info.name,
        "file": str(path),
        "megabytes": round(path.stat().st_size / 1e6, 2),
        "parameters": parameter_count(loaded.model),
        "multiply_adds_a_second": round(multiply_adds_a_second(loaded)),
        "sample_rate": loaded.sample_rate,
        "kind": loaded.kind,
        "plays": loaded.describe(),
        "pitched": loaded.pitched,
        "longest": loaded.longest if math.isfinite(loaded.longest) else None,
        "network": written["config"],
        "recipe": method,
        "method": _told(method),
        "instruments": _matching([_instrument(loaded, label) for label in loaded.instruments], words, loaded),
        "styles": list(loaded.styles),
        "descriptors": [scale.name for scale in loaded.model.labels.scales],
        "controls": _controls(loaded),
        "training": loaded.info.training,
        "licence": loaded.info.licence,
        "sources": list(loaded.info.sources),
    }


def _controls(voice: Voice) -> dict[str, str]:
    """What a voice's controls are called and what +1 of each means; none for a voice without."""
    if not isinstance(voice, Imagines):
        return {}
    with suppress(AntiphonError):
        return dict(zip(voice.controls.names, voice.controls.meanings, strict=True))
    return {}


def _recipe(voice: Voice, written: dict[str, Any], path: Path) -> str:
    """The recipe of the run that contains the voice; else the one whose network it has."""
    record = None
    if path.name == WEIGHTS and (path.parent / RECORD).is_file():
        with suppress(AntiphonError):  # a damaged run record is not the voice's fault
            record = read_record(path.parent)
    known = record.request.recipe if record else None
    return known or str(written["config"].get("generator", voice.kind))


def _told(name: str) -> str:
    """The docstring of a recipe's file: the paper it follows, and what it plays."""
    made = recipes().get(name)
    return " ".join((sys.modules[made.__module__].__doc__ or "").split()) if made else ""


def _instrument(voice: Voice, label: str) -> dict[str, Any]:
    met: Counter[str] = Counter()
    for words, count in voice.info.styles_of.get(label, []):
        met.update(dict.fromkeys(words, count))
    lowest, highest = voice.info.range_of.get(label, (None, None)) if voice.pitched else (None, None)
    return {
        "label": label,
        "family": _family(label),
        "lowest": lowest,
        "highest": highest,
        "styles": [w for w, _ in met.most_common()],
    }


def _family(label: str) -> str:
    """The General MIDI family of a label that is a General MIDI name, else an empty string."""
    name = label.lower()
    return gm.family_of(gm.PROGRAMS.index(name)) if name in gm.PROGRAMS else ""


def _matching(rows: list[dict[str, Any]], words: Sequence[str], voice: Voice) -> list[dict[str, Any]]:
    """The instruments with one of the words in them; where none has, what the words mean to the voice."""
    if not words:
        return rows
    wanted = [word.lower() for word in words]

    def said(row: dict[str, Any]) -> str:
        return " ".join([row["label"], row["family"], *row["styles"]]).lower()

    found = [row for row in rows if any(word in said(row) for word in wanted)]
    meant = {} if found else {voice.resolve(word): None for word in words}
    return found or [row for row in rows if row["label"] in meant]


def card(voice: str | Path, words: Sequence[str] = ()) -> RenderableType:
    """`facts` for reading: a rich renderable. words: as there; then only the table of instruments."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    known = facts(voice, words)
    head = Table.grid(padding=(0, 2))
    for name, value in _lines(known):
        head.add_row(name, escape(value))
    table = Table("instrument", "family", "trained on", "styles met")
    for row in known["instruments"]:
        ends = [note_name(round(row[end])) for end in ("lowest", "highest") if row[end] is not None]
        table.add_row(escape(row["label"]), row["family"], " to ".join(ends), escape(" ".join(row["styles"])))
    return table if words else Group(head, table)


def _lines(known: dict[str, Any]) -> list[tuple[str, str]]:
    training = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in known["training"].items() if v not in (None, ""))
    size = f"{known['parameters'] / 1e6:.2f} M parameters, {known['megabytes']:.1f} MB"
    cost = f"{known['multiply_adds_a_second'] / 1e6:,.0f} M multiply-adds per second of sound"
    return [
        ("voice", f"{known['name']}  ({known['file']})"),
        ("plays", known["plays"]),
        ("size", f"{size}, {known['sample_rate'] / 1000:g} kHz"),
        ("cost", cost),
        ("recipe", known["recipe"]),
        ("method", known["method"] or "unknown"),
        ("training", training or "not recorded"),
        ("licence", known["licence"]),
        ("sources", "; ".join(known["sources"]) or "not recorded"),
        ("styles", " ".join([*known["styles"], *(f"{name}=0..1" for name in known["descriptors"])]) or "none"),
        ("controls", "; ".join(f"{n}: {m.rpartition(' (')[0] or m}" for n, m in known["controls"].items()) or "none"),
        ("instruments", str(len(known["instruments"]))),
    ]
