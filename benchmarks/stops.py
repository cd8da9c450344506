"""Stop every verb that writes, at random instants. Is anything left of it, and what does it say?

    python benchmarks/stops.py [--stops 200] [--seed 0] [--only play train] [--font FONT.sf2] [--out out/stops]
    python benchmarks/stops.py --signals KILL --stops 20

Each stop starts the command a user types, in a new folder, and sends it SIGHUP, SIGTERM or SIGINT: half of them at an
instant drawn from the whole of an undisturbed run, half within 2 ms of the first file's appearance; half to the process
alone, half to its whole group, as a terminal does. What must hold: status 130; one line on stderr beyond those of the
undisturbed run; in its folder, and in the folder for temporary files, nothing but finished results of their own
(`generate`, `data render`, `repair` of a folder); what was there unchanged; a training that goes on to the same bytes;
no process left. `live`, which Ctrl-C ends as it should, may say nothing and have status 0. A command that ends before
the signal is started again. One that has its result when the signal comes may also end as if there had been none.

`--signals KILL` asks for less, since nobody can clean up after SIGKILL: that no process is left, and that a training
goes on to the same bytes. Linux only: processes are found in /proc. Prints a table, and each failure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from antiphon.audio.files import read_audio, write_audio
from antiphon.core.errors import AntiphonError

ROOT = Path(__file__).parents[1]
NOTES = ROOT / "examples" / "notes"
LIBRARIES = ("tmp/.ses", "tmp/torchinductor_")  # what onnxruntime and torch leave there, stopped or not
NEAR = 0.002  # seconds after the first file
PATIENCE = 60.0  # seconds for a stopped command to end
MARK = "ANTIPHON_STOPS"  # in the environment of a command and of all processes that it starts


@dataclass(frozen=True)
class Case:
    """A verb, its words, and what a stop may leave: `whole` says of a file whether it is a finished result."""

    name: str
    words: tuple[str, ...]
    whole: Callable[[Path], bool] = lambda path: False
    resumes: bool = False
    brings: Path | None = None  # a run folder that it changes, and so has a copy of in its own


@dataclass
class Usual:
    """An undisturbed run: how long it listens to signals, what it says and what it writes."""

    seconds: float
    said: list[str]
    files: dict[str, str]
    weights: str


@dataclass
class Stopped:
    """One stop. late: the result was there already; faults: what should not be."""

    case: str
    number: str
    group: bool
    near: bool
    after: float
    status: int = 0
    late: bool = False
    faults: list[str] = field(default_factory=list)


# ---- the verbs -------------------------------------------------------------------------------------------------------


def cases(material: Path, font: Path | None) -> list[Case]:
    voice, song, notes, session = (str(material / name) for name in ("run", "song.mid", "notes", "session.wav"))
    note = str(min((NOTES / "flute").glob("*.flac")))
    judge = ("-n", "8", "--quick", "--embeddings", "mel", "--cache", str(material / "cache"), "--threads", "1")
    prepared = str(material / "run" / "prepared.safetensors")
    found = [
        Case("play", ("play", song, "-o", "song.wav", "--stems")),
        Case("play-mp3", ("play", song, "-o", "new/folder/song.mp3", "--layers")),
        Case("generate", ("generate", "gm", "-o", "notes", "-n", "12", "--seconds", "0.5"), _is_sound),
        Case("morph", ("morph", "gm", "--from", "flute", "--to", "cello", "-o", "m.flac", "--picture", "--steps", "4")),
        Case("clone", ("clone", voice, note, "-o", "mine")),
        Case("scene", ("scene", "-o", "new/rain.flac", "--sound", "rain>storm@0:02-0:06", "--seconds", "10")),
        Case("export", ("export", "gm", "-o", "a/pack", "--instrument", "flute", "--keys", "12", "--velocities", "1")),
        Case("export web", ("export", voice, "-o", "a/page.html", "--format", "web")),
        Case("export onnx", ("export", voice, "-o", "a/onnx", "--format", "onnx")),
        Case("repair", ("repair", session, "-o", "new/better.wav", "--removed", "new/gone.wav", "--picture")),
        Case("repair folder", ("repair", str(material / "notes/flute"), "-o", "better", "--what", "hum"), _is_sound),
        Case("compose", ("compose", "-o", "new/tune.mid", "--bars", "4", "--audio", "--picture")),
        Case("compose page", ("compose", "-o", "tune.html", "--bars", "4", "--style", "game")),
        Case("live", ("live", voice, "--midi", "keys", "--audio", "null", "--seconds", "2", "--quiet")),
        Case("explain", ("explain", "gm", "-o", "a/why.html", "--note", "flute C5 seed 7")),
        Case("explain fit", ("explain", "run", "--fit", "--workers", "2"), _is_fitted, brings=material / "run"),
        Case("data inspect", ("data", "inspect", notes, "--picture", "notes.html")),
        Case("data cut", ("data", "cut", session, "-o", "a/cut")),
        Case("gallery", ("gallery", "-o", "gallery", "--only", "between", "velocity")),
        Case("train", ("train", notes, "-o", "run", *_tiny(1)), resumes=True),
        Case("train in two", ("train", notes, "-o", "run", *_tiny(2)), resumes=True),
        Case("evaluate", ("evaluate", voice, prepared, "-o", "page.html", *judge)),
        Case("compare", ("compare", voice, notes, "--data", prepared, "-o", "both.html", *judge)),
        Case("data prepare", ("data", "prepare", notes, "-o", "notes.safetensors", "--workers", "2")),
    ]
    if font:
        line = ("data", "render", str(font), "-o", "rendered", "--programs", "0", "40", "--step", "12")
        found.append(Case("data render", line, lambda path: path.suffix != ".flac" or _is_sound(path)))
    return found


def _is_sound(path: Path) -> bool:
    try:
        return path.suffix in (".wav", ".flac") and len(read_audio(path)) > 0
    except AntiphonError:
        return False


def _is_fitted(path: Path) -> bool:
    """Controls or an index that are whole, which `explain` keeps beside a voice for the next time."""
    try:
        return path.name.endswith((".controls.safetensors", ".index.safetensors")) and bool(load_file(path))
    except (OSError, SafetensorError):
        return False


def prepare_material(place: Path) -> None:
    """A short song, the notes of two instruments, and a small voice with its prepared notes."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "song.mid").write_bytes(_song())
    head, *rows = (NOTES / "notes.csv").read_text().splitlines()
    for name in ("flute", "marimba"):
        shutil.copytree(NOTES / name, place / "notes" / name, dirs_exist_ok=True)
    flute = [read_audio(path) for path in sorted((NOTES / "flute").glob("*.flac"))[:24:3]]
    write_audio(place / "session.wav", np.concatenate(flute), force=True)
    mine = [row for row in rows if row.startswith(("flute/", "marimba/"))]
    (place / "notes" / "notes.csv").write_text("\n".join([head, *mine]) + "\n")
    if not (place / "run" / "weights.safetensors").exists():
        line = ["train", str(place / "notes"), "-o", str(place / "run"), *_tiny(1)]
        subprocess.run([sys.executable, "-m", "antiphon", *line], check=True, cwd=ROOT)


