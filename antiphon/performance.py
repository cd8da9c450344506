"""From notes to sounds: how long a note rings, how its pitch moves, and the generator's one forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from antiphon.data.excerpts import pad_knots
from antiphon.networks.generators.instrument import (
    SAMPLE_RATE,
    Curves,
    Gesture,
    InstrumentGenerator,
    Tuning,
    midi_to_hz,
)
from antiphon.networks.oscillators import HOP, block_count
from antiphon.networks.timegrid import knots
from antiphon.notes import Note

# seconds after the release at which a note is asked whether it still sounds
TAILS = (0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0)
HELD = (0.0, 0.02, 0.1, 0.5)  # shares of the hold at which it is asked how loud it is
QUIET = -6.9  # nepers (-60 dB) below its peak, where a note's tail is cut
LEAVE = 512  # samples over which what is left then fades
INAUDIBLE = -9.2  # nepers (-80 dB) below its peak, where a partial is left out
NOISE_AS_TONE = -1.5  # nepers: a band of noise at gain 1 is about as loud as a partial of this amplitude
STEADY = 1.5  # cents of drift and vibrato that count as none
SWELL = 0.3  # seconds in which vibrato grows
FAINT = 3.0  # cents of vibrato that are not played: measured depths of instruments without any are not exactly 0


@torch.inference_mode()
def perform(generator: InstrumentGenerator, notes: Sequence[Note], w: Tensor, in_tune: bool = True) -> list[np.ndarray]:
    """Each note's sound, (samples,) float32, from its onset until it has died away by 60 dB.

    w: (notes, style). in_tune: leave out the constant error of the recordings learned from. Notes of like length are
    best played together: the batch is as long as its longest."""
    pitch = torch.tensor([n.pitch for n in notes], dtype=torch.float32)
    velocity = torch.tensor([n.velocity / 127 for n in notes], dtype=torch.float32)
    tuning = generator.tuning(w, pitch, velocity)
    holds = [max(round(n.seconds * SAMPLE_RATE), 1) for n in notes]
    longest = (max(holds) + round(TAILS[-1] * SAMPLE_RATE)) // 512 * 512
    g = Gesture(
        pitch=pitch,
        velocity=velocity,
        release=torch.tensor(holds, dtype=torch.float32),
        start=torch.zeros(len(notes), dtype=torch.long),
        samples=longest,
        knots=_probes(holds),
        f0=midi_to_hz(pitch.unsqueeze(-1) + _bends(notes, block_count(longest))),
        take=torch.tensor([n.take * 7919 + n.seed for n in notes]),
    )
    tails = _tails(generator, generator.curves(w, g), g, tuning)
    g = replace(g, knots=pad_knots([knots(0, h + t, h) for h, t in zip(holds, tails, strict=True)]))
    curves = generator.curves(w, g)
    return [_sound(generator, *_alone(curves, g, tuning, i), in_tune) for i in range(len(notes))]


def _probes(holds: Sequence[int]) -> Tensor:
    """(notes, 11) samples at which to ask how loud a note is, before it is known how long it rings."""
    held = torch.tensor(holds, dtype=torch.float32).unsqueeze(-1)
    return torch.cat([held * torch.tensor(HELD), held + SAMPLE_RATE * torch.tensor(TAILS)], -1)


def _bends(notes: Sequence[Note], blocks: int) -> Tensor:
    """(notes, blocks) semitones off the key at block centres, as the notes' bend points say."""
    times = np.arange(blocks) * (HOP / SAMPLE_RATE)
    rows = np.zeros((len(notes), blocks), np.float32)
    for row, note in zip(rows, notes, strict=True):
        if note.bend:
            row[:] = np.interp(times, *np.array(note.bend, np.float64).T)
    return torch.from_numpy(rows)


def _tails(generator: InstrumentGenerator, curves: Curves, g: Gesture, tuning: Tuning) -> list[int]:
    """Samples after its release for which each note must be drawn: up to the first probe of its silence."""
    out = []
    for i in range(len(g.pitch)):
        loud = _loudness(generator, *_alone(curves, g, tuning, i))
        last = _last_sounding(loud, torch.arange(len(loud)) >= len(HELD))
        out.append(round(TAILS[min(max(last - len(HELD) + 1, 0), len(TAILS) - 1)] * SAMPLE_RATE))
    return out


def _alone(curves: Curves, g: Gesture, tuning: Tuning, i: int) -> tuple[Curves, Gesture, Tuning]:
    """Note i of a batch as a batch of one."""
    own = slice(i, i + 1)
    return (
        Curves(**{k: v[own] for k, v in vars(curves).items()}),
        g[own],
        Tuning(**{k: v[own] for k, v in vars(tuning).items()}),
    )


def _loudness(generator: InstrumentGenerator, curves: Curves, g: Gesture, tuning: Tuning) -> Tensor:
    """(t,) nepers at the knots of a batch of one."""
    _, level = generator.partials(curves, g, tuning, 0)
    return torch.maximum(torch.logsumexp(2 * level, -1) / 2, curves.noise[0].amax(-1) + NOISE_AS_TONE)


def _last_sounding(loud: Tensor, released: Tensor) -> int:
    """Index of the last instant at which a note sounds. loud: (t,) nepers; released: (t,) whether the key is up.

    Once a released note is silent it stays so: long after a release is where the network was taught least."""
    sounding = loud > float(loud.max()) + QUIET
    silent = torch.nonzero(released & ~sounding).flatten()
    end = int(silent[0]) if len(silent) else len(loud)
    return int(torch.nonzero(sounding[:end]).flatten()[-1]) if bool(sounding[:end].any()) else 0


def _sound(generator: InstrumentGenerator, curves: Curves, g: Gesture, tuning: Tuning, in_tune: bool) -> np.ndarray:
    """A batch of one, cut where it has died away."""
    loud = _loudness(generator, curves, g, tuning)
    last = _last_sounding(loud, g.knots[0] > g.release)
    last = int(g.knots[0, min(last + 1, g.knots.shape[1] - 1)])
    samples = min(-(-max(last, 512) // 512) * 512, g.samples)
    kept = slice(0, int(torch.searchsorted(g.knots[0], samples)) + 1)
    curves = Curves(**{k: v[:, kept] for k, v in vars(curves).items()})
    g = replace(g, samples=samples, knots=g.knots[:, kept], f0=g.f0[:, : block_count(samples)])
    cents = _wander(curves, tuning, g) + (0 if in_tune else float(tuning.cents))
    g = replace(g, f0=g.f0 * torch.exp2(torch.as_tensor(cents) / 1200))
    sound = generator.synthesise(curves, g, tuning, float(loud.max()) + INAUDIBLE, STEADY)[0]
    sound[-LEAVE:] *= torch.linspace(1, 0, LEAVE)
    return sound.numpy()


def _wander(curves: Curves, tuning: Tuning, g: Gesture) -> Tensor | float:
    """(blocks,) cents of drift and vibrato of a batch of one; 0 where there is nothing to hear, which is cheap to
    play."""
    rate, depth, delay = tuning.vibrato[0].tolist()
    drift = curves.drift[0].numpy()
    if depth <= FAINT and np.abs(drift).max() < STEADY:
        return 0.0
    at = np.arange(g.f0.shape[1]) * HOP
    cents = np.interp(at, g.knots[0].numpy(), drift)
    if depth > FAINT:
        since = at / SAMPLE_RATE - delay
        cents += depth * np.clip(since / SWELL, 0, 1) * np.sin(2 * np.pi * rate * np.maximum(since, 0))
    return torch.from_numpy(cents.astype(np.float32))
