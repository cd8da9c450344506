"""The command line as users meet it: help, results, and one clear line for whatever is wrong."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, SETTINGS, tone

import antiphon
from antiphon.audio.files import write_audio
from antiphon.cli.commands import VERBS
from antiphon.core.errors import AntiphonError


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def complains(said, *words: str) -> str:
    """The one line on stderr of a refused command line."""
    assert said.status == 2, said
    assert said.out == []
    last = said.err[-1]
    assert last.startswith("antiphon: ")
    assert not any("Traceback" in line for line in said.err)
    assert sum(line.startswith("antiphon: ") for line in said.err) == 1
    for word in words:
        assert word in last
    return last


# ---- help ----------------------------------------------------------------------------------------


def test_the_overview_names_every_verb(antiphon_line):
    for args in ([], ["--help"], ["-h"]):
        said = antiphon_line(*args)
        assert said.status == 0
        assert all(any(f"antiphon {verb} " in line for line in said.out) for verb in VERBS)
    assert antiphon_line("data").status == 0
    assert antiphon_line("--version").out == ["antiphon 0.1.0"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example(antiphon_line, verb):
    said = antiphon_line(*verb.split(), "--help")
    assert said.status == 0
    assert any(f"Example: antiphon {verb} " in line for line in said.out)


def test_help_and_import_are_light():
    heavy = "[m for m in ('torch', 'numpy', 'soundfile', 'mido') if m in sys.modules]"
    assert python(f"import sys, antiphon; antiphon.AntiphonError; print({heavy}, dir(antiphon)[0])").startswith("[]")
    assert python(f"import sys, antiphon.cli.app as c; c._parse('train', ['x', '-o', 'y']); print({heavy})") == "[]"


# ---- what works ----------------------------------------------------------------------------------


def test_play_the_bundled_song(antiphon_line, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    silence = lambda players, *_, **__: iter([{"mix": np.zeros((len(players), 2), np.float32)}])  # noqa: E731
    monkeypatch.setattr("antiphon.verbs.play.stream", silence)
    assert antiphon_line("play", "--voice", run_folder).out[-1] == "antiphon.wav"
    assert antiphon_line("play", "--voice", run_folder).out[-1] == "antiphon-2.wav"  # nothing is overwritten
    assert antiphon_line("play", "--voice", run_folder, "--force").out[-1] == "antiphon.wav"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["antiphon-2.wav", "antiphon.wav"]
    assert soundfile.info("antiphon.wav").frames >= 4  # instruments


def test_play_a_song(antiphon_line, run_folder, song, tmp_path):
    out = tmp_path / "new folder" / "song.flac"
    said = antiphon_line("play", song, "-o", out, "--voice", run_folder, "--instrument", "HAR", "--seed", "3")
    assert (said.status, said.out) == (0, [str(out)])
    assert not any("channel 10" in line for line in said.err), "the bundled kit plays the drums"
    info = soundfile.info(str(out))
    assert (info.channels, info.samplerate, info.duration > 0.5) == (2, RATE, True)
    complains(antiphon_line("play", song, "-o", out, "--voice", run_folder), "exists", "--force")
    assert antiphon_line("play", song, "-o", out, "--voice", run_folder, "--force").status == 0


def test_play_into_stems_and_parts(antiphon_line, run_folder, song, tmp_path):
    line = ["play", song, "-o", tmp_path / "out.wav", "--voice", run_folder, "--map", "1=harp", "--room", "0.3"]
    assert antiphon_line(*line, "--stems", "--layers").out == [str(tmp_path / "out.wav")]
    stems = ["out-01-01.wav", "out-01-10-drums.wav"]
    names = [*stems, "out-noise.wav", "out-partials.wav", "out-room.wav", "out.wav"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert len({soundfile.info(tmp_path / name).frames for name in names}) == 1
    assert all(np.abs(soundfile.read(tmp_path / name)[0]).max() > 0 for name in stems)
    complains(antiphon_line(*line[:-2], "--force", "--room", "2"), "room")
    complains(antiphon_line(*line[:-4], "--force", "--map", "5=harp"), "no part matches '5'")
    complains(antiphon_line(*line[:-4], "--force", "--map", "harp"), "is not a mapping")


def test_generate(antiphon_line, run_folder, tmp_path):
    line = ["generate", run_folder, "-o", tmp_path / "g", "-n", "3", "--pitch", "60.5", "--seconds", "0.1"]
    line += ["--velocity", "64", "--instrument", "violin", "--style", "bright", "bowed", "--seed", "7"]
    said = antiphon_line(*line)
    assert (said.status, said.out) == (0, [str(tmp_path / "g")])
    names = sorted(p.name for p in (tmp_path / "g").iterdir())
    assert names == [f"00{i}_violin_C4+50c_v64_s{6 + i}.wav" for i in (1, 2, 3)]
    complains(antiphon_line(*line), "exists", "--force")


def test_info(antiphon_line, run_folder):
    text = "\n".join(antiphon_line("info", run_folder).out)
    for word in ("violin", "G3 to ", "bowed", "CC0", "steps 10", "M parameters", "notes"):
        assert word in text
    known = json.loads("\n".join(antiphon_line("info", run_folder, "--json").out))
    assert [row["label"] for row in known["instruments"]] == ["harp", "violin"]
    assert known["instruments"][1]["family"] == "strings"


def test_inspect_and_prepare(antiphon_line, notes, tmp_path):
    text = "\n".join(antiphon_line("data", "inspect", notes).out)
    assert "violin" in text
    assert "14 notes of 2 instruments" in text
    out = tmp_path / "n.safetensors"
    assert antiphon_line("data", "prepare", notes, "-o", out, "--workers", "1").out == [str(out)]
    complains(antiphon_line("data", "prepare", notes, "-o", out), "exists", "--force")


@pytest.mark.parametrize(
    ("recipe", "texts", "found"),
    [
        ("wavegan", ["descriptors=brightness,attack", "batch=2"], {"descriptors": "brightness,attack", "batch": 2}),
        ("wavegan", ["descriptors=brightness,attack,batch=2"], {"descriptors": "brightness,attack", "batch": 2}),
        ("instrument", ["answers=r1,return", *SETTINGS], {"answers": "r1,return", "batch": 2}),
        ("instrument", [",".join(SETTINGS) + ","], {"answers": "all", "batch": 2, "samples": 8192}),
    ],
)
def test_settings_may_hold_commas(antiphon_line, prepared, tmp_path, recipe, texts, found):
    how = ["--recipe", recipe, "--size", "tiny", "--steps", "1", "--threads", "1", "--from-scratch"]
    said = antiphon_line("train", prepared, "-o", tmp_path / "run", *how, "--set", *texts)
    assert said.status == 0, said.err
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]
    assert found.items() <= settings.items()


def test_a_seed_is_a_number_or_a_name_and_0_is_one(antiphon_line, prepared, tmp_path):
    how = ["--size", "tiny", "--steps", "1", "--threads", "1", "--from-scratch"]

    def line(run, *seed):
        return antiphon_line("train", prepared, "-o", tmp_path / run, *how, *seed, "--set", *SETTINGS)

    assert line("blue", "--seed", "blue").status == 0
    assert line("blue", "--seed", "blue").status == 0
    complains(line("blue", "--seed", "0"), "another --seed", "not 0")
    assert line("none").status == 0
    assert line("none", "--seed", "0").status == 0  # the default
    complains(line("none", "--seed", "1"), "another --seed")
    complains(antiphon_line("data", "render", prepared, "-o", tmp_path / "r", "--seed", "-1"), "seed -1")
    with pytest.raises(AntiphonError, match="seed"):
        antiphon.train(prepared, tmp_path / "x", seed=-1)


def test_train_prints_the_weights_path_last(antiphon_line, prepared, tmp_path):
    line = ["train", prepared, "-o", tmp_path / "run", "--size", "tiny", "--steps", "2"]
    line += ["--from-scratch", "--set", *SETTINGS]
    said = antiphon_line(*line)
    assert (said.status, said.out[-1]) == (0, str(tmp_path / "run" / "weights.safetensors"))
    assert any("antiphon play --voice" in text for text in said.err)
    again = antiphon_line(*line)
    assert again.out[-1] == said.out[-1]
    assert any("complete" in text for text in again.err)


# ---- what is refused -----------------------------------------------------------------------------


WRONG = [
    (["plya"], ["did you mean `antiphon play`"]),
    (["data", "inspekt"], ["did you mean `antiphon data inspect`"]),
    (["generate", "V"], ["--out", "--help"]),
    (["generate", "V", "-o", "D", "--volocity", "3"], ["--velocity"]),
    (["generate", "V", "-o", "D", "--velocity", "loud"], ["--velocity"]),
    (["generate", "V", "-o", "D", "--velocity", "0"], ["velocity 0", "1 to 127"]),
    (["generate", "V", "-o", "D", "--velocity", "nan"], ["velocity nan"]),
    (["generate", "V", "-o", "D", "--pitch", "H#z"], ["not a pitch"]),
    (["generate", "V", "-o", "D", "--pitch", "200"], ["out of range"]),
    (["generate", "V", "-o", "D", "--pitch", "inf"], ["pitch"]),
    (["generate", "V", "-o", "D", "--seconds", "0"], ["0 s"]),
    (["generate", "V", "-o", "D", "--seconds", "-1"], ["-1 s"]),
    (["generate", "V", "-o", "D", "--seconds", "1e9"], ["at most"]),
    (["generate", "V", "-o", "D", "-n", "0"], ["1 to"]),
    (["generate", "V", "-o", "D", "--seed", "-1"], ["seed -1"]),
    (["generate", "V", "-o", "D", "--instrument", "kazzoo"], ["kazzoo"]),
    (["generate", "V", "-o", "D", "--instrument", "violni"], ["violin"]),
    (["generate", "V", "-o", "D", "--instrument", "128"], ["0 to 127"]),
    (["generate", "V", "-o", "D", "--style", "purple"], ["purple", "bowed"]),
    (["generate", "V", "-o", "FILE"], ["not a folder"]),
    (["generate", "nobody", "-o", "D"], ["no voice named 'nobody'"]),
    (["play", "missing.mid", "--voice", "V", "-o", "x.wav"], ["missing.mid"]),
    (["play", "FILE", "--voice", "V", "-o", "x.wav"], ["not a MIDI file"]),
    (["play", "--voice", "V", "-o", "x.exe"], ["x.exe"]),
    (["play", "--voice", "EMPTY"], ["weights.safetensors"]),
    (["play", "--voice", "FILE"], ["not an Antiphon weights file"]),
    (["play", "--voice", "V", "-o", "FILE/x.wav"], ["cannot write"]),
    (["play", "--voice", "V", "--instrument", "kazzoo", "-o", "x.wav"], ["kazzoo"]),
    (["play", "--voice", "V", "-o", "x.wav", "--kit", "nobody"], ["nobody"]),
    (["play", "--voice", "V", "-o", "x.wav", "--map", "10=kazzoo"], ["kazzoo"]),
    (["play", "--voice", "V", "-o", "x.wav", "--morph", "violin"], ["not a morph", "flute>cello"]),
    (["play", "--voice", "V", "-o", "x.wav", "--morph", "violin@0:30-1:00"], ["flute>cello"]),
    (["play", "--voice", "V", "-o", "x.wav", "--variation", "much"], ["much is not a number"]),
    (["generate", "V", "-o", "x", "-n", "2.5"], ["'2.5' is not a whole number"]),
    (["play", "--voice", "V", "-o", "/proc/x.wav"], ["/proc/x.wav"]),
    (
        ["morph", "V", "--from", "violin", "--to", "harp", "-o", "x.wav", "--steps", "99", "--seconds", "99"],
        ["99 steps"],
    ),
    (["info", "nobody"], ["nobody"]),
    (["data", "inspect", "nowhere"], ["nowhere"]),
    (["data", "inspect", "EMPTY"], ["no sound files"]),
    (["data", "prepare", "EMPTY", "-o", "p.safetensors"], ["no sound files"]),
    (["data", "prepare", "N", "-o", "p.wav"], [".safetensors"]),
    (["data", "prepare", "", "-o", "p.safetensors"], ["empty"]),
    (["data", "render", "nofont.sf2", "-o", "D"], []),
    (["data", "render", "nofont.sf2", "-o", "D", "--programs", "128"], ["0 to 127"]),
    (["train", "nowhere", "-o", "R"], ["nowhere"]),
    (["train", "EMPTY", "-o", "R"], ["no sound files"]),
    (["train", "FILE", "-o", "R"], ["not a usable prepared file"]),
    (["train", "N", "-o", "FILE"], ["is a file"]),
    (["train", "N", "-o", "N/run"], ["outside"]),
    (["train", "N", "-o", "OTHER"], ["contains other files"]),
    (["train", "N", "-o", "R", "--steps", "0"], ["0 steps"]),
    (["train", "N", "-o", "R", "--steps", "-5"], ["-5 steps"]),
    (["train", "N", "-o", "R", "--minutes", "0"], ["0 minutes"]),
    (["train", "N", "-o", "R", "--minutes", "nan"], ["nan minutes"]),
    (["train", "N", "-o", "R", "--steps", "5", "--minutes", "5"], ["either"]),
    (["train", "N", "-o", "R", "--size", "huge"], ["huge"]),
    (["train", "N", "-o", "R", "--from", "nobody"], ["nobody"]),
    (["train", "N", "-o", "R", "--from", "V", "--from-scratch"], ["either"]),
    (["train", "N", "-o", "R", "--from", "V", "--size", "small"], ["--size"]),
    (["train", "N", "-o", "R", "--threads", "0"], ["threads"]),
    (["train", "N", "-o", "R", "--seed", "-1"], ["seed"]),
    (["train", "N", "-o", "R", "--set", "rule=hinge"], ["game.rule"]),
    (["train", "N", "-o", "R", "--set", "game.rule"], ["name=value"]),
    (["train", "N", "-o", "R", "--set", "game.rule=chess"], ["lsgan"]),
    (["train", "N", "-o", "R", "--set", "batch=many"], ["whole number"]),
    (["train", "N", "-o", "R", "--set", "batch=0"], ["batch"]),
    (["train", "N", "-o", "R", "--set", "network.width=100000"], ["network.width"]),
    (["train", "N", "-o", "R", "--recipe", "wavegan", "--set", "view.standardised=true"], ["view.standardised"]),
    (["train", "N", "-o", "R", "--recipe", "dcgan", "--set", "view.bands=-1"], ["-1 bands", "2 to"]),
    (["train", "N", "-o", "R", "--recipe", "gansynth", "--set", "view.bands=1"], ["1 bands", "2 to"]),
    (["train", "N", "-o", "R", "--recipe", "gansynth", "--set", "view.window=1048576"], ["window", "at most"]),
]


@pytest.mark.parametrize(("args", "words"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_one_line_for_what_is_wrong(antiphon_line, run_folder, notes, tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "OTHER").mkdir()
    (tmp_path / "OTHER" / "thesis.txt").write_text("precious")
    (tmp_path / "FILE").write_text("just text\n" * 50)
    before = sorted(tmp_path.rglob("*"))
    places = {"V": str(run_folder), "N": str(notes), "N/run": str(notes / "run")}
    complains(antiphon_line(*[places.get(a, a) for a in args]), *words)
    left = [p for p in sorted(tmp_path.rglob("*")) if p not in before and p.suffix]
    assert not [p for p in left if p.suffix in (".wav", ".safetensors")]
    assert (tmp_path / "OTHER" / "thesis.txt").read_text() == "precious"


def hostile(folder: Path) -> Path:
    """A folder of files that only look like sounds."""
    folder.mkdir(parents=True)
    (folder / "text_A4.wav").write_text("this is no sound")
    (folder / "empty_A4.flac").touch()
    write_audio(folder / "good.wav", tone(60))
    whole = (folder / "good.wav").read_bytes()
    (folder / "good.wav").unlink()
    (folder / "cut_C4.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "header_C4.wav").write_bytes(whole[:30])
    soundfile.write(folder / "silence_C4.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "one_C4.wav", np.ones(1), RATE)
    nan = tone(60)
    nan[1000] = np.nan
    soundfile.write(folder / "nan_C4.wav", nan, RATE, subtype="FLOAT")
    lying = bytearray(whole)
    lying[22:24] = struct.pack("<H", 0)  # channels
    (folder / "channels_C4.wav").write_bytes(lying)
    return folder


def test_a_folder_of_broken_files(antiphon_line, tmp_path):
    folder = hostile(tmp_path / "sounds")
    said = antiphon_line("data", "inspect", folder)
    text = "\n".join(said.out)
    assert said.status == 0
    for name in ("text_A4.wav", "empty_A4.flac", "cut_C4.wav", "silence_C4.wav", "one_C4.wav", "nan_C4.wav"):
        assert name in text
    complains(
        antiphon_line("train", folder, "-o", tmp_path / "run", "--steps", "1", "--from-scratch"), "no usable notes"
    )
    complains(antiphon_line("data", "prepare", folder, "-o", tmp_path / "p.safetensors"), "no usable notes")
    assert not (tmp_path / "p.safetensors").exists()


def test_good_notes_among_broken_files(antiphon_line, tmp_path):
    folder = hostile(tmp_path / "sounds")
    for pitch in (57, 64, 69):
        write_audio(folder / f"organ_{pitch}_v80.wav", tone(pitch))
    said = antiphon_line(
        "train", folder, "-o", tmp_path / "run", "--size", "tiny", "--steps", "1", "--from-scratch", "--set", *SETTINGS
    )
    assert said.status == 0
    assert any("were refused" in line for line in said.err)
    assert "text_A4.wav" in (tmp_path / "run" / "refused.txt").read_text()


def test_accidents_are_one_line_too(antiphon_line, monkeypatch):
    def fails_with(error):
        def run(self):
            raise error

        monkeypatch.setattr(VERBS["info"], "run", run)
        return antiphon_line("info", "gm")

    complains(fails_with(OSError(28, "No space left on device", "/x/y.wav")), "/x/y.wav: No space left on device")
    complains(fails_with(PermissionError(13, "Permission denied", "/x")), "Permission denied")
    complains(fails_with(MemoryError()), "memory")
    said = fails_with(KeyboardInterrupt())
    assert (said.status, said.err) == (130, ["antiphon: stopped"])
    said = fails_with(ZeroDivisionError("division\nby zero"))
    assert said.status == 1
    assert len(said.err) == 1
    assert "ZeroDivisionError: division by zero" in said.err[0]
    assert "report" in said.err[0]
    monkeypatch.setenv("ANTIPHON_DEBUG", "1")
    assert any("Traceback" in line for line in fails_with(ZeroDivisionError()).err)


def test_ctrl_c_is_answered_from_the_start():
    """What takes time to import is imported by `main`, which handles the signal."""
    code = "import antiphon.cli.app, sys; print(sorted({'numpy', 'torch', 'tyro'} & set(sys.modules)))"
    assert python(code) == "[]"


def test_a_song_that_is_stopped_leaves_nothing(tmp_path):
    """As typed; tests/test_stopping.py sends every signal at the worst moments."""
    line = [sys.executable, "-m", "antiphon", "play", "--stems", "--only", "Flute", "-o", str(tmp_path / "song.wav")]
    # these tests may run where the signal is ignored: under nohup, or in a shell's background
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    playing = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    while not any(tmp_path.iterdir()):  # until sound is on its way
        assert playing.poll() is None
        time.sleep(0.02)
    playing.send_signal(signal.SIGINT)
    _, said = playing.communicate(timeout=60)
    assert playing.returncode == 130
    assert said.splitlines()[-1].endswith("antiphon: stopped")
    assert list(tmp_path.iterdir()) == []


def test_a_stop_after_the_result_is_there_is_not_heard_while_threads_end():
    code = """
import os, signal, sys, threading
from antiphon.cli.app import main
threading.Thread(target=lambda: (threading.main_thread().join(), os.kill(os.getpid(), signal.SIGTERM))).start()
sys.argv = ["antiphon", "--version"]
main()
"""
    assert python(code).startswith("antiphon ")


def test_a_hangup_that_is_ignored_stays_ignored():
    """Under nohup a song is finished although the terminal is gone."""
    code = """
import os, signal
from antiphon.core.stopping import listening
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with listening():
    os.kill(os.getpid(), signal.SIGHUP)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        print("played on, then stopped")
"""
    assert python(code) == "played on, then stopped"


def test_paths_that_the_terminal_cannot_show(run_folder, tmp_path):
    line = [sys.executable, "-m", "antiphon", "generate", str(run_folder), "-n", "1", "--seconds", "0.1"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*line, "-o", str(tmp_path / "🎹")], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "\\U0001f3b9"))


def test_a_closed_pipe_is_quiet():
    line = f"{sys.executable} -m antiphon --help | true"
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.stderr == ""
