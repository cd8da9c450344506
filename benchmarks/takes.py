"""How alike are the takes of a note? Eight equal quavers of a player, as a song would play them one after another.

python benchmarks/takes.py gm violin "string ensemble 1" trumpet
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

import antiphon
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.music.casting import VARIANTS
from antiphon.voices.instrument import InstrumentVoice

SMOOTH = 441  # samples, 10 ms, over which a level is taken


def takes(voice: InstrumentVoice, label: str, pitch: float, seconds: float, seed: int) -> list[np.ndarray]:
    """The variants of a note, each (samples,) float32, as long as it is held."""
    w = voice.imagine(label, seed=seed)
    notes = [Note(pitch, seconds, 90, label, seed=seed, take=round(100 * pitch) * VARIANTS + k)
             for k in range(VARIANTS)]  # fmt: skip
    return [sound[: round(seconds * SAMPLE_RATE)] for sound in voice.notes(notes, w=torch.stack([w] * VARIANTS))]


def unlike(sounds: list[np.ndarray]) -> tuple[float, float, float]:
    """dB from the softest to the loudest, ms until half of the highest level (median), and ms from the earliest to the
    latest."""
    levels = [10 * np.log10((sound**2).mean() + 1e-12) for sound in sounds]
    shapes = [np.sqrt(np.convolve(sound**2, np.ones(SMOOTH) / SMOOTH, "same")) for sound in sounds]
    rises = [1000 * int(np.argmax(shape > shape.max() / 2)) / SAMPLE_RATE for shape in shapes]
    return float(np.ptp(levels)), float(np.median(rises)), float(np.ptp(rises))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("instruments", nargs="+")
    parser.add_argument("--pitch", type=float, default=69)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--players", type=int, default=3)
    asked = parser.parse_args()
    voice = antiphon.load(asked.voice).able(InstrumentVoice, "play takes")
    for label in asked.instruments:
        for seed in range(asked.players):
            spread, rise, apart = unlike(takes(voice, voice.resolve(label), asked.pitch, asked.seconds, seed))
            print(f"{label:24}player {seed}: level within {spread:.1f} dB, rise {rise:.0f} ms within {apart:.0f} ms")


if __name__ == "__main__":
    main()
