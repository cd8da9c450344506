"""Standard MIDI files, bytes to events: read_smf. Whatever can be read of a damaged file is kept; losses are recorded.

After the "Standard MIDI-File Format Spec. 1.1" (1988), but more forgiving: running status continues after meta events
and system messages, unknown chunks and bytes between chunks do no harm, a track may lack its end, and where a chunk's
length leads nowhere, the reader looks for the next track. In a RIFF file (RMID) the song may stand anywhere, beside
sound banks of any size.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from antiphon.core.errors import AntiphonError
from antiphon.music.text import guess, readable

MAX_BYTES = 4 << 20
MAX_NOTES = 1_000_000
TRACK = b"MTrk"
MOST_CHUNKS = 1000  # of a RIFF file
SOME_CHUNKS = (b"data", b"LIST", b"RIFF", b"DISP", b"DLS ")
TEMPO, METER, KEY, PORT, END = (
    0x51,
    0x58,
    0x59,
    0x21,
    0x2F,
)  # meta events that matter; channel messages are 0x80 to 0xEF
TEXT, NAME, INSTRUMENT, MARKER, TEXTS, PREFIX = 0x01, 0x03, 0x04, 0x06, range(1, 16), 0x20
EXCLUSIVE = 0xF0
TITLE = b"@T"  # begins the text that holds a karaoke song's title
_SYSTEM_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data bytes of messages that do not belong in files


class Event(NamedTuple):
    """tick: since the track's start. status: a channel message's, 0x80..0xEF, or EXCLUSIVE, TEMPO or PORT. first,
    second: data bytes, 0..127; for EXCLUSIVE, first is an index into Track.exclusive, for TEMPO microseconds per beat,
    for PORT the track's port from then on."""

    tick: int
    status: int
    first: int
    second: int = 0


@dataclass(slots=True)
class Track:
    """events: in order. exclusive: system exclusive messages without their 0xF0. end: the tick of its last event of any
    kind. whole: whether the track was complete and could be read to its end. ports: those that it mentions. names: raw
    texts that name it, by kind (NAME, INSTRUMENT, TEXT); channels: raw names of its channels; texts: raw texts that are
    not ASCII; legacy: the encoding of texts that are not Unicode; meters: (tick, crotchets in a bar from there on);
    signatures: (tick, numerator, denominator); keys: (tick, sharps or, if negative, flats, whether minor); markers:
    (tick, raw text)."""

    events: list[Event] = field(default_factory=list)
    exclusive: list[bytearray] = field(default_factory=list)
    end: int = 0
    whole: bool = True
    ports: set[int] = field(default_factory=set)
    names: dict[int, bytes] = field(default_factory=dict)
    channels: dict[int, bytes] = field(default_factory=dict)
    texts: list[bytes] = field(default_factory=list)
    legacy: str = ""
    meters: list[tuple[int, float]] = field(default_factory=list)
    signatures: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    markers: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The track's name; failing that, its instrument's, or the song's title."""
        return readable(next((self.names[kind] for kind in (NAME, INSTRUMENT, TEXT) if kind in self.names), b""),
                        self.legacy)  # fmt: skip

    def name_of(self, channel: int) -> str:
        """The name of one of its channels, 0..15; failing that, the track's."""
        return readable(self.channels[channel], self.legacy) if channel in self.channels else self.name


@dataclass(frozen=True, slots=True)
class Smf:
    """kind: 0 one track, 1 simultaneous tracks, 2 separate patterns. tick: seconds per tick, at 120 beats per minute.
    elastic: whether tempo changes that (unless in SMPTE time). promised: number of tracks according to the header.
    bank: bytes of the sound bank inside the file."""

    kind: int
    tick: float
    elastic: bool
    tracks: tuple[Track, ...]
    promised: int
    bank: int = 0


def read_smf(path: Path) -> Smf:
    """Raises AntiphonError, in one line, for a file that is missing, too large, or not a MIDI file."""
    data, bank = _bytes(path)
    at = data.find(b"MThd", 0, None if data.startswith(b"RIFF") else 1024)  # old Mac files have something before it
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
    legacy = guess(text for track in tracks for text in track.texts)
    for track in tracks:
        track.legacy = legacy
    return Smf(kind, tick, elastic, tuple(tracks), promised, bank)


