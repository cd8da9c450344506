"""Every way to draw a sound as an image, by name: the representations, and those whose way back to sound is a voice."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.core.registry import part, parts
from antiphon.representations.contract import Representation


def representations() -> dict[str, Callable[[], Representation]]:
    """Every representation by name, at its usual settings."""
    return parts("antiphon.representations", "REPRESENTATIONS") | parts("antiphon.voices", "REPRESENTATIONS")


def representation(name: str) -> Representation:
    """One by name. Raises AntiphonError for a name unknown."""
    found: Representation = part(representations(), "representation", name)()
    return found
