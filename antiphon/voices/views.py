"""Every way to draw a sound as an image, by name: the representations, and those that a voice turns back into sound."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.core.registry import choose, registry
from antiphon.representations.contract import Representation


def representations() -> dict[str, Callable[[], Representation]]:
    """Every representation by name, with its default settings."""
    return registry("antiphon.representations", "REPRESENTATIONS") | registry("antiphon.voices", "REPRESENTATIONS")


def representation(name: str) -> Representation:
    """One by name. Raises AntiphonError for an unknown name."""
    found: Representation = choose(representations(), "representation", name)()
    return found
