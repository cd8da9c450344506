"""Files appear complete or not at all, whatever writes them."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from antiphon.core.atomic import all_atomic
from antiphon.core.errors import AntiphonError
from antiphon.data.soundfont import render as soundfont
from antiphon.metrics.plots.png import write_png

PIXELS = np.zeros((4, 4, 3), np.uint8)
LONG = "x" * 251  # 255 bytes with an ending of four: as long as a name can be


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_names_as_long_as_names_can_be(tmp_path):
    write_png(tmp_path / f"{LONG}.png", PIXELS)
    soundfont._write_csv(tmp_path / f"{LONG}.csv", [])
    assert sorted(len(path.name) for path in tmp_path.iterdir()) == [255, 255]


def test_a_full_disk_leaves_the_old_picture(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")
    monkeypatch.setattr("antiphon.core.atomic._flush", full)
    with pytest.raises(AntiphonError, match="No space left"):
        write_png(tmp_path / "a.png", PIXELS)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_none_of_several_appears_before_all_are_written(tmp_path):
    places = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(ZeroDivisionError), all_atomic(places) as (first, _):
        first.write_text(str(1 / 0))
    assert list(tmp_path.iterdir()) == []
    with all_atomic(places) as drafts:
        for draft in drafts:
            draft.write_text("done")
        assert not any(place.exists() for place in places)
    assert sorted(tmp_path.iterdir()) == places


def test_names_whose_marks_are_the_same_do_not_mix(tmp_path):
    places = [tmp_path / "plumless", tmp_path / "buckeroo"]  # their CRC-32 is the same
    with all_atomic(places) as drafts:
        for draft, place in zip(drafts, places, strict=True):
            draft.write_text(place.name)
    assert [place.read_text() for place in places] == ["plumless", "buckeroo"]


def test_a_morphs_sound_and_picture_appear_together(antiphon_line, run_folder, tmp_path, monkeypatch):
    line = ["morph", run_folder, "--from", "violin", "--to", "harp", "-o", tmp_path / "m.wav", "--picture"]
    line += ["--steps", "2", "--seconds", "0.1"]
    with monkeypatch.context() as broken:
        broken.setattr("antiphon.verbs.morph.spectrogram_strip", full)
        said = antiphon_line(*line)
        assert said.status == 2
        assert "No space left" in said.err[-1]
        assert list(tmp_path.iterdir()) == []
    assert antiphon_line(*line).status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.png", "m.wav"]
