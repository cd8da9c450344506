"""What a score is: parts of notes on a grid of bars, with metres, tempos, keys and markers. music/score.py reads one
from any MIDI file; `Score.write` writes one.

A song (music/song.py) is what is played, in seconds; a score is what is written, in steps of a 24th of a beat, which
holds 32nd notes and triplets alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from antiphon.audio.files import check_place
from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.music.drums import DRUM_CHANNEL
from antiphon.music.smf_writer import TICKS, Message, encode_smf, meta

STEPS = 24  # of a beat, which is a quarter note
SCALE = TICKS // STEPS  # ticks of a written file in a step
MELODY, INNER, CHORDS, BASS, DRUMS = ROLES = ("melody", "inner", "chords", "bass", "drums")
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Key(NamedTuple):
    """tonic: pitch class, 0 for C; minor: whether it is a minor key."""

    tonic: int
    minor: bool = False

    def __str__(self) -> str:
        return NAMES[self.tonic] + "m" * self.minor

    @property
    def sharps(self) -> int:
        """Of its signature, -5 (flats) to 6."""
        return ((self.tonic + 3 * self.minor) * 7 + 5) % 12 - 5

    @classmethod
    def parse(cls, text: str) -> Key:
        """ "C", "Am", "F# minor", "Bbmaj" ... Raises AntiphonError for anything else."""
        found = re.fullmatch(r"\s*([A-Ga-g])([#♯b♭]?)\s*(m|min|minor|maj|major|)\s*", text)
        if not found:
            raise AntiphonError(f"{text!r} is not a key: use a note name, with m for minor, such as C, F#, Bb or Am")
        letter, accidental, mode = found.groups()
        moved = {"#": 1, "♯": 1, "b": -1, "♭": -1, "": 0}[accidental]
        return cls((LETTERS[letter.upper()] + moved) % 12, mode in ("m", "min", "minor"))


class Metre(NamedTuple):
    """A bar of `beats` notes of which `unit` make a whole one: 6/8 is Metre(6, 8)."""

    beats: int = 4
    unit: int = 4

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"

    @property
    def steps(self) -> int:
        return self.beats * 4 * STEPS // self.unit

    @classmethod
    def parse(cls, text: str) -> Metre:
        """ "4/4", "6/8" ... Raises AntiphonError for anything else."""
        found = re.fullmatch(r"\s*(\d{1,2})\s*/\s*(\d{1,2})\s*", text)
        if not found or not cls.valid(int(found[1]), int(found[2])):
            raise AntiphonError(f"{text!r} is not a metre: use one such as 4/4, 3/4 or 6/8")
        return cls(int(found[1]), int(found[2]))

    @staticmethod
    def valid(beats: int, unit: int) -> bool:
        return unit in (1, 2, 4, 8, 16, 32) and beats >= 1 and 3 <= beats * 4 * STEPS // unit <= LONGEST_BAR

    @classmethod
    def of(cls, steps: int) -> Metre:
        """The simplest metre of a bar so long, to a 32nd note."""
        for unit in (4, 8, 16, 32):
            if steps * unit % (4 * STEPS) == 0:
                return cls(steps * unit // (4 * STEPS), unit)
        return cls(max(round(steps / 3), 1), 32)


LONGEST_BAR = 16 * STEPS


class ScoreNote(NamedTuple):
    """bar: from 0; position: steps into the bar; pitch: MIDI, or the key of a drum; length: steps, possibly beyond the
    bar; velocity: 1..127."""

    bar: int
    position: int
    pitch: int
    length: int
    velocity: int = 80


@dataclass(frozen=True)
class ScorePart:
    """notes: in order of onset, then of pitch. role: one of ROLES. program: General MIDI's, from 0."""

    name: str
    role: str
    notes: tuple[ScoreNote, ...]
    program: int = 0

    @property
    def is_drum(self) -> bool:
        return self.role == DRUMS


