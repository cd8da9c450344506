"""The settings that all games share: rules, penalties, spectral norm, dropout and optimisers, also for games that learn
by imitation; by default they change nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import TINY
from torch import Tensor

import antiphon
from antiphon.data.prepared import Prepared
from antiphon.networks.discriminators.logmel import Discriminators
from antiphon.networks.discriminators.spectrogram import SpectrogramDiscriminators
from antiphon.networks.spectral_norm import spectrally_normed
from antiphon.recipes.check import check
from antiphon.recipes.lookup import recipe, recipes
from antiphon.recipes.override import flatten, override
from antiphon.training.contract import Game
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.games.optimisers import OPTIMISERS
from antiphon.training.loop import new_game
from antiphon.training.losses.adversarial import RULES
from antiphon.training.recipe import Recipe
from antiphon.voices.checkpoint import read_tensors

AntiphonError = antiphon.AntiphonError
PLAY = {"instrument": TINY | {"rehearsal": 0}, "vocoder": {"batch": 2, "samples": 8192, "rehearsal": 0}}
PENALTIES = {
    "r1": {"game.r1": 1.0},
    "lazy, by differences": {"game.r1": 0.5, "game.r2": 0.5, "game.every": 2, "game.finite": True},
    "gradient": {"game.lipschitz": 10.0, "game.drift": 0.001},
    "spectral norm, dropout": {"game.spectral": True, "game.dropout": 0.3},
}


@pytest.fixture(scope="module")
def data(prepared: Path) -> Prepared:
    return Prepared(prepared)


def made(name: str, settings: dict | None = None) -> Recipe:
    found = override(recipe(name, "tiny"), PLAY[name] | (settings or {}))
    check(found)
    return found


def play(method: Recipe, data: Prepared, steps: int = 2, same: bool = False) -> tuple[Game, list[dict[str, Tensor]]]:
    """The game after some steps, and its report of each. same: with the same sounds in every step."""
    game, source, said = new_game(data, method), method.source(data), []
    for k in range(steps):
        moment = method.at(k, steps)
        torch.manual_seed(k)
        first, rng = 0 if same else k * moment.count, torch.Generator().manual_seed(k)
        batch = source.batch(first, moment.count)
        said.append(game.step(batch, moment, rng))
    return game, said


# ---- the penalty -----------------------------------------------------------------------------------------------------


def test_it_is_the_weighted_mean_over_the_critics():
    slopes = [torch.tensor([3.0, 4.0]), torch.tensor([0.0, 1.0])]  # of linear critics; lengths 5 and 1
    seen = [Seen(lambda x, s=s: x @ s, torch.randn(6, 2), torch.randn(6, 2)) for s in slopes]
    logits = [torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])]  # mean squares 5 and 2
    rng = torch.Generator().manual_seed(0)

    def penalty(move: int = 0, more: float = 0.0, **weights: float) -> float:
        return float(AdversaryConfig(**weights).penalty(logits, lambda: seen, more, move, rng))

    assert penalty() == 0
    assert penalty(r1=2.0) == pytest.approx((25 + 1) / 2)
    assert penalty(r1=2.0, r2=4.0, more=2.0) == pytest.approx(4 * (25 + 1) / 2)
    assert penalty(lipschitz=10.0) == pytest.approx(10 * (16 + 0) / 2)
    assert penalty(drift=0.1) == pytest.approx(0.1 * 3.5)
    assert penalty(r1=2.0, every=4) == pytest.approx(4 * 13)
    assert penalty(move=3, r1=2.0, drift=0.1, every=4) == pytest.approx(0.1 * 3.5)


def test_r1_looks_at_real_sounds_and_r2_at_generated_ones():
    """Of a critic that is steep at the ones and flat at the others. WGAN-GP looks between the pairs."""
    real, generated = torch.full((4, 2), 3.0), torch.full((4, 2), -3.0)
    seen = [Seen(lambda x: torch.relu(x).sum(1), real, generated)]
    logits, rng = [torch.zeros(4)], torch.Generator().manual_seed(0)

    def penalty(**weights: float) -> float:
        return float(AdversaryConfig(**weights).penalty(logits, lambda: seen, 0.0, 0, rng).detach())

    assert penalty(r1=2.0) == pytest.approx(2.0)  # a slope of (1, 1)
    assert penalty(r2=2.0) == 0
    assert penalty(r1=2.0, finite=True) > 0.5
    assert penalty(r2=2.0, finite=True) == 0
    assert 0 < penalty(lipschitz=1.0) <= 1


def test_where_no_slope_is_wanted_nothing_is_seen_and_no_random_number_is_drawn():
    def seen() -> list[Seen]:
        raise AssertionError

    rng = torch.Generator().manual_seed(0)
    before = rng.get_state()
    for config, move in ((AdversaryConfig(drift=1.0), 0), (AdversaryConfig(lipschitz=1.0, every=2), 1)):
        config.penalty([torch.ones(2)], seen, 0.0, move, rng)
    assert torch.equal(rng.get_state(), before)


@pytest.mark.parametrize("name", PLAY)
def test_imitators_critics_are_penalised_as_much_as_is_asked(name: str, data):
    first = [float(play(made(name, {"game.r1": r1}), data, 1)[1][0]["penalty"]) for r1 in (0.0, 1.0, 3.0)]
    assert first[0] == 0
    assert 0 < first[1] == pytest.approx(first[2] / 3)
    lazy = [float(said["penalty"]) for said in play(made(name, {"game.r2": 1.0, "game.every": 2}), data, 4)[1]]
    assert [bool(x) for x in lazy] == [True, False, True, False]


# ---- any of them together --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("name", PLAY)
def test_any_rule_with_any_penalty_and_optimiser(name: str, rule: str, data):
    """Every pair of rule, penalty and optimiser, in a Latin square."""
    bound = {} if RULES[rule].in_doubt else {"game.lipschitz": 10.0}
    for i, penalties in enumerate(PENALTIES.values(), sorted(RULES).index(rule)):
        optimiser = sorted(OPTIMISERS)[i % len(OPTIMISERS)]
        method = made(name, {"game.rule": rule, "game.optimiser.name": optimiser} | penalties | bound)
        game, said = play(method, data)
        assert all(torch.isfinite(value).all() for step in said for value in step.values())
        assert all(torch.isfinite(p).all() for p in game.parameters())
        kind = type(OPTIMISERS[optimiser]([torch.ones(1)], 0.1, method.game.optimiser))
        assert {type(o) for o in game.optimisers.values()} == {kind}


@pytest.mark.parametrize("name", PLAY)
def test_the_smallest_learns_with_its_critics_at_work(name: str, data):
    _, said = play(made(name, {"game.optimiser.rate": 1e-2, "cool_down": 0}), data, 16, same=True)
    assert all(torch.isfinite(value).all() for step in said for value in step.values())
    assert {"critic", "adversarial", "features"} <= said[-1].keys()
    assert all(said[-1][term] < 0.95 * said[0][term] for term in ("log", "mel", "loss"))


def test_spectral_norm_and_dropout_of_imitators_critics():
    for critics in (Discriminators(3, 4, 0.5), SpectrogramDiscriminators(4, 0.5)):
        spectrally_normed(critics).train()
        layer = critics[0].layers[1]
        for _ in range(60):
            weight = layer.weight  # each look is a step of the power iteration
        assert torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item() == pytest.approx(1, rel=1e-2)
    audio = torch.randn(1, 8192)
    assert not torch.equal(critics(audio)[0][0], critics(audio)[0][0])
    critics.eval()
    assert torch.equal(critics(audio)[0][0], critics(audio)[0][0])


# ---- what cannot work ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_critic_without_a_bound_is_refused_by_every_recipe(name: str):
    wrong = {"game.rule": "wasserstein", "game.lipschitz": 0}
    with pytest.raises(AntiphonError, match=r"the critic has no bound: add game\.lipschitz=10"):
        check(override(recipe(name), wrong))
    check(override(recipe(name), wrong | {"game.lipschitz": 10}))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"game.rule": "chess"}, "no rule named 'chess'"),
        ({"game.optimiser.name": "luck"}, "no optimiser named 'luck'"),
        ({"game.r1": -1}, r"game\.r1=-1"),
        ({"game.lipschitz": 1e9}, r"game\.lipschitz"),
        ({"game.every": 0}, r"game\.every=0"),
        ({"game.dropout": 1}, r"game\.dropout=1"),
        ({"game.optimiser.rate": 0}, r"game\.optimiser\.rate=0"),
        ({"game.optimiser.critic_beta1": 1}, r"game\.optimiser\.critic_beta1=1"),
    ],
)
@pytest.mark.parametrize("name", ["instrument", "drums", "vocoder"])
def test_settings_that_cannot_work(name: str, wrong: dict, says: str):
    with pytest.raises(AntiphonError, match=says):
        check(override(recipe(name), wrong))


# ---- what nobody asked for -------------------------------------------------------------------------------------------


def hard_wired(name: str, game: Game) -> dict[str, torch.optim.Optimizer]:
    """The players' optimisers as they were before they could be chosen."""
    adam, adamw, critics = torch.optim.Adam, torch.optim.AdamW, game.critics.parameters()
    if name == "vocoder":
        generator = adamw(game.model.parameters(), 1e-3, (0.8, 0.99), weight_decay=1e-4)
        return {"generator": generator, "critics": adam(critics, 1e-3, (0.5, 0.99))}
    sound = [*game.model.generator.parameters(), *game.model.encoder.parameters(), *game.preset_head.parameters()]
    return {
        "generator": adamw(sound, 3e-4, (0.8, 0.99), weight_decay=1e-4),
        "mapping": adam(game.model.mapping.parameters(), 3e-4, (0.0, 0.99)),
        "critics": adam(critics, 6e-4, (0.5, 0.99)),
        "style_critic": adam(game.styles.parameters(), 3e-4, (0.0, 0.99)),
    }


