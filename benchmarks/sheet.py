"""Draws docs/sheet-gm.png: ten instruments, a real note and beside it one imagined from noise and the label alone.

    python benchmarks/sheet.py gm --prepared work-data/gm.safetensors --out docs/sheet-gm.png

If an instrument has held-out octaves, notes are taken from them and marked.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import antiphon
from antiphon.data.prepared import Prepared
from antiphon.metrics.plots.sheet import spectrogram_sheet
from antiphon.training.reports.sheet import hold_of

INSTRUMENTS = (
    *("acoustic grand piano", "glockenspiel", "church organ", "nylon guitar", "violin"),
    *("string ensemble 1", "trumpet", "alto sax", "flute", "warm pad"),
)
SEED = 3


def row(voice: antiphon.Voice, data: Prepared, name: str, held_out: set[int]) -> tuple[str, np.ndarray, np.ndarray]:
    """(title, real, imagined) of a note from the middle of an instrument's range."""
    notes = np.flatnonzero(data.instrument.numpy() == data.labels.instruments.index(name)).tolist()
    fit = [i for i in notes if 55 <= data.pitch[i] <= 84 and 0.5 < hold_of(data, i) < 3] or notes
    chosen = [i for i in fit if i in held_out] or fit
    i = chosen[len(chosen) // 2]
    pitch, velocity = float(data.pitch[i]), float(data.velocity[i])
    imagined = voice.note(pitch, seconds=min(hold_of(data, i), 5), velocity=velocity, instrument=name, seed=SEED)
    return f"{name} {pitch:.0f} {'held out' if i in held_out else ''}", data.audio(i), imagined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="gm")
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/sheet.png"))
    args = parser.parse_args()
    voice, data = antiphon.load(args.voice), Prepared(args.prepared)
    held_out = set(data.where("block").tolist())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    spectrogram_sheet([row(voice, data, name, held_out) for name in INSTRUMENTS], args.out)
    print(args.out)


if __name__ == "__main__":
    main()
