"""A folder of sounds as a page: a keyboard of every instrument with what was understood of its files, what was
refused, and players. The sounds stay in their files, which the page plays from where they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from antiphon.data.labelling.inspect import place, source_name
from antiphon.data.labelling.row import Manifest, Row, note_name
from antiphon.verbs.page import html_page

COLOURS = ("#4a90d9", "#e67e22", "#27ae60", "#8e44ad", "#c0392b", "#16a085", "#7f8c8d")
LOWEST, HIGHEST, KEY, HEIGHT = 12, 120, 11, 190  # keys that are drawn; pixels
MOST_PLAYERS, MOST_REFUSED = 24, 500
MOST_KEYBOARDS = 100  # of the instruments with most files; more would be a page that browsers choke on
_BLACK = {1, 3, 6, 8, 10}


def folder_page(manifest: Manifest) -> str:
    """The page, one HTML document."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in manifest.rows:
        groups[row.instrument].append(row)
    sources = sorted({row.source for row in manifest.rows})
    colours = {source: COLOURS[k % len(COLOURS)] for k, source in enumerate(sources)}
    parts = [_legend(colours)]
    parts += [f"<p>{escape(remark)}</p>" for remark in manifest.remarks]
    largest = sorted(groups, key=lambda name: (-len(groups[name]), name))
    for name in sorted(largest[:MOST_KEYBOARDS]):
        rows = groups[name]
        parts.append(f"<h2>{escape(name)}</h2><p>{len(rows)} files</p>")
        if manifest.pitched and not manifest.one_shots:
            parts.append(_keyboard(rows, colours))
        parts.append(_players(rows, manifest))
    smaller = [[name, f"{len(groups[name])} files"] for name in largest[MOST_KEYBOARDS:]]
    parts.append(_table(f"{len(smaller)} more instruments, of few files each", smaller))
    parts.append(_table("Refused", [[place(item.path, manifest), item.reason] for item in manifest.refused]))
    parts.append(_table("No notes", [[place(row.path, manifest), row.role] for row in manifest.aside]))
    text = (
        f"{len(manifest.rows)} files understood, {len(manifest.aside)} that are no notes, "
        f"{len(manifest.refused)} refused. A dot is a file, or several alike: pitch by velocity, coloured by what says "
        "the pitch."
    )
    return html_page(f"Sounds in {manifest.folder.name or manifest.folder}", text, [], "\n".join(parts))


def _legend(colours: dict[str, str]) -> str:
    dots = "".join(
        f'<span style="color:{colour}">&#9679;</span> {escape(source_name(source))} &nbsp; '
        for source, colour in colours.items()
    )
    return f"<p>{dots}</p>"


def _keyboard(rows: Sequence[Row], colours: dict[str, str]) -> str:
    """Dots over a keyboard; a title on each says which file it is, or which is the first of several."""
    width = (HIGHEST - LOWEST + 1) * KEY
    parts = []
    for key in range(LOWEST, HIGHEST + 1):
        fill = "#8886" if key % 12 in _BLACK else "#8882"
        parts.append(svg_rect((key - LOWEST) * KEY, HEIGHT - 40, KEY - 1, 24, fill))
        if key % 12 == 0:
            parts.append(svg_text((key - LOWEST) * KEY, HEIGHT - 4, note_name(key)))
    alike: dict[tuple[float, int, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.pitch is not None:
            alike[row.pitch, row.velocity, row.source, row.remark].append(row)
    parts += [_dot(same, colours) for same in alike.values()]
    return f'<svg viewBox="0 0 {width} {HEIGHT}" width="100%" role="img">{"".join(parts)}</svg>'


def _dot(alike: Sequence[Row], colours: dict[str, str]) -> str:
    """A dot for files that differ in nothing that it shows, such as round robins."""
    row, pitch = alike[0], alike[0].pitch or 0.0
    x = (min(max(pitch, LOWEST), HIGHEST) - LOWEST + 0.5) * KEY
    y = HEIGHT - 48 - row.velocity / 127 * (HEIGHT - 60)
    more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
    said = f"{row.path.name}{more}: {note_name(round(pitch))}, velocity {row.velocity} {row.remark}".strip()
    ring = ' stroke="red" stroke-width="2"' if row.remark else ""
    dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colours[row.source]}"{ring}>'
    return f"{dot}<title>{escape(said)}</title></circle>"


def _players(rows: Sequence[Row], manifest: Manifest) -> str:
    """Some of the files, evenly over what there is, and all with a remark."""
    ordered = sorted(rows, key=lambda row: (row.pitch or 0.0, row.velocity, row.path))
    chosen = [row for row in ordered if row.remark][:MOST_PLAYERS]
    chosen += ordered[:: max(len(ordered) // MOST_PLAYERS, 1)][: MOST_PLAYERS - len(chosen)]
    lines = "".join(
        f"<tr><td>{escape(place(row.path, manifest))}</td><td>{_pitch(row, manifest)}</td><td>{row.velocity}</td>"
        f"<td>{escape(source_name(row.source))}</td><td>{escape(row.remark)}</td><td>{player(address(row.path))}</td></tr>"
        for row in dict.fromkeys(chosen)
    )
    head = "<tr><th>file</th><th>pitch</th><th>velocity</th><th>by</th><th></th><th></th></tr>"
    summary = f"<summary>{min(len(ordered), MOST_PLAYERS)} of them to hear</summary>"
    return f"<details>{summary}<table>{head}{lines}</table></details>"


def _pitch(row: Row, manifest: Manifest) -> str:
    return note_name(row.pitch) if row.pitch is not None and manifest.pitched else ""


def _table(heading: str, lines: Sequence[Sequence[str]]) -> str:
    """A heading and the first MOST_REFUSED lines under it, or nothing where there are none."""
    if not lines:
        return ""
    cells = "".join("<tr>" + "".join(f"<td>{escape(x)}</td>" for x in line) + "</tr>" for line in lines[:MOST_REFUSED])
    left = len(lines) - MOST_REFUSED
    more = f"<p>and {left} more: <code>antiphon data inspect FOLDER --json</code> lists all</p>" if left > 0 else ""
    return f"<h2>{escape(heading)}</h2><table>{cells}</table>{more}"


def address(path: Path) -> str:
    """The address of a file, for a page on the same machine."""
    return "file://" + quote(path.absolute().as_posix(), errors="surrogateescape")


def player(address: str) -> str:
    """A player of a sound file."""
    return f'<audio controls preload="none" src="{escape(address)}"></audio>'


def svg_rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def svg_text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="10" fill="currentColor">{escape(text)}</text>'
