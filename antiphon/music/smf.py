"""Standard MIDI files, bytes to events: read_smf. Whatever can be read of a damaged file is kept; losses are recorded.

After the "Standard MIDI-File Format Spec. 1.1" (1988), but more forgiving: running status continues after meta events
and system messages, unknown chunks and bytes between chunks do no harm, a track may lack its end, and where a chunk's
length leads nowhere, the reader looks for the next track.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from antiphon.core.errors import AntiphonError

MAX_BYTES = 4 << 20
MAX_NOTES = 1_000_000
TRACK = b"MTrk"
TEMPO, NAME, PORT, END = 0x51, 0x03, 0x21, 0x2F  # meta events that matter; channel messages are 0x80 and more
_SYSTEM_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data bytes of messages that do not belong in files


class Event(NamedTuple):
    """tick: since the track's start. status: a channel message's, 0x80..0xEF, or TEMPO or PORT. first, second: data
    bytes, 0..127; for TEMPO, first is microseconds per beat, for PORT the track's port from then on."""

    tick: int
    status: int
    first: int
    second: int = 0


@dataclass(slots=True)
class Track:
    """events: in order. end: the tick of its last event of any kind. whole: whether the track was complete and could be
    read to its end."""

    name: str = ""
    events: list[Event] = field(default_factory=list)
    end: int = 0
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Smf:
    """kind: 0 one track, 1 simultaneous tracks, 2 separate patterns. tick: seconds per tick, at 120 beats per minute.
    elastic: whether tempo changes that (unless in SMPTE time). promised: number of tracks according to the header."""

    kind: int
    tick: float
    elastic: bool
    tracks: tuple[Track, ...]
    promised: int


def read_smf(path: Path) -> Smf:
    """Raises AntiphonError, in one line, for a file that is missing, too large, or not a MIDI file."""
    data = _bytes(path)
    at = data.find(b"MThd", 0, 1024)  # RIFF and old Mac files have something before it
    if at < 0 or len(data) < at + 14:
        raise AntiphonError(f"{path} is not a MIDI file{'' if data else ' (it is empty)'}: give a .mid file")
    size, kind, promised, division = struct.unpack(">LHHH", data[at + 4 : at + 14])
    if kind > 2:
        raise AntiphonError(f"{path} is a broken MIDI file: export it again")
    tick, elastic = _seconds_per_tick(path, division)
    tracks, notes = [], 0
    for body, claimed in _bodies(data, at + 8 + size):
        tracks.append(_decode(body, claimed))
        notes += sum(event.status >> 4 == 9 for event in tracks[-1].events)
        if notes > MAX_NOTES:
            raise AntiphonError(f"{path} has more than {MAX_NOTES:,} notes: split it")
    return Smf(kind, tick, elastic, tuple(tracks), promised)


def _bytes(path: Path) -> bytes:
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would wait
        raise AntiphonError(f"cannot read {path}: it is not a file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AntiphonError(f"{path} is larger than {MAX_BYTES >> 20} MB, which no MIDI song is: give a .mid file")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise AntiphonError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _bodies(data: bytes, at: int) -> Iterator[tuple[bytes, int]]:
    """The track chunks' contents and the lengths that they claim. Where a length does not lead to another chunk or to
    the file's end, the contents extend to the next track."""
    if not _chunk(data, at):
        at = _next_track(data, 14)
    while at + 8 <= len(data):
        name, size = struct.unpack(">4sL", data[at : at + 8])
        begin, at = at + 8, at + 8 + size
        if at != len(data) and not _chunk(data, at):
            at = _next_track(data, begin)
        if name == TRACK:
            yield data[begin:at], size


def _chunk(data: bytes, at: int) -> bool:
    """Whether a track begins at `at`, or an unknown chunk that is complete."""
    name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
    alien = name.isascii() and name.decode("ascii").isprintable() and at + 8 + size <= len(data)
    return at + 8 <= len(data) and (name == TRACK or alien)


def _next_track(data: bytes, at: int) -> int:
    """Where the next track begins, from `at` on; the file's end if there is none."""
    found = data.find(TRACK, at)
    return len(data) if found < 0 else found


def _seconds_per_tick(path: Path, division: int) -> tuple[float, bool]:
    """(seconds per tick at 120 beats a minute, whether tempo changes it)."""
    if division & 0x8000:  # SMPTE: frames per second, ticks per frame
        frames, ticks = 256 - (division >> 8), division & 0xFF
        if frames in (24, 25, 29, 30) and ticks:
            return 1 / ((30 / 1.001 if frames == 29 else frames) * ticks), False
    elif division:
        return 0.5 / division, True
    raise AntiphonError(f"{path} is a broken MIDI file (no valid unit of time): export it again")


class _Cut(Exception):
    """The track ends, or becomes invalid, in the middle of an event."""


class _Bytes:
    """A track's bytes, read one item after another."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise _Cut
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """A variable-length number: seven bits per byte, at most four bytes."""
        value = 0
        for _ in range(4):
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise _Cut

    def block(self) -> bytes:
        """A block of bytes, preceded by its length."""
        size = self.number()
        if self.at + size > len(self.data):
            raise _Cut
        self.at += size
        return self.data[self.at - size : self.at]


def _decode(body: bytes, claimed: int) -> Track:
    """One track, up to its end or to where it becomes invalid. claimed: its length according to its header."""
    track, source = Track(), _Bytes(body)
    try:
        _read(track, source)
        track.whole = claimed in (source.at, len(body))
    except _Cut:
        track.whole = False
    return track


def _read(track: Track, source: _Bytes) -> None:
    """Read a track's events into it, up to its end event, if there is one. Raises _Cut."""
    running = 0
    while source.at < len(source.data):
        tick = track.end + source.number()
        status = source.byte()
        if status < 0x80:  # running status: this was already a data byte
            status, source.at = running, source.at - 1
        if status < 0x80:
            raise _Cut
        if status < 0xF0:
            running = status
            first = min(source.byte(), 127)
            second = 0 if status >> 4 in (0xC, 0xD) else min(source.byte(), 127)
            track.events.append(Event(tick, status, first, second))
        elif status == 0xFF:
            if _meta(track, tick, source.byte(), source.block()):
                return
        elif status in (0xF0, 0xF7):
            source.block()
        else:
            source.at += _SYSTEM_LENGTHS.get(status, 0)
        track.end = tick


def _meta(track: Track, tick: int, kind: int, data: bytes) -> bool:
    """Record a meta event; True at the track's end."""
    if kind == TEMPO and len(data) >= 3 and any(data[:3]):
        track.events.append(Event(tick, TEMPO, int.from_bytes(data[:3], "big")))
    elif kind == PORT and data:
        track.events.append(Event(tick, PORT, data[0]))
    elif kind == NAME and not track.name:
        track.name = " ".join(_text(data).split())[:80]
    elif kind == END:
        track.end = tick
    return kind == END


def _text(data: bytes) -> str:
    """As printable text: no control characters."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text)
