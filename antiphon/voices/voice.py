"""A trained voice, ready to use: its labels, the facts about it, and the names of its sounds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import torch

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.resolve import resolve_instrument

C = TypeVar("C")


@dataclass(frozen=True)
class VoiceInfo:
    """Facts about a voice. `styles_of`: for each instrument, the style-word sets met in training with their counts;
    `range_of`: lowest and highest pitch trained on; `takes`: for recorded keys, the takes that notes alternate between;
    for other keys, any will do; `shaping`: how far its knobs are turned in every note [core/note.py]."""

    name: str = "untitled"
    styles_of: dict[str, list[tuple[tuple[str, ...], int]]] = field(default_factory=dict)
    range_of: dict[str, tuple[float, float]] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    sources: tuple[str, ...] = ()
    takes: dict[float, tuple[int, ...]] = field(default_factory=dict)
    shaping: tuple[float, ...] = ()


class Voice(ABC):
    """A model with its label tables, ready to use. Made by `antiphon.load`.

    What it can do is what its class derives from (voices/capabilities.py); in short: `plays` whether it plays notes,
    `pitched` whether a note's pitch matters to it, `blends` whether a w between two others is a sound between theirs,
    `longest` the most seconds that a sound lasts. `kind`: its kind according to its file. `song_part`: the part it can
    take in a song: "voice", any but the drums, or "kit", the drums; None for none. `file`: where it was read from.
    """

    kind: ClassVar[str]
    sample_rate = SAMPLE_RATE
    plays = pitched = blends = False
    longest: float = math.inf
    song_part: str | None = None
    file: Path | None = None

    def __init__(self, model: Any, info: VoiceInfo):
        self.model = model.eval().requires_grad_(False)
        self.info = info

    @property
    def instruments(self) -> tuple[str, ...]:
        """Labels of the instruments it knows."""
        labels: tuple[str, ...] = self.model.labels.instruments
        return labels

    @property
    def styles(self) -> tuple[str, ...]:
        """Style words that it was trained with, such as bright or plucked."""
        words: tuple[str, ...] = self.model.labels.styles
        return words

    @abstractmethod
    def describe(self) -> str:
        """What it can do, in a few words."""

    def able(self, capability: type[C], what: str) -> C:
        """Itself, if it has a capability; otherwise raises AntiphonError, which says that it cannot do `what`."""
        if not isinstance(self, capability):
            raise self.cannot(what)
        return self

    def cannot(self, what: str) -> AntiphonError:
        """The error to raise if this kind of voice is asked to do what only another can."""
        return AntiphonError(f"{self.info.name} cannot {what}: use a voice of instruments, such as gm")

    def untrained(self, seed: int = 0) -> Self:
        """The same voice before its first step: its networks with fresh weights, drawn by `seed`."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return type(self)(type(self.model)(self.model.config, self.model.labels), self.info)

    # ---- names -------------------------------------------------------------------------------------------------------

    def resolve(self, name: str | int | None, seed: int = 0) -> str:
        """An instrument's label from a label, an unambiguous abbreviation, a General MIDI name, number or family.

        If a family has several instruments here, `seed` picks one. Raises AntiphonError with the nearest names."""
        return resolve_instrument(name, self.instruments, seed)

    def resolve_style(self, words: Sequence[str]) -> tuple[str, ...]:
        """Style words from `words`, each of them or an unambiguous beginning of one.

        Raises AntiphonError, which lists those that the voice knows."""
        known = {w.lower(): w for w in self.styles}
        found = []
        for word in words:
            hits = [w for k, w in known.items() if k == word.lower()] or [
                w for k, w in known.items() if k.startswith(word.lower())
            ]
            if len(hits) != 1:
                listed = ", ".join(self.styles) or "none"
                raise AntiphonError(
                    f"style '{word}' is {'ambiguous' if hits else 'unknown'}: this voice knows {listed}"
                )
            found += hits
        return tuple(found)
