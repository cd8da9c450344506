"""Shows a manifest to the user: what was found, how it was labelled, what was refused and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from antiphon.core.words import counted
from antiphon.data.labelling.row import Manifest, Row, note_name

_SOURCES = {
    "sidecar": "a table", "folder": "folder names", "name": "file names", "names": "file names",
    "number": "file names", "index": "file names", "tracker": "listening", "chunk": "their headers",
    "sfz": "a mapping (sfz)", "dspreset": "a mapping (dspreset)", "mapping": "a mapping (xml)",
}  # fmt: skip
_ROLES = {"release": "release samples", "noise": "noises", "half": "right halves (read with their left ones)"}


def summary(manifest: Manifest, *, refusals: int = 30) -> RenderableType:
    """A rich renderable: a line per instrument, remarks, and up to `refusals` refused files with their reasons."""
    parts: list[RenderableType] = []
    if manifest.rows:
        sound, kind = _words(manifest)
        parts.append(_instruments(manifest.rows) if sound == "note" else _sounds(manifest.rows, sound, kind))
    parts.append(Text(_totals(manifest)))
    if manifest.aside:
        roles = Counter(row.role for row in manifest.aside)
        parts.append(
            Text(
                "left out because they are not notes: "
                + ", ".join(f"{count} {_ROLES[role]}" for role, count in roles.items())
            )
        )
    parts += [Text(f"note: {remark}") for remark in manifest.remarks]
    if manifest.refused:
        parts.append(_refusals(manifest, refusals))
    return Group(*parts)


def facts(manifest: Manifest) -> dict[str, Any]:
    """The manifest as JSON can hold it: `rows` of every file that was understood, whatever its role; `refused` files
    with their reasons; `remarks` on the folder. Paths are relative to the folder."""
    return {
        "folder": str(manifest.folder),
        "rows": [_fact(row, manifest) for row in sorted([*manifest.rows, *manifest.aside], key=lambda row: row.path)],
        "refused": [{"path": place(item.path, manifest), "reason": item.reason} for item in manifest.refused],
        "remarks": manifest.remarks,
    }


def _fact(row: Row, manifest: Manifest) -> dict[str, Any]:
    pitched = manifest.pitched or row.role != "note"
    return {
        "path": place(row.path, manifest),
        "role": row.role,
        "pitch": row.pitch if pitched and row.role != "drum" else None,
        "velocity": row.velocity,
        "instrument": row.instrument,
        "preset": row.preset,
        "style": list(row.style),
        "round_robin": row.round_robin,
        "articulation": row.articulation,
        "microphone": row.microphone,
        "right": place(row.right, manifest) if row.right else None,
        "split": row.split,
        "pitch_from": row.source if pitched and row.pitch is not None else "",
        "velocity_from": row.velocity_source,
        "instrument_from": row.instrument_source,
        "remark": row.remark,
    }


def place(path: Path, manifest: Manifest) -> str:
    """A path as it is shown: within the folder."""
    shown = path.relative_to(manifest.folder) if path.is_relative_to(manifest.folder) else path
    return shown.as_posix()


def source_name(source: str) -> str:
    """Where a label came from, in words."""
    return _SOURCES.get(source, source)


def _instruments(rows: Iterable[Row]) -> Table:
    table = Table("instrument", "notes", "presets", "pitches", "velocities", "pitch from", "held out", "style")
    for name, group in _by_label(rows):
        pitches = [row.pitch for row in group if row.pitch is not None]
        table.add_row(
            *(escape(name), str(len(group)), str(len({row.preset for row in group}))),
            _span(note_name(round(min(pitches))), note_name(round(max(pitches)))) if pitches else "",
            *(_velocities(group), _sources(group), _held_out(group), _common_words(group)),
        )
    return table


def _words(manifest: Manifest) -> tuple[str, str]:
    """What to call a file, and what to call its kind."""
    if manifest.one_shots:
        return "hit", "drum"
    return ("note", "instrument") if manifest.pitched else ("sound", "kind")


def _sounds(rows: Iterable[Row], sound: str, kind: str) -> Table:
    table = Table(kind, f"{sound}s", f"{kind}s of it", "velocities", "name from", "held out", "style")
    for name, group in _by_label(rows):
        table.add_row(
            *(escape(name), str(len(group)), str(len({row.preset for row in group}))),
            *(_velocities(group), _sources(group), _held_out(group), _common_words(group)),
        )
    return table


def _by_label(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.instrument].append(row)
    return sorted(groups.items())


def _velocities(group: list[Row]) -> str:
    return _span(str(min(row.velocity for row in group)), str(max(row.velocity for row in group)))


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low}-{high}"


def _sources(group: list[Row]) -> str:
    return ", ".join(name for name in sorted({source_name(row.source) for row in group}))


def _held_out(group: list[Row]) -> str:
    return str(sum(row.split != "train" for row in group))


def _common_words(group: list[Row]) -> str:
    """Style words that more than half of the notes have."""
    counts = Counter(word for row in group for word in row.style)
    return escape(" ".join(word for word, count in counts.items() if 2 * count > len(group)))


def _totals(manifest: Manifest) -> str:
    rows, (sound, kind) = manifest.rows, _words(manifest)
    splits = Counter(row.split for row in rows)
    held = ", ".join(f"{count} {split}" for split, count in splits.items() if split != "train") or "nothing"
    return (
        f"{counted(len(rows), sound)} of {counted(len({row.instrument for row in rows}), kind)} in {manifest.folder}: "
        f"{splits['train']} to train on, "
        f"held out: {held}; {len(manifest.refused)} refused"
    )


def _refusals(manifest: Manifest, most: int) -> Table:
    table = Table("refused", "why")
    for item in manifest.refused[:most]:
        shown = item.path.relative_to(manifest.folder) if item.path.is_relative_to(manifest.folder) else item.path
        table.add_row(escape(str(shown)), escape(item.reason))
    if len(manifest.refused) > most:
        table.add_row("...", f"and {len(manifest.refused) - most} more")
    return table
