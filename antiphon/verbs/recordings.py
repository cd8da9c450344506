"""How the recordings of a folder sound, for `data inspect`: minutes, loudness, stereo width, what ticks at which rate,
how many events there are; in words, as JSON, and as a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.markup import escape as plain
from rich.table import Table
from rich.text import Text

from antiphon.audio.ops import resample
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.faults import LEFT_OUT, Fault, clock
from antiphon.data.analysis.pulse import LONGEST, find_pulse
from antiphon.data.labelling.recordings import Recording, Recordings, read_pieces, totals
from antiphon.music.master import Meter
from antiphon.verbs.folder_page import MOST_REFUSED, address, player
from antiphon.verbs.page import html_page

TICKS = 0.35  # strength from which a rate is one that is heard
HOP = 0.01  # seconds of a level
EVENT_DB, EVENT_APART, AROUND = 9.0, 0.2, 2.0  # dB over what is usual around it; seconds between two; seconds around
MOST_REMARKS = 40
WIDTH, HEIGHT, POINTS = 900, 70, 450  # of the picture of a recording: pixels, and how many of its levels are drawn
LOW_DB, HIGH_DB = -75.0, 0.0
COLOURS = {"silence": "#8888", "clipping": "#c0392b99", "wind bump": "#e67e2299", "spoken slate": "#8e44ad99"}
MOST_SHOWN = 40  # recordings of a label on the page


@dataclass(frozen=True)
class Sound:
    """What is measured of a recording. loudness: LUFS. width: 0 mono to 1 where its channels have nothing in common;
    None for one channel. rate: Hz at which it ticks, if it does. events: a minute. levels: dBFS, every 10 ms."""

    loudness: float
    width: float | None
    rate: float | None
    events: float
    levels: np.ndarray


@dataclass(frozen=True)
class Place:
    """What is measured of a label: medians over its recordings, by length."""

    recordings: int
    minutes: float
    loudness: float
    width: float | None
    rate: float | None
    ticking: float  # share of its recordings that tick
    events: float
    held_out: int
    label_from: tuple[str, ...]


def measure(row: Recording) -> Sound:
    """How what can be used of a recording sounds."""
    meter, sums, levels = Meter(row.rate), np.zeros(2), []
    kept: list[np.ndarray] = []
    for piece in read_pieces(row):
        meter.add(piece[:, :2])
        mono = piece[:, :2].mean(axis=1)
        if row.channels > 1:
            sums += (mono**2).sum(), (((piece[:, 0] - piece[:, 1]) / 2) ** 2).sum()
        kept.append(mono[: max(round(LONGEST * row.rate) - sum(len(part) for part in kept), 0)])
        levels.append(_levels(piece[:, :2], row.rate))
    level = np.concatenate(levels) if levels else np.zeros(0)
    pulse = find_pulse(resample(np.concatenate(kept), row.rate, SAMPLE_RATE))
    middle, side = sums
    width = float(min(2 * side / max(middle + side, 1e-12), 1.0)) if row.channels > 1 else None
    seconds = max(len(level) * HOP, HOP)
    rate = pulse.rate if pulse.strength > TICKS else None
    return Sound(meter.loudness(), width, rate, 60 * count_events(level) / seconds, level)


def count_events(levels: np.ndarray) -> int:
    """How often the level, dB every 10 ms, rises EVENT_DB above its median over the AROUND seconds around."""
    if len(levels) < 3:
        return 0
    size = max(round(AROUND / HOP), 3)
    usual = _running_median(levels, size)
    over = levels > np.maximum(usual, levels.max() - 60) + EVENT_DB
    starts = np.flatnonzero(over & ~np.concatenate([[False], over[:-1]]))
    count, last = 0, -np.inf
    for start in starts.tolist():
        if (start - last) * HOP >= EVENT_APART:
            count += 1
        last = start
    return count


def _running_median(x: np.ndarray, size: int) -> np.ndarray:
    """The median of about `size` values around each, every tenth computed and the rest between them."""
    step = max(size // 20, 1)
    padded = np.pad(x, size // 2, mode="reflect" if len(x) > size else "edge")
    at = np.arange(0, len(x), step)
    return np.interp(np.arange(len(x)), at, [np.median(padded[k : k + size]) for k in at])


def _levels(piece: np.ndarray, rate: int) -> np.ndarray:
    hop = max(round(HOP * rate), 1)
    count = len(piece) // hop
    power = (piece[: count * hop].astype(np.float64) ** 2).mean(axis=1).reshape(count, hop).mean(axis=1)
    return 10 * np.log10(power + 1e-10)


# ---- by label --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """A folder of recordings with what was measured of each, in the order of its rows."""

    found: Recordings
    sounds: list[Sound]

    def by_label(self) -> Iterator[tuple[str, list[tuple[Recording, Sound]]]]:
        groups: dict[str, list[tuple[Recording, Sound]]] = defaultdict(list)
        for row, sound in zip(self.found.rows, self.sounds, strict=True):
            groups[row.label].append((row, sound))
        yield from sorted(groups.items())

    def places(self) -> dict[str, Place]:
        """What is measured of every label."""
        return {label: _place(pairs) for label, pairs in self.by_label()}


def hear(found: Recordings, progress: Callable[[int, int], None] | None = None) -> Heard:
    """Measures every recording of a folder."""
    sounds = []
    for number, row in enumerate(found.rows, 1):
        sounds.append(measure(row))
        if progress:
            progress(number, len(found.rows))
    return Heard(found, sounds)


def _place(pairs: Sequence[tuple[Recording, Sound]]) -> Place:
    rows, sounds = zip(*pairs, strict=True)
    seconds = np.array([row.usable_seconds for row in rows])
    ticking = np.array([sound.rate is not None for sound in sounds])
    share = float(seconds[ticking].sum() / max(seconds.sum(), 1e-9))
    loud = [(sound.loudness, s) for sound, s in zip(sounds, seconds, strict=True) if np.isfinite(sound.loudness)]
    wide = [(sound.width, s) for sound, s in zip(sounds, seconds, strict=True) if sound.width is not None]
    rates = [(sound.rate, s) for sound, s in zip(sounds, seconds, strict=True) if sound.rate is not None]
    return Place(
        len({row.recording for row in rows}),
        float(seconds.sum() / 60),
        _median(loud) if loud else -np.inf,
        _median(wide) if wide else None,
        _median(rates) if share >= 0.5 else None,
        share,
        _median([(sound.events, s) for sound, s in zip(sounds, seconds, strict=True)]),
        len({row.recording for row in rows if row.split != "train"}),
        tuple(sorted({row.label_from for row in rows})),
    )


def _median(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of values with weights."""
    ordered = sorted(pairs)
    weights = np.cumsum([weight for _, weight in ordered])
    return float(ordered[int(np.searchsorted(weights, weights[-1] / 2))][0])


