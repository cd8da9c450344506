"""Sounds without a pitch, above all one-shots: how a folder labels a hit, and what is measured.

A prepared file of hits says so (`one_shots` in its labels) and has two more tables, modes and glides
(data/analysis/modes.py). One of other sounds says `unpitched`. Their pitch is the nominal AS_RECORDED, and they have no
harmonics, no f0 and no release."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.envelope import attack_seconds, decay_rate
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis import descriptors as analysis
from antiphon.data.analysis.modes import measure_modes
from antiphon.data.analysis.partials import HARMONICS, SILENT_DB, free_centres
from antiphon.data.labelling.drums import AS_RECORDED, DRUMS, drum_of, drum_told, unstruck, velocity_of
from antiphon.data.labelling.row import DEFAULT_VELOCITY, DOUBTED, Row

LONGEST = 65_536  # samples kept of a hit: 1.49 s
FADE = 2048  # samples over which a longer one is faded out
NO_DRUM = f"its name contains no drum: put one, such as {', '.join(DRUMS[6:10])}, in it or in its folder's name"
A_NOTE = f"it is labelled with a pitch, and its name contains no drum, such as {', '.join(DRUMS[6:10])}"
DESCRIPTORS = (
    "centroid",  # log2 of the spectral centroid in Hz
    "attack",  # log10 of the rise time in seconds, 10 to 90 % of the amplitude
    "decay",  # dB/s lost, 0 .. 120
)


def as_hit(row: Row, root: Path, listed: bool) -> tuple[Row, str | None]:
    """A row of a folder of notes read as a hit, and why it cannot be one, or None. listed: a table labelled it."""
    path = row.path.relative_to(root) if row.path.is_relative_to(root) else row.path
    told = drum_told(path)
    if row.source not in DOUBTED and not listed and (drum := drum_of(row.instrument)):
        told = drum, row.source  # a sampler's mapping
    if listed:
        told = (drum, "sidecar") if (drum := drum_of(row.instrument)) else told
    elif told is None and (drum := drum_of(root.name)):
        told = drum, "folder"
    if told is None:
        return row, NO_DRUM if row.pitch is None else A_NOTE
    preset, velocity = row.preset, row.velocity
    if not listed:  # each file is a separate drum, unless only its velocity differs
        preset = unstruck(path)
        if not row.velocity_source:
            velocity = velocity_of(path.stem) or DEFAULT_VELOCITY
    drum, source = told
    return replace(
        row, pitch=AS_RECORDED, instrument=drum, preset=preset, velocity=velocity, source=source, role="drum"
    ), None


def measure_unpitched(audio: np.ndarray, longest: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
    """One sound from its onset, at most `longest` samples, and its row of every table of notes. Raises ValueError, with
    the reason, if it is unusable."""
    audio = analysis.without_dc(audio)
    audio = analysis.cut_and_fade_tail(audio[analysis.find_onset(audio) :])
    if len(audio) < SAMPLE_RATE // 100:
        raise ValueError("shorter than 10 ms")
    if longest is not None and len(audio) > longest:
        audio = audio[:longest].copy()
        audio[-FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
    silent, free = np.full(HARMONICS, SILENT_DB, np.float32), free_centres().astype(np.float32)
    nothing_pitched = {
        "pitch": AS_RECORDED, "tuning": 0.0, "cents": np.zeros(analysis.frames_of(len(audio)), np.float16), "hold": -1,
        "ratios": np.arange(1, HARMONICS + 1, dtype=np.float32), "harmonic_level": silent, "inharmonicity": 0.0,
        "free_ratio": free, "free_level": np.full(len(free), SILENT_DB, np.float32), "vibrato": np.zeros(3, np.float32),
    }  # fmt: skip
    return audio, nothing_pitched | {"descriptors": _descriptors(audio), "loudness": analysis.loudness(audio)}


def measure_hit(audio: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """One hit, at most 1.49 s of it, and its row of every table. Raises ValueError, with a reason, if unusable."""
    audio, row = measure_unpitched(audio, LONGEST)
    modes = measure_modes(audio)
    measured = {"modes": np.stack([modes.hz, modes.level], -1), "glide": np.array(modes.glide, np.float32)}
    return audio, row | measured


def _descriptors(audio: np.ndarray) -> np.ndarray:
    """(3,) float32, in the order of DESCRIPTORS."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    hz = np.arange(len(power)) * SAMPLE_RATE / len(audio)
    centroid = float((power * hz).sum() / (power.sum() + 1e-20))
    values = np.log2(max(centroid, 1.0)), np.log10(attack_seconds(audio)), decay_rate(audio, -1)
    return np.array(values, np.float32)
