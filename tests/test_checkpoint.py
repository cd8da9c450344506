"""Weights files are untrusted: whatever they contain, they play or are refused in one line, and no code runs."""

from __future__ import annotations

import contextlib
import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.voices.checkpoint import KEY, read_metadata, read_tensors, save_voice, write_tensors


@pytest.fixture
def weights(run_folder: Path) -> Path:
    return run_folder / "weights.safetensors"


def refused(path: Path) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(AntiphonError) as error:
        antiphon.load(path)
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def forged(weights: Path, to: Path, change) -> Path:
    """A copy whose metadata or tensors were changed by change(meta, tensors)."""
    tensors, meta = read_tensors(weights)
    change(meta, tensors)
    save_file({k: v.contiguous() for k, v in tensors.items()}, to, {KEY: json.dumps(meta)})
    return to


def test_saved_and_loaded_it_sounds_the_same(voice, tmp_path: Path):
    save_voice(tmp_path / "again.safetensors", voice.model, voice.info)
    again = antiphon.load(tmp_path / "again.safetensors")
    assert again.info == voice.info
    assert again.instruments == voice.instruments
    how = {"instrument": "harp", "seconds": 0.2, "seed": 3}
    np.testing.assert_array_equal(again.note(60, **how), voice.note(60, **how))


def test_weights_are_halves_and_the_metadata_is_json(weights: Path):
    tensors, meta = read_tensors(weights)
    assert {v.dtype for v in tensors.values()} == {torch.float16}
    assert meta == read_metadata(weights)
    assert meta["labels"]["instruments"] == ["harp", "violin"]


class Bomb:
    def __reduce__(self):
        return (Path("/nonexistent/exploded").touch, ())


@pytest.mark.parametrize("name", ["bomb.safetensors", "bomb.pt", "bomb"])
def test_a_pickle_is_refused_and_not_opened(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    assert "not an Antiphon weights file" in refused(tmp_path / name)
    torch.save({"model": torch.zeros(3)}, tmp_path / name)
    refused(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 8, b"\xff" * 4096, b"{}", b"RIFF" * 100])
def test_no_safetensors_at_all(tmp_path: Path, content: bytes):
    (tmp_path / "v.safetensors").write_bytes(content)
    refused(tmp_path / "v.safetensors")


def test_truncated_anywhere(weights: Path, tmp_path: Path):
    whole, part = weights.read_bytes(), tmp_path / "part.safetensors"
    for length in [1, 7, 8, 9, 100, 1000, len(whole) // 2, len(whole) - 1]:
        part.write_bytes(whole[:length])
        refused(part)


def test_bytes_changed_anywhere_are_refused_or_play(weights: Path, tmp_path: Path):
    whole, rng = weights.read_bytes(), random.Random(5)
    header = int.from_bytes(whole[:8], "little")
    for trial in range(40):
        bad = bytearray(whole)
        for _ in range(rng.choice([1, 4, 64])):
            bad[rng.randrange(8 + header if trial % 2 else len(bad))] = rng.randrange(256)
        (tmp_path / "bad.safetensors").write_bytes(bad)
        with contextlib.suppress(AntiphonError):  # and nothing else
            antiphon.load(tmp_path / "bad.safetensors")


def _config(name, value):
    return lambda meta, tensors: meta["config"].__setitem__(name, value)


def _info(name, value):
    return lambda meta, tensors: meta["info"].__setitem__(name, value)


def _tensor(change):
    def apply(meta, tensors):
        name = max(tensors, key=lambda k: tensors[k].numel())
        tensors[name] = change(tensors[name])

    return apply


LIES = {
    "another format": lambda m, t: m.__setitem__("format", 99),
    "another kind": lambda m, t: m.__setitem__("kind", "drums"),
    "no config": lambda m, t: m.pop("config"),
    "config is a list": lambda m, t: m.__setitem__("config", [1, 2]),
    "an unknown field": _config("surprise", 1),
    "a field less": lambda m, t: m["config"].pop("width"),
    "another width": _config("width", 128),
    "a width of 0": _config("width", 0),
    "a negative width": _config("width", -64),
    "an enormous width": _config("width", 10**12),
    "a width of words": _config("width", "__import__('os')"),
    "a width of 64.0": _config("width", 64.0),
    "true blocks": _config("blocks", True),
    "no labels": lambda m, t: m.pop("labels"),
    "a label more": lambda m, t: m["labels"]["instruments"].append("tuba"),
    "no instruments": lambda m, t: m["labels"].__setitem__("instruments", []),
    "labels twice": lambda m, t: m["labels"].__setitem__("instruments", ["harp", "harp"]),
    "labels are numbers": lambda m, t: m["labels"].__setitem__("instruments", [1, 2]),
    "labels are text": lambda m, t: m["labels"].__setitem__("instruments", "ab"),
    "an endless label": lambda m, t: m["labels"]["instruments"].__setitem__(0, "x" * 10_000),
    "another style": lambda m, t: m["labels"]["styles"].append("new"),
    "info is text": lambda m, t: m.__setitem__("info", "hello"),
    "styles met 0 times": _info("styles_of", {"harp": [[["plucked"], 0]]}),
    "styles met inf times": _info("styles_of", {"harp": [[["plucked"], float("inf")]]}),
    "styles met wrongly": _info("styles_of", {"harp": [3]}),
    "a range of NaN": _info("range_of", {"harp": [float("nan"), 3]}),
    "a range upside down": _info("range_of", {"harp": [80, 20]}),
    "a range too short": _info("range_of", {"harp": [80]}),
    "training is a list": _info("training", [1]),
    "takes are text": _info("takes", "12"),
    "takes of no key": _info("takes", {"low": [1]}),
    "a take below 0": _info("takes", {"57.0": [3, -1]}),
    "a take that is true": _info("takes", {"57.0": [True]}),
    "takes are one": _info("takes", {"57.0": 3}),
    "a tensor less": lambda m, t: t.pop(next(iter(t))),
    "a tensor more": lambda m, t: t.__setitem__("extra", torch.zeros(3)),
    "a tensor of another shape": _tensor(lambda v: v.flatten()),
    "integers": _tensor(lambda v: v.long()),
    "NaN": _tensor(lambda v: v * float("nan")),
    "infinities": _tensor(lambda v: v + float("inf")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(weights: Path, tmp_path: Path, lie: str):
    refused(forged(weights, tmp_path / "lie.safetensors", LIES[lie]))


@pytest.mark.parametrize("meta", ["", "[]", "3", "null", "{", '{"format": 1}', "[" * 100_000])
def test_metadata_that_is_no_table(weights: Path, tmp_path: Path, meta: str):
    tensors, _ = read_tensors(weights)
    save_file(tensors, tmp_path / "v.safetensors", {KEY: meta})
    refused(tmp_path / "v.safetensors")
    save_file(tensors, tmp_path / "v.safetensors")
    refused(tmp_path / "v.safetensors")


def test_a_prepared_file_and_a_state_are_no_voices(prepared: Path, run_folder: Path):
    refused(prepared)
    refused(run_folder / "state.safetensors")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "w.safetensors"
    write_tensors(path, {"a": torch.ones(2)}, {"n": 1})
    before = path.read_bytes()
    monkeypatch.setattr(
        "antiphon.voices.checkpoint.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(AntiphonError, match="No space left"):
        write_tensors(path, {"a": torch.zeros(2)}, {"n": 2})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_place_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(AntiphonError, match="cannot write"):
        write_tensors(tmp_path / "file" / "w.safetensors", {"a": torch.ones(2)}, {})
