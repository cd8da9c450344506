"""Reads the tables of a SoundFont 2 file: which presets it has and which keys each of them really responds to.

Only the `pdta` list is read (SoundFont 2.04 specification, section 7); samples stay on disk.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from antiphon.core.errors import AntiphonError

MOST_ZONES = 200_000  # of a font: tables of a few bytes each could ask for billions
LARGEST_TABLE = 16 << 20  # bytes
_RECORD = {"phdr": 38, "pbag": 4, "pgen": 4, "inst": 22, "ibag": 4, "igen": 4, "shdr": 46}
_INSTRUMENT, _KEYS, _VELOCITIES, _COARSE, _SAMPLE, _ROOT = 41, 43, 44, 51, 53, 58


@dataclass(frozen=True)
class Zone:
    """One sample of a preset: the keys and velocities (0..127, inclusive) it responds to, and its transposition."""

    low: int
    high: int
    velocity_low: int
    velocity_high: int
    root: int  # MIDI key at which the sample plays at its original speed
    coarse: int  # semitones added deliberately, e.g. +12 for an octave layer
    sample: str  # the recording's name


@dataclass(frozen=True)
class Preset:
    """A preset of a font. `bank` 128 is percussion."""

    name: str
    bank: int
    program: int
    zones: tuple[Zone, ...]

    @property
    def keys(self) -> frozenset[int]:
        """MIDI keys that sound."""
        return frozenset(key for zone in self.zones for key in range(zone.low, zone.high + 1))


def read_presets(path: str | Path) -> list[Preset]:
    """The presets of a .sf2 (or compressed .sf3) file, sorted by program, then bank.

    Raises AntiphonError if the file is not a SoundFont 2 file or its tables contradict each other.
    """
    path = Path(path)
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would wait
        raise AntiphonError(f"cannot read {path}: give the path of a .sf2 file")
    try:
        with path.open("rb") as file:
            tables = _tables(file, path)
    except (OSError, ValueError) as error:
        raise AntiphonError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return sorted(_presets(tables), key=lambda preset: (preset.program, preset.bank))
    except (IndexError, struct.error):
        raise _broken(path, "a table points outside another, or asks for too much") from None


def _broken(path: Path, why: str) -> AntiphonError:
    return AntiphonError(f"{path} is not a usable soundfont ({why}): get a complete .sf2 or .sf3 file")


def _tables(file: BinaryIO, path: Path) -> dict[str, list[bytes]]:
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"RIFF" or len(file.read(4)) != 4 or file.read(4) != b"sfbk":
        raise _broken(path, "no RIFF sfbk header")
    for kind, start, length in _chunks(file, 12, size, path):
        if kind == "LIST":
            file.seek(start)
            if file.read(4) == b"pdta":
                return _split(file, start + 4, start + length, path)
    raise _broken(path, "no pdta list")


def _split(file: BinaryIO, start: int, stop: int, path: Path) -> dict[str, list[bytes]]:
    tables: dict[str, list[bytes]] = {}
    for kind, offset, length in list(_chunks(file, start, stop, path)):
        step = _RECORD.get(kind)
        if step is None:
            continue
        if length % step or not step <= length <= LARGEST_TABLE:
            raise _broken(path, f"{kind} has {length} bytes")
        file.seek(offset)
        data = file.read(length)
        tables[kind] = [data[i : i + step] for i in range(0, length, step)]
    missing = sorted(set(_RECORD) - set(tables))
    if missing:
        raise _broken(path, f"no {missing[0]} table")
    return tables


def _chunks(file: BinaryIO, start: int, stop: int, path: Path) -> Iterator[tuple[str, int, int]]:
    """(four-letter name, offset of the content, its length) of the RIFF chunks between two offsets."""
    while start + 8 <= stop:
        file.seek(start)
        kind, length = struct.unpack("<4sI", file.read(8))
        if start + 8 + length > stop:
            raise _broken(path, "it is truncated")
        yield kind.decode("latin-1"), start + 8, length
        start += 8 + length
        if length & 1:  # a padding byte, which some .sf3 files omit: then a name begins here
            file.seek(start)
            start += not file.read(1).isalpha()


def _zones(bags: list[bytes], generators: list[bytes], first: int, last: int, link: int) -> list[dict[int, int]]:
    """The zones first..last-1 as {generator: amount}; a first zone without a link is the defaults of the others."""
    if not 0 <= first <= last < len(bags):
        raise IndexError
    shared: dict[int, int] = {}
    zones = []
    for index in range(first, last):
        begin, end = (struct.unpack("<HH", bags[i])[0] for i in (index, index + 1))
        if not begin <= end <= len(generators):
            raise IndexError
        zone = dict(struct.unpack("<HH", generator) for generator in generators[begin:end])
        if link in zone:
            zones.append(shared | zone)
        elif index == first:
            shared = zone
    return zones


def _span(zone: dict[int, int], generator: int) -> tuple[int, int]:
    low, high = divmod(zone.get(generator, 127 << 8), 256)[::-1]
    return low, min(high, 127)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("latin-1").strip()


def _signed(value: int) -> int:
    return value - 65536 if value > 32767 else value


def _presets(tables: dict[str, list[bytes]]) -> Iterator[Preset]:
    headers = [struct.unpack("<20sHHHIII", record) for record in tables["phdr"]]
    instruments = [struct.unpack("<20sH", record)[1] for record in tables["inst"]]
    samples = [(_text(record[:20]), record[40]) for record in tables["shdr"]]
    left = MOST_ZONES
    for header, following in pairwise(headers):
        if header[1] > 127:  # a program that no MIDI message can choose
            continue
        zones = []
        for outer in _zones(tables["pbag"], tables["pgen"], header[3], following[3], _INSTRUMENT):
            which = outer[_INSTRUMENT]
            inner = _zones(tables["ibag"], tables["igen"], instruments[which], instruments[which + 1], _SAMPLE)
            left -= len(inner)
            if left < 0:
                raise IndexError
            zones += [_zone(outer, zone, samples) for zone in inner]
        yield Preset(_text(header[0]), header[2], header[1], tuple(z for z in zones if z.low <= z.high))


def _zone(outer: dict[int, int], inner: dict[int, int], samples: list[tuple[str, int]]) -> Zone:
    keys = [_span(zone, _KEYS) for zone in (outer, inner)]
    velocities = [_span(zone, _VELOCITIES) for zone in (outer, inner)]
    sample, pitch = samples[inner[_SAMPLE]]
    root = inner.get(_ROOT, 65535)
    return Zone(
        low=max(low for low, _ in keys),
        high=min(high for _, high in keys),
        velocity_low=max(low for low, _ in velocities),
        velocity_high=min(high for _, high in velocities),
        root=root if root <= 127 else pitch,
        coarse=_signed(outer.get(_COARSE, 0)) + _signed(inner.get(_COARSE, 0)),
        sample=sample,
    )
