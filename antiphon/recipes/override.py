"""Changing single settings of a recipe by their dotted names, checked: "game.rule", "game.weights.adversarial",
"batch"."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from antiphon.core.errors import AntiphonError

T = TypeVar("T")
FORMERLY = {  # old names of settings, for runs that were begun with them
    "game.learning_rate": "game.optimiser.rate",
    "game.critic_rate": "game.optimiser.critic_rate",
}


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """["game.rule=hinge", "batch=8"] -> {"game.rule": "hinge", "batch": "8"}. Raises AntiphonError."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key.strip() and equals and value.strip()):
            raise AntiphonError(f"'{text}' is not a setting: write it as name=value, such as game.rule=hinge")
        found[key.strip()] = value.strip()
    return found


def override(recipe: T, settings: Mapping[str, Any]) -> T:
    """A copy of a frozen dataclass (nested, with dicts) in which the dotted names of `settings` have new values.

    A value takes the type of the one it replaces; text is parsed. Raises AntiphonError for an unknown name, suggesting
    similar ones, or a value of another type."""
    for name, value in settings.items():
        key = FORMERLY.get(name, name)
        recipe = _replaced(recipe, key.split("."), value, key, recipe)
    return recipe


def flatten(recipe: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of a recipe, or of its JSON, as (dotted name, value)."""
    items = (
        recipe if isinstance(recipe, Mapping) else {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    )
    for name, value in items.items():
        if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _replaced(node: Any, path: list[str], value: Any, key: str, root: Any) -> Any:
    name, rest = path[0], path[1:]
    table = isinstance(node, Mapping)
    known = list(node) if table else [f.name for f in dataclasses.fields(node)]
    nested = name in known and _is_table(node[name] if table else getattr(node, name))
    if name not in known or nested != bool(rest):
        raise _unknown(key, root)
    old = node[name] if table else getattr(node, name)
    new = _replaced(old, rest, value, key, root) if nested else _typed(value, old, key)
    return {**node, name: new} if table else dataclasses.replace(node, **{name: new})


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or dataclasses.is_dataclass(value)


def _unknown(key: str, root: Any) -> AntiphonError:
    names = [name for name, _ in flatten(root)]
    last = key.rsplit(".", 1)[-1]
    near = [n for n in names if n.rsplit(".", 1)[-1] == last] or difflib.get_close_matches(key, names, 3, 0.4)
    return AntiphonError(f"no setting named '{key}': did you mean {', '.join(near or names[:6])}?")


def _typed(value: Any, old: Any, key: str) -> Any:
    """`value` as the type of `old`: bool, int, float or str."""
    kind = type(old)
    try:
        if kind is bool:
            words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            return words[str(value).lower()]
        if kind is int:
            number = float(value)
            if number != int(number):
                raise ValueError
            return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else int(number)
        if kind is float:
            number = float(value)
            if not math.isfinite(number):
                raise ValueError
            return number
        return str(value)
    except (ValueError, KeyError, TypeError, OverflowError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise AntiphonError(f"{key}={value} cannot work: use {wanted}, such as {old}") from None
