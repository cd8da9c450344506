"""One HTML file of sounds and their pictures, self-contained, so that it can be sent and kept."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from antiphon.audio.files import SAMPLE_RATE
from antiphon.metrics.plots.png import encode_png

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1240px; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; }
section > div { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.group { display: flex; flex-wrap: wrap; gap: 0.75rem; max-width: 100%; }
.one { width: 270px; } .wide { width: 830px; }
figure { margin: 0; max-width: 100%; } figure img { display: block; max-width: 100%; border-radius: 4px; }
figure audio { display: block; width: 100%; height: 36px; margin-top: 4px; } figcaption { font-weight: 600; }
pre { flex-basis: 100%; margin: 0; padding: 0.4rem 0.6rem; border: 1px solid var(--line); border-radius: 4px;
  font-size: 12px; line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; }
p.small { font-size: 13px; margin: 0; flex-basis: 100%; }
"""


@dataclass(frozen=True)
class Figure:
    """A sound, (samples,) or (samples, 2) float32 at 44.1 kHz, with its title and picture, (height, width, 3) uint8."""

    title: str
    sound: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Group:
    """Figures made by one command line, or explained by a remark."""

    figures: Sequence[Figure]
    command: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Chapter:
    """A heading, a sentence or two, and groups of figures."""

    heading: str
    text: str
    groups: Sequence[Group]


def html_page(title: str, text: str, chapters: Sequence[Chapter], extra: str = "") -> str:
    """A page of chapters as one HTML document: pictures as PNG and sounds as MP3, both inside it. extra: HTML that
    comes before the chapters."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join(_chapter(chapter) for chapter in chapters)
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1><p>{escape(text)}</p>\n{extra}{body}\n</body></html>\n"
    )


def _chapter(chapter: Chapter) -> str:
    groups = "\n".join(_group(group) for group in chapter.groups)
    heading = f"<h2>{escape(chapter.heading)}</h2><p>{escape(chapter.text)}</p>"
    return f"<section>{heading}\n<div>{groups}</div></section>"


def _group(group: Group) -> str:
    size = "" if len(group.figures) > 1 else " one"
    if any(figure.picture.shape[1] > 400 for figure in group.figures):
        size = " wide"
    figures = "\n".join(_figure(figure) for figure in group.figures)
    said = f"<pre>{escape(group.command)}</pre>" if group.command else ""
    said += f'<p class="small">{escape(group.remark)}</p>' if group.remark else ""
    return f'<div class="group{size}">{figures}{said}</div>'


def _figure(figure: Figure) -> str:
    title, picture = escape(figure.title), _inside("image/png", encode_png(figure.picture))
    height, width = figure.picture.shape[:2]
    image = f'<img src="{picture}" width="{width}" height="{height}" alt="Spectrogram: {title}">'
    player = f'<audio controls preload="none" src="{_inside("audio/mpeg", _mp3(figure.sound))}"></audio>'
    return f"<figure><figcaption>{title}</figcaption>{image}{player}</figure>"


def _inside(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _mp3(sound: np.ndarray) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(sound, -1, 1), SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()
