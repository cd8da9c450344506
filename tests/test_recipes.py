"""The recipes of the literature, each at its smallest size: they train, resume, save, load, generate, and say in one
line what they cannot do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

import antiphon
from antiphon.data.prepared import Prepared
from antiphon.networks.image_gan import Conditions
from antiphon.recipes.check import check
from antiphon.recipes.image import ImageRecipe
from antiphon.recipes.lookup import recipe, recipes
from antiphon.recipes.override import flatten, override
from antiphon.training.batches.excerpts import ExcerptSource
from antiphon.training.batches.onset_crops import OnsetCropSource
from antiphon.training.ema import Ema
from antiphon.training.games.optimisers import OPTIMISERS
from antiphon.training.loop import new_game
from antiphon.training.losses.adversarial import RULES
from antiphon.training.recipe import SIZES, Recipe
from antiphon.voices.checkpoint import KEY, read_tensors

AntiphonError = antiphon.AntiphonError
NAMES = sorted(name for name in recipes() if isinstance(recipe(name), ImageRecipe))
STEPS = 30


def settings(name: str) -> dict[str, float]:
    rate = 1e-2 if name.startswith("gansynth") else 1e-3  # its layers' weights are ten times larger (equalised)
    quick = {"batch": 4, "game.optimiser.rate": rate, "game.optimiser.critic_rate": rate}
    return quick | ({"game.critic_steps": 2} if recipe(name).game.critic_steps > 1 else {})


def train(source: Path, out: Path, name: str, **how) -> Path:
    options = {
        "recipe": name,
        "size": "tiny",
        "settings": settings(name) if name else None,
        "threads": 1,
        "quiet": True,
    }
    return antiphon.train(source, out, **(options | how))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def runs(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each recipe's finished run, made on first use."""

    class Runs(dict):
        def __missing__(self, name: str) -> Path:
            self[name] = tmp_path_factory.mktemp(name)
            train(prepared, self[name], name, steps=STEPS)
            return self[name]

    return Runs()


