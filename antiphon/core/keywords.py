"""Keywords: those that functions pass on, of which a misspelt one is an error, and older names of some."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def check_keywords(function: str, given: Mapping[str, Any], known: type, more: Iterable[str] = ()) -> None:
    """Raises TypeError, with the nearest name, for a keyword that neither the TypedDict `known` nor `more` has."""
    names = [*more, *(name for one in known.__mro__ for name in getattr(one, "__annotations__", {}))]
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"it knows {', '.join(sorted(names))}"
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}': {hint}")


def renamed(**names: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Has a function take keywords by their older names too: old="new"."""

    def also(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def called(*args: P.args, **given: P.kwargs) -> T:
            for old in names.keys() & given.keys():
                if names[old] in given:
                    raise TypeError(f"{function.__name__}() got both '{names[old]}' and '{old}', its older name")
                given[names[old]] = given.pop(old)
            return function(*args, **given)

        return called

    return also
