"""Keywords that functions pass on: a misspelt one is an error, as it is for functions that name theirs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def check_keywords(function: str, given: Mapping[str, Any], known: type, more: Iterable[str] = ()) -> None:
    """Raises TypeError, with the nearest name, for a keyword that neither the TypedDict `known` nor `more` has."""
    names = [*more, *(name for one in known.__mro__ for name in getattr(one, "__annotations__", {}))]
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"it knows {', '.join(sorted(names))}"
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}': {hint}")