# ---- in words, as JSON, as a page ------------------------------------------------------------------------------------


def summary(heard: Heard, refusals: int = 30) -> RenderableType:
    """A rich renderable: a line per label, what is wrong in which recording, and what was refused."""
    table = Table(
        "label", "recordings", "minutes", "LUFS", "width", "repeats at", "events a minute", "held out", "label from"
    )
    for label, place in heard.places().items():
        table.add_row(plain(label), *_cells(place))
    parts: list[RenderableType] = [table, Text(f"{totals(heard.found)} in {heard.found.folder}")]
    parts += [Text(f"note: {remark}") for remark in heard.found.remarks]
    remarks = [(place_of(row, heard.found), remark) for row in heard.found for remark in row.remarks]
    for path, remark in remarks[:MOST_REMARKS]:
        parts.append(Text(f"{path}: {remark}"))
    if len(remarks) > MOST_REMARKS:
        parts.append(Text(f"... and {len(remarks) - MOST_REMARKS} more remarks; --picture PAGE.html shows all"))
    if heard.found.refused:
        refused = Table("refused", "why")
        for item in heard.found.refused[:refusals]:
            refused.add_row(plain(item.path.relative_to(heard.found.folder).as_posix()), plain(item.reason))
        if len(heard.found.refused) > refusals:
            refused.add_row("...", f"and {len(heard.found.refused) - refusals} more")
        parts.append(refused)
    return Group(*parts)


def _cells(place: Place) -> list[str]:
    return [
        str(place.recordings),
        f"{place.minutes:.1f}",
        f"{place.loudness:.1f}",
        "mono" if place.width is None else f"{place.width:.2f}",
        "" if place.rate is None else f"{place.rate:.1f} Hz",
        f"{place.events:.0f}",
        str(place.held_out),
        ", ".join(place.label_from),
    ]


def facts(heard: Heard) -> dict[str, Any]:
    """The same as JSON can hold it: `labels` with their medians; `rows` of all recordings, with their faults."""
    return {
        "folder": str(heard.found.folder),
        "kind": "recordings",
        "labels": {
            label: {
                "recordings": place.recordings,
                "minutes": place.minutes,
                "lufs": place.loudness if np.isfinite(place.loudness) else None,
                "width": place.width,
                "rate_hz": place.rate,
                "share_with_a_rate": place.ticking,
                "events_a_minute": place.events,
                "held_out": place.held_out,
            }
            for label, place in heard.places().items()
        },
        "rows": [_fact(row, sound, heard.found) for row, sound in zip(heard.found.rows, heard.sounds, strict=True)],
        "refused": [{"path": _within(item.path, heard.found), "reason": item.reason} for item in heard.found.refused],
        "remarks": heard.found.remarks,
    }


