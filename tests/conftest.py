"""Fixtures for all tests: a tiny folder of synthetic notes, a voice trained on it, and the command line in-process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from antiphon.audio.files import write_audio

torch.set_num_threads(1)  # pytest-xdist keeps the cores busy; more threads would only slow each other down

RATE = 44100
TINY = {"batch": 2, "rehearsal_batch": 4, "samples": 8192, "game.imagined": 1, "game.bank": 64}  # a run of a second
SETTINGS = [f"{name}={value}" for name, value in TINY.items()]


def tone(pitch: float, seconds: float = 0.4, *, plucked: bool = False, level: float = 0.5) -> np.ndarray:
    """A note of six harmonics, (samples,) float32: plucked it decays, else it is held and released within 50 ms."""
    t = np.arange(round(seconds * RATE)) / RATE
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * k * f0 * t) / k ** (2 if plucked else 1) for k in range(1, 7) if k * f0 < 18000)
    shape = np.exp(-t / 0.12) if plucked else np.minimum(np.minimum(t / 0.02, 1), np.clip((seconds - t) / 0.05, 0, 1))
    return (level * wave * shape / 2.5).astype(np.float32)


def write_notes(folder: Path) -> Path:
    """Fourteen notes of two instruments, with a table."""
    lines = ["path,pitch,instrument,preset,style,velocity,seconds,split"]
    for name, style in (("violin", "bowed;bright"), ("harp", "plucked")):
        for i, pitch in enumerate(range(55, 83, 4)):
            path = f"{name}/{pitch:03d}.wav"
            velocity = 40 + 12 * i
            write_audio(folder / path, tone(pitch, plucked=name == "harp", level=velocity / 254))
            lines.append(f"{path},{pitch},{name},{name},{style},{velocity},0.35,{'block' if pitch == 67 else 'train'}")
    (folder / "notes.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session", autouse=True)
def brief_reports() -> Iterator[None]:
    """Pictures and examinations would take most of a tiny run's time. One picture at its end, with a note of each
    instrument, will do; so will a few sounds for its health."""
    from antiphon.training import loop
    from antiphon.training.health import findings
    from antiphon.training.reports import sheet

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "KNOWN", 32)
        patch.setattr(loop, "PREVIEWS", 1)
        patch.setattr(sheet, "PLACES", sheet.PLACES[1:2])
        yield


@pytest.fixture
def usual_handlers() -> Iterator[None]:
    """Tests that send signals may run where these are ignored: under nohup, or in a shell's background."""
    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    old = {name: signal.signal(getattr(signal, name), handler) for name, handler in usual.items()}
    yield
    found = {name: signal.getsignal(getattr(signal, name)) for name in usual}
    for name, handler in old.items():
        signal.signal(getattr(signal, name), handler)
    assert found == usual


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch, usual_handlers: None) -> Callable[..., None]:
    """Has the next runs receive a signal after each of some steps: stop_at(1, 4). Without steps they go on. They draw
    no pictures, so that one that did before, and comes to the same bytes, shows that drawing changes nothing."""
    from antiphon.training.loop import Run

    one_step = Run._one_step

    def arm(*steps: int, number: signal.Signals = signal.SIGINT) -> None:
        def stepped(run: Run) -> dict[str, float]:
            scalars = one_step(run)
            if run.step in steps:
                os.kill(os.getpid(), number)
            return scalars

        monkeypatch.setattr(Run, "_one_step", stepped)
        monkeypatch.setattr(Run, "_preview_if_due", lambda run, bar: None)

    return arm


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of labelled notes; do not change it."""
    return write_notes(tmp_path_factory.mktemp("sounds") / "notes")


@pytest.fixture(scope="session")
def prepared(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, prepared in one file."""
    from antiphon.verbs.data import prepare

    return prepare(notes, tmp_path_factory.mktemp("prepared") / "notes.safetensors", licence="CC0", quiet=True)


@pytest.fixture(scope="session")
def run_folder(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a few steps; do not change it."""
    import antiphon

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    antiphon.train(notes, folder, size="tiny", steps=10, settings=TINY, from_scratch=True, licence="CC0", quiet=True)
    return folder


@pytest.fixture(scope="session")
def voice(run_folder: Path):
    """The voice of that run."""
    import antiphon

    return antiphon.load(run_folder)


@dataclass
class Said:
    """The result of a command line: exit status, lines on stdout and on stderr."""

    status: int
    out: list[str]
    err: list[str]


@pytest.fixture
def antiphon_line(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs `antiphon ARGS...` in this process."""
    from antiphon.cli.app import main

    def run(*args: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in args])
        said = capsys.readouterr()
        return Said(int(stop.value.code or 0), said.out.splitlines(), said.err.splitlines())

    return run


@pytest.fixture
def threads_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], set[int]]]:
    """threads_of(owner, name): the numbers of torch's threads at which a function is called from now on. Two are
    offered, and have to be there again in the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def watch(owner: Any, name: str) -> set[int]:
        inner, met = getattr(owner, name), set[int]()
        monkeypatch.setattr(owner, name, lambda *a, **how: met.add(torch.get_num_threads()) or inner(*a, **how))
        return met

    yield watch
    left = torch.get_num_threads()
    torch.set_num_threads(before)
    assert left == 2


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short notes, and a drum that is skipped."""
    import mido

    file = mido.MidiFile()
    track = mido.MidiTrack()
    file.tracks.append(track)
    for channel, key in ((0, 60), (0, 64), (9, 36)):
        track.append(mido.Message("note_on", channel=channel, note=key, velocity=90))
        track.append(mido.Message("note_off", channel=channel, note=key, time=120))
    path = tmp_path_factory.mktemp("songs") / "song.mid"
    file.save(path)
    return path
