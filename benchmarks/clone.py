"""How good is a clone? One note of each preset that the voice was never trained on, cloned and played elsewhere.

    python benchmarks/clone.py gm --prepared work-data/gm.safetensors [--notes 2] [--targets 4]

The clone is compared with the encoder alone (no inversion) and with the recording pitch-shifted, as a sampler does it.
Each is set to the recording's loudness at the recording's own pitch, and compared with the preset's real notes 7 to 24
semitones away, of about the recording's velocity. Brightness, attack and noisiness at the recording's own pitch are
those of one take and the medians of several takes, beside those of another take of the clone itself: no single take can
be nearer than chance allows. Tuning is compared with that of the real notes.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

import antiphon
from antiphon.audio.mel import fit_length, mel_distance
from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.data.analysis.descriptors import DESCRIPTORS, loudness, measure_f0
from antiphon.data.prepare import measure
from antiphon.data.prepared import Prepared
from antiphon.metrics.sounds import Sounds
from antiphon.verbs.clone import from_audio

NEAREST, FARTHEST = 7, 24  # semitones from the recording
SILENCE = 4_410  # samples before the recording, as in home recordings
TAKES = 7  # performances of the recorded note
OCTAVES = (-24, -12, 0, 12, 24)  # semitones at which the tuning is measured
RATIOS: dict[str, float] = {"brightness": 2, "attack": 10, "noisiness": 10**0.1}  # base of the descriptors' logarithms


@dataclass
class Case:
    """One recording cloned, and the results. Distances in dB of log-mel; ratios are clone / recording."""

    preset: str
    pitch: float
    heard: bool  # whether the pitch was detected correctly
    seconds: float  # of processor time
    semitones: list[float]  # to each target
    clone: list[float]
    encoded: list[float]
    shifted: list[float]
    own: dict[str, float]  # distance at the recording's own pitch
    ratios: dict[str, float]  # of RATIOS, at the recording's own pitch
    again: dict[str, float]  # the same for two takes of the clone
    usual: dict[str, float]  # the same for the median of TAKES and the recording
    attack_ms: float
    noise_points: float
    cents: list[float]  # off the key, over two octaves each way
    real_cents: list[float]  # the same for the recording and the targets


def draw(data: Prepared, notes: int, targets: int, seed: int) -> list[tuple[int, list[int]]]:
    """(recording, targets) as indices of notes: recordings from the middle of each preset's range and louder half."""
    rng = np.random.default_rng(seed)
    pool, pitch, velocity = data.where("preset").numpy(), data.pitch.numpy(), data.velocity.numpy()
    long = np.diff(data.start.numpy()) > SAMPLE_RATE // 4
    drawn = []
    for preset in np.unique(data.preset[pool]):
        own = pool[data.preset[pool].numpy() == preset]
        middle = own[(pitch[own] >= 45) & (pitch[own] <= 79) & (velocity[own] > 60) & long[own]]
        for note in rng.choice(middle, min(notes, len(middle)), replace=False):
            away = np.abs(pitch[own] - pitch[note])
            there = own[(away >= NEAREST) & (away <= FARTHEST)]
            alike = there[np.argsort(np.abs(velocity[there] - velocity[note]), kind="stable")][: 3 * targets]
            drawn.append((int(note), rng.choice(alike, min(targets, len(alike)), replace=False).tolist()))
    return drawn


def examine(voice: antiphon.Voice, sounds: Sounds, note: int, targets: list[int]) -> Case:
    data = sounds.prepared
    pitch, hold = float(data.pitch[note]), int(data.hold[note])
    recording, velocity = data.audio(note), [int(data.velocity[note])]
    began = time.process_time()
    clone, heard = _cloned(voice, np.concatenate([np.zeros(SILENCE, np.float32), recording]), pitch, velocity)
    seconds = time.process_time() - began
    w = voice.encode([recording], [pitch], [hold / SAMPLE_RATE if hold > 0 else None])
    asked = [sounds.note(i) for i in (note, *targets)]
    played = {
        "clone": clone.notes([antiphon.Note(n.pitch, n.seconds, n.velocity) for n in asked]),
        "encoded": voice.notes(asked, w=np.repeat(w, len(asked), 0)),
    }
    real = [sounds.real(i) for i in (note, *targets)]
    away = {name: _distances(made, real) for name, made in played.items()}
    shifted = [_distance(sounds.shifted(note, float(data.pitch[i])), x) for i, x in zip(targets, real[1:], strict=True)]
    first = asked[0]
    takes = [clone.note(pitch, seconds=first.seconds, velocity=first.velocity, take=take) for take in range(1, TAKES)]
    theirs = _described(real[0], pitch, hold)
    mine, again, *others = (_described(fit_length(x, len(real[0])), pitch, hold) for x in (played["clone"][0], *takes))
    usual = {name: float(np.median([x[name] for x in (mine, again, *others)])) for name in mine}
    return Case(
        preset=data.labels.presets[int(data.preset[note])]["name"],
        pitch=pitch,
        heard=heard,
        seconds=seconds,
        semitones=[float(data.pitch[i]) - pitch for i in targets],
        clone=away["clone"][1:],
        encoded=away["encoded"][1:],
        shifted=shifted,
        own={name: d[0] for name, d in away.items()},
        ratios=_ratios(mine, theirs),
        again=_ratios(again, mine),
        usual=_ratios(usual, theirs),
        attack_ms=1000 * (10 ** mine["attack"] - 10 ** theirs["attack"]),
        noise_points=100 * (10 ** (mine["noisiness"] / 10) - 10 ** (theirs["noisiness"] / 10)),
        cents=[_cents(clone, pitch + step) for step in OCTAVES if midi_to_hz(pitch + step) < 4000],
        real_cents=[measure_f0(data.audio(i), float(data.pitch[i]))[1] for i in (note, *targets)],
    )


