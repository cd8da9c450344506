"""The spectrogram sheet: real sounds beside generated ones. Figures can mislead: look at it after important runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.plots.png import write_png
from antiphon.metrics.plots.titles import draw_title

WIDTH, HEIGHT = 270, 170  # one panel, pixels
LOW, HIGH = 30.0, 20_000.0  # Hz, bottom and top of a panel
RANGE_DB = 80.0
ATTACK_SECONDS, ATTACK_SHARE = 0.1, 0.3  # the first 0.1 s takes 30 % of the width, or attacks are two pixels wide
SONG = 12.0  # seconds: what is longer is no note, and its beginning is not stretched
GREY = (150, 150, 150)
COLOUR_STEPS = 32  # of 2.5 dB: finer ones are not seen, and the file is three times as large
# Window length in samples for the rows up to a frequency: long below to tell partials apart, short above for attacks.
WINDOWS = ((700.0, 4096), (3_000.0, 2048), (np.inf, 1024))
# A dark-to-bright map in the manner of "magma": every step lighter than the last, so it survives greyscale printing.
_DARK = [[0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129]]
COLOURS = np.array([*_DARK, [181, 54, 122], [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191]], float)


def column_times(seconds: float, width: int = WIDTH) -> np.ndarray:
    """Seconds at the centre of each pixel column, (width,): a note's attack stretched, the rest linear to `seconds`."""
    share = (np.arange(width) + 0.5) / width
    if not ATTACK_SECONDS / ATTACK_SHARE < seconds <= SONG:
        return share * seconds
    return np.interp(share, [0.0, ATTACK_SHARE, 1.0], [0.0, ATTACK_SECONDS, seconds])


def log_spectrogram(
    audio: np.ndarray, sample_rate: int, times: np.ndarray, height: int = HEIGHT, low: float = LOW, high: float = HIGH
) -> np.ndarray:
    """Level in dB re full scale (a sine reads its amplitude) on a log-frequency grid: (height, len(times)), top first.

    `audio` is (samples,); `times` are window centres in seconds. The window shortens with frequency (WINDOWS).
    """
    edges = np.geomspace(high, low, height + 1)  # of the rows, falling
    picture = np.full((height, len(times)), -200.0)
    below = 0.0
    for above, size in WINDOWS:
        rows = np.flatnonzero((edges[:-1] > below) & (edges[:-1] <= above))
        below = above
        if len(rows):
            needed = int(np.ceil(edges[rows[0]] * size / sample_rate)) + 2  # bins, a few of a long window's thousands
            levels = _levels(audio, np.round(times * sample_rate).astype(int), size, needed)
            picture[rows] = _sample_rows(levels, edges[rows + 1], edges[rows], sample_rate / size)
    return picture


