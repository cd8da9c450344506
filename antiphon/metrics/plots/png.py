"""A PNG writer and a 3x5 bitmap font: enough to draw a sheet of spectrograms with numpy alone."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np

from antiphon.core.atomic import whole

# One glyph = five rows of three pixels, each row an octal digit (4 = left pixel, 2 = middle, 1 = right).
_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-+/()_#% '&="
_ROWS = (
    "2575565656344436555674647746443455355755722271115255655444475775565555255526564425563"
    "6565534216722225555755522557755525555222712472555226227612476121655711746163465271222"
    "2525225316000020002402020007000272011244122214222400007575755124500000220002525307070"
)
GLYPHS = {character: _ROWS[5 * index : 5 * index + 5] for index, character in enumerate(_CHARACTERS)}


def encode_png(pixels: np.ndarray) -> bytes:
    """`pixels` (height, width, 3) uint8 as a PNG: with a palette, a quarter of the size, if they have 256 colours or
    fewer, else in RGB."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be (height, width, 3) uint8, not {pixels.shape} {pixels.dtype}")
    height, width, _ = pixels.shape
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, index = np.unique(packed, return_inverse=True)
    few = len(colours) <= 256
    body = index.reshape(height, width).astype(np.uint8) if few else pixels.reshape(height, -1)
    rows = np.pad(body, ((0, 0), (1, 0)))  # each row starts with its filter type, 0 = none

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 3 if few else 2, 0, 0, 0)
    palette = chunk(b"PLTE", b"".join(int(colour).to_bytes(3, "big") for colour in colours)) if few else b""
    image = chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + image + chunk(b"IEND", b"")


def write_png(path: str | os.PathLike[str], pixels: np.ndarray) -> None:
    """Write `pixels` (height, width, 3) uint8 as a PNG, complete or not at all."""
    target, data = Path(path), encode_png(pixels)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target) as draft:
        draft.write_bytes(data)


def draw_text(
    pixels: np.ndarray, x: int, y: int, text: str, *, scale: int = 2, colour: tuple[int, int, int] = (230, 230, 230)
) -> None:
    """Write `text` into `pixels` (height, width, 3) with its top left corner at (x, y); what does not fit is cropped.

    Letters are drawn as capitals, unknown characters as blanks; a character is 4*scale wide and 5*scale high.
    """
    for index, character in enumerate(text.upper()):
        rows = GLYPHS.get(character, "00000")
        bits = np.array([[int(row) >> shift & 1 for shift in (2, 1, 0)] for row in rows], bool)
        glyph = bits.repeat(scale, 0).repeat(scale, 1)
        left = x + index * 4 * scale
        patch = pixels[y : y + glyph.shape[0], left : left + glyph.shape[1]]
        if left + glyph.shape[1] > pixels.shape[1] or patch.shape[:2] != glyph.shape:
            return
        patch[glyph] = colour
