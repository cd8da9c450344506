"""What `antiphon data cut` makes of a session: the notes, their names, and the page that shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from antiphon.audio.files import SAMPLE_RATE
from antiphon.data.analysis.session import notes_in, played
from antiphon.data.labelling.labels import parse_name
from antiphon.data.labelling.row import note_name
from antiphon.verbs.folder_page import player, svg_rect, svg_text
from antiphon.verbs.page import html_page

LOUDEST = 115  # the velocity of a session's loudest note
FAINTEST = 40.0  # dB that a note may lie below it
FADE = 441  # samples: where a note is cut off by the next
ROW_SECONDS = 20.0  # of the page's picture
WIDTH, HEIGHT = 1200, 90


@dataclass(frozen=True)
class Cut:
    """One note of a session. start, end: samples. pitch: MIDI, a whole number. velocity: 1..127."""

    start: int
    end: int
    pitch: int
    velocity: int

    def sound(self, audio: np.ndarray) -> np.ndarray:
        """The note of a session, (samples,) or (samples, channels), faded out where it ends."""
        note = audio[self.start : self.end].copy()
        fade = min(FADE, len(note))
        ramp = np.linspace(1, 0, fade, dtype=np.float32)
        note[len(note) - fade :] *= ramp if note.ndim == 1 else ramp[:, None]
        return note


def spans_of(audio: np.ndarray) -> list[Cut]:
    """The notes of a session that have a pitch; velocities follow their levels, a halving for every 12 dB."""
    spans = played(notes_in(audio), FAINTEST)
    top = max((span.level for span in spans), default=0.0)
    return [
        Cut(span.start, span.end, round(span.pitch), max(1, round(LOUDEST * 10 ** ((span.level - top) / 40))))
        for span in spans
        if span.pitch is not None and 0 <= span.pitch <= 127
    ]


def label_of(stem: str) -> str:
    """An instrument's name from a session's."""
    named = parse_name(stem).instrument or "note"
    return " ".join(word for word in named.split() if word not in ("session", "recording", "take")) or "note"


def named(spans: Sequence[Cut], label: str) -> list[str]:
    """A file name each: instrument, pitch, velocity, and which of those alike it is."""
    bare = re.sub(r"[^\w-]+", "-", label).strip("-_")[:60] or "note"
    seen: Counter[tuple[int, int]] = Counter()
    files = []
    for span in spans:
        seen[span.pitch, span.velocity] += 1
        count = seen[span.pitch, span.velocity]
        files.append(f"{bare}_{note_name(span.pitch)}_v{span.velocity:03d}_rr{count}.wav")
    return files


def page_of(title: str, audio: np.ndarray, spans: Sequence[Cut], files: Sequence[str]) -> str:
    """The page: the session's waveform with its notes, and a player for each."""
    rows = [_row(audio, spans, start) for start in np.arange(0, len(audio) / SAMPLE_RATE, ROW_SECONDS)]
    players = "".join(
        f"<tr><td>{note_name(span.pitch)}</td><td>{span.velocity}</td><td>{span.start / SAMPLE_RATE:.2f} s</td>"
        f"<td>{(span.end - span.start) / SAMPLE_RATE:.2f} s</td><td>{player(quote(file))}</td></tr>"
        for span, file in zip(spans, files, strict=True)
    )
    head = "<tr><th>note</th><th>velocity</th><th>at</th><th>lasts</th><th></th></tr>"
    text = f"{len(spans)} notes were cut from {title}. Coloured: what is in the notes' files."
    return html_page(f"Cut: {title}", text, [], "".join(rows) + f"<table>{head}{players}</table>")


def _row(audio: np.ndarray, spans: Sequence[Cut], start: float) -> str:
    first, size = round(start * SAMPLE_RATE), round(ROW_SECONDS * SAMPLE_RATE)
    scale = WIDTH / size
    parts = []
    for span in spans:
        if first <= span.start < first + size or first < span.end <= first + size:
            left, right = max(span.start, first) - first, min(span.end, first + size) - first
            parts.append(svg_rect(left * scale, 14, max((right - left) * scale - 1, 1), HEIGHT - 14, "#4a90d955"))
            parts.append(svg_text(left * scale + 2, 11, note_name(span.pitch)))
    part = np.abs(audio[first : first + size])
    step = max(size // WIDTH, 1)
    peaks = [float(part[at : at + step].max()) for at in range(0, len(part), step)]
    top = max(float(np.abs(audio).max()), 1e-9)
    middle = 14 + (HEIGHT - 14) / 2
    for x, peak in enumerate(peaks):
        height = max(peak / top * (HEIGHT - 18), 0.5)
        parts.append(svg_rect(x, middle - height / 2, 1, height, "currentColor"))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img">{"".join(parts)}</svg>'