@pytest.mark.parametrize("name", PLAY)
def test_the_usual_game_is_what_it_was(name: str, data, monkeypatch):
    usual = play(made(name), data, 4)[0].state_dict()
    seated = Game.set_optimizers
    monkeypatch.setattr(Game, "set_optimizers", lambda game, _: seated(game, hard_wired(name, game)))
    monkeypatch.setattr(AdversaryConfig, "penalty", lambda *_: torch.zeros(()))
    before = play(made(name), data, 4)[0].state_dict()
    assert usual.keys() == before.keys()
    assert all(torch.equal(usual[k], before[k]) for k in before)


@pytest.mark.parametrize("name", PLAY)
def test_a_run_of_before_goes_on(name: str, prepared, tmp_path):
    """Its record has other names for the learning rates and lacks the newer settings."""
    settings = PLAY[name] | {"game.critic_rate": 2e-3}
    how = {"recipe": name, "size": "tiny", "settings": settings, "from_scratch": True, "threads": 1, "quiet": True}
    for folder, steps in (("whole", 2), ("whole", 4), ("run", 2)):
        antiphon.train(prepared, tmp_path / folder, steps=steps, **how)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    rates = {"game.learning_rate": record["recipe"]["game.optimiser.rate"], "game.critic_rate": 2e-3}
    assert record["recipe"]["game.optimiser.critic_rate"] == 2e-3
    new = {"r1", "r2", "lipschitz", "drift", "every", "finite", "spectral", "dropout"}
    kept = {k: v for k, v in record["recipe"].items() if ".optimiser." not in k and k.removeprefix("game.") not in new}
    assert len(kept) == len(dict(flatten(made(name)))) - len(new) - 7
    (tmp_path / "run" / "run.json").write_text(json.dumps(record | {"recipe": kept | rates}))
    antiphon.train(prepared, tmp_path / "run", steps=4, **how)
    ours, theirs = (read_tensors(folder / "state.safetensors")[0] for folder in (tmp_path / "run", tmp_path / "whole"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
