"""A folder of sounds to labelled notes."""

import csv
import json

import numpy as np
import pytest
from rich.console import Console

from antiphon.audio.files import write_audio
from antiphon.core import parallel
from antiphon.core.errors import AntiphonError
from antiphon.data.labelling import manifest as manifests
from antiphon.data.labelling.inspect import summary
from antiphon.data.labelling.manifest import scan
from antiphon.data.labelling.row import note_name

NAMES = ["C", "Cs", "D", "Ds", "E", "F", "Fs", "G", "Gs", "A", "As", "B"]


def note(path, pitch, seconds=0.6):
    """A harmonic tone that a pitch tracker follows."""
    t = np.arange(round(seconds * 44100)) / 44100
    f = 440 * 2 ** ((pitch - 69) / 12)
    audio = sum(np.sin(2 * np.pi * f * k * t) / k for k in range(1, 9)) * np.minimum(1, 50 * t) * 0.3
    write_audio(path, audio.astype(np.float32))


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Two instruments in folders, 30 and 8 notes, named in scientific pitch."""
    root = tmp_path_factory.mktemp("named")
    for i, pitch in enumerate(range(50, 80)):
        note(root / "violin" / f"violin_{NAMES[pitch % 12]}{pitch // 12 - 1}_{i % 3}_forte.wav", pitch, 0.2)
    for pitch in range(60, 68):
        note(root / "Flute" / "mellow" / f"{pitch}.wav", pitch, 0.2)
    return root


@pytest.mark.parametrize("check", [False, True])
def test_many_files_are_examined_by_all_processors_to_the_same_end(named, monkeypatch, check):
    pytest.importorskip("swift_f0")
    (named / "violin" / "violin_A9_0_forte.wav").write_bytes(b"RIFF")
    monkeypatch.setattr(manifests, "LOT", 12)
    found, told = {}, {}
    for many in (1, 1000):
        monkeypatch.setattr(manifests, "MANY", many)
        monkeypatch.setattr(parallel, "processors", lambda count=3 - (many > 1): count)
        progress = told[many] = []
        found[many] = scan(named, check=check, progress=lambda *state, progress=progress: progress.append(state))
    (named / "violin" / "violin_A9_0_forte.wav").unlink()
    assert found[1] == found[1000]
    assert len(found[1].refused) == 1
    assert told[1] == [(8, 39), (20, 39), (32, 39), (39, 39)]
    assert told[1000] == [(i, 39) for i in range(1, 40)]


def test_folders_and_names(named):
    manifest = scan(named, track=False)
    assert len(manifest.rows) == 38
    assert not manifest.refused
    violins = [row for row in manifest.rows if row.instrument == "violin"]
    assert sorted(row.pitch for row in violins) == list(range(50, 80))
    assert {row.velocity for row in violins} == {94}
    flutes = [row for row in manifest.rows if row.instrument == "flute"]
    assert sorted(row.pitch for row in flutes) == list(range(60, 68))
    assert {row.style for row in flutes} == {("mellow",)}
    assert {row.split for row in flutes} == {"train"}  # too few to hold any out


def test_splits_follow_the_seed_and_nothing_else(named):
    splits = [row.split for row in scan(named, track=False).rows]
    assert splits == [row.split for row in scan(named, track=False).rows]
    assert any(splits != [row.split for row in scan(named, track=False, seed=s).rows] for s in range(1, 6))


def write_table(root, rows, name="notes.csv"):
    with (root / name).open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_a_table_comes_first(tmp_path):
    for name in ("a_C4.wav", "b.wav", "c.wav", "d.wav", "extra.wav"):
        note(tmp_path / name, 69)
    write_table(
        tmp_path,
        [
            ["path", "pitch", "instrument", "preset", "style", "velocity", "seconds", "split"],
            ["a_C4.wav", "A4", "Oboe", "mine", "bright;solo", "101", "0.5", "block"],
            ["b.wav", "69.5", "", "", "", "", "", ""],
            ["c.wav", "999", "", "", "", "", "", ""],
            ["d.wav", "60", "", "", "", "200", "", ""],
            ["missing.wav", "60", "", "", "", "", "", ""],
        ],
    )
    manifest = scan(tmp_path, track=False)
    first, second = manifest.rows
    assert (first.pitch, first.instrument, first.preset, first.velocity) == (69, "oboe", "mine", 101)
    assert (first.style, first.hold_seconds, first.split, first.source) == (("bright", "solo"), 0.5, "block", "sidecar")
    assert (second.pitch, second.split) == (69.5, "train")
    assert {refused.path.name for refused in manifest.refused} == {"c.wav", "d.wav", "missing.wav"}
    assert any("no table lists them: 1" in remark for remark in manifest.remarks)


def test_only_path_is_needed(tmp_path):
    note(tmp_path / "oboe_C4_ff.wav", 60)
    write_table(tmp_path, [["Path"], ["oboe_C4_ff.wav"]], name="anything.csv")
    (row,) = scan(tmp_path, track=False).rows
    assert (row.pitch, row.velocity, row.instrument) == (60, 110, "oboe")


def test_nsynth(tmp_path):
    name = "bass_synthetic_033-050-075"
    note(tmp_path / "audio" / f"{name}.wav", 50)
    entry = {
        "pitch": 50, "velocity": 75, "instrument_str": "bass_synthetic_033", "instrument_family_str": "bass",
        "instrument_source_str": "synthetic", "qualities_str": ["dark", "percussive"],
    }  # fmt: skip
    (tmp_path / "examples.json").write_text(json.dumps({name: entry, "lost_acoustic_001-060-100": entry}))
    manifest = scan(tmp_path, track=False)
    (row,) = manifest.rows
    assert (row.pitch, row.instrument, row.preset, row.style) == (50, "bass", "bass_synthetic_033", ("synth", "mellow"))
    assert len(manifest.refused) == 1


def test_broken_tables_and_folders(tmp_path):
    with pytest.raises(AntiphonError, match="is not a folder"):
        scan(tmp_path / "nowhere")
    with pytest.raises(AntiphonError, match="no sound files"):
        scan(tmp_path)
    (tmp_path / "notes.csv").write_text("file,pitch\na.wav,60\n")
    with pytest.raises(AntiphonError, match="column 'path'"):
        scan(tmp_path)
    (tmp_path / "notes.csv").unlink()
    (tmp_path / "examples.json").write_text("{")
    with pytest.raises(AntiphonError, match="cannot read"):
        scan(tmp_path)


def test_what_is_refused_and_why(tmp_path):
    note(tmp_path / "C4.wav", 60)
    note(tmp_path / "scale_C4B4.wav", 60)
    note(tmp_path / "unknown.wav", 60)
    (tmp_path / "text_C4.wav").write_text("hello")
    (tmp_path / "empty_C4.wav").write_bytes(b"")
    write_audio(tmp_path / "one_C4.wav", np.array([0.5]))
    write_audio(tmp_path / "silent_C4.wav", np.zeros(20000))
    manifest = scan(tmp_path, track=False, check=True)
    assert [row.path.name for row in manifest.rows] == ["C4.wav"]
    reasons = {refused.path.name: refused.reason for refused in manifest.refused}
    assert "several" in reasons["scale_C4B4.wav"]
    assert "unknown" in reasons["unknown.wav"]
    assert "silent" in reasons["silent_C4.wav"]
    assert len(reasons) == 6
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(summary(manifest))
    text = console.export_text()
    assert "1 note of 1 instrument" in text
    assert all(name in text for name in reasons)


def test_the_tracker_listens(tmp_path):
    pytest.importorskip("swift_f0")
    pytest.importorskip("onnxruntime")
    for pitch in range(55, 75, 2):  # middle C is C3 here, an octave below ours
        note(tmp_path / f"cello_{NAMES[pitch % 12]}{pitch // 12 - 2}.wav", pitch)
    note(tmp_path / "cello_C3_wrong.wav", 66)
    note(tmp_path / "cello.wav", 62)
    manifest = scan(tmp_path)
    pitches = {row.path.name: row.pitch for row in manifest.rows}
    assert pitches["cello_Cs3.wav"] == 61
    assert pitches["cello.wav"] == pytest.approx(62, abs=0.1)
    assert any("octave too low" in remark for remark in manifest.remarks)
    assert not manifest.refused
    assert pitches["cello_C3_wrong.wav"] == 66  # wrong by whole semitones: as it is heard
    assert any("it sounds like F#4, which is used, not C4" in remark for remark in manifest.remarks)


def test_note_names():
    assert [note_name(p) for p in (60, 69.2, 0)] == ["C4", "A4 +20 cents", "C-1"]
