"""Trains the bundled voice `repair`. The same command again resumes.

    python examples/train_repair.py DATA FluidR3_GM.sf2 MuseScore_General.sf3 --steps 20000
    python examples/train_repair.py --publish

Clean music is played from scores by soundfonts, with the program fluidsynth, and put together from single notes of real
instruments. DATA holds scores/song, scores/quartet and scores/game (MIDI files), instruments/ (sound files named after
their notes) and scenes/ (recorded noise by kind). A fifth of the works, an eighth of the presets, some notes and a
fifth of the noise stay unheard: they go into WORK/repair-judge, for benchmarks/repair.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
from publish import publish

from antiphon.audio.files import read_audio, write_audio
from antiphon.data.labelling.labels import parse_name

NAME, LICENCE = "repair", "MIT, CC0 and CC-BY 3.0"
RATE = 44100
KINDS = {"song": 0.35, "quartet": 0.25, "game": 0.4}
MUSIC = ("rain", "sea", "wind", "fire", "stream", "storm", "crowd", "city", "train", "machine", "helicopter", "night",
         "boat", "voices")  # fmt: skip
UNHEARD_PROGRAM = 5  # of every eight General MIDI programs
REAL = {"upright-piano": (4, 1.2), "double-bass": (1, 0.5), "saxophone": (1, 0.45)}  # notes at once, seconds between


def unheard(name: str, every: int = 5) -> bool:
    """Whether what has this name is kept for judging."""
    return zlib.crc32(name.encode()) % every == 0


# ---- played by soundfonts --------------------------------------------------------------------------------------------


def scores(data: Path, kind: str, judge: bool) -> list[Path]:
    return [path for path in sorted((data / "scores" / kind).glob("*.mid")) if unheard(path.stem) == judge]


def arranged(path: Path, rng: np.random.Generator, seconds: float, judge: bool) -> mido.MidiFile:
    """A score from its beginning, for other instruments, each chosen among those that are heard or unheard."""
    score = mido.MidiFile(path, clip=True)
    programs = [p for p in range(112) if (p % 8 == UNHEARD_PROGRAM) == judge]
    chosen = {channel: int(rng.choice(programs)) for channel in range(16)}
    out = mido.MidiFile(type=0, ticks_per_beat=960)
    track, speed = mido.MidiTrack(), float(rng.uniform(0.8, 1.25))
    out.tracks.append(track)
    track += [mido.Message("program_change", channel=c, program=p) for c, p in chosen.items() if c != 9]
    time, written = 0.0, 0
    for message in score:
        time += message.time * speed
        if time > seconds:
            break
        if message.is_meta or message.type in ("program_change", "sysex"):
            continue
        track.append(message.copy(time=round(time * 1920) - written))
        written = round(time * 1920)
    track += [mido.Message("control_change", channel=c, control=120, time=960 if c == 0 else 0) for c in range(16)]
    return out


def played(song: mido.MidiFile, font: Path, rng: np.random.Generator, work: Path) -> np.ndarray:
    """(samples, 2), dry or in a room."""
    midi, wav = work / "song.mid", work / "song.wav"
    song.save(midi)
    room = ["-R", "1", "-o", f"synth.reverb.level={rng.uniform(0.1, 0.7):.2f}"] if rng.random() < 0.4 else ["-R", "0"]
    how = ["-g", "0.4", "-C", "0", *room, "-o", "synth.dynamic-sample-loading=1", "-r", str(RATE), "-T", "wav"]
    line = ["fluidsynth", "-niq", *how, "-F", str(wav), str(font), str(midi)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return read_audio(wav, mono=False)


def by_fonts(
    data: Path, fonts: list[Path], count: int, seconds: float, judge: bool, work: Path
) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1 + judge)
    for i in range(count):
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        for _ in range(8):  # some scores begin with silence, or end soon
            path = scores(data, kind, judge)[int(rng.integers(len(scores(data, kind, judge))))]
            sound = played(arranged(path, rng, seconds, judge), fonts[i % len(fonts)], rng, work)
            if len(sound) > 0.4 * seconds * RATE and np.sqrt(np.square(sound).mean()) > 3e-3:
                break
        yield sound


# ---- put together from real notes ------------------------------------------------------------------------------------


def by_players(data: Path, name: str, count: int, seconds: float, judge: bool) -> Iterator[np.ndarray]:
    """Random melodies, or chords, of recorded notes, each let ring or damped."""
    rng = np.random.default_rng(11 + judge)
    files = sorted((data / "instruments" / name).rglob("*.flac"))
    files = [path for path in files if unheard(key_of(path), 4) == judge]
    together, apart = REAL[name]
    for _ in range(count):
        out = np.zeros((round(seconds * RATE), 2), np.float32)
        time = 0.0
        while time < seconds - 1:
            for k in rng.choice(len(files), int(rng.integers(1, together + 1)), replace=False):
                note = read_audio(files[k], max_seconds=6)
                hold = min(int(rng.uniform(0.6, 3.0) * apart * RATE) + 8000, len(note))
                note = note[:hold] * np.minimum(1, np.arange(hold, 0, -1) / 4000).astype(np.float32)
                begin, side = round(time * RATE), rng.uniform(0.3, 0.7)
                part = out[begin : begin + hold]
                part += (rng.uniform(0.4, 1) * note[: len(part), None] * np.array([side, 1 - side])).astype(np.float32)
            time += apart * float(rng.choice([0.5, 1, 1, 1.5]))
        yield out


def key_of(path: Path) -> str:
    """A note's name without its octave, its loudness and the rest, so that none of an unheard key's layers is heard."""
    found = parse_name(path.stem.replace("v", "_")).pitch
    return f"key {round(found) % 12}" if found is not None else path.stem


# ---- all of it -------------------------------------------------------------------------------------------------------


def gather(data: Path, fonts: list[Path], folder: Path, judge: bool, files: int, seconds: float) -> None:
    """Write a folder of clean music, with a folder `noise` in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, sound in enumerate(by_fonts(data, fonts, files, seconds, judge, folder)):
        write(folder / f"font-{i:03d}.flac", sound, seconds)
    for name in REAL:
        for i, sound in enumerate(by_players(data, name, max(files // 12, 2), seconds, judge)):
            write(folder / f"{name}-{i:02d}.flac", sound, seconds)
    (folder / "song.mid").unlink()
    (folder / "song.wav").unlink()
    for path in sorted(path for kind in MUSIC for path in (data / "scenes" / kind).iterdir()):
        if unheard(path.stem.rsplit("-", 1)[0]) == judge:
            write(folder / "noise" / f"{path.parent.name}-{path.stem}.flac", read_audio(path)[:, None], 12)


def write(path: Path, sound: np.ndarray, seconds: float) -> None:
    sound = sound[: round(seconds * RATE)]
    peak = float(np.abs(sound).max())
    if peak > 1e-3:
        write_audio(path, sound * (0.9 / peak), force=True)


def train(data: Path, fonts: list[Path], work: Path, steps: int, files: int) -> None:
    """Gather, prepare, train: each only if not done yet."""
    clean = work / NAME
    if not clean.exists():
        gather(data, fonts, work / f"{NAME}-judge", True, 24, 12)
        gather(data, fonts, clean, False, files, 60)
    line = [
        sys.executable,
        "-m",
        "antiphon",
        "train",
        str(clean),
        "-o",
        str(work / f"{NAME}-run"),
        "--recipe",
        "repair",
    ]
    line += ["--steps", str(steps), "--threads", "1", "--from-scratch", "--licence", LICENCE]
    subprocess.run(line, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("fonts", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, default=Path("work-data"))
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--files", type=int, default=72, help="pieces of a minute played by soundfonts")
    parser.add_argument("--publish", action="store_true")
    args = parser.parse_args()
    if args.publish:
        publish(args.work / f"{NAME}-run", NAME, LICENCE)
    elif args.data is None or not args.fonts:
        parser.error("give the folder of data and the soundfonts")
    else:
        train(args.data, args.fonts, args.work, args.steps, args.files)


if __name__ == "__main__":
    main()
