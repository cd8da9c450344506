"""The textbook's audio GAN, repaired (docs/textbook-gan.md): a log-mel image of 0.74 s, log loss, Adam."""

from __future__ import annotations

from antiphon.networks.generators.dcgan import SIZES, DCGANConfig
from antiphon.recipes.image import ImageRecipe
from antiphon.training.games.image import ImageGameConfig
from antiphon.voices.image_model import ViewConfig

NETWORKS = SIZES | {"tiny": DCGANConfig(bands=32, frames=32, width=0.125)}


def dcgan(size: str = "base", seed: int = 0) -> ImageRecipe:
    """The recipe at one of the sizes tiny, small, base, large; base is the textbook's. `--set game.rule=minimax` is the
    loss as first published."""
    network = NETWORKS[size]
    view = ViewConfig("log-mel", 2048, 512, network.bands)
    return ImageRecipe(network, view, ImageGameConfig(rule="non-saturating"), samples=512 * network.frames, seed=seed)


RECIPES = {"dcgan": dcgan}
