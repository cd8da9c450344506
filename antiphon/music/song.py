"""A song: parts, their notes, and how their controllers move. Times are in seconds from the song's start."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

import numpy as np

Points = Sequence[tuple[float, float]]
T = TypeVar("T")

BEND_RAMP, GAIN_RAMP = 0.02, 0.005  # seconds of the ramp that leads to a step and ends on it


@dataclass(frozen=True, slots=True)
class SongNote:
    """A note of a song. seconds: held time, pedals applied; pitch: MIDI key, tuning applied; velocity: 1..127."""

    onset: float
    seconds: float
    pitch: float
    velocity: int


class Table(Sequence[T]):
    """Rows of numbers in one block. Separate objects take six times the memory, and hours of music have hundreds of
    thousands; scattered survivors would also keep the memory of everything read along with them."""

    WIDTH: int

    def __init__(self, rows: Iterable[Sequence[float]]):
        self._table = np.fromiter(rows, np.dtype((np.float64, self.WIDTH)))

    @staticmethod
    @abstractmethod
    def _row(values: list[float]) -> T:
        """The object that a row stands for."""

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._row(self._table[index].tolist())


class Notes(Table[SongNote]):
    """Notes of a part; each is created on access."""

    WIDTH = 4

    @staticmethod
    def _row(values: list[float]) -> SongNote:
        onset, seconds, pitch, velocity = values
        return SongNote(onset, seconds, pitch, int(velocity))


class Steps(Table[tuple[float, float]]):
    """Steps of a controller: (seconds, value)."""

    WIDTH = 2

    @staticmethod
    def _row(values: list[float]) -> tuple[float, float]:
        seconds, value = values
        return seconds, value


@dataclass(frozen=True, slots=True)
class Part:
    """The part of one instrument: the notes of one (track, channel, program).

    track counts from 0, channel is 0..15, program 0..127 (General MIDI, from 0). kit: a drum part's key map, by its
    name in drums.KEY_MAPS ("": the standard one). notes: in order of onset. Steps of
    (seconds, value), the first at 0 s: gain: amplitude 0..1 of volume and expression; pan: -1 left .. 1 right; bend:
    the pitch wheel's semitones; vibrato: the modulation wheel's depth in semitones. cuts: when all sound stops.
    """

    track: int
    channel: int
    program: int
    name: str
    notes: Sequence[SongNote]
    gain: Points = ((0.0, 1.0),)
    pan: Points = ((0.0, 0.0),)
    bend: Points = ((0.0, 0.0),)
    vibrato: Points = ((0.0, 0.0),)
    cuts: tuple[float, ...] = ()
    kit: str = ""


@dataclass(frozen=True, slots=True)
class Song:
    """A song. parts: melodic parts; drums: drum parts; seconds: when the last note (not its release) ends; warnings:
    one line for each thing that was repaired or left out, and one that names what is not played as written; bars: when
    each bar begins, none if the song tells nothing of bars."""

    parts: tuple[Part, ...]
    drums: tuple[Part, ...] = ()
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    bars: tuple[float, ...] = ()


class Curve:
    """A controller's movement as a piecewise-linear curve, held before its first and after its last point.

    Each step's value is reached exactly at its time, by a ramp of at most `ramp` seconds before it, so that a dense
    stream of steps becomes a smooth line. Steps closer than a quarter of the ramp are merged: the last of them counts.
    """

    def __init__(self, steps: Points, ramp: float):
        times, values = [steps[0][0]], [steps[0][1]]
        for time, value in steps[1:]:
            if time - times[-1] < ramp / 4:
                values[-1] = value
                continue
            if time - times[-1] > ramp:
                times.append(time - ramp)
                values.append(values[-1])
            times.append(time)
            values.append(value)
        self.times, self.values = np.array(times), np.array(values, np.float64)

    def at(self, seconds: np.ndarray) -> np.ndarray:
        """Values at (n,) times."""
        return np.interp(seconds, self.times, self.values)

    def breaks(self, start: float, stop: float) -> np.ndarray:
        """The curve's breakpoints strictly between two times."""
        return self.times[np.searchsorted(self.times, start, "right") : np.searchsorted(self.times, stop, "left")]

    def constant(self, start: float, stop: float) -> float | None:
        """The value between two times if it does not change there, else None."""
        first, last = np.searchsorted(self.times, [start, stop])
        around = self.values[max(first - 1, 0) : last + 1]
        return float(around[0]) if (around == around[0]).all() else None
