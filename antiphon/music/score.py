"""MIDI files to scores: `read_score`. Whatever music/smf.py can decode is read, damaged files included.

Times are in ticks here, not in seconds: a file's bars and beats are its grid. Notes that were played and not written
are moved to sixteenths or to triplets, beat by beat whichever is nearer, and the score says how far (`off_grid`).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.music.drums import as_struck
from antiphon.music.midi import hear_exclusive, in_order, modules_of, patterns
from antiphon.music.notation import (
    BASS,
    CHORDS,
    DRUMS,
    INNER,
    LONGEST_BAR,
    MELODY,
    ROLES,
    STEPS,
    Key,
    Metre,
    Score,
    ScoreNote,
    ScorePart,
    notes_in,
)
from antiphon.music.smf import EXCLUSIVE, PORT, TEMPO, Smf, read_smf
from antiphon.music.text import readable

__all__ = [
    "BASS", "CHORDS", "DRUMS", "INNER", "MELODY", "ROLES", "STEPS", "Key", "Metre", "Score", "ScoreNote", "ScorePart",
    "read_score", "roles_of",
]  # fmt: skip

MOST_BARS, MOST_PARTS, MOST_TEMPOS = 4000, 64, 1000
SLOWEST, FASTEST = 10.0, 600.0  # beats a minute
STRAIGHT, TRIPLET = 6, 8  # steps of the grids that played notes are moved to
WRITTEN = 0.02  # beats off the grid of 24ths at which a note may still have been written
PLAYED = 0.25  # share of notes farther off, above which a file was played and not written
BASS_PROGRAMS = range(32, 40)
LOW = 52.0  # mean pitch below which a part may be the bass
ALONE = 1.35  # mean notes of an onset below which a part is a single line


def read_score(path: str | Path) -> Score:
    """The score in a MIDI file of type 0, 1 or 2. Raises AntiphonError, in one line, if the file is missing, broken or
    without notes, or has too many parts."""
    path = Path(path)
    file = read_smf(path)
    beat = 0.5 / file.tick
    voices = _voices(file)
    if not voices:
        broken = len(file.tracks) < file.promised or not all(track.whole for track in file.tracks)
        raise AntiphonError(f"{path} " + ("is a broken MIDI file: export it again" if broken else "has no notes"))
    if len(voices) > MOST_PARTS:
        raise AntiphonError(f"{path} has {len(voices)} parts (by track and channel): merge some ({MOST_PARTS} at most)")
    off_grid = _to_grid(voices, beat)
    last = max(int(voice.rows[:, 0].max()) for voice in voices)
    metres = _metres(file, beat, last)
    starts = np.cumsum([0, *(metre.steps for metre in metres)])
    late = sum(int((voice.rows[:, 0] >= starts[-1]).sum()) for voice in voices)
    warnings = [f"{late} notes of {path} come after bar {MOST_BARS}: they are left out"] if late else []
    if not all(track.whole for track in file.tracks):
        warnings.append(f"{path} is damaged or cut short: read as far as possible")
    tables = [notes_in(starts, voice.rows) for voice in voices]
    kept = [(voice, notes) for voice, notes in zip(voices, tables, strict=True) if notes]
    if not kept:
        raise AntiphonError(f"{path} has no notes in its first {MOST_BARS} bars: cut it")
    parts = [ScorePart(v.name, DRUMS if v.drums else INNER, notes, v.program) for v, notes in kept]
    roles = roles_of(parts)
    return Score(
        tuple(ScorePart(p.name, role, p.notes, p.program) for p, role in zip(parts, roles, strict=True)),
        metres,
        _tempos(file, beat, int(starts[-1])),
        _keys(file, beat, starts),
        _markers(file, beat, starts),
        off_grid,
        tuple(warnings),
    )


# ---- notes -----------------------------------------------------------------------------------------------------------


@dataclass
class _Voice:
    """What one channel plays in one track. rows: (notes, 4) onset, pitch, length, velocity; onsets and ends in ticks
    first, then steps."""

    track: int
    channel: int
    drums: bool
    name: str = ""
    program: int = 0
    rows: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


def _voices(file: Smf) -> list[_Voice]:
    """All voices with notes, in order of track and channel; rows are (onset tick, pitch, end tick, velocity). Whether
    one is a kit and what plays it is what a sound module would make of its messages."""
    found: dict[tuple[int, int, bool], _Found] = defaultdict(_Found)
    begin = 0
    for pattern in patterns(file):
        end = _listen(file, pattern, begin, found)
        begin = end if file.kind == 2 else begin
    return [
        _Voice(*place, file.tracks[place[0]].name_of(place[1] % 16), one.programs.most_common(1)[0][0],
               np.array(one.rows, np.float64))
        for place, one in sorted(found.items())
    ]  # fmt: skip


@dataclass
class _Found:
    """What was heard of a voice: its rows, and how many of them each program has."""

    rows: list[list[int]] = field(default_factory=list)
    programs: Counter[int] = field(default_factory=Counter)


def _listen(file: Smf, pattern: list[int], begin: int, found: dict[tuple[int, int, bool], _Found]) -> int:
    """Add the notes of tracks that sound together from tick `begin` on. -> the tick at which they end"""
    modules, ports = modules_of(file, pattern), defaultdict[int, int](int)
    down: dict[tuple[int, int, int], deque[list[int]]] = defaultdict(deque)
    rows, stop = [], begin
    for number, (at, status, first, second) in in_order(file, pattern):
        tick, kind = begin + at, status >> 4
        channel = (status & 15) + 16 * ports[number]
        if status == PORT:
            ports[number] = first
        elif status == EXCLUSIVE:
            hear_exclusive(tick, file.tracks[number], first, modules, ports[number])
        elif 0x80 <= status < 0xF0:
            stop = max(stop, tick)
            if kind == 9 and second:
                told = modules[ports[number]].channels[status & 15]
                kit, program = as_struck(told.kit, told.program, first)
                one, row = found[number, channel, bool(kit)], [tick, first, -1, second]
                one.rows.append(row)
                one.programs[program] += 1
                down[number, channel, first].append(row)
                rows.append(row)
            elif kind in (8, 9) and down[number, channel, first]:
                down[number, channel, first].popleft()[2] = tick
            elif kind in (0xB, 0xC):
                modules[ports[number]].message(tick, number, status, first, second)
    beat = 0.5 / file.tick
    for row in rows:
        if row[2] < 0:  # never released: a beat, or to the end
            row[2] = round(max(min(stop, row[0] + 4 * beat), row[0] + beat))
    return begin + max((file.tracks[number].end for number in pattern), default=0)


def _to_grid(voices: list[_Voice], beat: float) -> float:
    """Turn ticks into steps on the grid. -> how far notes were moved, in beats, on average"""
    raw = np.concatenate([voice.rows[:, 0] for voice in voices]) / beat * STEPS
    off = np.abs(raw - np.rint(raw)) / STEPS
    played = float((off > WRITTEN / 2).mean()) > PLAYED
    grid = _Grid(raw) if played else None
    moved = 0.0
    for voice in voices:
        onset, end = voice.rows[:, 0] / beat * STEPS, voice.rows[:, 2] / beat * STEPS
        begins = grid.nearest(onset) if grid else np.rint(onset)
        ends = grid.nearest(end) if grid else np.rint(end)
        least = min(STRAIGHT, TRIPLET) / 2 if grid else 1
        moved += float(np.abs(begins - onset).sum()) / STEPS
        length = np.maximum(ends - begins, least)
        voice.rows = np.stack([begins, voice.rows[:, 1], length, voice.rows[:, 3]], 1).astype(np.int64)
    return moved / len(raw)


class _Grid:
    """For each beat, whether sixteenths or triplets are nearer to the onsets there (n,), in steps."""

    def __init__(self, onsets: np.ndarray):
        beats = np.rint(onsets // STEPS).astype(np.int64)
        self.beats, index = np.unique(beats, return_inverse=True)
        cost = [np.bincount(index, np.abs(onsets - np.rint(onsets / g) * g)) for g in (STRAIGHT, TRIPLET)]
        self.triplet = cost[1] + 0.5 < cost[0]  # in doubt, straight

    def nearest(self, at: np.ndarray) -> np.ndarray:
        index = np.minimum(np.searchsorted(self.beats, at // STEPS), len(self.beats) - 1)
        step = np.where(self.triplet[index] & (self.beats[index] == at // STEPS), TRIPLET, STRAIGHT)
        return np.rint(at / step) * step


# ---- what surrounds them ---------------------------------------------------------------------------------------------


def _changes(pairs) -> list:  # type: ignore[no-untyped-def, type-arg]
    """(place, value) in order; of several at one place the last counts."""
    return sorted(dict(sorted(pairs, key=itemgetter(0))).items())


def _steps(tick: int, beat: float) -> int:
    return round(tick / beat * STEPS)


def _metres(file: Smf, beat: float, last: int) -> tuple[Metre, ...]:
    """The metre of every bar up to the one that holds step `last`; a change within a bar ends it."""
    told = ((t, Metre(n, d)) for track in file.tracks for t, n, d in track.signatures if Metre.valid(n, d))
    changes = _changes((_steps(t, beat), metre) for t, metre in told) if file.elastic and file.kind != 2 else []
    found: list[Metre] = []
    at, index, metre = 0, 0, Metre()
    while at <= last and len(found) < MOST_BARS:
        while index < len(changes) and changes[index][0] <= at:
            metre = changes[index][1]
            index += 1
        here = metre
        if index < len(changes) and changes[index][0] < at + metre.steps:
            here = Metre.of(min(changes[index][0] - at, LONGEST_BAR))
        found.append(here)
        at += here.steps
    return tuple(found)


def _tempos(file: Smf, beat: float, stop: int) -> tuple[tuple[int, float], ...]:
    if not file.elastic:
        return ((0, 120.0),)
    events = (event for track in file.tracks for event in track.events if event.status == TEMPO)
    told = _changes((_steps(e.tick, beat), min(max(60e6 / e.first, SLOWEST), FASTEST)) for e in events)
    told = [(at, round(bpm, 3)) for at, bpm in told if at < stop]
    if not told or told[0][0] > 0:
        told.insert(0, (0, 120.0))
    return tuple(told[:MOST_TEMPOS])


def _bar_of(tick: int, beat: float, starts: np.ndarray) -> int:
    return int(np.searchsorted(starts, _steps(tick, beat), "right")) - 1


def _keys(file: Smf, beat: float, starts: np.ndarray) -> tuple[tuple[int, Key], ...]:
    told = (
        (_bar_of(t, beat, starts), Key((sharps * 7 + 9 * minor) % 12, minor))
        for track in file.tracks
        for t, sharps, minor in track.keys
    )
    found = [(bar, key) for bar, key in _changes(told) if bar < len(starts) - 1]
    return tuple(pair for i, pair in enumerate(found) if i == 0 or pair[1] != found[i - 1][1])


def _markers(file: Smf, beat: float, starts: np.ndarray) -> tuple[tuple[int, str], ...]:
    told = (
        (_bar_of(t, beat, starts), readable(raw, track.legacy)) for track in file.tracks for t, raw in track.markers
    )
    return tuple((bar, text) for bar, text in _changes(told) if bar < len(starts) - 1 and text)


# ---- roles -----------------------------------------------------------------------------------------------------------


def roles_of(parts: list[ScorePart] | tuple[ScorePart, ...]) -> list[str]:
    """The role of each part: drums stay drums; of the others, bass instruments and the lowest part, if it is low, are
    the bass, the highest single line is the melody (failing that, the highest part), the rest chords or inner voices.

    A part alone is a melody if it is a single line, else chords."""
    lines = {i: _character(part) for i, part in enumerate(parts) if not part.is_drum and part.notes}
    roles = [DRUMS if part.is_drum else INNER for part in parts]
    for i, (_, together) in lines.items():
        roles[i] = CHORDS if together > ALONE else INNER
    if not lines:
        return roles
    lowest = min(lines, key=lambda i: lines[i][0])
    for i in lines:
        deep = lines[i][0] < LOW + 8
        if len(lines) > 1 and ((parts[i].program in BASS_PROGRAMS and deep) or (i == lowest and lines[i][0] < LOW)):
            roles[i] = BASS
    left = [i for i in lines if roles[i] != BASS]
    single = [i for i in left if roles[i] == INNER]
    highest = max(single or left, key=lambda i: lines[i][0], default=None)
    if highest is not None and (single or len(lines) > 1):
        roles[highest] = MELODY
    return roles


def _character(part: ScorePart) -> tuple[float, float]:
    """Mean pitch, and mean notes of an onset."""
    pitches = np.array([note.pitch for note in part.notes])
    onsets = {(note.bar, note.position) for note in part.notes}
    return float(pitches.mean()), len(part.notes) / len(onsets)
