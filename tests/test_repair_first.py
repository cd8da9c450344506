"""Sounds that are repaired before anything is learned from them: `--repair` of clone, train and data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import antiphon
from antiphon.audio.files import read_audio, write_audio
from antiphon.data.prepared import Prepared
from antiphon.training import invert
from antiphon.verbs import clone, repair
from antiphon.verbs.repair import mended

RATE = 44100
HUM = 50.0


def hummed(sound: np.ndarray, level: float = 0.05) -> np.ndarray:
    """A sound and the hum of the mains, half a second of which is heard alone on either side."""
    padded = np.pad(sound, RATE // 2)
    t = np.arange(len(padded)) / RATE
    return (padded + level * sum(np.sin(2 * np.pi * HUM * k * t) / k for k in (1, 2, 3))).astype(np.float32)


def note(hz: float = 440.0, seconds: float = 1.5) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    shape = np.exp(-2 * t) * np.clip(t / 0.01, 0, 1) * np.clip((seconds - t) / 0.05, 0, 1)
    return (0.5 * shape * sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 6))).astype(np.float32)


def at(sound: np.ndarray, hz: float) -> float:
    """The level of a frequency in a sound, about 1 for a full-scale sine."""
    t = np.arange(len(sound)) / RATE
    return float(2 * np.abs(np.exp(-2j * np.pi * hz * t) @ (sound * np.hanning(len(sound)))) / (len(sound) / 2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("hummed") / "reed"
    found.mkdir()
    for name, hz in (("A4", 440.0), ("C5", 523.25)):
        write_audio(found / f"reed_{name}.wav", hummed(note(hz)))
    return found


def test_what_is_wrong_is_taken_away_and_the_rest_left_as_it_is():
    sound = hummed(note())
    assert at(mended(sound), HUM) < 0.2 * at(sound, HUM)
    assert at(mended(sound), 440) == pytest.approx(at(sound, 440), rel=0.02)
    clean = np.pad(note(), RATE // 2)
    assert mended(clean) is clean


def test_a_folder_is_repaired_when_asked(antiphon_line, folder, tmp_path):
    levels = {}
    for how in ((), ("--repair",)):
        out = tmp_path / f"{len(how)}.safetensors"
        antiphon_line("data", "prepare", folder, "-o", out, "--workers", "1", *how)
        data = Prepared(out)
        levels[how] = max(
            at(data.audio(i), HUM) / at(data.audio(i), 440 if i == 0 else 523.25) for i in range(len(data))
        )
        assert bool(data.labels.extra.get("repaired")) == bool(how)
    assert levels[("--repair",)] < 0.3 * levels[()]


def test_training_repairs_first_and_knows_that_it_has(antiphon_line, folder, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(repair, "mended", lambda sound: calls.append(len(sound)) or sound)
    how = ("--recipe", "wavegan", "--size", "tiny", "--steps", "1", "--threads", "1", "--workers", "1")
    run = tmp_path / "run"
    assert antiphon_line("train", folder, "-o", run, *how, "--repair").status == 0
    assert len(calls) == 2
    plain = tmp_path / "plain.safetensors"
    antiphon_line("data", "prepare", folder, "-o", plain, "--workers", "1")
    said = antiphon_line("train", plain, "-o", tmp_path / "other", *how, "--repair")
    assert said.status == 2
    assert "was prepared without --repair" in said.err[-1]
    said = antiphon_line("train", folder, "-o", tmp_path / "third", "--recipe", "scene", "--steps", "1", "--repair")
    assert said.status == 2
    assert "only recipes that learn from notes" in said.err[-1]


def test_a_session_is_repaired_when_asked(antiphon_line, tmp_path):
    pytest.importorskip("onnxruntime")
    session = tmp_path / "session.wav"
    write_audio(session, np.concatenate([hummed(note(hz)) for hz in (440.0, 523.25)]))
    levels = []
    for how in ((), ("--repair",)):
        out = tmp_path / f"notes{len(how)}"
        assert antiphon_line("data", "cut", session, "-o", out, *how).status == 0
        levels.append(max(at(read_audio(path), HUM) for path in out.glob("*A4*.wav")))
    assert levels[1] < 0.3 * levels[0]


def test_a_clone_hears_a_recording_as_it_is_and_learns_from_it_repaired(monkeypatch):
    gm, heard, learned = antiphon.load("gm"), [], []
    encode = clone._heard
    monkeypatch.setattr(clone, "_heard", lambda base, data: heard.append(at(data.audio(0), HUM)) or encode(base, data))

    def stub(model, source, start, *_):
        learned.append(at(source.data.audio(0), HUM))
        return model.generator, start

    monkeypatch.setattr(invert, "invert", stub)
    monkeypatch.setattr("antiphon.metrics.takes.nearest_takes", lambda *_, **how: {})
    for how in ({}, {"repair": True}):
        clone.from_audio([hummed(note())], gm, pitches=[69.0], **how)
    assert heard[0] == heard[1] == learned[0]
    assert learned[1] < 0.3 * learned[0]
