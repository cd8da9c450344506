"""Folders that do not fit the recipe: sounds without a pitch, drums among notes, notes among drums, too few, too short.
Each is used, refused or remarked on before training."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import RATE, tone

from antiphon.audio.files import write_audio
from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.manifest import scan
from antiphon.data.labelling.row import UNNAMED
from antiphon.data.prepare import prepare
from antiphon.data.prepared import Prepared

TINY = ["--size", "tiny", "--steps", "1", "--threads", "1", "--from-scratch", "--set", "batch=2", "health=0"]
SHORT = ["samples=8192", "game.imagined=1", "rehearsal_batch=4"]  # settings that only the usual recipe has


def burst(seed: int, seconds: float = 0.5) -> np.ndarray:
    """Noise that dies away."""
    n = round(seconds * RATE)
    return (0.2 * np.random.default_rng(seed).standard_normal(n) * np.exp(-np.arange(n) / (n / 6))).astype(np.float32)


@pytest.fixture(scope="module")
def nolabels(tmp_path_factory):
    """Sixteen bursts of noise, numbered: twelve and more of the numbers could be keys."""
    folder = tmp_path_factory.mktemp("sounds") / "field v1.2"
    for i in range(1, 17):
        write_audio(folder / f"{i:02d}.wav", burst(i))
    return folder


def hits(folder, names=("kick", "snare", "hat"), each=3):
    for name in names:
        for i in range(each):
            write_audio(folder / f"{name}_{i}.wav", burst(i, 0.2))
    return folder


def notes(folder, seconds=0.5):
    for pitch in ("C4", "E4", "G4", "A4"):
        write_audio(folder / f"organ_{pitch}.wav", tone({"C4": 60, "E4": 64, "G4": 67, "A4": 69}[pitch], seconds))
    return folder


# ---- sounds without a pitch ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["wavegan", "dcgan", "specgan", "vocoder"])
def test_any_folder_of_sounds_trains_what_needs_no_pitch(antiphon_line, nolabels, tmp_path, recipe):
    run = tmp_path / "run"
    said = antiphon_line("train", nolabels, "-o", run, "--recipe", recipe, *TINY)
    assert said.status == 0, said.err
    assert said.err[0] == "note: the pitch of 16 of 16 sounds is unknown: all are used without pitch"
    if recipe == "vocoder":
        return
    assert antiphon_line("generate", run, "-o", tmp_path / "new", "-n", 2).status == 0
    assert len(list((tmp_path / "new").iterdir())) == 2
    assert "pitch" in antiphon_line("generate", run, "-o", tmp_path / "more", "--pitch", "C4").err[0]
    assert antiphon_line("info", run).status == 0


def test_what_needs_a_pitch_says_what_does_not(antiphon_line, nolabels, tmp_path):
    for recipe in ("instrument", "gansynth"):
        said = antiphon_line("train", nolabels, "-o", tmp_path / "run", "--recipe", recipe, *TINY)
        assert said.status == 2
        assert "its pitch is unknown" in said.err[-1]
        assert "--recipe drums and wavegan" in said.err[-1]
        assert not (tmp_path / "run").exists()


def test_a_file_of_sounds_without_a_pitch_says_so(nolabels, tmp_path):
    prepare(scan(nolabels, pitch="auto"), tmp_path / "p.safetensors")
    data = Prepared(tmp_path / "p.safetensors")
    assert not data.labels.pitched
    assert not data.labels.one_shots
    assert data.labels.descriptors == ("centroid", "attack", "decay")
    assert len(data) == 16
    assert data.hold.eq(-1).all()
    assert data.samples(0) > 0.3 * RATE


def test_sounds_keep_their_pitches_where_most_have_one(tmp_path):
    folder = notes(tmp_path)
    write_audio(folder / "rain.wav", burst(0))
    kept = scan(folder, pitch="auto", track=False)
    assert kept.pitched
    assert [item.path.name for item in kept.refused] == ["rain.wav"]
    free = scan(folder, pitch="no")
    assert not free.pitched
    assert len(free.rows) == 5
    assert {row.pitch for row in free.rows} == {60.0}
    with pytest.raises(AntiphonError, match="pitch=perhaps"):
        scan(folder, pitch="perhaps")


def test_labels_are_names_that_several_share(tmp_path):
    for name in ("rain/a.wav", "rain/b.wav", "rain/c.wav", "door.wav", "bottle.wav"):
        write_audio(tmp_path / "x" / name, burst(len(name)))
    rows = scan(tmp_path / "x", pitch="no").rows
    assert {row.path.name: row.instrument for row in rows if row.instrument != "rain"} == {
        "door.wav": UNNAMED,
        "bottle.wav": UNNAMED,
    }
    (tmp_path / "x" / "notes.csv").write_text("path,instrument\nrain/a.wav,rain\ndoor.wav,door\n")
    assert {row.instrument for row in scan(tmp_path / "x", pitch="no").rows} == {"rain", "door"}


def test_numbers_that_count_files_are_no_pitches(tmp_path):
    for i in range(1, 15):
        write_audio(tmp_path / "counted" / f"organ {i}.wav", tone(60 + i, 0.1))
        write_audio(tmp_path / "keys" / f"organ {59 + i}.wav", tone(59 + i, 0.1))
    assert not scan(tmp_path / "counted", track=False).rows
    assert [row.pitch for row in scan(tmp_path / "keys", track=False).rows] == list(range(60, 74))


# ---- the wrong sort --------------------------------------------------------------------------------------------------


def test_drums_are_no_notes_and_notes_no_drums(antiphon_line, tmp_path):
    said = antiphon_line("train", hits(tmp_path / "kit"), "-o", tmp_path / "run", *TINY)
    assert said.status == 2
    assert "--recipe drums" in said.err[-1]
    said = antiphon_line("train", notes(tmp_path / "notes"), "-o", tmp_path / "run", "--recipe", "drums", *TINY)
    assert said.status == 2
    assert "--recipe instrument" in said.err[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kit", "notes"]  # nothing is left


def test_drums_with_a_pitch_in_their_names_are_notes(tmp_path, antiphon_line):
    for pitch in ("C4", "E4", "G4"):
        write_audio(tmp_path / "bells" / f"bell_{pitch}.wav", tone({"C4": 60, "E4": 64, "G4": 67}[pitch], plucked=True))
    assert antiphon_line("train", tmp_path / "bells", "-o", tmp_path / "run", *TINY, *SHORT).status == 0


def test_a_run_that_failed_can_be_begun_as_another(antiphon_line, tmp_path):
    """Sounds prepared for one recipe are not reused for the next."""
    folder, run = notes(tmp_path / "notes", 0.06), tmp_path / "run"
    said = antiphon_line("train", folder, "-o", run, "--recipe", "wavegan", *TINY)
    assert said.status == 2
    assert "--recipe instrument" in said.err[-1]
    assert "wavegan" not in said.err[-1]
    assert not run.exists()
    said = antiphon_line("train", folder, "-o", run, *TINY, *SHORT[1:])
    assert said.status == 0
    assert any("0.06 s" in line and "silence" in line for line in said.err)


def test_more_refused_than_kept_is_said_first(antiphon_line, tmp_path):
    folder = notes(tmp_path / "notes")
    for i in range(5):
        write_audio(folder / f"door{'abcde'[i]}.wav", burst(i))
    said = antiphon_line("train", folder, "-o", tmp_path / "run", *TINY, *SHORT)
    assert said.status == 0
    assert any("more files were refused than are learned from" in line for line in said.err)


# ---- too few ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["instrument", "wavegan", "vocoder"])
def test_one_sound_is_remarked_on(antiphon_line, tmp_path, recipe):
    write_audio(tmp_path / "one" / "flute_A4.wav", tone(69))
    said = antiphon_line("train", tmp_path / "one", "-o", tmp_path / "run", "--recipe", recipe, *TINY)
    assert said.status == 0
    assert any(line.startswith("note: there is one sound to learn from") for line in said.err)
    again = antiphon_line("train", tmp_path / "one", "-o", tmp_path / "run", "--recipe", recipe, *TINY)
    assert not any("one sound" in line for line in again.err)  # a run that goes on has said it


def test_one_drum_and_one_key_are_remarked_on(antiphon_line, tmp_path):
    said = antiphon_line(
        "train", hits(tmp_path / "s", ("snare",)), "-o", tmp_path / "a", "--recipe", "drums", *TINY, "samples=8192"
    )
    assert any("one drum, snare" in line for line in said.err), said.err
    for i in range(2):
        write_audio(tmp_path / "key" / f"flute{'ab'[i]}_A4.wav", tone(69))
    said = antiphon_line("train", tmp_path / "key", "-o", tmp_path / "b", *TINY, *SHORT)
    assert any("all of these notes are A4" in line for line in said.err)


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_names_that_are_no_utf8_train(antiphon_line, tmp_path):
    folder = notes(tmp_path / "notes")
    other = os.fsencode(tmp_path) + b"/caf\xe9"
    try:
        os.mkdir(other)
    except OSError:
        pytest.skip("this disk takes UTF-8 only")
    for path in folder.iterdir():
        shutil.copy(os.fsencode(path), other + b"/\xff" + os.fsencode(path.name))
    with open(other + b"/\xfe_C4.wav", "w") as file:
        file.write("no sound")
    line = [sys.executable, "-m", "antiphon", "train", other, "-o", str(tmp_path / "run"), *TINY, *SHORT]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert b"\xfe_C4.wav" in (tmp_path / "run" / "refused.txt").read_bytes()
    assert antiphon_line("generate", tmp_path / "run", "-o", tmp_path / "new", "-n", 1).status == 0


def test_a_label_too_long_for_a_voice_is_refused(antiphon_line, tmp_path):
    folder = notes(tmp_path / "notes")
    write_audio(folder / f"{'q' * 210}_C4.wav", tone(60))
    (refused,) = scan(folder, track=False).refused
    assert "more than 200 characters" in refused.reason
    assert antiphon_line("data", "prepare", folder, "-o", tmp_path / "p.safetensors").status == 0
    assert len(Prepared(tmp_path / "p.safetensors")) == 4


def test_inspect_says_where_names_come_from(antiphon_line, nolabels, tmp_path):
    folder = hits(tmp_path / "kit")
    said = "\n".join(antiphon_line("data", "inspect", folder, "--one-shots").out)
    assert "file names" in said
    assert "a table" not in said
    write_audio(tmp_path / "two" / "Snare" / "1.wav", burst(1, 0.2))
    assert "folder names" in "\n".join(antiphon_line("data", "inspect", tmp_path / "two", "--one-shots").out)
    (folder / "notes.csv").write_text("path,instrument\nkick_0.wav,kick\n")
    assert "a table" in "\n".join(antiphon_line("data", "inspect", folder, "--one-shots").out)
    assert "16 sounds of 1 kind" in "\n".join(antiphon_line("data", "inspect", nolabels, "--pitch", "auto").out)
