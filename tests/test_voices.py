"""Every kind of voice keeps what voices promise [voice_checks.py]: those that come with the package, and one of random
weights from every recipe at its smallest size. A kind, a recipe or a bundled voice that is added is met here without
being named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from voice_checks import ALL_CHECKS, Check, applies, check_voice

from antiphon.data.prepared import Prepared
from antiphon.recipes.lookup import recipe, recipes
from antiphon.recipes.sounds import SoundsRecipe
from antiphon.training.loop import new_game
from antiphon.voices.checkpoint import load_voice, save_voice
from antiphon.voices.find import bundled, find
from antiphon.voices.kind import kind_of, kinds
from antiphon.voices.voice import Voice, VoiceInfo

TINY = [f"tiny {name}" for name in sorted(recipes())]


def write_tiny(name: str, data: Prepared, path: Path) -> Path:
    """The voice of a recipe at its smallest size before its first step."""
    made = recipe(name, "tiny")
    info = made.describe(data, name) if isinstance(made, SoundsRecipe) else VoiceInfo(name)
    save_voice(path, new_game(data, made).model, info)
    return path


@pytest.fixture(scope="module")
def places(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of every voice by what it is called here."""
    data, folder = Prepared(prepared), tmp_path_factory.mktemp("voices")
    tiny = {name: write_tiny(name.split()[1], data, folder / f"{name.split()[1]}.safetensors") for name in TINY}
    return tiny | {name: find(name) for name in bundled()}


@pytest.mark.parametrize("function", ALL_CHECKS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", [*TINY, *bundled()])
def test_a_voice_keeps_its_promises(name: str, function: Check, places: dict[str, Path], tmp_path: Path):
    voice: Voice = load_voice(places[name])
    if applies(function, voice):
        function(voice, places[name], tmp_path)


def test_every_kind_is_among_them(places: dict[str, Path]):
    met = {kind_of(load_voice(path).model) for name, path in places.items() if name in TINY}
    assert met == kinds().keys(), "a recipe makes each kind, and is tried here at its smallest size"


def test_a_voice_in_memory_can_be_checked(places: dict[str, Path], tmp_path: Path):
    voice = load_voice(places["tiny vocoder"])
    assert check_voice(voice, tmp_path) > 5


def test_a_voice_that_breaks_its_promise_is_found(places: dict[str, Path], tmp_path: Path, monkeypatch):
    kind = type(load_voice(places["tiny wavegan"]))
    imagine = kind.imagine
    monkeypatch.setattr(kind, "imagine", lambda self, name, style=(), seed=0, variation=1.0: imagine(self, name))
    with pytest.raises(AssertionError):
        check_voice(places["tiny wavegan"], tmp_path)
    assert torch.is_grad_enabled()