@dataclass(frozen=True)
class Score:
    """metres: one for each bar. tempos: (step, beats a minute), the first at 0. keys: (bar, key). markers: (bar, text),
    such as sections. off_grid: beats by which the notes were moved to the grid, on average. warnings: a line for each
    thing that was repaired or left out."""

    parts: tuple[ScorePart, ...]
    metres: tuple[Metre, ...]
    tempos: tuple[tuple[int, float], ...] = ((0, 120.0),)
    keys: tuple[tuple[int, Key], ...] = ()
    markers: tuple[tuple[int, str], ...] = ()
    off_grid: float = 0.0
    warnings: tuple[str, ...] = field(default=(), compare=False)

    # ---- time --------------------------------------------------------------------------------------------------------

    @property
    def bars(self) -> int:
        return len(self.metres)

    @cached_property
    def starts(self) -> np.ndarray:
        """(bars + 1,) int: steps at which each bar begins, and the end."""
        return np.cumsum([0, *(metre.steps for metre in self.metres)])

    @property
    def tempo(self) -> float:
        """Beats a minute at the beginning."""
        return self.tempos[0][1]

    @property
    def key(self) -> Key | None:
        """The first one written, if any [music/harmony.py estimates it]."""
        return self.keys[0][1] if self.keys else None

    def onset(self, note: ScoreNote) -> int:
        """Steps from the beginning."""
        return int(self.starts[note.bar]) + note.position

    def place(self, onset: int) -> tuple[int, int]:
        """(bar, position) of a step from the beginning."""
        bar = min(int(np.searchsorted(self.starts, onset, "right")) - 1, self.bars - 1)
        return bar, onset - int(self.starts[bar])

    def table(self, part: ScorePart) -> np.ndarray:
        """(notes, 5) int: onset from the beginning, pitch, length, velocity, bar."""
        rows = np.array(part.notes, np.int64).reshape(-1, 5)
        return np.stack([self.starts[rows[:, 0]] + rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4], rows[:, 0]], 1)

    def seconds(self, step: int | None = None) -> float:
        """Until a step (default: the end)."""
        stop = int(self.starts[-1]) if step is None else step
        edges = [at for at, _ in self.tempos if at < stop] + [stop]
        return sum((after - at) / STEPS * 60 / bpm for (at, bpm), after in zip(self.tempos, edges[1:], strict=False))

    # ---- other scores ------------------------------------------------------------------------------------------------

    def transposed(self, semitones: int) -> Score:
        """All but the drums moved; notes that leave MIDI's range move by octaves. Keys move too."""

        def moved(note: ScoreNote) -> ScoreNote:
            pitch = note.pitch + semitones
            return note._replace(pitch=pitch + 12 * (pitch < 0) - 12 * (pitch > 127))

        parts = [p if p.is_drum else replace(p, notes=tuple(map(moved, p.notes))) for p in self.parts]
        keys = tuple((bar, Key((key.tonic + semitones) % 12, key.minor)) for bar, key in self.keys)
        return replace(self, parts=tuple(parts), keys=keys)

    def cut(self, first: int, stop: int) -> Score:
        """Bars first to stop - 1, with the notes that begin there."""
        begin = int(self.starts[first])
        parts = [
            replace(part, notes=tuple(n._replace(bar=n.bar - first) for n in part.notes if first <= n.bar < stop))
            for part in self.parts
        ]
        return replace(
            self,
            parts=tuple(parts),
            metres=self.metres[first:stop],
            tempos=_from(self.tempos, begin, int(self.starts[stop])),
            keys=_from(self.keys, first, stop),
            markers=tuple((bar - first, text) for bar, text in self.markers if first <= bar < stop),
        )

    # ---- as a file ---------------------------------------------------------------------------------------------------

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """A MIDI file of type 1 that every program reads: a track of tempos, metres, keys and markers, and one for each
        part, drums on channel 10. Raises AntiphonError for a file that exists, without `force`."""
        target = check_place(Path(path), force=force)
        with atomic(target) as draft:
            draft.write_bytes(self.encode())
        return target

    def encode(self) -> bytes:
        """What `write` writes."""
        return encode_smf([list(self._conductor()), *(self._track(i) for i in range(len(self.parts)))])

    def _conductor(self):  # type: ignore[no-untyped-def]
        for step, bpm in self.tempos:
            yield step * SCALE, 0, meta(0x51, min(max(round(60e6 / bpm), 1), (1 << 24) - 1).to_bytes(3, "big"))
        for bar, metre in enumerate(self.metres):
            if bar == 0 or metre != self.metres[bar - 1]:
                body = bytes([metre.beats, metre.unit.bit_length() - 1, 24, 8])
                yield int(self.starts[bar]) * SCALE, 0, meta(0x58, body)
        for bar, key in self.keys:
            yield int(self.starts[bar]) * SCALE, 0, meta(0x59, bytes([key.sharps % 256, key.minor]))
        for bar, text in self.markers:
            yield int(self.starts[bar]) * SCALE, 1, meta(0x06, text.encode())
        yield int(self.starts[-1]) * SCALE, 2, meta(0x01, b"")  # so that the last bar is whole

    def _track(self, index: int) -> list[Message]:
        part, (port, channel) = self.parts[index], self._channel(index)
        found: list[Message] = [(0, 0, meta(0x03, part.name.encode()))]
        found += [(0, 1, meta(0x21, bytes([port])))] * (port > 0)
        found.append((0, 2, bytes([0xC0 | channel, part.program])))
        for onset, pitch, length, velocity in _apart(self.table(part)):
            found.append((onset * SCALE, 4, bytes([0x90 | channel, pitch, velocity])))
            found.append(((onset + length) * SCALE, 3, bytes([0x80 | channel, pitch, 64])))
        return found

    def _channel(self, index: int) -> tuple[int, int]:
        """(port, channel) of a part: fifteen melodic ones to a port."""
        if self.parts[index].is_drum:
            return 0, DRUM_CHANNEL
        port, number = divmod(sum(not part.is_drum for part in self.parts[:index]), 15)
        return port, number + (number >= DRUM_CHANNEL)


