"""What the critics heard, drawn over a sound's spectrogram: red made it realer to them, blue less real."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.core.units import MEL_CORNER, SAMPLE_RATE
from antiphon.metrics.critics_map import HIGH, LOW, SAMPLES, CriticsMap
from antiphon.metrics.plots import sheet

REAL, FAKE = (225.0, 70.0, 50.0), (50.0, 125.0, 235.0)  # of a cell with the largest part of all
DIM, RANGE_DB = 70, 80.0  # grey of silence, out of 255; a spectrogram's range


def critics_panels(sounds: Sequence[np.ndarray], maps: Sequence[CriticsMap]) -> list[np.ndarray]:
    """A picture, (170, 270, 3) uint8, of the first 0.74 s of each sound, (samples,), with its map: one scale of levels
    and one of colours for all."""
    times = (np.arange(sheet.WIDTH) + 0.5) / sheet.WIDTH * SAMPLES / SAMPLE_RATE
    levels = [
        sheet.log_spectrogram(np.asarray(sound, np.float32).reshape(-1), SAMPLE_RATE, times, low=LOW)
        for sound in sounds
    ]
    top = max(max(float(picture.max()) for picture in levels), -100.0)
    most = max(max(float(np.abs(found.values).max()) for found in maps), 1e-9)
    return [_tinted(picture, top, _spread(found.values / most)) for picture, found in zip(levels, maps, strict=True)]


def _spread(values: np.ndarray) -> np.ndarray:
    """(height, width) a map, (bands, stretches), as smooth as the masks that measured it; the highest row first."""
    edges = np.geomspace(HIGH, LOW, sheet.HEIGHT + 1)
    mel, low, high = (np.log10(1 + x / MEL_CORNER) for x in (np.sqrt(edges[1:] * edges[:-1]), LOW, HIGH))
    rows = (mel - low) / (high - low) * len(values) - 0.5
    columns = (np.arange(sheet.WIDTH) + 0.5) / sheet.WIDTH * values.shape[1] - 0.5
    across = np.stack([np.interp(columns, np.arange(values.shape[1]), row) for row in values])
    return np.stack([np.interp(rows, np.arange(len(values)), column) for column in across.T], axis=1)


def _tinted(levels: np.ndarray, top: float, parts: np.ndarray) -> np.ndarray:
    """(height, width, 3) uint8: the level, in dB, as lightness, and the part, -1 to 1, as colour."""
    light = DIM / 255 + (1 - DIM / 255) * np.clip((levels - top + RANGE_DB) / RANGE_DB, 0, 1)
    strength = np.clip(np.abs(parts), 0, 1)[..., None] ** 0.7
    colour = np.where(parts[..., None] > 0, np.array(REAL), np.array(FAKE))
    pixels = light[..., None] * ((1 - strength) * 235.0 + strength * colour)
    return (pixels // 8 * 8).astype(np.uint8)
