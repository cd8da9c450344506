"""From a recipe's name to the recipe. A recipe is one file here, with a dictionary `RECIPES` of functions (size, seed)
-> Recipe."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import part, parts
from antiphon.training.recipe import SIZES, Recipe


def recipes() -> dict[str, Callable[[str, int], Recipe]]:
    """Every recipe by name."""
    return parts("antiphon.recipes", "RECIPES")


def recipe(name: str, size: str = "base", seed: int = 0) -> Recipe:
    """One by name, at one of SIZES. Raises AntiphonError for a name or size unknown."""
    make = part(recipes(), "recipe", name)
    if size not in SIZES:
        raise AntiphonError(f"no size is called '{size}': use {', '.join(SIZES)}")
    made: Recipe = make(size, seed)
    return made
