"""Titles inside pictures, in the font that Pillow brings (extra `antiphon[plots]`)."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np

SIZE = 13  # pixels from one line of text to the next, about
SHADES = 7  # of a letter's edges: few, so that a picture keeps to a palette


@lru_cache(maxsize=1)
def _font() -> Any:
    """Pillow's font, or None without Pillow."""
    try:
        from PIL import ImageFont
    except ImportError:
        return None
    return ImageFont.load_default(SIZE)


def draw_title(pixels: np.ndarray, text: str, colour: tuple[int, int, int] = (230, 230, 230)) -> None:
    """Write `text` into `pixels` (height, width, 3) uint8, shortened if it is too long. Without Pillow they stay as
    they are: whoever draws a picture says in its description (`png.words_of`) what is seen where."""
    font = _font()
    if font is None or not text:
        return
    from PIL import Image, ImageDraw

    height, width = pixels.shape[:2]
    shown = text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()  # all that the font has
    while font.getlength(shown) > width and text:
        text = text[:-1]
        shown = f"{text}..."
    drawn = Image.new("L", (width, height))
    ImageDraw.Draw(drawn).text((0, height / 2), shown, fill=255, font=font, anchor="lm")
    ink = np.round(np.asarray(drawn, np.float32)[..., None] / 255 * SHADES) / SHADES
    pixels[:] = np.round(pixels * (1 - ink) + np.array(colour, np.float32) * ink).astype(np.uint8)
