"""Shows a manifest to a person: what was found, how it was labelled, what was refused and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from antiphon.data.manifest import Manifest, Row, note_name

_SOURCES = {"sidecar": "a table", "folder": "folder names", "name": "file names", "tracker": "listening"}


def summary(manifest: Manifest, *, refusals: int = 30) -> RenderableType:
    """A rich renderable: a line an instrument, remarks, and up to `refusals` refused files with their reasons."""
    parts: list[RenderableType] = []
    if manifest.rows:
        parts.append(_instruments(manifest.rows))
    parts.append(Text(_totals(manifest)))
    parts += [Text(f"note: {remark}") for remark in manifest.remarks]
    if manifest.refused:
        parts.append(_refusals(manifest, refusals))
    return Group(*parts)


def _instruments(rows: Iterable[Row]) -> Table:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.instrument].append(row)
    table = Table("instrument", "notes", "presets", "pitches", "velocities", "pitch from", "held out", "style")
    for name, group in sorted(groups.items()):
        pitches = [row.pitch for row in group if row.pitch is not None]
        velocities = [row.velocity for row in group]
        common = [word for word, count in Counter(w for r in group for w in r.style).items() if 2 * count > len(group)]
        table.add_row(
            escape(name),
            str(len(group)),
            str(len({row.preset for row in group})),
            f"{note_name(round(min(pitches)))}-{note_name(round(max(pitches)))}" if pitches else "",
            f"{min(velocities)}-{max(velocities)}",
            ", ".join(_SOURCES.get(source, source) for source in sorted({row.source for row in group})),
            str(sum(row.split != "train" for row in group)),
            escape(" ".join(common)),
        )
    return table


def _totals(manifest: Manifest) -> str:
    rows = manifest.rows
    splits = Counter(row.split for row in rows)
    held = ", ".join(f"{count} {split}" for split, count in splits.items() if split != "train") or "nothing"
    return (
        f"{len(rows)} notes of {len({row.instrument for row in rows})} instruments in {manifest.folder}: "
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
