"""Runs that are stopped, killed, extended or begun from a voice: resuming leads to the same weights."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SETTINGS, TINY, write_notes

import antiphon
from antiphon.training import loop, run_folder
from antiphon.training.games import sounds
from antiphon.training.loop import Run
from antiphon.training.reports import progress
from antiphon.training.run_folder import read_record
from antiphon.verbs import helpers
from antiphon.voices import find
from antiphon.voices.checkpoint import read_metadata, read_tensors

AntiphonError = antiphon.AntiphonError
STEPS = 6  # two of them rehearse


def train(source: Path, out: Path, **how) -> Path:
    options = {"size": "tiny", "settings": TINY, "from_scratch": True, "threads": 1, "quiet": True}
    return antiphon.train(source, out, **(options | how))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def uninterrupted(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(prepared, folder, steps=STEPS)
    return folder


# ---- a run ---------------------------------------------------------------------------------------


def test_what_a_run_leaves(run_folder: Path):
    names = {p.name for p in run_folder.iterdir()}
    assert names == {"config.json", "log.jsonl", "prepared.safetensors", "run.json", "sheets", "sounds",
                     "state.safetensors", "healthy.safetensors", "page.html", "weights.safetensors"}  # fmt: skip
    assert json.loads((run_folder / "config.json").read_text())["batch"] == TINY["batch"]
    assert (run_folder / "sheets" / "step-000010.png").exists()
    assert (run_folder / "sounds" / "step-000010.wav").exists()


def test_pictures_are_drawn_on_the_way_and_at_the_end(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn: list[int] = []
    monkeypatch.setattr(loop, "PREVIEWS", 3)
    monkeypatch.setattr(sounds, "write_sheet", lambda folder, voice, data, step: drawn.append(step) or folder)
    train(prepared, tmp_path / "run", steps=8)
    assert drawn == [2, 4, 6, 8]
    train(prepared, tmp_path / "run", steps=11)
    assert drawn[4:] == [9, 11]


def test_a_readable_log(run_folder: Path):
    (line,) = (json.loads(text) for text in (run_folder / "log.jsonl").read_text().splitlines())
    assert line["step"] == 10
    assert all(np.isfinite(value) for value in line.values())
    assert {"log", "mel", "critic", "mapping", "loss"} <= line.keys()


def test_the_same_seed_is_the_same_run_and_another_is_not(prepared: Path, uninterrupted: Path, tmp_path: Path):
    assert digest(train(prepared, tmp_path / "same", steps=STEPS)) == digest(uninterrupted / "weights.safetensors")
    other = train(prepared, tmp_path / "other", steps=STEPS, seed=1)
    assert digest(other) != digest(uninterrupted / "weights.safetensors")


def test_training_learns(prepared: Path, tmp_path: Path):
    train(prepared, tmp_path / "run", steps=30, settings=TINY | {"game.optimiser.rate": 1e-3})
    lines = [json.loads(text) for text in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(value) for line in lines for value in line.values())
    assert {"critic", "adversarial", "features", "imagined"} <= lines[-1].keys()
    assert all(lines[-1][term] < 0.8 * lines[0][term] for term in ("log", "mel"))
    assert lines[-1]["loss"] < 0.9 * lines[0]["loss"]  # although it has the critics' terms now


def test_a_setting_arrives(prepared: Path, tmp_path: Path):
    train(prepared, tmp_path / "run", steps=1, settings=TINY | {"game.rule": "hinge", "game.weights.mel": 0})
    game = json.loads((tmp_path / "run" / "config.json").read_text())["game"]
    assert (game["rule"], game["weights"]["mel"]) == ("hinge", 0)


# ---- stopped and gone on with --------------------------------------------------------------------


def test_stopped_and_gone_on_with_it_comes_to_the_same_bytes(prepared, uninterrupted, tmp_path, stop_at, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 3)  # a line has been written when the last signal comes
    folder = tmp_path / "run"
    for step, number in ((1, signal.SIGINT), (2, signal.SIGTERM), (4, signal.SIGHUP)):
        stop_at(step, number=number)
        with pytest.raises(KeyboardInterrupt, match=f"saved at step {step}; the same command again resumes"):
            train(prepared, folder, steps=STEPS)
        assert read_metadata(folder / "state.safetensors")["step"] == step
        antiphon.load(folder)
    stop_at()
    assert digest(train(prepared, folder, steps=STEPS)) == digest(uninterrupted / "weights.safetensors")
    state, other = (read_tensors(f / "state.safetensors")[0] for f in (folder, uninterrupted))
    assert state.keys() == other.keys()
    assert all(torch.equal(state[k], other[k]) for k in state)
    lines = [json.loads(text)["step"] for text in (folder / "log.jsonl").read_text().splitlines()]
    assert lines == [3, STEPS]


def test_the_command_line_says_so(antiphon_line, prepared, tmp_path, stop_at):
    stop_at(2)
    said = antiphon_line(
        "train", prepared, "-o", tmp_path / "run", "--size", "tiny", "--steps", "4", "--set", *SETTINGS
    )
    assert (said.status, said.err[-1]) == (130, "antiphon: saved at step 2; the same command again resumes")


def in_a_fork(work: Callable[[], object]) -> int:
    """The pid of a copy of this process that does some work and ends; much quicker than a new Python."""
    if pid := os.fork():
        return pid
    try:
        work()
    finally:
        os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are copied")
def test_killed_at_random_it_comes_to_the_same_bytes(prepared, uninterrupted, tmp_path, monkeypatch):
    folder, rng = tmp_path / "run", np.random.default_rng(1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.05)
    kills = 0
    for _ in range(3):
        begun = (folder / "state.safetensors").stat().st_mtime_ns if (folder / "state.safetensors").exists() else 0
        pid = in_a_fork(lambda: train(prepared, folder, steps=STEPS))
        for _ in range(600):  # until it has saved something, then a moment more
            if _mtime(folder / "state.safetensors") > begun:
                break
            time.sleep(0.05)
        time.sleep(float(rng.uniform(0, 0.5)))
        os.kill(pid, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert kills
    assert train(prepared, folder, steps=STEPS) == folder / "weights.safetensors"
    assert digest(folder / "weights.safetensors") == digest(uninterrupted / "weights.safetensors")
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_what_a_kill_leaves_unfinished_is_swept_up(tmp_path):
    """Our own drafts, and those of safetensors; nothing else is anybody's to remove."""
    for name in (".0a1b2c3d-0.77.part", ".tmpvSEdKh", ".tmp-of-mine", "notes.part", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    run_folder.sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {".tmp-of-mine", "notes.part", ".hidden"}


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def test_a_complete_run_is_left_alone_and_can_be_extended(prepared, tmp_path):
    weights = train(prepared, tmp_path / "run", steps=2)
    before = weights.stat().st_mtime_ns
    train(prepared, tmp_path / "run", steps=2)
    assert weights.stat().st_mtime_ns == before
    train(prepared, tmp_path / "run", steps=3)
    assert read_metadata(tmp_path / "run" / "state.safetensors")["step"] == 3
    train(prepared, tmp_path / "run")  # options left out are as before
    assert read_metadata(tmp_path / "run" / "state.safetensors")["total"] == 3


# ---- minutes -------------------------------------------------------------------------------------


def test_minutes_become_steps_once(prepared, tmp_path, stop_at, monkeypatch):
    monkeypatch.setattr(loop, "CALIBRATION", (1, 3))
    stop_at(4)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "run", minutes=60)
    total = read_metadata(tmp_path / "run" / "state.safetensors")["total"]
    assert total > 100
    assert read_record(tmp_path / "run").minutes == 60
    stop_at(6)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "run", minutes=60)
    assert read_metadata(tmp_path / "run" / "state.safetensors")["total"] == total
    stop_at(7)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "run", minutes=120)
    assert read_metadata(tmp_path / "run" / "state.safetensors")["total"] == 2 * total
    stop_at(8)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "run", minutes=120)
    assert read_metadata(tmp_path / "run" / "state.safetensors")["total"] == 2 * total


