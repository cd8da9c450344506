"""Whether a recipe can be trained at all, said before the hours and not after them."""

from __future__ import annotations

from antiphon.checkpoint import LIMITS as NETWORK_LIMITS
from antiphon.errors import AntiphonError
from antiphon.losses.adversarial import RULES
from antiphon.recipes.instrument import Recipe
from antiphon.recipes.override import flatten

LIMITS: dict[str, tuple[float, float]] = {  # lowest and highest of what a run could not live without
    **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
    "batch": (1, 4096),
    "samples": (8192, 1 << 20),
    "seed": (0, (1 << 31) - 1),
    "rehearsal": (0, 1),
    "rehearsal_batch": (1, 4096),
    "rehearsal_rate": (0, 100),
    "average": (0, 0.999999),
    "cool_down": (0, 1),
    "game.critic_channels": (1, 512),
    "game.learning_rate": (0, 1),
    "game.critic_rate": (0, 1),
    "game.warm_up": (0, 1e9),
    "game.ramp": (1, 1e9),
    "game.imagined": (1, 4096),
    "game.bank": (1, 1 << 20),
}


def check(recipe: Recipe) -> None:
    """Raises AntiphonError, naming the setting, for one that cannot work."""
    values = dict(flatten(recipe))
    for name, (low, high) in LIMITS.items():
        if name in values and not low <= values[name] <= high:
            raise AntiphonError(f"{name}={values[name]} cannot work: use {low:g} to {high:g}")
    if recipe.samples % 512:
        raise AntiphonError(f"samples={recipe.samples} cannot work: use a multiple of 512")
    if recipe.game.rule not in RULES:
        raise AntiphonError(f"game.rule={recipe.game.rule} is not known: use one of {', '.join(RULES)}")