def _bytes(path: Path) -> tuple[bytes, int]:
    """The song, and the bytes of the sound bank beside it."""
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would wait
        raise AntiphonError(f"cannot read {path}: it is not a file")
    try:
        with path.open("rb") as file:
            song, bank = _riff(file, path.stat().st_size)
            if song is None:
                file.seek(0)
                song = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise AntiphonError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(song) > MAX_BYTES:
        raise AntiphonError(f"{path} is larger than {MAX_BYTES >> 20} MB, which no MIDI song is: give a .mid file")
    return song, bank


def _riff(file: BinaryIO, size: int) -> tuple[bytes | None, int]:
    """The song in a RIFF file's data chunk, None if there is none, and the bytes of its sound bank (DLS or SF2)."""
    head, song, bank, at = file.read(12), None, 0, 12
    if head[:4] != b"RIFF":
        return None, 0
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        begin = file.read(12)
        if len(begin) < 8:
            break
        name, length = begin[:4], int.from_bytes(begin[4:8], "little")
        if name == b"data" and song is None:
            file.seek(at + 8)
            found = file.read(min(length or size, MAX_BYTES + 1))
            song = found if b"MThd" in found[:1024] else None
        elif name == b"RIFF" or begin[8:12] in (b"DLS ", b"sfbk"):
            bank = max(bank, min(length, size - at))
        at += 8 + length
        file.seek(at)
        at += length % 2 and file.read(4) not in SOME_CHUNKS  # some programs leave out the padding byte
    return song, bank


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
    """(seconds per tick at 120 beats per minute, whether tempo changes it)."""
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
    running, prefix = 0, -1  # a channel prefix: the channel that the next texts are about
    while source.at < len(source.data):
        tick = track.end + source.number()
        status = source.byte()
        if status < 0x80:  # running status: this was already a data byte
            status, source.at = running, source.at - 1
        if status < 0x80:
            raise _Cut
        if status < 0xF0:
            running, prefix = status, -1
            first = min(source.byte(), 127)
            second = 0 if status >> 4 in (0xC, 0xD) else min(source.byte(), 127)
            track.events.append(Event(tick, status, first, second))
        elif status == 0xFF:
            kind, data = source.byte(), source.block()
            if kind == PREFIX:
                prefix = data[0] & 15 if data else -1
            elif kind in TEXTS:
                _note_text(track, prefix, kind, data)
                track.markers += [(tick, data)] * (kind == MARKER)
            elif _meta(track, tick, kind, data):
                return
        elif status in (0xF0, 0xF7):
            _exclusive(track, tick, status, source.block())
        else:
            source.at += _SYSTEM_LENGTHS.get(status, 0)
        track.end = tick


def _meta(track: Track, tick: int, kind: int, data: bytes) -> bool:
    """Record a meta event; True at the track's end."""
    if kind == TEMPO and len(data) >= 3 and any(data[:3]):
        track.events.append(Event(tick, TEMPO, int.from_bytes(data[:3], "big")))
    elif kind == METER and len(data) >= 2 and data[0] and data[1] < 8:
        track.meters.append((tick, data[0] * 4 / 2 ** data[1]))
        track.signatures.append((tick, data[0], 2 ** data[1]))
    elif kind == KEY and len(data) >= 2 and (data[0] + 7) % 256 < 15:
        track.keys.append((tick, (data[0] + 7) % 256 - 7, data[1] == 1))
    elif kind == PORT and data:
        track.events.append(Event(tick, PORT, data[0]))
        track.ports.add(data[0])
    elif kind == END:
        track.end = tick
    return kind == END


def _note_text(track: Track, channel: int, kind: int, data: bytes) -> None:
    """Keep a text that names the track, or one of its channels (-1: none)."""
    if not data.isascii():
        track.texts.append(data)
    if kind == TEXT and data.startswith(TITLE):
        track.names.setdefault(TEXT, data[len(TITLE) :])
    elif kind in (NAME, INSTRUMENT) and data.strip():
        track.names.setdefault(kind, data)
        if channel >= 0 and (kind == NAME or channel not in track.channels):
            track.channels[channel] = data


def _exclusive(track: Track, tick: int, status: int, data: bytes) -> None:
    """Keep a system exclusive message: a whole one after 0xF0, its next part after 0xF7, after which some programs
    write whole ones too."""
    last = track.exclusive[-1] if track.exclusive else None
    if status == 0xF7 and last is not None and not last.endswith(b"\xf7"):
        last += data
    elif status == 0xF0 or data[:1] == b"\xf0":
        track.events.append(Event(tick, EXCLUSIVE, len(track.exclusive)))
        track.exclusive.append(bytearray(data[status == 0xF7 :]))