def _levels(audio: np.ndarray, centres: np.ndarray, size: int, needed: int) -> np.ndarray:
    """STFT level in dB at given sample positions, of the lowest bins: (len(centres), min(needed, size // 2 + 1))."""
    reach = max(int(centres.max(initial=0)) + size, len(audio))
    padded = np.zeros(reach + size, np.float32)
    padded[size // 2 : size // 2 + len(audio)] = np.nan_to_num(audio)
    window = np.hanning(size).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[centres] * window
    spectra = torch.fft.rfft(torch.from_numpy(frames))[:, :needed].numpy()  # eight times as fast as numpy's
    return 20 * np.log10(np.abs(spectra) * (2 / window.sum()) + 1e-10)


def _sample_rows(levels: np.ndarray, bottom: np.ndarray, top: np.ndarray, bin_hz: float) -> np.ndarray:
    """The loudest bin inside each row [bottom, top) Hz, or the interpolated level where a row is finer than a bin."""
    bins = np.arange(levels.shape[1])
    out = np.empty((len(bottom), len(levels)))
    for row, (start, stop) in enumerate(zip(bottom / bin_hz, top / bin_hz, strict=True)):
        first, last = int(np.ceil(start)), min(int(np.ceil(stop)), len(bins))
        if last - first >= 1:
            out[row] = levels[:, first:last].max(1)
        else:
            centre = min((start + stop) / 2, len(bins) - 1.001)
            left = int(centre)
            out[row] = levels[:, left] * (left + 1 - centre) + levels[:, left + 1] * (centre - left)
    return out


def _coloured(picture: np.ndarray, times: np.ndarray, top_db: float) -> np.ndarray:
    """A coloured log_spectrogram, (height, width, 3) uint8: RANGE_DB up to `top_db`, faint lines at 100 Hz, 1 kHz,
    10 kHz, at 0.1 s of a note and every second (10 s of a song)."""
    share = np.clip((picture - (max(top_db, -100.0) - RANGE_DB)) / RANGE_DB, 0, 1)
    share = np.round(share * (COLOUR_STEPS - 1)) / (COLOUR_STEPS - 1)
    steps = np.linspace(0, 1, len(COLOURS))
    pixels = np.stack([np.interp(share, steps, COLOURS[:, channel]) for channel in range(3)], -1)
    for frequency in (100.0, 1_000.0, 10_000.0):
        row = int(len(picture) * np.log(HIGH / frequency) / np.log(HIGH / LOW))
        pixels[row, ::4] = pixels[row, ::4] * 0.5 + 70
    last = times[-1]
    for mark in np.arange(10, last, 10) if last > SONG else np.unique([ATTACK_SECONDS, *np.arange(1, last)]):
        column = int(np.searchsorted(times, mark))
        if column < len(times):
            pixels[::4, column] = pixels[::4, column] * 0.5 + 70
    return pixels.astype(np.uint8)


def spectrogram_panels(
    sounds: Sequence[np.ndarray], *, sample_rate: int = SAMPLE_RATE, width: int = WIDTH
) -> list[np.ndarray]:
    """A coloured spectrogram, (170, width, 3) uint8, of each sound, (samples,): one time axis and one dB scale for all,
    whose top is the loudest point of them."""
    seconds = max(max(len(sound) for sound in sounds) / sample_rate, 0.05)
    times = column_times(seconds, width)
    pictures = [log_spectrogram(np.asarray(sound, np.float32).reshape(-1), sample_rate, times) for sound in sounds]
    top = max(float(picture.max()) for picture in pictures)
    return [_coloured(picture, times, top) for picture in pictures]


def spectrogram_sheet(
    pairs: Sequence[tuple[str, np.ndarray, np.ndarray]],
    path: str | os.PathLike[str],
    *,
    sample_rate: int = SAMPLE_RATE,
    columns: int = 2,
) -> None:
    """Draw (title, real, generated) triples, audio (samples,) float, as a PNG: log frequency 30 Hz-20 kHz, 80 dB. The
    PNG's description lists the titles too.

    Both sides of a pair share one time axis (the longer of the two, its first 0.1 s stretched) and one dB scale, whose
    top is the loudest point of the real sound, so that a sound that is too quiet, too short or late looks so.
    """
    if not pairs:
        raise ValueError("a sheet needs at least one pair of sounds")
    columns = min(columns, len(pairs))
    margin, title_high = 8, 18
    cell_wide, cell_high = 2 * WIDTH + 4 + margin, HEIGHT + title_high + margin
    lines = -(-len(pairs) // columns)
    pixels = np.full((lines * cell_high + margin, columns * cell_wide + margin, 3), 24, np.uint8)
    legend = []
    for index, (title, real, generated) in enumerate(pairs):
        x = margin + index % columns * cell_wide
        y = margin + index // columns * cell_high
        sounds = [np.asarray(sound, np.float32).reshape(-1) for sound in (real, generated)]
        seconds = max(max(len(sound) for sound in sounds) / sample_rate, 0.05)
        times = column_times(seconds)
        pictures = [log_spectrogram(sound, sample_rate, times) for sound in sounds]
        top = float(pictures[0].max()) if len(sounds[0]) else -20.0
        legend.append(f"{title} ({seconds:.1f} s)")
        heads = pixels[y : y + title_high]
        draw_title(heads[:, x : x + WIDTH], title)
        draw_title(heads[:, x + WIDTH + 4 : x + cell_wide - margin], f"generated, {seconds:.1f} s", GREY)
        for half, picture in enumerate(pictures):
            left = x + half * (WIDTH + 4)
            pixels[y + title_high : y + title_high + HEIGHT, left : left + WIDTH] = _coloured(picture, times, top)
    write_png(path, pixels, f"Real beside generated, {columns} to a line: {'; '.join(legend)}")


def spectrogram_strip(
    sounds: Sequence[np.ndarray], titles: Sequence[str], path: str | os.PathLike[str], *, sample_rate: int = SAMPLE_RATE
) -> None:
    """Draw sounds, each (samples,), side by side as a PNG, at most 4 per line, each under its title: one time axis and
    one dB scale for all; otherwise like `spectrogram_sheet`."""
    if not sounds:
        raise ValueError("a strip needs at least one sound")
    panels = spectrogram_panels(sounds, sample_rate=sample_rate)
    _write_panels(list(zip(titles, panels, strict=True)), min(len(sounds), 4), path)


def spectrogram_grid(
    rows: Mapping[str, Sequence[np.ndarray]],
    titles: Sequence[str],
    path: str | os.PathLike[str],
    *,
    sample_rate: int = SAMPLE_RATE,
) -> None:
    """Draw a line of sounds, each (samples,), for every name as a PNG. The sounds of a column are of the note in its
    title, and share one time axis and one dB scale; otherwise like `spectrogram_sheet`."""
    columns = [spectrogram_panels(column, sample_rate=sample_rate) for column in zip(*rows.values(), strict=True)]
    panels = [
        (f"{name}: {title}", column[line])
        for line, name in enumerate(rows)
        for title, column in zip(titles, columns, strict=True)
    ]
    _write_panels(panels, len(titles), path)


def texture_sheet(
    rows: Sequence[tuple[str, np.ndarray]],
    path: str | os.PathLike[str],
    seconds: float,
    *,
    sample_rate: int = SAMPLE_RATE,
    columns: int = 6,
) -> None:
    """Draw (title, sound) pairs, audio (samples,), as a PNG on one linear axis of time, each on a dB scale of its own:
    textures have no attack to be stretched."""
    times = (np.arange(WIDTH) + 0.5) / WIDTH * seconds
    panels = []
    for title, sound in rows:
        picture = log_spectrogram(np.asarray(sound, np.float32).reshape(-1), sample_rate, times)
        panels.append((title, _coloured(picture, times, float(picture.max()))))
    _write_panels(panels, min(columns, len(panels)), path)


def _write_panels(panels: Sequence[tuple[str, np.ndarray]], columns: int, path: str | os.PathLike[str]) -> None:
    """Write (title, pixels) panels, `columns` in a line."""
    wide, high = WIDTH + 4, HEIGHT + 22
    pixels = np.full((-(-len(panels) // columns) * high + 4, columns * wide + 4, 3), 24, np.uint8)
    for index, (title, panel) in enumerate(panels):
        x, y = 4 + index % columns * wide, 4 + index // columns * high
        draw_title(pixels[y : y + 16, x : x + WIDTH], title)
        pixels[y + 16 : y + 16 + HEIGHT, x : x + WIDTH] = panel
    write_png(path, pixels, f"{columns} to a line: {'; '.join(title for title, _ in panels)}")
