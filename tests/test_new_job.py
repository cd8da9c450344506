"""A new job is a few files: tests/new_job is laid out as antiphon/ is, and holds one that learns piano rolls. Nothing
there is a sound, and yet it trains, is looked at, goes on after a stop and is refused as any other run is."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import mido
import numpy as np
import pytest
import torch

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.recipes.lookup import recipe
from antiphon.verbs.train import from_prepared
from antiphon.voices.checkpoint import read_tensors

NEW_JOB = Path(__file__).with_name("new_job")
PLACES = ("data", "networks", "voices", "recipes", "training.batches", "training.games")
STEPS = 12


@pytest.fixture(autouse=True)
def new_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's files, beside the package's own. Whoever takes them for sounds fails."""
    for place in PLACES:
        package = import_module(f"antiphon.{place}")
        beside = str(NEW_JOB.joinpath(*place.split(".")))
        monkeypatch.setattr(package, "__path__", [*package.__path__, beside])
        monkeypatch.delitem(sys.modules, f"antiphon.{place}.rolls", raising=False)

    def fail(*_: object) -> None:
        raise AssertionError("these are no sounds")

    monkeypatch.setattr(Prepared, "__init__", fail)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A folder of 32 bars, each a scale from some key on, and a file that is none."""
    folder = tmp_path / "bars"
    folder.mkdir()
    for i in range(32):
        roll = np.zeros((12, 16), int)
        roll[(np.arange(16) * (1 + i % 3) + i) % 12, np.arange(16)] = 1
        np.savetxt(folder / f"{i:02d}.csv", roll, "%d", ",")
    (folder / "note.csv").write_text("1,2\n")
    return folder


def train(source: Path, out: Path, **how) -> Path:
    options = {"recipe": "rolls", "size": "tiny", "threads": 1, "quiet": True, "steps": STEPS, "licence": "CC0"}
    return antiphon.train(source, out, settings={"health": 2, "batch": 4}, **(options | how))


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_it_trains_is_looked_at_and_composes(bars, tmp_path):
    train(bars, tmp_path / "run", steps=40)
    voice = antiphon.load(tmp_path / "run")
    assert voice.compose(3).shape == (12, 16)
    assert (voice.compose(3) == voice.compose(3)).all()
    assert voice.info.training["bars"] == 24
    assert (voice.info.licence, voice.info.sources) == ("CC0", ("bars",))
    seen = next(row for row in rows(tmp_path / "run")[::-1] if "health.real" in row)
    assert {"health.held_out", "health.spread", "health.distance", "health.copies"} <= seen.keys()
    assert not {"health.loudness", "health.offset"} & seen.keys()  # there is nothing to hear


def test_what_it_shows_on_the_way_is_what_it_says(bars, tmp_path):
    train(bars, tmp_path / "run", steps=20)  # two lines of the log, which make a curve
    assert (tmp_path / "run" / "sheets" / "step-000020.png").exists()
    song = mido.MidiFile(tmp_path / "run" / "sounds" / "step-000020.mid")
    assert sum(message.time for message in song.tracks[0]) == 4 * 16 * 120
    page = (tmp_path / "run" / "page.html").read_text()
    assert "data:image/png;base64," in page
    assert 'href="sounds/step-000020.mid"' in page
    assert "<audio" not in page
    assert "Loudness" not in page
    assert "Variety" in page


def test_stopped_and_gone_on_with_it_comes_to_the_same_bytes(bars, tmp_path, stop_at):
    whole = train(bars, tmp_path / "whole")
    stop_at(5, 6)
    for step in (5, 6):
        with pytest.raises(KeyboardInterrupt, match=f"saved at step {step}; the same command again resumes"):
            train(bars, tmp_path / "run")
    assert train(bars, tmp_path / "run").read_bytes() == whole.read_bytes()
    (state, meta), (other, expected) = (read_tensors(tmp_path / n / "state.safetensors") for n in ("run", "whole"))
    assert all(torch.equal(state[name], other[name]) for name in other)
    assert meta["watch"] == expected["watch"]
    assert len(meta["watch"]["health"]["findings"]) == STEPS // 2


def test_health_speaks_of_its_own_data(bars, tmp_path, monkeypatch):
    """The critic is held back by R1, which reaches this game's penalty too."""
    monkeypatch.setattr("antiphon.training.health.interventions.SURE", -1.0)  # any critic is too sure
    train(bars, tmp_path / "run")
    assert any("holding it back" in row.get("said", "") for row in rows(tmp_path / "run"))
    made = recipe("rolls")
    made.prepare(bars, tmp_path / "p.safetensors", _Silent())
    data = made.open(tmp_path / "p.safetensors")
    assert data.extent == "24 bars"
    assert torch.equal(data.training_on("valid").where("train"), data.where("valid"))


def test_other_bars_are_another_run_and_none_are_no_run(bars, tmp_path):
    train(bars, tmp_path / "run", steps=1)
    (bars / "read me.txt").write_text("changes nothing")
    train(bars, tmp_path / "run", steps=1)
    (bars / "00.csv").unlink()
    with pytest.raises(AntiphonError, match="was begun on other"):
        train(bars, tmp_path / "run", steps=1)
    for path in bars.glob("[0-9]*.csv"):
        path.unlink()
    with pytest.raises(AntiphonError, match="holds no bars"):
        train(bars, tmp_path / "none", steps=1)
    assert not (tmp_path / "none").exists()


def test_the_ladder_takes_what_it_opens(bars, tmp_path):
    """A prepared file, and a data set that is open already."""
    made = recipe("rolls", "tiny")
    made.prepare(bars, tmp_path / "bars.safetensors", _Silent())
    weights = train(tmp_path / "bars.safetensors", tmp_path / "run", steps=3)
    assert antiphon.load(weights).info.name == "bars"
    weights = from_prepared(made.open(tmp_path / "bars.safetensors"), tmp_path / "other", made, steps=3)
    again = from_prepared(made.open(tmp_path / "bars.safetensors"), tmp_path / "again", made, steps=3)
    assert weights.read_bytes() == again.read_bytes()
    with pytest.raises(AntiphonError, match="holds no piano rolls"):
        made.open(weights)


def test_it_begins_from_a_voice_of_its_own_kind(bars, tmp_path):
    first = train(bars, tmp_path / "first", steps=3)
    train(bars, tmp_path / "second", steps=1, size=None, start_from=first)
    assert antiphon.load(tmp_path / "second").info.training["start_from"] == str(first)
    with pytest.raises(AntiphonError, match="does not compose"):
        train(bars, tmp_path / "third", steps=1, size=None, start_from="gm")


class _Silent:
    """A report to nobody."""

    def say(self, text: str) -> None: ...