def _from(changes, first: int, stop: int):  # type: ignore[no-untyped-def]
    """(place, value) pairs from one place to another, what held before included, counted from the first."""
    before = [value for at, value in changes if at <= first]
    return tuple([(0, value) for value in before[-1:]] + [(at - first, v) for at, v in changes if first < at < stop])


def _apart(table: np.ndarray) -> list[tuple[int, int, int, int]]:
    """(onset, pitch, length, velocity) rows in order; a key that is struck again is released first, and one struck
    twice at once counts once, as the longer of the two."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for onset, pitch, length, velocity, _ in table.tolist():
        known = found.get((onset, pitch), (0, 0))
        found[onset, pitch] = max(known, (max(length, 1), velocity))
    following: dict[int, int] = {}
    rows = []
    for onset, pitch in sorted(found, reverse=True):
        length, velocity = found[onset, pitch]
        rows.append((onset, pitch, min(length, following.get(pitch, onset + length) - onset), velocity))
        following[pitch] = onset
    return rows[::-1]


def notes_in(starts: Sequence[int] | np.ndarray, rows: np.ndarray) -> tuple[ScoreNote, ...]:
    """Notes of rows (n, 4) of onset, pitch, length, velocity, in order, by the bars that begin at `starts`; those that
    begin after the end are left out."""
    starts = np.asarray(starts)
    kept = rows[rows[:, 0] < starts[-1]]
    kept = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
    bars = np.searchsorted(starts, kept[:, 0], "right") - 1
    inside = kept[:, 0] - starts[bars]
    columns = (bars, inside, kept[:, 1], kept[:, 2], kept[:, 3])
    return tuple(ScoreNote(*row) for row in np.stack(columns, 1).astype(int).tolist())
