"""The fixtures of docs/streaming.md: what every implementation of a streamed note is given, and what it has to say.

    python tests/streaming/fixtures.py      writes fixtures.json with this implementation

Weights and white noise are formulas, so that the file stays small; all that is random in a note is listed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from antiphon.core.note import Note
from antiphon.core.units import midi_to_hz
from antiphon.networks.generators.instrument import LONG, SHORT, TABLE, InstrumentConfig, InstrumentGenerator
from antiphon.networks.physics import DRIFTS, FREE_SLOTS, harmonics_below_top, random_phases
from antiphon.networks.timegrid import held_knots, released_knots
from antiphon.voices.known import RING
from antiphon.voices.streams import NoteStream

FILE = Path(__file__).with_name("fixtures.json")
CONFIG = InstrumentConfig(8, 16, 24, 2, 16, 12, 8, 8, 8)
NOTES = {  # (note, samples held): steady; bent, and let go early; long and low; out of tune; with its knobs turned
    "steady": (Note(69, 1, 100, take=3), 9_000),
    "bent": (Note(76.5, 1, 60, take=4, bend=((0.0, 0.0), (0.05, 2.0), (0.1, -1.0))), 3_001),
    "low": (Note(45, 1, 120, take=5), 16_000),
    "short": (Note(81, 1, 30, take=6), 100),
    "free": (Note(57, 1, 90, take=7), 12_800),
    "shaped": (Note(52, 1, 80, take=8, shaping=(-2.0, 1.0, 9.0, -0.7, 6.0, 5.0, 20.0, -0.8, 3.0)), 12_100),
}
LOUDER = 1.5  # of the heads' biases of noise
EXCERPTS, LENGTH = 12, 48  # of a sound: how many, and samples of each


def uniform(seed: int, count: int) -> np.ndarray:
    """(count,) numbers in [0, 1): x <- 1664525 x + 1013904223 mod 2^32."""
    factors, terms = _powers(1 << max(count - 1, 0).bit_length())
    return (factors[:count] * np.uint64(seed % (1 << 32)) + terms[:count] & np.uint64(0xFFFFFFFF)) / 2.0**32


@cache
def _powers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """What the seed is multiplied with, and what is added, after 1, 2, ... steps."""
    factor, term, rows = 1, 0, []
    for _ in range(count):
        factor, term = 1_664_525 * factor % (1 << 32), (1_664_525 * term + 1_013_904_223) % (1 << 32)
        rows.append((factor, term))
    return tuple(np.array(rows, np.uint64).T)


def tensor(number: int, shape: tuple[int, ...]) -> torch.Tensor:
    """The weights or biases that are number 0, 1, ... of the network's."""
    size = 1.6 / math.sqrt(shape[-1]) if len(shape) == 2 else 0.3
    return torch.from_numpy((size * (2 * uniform(number + 1, math.prod(shape)) - 1)).astype(np.float32)).view(shape)


