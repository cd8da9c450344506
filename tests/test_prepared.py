"""The prepared file: written from a folder, read back, and refused when anything in it is wrong."""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from antiphon.audio.files import write_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.data.analysis import descriptors as analysis
from antiphon.data.prepare import Measured, measure, prepare
from antiphon.data.prepared import KEY, LAYOUT, Labels, Prepared

RATE = SAMPLE_RATE


def note(pitch: float, velocity: int, seconds: float, kind: str) -> np.ndarray:
    """50 ms of silence, then a plucked or a held tone with a release of 0.1 s."""
    t = np.arange(int((seconds + 0.4) * RATE)) / RATE
    hz = midi_to_hz(pitch)
    audio = sum(np.sin(2 * np.pi * k * hz * t + k) / k**2 for k in range(1, 8) if k * hz < 18000)
    audio *= np.exp(-3 * t) if kind == "pluck" else np.minimum(t / 0.05, 1)
    audio *= np.exp(-np.maximum(t - seconds, 0) / 0.02) * (velocity / 127) ** 2 * 0.3
    return np.concatenate([np.zeros(RATE // 20), audio]).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two instruments of two presets, 16 notes with a sidecar, one silent and one mislabelled."""
    root = tmp_path_factory.mktemp("notes")
    rows = []
    for kind, preset, gain in (("pluck", "pluck a", 1.0), ("hold", "hold a", 0.1), ("hold", "hold b", 0.5)):
        for pitch in (55, 62):
            for velocity in (40, 110):
                name = f"{preset} {pitch} {velocity}.wav"
                write_audio(root / name, gain * note(pitch + 0.08, velocity, 0.5, kind))
                style = "struck" if kind == "pluck" else "bowed;slow"
                rows.append((name, pitch, kind, preset, style, velocity, 0.55, ""))
    write_audio(root / "silent.wav", np.zeros(RATE, np.float32))
    write_audio(root / "faint.wav", 4e-3 * note(57, 80, 0.5, "hold"))
    rows.append(("faint.wav", 57, "pluck", "pluck a", "", 20, 0.55, ""))
    write_audio(root / "wrong.wav", note(55, 100, 0.5, "hold"))
    rows.append(("silent.wav", 60, "hold", "hold a", "", 90, 0.5, ""))
    rows.append(("wrong.wav", 61, "hold", "hold a", "", 90, 0.5, ""))
    with open(root / "notes.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "pitch", "instrument", "preset", "style", "velocity", "seconds", "split"))
        writer.writerows(rows)
    return root


@pytest.fixture(scope="module")
def prepared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prepared") / "set.safetensors"
    calls: list[tuple[int, int]] = []
    report = prepare(folder, path, progress=lambda *call: calls.append(call), licence="CC0", sources=["here"])
    assert report.notes == 12
    assert calls[-1] == (15, 15)
    assert {refused.path.name: refused.reason.split(",")[0] for refused in report.refused} == {
        "silent.wav": "silent",
        "faint.wav": "too faint compared with the rest of its preset",
        "wrong.wav": "nothing sounds near its pitch",
    }
    return path


def test_reads_what_was_written(prepared: Path) -> None:
    data = Prepared(prepared)
    assert len(data) == 12
    assert data.labels.instruments == ("hold", "pluck")
    assert [p["name"] for p in data.labels.presets] == ["hold a", "hold b", "pluck a"]
    assert data.labels.styles == ("bowed", "slow", "struck")
    assert data.labels.splits == ("train", "valid", "block", "preset")
    assert data.labels.descriptors == analysis.DESCRIPTORS
    assert data.labels.extra == {"licence": "CC0", "sources": ["here"]}
    assert sorted(data.pitch.tolist()) == [55.0] * 6 + [62.0] * 6
    assert sorted(set(data.velocity.tolist())) == [40.0, 110.0]
    assert (data.tuning - 8).abs().max() < 0.5
    assert data.ratios.shape == (12, 64)
    assert (data.ratios[:, :5] - torch.arange(1, 6)).abs().max() < 0.01
    assert len(data.where("train")) == 12
    assert len(data.where("block")) == len(data.where("no such")) == 0
    for i in range(12):
        expected = [0, 0, 1] if data.instrument[i] == 1 else [1, 1, 0]
        assert data.style[i].tolist() == expected


def test_notes_begin_at_their_onset_and_keep_their_hold(prepared: Path) -> None:
    data = Prepared(prepared)
    for i in range(len(data)):
        audio = data.audio(i)
        assert np.abs(audio[: RATE // 50]).max() > 0.003 * np.abs(audio).max()
        assert abs(int(data.hold[i]) - RATE // 2) < 0.025 * RATE  # 0.55 s after the file's begin, 0.5 after the onset


def test_gain_is_one_per_preset(prepared: Path) -> None:
    data = Prepared(prepared)
    for preset in range(3):
        mine = torch.nonzero(data.preset == preset).flatten().tolist()
        loud = {float(data.velocity[i]): float(data.loudness[i]) for i in mine}
        assert abs(loud[110.0] - loud[40.0] - 40 * np.log10(110 / 40)) < 1  # velocity keeps its loudness
        assert -21 < max(loud.values()) < -19
        for i in mine:
            assert abs(analysis.loudness(data.audio(i)) - float(data.loudness[i])) < 0.1
            assert np.abs(data.audio(i)).max() < 1


def test_extra_notes_have_no_say_in_the_gain(prepared: Path, folder: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    shutil.copytree(folder, more)
    write_audio(more / "extra.wav", 0.05 * note(58, 110, 0.5, "hold"))
    with open(more / "notes.csv", "a", newline="") as file:
        file.write("extra.wav,58,hold,hold b,bowed,90,0.55,extra\n")
    prepare(more, tmp_path / "more.safetensors")
    plain, data = Prepared(prepared), Prepared(tmp_path / "more.safetensors")
    assert data.labels.presets == plain.labels.presets  # gains included
    assert len(data.where("extra")) == 1
    torch.testing.assert_close(data.loudness[data.where("train")], plain.loudness, rtol=0, atol=0)


def test_excerpts_of_audio_and_f0(prepared: Path) -> None:
    data = Prepared(prepared)
    whole = data.audio(3)
    assert whole.dtype == np.float32
    assert len(whole) == data.samples(3)
    np.testing.assert_array_equal(data.audio(3, 100, 300), whole[100:300])
    beyond = data.audio(3, len(whole) - 10, len(whole) + 50)
    assert len(beyond) == 60
    assert not beyond[10:].any()
    assert not data.audio(3, len(whole) + 10, len(whole) + 20).any()
    with pytest.raises(IndexError):
        data.audio(3, -1, 5)
    track = data.f0_cents(3)
    assert len(track) == len(whole) // 512 + 1
    np.testing.assert_array_equal(data.f0_cents(3, len(track) - 1, len(track) + 2), track[[-1, -1, -1]])


def test_a_held_out_split_takes_the_place_of_the_training_split(prepared: Path) -> None:
    data = Prepared(prepared)
    data.split[:3] = data.labels.splits.index("block")
    other = data.training_on("block")
    assert other.where("train").tolist() == data.where("block").tolist() == [0, 1, 2]
    assert other.where("block").tolist() == data.where("train").tolist()
    np.testing.assert_array_equal(other.audio(1), data.audio(1))


def test_how_much_there_is_to_train_on_is_said_in_words(prepared: Path) -> None:
    data = Prepared(prepared)
    seconds = sum(data.samples(i) for i in range(12)) / SAMPLE_RATE
    assert data.extent == f"{seconds:.0f} seconds"
    data.split[:] = 1
    assert data.extent == "0 seconds"


def test_pickles_as_a_path(prepared: Path) -> None:
    data = Prepared(prepared)
    copy = pickle.dumps(data)
    assert len(copy) < 500
    np.testing.assert_array_equal(pickle.loads(copy).audio(0), data.audio(0))


def test_few_sounds_start_no_other_process(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("antiphon.data.prepare.started_pool", None)
    prepare(folder, tmp_path / "p.safetensors", workers=2)
    assert (tmp_path / "p.safetensors").is_file()


def test_two_workers_make_the_same_file(folder: Path, prepared: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("antiphon.data.prepare.MANY", 2)
    prepare(folder, tmp_path / "again.safetensors", workers=2, licence="CC0", sources=["here"])
    assert (tmp_path / "again.safetensors").read_bytes() == prepared.read_bytes()
    assert list(tmp_path.iterdir()) == [tmp_path / "again.safetensors"]  # nothing temporary is left


def test_two_workers_leave_the_callers_threads_alone(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("antiphon.data.prepare.MANY", 2)
    before = dict(os.environ)
    met = []
    prepare(folder, tmp_path / "p.safetensors", workers=2, progress=lambda *_: met.append(dict(os.environ)))
    assert met[0]["OMP_NUM_THREADS"] == "1"
    assert met[0]["MKL_NUM_THREADS"] == "3"
    assert dict(os.environ) == before


def test_safetensors_itself_reads_it(prepared: Path) -> None:
    from safetensors import safe_open

    with safe_open(prepared, "pt") as file:
        assert set(file.keys()) == set(LAYOUT)
        assert file.get_tensor("audio").dtype == torch.int16
        assert KEY in file.metadata()


def test_existing_file_is_kept(folder: Path, prepared: Path) -> None:
    before = prepared.read_bytes()
    with pytest.raises(AntiphonError, match="--force"):
        prepare(folder, prepared)
    assert prepared.read_bytes() == before


def test_nothing_usable(tmp_path: Path) -> None:
    write_audio(tmp_path / "a" / "C4.wav", np.zeros(RATE, np.float32))
    with pytest.raises(AntiphonError, match="no usable notes"):
        prepare(tmp_path / "a", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros(0), "silent"),
        (np.zeros(9999), "silent"),
        (np.ones(1), "20 ms"),
        (note(55, 100, 0.5, "hold"), "near its pitch"),
    ],
)
def test_unusable_notes_say_why(audio: np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        measure(audio, 61)


def test_measure_without_a_hold_finds_the_release() -> None:
    held = measure(note(60, 100, 0.8, "hold"), 60)
    assert isinstance(held, Measured)
    assert abs(held.row["hold"] - 0.8 * RATE) < 0.05 * RATE
    assert measure(note(60, 100, 3.0, "pluck"), 60).row["hold"] == -1


# --- files that lie


def rewrite(path: Path, target: Path, change) -> Path:
    """A copy of a prepared file whose header, labels and bytes have gone through change(header, labels, body)."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header, body = json.loads(raw[8 : 8 + length]), bytearray(raw[8 + length :])
    labels = json.loads(header["__metadata__"][KEY])
    change(header, labels, body)
    if KEY in header.get("__metadata__", {}):
        header["__metadata__"][KEY] = json.dumps(labels)
    head = json.dumps(header).encode()
    target.write_bytes(len(head).to_bytes(8, "little") + head + bytes(body))
    return target


def poke(name: str, value: np.ndarray, at: int = 0):
    def change(header, labels, body) -> None:
        begin = header[name]["data_offsets"][0] + at * value.itemsize
        body[begin : begin + value.nbytes] = value.tobytes()

    return change


LIES = {
    "no metadata": lambda h, lab, b: h.pop("__metadata__"),
    "metadata is a list": lambda h, lab, b: h.update({"__metadata__": []}),
    "another version": lambda h, lab, b: lab.update(version=99),
    "no styles": lambda h, lab, b: lab.pop("styles"),
    "styles are numbers": lambda h, lab, b: lab.update(styles=[1, 2, 3]),
    "an instrument twice": lambda h, lab, b: lab.update(instruments=["hold", "hold"]),
    "too few instruments": lambda h, lab, b: lab.update(instruments=["hold"]),
    "unknown preset instrument": lambda h, lab, b: lab["presets"][0].update(instrument="tuba"),
    "presets of another instrument": lambda h, lab, b: lab["presets"][0].update(instrument="pluck"),
    "presets are names": lambda h, lab, b: lab.update(presets=["a"]),
    "a missing table": lambda h, lab, b: h.pop("tuning"),
    "a wrong dtype": lambda h, lab, b: h["tuning"].update(dtype="I32"),
    "a wrong shape": lambda h, lab, b: h["ratios"].update(shape=[24, 32]),
    "a negative shape": lambda h, lab, b: h["ratios"].update(shape=[-12, -64]),
    "a huge shape": lambda h, lab, b: h["ratios"].update(shape=[2**62, 64]),
    "offsets beyond the end": lambda h, lab, b: h["audio"].update(data_offsets=[0, 10**12]),
    "offsets that are text": lambda h, lab, b: h["audio"].update(data_offsets="0, 1"),
    "a truncated body": lambda h, lab, b: b.__delitem__(slice(len(b) // 2, None)),
    "notes out of order": poke("start", np.array([10**9]), 1),
    "frames that do not fit": poke("frame_start", np.array([1]), 1),
    "a preset that does not exist": poke("preset", np.array([77])),
    "a negative split": poke("split", np.array([-1])),
    "NaN": poke("pitch", np.array([np.nan], np.float32)),
    "a hold after the end": poke("hold", np.array([10**9])),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_found(lie: str, prepared: Path, tmp_path: Path) -> None:
    path = rewrite(prepared, tmp_path / "lie.safetensors", LIES[lie])
    with pytest.raises(AntiphonError, match="prepare the folder again") as error:
        Prepared(path)
    assert "\n" not in str(error.value)


def test_honest_rewrite_is_accepted(prepared: Path, tmp_path: Path) -> None:
    assert len(Prepared(rewrite(prepared, tmp_path / "same.safetensors", lambda h, lab, b: None))) == 12


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"\x80\x04\x95" + bytes(100), b"\xff" * 64, (4).to_bytes(8, "little") + b"[1,]"]
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(AntiphonError):
        Prepared(path)
    with pytest.raises(AntiphonError, match="does not exist"):
        Prepared(tmp_path / "missing.safetensors")


def test_labels_know_their_presets() -> None:
    labels = Labels(("a", "b"), ({"name": "x", "instrument": "b"}, {"name": "y", "instrument": "a"}), (), (), (), {})
    assert labels.preset_instrument == (1, 0)
