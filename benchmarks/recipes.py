"""What the recipes of the literature cost: parameters and multiply-adds per second of sound of each player at every
size, and (with --prepared FILE) processor seconds of a step on one thread.

    python benchmarks/recipes.py
    python benchmarks/recipes.py --prepared notes.safetensors --size small
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from antiphon.data.prepared import Prepared
from antiphon.image_model import generators
from antiphon.networks.cost import multiply_adds, parameter_count
from antiphon.parts import parts
from antiphon.recipes.contract import SIZES, recipe, recipes
from antiphon.recipes.image import ImageRecipe
from antiphon.training.loop import new_game

SAMPLE_RATE = 44_100


def cost(method: ImageRecipe) -> list[str]:
    """Of both players without labels; the generator's is counted on shapes alone."""
    name = next(k for k, (config, _) in generators().items() if config is type(method.network))
    with torch.device("meta"):
        generator = generators()[name][1](method.network)
        made = multiply_adds(generator, torch.zeros(1, generator.noise), torch.zeros(1, 0))
    critic = parts("antiphon.networks.discriminators", "DISCRIMINATORS")[name](method.network)
    judged = multiply_adds(critic, torch.zeros(1, *generator.shape), torch.zeros(1, 0))
    a_second = [f"{n * SAMPLE_RATE / method.samples / 1e6:,.0f}" for n in (made, judged)]
    million = [f"{parameter_count(p) / 1e6:.2f}" for p in (generator, critic)]
    return [f"{method.samples / SAMPLE_RATE:.2f}", *million, *a_second]


def step_time(method: ImageRecipe, data: Prepared, repeats: int = 3) -> float:
    """Processor seconds of a step, the best of a few."""
    torch.set_num_threads(1)
    game, source = new_game(data, method), method.source(data)
    taken = []
    for k in range(repeats + 1):
        began, moment = time.process_time(), method.at(k, 0)
        game.step(source.batch(k * moment.count, moment.count), moment, torch.Generator().manual_seed(k))
        taken.append(time.process_time() - began)
    return min(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path)
    parser.add_argument("--size", choices=SIZES)
    args = parser.parse_args()
    titles = ["recipe", "size", "s a sound", "G, M", "D, M", "G, M mult-adds a s", "D, M mult-adds a s", "batch"]
    print(f"| {' | '.join([*titles, 'step, s'] if args.prepared else titles)} |")
    for name in sorted(recipes()):
        for size in [args.size] if args.size else SIZES[1:]:
            method = recipe(name, size)
            if not isinstance(method, ImageRecipe):
                continue
            row = [name, size, *cost(method), f"{method.batch} x {method.game.critic_steps}"]
            row += [f"{step_time(method, Prepared(args.prepared)):.2f}"] if args.prepared else []
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
