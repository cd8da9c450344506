"""Averages the weights of voices that were trained from one another, into a voice that is better than each of them.

    python examples/average.py gm=1 runs/gm6=1 runs/gm7=2 -o gm.safetensors

Runs that begin from a common voice stay in one valley of the loss, whose floor is between them (model soups, Wortsman
et al. 2022). The new voice's metadata is that of the last one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.voices.checkpoint import save_voice


def average(shares: list[tuple[str, float]], out: Path) -> Path:
    """Write the mean of voices' weights, by their shares; returns the path. Raises AntiphonError if they differ in more
    than weights."""
    voices = [antiphon.load(name) for name, _ in shares]
    last = voices[-1]
    if any((v.model.config, v.model.labels) != (last.model.config, last.model.labels) for v in voices):
        raise AntiphonError("these voices have other sizes or labels: average those that began from one another")
    total = sum(share for _, share in shares)
    states = [voice.model.state_dict() for voice in voices]
    mean = {
        name: torch.stack(
            [state[name] * (share / total) for state, (_, share) in zip(states, shares, strict=True)]
        ).sum(0)
        for name in states[-1]
    }
    last.model.load_state_dict(mean)
    save_voice(out, last.model, last.info)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", nargs="+", metavar="VOICE=SHARE")
    parser.add_argument("-o", "--out", type=Path, required=True)
    asked = parser.parse_args()
    try:
        shares = [(name, float(share)) for name, _, share in (text.rpartition("=") for text in asked.voices)]
        print(average(shares, asked.out))
    except (AntiphonError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
