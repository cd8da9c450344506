"""Chapters of sounds and their pictures as one HTML file. Everything is inside it, so that it can be sent and kept."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote

import numpy as np

from antiphon.core.html import document, image, inside, player
from antiphon.core.stopping import held
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.plots.png import encode_png

STYLE = """
h2 { margin-top: 3rem; }
section > div { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.group { display: flex; flex-wrap: wrap; gap: 0.75rem; max-width: 100%; }
.one { width: 270px; } .wide { width: 830px; } .group .small { flex-basis: 100%; }
pre { flex-basis: 100%; margin: 0; padding: 0.4rem 0.6rem; border: 1px solid var(--line); border-radius: 4px;
  font-size: 12px; line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Figure:
    """A sound, (samples,) or (samples, 2) float32 at 44.1 kHz, with its title and picture, (height, width, 3) uint8."""

    title: str
    sound: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Group:
    """Figures made by one command line, or explained by a remark; links: files beside the page, by title."""

    figures: Sequence[Figure]
    command: str = ""
    remark: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Chapter:
    """A heading, a sentence or two, and groups of figures."""

    heading: str
    text: str
    groups: Sequence[Group]


def html_page(title: str, text: str, chapters: Sequence[Chapter], extra: str = "", style: str = "") -> str:
    """A page of chapters as one HTML document: pictures as PNG and sounds as MP3, both inside it. extra: HTML that
    comes before the chapters; style: its CSS."""
    body = "\n".join(_chapter(chapter) for chapter in chapters)
    return document(title, f"<p>{escape(text)}</p>\n{extra}{body}", style=STYLE + style)


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
    said += "".join(
        f'<p class="small"><a href="{escape(quote(path))}">{escape(name)}</a></p>' for name, path in group.links.items()
    )
    return f'<div class="group{size}">{figures}{said}</div>'


def _figure(figure: Figure) -> str:
    height, width = figure.picture.shape[:2]
    shown = image(encode_png(figure.picture), f"Spectrogram: {figure.title}", (width, height))
    sound = player(inside("audio/mpeg", mp3(figure.sound)))
    return f"<figure><figcaption>{escape(figure.title)}</figcaption>{shown}{sound}</figure>"


def mp3(sound: np.ndarray) -> bytes:
    import soundfile

    file = io.BytesIO()
    with held():  # libsndfile calls the file's methods, which could not pass a stop on
        soundfile.write(file, np.clip(sound, -1, 1), SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()
