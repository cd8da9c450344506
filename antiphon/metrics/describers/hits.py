"""Hits without a pitch of their own: drums, whose tones and noise a voice plays apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from antiphon.audio.envelope import decibels, envelope
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.drums import AS_RECORDED
from antiphon.metrics.describers.describer import Describer, Trait
from antiphon.voices.capabilities import Encodes, PlaysNotes
from antiphon.voices.voice import Voice

HOP = 88  # samples: 2 ms
CLICK = 0.008  # seconds
EARLY, LATE = (0.0, 0.04), (0.06, 0.25)  # seconds between which a drum's pitch falls
FALL = 30.0  # dB
FULL = 2.0  # seconds of a hit that are measured
TRAITS = (
    Trait("brightness", "more of the high end", "log2 of Hz at the centre of the spectrum", 0.25),
    Trait("tuning", "tuned higher", "log2 of Hz at the centre of the tones", 0.2),
    Trait("click", "a harder stroke: more of it in the first 8 ms", "dB of the first 8 ms, of all", 2),
    Trait("decay", "rings longer", "log10 of seconds until it has fallen by 30 dB", 0.12),
    Trait("noisiness", "more rattle and hiss, less tone", "dB of noise over tones", 4),
    Trait("tail", "a longer noise", "log10 of seconds until the noise has fallen by 30 dB", 0.12),
    Trait("fall", "a deeper fall of its pitch", "octaves from the first 40 ms to the rest", 0.15),
)


def measure(sound: np.ndarray, pitch: float = AS_RECORDED) -> np.ndarray:
    """(7,) in the order of TRAITS. sound: (samples, 2) tones and noise, from the onset."""
    parts = np.asarray(sound, np.float64)[: round(FULL * SAMPLE_RATE)]
    parts = np.pad(parts, ((0, max(round(0.3 * SAMPLE_RATE) - len(parts), 0)), (0, 0)))
    whole, (tones, noise) = parts.sum(1), parts.T
    energy, toned, noised = (float(np.square(x).sum()) + 1e-12 for x in (whole, tones, noise))
    early, late = (tones[slice(*(round(t * SAMPLE_RATE) for t in span))] for span in (EARLY, LATE))
    values = [
        centre(whole),
        centre(tones),
        10 * np.log10(np.square(whole[: round(CLICK * SAMPLE_RATE)]).sum() / energy + 1e-6),
        np.log10(seconds_to_fall(whole)),
        np.clip(10 * np.log10(noised / toned), -40, 40),
        np.log10(seconds_to_fall(noise)),
        centre(early) - centre(late),
    ]
    return np.nan_to_num(np.array(values, np.float64))


def centre(part: np.ndarray) -> float:
    """log2 of the energy-weighted mean of log frequency, 20 Hz to 20 kHz: unlike a mean in Hz, a little hiss does not
    outweigh a drum."""
    power = np.abs(np.fft.rfft(part, max(1 << (len(part) - 1).bit_length(), 8192))) ** 2
    hz = np.fft.rfftfreq(2 * len(power) - 2, 1 / SAMPLE_RATE)
    heard = (hz > 20) & (hz < 20_000)
    total = power[heard].sum()
    return float((power[heard] * np.log2(hz[heard])).sum() / total) if total > 1e-14 else float(np.log2(200.0))


def seconds_to_fall(part: np.ndarray) -> float:
    """Seconds from the loudest moment until the level has fallen by 30 dB for good, at least 2 ms."""
    level = decibels(envelope(part, HOP, 5))
    top = int(level.argmax())
    loud = np.flatnonzero(level > level[top] - FALL)
    return float(max(int(loud[-1]) - top, 1) * HOP / SAMPLE_RATE)


def play(voice: Any, label: str, w: Tensor, shapings: Sequence[tuple[float, ...]]) -> list[np.ndarray]:
    notes = [Note(AS_RECORDED, 1.0, 100, label, shaping=one) for one in shapings]
    sounds: list[np.ndarray] = voice.notes(notes, w=w, parts=True)
    return sounds


def suits(voice: Voice) -> bool:
    return isinstance(voice, PlaysNotes) and isinstance(voice, Encodes) and voice.song_part == "kit"


DESCRIBERS = {"hits": Describer(TRAITS, suits, play, measure, lambda voice, label: AS_RECORDED)}