def white(window: int, row: int) -> np.ndarray:
    """(window / 2 + 1,) complex, the spectrum of a row of the table of white noise: of equal magnitude."""
    turns = uniform(65_537 * window + 2_654_435_761 * (row + 1), window // 2 + 1)
    return math.sqrt(window) * np.exp(2j * np.pi * turns)


def generator() -> InstrumentGenerator:
    """The network of the fixtures; of its tables of noise the rows that the notes need."""
    made = InstrumentGenerator(CONFIG).eval().requires_grad_(False)
    for number, (_, weights) in enumerate(made.named_parameters()):
        weights.copy_(tensor(number, tuple(weights.shape)))
    made.heads.bias[CONFIG.bands + CONFIG.free_harmonics + FREE_SLOTS : -2] += LOUDER  # noise that can be heard
    made.white_long, made.white_short = made.white_long.clone(), made.white_short.clone()  # networks share them
    for window, table, rows in ((LONG, made.white_long, 240), (SHORT, made.white_short, 64)):
        for note, _ in NOTES.values():
            for row in ((note.take * 7919 * 2_654_435_761 + np.arange(rows)) % TABLE).tolist():
                table[row] = torch.from_numpy(white(window, row)).to(torch.complex64)
    return made


def style(note: Note) -> np.ndarray:
    """(style,) the note's style vector."""
    return np.round(2 * uniform(99 + note.take, CONFIG.style) - 1, 9)


def given(network: InstrumentGenerator, name: str) -> dict[str, Any]:
    """All that a note is made of."""
    note, hold = NOTES[name]
    take, count = note.take * 7919, FREE_SLOTS + harmonics_below_top(midi_to_hz(note.pitch))
    phase, copies = random_phases(take, count)
    order = [*range(count - FREE_SLOTS, count), *range(count - FREE_SLOTS)]  # free partials first
    waves = np.random.default_rng((take, 2)).random((2, DRIFTS, 4)).astype(np.float32)
    numbers = {
        "w": style(note),
        "rate": waves[0],
        "angle": waves[1],
        "phase": phase.numpy()[order],
        "copies": copies[0].numpy()[:, order],
        "apart": copies[1, :, 0].numpy(),
    }
    w = torch.tensor(numbers["w"], dtype=torch.float32)
    known = NoteStream(network, note, w)._known
    numbers |= {"ratios": known.bank.ratios[0].numpy(), "detune": known.detune.numpy()}  # for phases after seconds
    listed = {key: [round(float(x), 9) for x in value.flatten()] for key, value in numbers.items()}
    own = {"pitch": note.pitch, "velocity": note.velocity, "hold": hold, "in_tune": name != "free", "bend": note.bend}
    own["shaping"] = note.shaping
    return own | {"first_row": take * 2_654_435_761 % TABLE} | listed


def played(network: InstrumentGenerator, name: str, block: int = 128) -> np.ndarray:
    """(samples,) the whole note, streamed."""
    note, hold = NOTES[name]
    w = torch.tensor(style(note), dtype=torch.float32)
    stream = NoteStream(network, note, w, in_tune=name != "free")
    parts = [stream.read(min(block, hold - at)) for at in range(0, hold, block)]
    stream.release()
    while not stream.done:
        parts.append(stream.read(block))
    return np.concatenate(parts)[: int(stream._end)]


@contextmanager
def ratios(network: InstrumentGenerator, numbers: list[float]) -> Iterator[None]:
    """The network's partials at given multiples of the pitch: their last bits differ between processors, and turn the
    phases of high partials after seconds."""
    inner = network.all_partials
    given = torch.tensor(numbers).unsqueeze(0)
    network.all_partials = lambda *asked: replace(inner(*asked), ratios=given)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del network.all_partials


def excerpts(sound: np.ndarray, hold: int) -> dict[str, list[float]]:
    """Samples of a sound, by where each excerpt begins: everywhere, around its release, and at the strike's end."""
    begins = {*np.linspace(0, len(sound) - LENGTH, EXCERPTS).astype(int).tolist(), 2400, 3000, 3400}
    begins |= {max(hold + by, 0) for by in (-20, 80, 128, 200)}
    return {str(at): [round(float(x), 7) for x in sound[at : at + LENGTH]] for at in sorted(begins)}


def fixtures() -> dict[str, Any]:
    network, knots = generator(), held_knots(0, 100)
    said = {}
    for name in NOTES:
        sound = played(network, name)
        said[name] = given(network, name) | {"samples": len(sound), "sound": excerpts(sound, NOTES[name][1])}
    return {
        "config": vars(CONFIG),
        "tensors": [[name, list(weights.shape)] for name, weights in network.named_parameters()],
        "held_knots": knots.tolist(),
        "released_knots": released_knots(round(RING * 44_100)).tolist(),
        "notes": said,
    }


if __name__ == "__main__":
    from antiphon.voices import synthesis

    synthesis.HALF = False
    FILE.write_text(json.dumps(fixtures()) + "\n")
