"""A score as a picture: a piano roll in lines of a few bars, a colour for each part, drums below, sections above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from antiphon.metrics.composition import sections
from antiphon.metrics.plots.titles import draw_title
from antiphon.music.notation import STEPS, Score
from antiphon.music.qualities import note_table

WIDTH, MARGIN = 1200, 8  # pixels
LINE = 16 * 4 * STEPS  # steps of a line, at most: sixteen bars of 4/4
HEAD, GAP, LEGEND = 18, 10, 22  # pixels: the line of sections, between two lines, the names of parts
FEWEST_KEYS = 25  # semitones that are shown, at least
DRUM_HEIGHT = 4
GROUND, BLACK_KEYS, BEATS, BARS, WORDS = (20, 20, 26), (27, 27, 35), (34, 34, 44), (78, 78, 96), (200, 200, 210)
COLOURS = (
    (255, 196, 61), (79, 172, 254), (126, 217, 87), (239, 108, 122), (186, 140, 255), (64, 224, 208), (255, 143, 60),
    (222, 222, 120), (140, 160, 200), (255, 130, 220),
)  # fmt: skip
DRUM_COLOUR = (190, 190, 200)
SHADES = 4  # of loudness, so that a picture keeps to a palette


@dataclass(frozen=True)
class Line:
    """Bars first to stop - 1 of a score, drawn at `top` pixels; each bar from one of `edges` to the next, in pixels."""

    first: int
    stop: int
    top: int
    height: int
    edges: tuple[int, ...]


@dataclass(frozen=True)
class Roll:
    """pixels: (height, WIDTH, 3) uint8; lines: where its bars are; words: what is seen."""

    pixels: np.ndarray
    lines: tuple[Line, ...]
    words: str


def marked(score: Score) -> list[tuple[int, str]]:
    """(bar, name) of a score's sections: those written in it or, if there are none, those that can be heard."""
    return list(score.markers) or sections(note_table(score))


def draw_roll(score: Score) -> Roll:
    """The picture of a whole score."""
    parts = [i for i, part in enumerate(score.parts) if part.notes]
    colours = _colours(score)
    pitches = [n.pitch for i in parts for n in score.parts[i].notes if not score.parts[i].is_drum]
    low, high = _range(pitches)
    kit = sorted({n.pitch for i in parts for n in score.parts[i].notes if score.parts[i].is_drum}, reverse=True)
    key_height = 3 if high - low < 60 else 2
    tuned = key_height * (high - low + 1) if pitches else 0
    height = HEAD + tuned + DRUM_HEIGHT * len(kit) + GAP
    lines = _lines(score, height)
    pixels = np.full((LEGEND + height * len(lines), WIDTH, 3), GROUND, np.uint8)
    _legend(pixels[:LEGEND], [(score.parts[i].name or score.parts[i].role, colours[i]) for i in parts])
    for line in lines:
        _ruled(pixels, score, line, low, high, key_height if pitches else 0)
    rows = {key: HEAD + tuned + DRUM_HEIGHT * k for k, key in enumerate(kit)}
    for i in parts:
        drum = score.parts[i].is_drum
        place = (lambda pitch: rows[pitch]) if drum else (lambda pitch: HEAD + key_height * (high - pitch))
        _notes(pixels, score, i, lines, place, DRUM_HEIGHT if drum else key_height, colours[i])
    _titles(pixels, score, lines)
    return Roll(pixels, tuple(lines), _words(score))


def _range(pitches: Sequence[int]) -> tuple[int, int]:
    """The lowest and the highest key that are shown."""
    if not pitches:
        return 60, 60
    low, high = min(pitches) - 1, max(pitches) + 1
    more = max(FEWEST_KEYS - (high - low + 1), 0)
    return low - more // 2, high + more - more // 2


def _colours(score: Score) -> list[tuple[int, int, int]]:
    found, used = [], 0
    for part in score.parts:
        found.append(DRUM_COLOUR if part.is_drum else COLOURS[used % len(COLOURS)])
        used += not part.is_drum
    return found


