"""How near does a voice come to real instruments, recorded by others? A clone of one note, and the other notes.

    python benchmarks/real.py FOLDER [FOLDER ...] [--voice gm] [--as "alto=alto sax"] [--notes 3] [--targets 6] [--kept]
    python benchmarks/real.py FOLDER [FOLDER ...] --train 10

A folder holds the notes of an instrument, named as `antiphon data inspect` understands. Of each of its presets some
notes are cloned, and compared with real notes 7 to 19 semitones away and of about their velocity: distances are dB of
log-mel, brightness the difference of the spectral centroids in octaves, per octave below and above the recording.
Beside the clone: w as encoded, halfway to the nearest imagined w, that imagined w, the same of the right label (where
`--as` or its name tells it), and the recording shifted as a sampler does. All are set to the recording's loudness.
--kept: recordings and targets only among the notes that --train keeps back, for a voice that was trained on the others.

With --train, a voice is trained from the given one on two thirds of the keys, less one whole octave of every three; the
notes of the octaves are compared with the nearest training note shifted. Its minutes are of the processor, on one
thread, so that they buy as many steps on a busy machine as on an idle one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import antiphon
from antiphon.audio.mel import fit_length, mel_distance
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.descriptors import loudness
from antiphon.data.labelling.kept_back import kept_back, octaves
from antiphon.data.labelling.manifest import scan
from antiphon.data.labelling.row import UNNAMED, Manifest
from antiphon.data.prepare import prepare
from antiphon.data.prepared import Prepared
from antiphon.metrics.sounds import Sounds
from antiphon.verbs.clone import from_audio
from antiphon.voices.interpolation import slerp
from antiphon.voices.styled import StyledVoice

NEAREST, FARTHEST = 7, 19  # semitones from the recording
LOWEST, HIGHEST = 36, 84  # MIDI, between which recordings are chosen
SHORTEST = 0.25  # seconds of a recording
PROBES = (4, 16)  # steps of two short runs that tell how long a step takes
BESIDE = ("clone", "encoded", "halfway", "imagined", "told", "shifted")


@dataclass
class Case:
    """One recording, and the results. Distances in dB, a list of one for each target; own: at its own pitch."""

    preset: str
    pitch: float
    velocity: int
    label: str  # that the encoder hears
    right: str  # that is right, if it is known
    heard: bool  # whether the clone was made with the right pitch unaided
    seconds: float  # of processor time that the clone took
    semitones: list[float]
    away: dict[str, list[float]]
    own: dict[str, float]
    octaves: dict[str, list[float]]  # how much brighter than the real note


def centroid(audio: np.ndarray) -> float:
    """log2 of Hz, of a whole sound."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
    heard = (hz > 20) & (hz < 16_000)
    return float(np.log2((power * hz)[heard].sum() / max(power[heard].sum(), 1e-20)))


def draw(
    data: Prepared, preset: int, notes: int, targets: int, seed: int, split: str | None = None
) -> list[tuple[int, list[int]]]:
    """(recording, targets) of a preset, as indices of notes: recordings of the louder half, spread over its keys."""
    rng = np.random.default_rng((seed, preset))
    chosen = data.preset.numpy() == preset
    if split:
        chosen &= data.split.numpy() == data.labels.splits.index(split)
    own = np.flatnonzero(chosen)
    pitch, velocity = data.pitch.numpy(), data.velocity.numpy()
    long = np.diff(data.start.numpy()) > SHORTEST * SAMPLE_RATE
    loud = velocity >= np.median(velocity[own])
    pool = own[(pitch[own] >= LOWEST) & (pitch[own] <= HIGHEST) & long[own] & loud[own]]
    pool = pool[np.argsort(pitch[pool], kind="stable")]
    drawn = []
    for part in np.array_split(pool, min(notes, len(pool))):
        note = int(rng.choice(part))
        away = np.abs(pitch[own] - pitch[note])
        there = own[(away >= NEAREST) & (away <= FARTHEST)]
        alike = there[np.argsort(np.abs(velocity[there] - velocity[note]), kind="stable")][: 3 * targets]
        drawn.append((note, sorted(rng.choice(alike, min(targets, len(alike)), replace=False).tolist())))
    return drawn


