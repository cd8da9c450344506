"""How the players move: each by its own loss, every one of them, at the context's rate, with random numbers of its
own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from conftest import TINY
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.networks.mapping import Mapping
from antiphon.networks.optimisers import Adam
from antiphon.recipes.image import ImageRecipe
from antiphon.recipes.instrument import adversary_rises
from antiphon.recipes.lookup import recipe, recipes
from antiphon.recipes.override import flatten, override
from antiphon.training.contract import Game, StepContext, rise_and_fall
from antiphon.training.ema import Ema
from antiphon.training.games.instrument import GameConfig, InstrumentGame
from antiphon.training.games.style import StyleGame
from antiphon.training.loop import Run, new_game
from antiphon.training.state import load_state, save_state
from antiphon.voices.voice import VoiceInfo


@pytest.fixture(scope="module")
def data(prepared: Path) -> Prepared:
    return Prepared(prepared)


@pytest.fixture(scope="module")
def usual(data: Prepared):
    """The instrument's recipe at its smallest, and a batch."""
    made = override(recipe("instrument", "tiny"), TINY)
    return made, made.source(data).batch(0, 2)


def moved(game: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, now in game.named_parameters() if not torch.equal(now, before[name])}


def weights(game: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in game.named_parameters()}


def step(game: InstrumentGame, batch: object, **moment: float) -> dict[str, Tensor]:
    how = {"step": 1, "rate": 1.0, "count": 2, "ramp": 1.0} | moment
    return game.step(batch, StepContext(**how), torch.Generator().manual_seed(1))  # type: ignore[arg-type]


# ---- who moves -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_weight_has_one_player(name: str, data: Prepared):
    """One that has none never learns, and one that has two is pushed both ways."""
    game = new_game(data, recipe(name, "tiny"))
    owned = [id(p) for o in game.optimisers.values() for group in o.param_groups for p in group["params"]]
    assert len(owned) == len(set(owned))
    assert set(owned) == {id(p) for p in game.parameters()}


@pytest.mark.parametrize(
    ("moment", "still"),
    [({"ramp": 1.0}, ()), ({"ramp": 0.0}, ()), ({"ramp": 0.0, "rehearsal": True}, ("critics.",))],
)
def test_every_player_moves(usual, data: Prepared, moment: dict, still: tuple[str, ...]):
    """In each phase of a run: the critics learn before the generator hears of them, and rest in a rehearsal."""
    made, batch = usual
    game = new_game(data, made)
    before = weights(game)
    step(game, batch, **moment)
    players = {name.split(".")[0] + "." + name.split(".")[1] for name in moved(game, before)}
    expected = {".".join(name.split(".")[:2]) for name in before if not name.startswith(still or "-")}
    assert players == expected


def test_what_the_critics_say_reaches_the_generator(usual, data: Prepared):
    made, batch = usual
    norms = {}
    for name, changes in {"without": {"adversarial": 0, "features": 0, "imagined": 0}, "with": {}}.items():
        settings = {f"game.weights.{k}": v for k, v in changes.items()}
        norms[name] = step(new_game(data, override(made, settings)), batch)["generator_norm"]
    assert norms["with"] != norms["without"]


def test_the_mapping_learns_how_its_sounds_are_judged(usual, data: Prepared, monkeypatch: pytest.MonkeyPatch):
    """By ear as well, not only in the space of styles."""
    made, batch = usual
    monkeypatch.setattr(
        StyleGame, "mapping_loss", lambda self, mapping, rng: sum(p.sum() for p in mapping.parameters()) * 0
    )
    assert step(new_game(data, made), batch, ramp=1.0)["mapping_norm"] > 0
    assert step(new_game(data, made), batch, ramp=0.0)["mapping_norm"] == 0


@pytest.mark.parametrize("ramp", [0.0, 0.25, 1.0])
def test_the_loss_is_the_weighted_sum_and_the_adversarys_part_has_its_share(usual, data: Prepared, ramp: float):
    made, batch = usual
    said = step(new_game(data, made), batch, ramp=ramp)
    rising = {"adversarial", "features", "imagined"}
    terms = {k: w for k, w in GameConfig().weights.items() if k in said}
    assert (rising <= terms.keys()) == (ramp > 0)
    total = sum(w * (ramp if k in rising else 1) * float(said[k]) for k, w in terms.items())
    assert float(said["loss"]) == pytest.approx(total, rel=1e-4)


# ---- what is saved ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_game_goes_on_from_what_was_saved_of_it(name: str, data: Prepared, tmp_path: Path):
    """Weights, optimisers, averages and whatever else a step depends on, in a game with another seed."""
    usual = recipe(name, "tiny")
    fixed = {"samples"} if isinstance(usual, ImageRecipe) else set()  # an image's size says how long a sound is
    small = {k: v for k, v in TINY.items() if k in dict(flatten(usual)) and k not in fixed}
    made = override(usual, small)
    try:
        made.fits(data)
    except AntiphonError:
        pytest.skip("it learns from other sounds than notes")
    source, (game, fresh) = made.source(data), (new_game(data, override(made, {"seed": seed})) for seed in (0, 1))
    average, other = (Ema(one.model) for one in (game, fresh))

    def play(one: Game, number: int) -> dict[str, float]:
        torch.manual_seed(number)
        moment = made.at(number + 50, 60)
        said = one.step(
            source.batch(number * moment.count, moment.count), moment, torch.Generator().manual_seed(number)
        )
        return {k: float(v) for k, v in said.items()}

    for number in range(2):
        play(game, number)
        average.update(game.model, number)
    save_state(tmp_path / "state.safetensors", game, average, {"step": 2})
    assert load_state(tmp_path / "state.safetensors", fresh, other) == {"step": 2}
    for one, two in ((game, fresh), (average.module, other.module)):
        theirs = two.state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in one.state_dict().items())
    assert [play(game, number) for number in (2, 3)] == [play(fresh, number) for number in (2, 3)]


