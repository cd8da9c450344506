"""SpecGAN (Donahue, McAuley & Puckette 2019): a standardised log-magnitude image of 0.37 s, WGAN-GP."""

from __future__ import annotations

from dataclasses import replace

from antiphon.networks.generators.specgan import SIZES
from antiphon.recipes.image import ImageRecipe
from antiphon.recipes.wavegan import WGAN_GP
from antiphon.voices.image_model import ViewConfig

NETWORKS = SIZES | {"tiny": replace(SIZES["base"], channels=2)}


def specgan(size: str = "base", seed: int = 0) -> ImageRecipe:
    """The recipe at one of the sizes tiny, small, base, large; large is the paper's."""
    network = NETWORKS[size]
    view = ViewConfig("log-magnitude", 2 * network.bins, network.bins // 2, standardised=True)
    return ImageRecipe(network, view, WGAN_GP, samples=network.frames * network.bins // 2, seed=seed)


RECIPES = {"specgan": specgan}