def examine(voice: StyledVoice, sounds: Sounds, note: int, targets: list[int], right: str) -> Case:
    data = sounds.prepared
    pitch, hold, velocity = float(data.pitch[note]), int(data.hold[note]), int(data.velocity[note])
    recording = data.audio(note)
    began = time.process_time()
    clone, heard = _cloned(voice, recording, pitch, velocity)
    seconds = time.process_time() - began
    w = torch.from_numpy(voice.encode([recording], [pitch], [hold / SAMPLE_RATE if hold > 0 else None])[0])
    label = voice.nearest(w)
    known = voice.kin(w, label)
    styles = {"encoded": w, "halfway": slerp(w, known, 0.5), "imagined": known}
    if right:
        styles["told"] = voice.kin(w, right)
    chosen = [note, *targets]
    asked, real = [sounds.note(i) for i in chosen], [sounds.real(i) for i in chosen]
    played = {name: voice.notes(asked, w=style.expand(len(asked), -1)) for name, style in styles.items()}
    played["clone"] = clone.notes([antiphon.Note(n.pitch, n.seconds, n.velocity) for n in asked])
    played["shifted"] = [sounds.shifted(note, float(data.pitch[i])) for i in chosen]
    levelled = {name: _levelled(made, real) for name, made in played.items()}
    distances = {name: [mel_distance(m, r) for m, r in zip(made, real, strict=True)] for name, made in levelled.items()}
    bright = [centroid(r) for r in real]
    return Case(
        preset=data.labels.presets[int(data.preset[note])]["name"],
        pitch=pitch,
        velocity=velocity,
        label=label,
        right=right,
        heard=heard,
        seconds=seconds,
        semitones=[float(data.pitch[i]) - pitch for i in targets],
        away={name: d[1:] for name, d in distances.items()},
        own={name: d[0] for name, d in distances.items()},
        octaves={
            name: [centroid(m) - b for m, b in zip(made[1:], bright[1:], strict=True)]
            for name, made in levelled.items()
        },
    )


