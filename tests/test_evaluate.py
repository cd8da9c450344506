"""`antiphon evaluate` and `antiphon compare` as users type them."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from pathlib import Path

import pytest
from conftest import tone

import antiphon
from antiphon.audio.files import write_audio
from antiphon.data.prepared import Prepared
from antiphon.metrics import bootstrap

ROWS = ["real", "floor", "naive", "untrained", "gaussian", "imagined", "encoded"]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(bootstrap, "DISTANCE_DRAWS", 2)
    monkeypatch.setattr(bootstrap, "DRAWS", 20)


@pytest.fixture(scope="module")
def many_notes(tmp_path_factory) -> Path:
    """Short notes of two instruments, with five pairs of each held out."""
    folder = tmp_path_factory.mktemp("many") / "my notes"
    lines = ["path,pitch,instrument,split"]
    for name in ("violin", "harp"):
        for i, pitch in enumerate(range(55, 70)):
            path = f"{name}-{pitch}.wav"
            write_audio(folder / path, tone(pitch, 0.2, plucked=name == "harp"))
            lines.append(f"{path},{pitch},{name},{'train' if i < 5 else 'valid'}")
    (folder / "notes.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def many_prepared(many_notes, tmp_path_factory) -> Path:
    from antiphon.verbs.data import prepare

    return prepare(many_notes, tmp_path_factory.mktemp("prepared") / "many.safetensors", quiet=True)


@pytest.fixture
def how(tmp_path) -> list[object]:
    return ["--embeddings", "mel", "--threads", 1, "--cache", tmp_path / "cache"]


def test_evaluate_a_run_with_a_folder_of_notes(antiphon_line, run_folder, many_notes, how, tmp_path, monkeypatch):
    pytest.importorskip("swift_f0")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    page = tmp_path / "new" / "tiny.html"
    said = antiphon_line("evaluate", run_folder, many_notes, "-o", page, *how)
    assert (said.status, said.out[-1]) == (0, str(page))
    for words in ("split 'valid'", "10 notes", "mel FAD", "NDB", "coverage", "±"):
        assert any(words in line for line in said.out), words
    assert any("fewer than the 576 numbers" in line for line in said.err)
    assert not list((tmp_path / "scratch").iterdir())  # where the folder was prepared

    figures = json.loads(page.with_suffix(".json").read_text())
    assert list(figures["rows"]) == ROWS
    assert (figures["split"], figures["notes"], figures["dimensions"]) == ("valid", 10, {"mel": 576})
    assert figures["prepared"]["name"] == "my notes.safetensors"
    for row in figures["rows"].values():
        assert {
            "mel",
            "prdc",
            "ndb",
            "nearest",
            "copies",
            "accuracy",
            "diversity",
            "mel_db",
            "spectral_db",
        } <= row.keys()
    assert figures["rows"]["untrained"]["mel"]["kernel"] > figures["rows"]["naive"]["mel"]["kernel"]
    assert figures["rows"]["imagined"]["margins"]["mel fad"] > 0

    html = page.read_text()
    assert "color-scheme: light dark" in html
    for name in ROWS:
        assert f"<tr><th>{name}</th>" in html
    heard = re.findall(r'<audio controls preload="none" src="data:audio/mpeg;base64,([^"]+)"', html)
    assert len(heard) == 2 * 4  # of two instruments: real, naive, imagined, encoded
    assert all(len(base64.b64decode(sound)) > 500 for sound in heard)
    assert html.count('<img src="data:image/png;base64,') == len(heard)
    assert not re.search(r'(src|href)="(?!data:)', html)  # it holds all it shows


def test_nothing_is_overwritten_and_ctrl_c_leaves_nothing(
    antiphon_line, run_folder, many_prepared, how, tmp_path, monkeypatch
):
    page = tmp_path / "page.html"
    page.with_suffix(".json").write_text("mine")
    said = antiphon_line("evaluate", run_folder, many_prepared, "-o", page, *how)
    assert said.status == 2
    assert "page.json exists" in said.err[-1]

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("antiphon.metrics.judge.Judge.fixed_sets", stop)
    said = antiphon_line("evaluate", run_folder, many_prepared, "-o", page, "--force", *how)
    assert said.status == 130
    assert [path.name for path in tmp_path.iterdir()] == ["page.json"]
    assert page.with_suffix(".json").read_text() == "mine"


def test_compare_a_voice_with_a_folder_of_sounds(antiphon_line, run_folder, many_notes, many_prepared, how, tmp_path):
    out = tmp_path / "both.html"
    said = antiphon_line("compare", run_folder, many_notes, "--data", many_prepared, "-o", out, "-n", 8, *how)
    assert (said.status, said.out[-1]) == (0, str(out))
    figures = json.loads(out.with_suffix(".json").read_text())
    name = run_folder.name
    ways = [f"{name}: {way}" for way in ("untrained", "imagined", "encoded")]
    assert list(figures["rows"]) == ["real", "floor", "naive", *ways, "my notes"]
    assert figures["voices"] == [name, "my notes"]
    assert figures["rows"]["my notes"]["notes"] == 8
    assert figures["rows"]["my notes"]["mel"]["fad"] < figures["rows"][ways[0]]["mel"]["fad"]
    assert f"{name}: imagined" in out.read_text()


def test_the_python_twins_take_any_voice_and_say_the_same_twice(many_prepared, tmp_path):
    class Reader:
        """Plays what it finds at the right pitch: nothing but `notes`."""

        def notes(self, notes):
            return [tone(note.pitch, 0.2, plucked=note.instrument == "harp") for note in notes]

    kept = {"embeddings": ["mel"], "threads": 1, "cache": tmp_path / "cache", "quiet": True}
    figures = antiphon.evaluate(Reader(), many_prepared, tmp_path / "a.html", **kept)
    assert list(figures["rows"]) == ["real", "floor", "naive", "imagined"]
    assert figures["rows"]["imagined"]["mel"]["fad"] < figures["rows"]["naive"]["mel"]["fad"]
    assert figures["rows"]["imagined"]["mel_db"] < 0.5 * figures["rows"]["floor"]["mel_db"]
    antiphon.evaluate(Reader(), Prepared(many_prepared).path, tmp_path / "b.html", **kept)
    for ending in ("html", "json"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--embeddings", "vggish"], "use one of aisfx, mel, musicnn"),
        (["--split", "preset"], "too few notes to judge by in its split 'preset'"),
        (["-n", 3], "use 8 or more"),
        (["-o", "page.txt"], "use a name that ends in .html"),
        (["--seed=-1"], "seed -1 is out of range"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(antiphon_line, run_folder, many_prepared, words, complaint):
    said = antiphon_line("evaluate", run_folder, many_prepared, *words)
    assert said.status == 2
    assert complaint in said.err[-1]
    assert not list(Path().glob("evaluation.*"))


def test_a_folder_of_too_few_hits_is_named_and_more_are_asked_for(antiphon_line, tmp_path):
    folder = tmp_path / "my hits"
    for i in range(12):
        write_audio(folder / f"{('kick', 'snare')[i % 2]}-{i}.wav", tone(48 + i, 0.3, plucked=True))
    said = antiphon_line("evaluate", "kit", folder, "-o", tmp_path / "page.html", "--embeddings", "mel")
    assert said.status == 2
    for words in (f"{folder} has too few hits", "add more hits of a name"):
        assert words in said.err[-1]
    assert "safetensors" not in said.err[-1]


def test_a_vocoder_is_judged_by_what_it_leaves_of_the_notes(antiphon_line, many_prepared, how, tmp_path):
    page = tmp_path / "vocoder.html"
    said = antiphon_line("evaluate", "vocoder", many_prepared, "-o", page, *how)
    assert (said.status, said.out[-1]) == (0, str(page))
    figures = json.loads(page.with_suffix(".json").read_text())
    rows = figures["rows"]
    assert list(rows) == ["real", "floor", "naive", "untrained", "vocoded", "Griffin-Lim", "heap integration"]
    assert rows["vocoded"]["mel_db"] < rows["untrained"]["mel_db"] < rows["naive"]["mel_db"]
    assert set(figures["labels"]) == {"violin", "harp"}
    assert page.read_text().count("<audio controls") == 2 * 3  # of two instruments: real, naive, vocoded
    both = antiphon_line("compare", "vocoder", "gm", "--data", many_prepared, "-o", tmp_path / "both.html", *how)
    assert both.status == 0
    assert "vocoder: vocoded" in (tmp_path / "both.html").read_text()


def test_info_tells_cost_recipe_and_paper(antiphon_line, run_folder):
    for voice, recipe, told in ((run_folder, "instrument", "playable"), ("vocoder", "vocoder", "Siuzdak 2023")):
        known = json.loads("\n".join(antiphon_line("info", voice, "--json").out))
        assert known["recipe"] == recipe
        assert told in known["method"]
        assert known["multiply_adds_a_second"] > 1e5
        assert "multiply-adds per second of sound" in "\n".join(antiphon_line("info", voice).out)


def test_voices_and_notes_that_are_not_there(antiphon_line, run_folder, many_prepared, prepared, tmp_path):
    for args, complaint in (
        (["no-voice", many_prepared], "no voice named 'no-voice'"),
        ([run_folder, tmp_path / "gone.safetensors"], "does not exist"),
        ([run_folder, prepared], "too few notes"),  # fourteen
    ):
        said = antiphon_line("evaluate", *args, "-o", tmp_path / "page.html", "--embeddings", "mel")
        assert said.status == 2
        assert complaint in said.err[-1]
