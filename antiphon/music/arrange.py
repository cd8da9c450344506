"""A song changed before it is played: faster, higher, or only a stretch of it."""

import re
from collections.abc import Callable
from dataclasses import replace

from antiphon.core.errors import AntiphonError
from antiphon.core.note import HIGHEST_PITCH, LOWEST_PITCH
from antiphon.music.lengths import MAX_HOLD, MAX_SECONDS, clock
from antiphon.music.song import Notes, Part, Points, Song, Steps

SLOWEST, FASTEST = 0.1, 10.0
FARTHEST = 48.0  # semitones


def paced(song: Song, tempo: float) -> Song:
    """The song `tempo` times as fast, between SLOWEST and FASTEST."""
    if not SLOWEST <= tempo <= FASTEST:
        raise AntiphonError(f"a tempo of {tempo:g} is out of range: 1 is the song's own, 1.5 half as fast again "
                            f"(use {SLOWEST:g} to {FASTEST:g})")  # fmt: skip
    if tempo == 1:
        return song
    if song.seconds / tempo > MAX_SECONDS:
        raise AntiphonError(
            f"at a tempo of {tempo:g} the song would last {clock(song.seconds / tempo)}: play it faster"
        )

    def scaled(points: Points) -> Points:
        return Steps((time / tempo, value) for time, value in points)

    def part(own: Part) -> Part:
        notes = Notes((n.onset / tempo, min(n.seconds / tempo, MAX_HOLD), n.pitch, n.velocity) for n in own.notes)
        return replace(
            own,
            notes=notes,
            gain=scaled(own.gain),
            pan=scaled(own.pan),
            bend=scaled(own.bend),
            vibrato=scaled(own.vibrato),
            cuts=tuple(cut / tempo for cut in own.cuts),
        )

    bars = tuple(start / tempo for start in song.bars)
    return replace(_each(song, part), seconds=song.seconds / tempo, bars=bars)


def transposed(song: Song, semitones: float) -> Song:
    """The song higher by so many semitones, all but its drums; notes that would leave the keys 0..127 move back by
    octaves."""
    if not -FARTHEST <= semitones <= FARTHEST:
        raise AntiphonError(f"cannot transpose by {semitones:g} semitones: use {-FARTHEST:g} to {FARTHEST:g}")
    if semitones == 0:
        return song

    def moved(pitch: float) -> float:
        pitch += semitones
        while pitch > HIGHEST_PITCH:
            pitch -= 12
        while pitch < LOWEST_PITCH:
            pitch += 12
        return pitch

    parts = [replace(own, notes=Notes((n.onset, n.seconds, moved(n.pitch), n.velocity) for n in own.notes))
             for own in song.parts]  # fmt: skip
    return replace(song, parts=tuple(parts))


def until(song: Song, stop: float) -> Song:
    """The song up to `stop` seconds: what still sounds is let go there. Parts that come in later have no notes left."""

    def part(own: Part) -> Part:
        kept = (n for n in own.notes if n.onset < stop)
        return replace(own, notes=Notes((n.onset, min(n.seconds, stop - n.onset), n.pitch, n.velocity) for n in kept))

    return replace(_each(song, part), seconds=min(song.seconds, stop))


def stretch(
    song: Song, bars: str | None = None, start: float | str | None = None, stop: float | str | None = None
) -> tuple[float, float | None]:
    """(begin, end) in seconds of what is to be played; None for the song's own end. bars: "8-16", both included, or
    "8"; start, stop: seconds or "1:02.5"."""
    if bars is not None and (start is not None or stop is not None):
        raise AntiphonError("a stretch is given by bars or by times: use either --bars or --from and --to")
    begin, end = _of_bars(song, bars) if bars is not None else (_time(start) or 0.0, _time(stop))
    if begin >= song.seconds or begin < 0:
        raise AntiphonError(f"the song ends at {clock(song.seconds)}, so nothing can be played from {clock(begin)} on")
    if end is not None and end <= begin:
        raise AntiphonError(f"the stretch from {clock(begin)} to {clock(end)} is empty: let it end after its beginning")
    return begin, end


def _of_bars(song: Song, bars: str) -> tuple[float, float | None]:
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})?\s*)?", bars)
    if not found:
        raise AntiphonError(f"'{bars}' is not a stretch of bars: write it like 8-16, or 8 for one bar")
    first = int(found[1])
    last = int(found[2]) if found[2] else len(song.bars) if "-" in bars else first
    if not song.bars:
        raise AntiphonError("this song tells nothing of bars: use --from and --to")
    if not 1 <= first <= last:
        raise AntiphonError(f"'{bars}' is not a stretch of bars: the first is 1, and none ends before it begins")
    if first > len(song.bars):
        raise AntiphonError(f"this song has {len(song.bars)} bars, so bar {first} cannot be played")
    return song.bars[first - 1], song.bars[last] if last < len(song.bars) else None


def _time(given: float | str | None) -> float | None:
    if given is None or isinstance(given, int | float):
        return given
    if not re.fullmatch(r"(\d{1,3}:){0,2}\d{1,6}(\.\d{1,6})?", given.strip()):
        raise AntiphonError(f"'{given}' is not a time: write seconds (62.5) or minutes (1:02.5)")
    total = 0.0
    for part in given.split(":"):
        total = 60 * total + float(part)
    return total


def _each(song: Song, change: Callable[[Part], Part]) -> Song:
    return replace(song, parts=tuple(map(change, song.parts)), drums=tuple(map(change, song.drums)))
