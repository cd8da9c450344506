"""Sounds laid over one another in time and space: what layers and events of a scene are mixed by.

Everything is a function of the sample's place in the scene and comes in blocks, so that an hour takes no more memory
than a minute. Sources open when the mix reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from antiphon.music.convolve import Convolver
from antiphon.music.room import Room

Read = Callable[[int], np.ndarray]  # samples -> (samples or fewer at the end, 2) float32, the next ones
BLOCK = 1 << 15  # samples mixed at once
FAR_DB = 18.0  # how much softer the farthest sound is
NEAR_HZ, FAR_HZ = 20_000.0, 1_500.0  # where air, ground and leaves begin to take the highs, at distance 0 and 1
NEAR_WET, FAR_WET = 0.15, 1.4  # how much of a sound goes into the room
TAPS = 257  # of the filter of a distant sound; it delays by half of them, 3 ms


@dataclass(frozen=True)
class Source:
    """Something that sounds from sample `start` to sample `stop` of a scene. open: -> a function that reads it; it is
    called when the mix gets there. gain: its level, (sample of the scene, dB) points, on straight lines between them
    and constant outside. fade_in, fade_out: samples. pan: -1 left to 1 right. distance: 0 near to 1 far."""

    start: int
    stop: int
    open: Callable[[], Read]
    gain: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    fade_in: int = 0
    fade_out: int = 0
    pan: float = 0.0
    distance: float = 0.0


def mixed(sources: Iterable[Source], length: int, sample_rate: int, room: Room | None = None) -> Iterator[np.ndarray]:
    """(n, 2) float32 blocks of the mix, `length` samples in all. sources: in the order of their starts. room: what
    distance brings more of."""
    waiting = iter(sources)
    coming = next(waiting, None)
    playing: list[_Playing] = []
    for begin in range(0, length, BLOCK):
        end = min(begin + BLOCK, length)
        while coming is not None and coming.start < end:
            playing.append(_Playing(coming, sample_rate))
            coming = next(waiting, None)
        dry, wet = np.zeros((2, end - begin, 2), np.float32)
        for one in playing:
            where, sound, sent = one.between(begin, end)
            dry[where] += sound
            wet[where] += sound * np.float32(sent)
        playing = [one for one in playing if not one.done]
        yield dry if room is None else dry + room(wet)


class _Playing:
    """A source while it sounds."""

    def __init__(self, source: Source, sample_rate: int):
        self.source, self.read, self.at = source, source.open(), source.start
        self.place = Placement(source.pan, source.distance, sample_rate)
        self.wet = NEAR_WET + (FAR_WET - NEAR_WET) * source.distance
        self.done = False

    def between(self, begin: int, end: int) -> tuple[slice, np.ndarray, float]:
        """Where in the block from `begin` to `end` it sounds, (n, 2) of it there, and how much goes into the room."""
        first, last = max(self.at, begin), min(self.source.stop, end)
        sound = np.asarray(self.read(max(last - first, 0)), np.float32)
        self.done = last >= self.source.stop or first + len(sound) < last
        self.at = first + len(sound)
        sound = sound * levels(first, self.at, self.source) * fades(first, self.at, self.source)
        return slice(first - begin, self.at - begin), self.place(sound), self.wet


def levels(first: int, last: int, source: Source) -> np.ndarray:
    """(n, 1) float32: the factor of a source's gain from sample `first` of the scene to `last`; (1, 1) if it is one."""
    at, decibels = zip(*source.gain, strict=True)
    here = np.array([first]) if len(at) == 1 or last <= at[0] or first >= at[-1] else np.arange(first, last)
    return (10 ** (np.interp(here, at, decibels) / 20)).astype(np.float32)[:, None]


def fades(first: int, last: int, source: Source) -> np.ndarray:
    """(n, 1) float32: the factor of a source's fades from sample `first` of the scene to `last`, or (1, 1) where there
    is none. Quarters of a sine: two layers of which one fades in where the other fades out have the same power
    throughout."""
    begun, left = first - source.start, source.stop - last
    if begun >= source.fade_in and left >= source.fade_out:
        return np.ones((1, 1), np.float32)
    gain = np.ones(last - first)
    for edge, fade in ((np.arange(begun, begun + last - first), source.fade_in),
                       (np.arange(left + last - first, left, -1), source.fade_out)):  # fmt: skip
        if fade > 0:
            gain *= np.sin(np.clip(edge / fade, 0, 1) * (np.pi / 2))
    return gain[:, None].astype(np.float32)


class Placement:
    """Calling it with (n, 2) float32 returns the next n samples, where they are heard from: at equal power panned from
    left (-1) to right (1), and at distance 1 FAR_DB softer and without highs."""

    def __init__(self, pan: float, distance: float, sample_rate: int):
        angle = (pan + 1) * np.pi / 4
        left, right = np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle)
        width = 1 - abs(pan)
        middle, side = np.array([left, right]), np.array([width, -width])
        level = 10 ** (-FAR_DB * distance / 20)
        self.matrix = (level / 2 * np.stack([middle + side, middle - side])).astype(np.float32)  # (from, to)
        self.air = Convolver(air(distance, sample_rate)) if distance > 0 else None

    def __call__(self, block: np.ndarray) -> np.ndarray:
        sound = block @ self.matrix
        return self.air(sound) if self.air is not None and len(sound) else sound


@lru_cache(maxsize=64)
def air(distance: float, sample_rate: int) -> np.ndarray:
    """(TAPS,) float32: a filter of linear phase, that of one pole which moves from NEAR_HZ down to FAR_HZ."""
    corner = NEAR_HZ * (FAR_HZ / NEAR_HZ) ** distance
    hz = np.fft.rfftfreq(4096, 1 / sample_rate)
    response = np.fft.irfft(1 / np.sqrt(1 + (hz / corner) ** 2))
    kernel = np.roll(response, TAPS // 2)[:TAPS] * np.hanning(TAPS + 2)[1:-1]
    return (kernel / kernel.sum()).astype(np.float32)
