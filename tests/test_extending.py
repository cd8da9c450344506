"""The examples of docs/extending.md, placed and trained as it says."""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tone
from safetensors.torch import save_file
from voice_checks import check_voice

import antiphon
from antiphon.audio.files import read_audio, write_audio
from antiphon.core.errors import AntiphonError
from antiphon.networks.discriminators.usual import UsualDiscriminator
from antiphon.training.health import interventions as answers
from antiphon.training.health.findings import beliefs
from antiphon.training.losses.adversarial import rules
from antiphon.voices.checkpoint import KEY, read_tensors
from antiphon.voices.image_model import ImageConfig, ViewConfig
from antiphon.voices.views import representation

DOC = Path(__file__).parents[1] / "docs" / "extending.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The document's files, in folders that the package looks into too. -> their lines of code"""
    blocks = re.findall(r"```python\n# antiphon/(\S+)/(\w+)\.py\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    lines: list[str] = []
    for folder, name, code in blocks:
        package = "antiphon." + folder.replace("/", ".")
        beside = tmp_path / folder
        beside.mkdir(parents=True, exist_ok=True)
        (beside / f"{name}.py").write_text(code)
        monkeypatch.setattr(import_module(package), "__path__", [*import_module(package).__path__, str(beside)])
        monkeypatch.delitem(sys.modules, f"{package}.{name}", raising=False)
        lines += [line for line in code.splitlines() if line.strip()]
    assert [name for _, name, _ in blocks] == ["cubes", "companded", "mine", "dense", "dense", "filter", "filter"]
    return lines


def test_it_is_thirty_lines(example):
    assert len(example[: example.index('RECIPES = {"mine": mine}') + 1]) <= 30


def test_its_representation_keeps_its_promise(example):
    audio = torch.rand(2, 512) * 2 - 1
    view = representation("companded")
    assert torch.allclose(view.decode(view.encode(audio), 512), audio, atol=1e-6)


def run_with_looks(prepared, folder, recipe, *steps, **settings):
    """Train, look at every step, and go on to each further number of steps. -> the run's voice"""
    for count in steps:
        how = {"recipe": recipe, "size": "tiny", "threads": 1, "quiet": True, "steps": count}
        antiphon.train(prepared, folder, settings={"batch": 4, "health": 1} | settings, **how)
    return antiphon.load(folder)


def test_its_recipe_trains_is_looked_at_goes_on_and_plays(example, prepared, tmp_path):
    voice = run_with_looks(prepared, tmp_path / "run", "mine", 3, 6)
    run_with_looks(prepared, tmp_path / "whole", "mine", 6)
    state, whole = (read_tensors(tmp_path / name / "state.safetensors") for name in ("run", "whole"))
    assert all(torch.equal(state[0][k], whole[0][k]) for k in whole[0])
    found = whole[1]["watch"]["health"]["findings"]
    assert state[1]["watch"]["health"]["findings"] == found
    assert len(found) == 6
    sound = voice.note(60, seed=1)
    assert len(sound) > 8_000
    assert sound.std() > 0


def test_its_rule_may_be_held_back(example, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "SURE", -1.0)  # any critic is too sure
    run_with_looks(prepared, tmp_path / "run", "mine", 2)
    assert read_tensors(tmp_path / "run" / "state.safetensors")[1]["watch"]["answers"]["dials"]["r1"] > 0


@pytest.mark.parametrize("name", ["cubes", "relativistic"])
def test_its_rule_is_one_of_all(example, name):
    rule = rules()[name]
    real, fake = torch.tensor([0.3, 0.9]), torch.tensor([-0.2, 0.4])
    assert rule.discriminator(real + 0.05, fake).isfinite()
    assert rule.generator(real, fake + 0.1) < rule.generator(real, fake)
    assert 0 <= beliefs(rule, real, fake)["certainty"] <= 1


def test_its_generator_is_one_file(example, prepared, tmp_path):
    """Trained, saved, loaded and played, with a critic that it does not provide."""
    voice = run_with_looks(prepared, tmp_path / "run", "dense", 3, 4)
    assert voice.model.config.network.hidden == 64
    assert isinstance(voice.model.config.new_critic(), UsualDiscriminator)
    antiphon.generate(voice, tmp_path / "sounds", n=2)
    assert len(list((tmp_path / "sounds").glob("*.wav"))) == 2


def test_its_generator_may_bring_its_critic(example, monkeypatch):
    file = import_module("antiphon.networks.generators.dense")
    critic = type("Critic", (UsualDiscriminator,), {})
    monkeypatch.setattr(file, "DISCRIMINATORS", {"dense": critic}, raising=False)
    assert type(ImageConfig(file.DenseConfig(), ViewConfig("waveform"), 16_384).new_critic()) is critic


@pytest.mark.parametrize("lie", [1 << 40, -1, 64.0, True, "64", None])
def test_a_stranger_does_not_choose_the_size_of_its_generator(example, prepared, tmp_path, lie):
    run_with_looks(prepared, tmp_path / "run", "dense", 1)
    for name in ("hidden", "noise"):  # of which one has limits of its own
        tensors, meta = read_tensors(tmp_path / "run" / "weights.safetensors")
        meta["config"]["network"][name] = lie
        save_file(tensors, tmp_path / "lie.safetensors", {KEY: json.dumps(meta)})
        with pytest.raises(AntiphonError, match=f"is not a voice Antiphon can play: its {name} is"):
            antiphon.load(tmp_path / "lie.safetensors")


@pytest.mark.parametrize("settings", [{"network.hidden": 5000}, {"network.noise": 1 << 20}])
def test_what_its_voice_could_not_hold_is_refused_before_training(example, prepared, tmp_path, settings):
    with pytest.raises(AntiphonError, match="cannot work: use"):
        run_with_looks(prepared, tmp_path / "run", "dense", 1, **settings)
    assert not (tmp_path / "run").exists()


# ---- a kind of voice: sound in, sound out ----------------------------------------------------------------------------


def thin_and_full() -> tuple[np.ndarray, np.ndarray]:
    """A note, (samples,), whose bass was taken out as the recipe does, and as it was."""
    full = tone(79)
    return full - np.float32(0.8) * np.concatenate([np.zeros(1, np.float32), full[:-1]]), full


def test_its_kind_is_one_file_of_sixty_lines(example):
    text = DOC.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n# antiphon/voices/filter\.py\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) <= 60


def test_its_kind_trains_is_saved_read_again_and_does_what_it_learned(example, prepared, tmp_path):
    run_with_looks(prepared, tmp_path / "run", "filter", 40, 120)
    run_with_looks(prepared, tmp_path / "whole", "filter", 120)
    state, whole = (read_tensors(tmp_path / name / "state.safetensors")[0] for name in ("run", "whole"))
    assert all(torch.equal(state[key], whole[key]) for key in whole)
    voice = antiphon.load(tmp_path / "run")
    assert (voice.kind, voice.plays, voice.blends) == ("filter", False, False)
    thin, full = thin_and_full()
    made = voice.transform(thin, 44100)
    assert made.shape == thin.shape
    assert np.abs(made - full).mean() < 0.25 * np.abs(thin - full).mean()
    write_audio(tmp_path / "thin.wav", thin)
    voice.from_file_to_file(tmp_path / "thin.wav", tmp_path / "full.wav")
    assert np.abs(read_audio(tmp_path / "full.wav") - made).max() < 1e-3
    assert sorted((tmp_path / "run" / "sheets").glob("*.png"))


def test_its_kind_keeps_what_every_kind_promises(example, prepared, tmp_path, antiphon_line):
    run_with_looks(prepared, tmp_path / "run", "filter", 2)
    (tmp_path / "empty").mkdir()
    assert check_voice(tmp_path / "run", tmp_path / "empty") > 5
    said = antiphon_line("generate", tmp_path / "run", "-o", tmp_path / "sounds")
    assert (said.status, len(said.err)) == (2, 1)
    assert "cannot imagine sounds" in said.err[0]
    assert "it filters sounds" in "\n".join(antiphon_line("info", tmp_path / "run").out)
