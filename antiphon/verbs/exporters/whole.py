"""Exports of a whole voice, which play its networks instead of samples of it.

Such an exporter is a file of this package that offers `WHOLE = {"name": WholeExporter(...)}`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from antiphon.core.registry import registry
from antiphon.verbs.exporters.pack import Files
from antiphon.voices.playable import PlayableVoice


@dataclass(frozen=True)
class Wish:
    """What is to be exported. names: instrument expressions, none for all that the voice has; seed: the first player;
    about: (heading, text) of what there is to know about it; advance: to be called with (done, total)."""

    voice: PlayableVoice
    names: tuple[str, ...]
    seed: int
    about: tuple[tuple[str, str], ...]
    advance: Callable[[int, int], None]


@dataclass(frozen=True)
class WholeExporter:
    """check: raises AntiphonError for a voice that cannot be exported. paths: of the files below the folder `out`; none
    where `out` itself is the file. files: what they contain; "" is `out` itself."""

    check: Callable[[PlayableVoice], None]
    paths: tuple[str, ...]
    files: Callable[[Wish], Files]


def whole_exporters() -> dict[str, WholeExporter]:
    """All formats by name."""
    return registry("antiphon.verbs.exporters", "WHOLE")