def _tiny(processes: int) -> tuple[str, ...]:
    """The options of a run that takes some seconds."""
    small = ("batch=8", "rehearsal_batch=4", "samples=8192", "game.imagined=1", "game.bank=64")
    how = ("--steps", "6", "--threads", str(processes), "--workers", "2")
    return ("--size", "tiny", "--from-scratch", *how, "--set", *small)


def _song() -> bytes:
    """Four bars of a flute, a bass and drums."""
    tracks = []
    for channel, program, keys in ((0, 73, (72, 76, 79, 77)), (1, 33, (36, 43)), (9, 0, (36, 42, 38, 42))):
        body = bytes([0, 0xC0 | channel, program])
        for beat in range(16):
            key = keys[beat % len(keys)]
            body += bytes([0, 0x90 | channel, key, 90, 0x83, 0x60, 0x80 | channel, key, 0])  # 480 ticks
        tracks.append(body + bytes([0, 0xFF, 0x2F, 0]))
    head = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), 480)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in tracks)


# ---- one command -----------------------------------------------------------------------------------------------------


class Command:
    """A command line in a folder of its own, with a folder for temporary files beside it."""

    def __init__(self, case: Case, place: Path):
        shutil.rmtree(place, ignore_errors=True)
        self.case, self.work, self.temporary = case, place / "work", place / "tmp"
        self.work.mkdir(parents=True)
        self.temporary.mkdir()
        if case.brings:
            shutil.copytree(case.brings, self.work / case.brings.name)
        self.brought = self.names()
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.start()

    def start(self) -> None:
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        ours = {MARK: self.mark, "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "antiphon", *self.case.words],
            cwd=self.work,
            env=os.environ | ours,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_heard,
        )

    def listens(self) -> bool:
        """Whether it has come to the point where it handles SIGTERM."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return False
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def has_files(self) -> bool:
        if self.brought:
            return self.names() != self.brought
        own = (entry for entry in os.scandir(self.temporary) if not f"tmp/{entry.name}".startswith(LIBRARIES))
        return any(next(entries, None) for entries in (os.scandir(self.work), own))

    def wait_for(self, event: Callable[[], bool]) -> bool:
        """-> whether it has happened before the command ended"""
        while self.process.poll() is None:
            if event():
                return True
            time.sleep(0.0002)
        return False

    def end(self, patience: float | None = None) -> tuple[int, list[str]]:
        """-> status and lines on stderr"""
        _, said = self.process.communicate(timeout=patience)
        return self.process.returncode, said.splitlines()

    def files(self) -> list[Path]:
        """Everything that is there, empty folders too."""
        found = [path for place in (self.work, self.temporary) for path in place.rglob("*")]
        found = [path for path in found if not str(path.relative_to(self.work.parent)).startswith(LIBRARIES)]
        return sorted(path for path in found if path.is_file() or not any(path.iterdir()))

    def names(self) -> dict[str, str]:
        """Their names, and what is in those that the command may change."""
        found = {str(path.relative_to(self.work.parent)): path for path in self.files()}
        return {name: _hash(path) if self.case.brings and path.is_file() else "" for name, path in found.items()}

    def processes(self) -> list[int]:
        """Those that the command has started, or itself, if they still run."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                marked = f"{MARK}={self.mark}\0".encode() in (place / "environ").read_bytes()
            except OSError:
                continue
            if marked:
                found.append(int(place.name))
        return found

    def weights(self) -> str:
        file = self.work / "run" / "weights.safetensors"
        return _hash(file) if file.exists() else ""


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _heard() -> None:
    """Signals may be ignored where this runs: in a shell's background, or under nohup."""
    for name in ("SIGHUP", "SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def undisturbed(case: Case, place: Path) -> Usual | None:
    """What a run does that nobody stops; None if it cannot be run here."""
    command = Command(case, place)
    command.wait_for(command.listens)
    began = time.monotonic()
    status, said = command.end()
    if status:
        print(f"{case.name} is left out: an undisturbed run ends with status {status}: {said}", flush=True)
        return None
    return Usual(time.monotonic() - began, said, command.names(), command.weights())


def stop(case: Case, usual: Usual, place: Path, kinds: Sequence[str], rng: random.Random) -> Stopped | None:
    """One stop; None if the command ended before it."""
    row = Stopped(case.name, rng.choice(kinds), rng.random() < 0.5, rng.random() < 0.5, 0.0)
    row.after = rng.uniform(0, NEAR) if row.near else rng.uniform(0, usual.seconds)
    command = Command(case, place)
    if not command.wait_for(command.listens) or (row.near and not command.wait_for(command.has_files)):
        command.end()
        return None
    try:
        command.process.wait(row.after)
    except subprocess.TimeoutExpired:
        pass
    else:
        command.end()
        return None
    number = getattr(signal, f"SIG{row.number}")
    (os.killpg if row.group else os.kill)(command.process.pid, number)
    try:
        row.status, said = command.end(PATIENCE)
    except subprocess.TimeoutExpired:
        row.faults.append("hangs")
        command.process.kill()
        row.status, said = command.end()
    judge(row, command, usual, said)
    return row


def judge(row: Stopped, command: Command, usual: Usual, said: list[str]) -> None:
    """Notes what should not be."""
    killed = row.number == "KILL"
    own = [line for line in said if line not in usual.said]
    if not killed:
        row.late = not command.case.resumes and command.names() == usual.files
        went_on = row.status == 0 and not own and command.names() == usual.files
        if not went_on:
            spoken = len(own) == 1 and own[0].startswith("antiphon: ")
            row.faults += [f"status {row.status}"] * (row.status != 130)
            row.faults += [f"says {own}"] * (not spoken)
            row.faults += [f"leaves {name}" for name in left(command)] * (not row.late)
    time.sleep(0.1)
    until = time.monotonic() + 15
    while (running := command.processes()) and time.monotonic() < until:
        time.sleep(0.1)
    for number in running:
        row.faults.append("leaves a process")
        os.kill(number, signal.SIGKILL)
    if command.case.resumes:
        command.start()
        status, said = command.end()
        row.faults += [f"does not go on: {said[-1:]}"] * (status != 0)
        row.faults += ["goes on to other weights"] * (status == 0 and command.weights() != usual.weights)


def left(command: Command) -> list[str]:
    """What there should not be."""
    now = command.names()
    found = [name for name, content in command.brought.items() if now.get(name) != content]
    for path in command.files():
        name = str(path.relative_to(command.work.parent))
        if name in command.brought:
            continue
        if command.case.resumes and name.startswith("work/run") and not path.name.endswith(".part"):
            continue
        if not command.case.whole(path):
            found.append(name)
    return found


def main() -> None:
    """So many stops, a verb after another, and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stops", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--signals", nargs="*", default=("HUP", "TERM", "INT"))
    parser.add_argument("--font", type=Path, help="a soundfont, for `data render`")
    parser.add_argument("--out", type=Path, default=Path("out/stops"))
    asked = parser.parse_args()
    material = asked.out.resolve() / "material"
    prepare_material(material)
    chosen = [case for case in cases(material, asked.font) if not asked.only or case.name in asked.only]
    rng, rows = random.Random(asked.seed), []
    with tempfile.TemporaryDirectory(prefix="stops ") as folder, (asked.out / "stops.jsonl").open("a") as record:
        place = Path(folder, "here")
        usual = {case.name: run for case in chosen if (run := undisturbed(case, place))}
        chosen = [case for case in chosen if case.name in usual]
        print(", ".join(f"{name} {one.seconds:.1f} s" for name, one in usual.items()) or "nothing to stop", flush=True)
        while chosen and len(rows) < asked.stops:
            case = chosen[len(rows) % len(chosen)]
            row = stop(case, usual[case.name], place, asked.signals, rng)
            if row is None:
                continue
            rows.append(row)
            record.write(json.dumps(vars(row)) + "\n")
            record.flush()
            if row.faults:
                print(row, flush=True)
    print("\n| verb | stops | at the first file | to the group | result was there | faults |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in [*usual, "all"]:
        mine = [row for row in rows if name in (row.case, "all")]
        counts = [sum(row.near for row in mine), sum(row.group for row in mine), sum(row.late for row in mine)]
        print(f"| {name} | {len(mine)} | {' | '.join(map(str, counts))} | {sum(bool(r.faults) for r in mine)} |")
    print(dict(Counter(row.number for row in rows)))
    sys.exit(any(row.faults for row in rows))


if __name__ == "__main__":
    main()
