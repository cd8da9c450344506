"""A GAN that begins from a voice with other labels: weights of a label are found by its name, in any network."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from conftest import tone
from torch import nn

import antiphon
from antiphon.audio.files import write_audio
from antiphon.networks.image_gan import Conditions
from antiphon.networks.model import LabelTable
from antiphon.networks.spectral_norm import spectrally_normed
from antiphon.recipes.lookup import recipe
from antiphon.training.games.image import ImageGame
from antiphon.voices.image_model import ImageConfig, ImageModel, generators

NAMES = sorted(generators())
OLD = LabelTable(("cello", "flute"), ("bowed", "bright"))
NEW = LabelTable(("flute", "violin", "viola"), ("bright", "dark"))


def game(name: str, labels: LabelTable, seed: int, *, lowest: int, keys: int = 6, **settings) -> ImageGame:
    """A new game of the tiny recipe, conditioned on these labels and keys."""
    made = recipe(name, "tiny")
    told = Conditions(keys, lowest, len(labels.instruments), len(labels.styles))
    config = ImageConfig(replace(made.network, conditions=told), made.view, made.samples)
    torch.manual_seed(seed)
    return ImageGame(ImageModel(config, labels), config.new_critic(), replace(made.game, **settings))


def begun(mine: ImageGame, theirs: ImageGame, opponents: bool = True) -> list[str]:
    weights = theirs.critics.state_dict() if opponents else {}
    return mine.begin_from(SimpleNamespace(model=theirs.model), weights)


def heard(played: ImageGame, pitch: float, instrument: str, words: tuple[str, ...] = ()) -> list[torch.Tensor]:
    """The generator's output for a label, and the critic's judgement of it."""
    model = played.model.eval()
    style = torch.tensor([[float(word in words) for word in model.labels.styles]])
    label = torch.tensor([model.labels.instruments.index(instrument)])
    condition = model.conditions.vector(torch.tensor([pitch]), label, style)
    z = model.generator.draw(1, torch.Generator().manual_seed(3))
    image = model.generator(z, condition)
    verdict = played.critics.eval()(image, condition)
    return [image, verdict.logits]


@pytest.mark.parametrize("name", NAMES)
def test_a_label_keeps_its_sound_wherever_it_stands(name: str) -> None:
    """flute is the second of the one and the first of the other, key 62 the third of the one and the first of the
    other."""
    theirs, mine = game(name, OLD, 1, lowest=60), game(name, NEW, 2, lowest=62)
    near = {"atol": 5e-4, "rtol": 1e-3}  # GANSynth norms labels and noise together, with an epsilon a number
    new = begun(mine, theirs)
    assert new == ["2 keys", "instrument violin", "instrument viola", "style dark"]
    for words in ((), ("bright",)):
        for pitch in (62, 65):
            for a, b in zip(heard(mine, pitch, "flute", words), heard(theirs, pitch, "flute", words), strict=True):
                torch.testing.assert_close(a, b, **near)
    for other in theirs.model.labels.instruments:
        assert not torch.allclose(heard(mine, 62, "violin")[0], heard(theirs, 62, other)[0], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spectral", [False, True])
def test_the_same_labels_take_over_every_weight(name: str, spectral: bool) -> None:
    theirs, mine = (game(name, OLD, seed, lowest=60, spectral=spectral) for seed in (1, 2))
    assert begun(mine, theirs) == []
    for part in ("model", "critics"):
        pairs = (getattr(g, part).state_dict() for g in (mine, theirs))
        assert all(torch.equal(a, b) for a, b in zip(*(p.values() for p in pairs), strict=True))


def test_labels_that_a_voice_was_never_told_begin_anew() -> None:
    theirs, mine = game("dcgan", LabelTable(("sound",), ()), 1, lowest=60), game("dcgan", OLD, 2, lowest=60)
    new = begun(mine, theirs, opponents=False)
    assert new == ["instrument cello", "instrument flute", "style bowed", "style bright"]
    first, other = (g.model.generator.dense[0].weight for g in (mine, theirs))
    width = other.shape[1] - 1  # noise and keys, before its one instrument
    assert torch.equal(first[:, :width], other[:, :width])


def test_another_size_of_network_is_told_by_its_weights() -> None:
    theirs = game("dcgan", OLD, 1, lowest=60)
    other = recipe("dcgan", "tiny")
    config = replace(theirs.model.config, network=replace(theirs.model.config.network, noise=7))
    mine = ImageGame(ImageModel(config, OLD), config.new_critic(), other.game)
    assert begun(mine, theirs) == ["dense.0.weight"]


def test_a_run_says_what_begins_anew(notes, tmp_path, antiphon_line) -> None:
    for folder, labels in (("old", ("cello", "flute")), ("new", ("flute", "violin"))):
        for label in labels:
            for pitch in (60, 64, 67):
                write_audio(tmp_path / folder / label / f"{label}-{pitch}.wav", tone(pitch, 0.5))
        lines = [f"{label}/{label}-{p}.wav,{p},{label}" for label in labels for p in (60, 64, 67)]
        (tmp_path / folder / "notes.csv").write_text("path,pitch,instrument\n" + "\n".join(lines) + "\n")
    line = ["--recipe", "dcgan", "--steps", "1", "--threads", "1", "--set", "batch=4"]
    assert antiphon_line("train", tmp_path / "old", "-o", tmp_path / "a", *line, "--size", "tiny").status == 0
    said = antiphon_line("train", tmp_path / "new", "-o", tmp_path / "b", *line, "--from", tmp_path / "a")
    assert said.status == 0
    assert any("has nothing for instrument violin: these start from scratch" in words for words in said.err)
    assert antiphon.load(tmp_path / "b").instruments == ("flute", "violin")


def test_a_network_of_shapes_has_those_of_spectral_norm() -> None:
    def shapes(device: str) -> dict[str, torch.Size]:
        with torch.device(device):
            layers = [nn.Linear(3, 5), nn.Conv2d(4, 6, (3, 2)), nn.ConvTranspose1d(4, 6, 3), nn.Embedding(7, 3)]
            return {name: x.shape for name, x in spectrally_normed(nn.Sequential(*layers)).state_dict().items()}

    assert shapes("meta") == shapes("cpu")