def _cloned(voice: antiphon.Voice, audio: np.ndarray, pitch: float, velocity: list[int]) -> tuple[antiphon.Voice, bool]:
    """The clone, made with the pitch detected if possible; and whether that was right."""
    try:
        clone = from_audio([audio], voice, velocities=velocity)
        low, high = clone.info.range_of["clone"]
        if (low + high) / 2 == pitch:
            return clone, True
    except antiphon.AntiphonError as error:
        print(f"  refused: {error}", flush=True)
    return from_audio([audio], voice, pitches=[pitch], velocities=velocity), False


def _distance(made: np.ndarray, real: np.ndarray) -> float:
    return mel_distance(fit_length(made, len(real)), real)


def _distances(made: list[np.ndarray], real: list[np.ndarray]) -> list[float]:
    """The first of each, at the recording's own pitch, sets the level of all."""
    gain = np.float32(10 ** ((loudness(real[0]) - loudness(made[0])) / 20))
    return [_distance(gain * m, r) for m, r in zip(made, real, strict=True)]


def _described(audio: np.ndarray, pitch: float, hold: int) -> dict[str, float]:
    row = measure(audio, pitch, hold / SAMPLE_RATE if hold > 0 else None).row
    return dict(zip(DESCRIPTORS, row["descriptors"].tolist(), strict=True))


def _ratios(mine: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    return {name: base ** (mine[name] - theirs[name]) for name, base in RATIOS.items()}


def _cents(voice: antiphon.Voice, pitch: float) -> float:
    """How far a note of 1 s is off its key, in cents."""
    return measure_f0(voice.note(pitch, seconds=1.0), pitch)[1]


def report(cases: list[Case]) -> dict[str, float]:
    """Print a line for each preset and one for all. -> the figures of the last"""
    columns = ("nearer", "(enc.)", "clone", "enc.", "shift", "own", "(enc.)")
    print(f"{'preset':24}" + "".join(f"{name:>8}" for name in columns) + "  shares, then dB of log-mel")
    for preset in dict.fromkeys(c.preset for c in cases):
        _line(preset.split(":")[-1], [c for c in cases if c.preset == preset])
    _line("all", cases)
    total = {}
    for name in RATIOS:
        total[f"{name} within 10 %"] = _near([c.ratios[name] for c in cases])
        total[f"{name}, usual take"] = _near([c.usual[name] for c in cases])
        total[f"{name}, played again"] = _near([c.again[name] for c in cases])
    short = [abs(c.attack_ms) <= 2 or abs(c.ratios["attack"] - 1) <= 0.1 for c in cases]
    total["attack within 2 ms or 10 %"] = float(np.mean(short))
    total["noise within 10 points"] = float(np.mean([abs(c.noise_points) <= 10 for c in cases]))
    for name, off in (("", [c.cents for c in cases]), (", real notes", [c.real_cents for c in cases])):
        cents = np.abs(np.concatenate(off))
        total["median cents off" + name] = float(np.median(cents))
        total["within 5 cents" + name] = float((cents <= 5).mean())
    total["pitch heard"] = float(np.mean([c.heard for c in cases]))
    total["processor seconds"] = float(np.median([c.seconds for c in cases]))
    total["nearer than shifted"] = _nearer(cases, "clone")
    total["nearer than shifted, encoder alone"] = _nearer(cases, "encoded")
    for name, value in total.items():
        print(f"{name:36}{value:8.2f}")
    return total


def _near(ratios: list[float]) -> float:
    return float((np.abs(np.array(ratios) - 1) <= 0.1).mean())


def _nearer(cases: list[Case], name: str) -> float:
    return float(np.mean([a < b for c in cases for a, b in zip(getattr(c, name), c.shifted, strict=True)]))


def _line(name: str, cases: list[Case]) -> None:
    means = [float(np.mean(np.concatenate([getattr(c, k) for c in cases]))) for k in ("clone", "encoded", "shifted")]
    own = [float(np.mean([c.own[k] for c in cases])) for k in ("clone", "encoded")]
    values = [_nearer(cases, "clone"), _nearer(cases, "encoded"), *means, *own]
    print(f"{name[:23]:24}" + "".join(f"{v:8.2f}" for v in values), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="gm")
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--notes", type=int, default=2, help="recordings per preset")
    parser.add_argument("--targets", type=int, default=4, help="real notes to compare each with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    voice, sounds = antiphon.load(args.voice), Sounds(Prepared(args.prepared), [])
    cases = []
    for note, targets in draw(sounds.prepared, args.notes, args.targets, args.seed):
        cases.append(examine(voice, sounds, note, targets))
        c = cases[-1]
        print(f"  {c.preset} {c.pitch:.0f}: nearer {_nearer([c], 'clone'):.2f}, {c.seconds:.0f} s", flush=True)
        if args.out:
            args.out.write_text(json.dumps([asdict(case) for case in cases], indent=1) + "\n")
    total = report(cases)
    if args.out:
        args.out.write_text(json.dumps({"total": total, "cases": [asdict(c) for c in cases]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