@pytest.fixture(scope="module")
def mute(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unconditional run."""
    folder = tmp_path_factory.mktemp("mute")
    told = {"pitch": "no", "instrument": "no", "style": "no"}
    train(prepared, folder, "dcgan", steps=1, settings=settings("dcgan") | told)
    return folder


@pytest.fixture(scope="module")
def data(prepared: Path) -> Prepared:
    return Prepared(prepared)


# ---- recipes ---------------------------------------------------------------------------------------------------------


def test_the_literature_is_there():
    assert {"dcgan", "wavegan", "specgan", "gansynth", "gansynth-r3gan", "instrument"} <= recipes().keys()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_recipe_at_every_size_can_work_and_be_restored(name: str, size: str):
    made = recipe(name, size, seed=3)
    check(made)
    assert made.seed == 3
    assert override(recipe(name), dict(flatten(made))) == made
    assert all(low <= dict(flatten(made)).get(key, low) <= high for key, (low, high) in made.limits.items())


def test_the_papers_settings_arrive():
    wavegan, gansynth, modern = recipe("wavegan", "large"), recipe("gansynth", "large"), recipe("gansynth-r3gan")
    assert (wavegan.game.rule, wavegan.game.lipschitz, wavegan.game.critic_steps) == ("wasserstein", 10, 5)
    assert (wavegan.network.channels, wavegan.network.shuffle) == (64, 2)
    assert (gansynth.game.keys, gansynth.network.shape, gansynth.samples) == (10, (2, 1024, 128), 65_536)
    assert (modern.game.rule, modern.game.optimiser.beta1, min(modern.game.r1, modern.game.r2) > 0) == (
        "relativistic", 0, True)  # fmt: skip
    assert recipe("dcgan").samples == 32_768


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_it_trains(name: str, runs):
    lines = [json.loads(text) for text in (runs[name] / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert all(np.isfinite(value) for line in lines for value in line.values())
    losses = [line["critic"] + line["penalty"] + line.get("real_keys", 0) for line in lines]
    assert losses[-1] < losses[0] - 0.05
    assert not (runs[name] / "skipped.txt").exists()


@pytest.mark.parametrize("name", NAMES)
def test_stopped_and_gone_on_with_it_comes_to_the_same_bytes(name: str, prepared, tmp_path, stop_at):
    whole = train(prepared, tmp_path / "whole", name, steps=5)
    stop_at(3)
    with pytest.raises(KeyboardInterrupt, match="saved at step 3"):
        train(prepared, tmp_path / "run", name, steps=5)
    stop_at()
    torch.manual_seed(99)  # whatever a person did in between
    train(prepared, tmp_path / "run", None, steps=5, size=None, settings=None)  # the folder knows the rest
    assert digest(tmp_path / "run" / "weights.safetensors") == digest(whole)
    state, other = (read_tensors(tmp_path / f / "state.safetensors")[0] for f in ("run", "whole"))
    assert state.keys() == other.keys()
    assert all(torch.equal(state[k], other[k]) for k in state)


def test_two_processes_share_a_batch(prepared, tmp_path):
    weights = train(prepared, tmp_path / "run", "dcgan", steps=1, threads=2, settings=settings("dcgan") | {"batch": 8})
    assert antiphon.load(weights).info.training["processes"] == 2


def test_another_recipe_is_another_run(prepared, mute):
    with pytest.raises(AntiphonError, match="another --recipe"):
        train(prepared, mute, "wavegan", steps=1, settings=None)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_any_rule_of_the_game(rule: str, data):
    made = override(recipe("dcgan", "tiny"), {"batch": 4, "game.rule": rule, "game.lipschitz": 1.0, "game.r1": 0.1,
                                              "game.every": 2, "game.finite": True, "game.spectral": True})  # fmt: skip
    assert _two_steps(made, data)


@pytest.mark.parametrize("name", sorted(OPTIMISERS))
def test_any_optimiser(name: str, data):
    assert _two_steps(override(recipe("dcgan", "tiny"), {"batch": 4, "game.optimiser.name": name}), data)


def _two_steps(made: Recipe, data: Prepared) -> bool:
    check(made)
    game, source = new_game(data, made), made.source(data)
    before = {name: p.clone() for name, p in game.named_parameters()}
    for k in range(2):
        moment = made.at(k, 2)
        moved = game.step(source.batch(k * moment.count, moment.count), moment, torch.Generator().manual_seed(k))
        assert all(torch.isfinite(v) for v in moved.values())
    changed = {name for name, p in game.named_parameters() if not torch.equal(before[name], p)}
    return changed | {"critics.head.score.bias"} == before.keys()  # rules that compare cannot see it


def test_lazy_penalties_are_taken_once_in_a_while(data):
    made = override(recipe("dcgan", "tiny"), {"batch": 4, "game.r1": 1.0, "game.every": 3})
    game, source = new_game(data, made), made.source(data)
    taken = [
        float(game.step(source.batch(4 * k, 4), made.at(k, 0), torch.Generator().manual_seed(k))["penalty"])
        for k in range(6)
    ]
    assert [value > 0 for value in taken] == [True, False, False, True, False, False]


def test_an_average_keeps_a_batch_norms_statistics():
    norm = torch.nn.BatchNorm1d(3)
    average = Ema(norm)
    norm(5 + torch.randn(64, 3))
    average.update(norm, 0)
    assert torch.equal(average.module.running_mean, norm.running_mean)
    assert norm.running_mean.min() > 0.3


def test_crops_begin_at_the_onset_and_the_same_notes_are_drawn(data):
    onsets, excerpts = OnsetCropSource(data, 8192, 3), ExcerptSource(data, 8192, 3)
    sounds = onsets.batch(10, 12)
    starts = [data.audio(i, 0, 8192) for i in range(len(data))]
    assert all(any(np.array_equal(sound, start) for start in starts) for sound in sounds.audio.numpy())
    assert torch.equal(onsets.batch(13, 2).audio, sounds.audio[3:5])
    assert torch.equal(excerpts.batch(10, 12).gesture.pitch, sounds.pitch)


# ---- playing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_plays(name: str, runs):
    voice = antiphon.load(runs[name])
    assert voice.instruments == ("harp", "violin")
    notes = [antiphon.Note(60 + i, 9, instrument="harp", seed=i) for i in range(3)]
    sounds = voice.notes(notes)
    assert {sound.shape for sound in sounds} == {(16_384,)}
    assert all(np.isfinite(sound).all() for sound in sounds)
    assert len({sound.tobytes() for sound in sounds}) == 3
    np.testing.assert_array_equal(voice.notes(notes[1:2])[0], sounds[1])
    fresh = voice.untrained()
    assert not np.allclose(fresh.notes(notes[:1])[0], sounds[0])
    assert fresh.info == voice.info


def test_a_label_is_heard_and_a_note_can_be_let_go(runs):
    voice = antiphon.load(runs["wavegan"])
    how = {"seconds": 9, "seed": 1, "style": ("bright",)}
    note = voice.note(60, instrument="harp", **how)
    assert not np.array_equal(note, voice.note(67, instrument="harp", **how))
    short = voice.note(60, instrument="harp", **(how | {"seconds": 0.1}))
    assert len(short) == 4410 + 4410
    np.testing.assert_array_equal(short[:4410], note[:4410])
    assert abs(short[-1]) < 1e-6


def test_generate_and_info(antiphon_line, runs, tmp_path):
    folder = runs["wavegan"]
    asked = ["--instrument", "viol", "--pitch", "C4", "--seconds", 1]
    said = antiphon_line("generate", folder, "-o", tmp_path / "g", "-n", 2, *asked)
    assert (said.status, said.out) == (0, [str(tmp_path / "g")])
    assert any("sounds of this voice last 0.37 s" in line for line in said.err)
    assert [p.name for p in sorted((tmp_path / "g").iterdir())] == [
        f"00{i}_violin_C4_v100_s{i - 1}.wav" for i in (1, 2)
    ]
    assert soundfile.info(tmp_path / "g" / "001_violin_C4_v100_s0.wav").frames == 16_384
    text = "\n".join(antiphon_line("info", folder).out)
    for word in ("violin", "G3 to G5", "0.37 s", "generated by wavegan", "steps 30", "CC0"):
        assert word in text
    assert json.loads("\n".join(antiphon_line("info", folder, "--json").out))["kind"] == "image"


def test_descriptors_are_controls(antiphon_line, prepared, data, tmp_path):
    told = settings("dcgan") | {"descriptors": "brightness,attack"}
    folder = train(prepared, tmp_path / "run", "dcgan", steps=2, settings=told).parent
    made = override(recipe("dcgan", "tiny"), told)
    batch, measured = made.source(data).batch(0, 8), data.labels.descriptors.index("brightness")
    assert set(batch.descriptors[:, 0].tolist()) <= set(data.descriptors[:, measured].tolist())

    game = new_game(data, made)
    vector, _ = game._told(batch)
    for i, scale in enumerate(game.model.labels.scales):
        place = ((batch.descriptors[:, i] - scale.low) / (scale.high - scale.low)).clamp(0, 1)
        assert torch.allclose(vector[:, i - 2], place)

    voice = antiphon.load(folder)
    words = voice.resolve_style(["bright=0.25"])
    assert words == ("brightness=0.25",)
    ws = torch.stack([voice.imagine("violin", words, seed) for seed in range(9)])
    assert torch.equal(ws[:, -2], torch.full((9,), 0.25))
    assert 0 <= float(ws[:, -1].min()) < float(ws[:, -1].max()) <= 1
    line = ["generate", folder, "-o", tmp_path / "g", "-n", 1, "--instrument", "violin", "--pitch", "C4", "--style"]
    assert antiphon_line(*line, "brightness=1").status == 0
    for word, says in [
        ("brightness=2", "brightness=0 (least"),
        ("loudness=1", "knows brightness, attack"),
        ("a=b", ""),
    ]:
        said = antiphon_line(*line, word, "--force")
        assert said.status == 2
        assert len(said.err) == 1
        assert says in said.err[0]
    assert "brightness=0..1" in "\n".join(antiphon_line("info", folder).out)


@pytest.mark.parametrize(("names", "says"), [("loudness", "choose from"), ("attack,attack", "each once")])
def test_descriptors_that_cannot_be_told(prepared, tmp_path, names, says):
    with pytest.raises(AntiphonError, match=says):
        train(prepared, tmp_path / "run", "dcgan", steps=1, settings=settings("dcgan") | {"descriptors": names})


def test_one_that_knows_pitches_plays_songs(antiphon_line, runs, song, tmp_path):
    said = antiphon_line("play", song, "-o", tmp_path / "song.wav", "--voice", runs["wavegan"])
    assert said.status == 0
    assert np.abs(soundfile.read(tmp_path / "song.wav")[0]).max() > 0


def test_what_it_cannot_do_is_one_line(antiphon_line, runs, mute, song, tmp_path):
    out, pitched = tmp_path / "out.wav", runs["wavegan"]
    for line, says in [
        (("play", song, "-o", out, "--voice", mute), "cannot play a song"),
        (("generate", mute, "-o", out, "--pitch", "C4"), "cannot play a given pitch"),
        (("play", song, "-o", out, "--voice", pitched, "--layers"), "separate tones from noise"),
        (("play", song, "-o", out, "--voice", pitched, "--instrument", "harp,violin"), "cannot blend"),
        (("morph", pitched, "--from", "harp", "--to", "violin", "-o", out), "cannot morph"),
        (("clone", pitched, pitched / "sounds" / "step-000030.wav", "-o", out), "cannot"),
    ]:
        said = antiphon_line(*line)
        assert said.status == 2, line
        assert says in said.err[-1], line
    assert not out.exists()


def test_one_that_is_told_nothing_makes_sounds(antiphon_line, mute, tmp_path):
    voice = antiphon.load(mute)
    assert (voice.instruments, voice.styles, voice.pitched) == (("sound",), (), False)
    assert antiphon_line("generate", mute, "-o", tmp_path / "g", "-n", 2).status == 0
    assert sorted(p.name for p in (tmp_path / "g").iterdir()) == ["001_sound_s0.wav", "002_sound_s1.wav"]
    assert "sounds without a pitch" in "\n".join(antiphon_line("info", mute).out)


# ---- a stranger's file -----------------------------------------------------------------------------------------------


def _scale(meta: dict, **lies: object) -> dict:
    usual = [[0.5, 0.1]] * len(meta["labels"]["instruments"])
    return {"name": "brightness", "low": 0.0, "high": 1.0, "usual": usual} | lies


def _told(meta: dict, **lies: object) -> None:
    meta["labels"]["scales"] = [_scale(meta, **lies)]
    meta["config"]["network"]["conditions"]["descriptors"] = 1


def _network(name, value):
    return lambda meta: meta["config"]["network"].__setitem__(name, value)


LIES = {
    "another generator": lambda meta: meta["config"].__setitem__("generator", "os.system"),
    "another view": lambda meta: meta["config"]["view"].__setitem__("name", "../../waveform"),
    "a view of words": lambda meta: meta["config"]["view"].__setitem__("window", "9"),
    "an enormous view": lambda meta: meta["config"]["view"].__setitem__("window", 10**9),
    "no view": lambda meta: meta["config"].pop("view"),
    "a field more": lambda meta: meta["config"].__setitem__("surprise", 1),
    "an endless sound": lambda meta: meta["config"].__setitem__("samples", 1 << 40),
    "another length": lambda meta: meta["config"].__setitem__("samples", 8192),
    "enormous channels": _network("channels", 1 << 40),
    "other channels": _network("channels", 1000),
    "true channels": _network("channels", True),
    "no conditions": lambda meta: meta["config"]["network"].pop("conditions"),
    "other keys": lambda meta: meta["config"]["network"]["conditions"].__setitem__("keys", 24),
    "another label": lambda meta: meta["labels"]["instruments"].append("tuba"),
    "another style": lambda meta: meta["labels"]["styles"].pop(),
    "a scale that it was not told": lambda meta: meta["labels"].__setitem__("scales", [_scale(meta)]),
    "a scale upside down": lambda meta: _told(meta, low=2.0),
    "a scale of words": lambda meta: _told(meta, low="__import__('os')"),
    "a scale of infinity": lambda meta: _told(meta, high=float("inf")),
    "a scale of another table": lambda meta: _told(meta, usual=[]),
    "another kind": lambda meta: meta.__setitem__("kind", "instrument"),
    "no kind": lambda meta: meta.__setitem__("kind", ["image"]),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(lie: str, runs, tmp_path):
    tensors, meta = read_tensors(runs["wavegan"] / "weights.safetensors")
    LIES[lie](meta)
    save_file(tensors, tmp_path / "lie.safetensors", {KEY: json.dumps(meta)})
    with pytest.raises(AntiphonError, match="is not a voice Antiphon can play") as error:
        antiphon.load(tmp_path / "lie.safetensors")
    assert "\n" not in str(error.value)


# ---- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("wavegan", {"game.lipschitz": 0}, "add game.lipschitz=10"),
        ("dcgan", {"game.rule": "chess"}, "no rule named 'chess'"),
        ("dcgan", {"game.optimiser.name": "luck"}, "no optimiser named 'luck'"),
        ("dcgan", {"pitch": "perhaps"}, "use auto, yes, no"),
        ("dcgan", {"samples": 44_100}, "until they agree"),
        ("dcgan", {"view.name": "spectre"}, "no representation"),
        ("wavegan", {"view.window": 512}, "does not take"),
        ("gansynth", {"network.conditions.keys": 9}, "read from the data"),
        ("dcgan", {"batch": 1}, "batch=1 cannot work"),
        ("dcgan", {"network.width": 1e9}, "network.width"),
    ],
)
def test_settings_that_cannot_work(name: str, wrong: dict, says: str):
    with pytest.raises(AntiphonError, match=says):
        check(override(recipe(name), wrong))


def test_a_name_or_size_that_is_not_there(antiphon_line, prepared, tmp_path):
    said = antiphon_line("train", prepared, "-o", tmp_path / "run", "--recipe", "vae", "--steps", "1")
    assert said.status == 2
    assert "no recipe named 'vae'" in said.err[-1]
    assert "gansynth" in said.err[-1]
    with pytest.raises(AntiphonError, match="no size"):
        recipe("dcgan", "huge")


def test_data_that_does_not_fit(prepared):
    data = Prepared(prepared)
    with pytest.raises(AntiphonError, match=r"shorter than 0\.40 s, but this recipe generates 2\.97 s"):
        replace(recipe("gansynth"), samples=1 << 17).fits(data)
    data.pitch[:] = 60
    with pytest.raises(AntiphonError, match="pitch=yes needs notes of several keys"):
        recipe("gansynth").fits(data)
    unpitched = recipe("dcgan")
    unpitched.fits(data)
    assert unpitched.conditions(data) == Conditions(instruments=2, styles=len(data.labels.styles))
    one = SimpleNamespace(
        pitch=data.pitch, where=data.where, labels=replace(data.labels, instruments=("harp",), styles=())
    )
    assert unpitched.conditions(one) == Conditions()
    assert unpitched.labels(one).instruments == ("harp",)
    with pytest.raises(AntiphonError, match="instrument=yes needs notes of several instruments"):
        replace(unpitched, instrument="yes").conditions(one)


def test_from_a_voice_of_another_recipe(prepared, runs, tmp_path):
    with pytest.raises(AntiphonError, match="another recipe"):
        train(prepared, tmp_path / "run", "dcgan", steps=1, size=None, start_from=runs["wavegan"])
    weights = train(prepared, tmp_path / "on", "wavegan", steps=1, size=None, start_from=runs["wavegan"])
    assert antiphon.load(weights).info.training["start_from"] == str(runs["wavegan"])
