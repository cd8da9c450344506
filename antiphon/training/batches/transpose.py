"""Filling the gaps between recorded keys, as a sampler does: with a neighbouring note, played faster or slower.

A network that never heard an octave of an instrument has to guess how the instrument changes across it. Neighbouring
notes resampled into the gap are the best guess without hearing it, so they are training notes too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from torch import Tensor

from antiphon.data.prepared import Prepared

GAP = 3  # semitones between neighbouring keys, from which on the keys between them count as missing
FARTHEST = 7  # semitones by which a note is moved, at most
MARGIN = 512  # samples heard on either side of an excerpt while it is resampled

Semitones = TypeVar("Semitones", float, Tensor)


def playback_rate(semitones: Semitones) -> Semitones:
    """How much faster a recording runs if it is moved by `semitones`."""
    rate: Semitones = 2 ** (semitones / 12)
    return rate


@dataclass(frozen=True)
class MissingKey:
    """A key that was not recorded: where its sound may come from, and how far that is moved.

    notes: indices of the notes of the nearest recorded key. semitones: from there to this key.
    """

    notes: tuple[int, ...]
    semitones: float


def missing_keys(data: Prepared, notes: Iterable[int]) -> list[MissingKey]:
    """The keys missing between a preset's recorded ones, a semitone apart, that lie within FARTHEST of one."""
    by_key: dict[float, list[int]] = {}
    for note in notes:
        by_key.setdefault(float(data.pitch[note]), []).append(note)
    keys = sorted(by_key)
    found = []
    for low, high in pairwise(keys):
        for key in np.arange(low + 1, high - 0.5) if high - low >= GAP else ():
            nearest = low if key - low <= high - key else high
            if abs(key - nearest) <= FARTHEST:
                found.append(MissingKey(tuple(by_key[nearest]), float(key - nearest)))
    return found


def transposed(data: Prepared, note: int, semitones: float, start: int, samples: int) -> np.ndarray:
    """Samples start .. start + samples of note `note` moved by resampling: (samples,) float32.

    The interpolation is band-limited, by Fourier transform: the spectrum of a piece is cut or padded to another length.
    What wraps around fades out within the margins.
    """
    ratio = playback_rate(semitones)
    wanted = samples + 2 * MARGIN
    given = round(wanted * ratio)
    first = round((start - MARGIN) * ratio)
    piece = np.pad(data.audio(note, max(first, 0), max(first + given, 0)), (min(max(-first, 0), given), 0))
    fade = np.minimum(np.arange(given), np.arange(given)[::-1]) / (MARGIN * ratio / 2)
    spectrum = np.fft.rfft(piece * np.minimum(fade, 1))
    size = wanted // 2 + 1
    spectrum = np.pad(spectrum[:size], (0, max(size - len(spectrum), 0)))
    return (np.fft.irfft(spectrum, wanted)[MARGIN : MARGIN + samples] * (wanted / given)).astype(np.float32)
