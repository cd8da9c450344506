"""A PNG writer in nothing but numpy, and the words that a picture brings along."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np

from antiphon.core.atomic import atomic

WORDS = b"Description\0\0\0\0\0"  # of a chunk of text: keyword, not compressed, no language


def encode_png(pixels: np.ndarray, words: str = "") -> bytes:
    """`pixels` (height, width, 3) uint8 as a PNG: with a palette, a quarter of the size, if they have 256 colours or
    fewer, else in RGB. words: its description, kept in the file for `words_of`."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be (height, width, 3) uint8, not {pixels.shape} {pixels.dtype}")
    height, width, _ = pixels.shape
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, index = np.unique(packed, return_inverse=True)
    few = len(colours) <= 256
    body = index.reshape(height, width).astype(np.uint8) if few else pixels.reshape(height, -1)
    rows = np.pad(body, ((0, 0), (1, 0)))  # each row starts with its filter type, 0 = none

    header = struct.pack(">IIBBBBB", width, height, 8, 3 if few else 2, 0, 0, 0)
    palette = _chunk(b"PLTE", b"".join(int(colour).to_bytes(3, "big") for colour in colours)) if few else b""
    image = _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
    said = _chunk(b"iTXt", WORDS + words.encode("utf-8", "replace")) if words else b""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + said + palette + image + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def words_of(png: bytes) -> str:
    """The description of a PNG that `encode_png` made; "" if it has none."""
    at = 8
    while at + 8 <= len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        content = png[at + 8 : at + 8 + size]
        if png[at + 4 : at + 8] == b"iTXt" and content.startswith(WORDS):
            return content.removeprefix(WORDS).decode("utf-8", "replace")
        at += size + 12
    return ""


def write_png(path: str | os.PathLike[str], pixels: np.ndarray, words: str = "") -> None:
    """Write `pixels` (height, width, 3) uint8 as a PNG that `words` describe, whole or not at all."""
    target, data = Path(path), encode_png(pixels, words)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic(target) as draft:
        draft.write_bytes(data)
