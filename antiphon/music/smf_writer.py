"""Standard MIDI files, events to bytes: the other direction of smf.py, as small as a score needs it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

TICKS = 480  # a beat

Message = tuple[int, int, bytes]  # tick, rank among the messages at that tick, bytes


def meta(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + variable(len(data)) + data


def variable(number: int) -> bytes:
    """A number in seven bits per byte, the highest first."""
    found = [number & 0x7F]
    while number := number >> 7:
        found.append(number & 0x7F | 0x80)
    return bytes(reversed(found))


def encode_smf(tracks: Sequence[Iterable[Message]]) -> bytes:
    """A file of type 1 with `TICKS` a beat; each track's messages in any order."""
    head = b"MThd" + struct.pack(">LHHH", 6, 1, len(tracks), TICKS)
    return head + b"".join(_track(messages) for messages in tracks)


def _track(messages: Iterable[Message]) -> bytes:
    body, now = bytearray(), 0
    for tick, _, data in sorted(messages):
        body += variable(tick - now) + data
        now = tick
    body += b"\0" + meta(0x2F, b"")
    return b"MTrk" + struct.pack(">L", len(body)) + bytes(body)
