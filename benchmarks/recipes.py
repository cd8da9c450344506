"""What the recipes cost: parameters of both sides at every size, multiply-adds per second of sound, and (with
--prepared FILE, of notes or of hits) processor seconds per step on one thread, the best of three.

    python benchmarks/recipes.py
    python benchmarks/recipes.py --prepared notes.safetensors --size small --only wavegan instrument
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.prepared import Labels, Prepared
from antiphon.networks.discriminators.scene import pictures
from antiphon.networks.gesture import Gesture
from antiphon.recipes.lookup import recipe, recipes
from antiphon.recipes.override import flatten, override
from antiphon.recipes.sounds import SoundsRecipe
from antiphon.training.contract import Game
from antiphon.training.games.image import ImageGame
from antiphon.training.games.scene import SceneGame
from antiphon.training.games.vocoder import VocoderGame
from antiphon.training.loop import new_game
from antiphon.training.recipe import SIZES, Recipe
from antiphon.voices.cost import multiply_adds, multiply_adds_a_second, parameter_count
from antiphon.voices.kind import voice_of
from antiphon.voices.voice import VoiceInfo

TOTAL = 10_000  # steps of the run that a step is part of
UNTOLD = {"pitch": "no", "instrument": "no", "style": "no", "view.standardised": "no"}  # these depend on the data


def without_data(method: Recipe) -> Game:
    """A game whose players are conditioned on nothing; there is a single label."""
    settings = {name: value for name, value in UNTOLD.items() if name in dict(flatten(method))}
    labels = Labels(("sound",), ({"name": "sound", "instrument": "sound"},), (), ("train",), (), {})
    nothing: Any = SimpleNamespace(labels=labels, pitch=torch.zeros(1), where=lambda split: torch.zeros(1).long())
    return override(method, settings).new_game(nothing)


def heard(game: Any, samples: int) -> tuple[Any, ...]:
    """The critics' inputs for one sound."""
    if isinstance(game, ImageGame):
        return torch.zeros(1, *game.model.generator.shape), torch.zeros(1, 0)
    audio, none = torch.zeros(1, samples), torch.zeros(1).long()
    if isinstance(game, SceneGame):
        with torch.no_grad():
            seen = pictures(game.view(torch.zeros(1, 2, samples)))
        return seen, none, torch.zeros(1, game.model.config.style)
    if isinstance(game, VocoderGame):
        return (audio,)
    gesture = Gesture(audio[:, 0], audio[:, 0], audio[:, 0], none, samples, audio[:, :1], audio[:, :1], none)
    return audio, gesture, none


def cost(method: Any) -> list[str]:
    """The costs of both sides."""
    game = without_data(method)
    made = multiply_adds_a_second(voice_of(game.model, VoiceInfo()))
    judged = multiply_adds(game.critics, *heard(game, method.samples)) * SAMPLE_RATE / method.samples
    million = [f"{parameter_count(side) / 1e6:.2f}" for side in (game.model, game.critics)]
    return [f"{method.samples / SAMPLE_RATE:.2f}", *million, f"{made / 1e6:,.0f}", f"{judged / 1e6:,.0f}"]


def step_time(method: Recipe, data: Prepared, begins: int, repeats: int = 3) -> float:
    """Processor seconds of a step of a run, the best of a few from step `begins` on."""
    torch.set_num_threads(1)
    game, source = new_game(data, method), method.source(data)
    taken = []
    for k in range(repeats + 1):
        began, moment = time.process_time(), method.at(begins + k, TOTAL)
        game.step(source.batch(k * moment.count, moment.count), moment, torch.Generator().manual_seed(k))
        taken.append(time.process_time() - began)
    return min(taken[1:])


def step_times(method: Recipe, data: Prepared) -> str:
    """Times of the game, and of the rehearsal if there is one; "-" for data that the recipe does not take."""
    try:
        method.fits(data)
    except AntiphonError:
        return "-"
    game = f"{step_time(method, data, TOTAL - TOTAL // 10):.2f}"
    return f"{game}, rehearsal {step_time(method, data, 0):.2f}" if method.at(0, TOTAL).rehearsal else game


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path)
    parser.add_argument("--size", choices=SIZES)
    of_sounds = sorted(name for name in recipes() if isinstance(recipe(name), SoundsRecipe))
    parser.add_argument("--only", nargs="+", choices=of_sounds, default=of_sounds)
    args = parser.parse_args()
    titles = ["recipe", "size", "s a sound", "G, M", "D, M", "G, M mult-adds a s", "D, M mult-adds a s", "batch"]
    titles += ["step, s"] if args.prepared else []
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for name in args.only:
        for size in [args.size] if args.size else SIZES[1:]:
            method = recipe(name, size)
            row = [name, size, *cost(method), f"{method.batch} x {getattr(method.game, 'critic_steps', 1)}"]
            row += [step_times(method, Prepared(args.prepared))] if args.prepared else []
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
