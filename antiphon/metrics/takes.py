"""Which performances of a note are most like a recording of it.

Phases, noise and the drift of ensembles are random: of pairs of takes of one note, four in ten have attacks within 10 %
of each other and half have as much noise. A recording is one take, so the takes of a clone most like it are selected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from antiphon.audio.mel import fit_length
from antiphon.data.analysis.descriptors import DESCRIPTORS
from antiphon.data.prepare import measure
from antiphon.data.prepared import Prepared
from antiphon.metrics.sounds import Sounds

if TYPE_CHECKING:
    from antiphon.voices.capabilities import PlaysNotes

TRIED = 48  # takes per recording,
ALTOGETHER = 192  # and of all recordings together
KEPT = 8  # as many as a song alternates between
# a change of a tenth in each descriptor's unit: octaves, decades, decibels
TENTHS = {"brightness": np.log2(1.1), "attack": np.log10(1.1), "noisiness": 10 * np.log10(1.1)}
HOPELESS = 5.0  # tenths: a descriptor that no take matches must not decide between them


def nearest_takes(
    voice: PlaysNotes,
    data: Prepared,
    tried: int = TRIED,
    kept: int = KEPT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[float, tuple[int, ...]]:
    """For each key of `data`'s notes, the takes most like them in brightness, attack and noisiness, the
    nearest first.

    The voice, of one character, plays the notes as they are, each `tried` times, or fewer if there are many notes."""
    sounds, tried = Sounds(data, []), max(min(tried, ALTOGETHER // len(data)), kept)
    apart: dict[float, list[np.ndarray]] = {}
    for note, pitch in enumerate(data.pitch.tolist()):
        apart.setdefault(round(pitch, 2), []).append(_tenths_apart(voice, sounds, note, range(tried)))
        progress(note + 1, len(data))
    ranked = {pitch: np.argsort(np.mean(of_notes, axis=0), kind="stable") for pitch, of_notes in apart.items()}
    return {pitch: tuple(takes[:kept].tolist()) for pitch, takes in ranked.items()}


def _tenths_apart(voice: PlaysNotes, sounds: Sounds, index: int, takes: Sequence[int]) -> np.ndarray:
    """(takes,) distance of each from a recorded note, in tenths of its descriptors, HOPELESS at most."""
    real, note = sounds.real(index), replace(sounds.note(index), instrument=voice.instruments[0])
    target = _described(real, note.pitch)
    made = voice.notes([replace(note, seed=take) for take in takes], threads=1)
    found = np.stack([_described(fit_length(sound, len(real)), note.pitch) for sound in made])
    return np.fmin(np.abs(found - target), HOPELESS).mean(1)


def _described(audio: np.ndarray, pitch: float) -> np.ndarray:
    """(3,) the descriptors of TENTHS, in tenths; NaN for a sound that cannot be measured."""
    try:
        row = measure(audio, pitch).row["descriptors"]
    except ValueError:
        return np.full(len(TENTHS), np.nan)
    return np.array([row[DESCRIPTORS.index(name)] / tenth for name, tenth in TENTHS.items()])