# ---- the game in the space of styles ---------------------------------------------------------------------------------


def styles() -> tuple[StyleGame, Mapping]:
    torch.manual_seed(0)
    game, mapping = StyleGame(8, 2, 1, 64, 0.0), Mapping(8, 2, 1)
    w = torch.randn(64, 8) + torch.tensor([3.0] + 7 * [0.0])
    game.remember(w, torch.arange(64) % 2, torch.ones(64, 1), 0)
    return game, mapping


def apart(game: StyleGame, mapping: Mapping) -> float:
    """By how much the critic takes what was heard for more real than what is imagined."""
    with torch.no_grad():
        real, instrument, style, z = game._draw(torch.Generator().manual_seed(9))
        fake = mapping(z, instrument, style)
        return float((game.critic(real, instrument, style) - game.critic(fake, instrument, style)).mean())


def test_the_critic_of_styles_tells_heard_from_imagined_and_the_mapping_deceives_it():
    game, mapping = styles()
    found = [apart(game, mapping)]
    for loss, player in ((game.critic_loss, game.critic), (game.mapping_loss, mapping)):
        optimiser, rng = Adam(player.parameters(), 3e-3), torch.Generator().manual_seed(1)
        for _ in range(15):
            optimiser.zero_grad()
            loss(mapping, rng).backward()
            optimiser.step()
        found.append(apart(game, mapping))
    assert found[1] > found[0] + 0.1
    assert found[2] < found[1] - 0.1


def test_moves_of_one_side_of_styles_leave_the_other_alone():
    game, mapping = styles()
    game.critic_loss(mapping, torch.Generator().manual_seed(1)).backward()
    assert all(p.grad is None for p in mapping.parameters())
    game.zero_grad()
    game.mapping_loss(mapping, torch.Generator().manual_seed(1)).backward()
    assert all(p.grad is None or not p.grad.any() for p in game.critic.parameters())
    assert all(p.requires_grad for p in game.critic.parameters())


def test_the_bank_holds_the_last_styles_heard():
    """In place of the oldest; the first batch fills it, for zeros would be a strange teacher."""
    bank, count = StyleGame(1, 9, 1, 8, 0.1), 3
    for k in range(7):
        heard = torch.arange(k * count, (k + 1) * count)
        bank.remember(heard.unsqueeze(1).float(), heard % 9, heard.unsqueeze(1).float() / 100, k)
        if k == 0:
            assert bank.bank_w.flatten().tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    newest = range(7 * count - 8, 7 * count)
    assert sorted(bank.bank_w.flatten().tolist()) == list(newest)
    assert torch.equal(bank.bank_instrument, bank.bank_w.flatten().long() % 9)
    torch.testing.assert_close(bank.bank_style, bank.bank_w / 100)


# ---- how fast, and by which seed -------------------------------------------------------------------------------------


def test_learning_rates_rise_and_fall():
    course = [rise_and_fall(step, 1000, 0.3) for step in range(1000)]
    assert (course[0], course[49], course[99], course[700]) == (0.01, 0.5, 1.0, 1.0)
    assert course[850] == pytest.approx(0.5)
    assert course[-1] == pytest.approx(0.02)
    assert rise_and_fall(5000, 0, 0.3) == 1.0  # as long as the end is not known
    assert rise_and_fall(5000, 0, 0.3, peak=3.0) == 3.0


def test_the_adversary_rises_after_the_rehearsal_and_never_jumps():
    game = GameConfig(warm_up=300, ramp=700)
    course = [adversary_rises(step, 20_000, 8000, game) for step in range(20_000)]
    assert (course[8300], course[8650], course[9000], course[-1]) == (0, pytest.approx(0.5), 1, 1)
    short = [adversary_rises(step, 1000, 400, game) for step in range(1000)]
    assert short[400] == 0
    assert short[520] == 1  # within a fifth of the game
    assert max(b - a for a, b in pairwise(short)) < 0.02


def test_every_step_seed_and_process_has_random_numbers_of_its_own(data: Prepared, tmp_path: Path):
    """And the same ones whenever it is played: so a run goes on as it would have gone."""
    thrown: dict[tuple[int, int, int], tuple[int, int]] = {}

    def roll(seed: int, rank: int, at: int) -> tuple[int, int]:
        run = Run(
            tmp_path, data, override(recipe("instrument", "tiny"), TINY | {"seed": seed, "health": 0}), VoiceInfo()
        )
        run.rank, run.world, run.step, run.total = rank, 2, at, 100
        seen: list[tuple[int, int]] = []

        def step(batch: object, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
            seen.append((rng.initial_seed(), torch.initial_seed()))
            return {}

        run.game.step = step  # type: ignore[method-assign]
        run._one_step()
        return seen[0]

    for where in [(seed, rank, at) for seed in (0, 1) for rank in (0, 1) for at in (0, 1, 50)]:
        thrown[where] = roll(*where)
    every = [number for pair in thrown.values() for number in pair]
    assert len(set(every)) == len(every)
    assert roll(1, 1, 50) == thrown[1, 1, 50]
