"""RIFF: chunks of a four-letter name, a length and bytes, inside one another."""

from __future__ import annotations

import struct

import numpy as np

from antiphon.audio.ops import Audio


def chunk(name: bytes, *parts: bytes) -> bytes:
    """A chunk; its parts follow each other without a gap."""
    size = sum(map(len, parts))
    return b"".join([name, struct.pack("<I", size), *parts, bytes(size & 1)])


def group(name: bytes, kind: bytes, *parts: bytes) -> bytes:
    """A chunk of chunks: a RIFF file, or a LIST in one."""
    return chunk(name, kind, *parts)


def pcm16(sound: Audio) -> bytes:
    """(samples,) within ±1 as 16-bit integers."""
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype("<i2").tobytes()


def pcm24(sound: Audio) -> bytes:
    """(samples,) within ±1 as 24-bit integers."""
    whole = np.clip(np.rint(sound.astype(np.float64) * 8388607), -8388608, 8388607).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
