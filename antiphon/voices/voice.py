"""A trained voice, ready to use: its labels, what it says of itself, and the names by which it is asked for sounds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

import torch

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.resolve import resolve_instrument
from antiphon.networks.generators.instrument import SAMPLE_RATE

C = TypeVar("C")


@dataclass(frozen=True)
class VoiceInfo:
    """What a voice says of itself. `styles_of`: for each instrument, the style-word sets met in training with their
    counts; `range_of`: lowest and highest pitch trained on; `takes`: of keys that were recorded, the performances
    that notes take by turns; elsewhere any one will do."""

    name: str = "untitled"
    styles_of: dict[str, list[tuple[tuple[str, ...], int]]] = field(default_factory=dict)
    range_of: dict[str, tuple[float, float]] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    sources: tuple[str, ...] = ()
    takes: dict[float, tuple[int, ...]] = field(default_factory=dict)


class Voice(ABC):
    """A model with its label tables, ready to use. Made by `antiphon.load`.

    What it can do is what its class derives from [voices/capabilities.py]; in short: `plays` whether it is asked for
    notes, `pitched` whether a note's pitch means anything to it, `blends` whether a w between two others' is a sound
    between theirs, `longest` seconds that a sound lasts, at most. `kind`: what its file says it is. `song_part`: which
    part it can take in a song: "voice", any but the drums, or "kit", the drums; None for none.
    """

    kind: ClassVar[str]
    sample_rate = SAMPLE_RATE
    plays = pitched = blends = False
    longest: float = math.inf
    song_part: str | None = None

    def __init__(self, model: Any, info: VoiceInfo):
        self.model = model.eval().requires_grad_(False)
        self.info = info

    @property
    def instruments(self) -> tuple[str, ...]:
        """Labels of what it knows."""
        labels: tuple[str, ...] = self.model.labels.instruments
        return labels

    @property
    def styles(self) -> tuple[str, ...]:
        """Words of character that it was taught, such as bright or plucked."""
        words: tuple[str, ...] = self.model.labels.styles
        return words

    @abstractmethod
    def describe(self) -> str:
        """What it can be asked for, in a few words."""

    def able(self, capability: type[C], what: str) -> C:
        """Itself, if it has a capability. Raises AntiphonError, saying that it cannot do `what`, if it has not."""
        if not isinstance(self, capability):
            raise self.cannot(what)
        return self

    def cannot(self, what: str) -> AntiphonError:
        """What to raise where this kind of voice is asked for what another can do."""
        return AntiphonError(f"{self.info.name} cannot {what}: that takes an instrument's voice, such as gm")

    def untrained(self, seed: int = 0) -> Self:
        """The same voice before its first step: its networks with fresh weights, drawn by `seed`."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return type(self)(type(self.model)(self.model.config, self.model.labels), self.info)

    # ---- names -------------------------------------------------------------------------------------------------------

    def resolve(self, name: str | int | None, seed: int = 0) -> str:
        """An instrument's label from a label, an unambiguous shortening, a General MIDI name, number or family.

        A family with several instruments here picks one by `seed`. Raises AntiphonError with the nearest names."""
        return resolve_instrument(name, self.instruments, seed)

    def resolve_style(self, words: Sequence[str]) -> tuple[str, ...]:
        """Style words from `words`, each of them or an unambiguous beginning of one.

        Raises AntiphonError with those that the voice knows."""
        known = {w.lower(): w for w in self.styles}
        found = []
        for word in words:
            hits = [w for k, w in known.items() if k == word.lower()] or [
                w for k, w in known.items() if k.startswith(word.lower())
            ]
            if len(hits) != 1:
                listed = ", ".join(self.styles) or "none"
                raise AntiphonError(
                    f"style '{word}' is {'ambiguous' if hits else 'not known'}: this voice knows {listed}"
                )
            found += hits
        return tuple(found)
