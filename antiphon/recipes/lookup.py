"""From a recipe's name to the recipe. A recipe is one file here, with a dictionary `RECIPES` of functions (size, seed)
-> Recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import choose, registry
from antiphon.recipes.check import check
from antiphon.recipes.override import override
from antiphon.training.recipe import SIZES, Recipe


def recipes() -> dict[str, Callable[[str, int], Recipe[Any]]]:
    """Every recipe by name."""
    return registry("antiphon.recipes", "RECIPES")


def recipe(name: str, size: str = "base", seed: int = 0) -> Recipe[Any]:
    """One by name, at one of SIZES. Raises AntiphonError for an unknown name or size."""
    make = choose(recipes(), "recipe", name)
    if size not in SIZES:
        raise AntiphonError(f"no size named '{size}': use {', '.join(SIZES)}")
    made: Recipe[Any] = make(size, seed)
    return made


def recipe_of(name: str, settings: Mapping[str, Any]) -> Recipe[Any]:
    """The recipe of that name with these settings, by their dotted names. Raises AntiphonError for one that cannot
    work."""
    found = override(recipe(name), settings)
    check(found)
    return found
