"""Shows a folder of MIDI files to the user: a line for each style, copies, and what was refused and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from antiphon.core.words import counted
from antiphon.music.notation import ROLES
from antiphon.music.score_folder import FREE, ScoreFile, ScoreFolder


def scores_summary(found: ScoreFolder, *, refusals: int = 30) -> RenderableType:
    """A rich renderable."""
    parts: list[RenderableType] = [_styles(found.files)] if found.files else []
    parts.append(Text(_totals(found)))
    parts += [Text(f"note: {line}") for line in _remarks(found)]
    if found.copies:
        parts.append(_pairs("copy", "of", found.copies, refusals))
    if found.refused:
        parts.append(_pairs("refused", "why", found.refused, refusals))
    return Group(*parts)


def _styles(files: Sequence[ScoreFile]) -> Table:
    table = Table("style", "pieces", "bars", "notes", "parts", "with", "metres", "keys", "tempos")
    groups: dict[str, list[ScoreFile]] = defaultdict(list)
    for file in files:
        groups[file.style].append(file)
    for style, own in sorted(groups.items()):
        roles = Counter(role for file in own for role in {part[1] for part in file.parts})
        minor = sum(file.key.endswith("m") for file in own)
        metres: Counter[str] = Counter()
        for file in own:
            metres.update(dict(file.metres))
        table.add_row(
            escape(style),
            str(len(own)),
            f"{sum(file.bars for file in own):,}",
            f"{sum(file.notes for file in own):,}",
            _span([len(file.parts) for file in own]),
            ", ".join(f"{role} {_share(roles[role], len(own))}" for role in ROLES if roles[role]),
            ", ".join(f"{metre} {_share(n, metres.total())}" for metre, n in metres.most_common(4)),
            f"major {_share(len(own) - minor, len(own))}, minor {_share(minor, len(own))}",
            _span([round(file.tempo) for file in own]),
        )
    return table


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f} %"


def _span(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, [0, 0.5, 1]).tolist()
    return f"{low:g}" if low == high else f"{low:g}-{high:g} ({middle:g})"


def _totals(found: ScoreFolder) -> str:
    styles = len({file.style for file in found.files})
    return (
        f"{counted(len(found.files), 'piece')} of {counted(styles, 'style')} in {found.folder}; "
        f"{len(found.copies)} left out as copies, {len(found.refused)} refused; "
        "a style is the name of a folder, spans have their median in brackets"
    )


def _remarks(found: ScoreFolder) -> list[str]:
    played = sum(file.off_grid >= FREE for file in found.files)
    changing = sum(len(file.metres) > 1 for file in found.files)
    damaged = sum(bool(file.warnings) for file in found.files)
    said = [
        (played, "were played freely: their notes are moved to the grid"),
        (changing, "change their metre"),
        (damaged, "are damaged or cut short: read as far as possible"),
    ]
    return [f"{count} of {len(found.files)} {what}" for count, what in said if count]


def _pairs(left: str, right: str, pairs: Sequence[tuple[str, str]], most: int) -> Table:
    table = Table(left, right)
    for a, b in pairs[:most]:
        table.add_row(escape(a), escape(b))
    if len(pairs) > most:
        table.add_row("...", f"and {len(pairs) - most} more")
    return table
