"""A run's page: how it is doing, for a person who has never seen one. One file that needs no others and no network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.core.html import document, image, player
from antiphon.core.run_files import LOG, PAGE, SHEETS, SOUNDS
from antiphon.metrics.plots.png import words_of

POINTS = 300  # of a curve, at most
EVERY = 60  # seconds after which a browser reloads it
WIDE, HIGH, LEFT, BELOW = 460, 150, 46, 16  # pixels of a picture and of its margins
STYLE = """
h1 { font-size: 1.4em; } h2 { font-size: 1em; margin: 1.2em 0 0.3em; }
section { display: inline-block; vertical-align: top; width: 470px; max-width: 100%; margin-right: 1em; }
svg { width: 100%; background: color-mix(in srgb, currentColor 4%, transparent); }
rect { fill: #3a8f3a; opacity: 0.2; } polyline { fill: none; stroke-width: 1.5; }
text { font-size: 11px; fill: currentColor; }
"""
COLOURS = ("#1667c2", "#c2571a", "#3a8f3a", "#8a4fb0")
Row = dict[str, Any]


class Outlook(NamedTuple):
    """How much of a run's health is known. looks: how often it was examined. words: what cannot be told, and why."""

    looks: int
    words: str = ""


@dataclass(frozen=True)
class Picture:
    """Curves of one kind. normal: the band a healthy run is usually in. words: what is seen, and what is normal."""

    title: str
    curves: Mapping[str, str]  # legend -> scalar of the log
    words: str
    normal: tuple[float, float] | None = None
    logarithmic: bool = False


PICTURES = (
    Picture(
        "What the critic believes",
        {
            "your sounds": "health.real",
            "yours, never trained on": "health.held_out",
            "generated": "health.generated",
        },
        "How real it takes each to be, from 0 to 1. Normal: the three approach each other or stay apart by less than "
        "0.9. Not normal: your sounds at 1 and generated ones at 0 for good, or the sounds it was never trained on "
        "falling to the level of generated ones: then it knows yours by heart.",
        (0.05, 0.95),
    ),
    Picture(
        "Variety and copies",
        {"variety": "health.spread", "copies": "health.copies"},
        "Variety of the generated sounds, as a share of that of your sounds. Normal: it rises to 0.7 or more. Not "
        "normal: it falls towards 0, where everything sounds alike. Copies: the share nearer to one of your sounds "
        "than nearly all of yours are to each other; a few are normal, half are not.",
        (0.5, 1.3),
    ),
    Picture(
        "Distance from your sounds",
        {"distance": "health.distance"},
        "0 is the distance between two random selections of your own sounds. Normal: it falls quickly, then slowly. "
        "Not normal: it keeps rising.",
    ),
    Picture(
        "Loudness of generated sounds",
        {"dB re your sounds": "health.loudness"},
        "Normal: near 0, but further away early on.",
        (-6.0, 6.0),
    ),
    Picture(
        "Constant offset of generated sounds (DC)",
        {"share of the sound": "health.offset"},
        "It moves a loudspeaker but cannot be heard. Normal: near 0. Not normal: half of the sound or more.",
        (0.0, 0.1),
    ),
    Picture(
        "Losses",
        {"critic": "critic", "generator, by the critic": "adversarial", "sound": "log", "penalty": "penalty"},
        "What each side still gets wrong. Normal: they move up and down against each other, and neither stays at 0. "
        "It is also normal that they soon stop falling: both sides improve at once. Only the loss called sound should "
        "fall.",
    ),
    Picture(
        "Size of the gradients",
        {"generator": "generator_norm", "critic": "critic_norm"},
        "How strongly each side is corrected. Normal: within a factor of about ten over the run. Not normal: a curve "
        "that shoots straight up.",
        logarithmic=True,
    ),
    Picture(
        "Interventions",
        {"augmentation": "answer.augment", "R1": "answer.r1", "learning rate": "answer.rate"},
        "What was done about it. If nothing was: 0, 0 and 1.",
    ),
)


def write_page(folder: Path, outlook: Outlook) -> Path:
    """Draw page.html of a run's folder from its log, its newest sheet and sounds; whole or not at all. -> its path"""
    path = folder / PAGE
    with suppress(OSError, AntiphonError):  # a full disk may cost the page, but not the run
        text = document(folder.resolve().name, "\n".join(_body(folder, outlook)), style=STYLE, refresh=EVERY)
        with atomic(path) as draft:
            draft.write_text(text, encoding="utf-8", errors="replace")  # a folder's name may not be valid text
    return path


def _body(folder: Path, outlook: Outlook) -> list[str]:
    rows, said = _read(folder / LOG)
    last = rows[-1] if rows else {"step": 0}
    curves = [drawn for picture in PICTURES if (drawn := _drawn(picture, rows))]
    banded = any("<rect" in drawn for drawn in curves)
    return [f"<p>{_summary(last, said, outlook, banded)}</p>", _notes(said), _sheet(folder), *curves]


def _read(path: Path) -> tuple[list[Row], list[Row]]:
    """The log's rows of numbers, and those of words."""
    rows = []
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                rows.append(json.loads(line))
    rows = [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]
    return [r for r in rows if "said" not in r], [r for r in rows if "said" in r]


def _summary(last: Row, said: Sequence[Row], outlook: Outlook, banded: bool) -> str:
    recent = said[-1]["said"] if said and said[-1]["step"] > 0.8 * last["step"] else ""
    looks = "one check" if outlook.looks == 1 else f"{outlook.looks:,} checks"
    verdict = f"Nothing unusual in {looks}." if outlook.looks else ""
    verdict = f"The latest message: {escape(str(recent))}." if recent else verdict
    bands = "The green bands show where healthy runs are." if outlook.looks and banded else ""
    words = " ".join(part for part in (verdict, escape(outlook.words), bands) if part)
    return f"{last['step']:,} steps. <b>Is this normal?</b> {words}"


def _notes(said: Sequence[Row]) -> str:
    if not said:
        return ""
    items = "".join(f"<li>step {row['step']:,}: {escape(str(row['said']))}</li>" for row in said[-20:])
    return f"<h2>What happened</h2><ul>{items}</ul>"


def _sheet(folder: Path) -> str:
    """The newest preview: a picture inside the page, a sound player, or a link to any other file."""
    parts = [(part, sorted((folder / part).glob("step-*.*"), key=_step)) for part in (SHEETS, SOUNDS)]
    shown = "".join(_shown(part, files[-1]) for part, files in parts if files)
    return f"<h2>Real beside generated</h2>{shown}" if shown else ""


def _shown(part: str, path: Path) -> str:
    if path.suffix == ".png":
        png = path.read_bytes()
        words = words_of(png) or path.stem
        return f'{image(png, words)}<p class="small">{escape(words)}</p>'
    if path.suffix == ".wav":
        return f"<p>{player(f'{part}/{path.name}')} real, then generated</p>"
    return f'<p><a href="{part}/{path.name}">{path.name}</a></p>'


def _step(path: Path) -> int:
    """Of a file called step-NUMBER; -1 for another."""
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1


def _drawn(picture: Picture, rows: Sequence[Row]) -> str:
    curves = {name: _points(rows, key) for name, key in picture.curves.items()}
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if not curves:
        return ""
    legend = " ".join(f'<b style="color:{c}">{n}</b>' for c, n in zip(COLOURS, curves, strict=False))
    words = f'<p class="small">{legend}<br>{escape(picture.words)}</p>'
    return f"<section><h2>{escape(picture.title)}</h2>{_svg(picture, curves)}{words}</section>"


def _points(rows: Sequence[Row], key: str) -> list[tuple[float, float]]:
    """(step, value) of a scalar, thinned to POINTS by means."""
    found = [(float(r["step"]), float(r[key])) for r in rows if isinstance(r.get(key), int | float)]
    found = [(step, value) for step, value in found if math.isfinite(value)]
    size = -(-len(found) // POINTS)
    parts = [found[i : i + size] for i in range(0, len(found), max(size, 1))]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def _svg(picture: Picture, curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    def height(value: float) -> float:
        return math.log10(max(value, 1e-9)) if picture.logarithmic else value

    values = [height(v) for points in curves.values() for _, v in points] + [height(v) for v in picture.normal or ()]
    low, high = min(values), max(values)
    low, high = (low - 0.5, high + 0.5) if high - low < 1e-9 else (low, high)
    last = max(points[-1][0] for points in curves.values())

    def at(step: float, value: float) -> str:
        x = LEFT + (WIDE - LEFT) * step / max(last, 1)
        return f"{x:.1f},{(HIGH - BELOW) * (1 - (value - low) / (high - low)):.1f}"

    parts = [f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img">']
    if picture.normal:
        (_, bottom), (_, top) = (at(0, height(v)).split(",") for v in picture.normal)
        parts.append(f'<rect x="{LEFT}" y="{top}" width="{WIDE - LEFT}" height="{float(bottom) - float(top):.1f}"/>')
    for colour, points in zip(COLOURS, curves.values(), strict=False):
        line = " ".join(at(step, height(value)) for step, value in points)
        parts.append(f'<polyline stroke="{colour}" points="{line}"/>')
    for value, y in ((high, 10), (low, HIGH - BELOW)):
        shown = 10**value if picture.logarithmic else value
        parts.append(f'<text x="0" y="{y}">{shown:.3g}</text>')
    parts.append(f'<text x="{WIDE}" y="{HIGH - 2}" text-anchor="end">step {last:,.0f}</text></svg>')
    return "".join(parts)
