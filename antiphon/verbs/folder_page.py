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
    for name, rows in sorted(groups.items()):
        parts.append(f"<h2>{escape(name)}</h2><p>{len(rows)} files</p>")
        if manifest.pitched and not manifest.one_shots:
            parts.append(_keyboard(rows, colours))
        parts.append(_players(rows, manifest))
    parts.append(_others(manifest))
    text = (
        f"{len(manifest.rows)} files understood, {len(manifest.aside)} that are no notes, "
        f"{len(manifest.refused)} refused. A dot is a file: pitch by velocity, coloured by what says the pitch."
    )
    return html_page(f"Sounds in {manifest.folder.name or manifest.folder}", text, [], "\n".join(parts))


def _legend(colours: dict[str, str]) -> str:
    dots = "".join(
        f'<span style="color:{colour}">&#9679;</span> {escape(source_name(source))} &nbsp; '
        for source, colour in colours.items()
    )
    return f"<p>{dots}</p>"


def _keyboard(rows: Sequence[Row], colours: dict[str, str]) -> str:
    """Dots over a keyboard; a title on each says which file it is."""
    width = (HIGHEST - LOWEST + 1) * KEY
    parts = []
    for key in range(LOWEST, HIGHEST + 1):
        fill = "#8886" if key % 12 in _BLACK else "#8882"
        parts.append(svg_rect((key - LOWEST) * KEY, HEIGHT - 40, KEY - 1, 24, fill))
        if key % 12 == 0:
            parts.append(svg_text((key - LOWEST) * KEY, HEIGHT - 4, note_name(key)))
    for row in rows:
        if row.pitch is None:
            continue
        x = (min(max(row.pitch, LOWEST), HIGHEST) - LOWEST + 0.5) * KEY
        y = HEIGHT - 48 - row.velocity / 127 * (HEIGHT - 60)
        said = escape(f"{row.path.name}: {note_name(round(row.pitch))}, velocity {row.velocity} {row.remark}".strip())
        ring = ' stroke="red" stroke-width="2"' if row.remark else ""
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colours[row.source]}"{ring}><title>{said}</title></circle>'
        )
    return f'<svg viewBox="0 0 {width} {HEIGHT}" width="100%" role="img">{"".join(parts)}</svg>'


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


def _others(manifest: Manifest) -> str:
    """What is no note, and what was refused."""
    aside = "".join(
        f"<tr><td>{escape(place(row.path, manifest))}</td><td>{row.role}</td></tr>" for row in manifest.aside
    )
    refused = "".join(
        f"<tr><td>{escape(place(item.path, manifest))}</td><td>{escape(item.reason)}</td></tr>"
        for item in manifest.refused[:MOST_REFUSED]
    )
    parts = f"<h2>Refused</h2><table>{refused}</table>" if refused else ""
    return parts + (f"<h2>No notes</h2><table>{aside}</table>" if aside else "")


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