def _cloned(voice: StyledVoice, audio: np.ndarray, pitch: float, velocity: int) -> tuple[Any, bool]:
    """The clone, made with the pitch heard if possible; and whether that was right."""
    before = np.concatenate([np.zeros(SAMPLE_RATE // 10, np.float32), audio])
    try:
        clone = from_audio([before], voice, velocities=[velocity])
        low, high = clone.info.range_of["clone"]
        if (low + high) / 2 == pitch:
            return clone, True
    except antiphon.AntiphonError as error:
        print(f"  refused: {error}", flush=True)
    return from_audio([before], voice, pitches=[pitch], velocities=[velocity]), False


def _levelled(made: list[np.ndarray], real: list[np.ndarray]) -> list[np.ndarray]:
    """The first of each, at the recording's own pitch, sets the level of all."""
    gain = np.float32(10 ** ((loudness(real[0]) - loudness(made[0])) / 20))
    return [gain * fit_length(m, len(r)) for m, r in zip(made, real, strict=True)]


# ---- trained ---------------------------------------------------------------------------------------------------------


def hide(data: Prepared) -> list[int]:
    """Keep keys of each preset back from the training notes. -> the notes of whole octaves"""
    train, block = (data.labels.splits.index(name) for name in ("train", "block"))
    hidden: list[int] = []
    data.split.fill_(train)
    for preset in range(len(data.labels.presets)):
        own = torch.nonzero(data.preset == preset).flatten()
        keys = data.pitch[own].tolist()
        back, whole = kept_back(keys), octaves(keys)
        data.split[own[[key in back for key in keys]]] = block
        hidden += own[[key in whole for key in keys]].tolist()
    return hidden


def train(voice: str, data: Prepared, minutes: float, folder: Path) -> tuple[Path, int, float]:
    """-> a run on as many steps as fit into `minutes` of the processor, that number, and the minutes it took"""
    from antiphon.recipes.lookup import recipe
    from antiphon.verbs.train import from_prepared

    def timed(name: str, steps: int) -> tuple[Path, float]:
        began = time.process_time()
        run = from_prepared(data, folder / name, recipe("instrument"), steps=steps, start_from=voice)
        return run, (time.process_time() - began) / 60

    (_, few), (_, many) = timed("few", PROBES[0]), timed("many", PROBES[1])
    steps = max(round(PROBES[0] + (minutes - few) * (PROBES[1] - PROBES[0]) / max(many - few, 1e-6)), PROBES[1])
    run, taken = timed("run", steps)
    return run, steps, taken


def trained(voice: str, data: Prepared, minutes: float, folder: Path, most: int = 60) -> dict[str, float]:
    """Train on what is not hidden; how near notes of the hidden octaves come. -> figures"""
    hidden = hide(data)
    run, steps, taken = train(voice, data, minutes, folder)
    made, sounds = antiphon.load(run), Sounds(data, [])
    shown = data.where("train")
    mine, shifted = [], []
    for i in np.random.default_rng(0).permutation(hidden)[:most].tolist():
        own = shown[data.preset[shown] == data.preset[i]]
        far = (data.pitch[own] - data.pitch[i]).abs() + (data.velocity[own] - data.velocity[i]).abs() / 10
        near = int(own[far.argmin()])
        hold = int(data.hold[near])
        w = made.encode([data.audio(near)], [float(data.pitch[near])], [hold / SAMPLE_RATE if hold > 0 else None])
        real, pitch = sounds.real(i), float(data.pitch[i])
        mine.append(mel_distance(fit_length(made.notes([sounds.note(i)], w=w)[0], len(real)), real))
        shifted.append(mel_distance(fit_length(sounds.shifted(near, pitch), len(real)), real))
    nearer = float(np.mean(np.array(mine) < np.array(shifted)))
    far = {"trained, dB": float(np.mean(mine)), "shifted, dB": float(np.mean(shifted))}
    return {"steps": steps, "processor minutes": taken, "notes": len(mine), "nearer": nearer, **far}


# ---- what is printed -------------------------------------------------------------------------------------------------


def report(cases: list[Case]) -> dict[str, float]:
    """Print a line for each preset and one for all. -> the figures of the last"""
    print(
        f"{'preset':22}{'nearer':>8}" + "".join(f"{name:>9}" for name in BESIDE) + f"{'own':>7}   octaves off, heard as"
    )
    for preset in dict.fromkeys(c.preset for c in cases):
        own = [c for c in cases if c.preset == preset]
        _line(preset, own, ", ".join(dict.fromkeys(c.label for c in own)))
    _line("all", cases, "")
    told = [c for c in cases if c.right]
    total = {f"{name}, dB": _mean(cases, name) for name in BESIDE if any(name in c.away for c in cases)}
    for name in BESIDE[:-1]:
        if f"{name}, dB" in total:
            total[f"{name} nearer than shifted"] = _nearer(cases, name)
    total["clone at its own pitch, dB"] = float(np.mean([c.own["clone"] for c in cases]))
    total["encoded at its own pitch, dB"] = float(np.mean([c.own["encoded"] for c in cases]))
    for name in ("clone", "encoded", "shifted"):
        total[f"{name}, octaves brighter below"] = _off(cases, name, below=True)
        total[f"{name}, octaves brighter above"] = _off(cases, name, below=False)
    total["label right"] = float(np.mean([c.label == c.right for c in told])) if told else float("nan")
    total["pitch heard"] = float(np.mean([c.heard for c in cases]))
    total["processor seconds"] = float(np.median([c.seconds for c in cases]))
    for name, value in total.items():
        print(f"{name:36}{value:8.2f}")
    return total


def _mean(cases: list[Case], name: str) -> float:
    return float(np.mean([d for c in cases for d in c.away.get(name, ())]))


def _nearer(cases: list[Case], name: str) -> float:
    pairs = [(a, b) for c in cases if name in c.away for a, b in zip(c.away[name], c.away["shifted"], strict=True)]
    return float(np.mean([a < b for a, b in pairs]))


def _off(cases: list[Case], name: str, below: bool) -> float:
    off = [o for c in cases for o, s in zip(c.octaves[name], c.semitones, strict=True) if (s < 0) == below]
    return float(np.mean(off)) if off else float("nan")


def _line(name: str, cases: list[Case], labels: str) -> None:
    values = [_mean(cases, k) if any(k in c.away for c in cases) else float("nan") for k in BESIDE]
    off = f"{_off(cases, 'clone', True):+.2f} below {_off(cases, 'clone', False):+.2f} above"
    own = float(np.mean([c.own["clone"] for c in cases]))
    line = f"{name[:21]:22}{_nearer(cases, 'clone'):8.2f}" + "".join(f"{v:9.2f}" for v in values)
    print(f"{line}{own:7.2f}   {off} {labels}", flush=True)


def _named(manifest: Manifest) -> Manifest:
    """The same, where notes without an instrument's name are told by their folder."""
    rows = [replace(r, preset=manifest.folder.name) if r.preset == UNNAMED else r for r in manifest.rows]
    return replace(manifest, rows=rows)


def _right(voice: StyledVoice, said: dict[str, str], preset: dict[str, Any]) -> str:
    """The voice's label of a preset: as told for a part of its name, or as its instrument is called, if that is one."""
    for part, label in said.items():
        if part in preset["name"]:
            return voice.resolve(label)
    try:
        return voice.resolve(preset["instrument"])
    except antiphon.AntiphonError:
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--voice", default="gm")
    parser.add_argument("--as", dest="said", action="append", default=[], help="PART=LABEL, of a preset's name")
    parser.add_argument("--notes", type=int, default=3, help="recordings per preset")
    parser.add_argument("--targets", type=int, default=6, help="real notes to compare each with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", action="store_true", help="only notes that --train keeps back")
    parser.add_argument("--train", type=float, help="processor minutes to train on each folder, instead of cloning")
    parser.add_argument("--cache", type=Path, help="a folder for prepared notes (default: they are not kept)")
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = "block" if args.kept else None
    said = dict(part.split("=", 1) for part in args.said)
    voice = antiphon.load(args.voice).able(StyledVoice, "clone")
    cases: list[Case] = []
    runs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in args.folders:
            place = (args.cache or Path(scratch)) / f"{folder.name}.safetensors"
            data = Prepared(place if place.exists() else prepare(_named(scan(folder)), place).path)
            if args.train:
                runs[folder.name] = trained(args.voice, data, args.train, Path(scratch) / folder.name)
                print(folder.name, {name: round(value, 2) for name, value in runs[folder.name].items()}, flush=True)
                continue
            if args.kept:
                hide(data)
            sounds = Sounds(data, [])
            for number, preset in enumerate(data.labels.presets):
                for note, targets in draw(data, number, args.notes, args.targets, args.seed, kept):
                    cases.append(examine(voice, sounds, note, targets, _right(voice, said, preset)))
                    c = cases[-1]
                    print(f"  {c.preset} {c.pitch:.0f}: {c.label}, nearer {_nearer([c], 'clone'):.2f}", flush=True)
    total = report(cases) if cases else runs
    if args.out:
        args.out.write_text(json.dumps({"total": total, "cases": [asdict(c) for c in cases]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
