"""GANSynth (Engel 2019): level and instantaneous frequency of 1.49 s in mel bands; the generator is conditioned on the
pitch, which the critic classifies.

`gansynth` plays the paper's game, WGAN-GP; `gansynth-r3gan` a modern one with the same networks: relativistic pairing
with R1 and R2 and no momentum (R3GAN, Huang 2025).
"""

from __future__ import annotations

from dataclasses import replace

from antiphon.networks.generators.gansynth import SIZES, GANSynthConfig
from antiphon.recipes.image import ImageRecipe
from antiphon.training.games.image import ImageGameConfig
from antiphon.training.games.optimisers import OptimiserConfig
from antiphon.voices.image_model import ViewConfig

HOP = 512
NETWORKS = SIZES | {"tiny": GANSynthConfig(bins=128, frames=32, noise=16, channels=2, stages=4)}
WGAN_GP = ImageGameConfig(
    rule="wasserstein",
    lipschitz=10.0,
    drift=0.001,
    optimiser=OptimiserConfig("adam", rate=8e-4, critic_rate=8e-4, beta1=0.0, beta2=0.99),
)
R3GAN = ImageGameConfig(
    rule="relativistic",
    r1=1.0,
    r2=1.0,
    optimiser=OptimiserConfig("adam", rate=2e-4, critic_rate=2e-4, beta1=0.0, beta2=0.99),
)


def gansynth(size: str = "base", seed: int = 0) -> ImageRecipe:
    """The recipe at one of the sizes tiny, small, base, large; large is the paper's. With `--set view.name=if
    view.bands=0` images have bins instead of mel bands."""
    network = NETWORKS[size]
    view = ViewConfig("mel-if", 2048, HOP, network.bins)
    return ImageRecipe(
        network, view, WGAN_GP, samples=HOP * network.frames, batch=8, pitch="yes", average=0.999, seed=seed
    )


def gansynth_r3gan(size: str = "base", seed: int = 0) -> ImageRecipe:
    """The same with a modern game."""
    return replace(gansynth(size, seed), game=R3GAN)


RECIPES = {"gansynth": gansynth, "gansynth-r3gan": gansynth_r3gan}