def _lines(score: Score, height: int) -> list[Line]:
    """Whole bars to a line; all lines have the same scale, that of the longest."""
    groups: list[list[int]] = [[]]
    steps = np.diff(score.starts).tolist()
    for bar, size in enumerate(steps):
        if groups[-1] and sum(steps[b] for b in groups[-1]) + size > LINE:
            groups.append([])
        groups[-1].append(bar)
    longest = max(sum(steps[b] for b in group) for group in groups)
    scale = (WIDTH - 2 * MARGIN) / longest
    lines = []
    for number, group in enumerate(groups):
        edges = MARGIN + np.rint(scale * np.cumsum([0, *(steps[b] for b in group)])).astype(int)
        lines.append(Line(group[0], group[-1] + 1, LEGEND + number * height, height, tuple(edges.tolist())))
    return lines


def _ruled(pixels: np.ndarray, score: Score, line: Line, low: int, high: int, key_height: int) -> None:
    """Black keys, beats and barlines."""
    left, right = line.edges[0], line.edges[-1]
    top, bottom = line.top + HEAD, line.top + line.height - GAP
    for key in range(low, high + 1) if key_height else ():
        if key % 12 in (1, 3, 6, 8, 10):
            y = top + key_height * (high - key)
            pixels[y : y + key_height, left:right] = BLACK_KEYS
    for bar, (start, stop) in enumerate(zip(line.edges, line.edges[1:], strict=False), line.first):
        metre = score.metres[bar]
        for beat in range(1, metre.beats):
            pixels[top:bottom, start + round((stop - start) * beat / metre.beats)] = BEATS
        pixels[top - 2 : bottom, start] = BARS
    pixels[top - 2 : bottom, min(right, WIDTH - 1)] = BARS


def _notes(pixels, score: Score, index: int, lines: list[Line], place, height: int, colour) -> None:  # type: ignore[no-untyped-def]
    """One part's notes; what crosses the end of a line goes on in the next one."""
    part = score.parts[index]
    for onset, pitch, length, velocity, _ in score.table(part).tolist():
        length = min(length, STEPS // 4) if part.is_drum else length
        shade = 0.55 + 0.45 * round(velocity / 127 * SHADES) / SHADES
        ink = np.round(np.array(colour) * shade).astype(np.uint8)
        for line in lines:
            begin, end = int(score.starts[line.first]), int(score.starts[line.stop])
            if onset >= end or onset + length <= begin:
                continue
            scale = (line.edges[-1] - line.edges[0]) / (end - begin)
            left = line.edges[0] + round((max(onset, begin) - begin) * scale) + (onset >= begin)
            right = max(line.edges[0] + round((min(onset + length, end) - begin) * scale), left + 2)
            y = line.top + place(pitch)
            pixels[y : y + max(height - (height > 3), 1), left : min(right, WIDTH - 1)] = ink


def _legend(strip: np.ndarray, names: list[tuple[str, tuple[int, int, int]]]) -> None:
    wide = min((WIDTH - 2 * MARGIN) // max(len(names), 1), 200)
    for k, (name, colour) in enumerate(names):
        draw_title(strip[:, MARGIN + k * wide : MARGIN + (k + 1) * wide - 6], name, colour)


def _titles(pixels: np.ndarray, score: Score, lines: list[Line]) -> None:
    """The sections' names, and the first bar's number of every line."""
    named = dict(marked(score))
    for line in lines:
        for bar in range(line.first, line.stop):
            text = named.get(bar, "")
            number = str(bar + 1) if bar == line.first or text else ""
            left = line.edges[bar - line.first] + 3
            draw_title(
                pixels[line.top : line.top + HEAD - 3, left : min(left + 150, WIDTH)], f"{number}  {text}", WORDS
            )


def _words(score: Score) -> str:
    """What is seen, in words."""
    names = ", ".join(part.name or part.role for part in score.parts if part.notes)
    where = "; ".join(f"{text} from bar {bar + 1}" for bar, text in marked(score))
    return f"Piano roll of {score.bars} bars: {names}. Sections: {where or 'none'}."