def _fact(row: Recording, sound: Sound, found: Recordings) -> dict[str, Any]:
    return {
        "path": place_of(row, found),
        "label": row.label,
        "label_from": row.label_from,
        "recording": row.recording,
        "split": row.split,
        "seconds": row.seconds,
        "usable": [list(stretch) for stretch in row.stretches],
        "channels": row.channels,
        "sample_rate": row.rate,
        "lufs": sound.loudness if np.isfinite(sound.loudness) else None,
        "width": sound.width,
        "rate_hz": sound.rate,
        "events_a_minute": sound.events,
        "faults": [{"kind": f.kind, "start": f.start, "stop": f.stop, "detail": f.detail} for f in row.faults],
        "remarks": list(row.remarks),
        "licence": row.licence,
        "author": row.author,
        "source": row.source,
    }


def place_of(row: Recording, found: Recordings) -> str:
    """A recording's path as it is shown: within the folder."""
    return _within(row.path, found)


def _within(path: Path, found: Recordings) -> str:
    return path.relative_to(found.folder).as_posix()


def page(heard: Heard) -> str:
    """The page, one HTML document: every label with its figures, its recordings with their levels, and what is left out
    of them in colour."""
    dots = " &nbsp; ".join(f'<span style="color:{colour}">&#9632;</span> {kind}' for kind, colour in COLOURS.items())
    parts = [f"<p>Left out: {dots}</p>", *(f"<p>{escape(remark)}</p>" for remark in heard.found.remarks)]
    head = ("recordings", "minutes", "LUFS", "width", "repeats at", "events a minute", "held out", "label from")
    for label, pairs in heard.by_label():
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in _cells(_place(pairs)))
        names = "".join(f"<th>{name}</th>" for name in head)
        parts.append(f"<h2>{escape(label)}</h2><table><tr>{names}</tr><tr>{cells}</tr></table>")
        parts += [_strip(row, sound, heard.found) for row, sound in pairs[:MOST_SHOWN]]
        if len(pairs) > MOST_SHOWN:
            parts.append(f"<p>and {len(pairs) - MOST_SHOWN} more</p>")
    refused = "".join(
        f"<tr><td>{escape(_within(item.path, heard.found))}</td><td>{escape(item.reason)}</td></tr>"
        for item in heard.found.refused[:MOST_REFUSED]
    )
    parts.append(f"<h2>Refused</h2><table>{refused}</table>" if refused else "")
    text = f"{totals(heard.found)}. A line is a recording: its level from {LOW_DB:g} to {HIGH_DB:g} dBFS."
    return html_page(f"Recordings in {heard.found.folder.name or heard.found.folder}", text, [], "\n".join(parts))


def _strip(row: Recording, sound: Sound, found: Recordings) -> str:
    """A recording's name, figures, picture and player."""
    said = f"{place_of(row, found)}: {clock(row.seconds)}, {row.channels} ch, {row.rate} Hz, {sound.loudness:.1f} LUFS"
    said += f", {sound.rate:.2f} Hz" if sound.rate else ""
    remarks = "".join(f"<br>{escape(remark)}" for remark in row.remarks)
    marks = "".join(_mark(fault, row.seconds) for fault in row.faults if fault.kind in LEFT_OUT)
    lines = (" ".join(f"{x:.1f},{y:.1f}" for x, y in points) for points in _curves(row, sound))
    drawn = "".join(f'<polyline points="{line}" fill="none" stroke="currentColor"/>' for line in lines)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img">{marks}{drawn}</svg>'
    return f'<p class="small">{escape(said)}{remarks}</p>{svg}{player(address(row.path))}'


def _mark(fault: Fault, seconds: float) -> str:
    x, width = fault.start / seconds * WIDTH, max((fault.stop - fault.start) / seconds * WIDTH, 1.5)
    title = f"<title>{escape(str(fault))}</title>"
    return f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="{HEIGHT}" fill="{COLOURS[fault.kind]}">{title}</rect>'


def _curves(row: Recording, sound: Sound) -> Iterator[list[tuple[float, float]]]:
    """Points of the level over time, the loudest of those that fall together, for every stretch that is used."""
    step, at = max(len(sound.levels) // POINTS, 1), 0
    for start, stop in row.stretches:
        count = round((stop - start) / HOP)
        own, at = sound.levels[at : at + count], at + count
        loudest = [float(np.clip(own[k : k + step].max(), LOW_DB, HIGH_DB)) for k in range(0, len(own), step)]
        xs = ((start + k * step * HOP) / row.seconds * WIDTH for k in range(len(loudest)))
        yield [(x, HEIGHT * (HIGH_DB - y) / (HIGH_DB - LOW_DB)) for x, y in zip(xs, loudest, strict=True)]
