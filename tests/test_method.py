"""What the method rests on, where a fault would be heard by nobody and only make everything learned a little worse:
whose style is listened to, what is averaged, what processes share, and that what a player asks for arrives."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn

from antiphon.data.prepared import Prepared
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override
from antiphon.training.batches.drum_crops import StrokeSource
from antiphon.training.batches.excerpts import ExcerptSource
from antiphon.training.contract import Game, StepContext
from antiphon.training.ema import Ema
from antiphon.training.loop import Run
from antiphon.training.parallel import any_process, leave, meet, of_all_processes, of_the_first
from antiphon.voices.checkpoint import read_tensors
from antiphon.voices.voice import VoiceInfo

SHARE = 0.25  # of the references, at most, that may be the very note that is copied


@pytest.fixture(scope="module")
def data(prepared: Path) -> Prepared:
    return Prepared(prepared)


# ---- style is heard in another note of the same make -----------------------------------------------------------------


@pytest.mark.parametrize("source", [ExcerptSource, StrokeSource])
def test_three_quarters_of_the_references_are_drawn_anew(data: Prepared, source: type):
    """From a note itself w could carry the note: its pitch, its loudness. A quarter are the note on purpose, and of
    the others one in as many as the preset has notes."""
    drawn = source(data, 8192, 5)
    crops = [drawn._crop(i) for i in range(4000)]
    by_chance = np.mean([1 / len(notes) for notes in drawn.by_preset])
    expected = SHARE + (1 - SHARE) * by_chance
    same = np.mean([crop.reference == crop.note for crop in crops])
    assert abs(same - expected) < 4 * math.sqrt(expected * (1 - expected) / len(crops))
    assert all(data.preset[crop.reference] == data.preset[crop.note] for crop in crops)


def test_a_batch_holds_the_references_that_were_drawn(data: Prepared):
    """Seen in the batch, as training sees it, whichever notes the source says it drew."""
    batch = ExcerptSource(data, 8192, 5).batch(0, 160)
    notes = {data.audio(i, 0, 8192).tobytes(): i for i in range(len(data))}
    heard = [notes[sound[:8192].numpy().tobytes()] for sound in batch.reference]
    assert batch.reference_pitch.tolist() == [float(data.pitch[i]) for i in heard]
    assert batch.preset.tolist() == [int(data.preset[i]) for i in heard]
    begun = [i for i, start in enumerate(batch.gesture.start.tolist()) if start == 0]
    same = np.mean([notes[batch.audio[i].numpy().tobytes()] == heard[i] for i in begun])
    expected = SHARE + (1 - SHARE) / 6  # each preset has six notes to train on
    assert abs(same - expected) < 4 * math.sqrt(expected * (1 - expected) / len(begun))


# ---- what is played is the average of the weights --------------------------------------------------------------------


def filled(value: float) -> nn.Linear:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.fill_(value)
    return layer


def test_an_average_of_long_standing_is_the_sum_of_decaying_shares():
    """decay^n of what it began with, and (1 - decay) decay^k of what there was k steps ago."""
    decay, values = 0.9, [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0]
    average = Ema(filled(7.0), decay)
    for i, value in enumerate(values):
        average.update(filled(value), 10_000 + i)
    ages = range(len(values) - 1, -1, -1)
    closed = decay ** len(values) * 7 + (1 - decay) * sum(decay**k * x for k, x in zip(ages, values, strict=True))
    for weight in average.module.parameters():
        torch.testing.assert_close(weight, torch.full_like(weight, closed), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_a_young_average_forgets_what_it_began_with(steps: int):
    """Of the first weights n! 9! / (n + 9)! is left after n steps, the product of (1 + s) / (10 + s)."""
    average = Ema(filled(1.0), 0.9999)
    for step in range(steps):
        average.update(filled(0.0), step)
    left = math.exp(math.lgamma(steps + 1) + math.lgamma(10) - math.lgamma(steps + 10))
    torch.testing.assert_close(average.module.weight, torch.full((2, 3), left), atol=1e-7, rtol=1e-4)


def test_a_run_saves_the_average_of_what_it_has_been(data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one_step, been = Run._one_step, []

    def stepped(run: Run) -> dict[str, float]:
        been.extend([] if been else [_weights(run.game.model)])
        scalars = one_step(run)
        been.append(_weights(run.game.model))
        return scalars

    monkeypatch.setattr(Run, "_one_step", stepped)
    monkeypatch.setattr(Run, "_preview_if_due", lambda *_: None)
    weights = Run(tmp_path, data, override(recipe("instrument", "tiny"), TINY), VoiceInfo()).train(4, quiet=True)
    saved, state = read_tensors(weights)[0], read_tensors(tmp_path / "state.safetensors")[0]
    for name, average in been[0].items():
        for step, now in enumerate(been[1:]):
            keep = (1 + step) / (10 + step)
            average = keep * average + (1 - keep) * now[name]
        kept = state[f"ema.{name}"].double()
        assert (kept - average).norm() <= 0.01 * (average - been[-1][name]).norm() + 1e-7, name
        assert torch.equal(saved[name], kept.half()), name


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().double() for name, weight in model.named_parameters()}


# ---- two processes with half a batch each are one with the whole -----------------------------------------------------


class Toy(Game):
    """A game of one player, whose gradients are far longer than a step may be."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
        self.set_optimizers({"player": torch.optim.SGD(self.model.parameters(), lr=0.1)})

    def step(self, batch: tuple[Tensor, Tensor], moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        x, y = batch
        return {"norm": self.update("player", F.mse_loss(self.model(x), y))}

    def preview(self, voice: Any, data: Any, folder: Path, step: int) -> Path:
        raise AssertionError("nobody looks at it")


def toy_batch(rank: int, world: int) -> tuple[Tensor, Tensor]:
    """The rank's share of eight examples, of which the second half pulls otherwise and much harder."""
    rng = torch.Generator().manual_seed(2)
    x, y = torch.randn(8, 5, generator=rng), torch.randn(8, 2, generator=rng) + 20
    y[4:] *= -4
    mine = slice(rank * 8 // world, (rank + 1) * 8 // world)
    return x[mine], y[mine]


def played(rank: int, world: int) -> dict[str, list[float]]:
    """What a step has left in this process: gradients, weights and the norm before it was clipped."""
    game = Toy()
    norm = game.step(toy_batch(rank, world), StepContext(0, 1.0, 8 // world), torch.Generator())["norm"]
    own = list(game.model.parameters())
    return {
        "gradient": torch.cat([p.grad.flatten() for p in own]).tolist(),  # type: ignore[union-attr]
        "weight": torch.cat([p.detach().flatten() for p in own]).tolist(),
        "norm": [float(norm)],
    }


def together(place: str, rank: int) -> dict[str, object]:
    """One of two processes' life."""
    meet(place, rank, 2)
    try:
        every = of_all_processes(torch.full((2, 1), float(rank))).flatten().tolist()
        agreed = [any_process(rank == 1), any_process(False)]
        first = of_the_first([3.5 + rank, -rank], torch.device("cpu"))
        return played(rank, 2) | {"every": every, "agreed": agreed, "first": first}
    finally:
        leave()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What each of them has found."""
    place = tmp_path_factory.mktemp("meeting") / "place"
    code = f"import test_method, json; print(json.dumps(test_method.together({str(place)!r}, 1)))"
    path = [str(Path(__file__).parent), *sys.path]
    line = [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"]
    other = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        mine = together(str(place), 0)
        return [mine, json.loads(other.communicate(timeout=120)[0].splitlines()[-1])]
    finally:
        other.kill()


@pytest.mark.parametrize("what", ["gradient", "weight", "norm"])
def test_two_halves_of_a_batch_give_the_gradient_of_the_whole(two_processes: list[dict], what: str):
    """Averaged before they are clipped, or the half that pulls harder would count for less."""
    whole = played(0, 1)
    assert whole["norm"][0] > 2 * Toy.clip
    for found in two_processes:
        np.testing.assert_allclose(found[what], whole[what], rtol=1e-4, atol=1e-6)


def test_processes_tell_each_other_in_order_of_rank(two_processes: list[dict]):
    for found in two_processes:
        assert found["every"] == [0, 0, 1, 1]
        assert found["agreed"] == [True, False]
        assert found["first"] == [3.5, 0]


@pytest.mark.parametrize("step", [0, 3, 9])
def test_processes_share_out_the_excerpts_of_one(data: Prepared, tmp_path: Path, step: int):
    """None is drawn by two, and none is left out."""
    whole = override(recipe("instrument", "tiny"), TINY | {"batch": 4, "rehearsal_batch": 8})
    alone = Run(tmp_path, data, whole, VoiceInfo())
    shares = []
    for rank in range(2):
        run = Run(tmp_path, data, whole.shared(2), VoiceInfo())
        run.rank, run.world = rank, 2
        shares.append(run)
    for run in (alone, *shares):
        run.total = 10
    drawn, parts = alone._batch(step), [run._batch(step) for run in shares]
    for name in ("audio", "reference", "instrument", "style", "cents"):
        assert torch.equal(getattr(drawn, name), torch.cat([getattr(part, name) for part in parts])), name


# ---- a style that is asked for is heard ------------------------------------------------------------------------------


def test_style_words_reach_the_imagination(voice, monkeypatch: pytest.MonkeyPatch):
    """Each at its own place, and no other word with it."""
    told: list[tuple[list[int], list[list[float]]]] = []  # labels, and words

    def mapping(z: Tensor, instrument: Tensor, words: Tensor) -> Tensor:
        told.append((instrument.tolist(), words.tolist()))
        return torch.ones(len(z), 4)

    fresh = type(voice)(voice.model, voice.info)  # which has imagined nothing yet
    monkeypatch.setattr(voice.model.mapping, "forward", mapping)
    assert fresh.styles == ("bowed", "bright", "plucked")
    for words, hot in [(("bright",), [0, 1, 0]), (("plucked", "bowed"), [1, 0, 1])]:
        told.clear()
        fresh.imagine("violin", words, seed=3)
        assert told == [([1], [hot])]
    told.clear()
    fresh.imagine("harp", (), seed=3)  # as they occurred in training
    assert told == [([0], [[0, 0, 1]])]


def test_a_style_changes_what_is_played(voice):
    plain, other = (voice.imagine("violin", (word,), seed=2) for word in ("bright", "plucked"))
    assert torch.equal(plain, voice.imagine("violin", ("bright",), seed=2))
    assert (plain - other).norm() > 1e-2 * plain.norm()
    how = {"instrument": "violin", "seconds": 0.1, "seed": 2}
    sounds = [voice.note(60, style=(word,), **how) for word in ("bright", "plucked")]
    assert len(sounds[0]) != len(sounds[1]) or not np.array_equal(*sounds)