# ---- several processes ---------------------------------------------------------------------------

WIDE = TINY | {"batch": 8, "rehearsal_batch": 8}  # two processes' worth


def test_two_processes_stopped_and_gone_on_with_come_to_the_same_bytes(prepared, tmp_path, stop_at):
    how = {"steps": 2, "settings": WIDE | {"rehearsal": 0}, "threads": 2}
    whole = train(prepared, tmp_path / "whole", **how)
    assert antiphon.load(whole).info.training["processes"] == 2
    stop_at(1)
    with pytest.raises(KeyboardInterrupt, match="saved at step 1"):
        train(prepared, tmp_path / "run", **how)
    stop_at()
    assert digest(train(prepared, tmp_path / "run", **how)) == digest(whole)
    state, other = (read_tensors(tmp_path / name / "state.safetensors")[0] for name in ("run", "whole"))
    assert all(torch.equal(state[k], other[k]) for k in other)


def test_under_torchrun_the_first_process_opens_the_run_and_the_others_read_what_it_wrote(notes, tmp_path):
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "antiphon", "train", str(notes),
            "-o", str(tmp_path / "run"), "--size", "tiny", "--steps", "2", "--from-scratch",
            "--set", *SETTINGS]  # fmt: skip
    done = subprocess.run(line, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("learning from 14 notes") == 1  # one of them prepares and says so
    training = antiphon.load(tmp_path / "run").info.training
    assert (training["steps"], training["processes"]) == (2, 2)


def test_a_run_says_so_when_it_loses_a_process(prepared, tmp_path, monkeypatch):
    started, start, one_step = [], helpers.Helpers._start, Run._one_step
    monkeypatch.setattr(helpers.Helpers, "_start", lambda self: started.append(start()) or started[-1])

    def stepped(run):
        if run.step == 1:
            started[0].kill()
        return one_step(run)

    monkeypatch.setattr(Run, "_one_step", stepped)
    with pytest.raises(AntiphonError, match="one of the run's processes ended"):
        train(prepared, tmp_path / "run", steps=3, settings=WIDE, threads=2)
    assert not torch.distributed.is_initialized()


def test_helpers_do_not_outlive_a_killed_run():
    code = "from antiphon.verbs.helpers import Helpers; Helpers(1); print('started', flush=True); input()"
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    debug = os.environ | {"ANTIPHON_DEBUG": "1"}  # then a helper holds this pipe too, until it ends
    first = subprocess.Popen([sys.executable, "-c", code], env=debug, text=True, **pipes)
    assert first.stdout.readline() == "started\n"
    first.kill()
    first.communicate(timeout=120)


# ---- another run in the folder -------------------------------------------------------------------


def test_other_notes_or_settings_are_refused_unless_forced(tmp_path):
    first, other = write_notes(tmp_path / "notes"), write_notes(tmp_path / "other")
    (other / "notes.csv").write_text("path\nharp/055.wav\nharp/063.wav\n")
    folder = tmp_path / "run"
    before = digest(train(first, folder, steps=1))
    for source, how, says in [(other, {}, "other notes"), (first, {"size": "small"}, "another --size")]:
        with pytest.raises(AntiphonError, match=says):
            train(source, folder, steps=1, **how)
    assert digest(folder / "weights.safetensors") == before
    train(other, folder, steps=1, force=True)
    assert antiphon.load(folder).instruments == ("harp",)


def test_a_folder_that_was_only_prepared_is_not_prepared_again(notes, tmp_path, stop_at, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(Run, "train", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(notes, folder, steps=1)
    prepared = (folder / "prepared.safetensors").stat().st_mtime_ns
    with pytest.raises(KeyboardInterrupt):
        train(notes, folder, steps=1)
    assert (folder / "prepared.safetensors").stat().st_mtime_ns == prepared
    with pytest.raises(KeyboardInterrupt):
        train(notes, folder, steps=1, recipe="wavegan", settings={})  # another request may prepare otherwise
    assert (folder / "prepared.safetensors").stat().st_mtime_ns > prepared
    monkeypatch.undo()
    train(notes, folder, steps=1)


@pytest.mark.parametrize("name", ["state.safetensors", "run.json"])
def test_damaged_files_of_a_run_are_one_line(prepared, tmp_path, name):
    train(prepared, tmp_path / "run", steps=1)
    whole = (tmp_path / "run" / name).read_bytes()
    (tmp_path / "run" / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AntiphonError) as error:
        train(prepared, tmp_path / "run", steps=2)
    assert "\n" not in str(error.value)


# ---- from a voice --------------------------------------------------------------------------------


def test_warm_start_takes_over_weights_by_label(prepared, run_folder, tmp_path):
    weights = train(prepared, tmp_path / "run", steps=1, start_from=run_folder, from_scratch=False, size=None)
    old, new = antiphon.load(run_folder), antiphon.load(weights)
    assert new.model.config == old.model.config
    assert new.info.training["start_from"] == str(run_folder)
    far = antiphon.load(train(prepared, tmp_path / "fresh", steps=1, seed=5))
    distance = [_distance(old.model, model) for model in (new.model, far.model)]
    assert distance[0] < 0.1 * distance[1]


def _distance(a: torch.nn.Module, b: torch.nn.Module) -> float:
    return float(sum((x - y).square().sum() for x, y in zip(a.parameters(), b.parameters(), strict=True)))


def test_the_bundled_voice_is_the_usual_beginning(prepared, run_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(find, "VOICES", tmp_path / "voices")
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "gm.safetensors").write_bytes((run_folder / "weights.safetensors").read_bytes())
    how = {"steps": 1, "quiet": False, "from_scratch": False}
    train(prepared, tmp_path / "usual", size=None, **how)
    assert read_record(tmp_path / "usual").start_from == "gm"
    assert "starting from the voice gm" in capsys.readouterr().err
    train(prepared, tmp_path / "small", **(how | {"size": "small"}))
    assert read_record(tmp_path / "small").start_from is None
    assert "starting from scratch" in capsys.readouterr().err
    train(prepared, tmp_path / "scratch", **(how | {"from_scratch": True, "size": "tiny"}))
    assert read_record(tmp_path / "scratch").start_from is None


def test_training_needs_neither_audio_nor_terminal_libraries_nor_a_compiler(prepared, tmp_path):
    """The compiler is torch.compile's, which takes longer to import than all the rest [networks/optimisers.py]."""
    code = f"""
import sys
for name in ("soundfile", "soxr", "mido", "tyro", "rich", "scipy"):
    sys.modules[name] = None
import torch; torch.set_num_threads(1)
import antiphon
print(antiphon.train({str(prepared)!r}, {str(tmp_path / "run")!r}, steps=1, size="tiny", settings={TINY!r}))
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "run" / "weights.safetensors")
