"""Whether a recipe can be trained at all, checked before the hours of training and not after."""

from __future__ import annotations

from typing import Any

from antiphon.core.errors import AntiphonError
from antiphon.recipes.override import flatten
from antiphon.training.health.interventions import chosen
from antiphon.training.recipe import Recipe

CARE = {"health": (0.0, 1e6)}  # of every recipe


def check(recipe: Recipe[Any]) -> None:
    """Raises AntiphonError, naming the setting, for one that cannot work."""
    values = dict(flatten(recipe))
    for name, (low, high) in (CARE | dict(recipe.limits)).items():
        if name in values and not low <= values[name] <= high:
            raise AntiphonError(f"{name}={values[name]} cannot work: use {low:g} to {high:g}")
    chosen(recipe.answers)
    recipe.check()
