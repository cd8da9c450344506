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
ALL = {"instrument": "all", "keys": 12, "velocities": 1, "seconds": 1.2, "format": "sf2"}
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


def beside(font: Path, voice: Any, instrument: Any) -> list[dict[str, float]]:
    """Every key of the sampled range and every layer: a player's note less the voice's own."""
    (preset,) = [p for p in read_presets(font) if p.name in (instrument.name[:20], instrument.name)]
    roots = sorted({zone.root for zone in instrument.zones})
    layers = sorted({zone.sample.note.velocity for zone in instrument.zones})
    found = []
    with Fluid() as fluid:
        fluid.select(font, preset)
        for key in range(roots[0], roots[-1] + 1):
            for velocity in layers:
                heard = fluid.note(key, int(velocity), round(HELD * SAMPLE_RATE), 2 * SAMPLE_RATE)[:, 0]
                own = voice.note(key, instrument=instrument.name, velocity=velocity, seconds=HELD)
                own = np.pad(own, (0, max(44_100 - len(own), 0)))
                heard = np.pad(heard, (0, max(44_100 - len(heard), 0)))
                found.append({
                    "key": key, "velocity": velocity, "root": float(key in roots),
                    "cents": 100 * (pitch_of(heard, key) - pitch_of(own, key)),
                    "onset_ms": 1000 * (onset_of(heard) - onset_of(own)),
                    "level": level_of(heard), "own_level": level_of(own),
                })  # fmt: skip
    return found


def summary(rows: list[dict[str, float]], curve: float = 0.0) -> dict[str, float]:
    """curve: by how many times the square of the velocity the player makes softer what is softer already."""
    cents, onsets = (np.abs([row[name] for row in rows]) for name in ("cents", "onset_ms"))
    gains = np.array(
        [row["level"] - row["own_level"] - 40 * curve * np.log10(row["velocity"] / 127) for row in rows if row["root"]]
    )
    layers: dict[float, list[float]] = {}
    for row in rows:
        layers.setdefault(row["key"], []).append(row["level"])
    return {
        "notes": len(rows),
        "cents_median": float(np.median(cents)),
        "cents_within_3": float((cents < 3).mean()),
        "cents_most": float(cents.max()),
        "onset_ms_most": float(onsets.max()),
        "level_db_apart_at_roots": float(np.abs(gains - np.median(gains)).max()),
        "layers_in_order": float(np.mean([levels == sorted(levels) for levels in layers.values()])),
    }


def notes(out: Path) -> dict[str, Any]:
    voice, found = antiphon.load("gm"), {}
    for name in SOME:
        shutil.rmtree(out / "notes", ignore_errors=True)
        (instrument,) = from_voice(voice, instrument=name).instruments
        looped = sum(sample.loop is not None for sample in instrument.samples)
        entry: dict[str, Any] = {"samples": len(instrument.samples), "looped": looped}
        antiphon.export(voice, out / "notes", format="sf2", instrument=name, quiet=True)
        entry["sf2"] = summary(beside(next((out / "notes").glob("*.sf2")), voice, instrument))
        if shutil.which("polyphone"):
            antiphon.export(voice, out / "notes" / "sfz", format="sfz", instrument=name, takes=1, quiet=True)
            source = next((out / "notes" / "sfz").glob("*.sfz"))
            line = ["polyphone", "-1", "-i", str(source), "-d", str(out / "notes"), "-o", "polyphone"]
            calm = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
            subprocess.run(line, check=True, capture_output=True, env=calm)
            entry["sfz"] = summary(
                beside(out / "notes" / "polyphone.sf2", voice, instrument), curve=1
            )  # no amp_veltrack
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
