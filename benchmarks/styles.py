"""What the style vectors encode: nearest neighbours in the space of w, on 800 training notes.

    python benchmarks/styles.py gm --prepared work-data/gm.safetensors

Cheap, so good for watching a run: does w separate presets, and is the mapping network's w among the right ones?
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import antiphon
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.prepared import Prepared
from antiphon.networks.encoders.note import LISTEN
from antiphon.networks.mapping import NOISE

COUNT = 800


def encode(voice: antiphon.Voice, data: Prepared, notes: np.ndarray) -> torch.Tensor:
    holds = [float(data.hold[i]) / SAMPLE_RATE if data.hold[i] > 0 else None for i in notes]
    audio = [data.audio(int(i), 0, LISTEN) for i in notes]
    return torch.from_numpy(voice.encode(audio, [float(data.pitch[i]) for i in notes], holds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="gm")
    parser.add_argument("--prepared", type=Path, required=True)
    args = parser.parse_args()
    voice, data = antiphon.load(args.voice), Prepared(args.prepared)
    notes = np.random.default_rng(0).choice(data.where("train").numpy(), COUNT, replace=False)
    heard = encode(voice, data, notes)
    instrument, preset = data.instrument[notes], data.preset[notes]
    apart = torch.cdist(heard, heard).fill_diagonal_(torch.inf)
    nearest = apart.argmin(1)
    print(f"encoded: preset {(preset[nearest] == preset).float().mean():.2f}", end=", ")
    print(f"instrument {(instrument[nearest] == instrument).float().mean():.2f}")
    z = torch.randn(COUNT, NOISE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        imagined = voice.model.mapping(z, instrument, data.style[notes].float())
    nearest = torch.cdist(imagined, heard).argmin(1)
    print(f"imagined: instrument {(instrument[nearest] == instrument).float().mean():.2f}")


if __name__ == "__main__":
    main()
