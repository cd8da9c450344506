"""Sampler packs beside the voice they come from, as other players play them.

    python benchmarks/packs.py [--out out/packs] [--only notes bank song] [--song FILE.mid]

notes: eight instruments of gm as a soundfont (through FluidSynth) and as SFZ (through Polyphone, if it is there, and
FluidSynth): every key of their ranges and each layer beside `voice.note`, and how many samples have a loop. bank: all
113 instruments as one soundfont, and the kit as another. song: a MIDI file by FluidSynth with both, beside
`antiphon play` with two seeds. Needs the extra `soundfont` and the command `fluidsynth`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

import antiphon
from antiphon.audio.files import read_audio
from antiphon.audio.mel import mel_distance
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.soundfont.fluid import Fluid
from antiphon.data.soundfont.sf2 import read_presets
from antiphon.metrics.spectral import log_spectral_distance
from antiphon.verbs.export import from_voice

SOME = ("grand piano", "church organ", "nylon guitar", "violin", "choir aahs", "trumpet", "flute", "marimba")
HELD = 1.0  # seconds
ALL = {"instrument": "all", "keys": 20, "velocities": 1, "seconds": 1.3, "format": "sf2"}
SONG = Path(__file__).parent / "songs" / "dense.mid"


def pitch_of(sound: np.ndarray, near: float) -> float:
    """MIDI, by the strongest of the first four harmonics between 0.1 and 0.9 s."""
    part, size = sound[4_410:39_690], 1 << 17
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) ** 2
    f0, best = 440 * 2 ** ((near - 69) / 12) * size / SAMPLE_RATE, (0.0, np.nan)
    for k in range(1, 5):
        low, high = int(k * f0 / 1.03), min(int(k * f0 * 1.03) + 2, len(power) - 1)
        if low < high:
            i = low + int(np.argmax(power[low:high]))
            a, b, c = np.log(power[i - 1 : i + 2] + 1e-30)
            best = max(best, (float(power[i]), (i + (a - c) / (2 * (a - 2 * b + c))) / k))
    return float(69 + 12 * np.log2(best[1] * SAMPLE_RATE / size / 440))


def level_of(sound: np.ndarray) -> float:
    """dB of the held part."""
    return float(10 * np.log10(np.mean(np.square(sound[2_000:40_000], dtype=np.float64)) + 1e-20))


def onset_of(sound: np.ndarray) -> float:
    """Seconds until a tenth of the first half second's peak is reached."""
    part = np.abs(sound[: SAMPLE_RATE // 2])
    return float(np.argmax(part > 0.1 * part.max()) / SAMPLE_RATE)


Measured = dict[tuple[int, float], tuple[float, float, float]]  # of a key and a velocity: pitch, onset, level


def measured(sound: np.ndarray, key: int) -> tuple[float, float, float]:
    sound = np.pad(sound, (0, max(SAMPLE_RATE - len(sound), 0)))
    return pitch_of(sound, key), onset_of(sound), level_of(sound)


def played_by_the_voice(voice: Any, instrument: Any) -> Measured:
    """Every key of the sampled range in every layer."""
    roots = [zone.root for zone in instrument.zones]
    layers = sorted({zone.sample.note.velocity for zone in instrument.zones})
    which = [(key, velocity) for key in range(min(roots), max(roots) + 1) for velocity in layers]
    sounds = voice.notes([antiphon.Note(key, HELD, velocity, instrument.name) for key, velocity in which])
    return {one: measured(sound, one[0]) for one, sound in zip(which, sounds, strict=True)}


def played_by_fluidsynth(font: Path, which: Measured) -> Measured:
    with Fluid() as fluid:
        fluid.select(font, read_presets(font)[0])
        return {
            (key, velocity): measured(
                fluid.note(key, int(velocity), round(HELD * SAMPLE_RATE), 2 * SAMPLE_RATE)[:, 0], key
            )
            for key, velocity in which
        }


def apart(heard: Measured, own: Measured, roots: set[int], curve: float = 0.0) -> dict[str, Any]:
    """How far a player's notes are from the voice's: at keys that were sampled, and between them. curve: by how many
    times the square of the velocity the player makes softer what is softer already."""
    found: dict[str, Any] = {"notes": len(own)}
    for name, chosen in (("sampled", [k in roots for k, _ in own]), ("between", [k not in roots for k, _ in own])):
        pairs = [(heard[one], own[one]) for one, take in zip(own, chosen, strict=True) if take]
        cents = np.array([100 * abs(a[0] - b[0]) for a, b in pairs])
        onsets = np.array([1000 * abs(a[1] - b[1]) for a, b in pairs])
        found[name] = {
            "cents": [round(float(q), 2) for q in (np.median(cents), np.quantile(cents, 0.9), cents.max())],
            "onset_ms": [round(float(q), 1) for q in (np.median(onsets), np.quantile(onsets, 0.9), onsets.max())],
        }
    gains = np.array([heard[one][2] - own[one][2] - 40 * curve * np.log10(one[1] / 127)
                      for one in own if one[0] in roots])  # fmt: skip
    found["level_db"] = round(float(np.abs(gains - np.median(gains)).max()), 3)
    layers: dict[int, list[float]] = {}
    for key, velocity in sorted(own):
        layers.setdefault(key, []).append(heard[key, velocity][2])
    found["layers_in_order"] = float(np.mean([levels == sorted(levels) for levels in layers.values()]))
    return found


def notes(out: Path) -> dict[str, Any]:
    voice, found = antiphon.load("gm"), {}
    for name in SOME:
        shutil.rmtree(out / "notes", ignore_errors=True)
        (instrument,) = from_voice(voice, instrument=name).instruments
        looped = sum(sample.loop is not None for sample in instrument.samples)
        entry: dict[str, Any] = {"samples": len(instrument.samples), "looped": looped}
        antiphon.export(voice, out / "notes", format="sf2", instrument=name, quiet=True)
        font, own = next((out / "notes").glob("*.sf2")), played_by_the_voice(voice, instrument)
        roots = {zone.root for zone in instrument.zones}
        entry["sf2"] = apart(played_by_fluidsynth(font, own), own, roots)
        if shutil.which("polyphone"):
            antiphon.export(voice, out / "notes" / "sfz", format="sfz", instrument=name, takes=1, quiet=True)
            source = next((out / "notes" / "sfz").glob("*.sfz"))
            line = ["polyphone", "-1", "-i", str(source), "-d", str(out / "notes"), "-o", "polyphone"]
            subprocess.run(line, check=True, capture_output=True, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"})
            heard = played_by_fluidsynth(out / "notes" / "polyphone.sf2", own)
            entry["sfz"] = apart(heard, own, roots, curve=1)  # it does not know amp_veltrack
        found[name] = entry
        print(name, json.dumps(entry), flush=True)
    return found


def bank(out: Path) -> dict[str, Any]:
    shutil.rmtree(out / "bank", ignore_errors=True)
    began = time.perf_counter()
    antiphon.export("gm", out / "bank" / "gm", quiet=True, **ALL)
    spent = time.perf_counter() - began
    antiphon.export("kit", out / "bank" / "kit", format="sf2", velocities=1, quiet=True)
    cover = (out / "bank" / "gm" / "README.txt").read_text()
    font = out / "bank" / "gm" / "gm.sf2"
    presets = read_presets(font)
    return {
        "megabytes": font.stat().st_size / 1e6,
        "kit_megabytes": (out / "bank" / "kit" / "kit.sf2").stat().st_size / 1e6,
        "seconds": spent,
        "presets": len(presets),
        "samples": sum(len(preset.zones) for preset in presets),
        "looped": sum(
            int(line.split(" samples, ")[1].split()[0]) for line in cover.splitlines() if " samples, " in line
        ),
    }


def song(out: Path, midi: Path) -> dict[str, float]:
    """How far apart three renderings are, mono, each at the same loudness: dB of the log-mel, and bin by bin."""
    fonts = [out / "bank" / name / f"{name}.sf2" for name in ("gm", "kit")]
    sampled = out / "sampled.wav"
    line = ["fluidsynth", "-ni", "-g", "0.5", "-r", str(SAMPLE_RATE), "-R", "0", "-C", "0", "-F", str(sampled)]
    subprocess.run([*line, *map(str, fonts), str(midi)], check=True, capture_output=True)
    for seed in (0, 1):
        antiphon.play(midi, out / f"played-{seed}.wav", seed=seed, force=True, quiet=True)
    sounds = [read_audio(path) for path in (out / "played-0.wav", sampled, out / "played-1.wav")]
    length = max(map(len, sounds))
    played, other, second = (np.pad(x, (0, length - len(x))) / np.sqrt(np.mean(np.square(x))) * 0.05 for x in sounds)
    return {
        "mel_db_pack": mel_distance(other, played),
        "mel_db_another_seed": mel_distance(second, played),
        "bins_db_pack": log_spectral_distance(other, played),
        "bins_db_another_seed": log_spectral_distance(second, played),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/packs"))
    parser.add_argument("--only", nargs="+", choices=("notes", "bank", "song"), default=("notes", "bank", "song"))
    parser.add_argument("--song", type=Path, default=SONG)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    does = {"notes": notes, "bank": bank, "song": lambda out: song(out, args.song)}
    found = {name: does[name](args.out) for name in args.only}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
