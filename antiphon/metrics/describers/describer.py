"""What a person can name in a sound, and how it is measured. A describer is one file here, with a dictionary
`DESCRIBERS` of one; `describer(voice)` finds the one that suits a voice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from antiphon.core.registry import registry
from antiphon.voices.voice import Voice


class Trait(NamedTuple):
    """name: one word. more: what +1 means, for a person. unit: of the measured value. least: the change that is plainly
    heard, and the least that +1 is to make."""

    name: str
    more: str
    unit: str
    least: float


class Describer(NamedTuple):
    """traits: what is measured, in this order.

    suits: whether a voice's sounds can be measured so.
    play: a voice, a label, (n, style) style vectors and n shapings of notes -> n sounds of the label's usual note, as
    `measure` wants them.
    measure: a sound and the pitch that `pitch` says -> (traits,) finite values.
    pitch: a voice and a label -> the MIDI pitch of its usual note.
    """

    traits: Sequence[Trait]
    suits: Callable[[Voice], bool]
    play: Callable[[Any, str, Tensor, Sequence[tuple[float, ...]]], list[np.ndarray]]
    measure: Callable[[np.ndarray, float], np.ndarray]
    pitch: Callable[[Voice, str], float]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(trait.name for trait in self.traits)

    def heard(
        self, voice: Voice, label: str, w: Tensor, shapings: Sequence[tuple[float, ...]] | None = None
    ) -> np.ndarray:
        """(n, traits) what is measured of the sounds of (n, style) style vectors, with notes shaped (default: not)."""
        pitch = self.pitch(voice, label)
        sounds = self.play(voice, label, w, [()] * len(w) if shapings is None else shapings)
        return np.stack([self.measure(sound, pitch) for sound in sounds])


def describer(voice: Voice) -> Describer:
    """The first describer that suits a voice. Raises AntiphonError if there is none."""
    for found in registry("antiphon.metrics.describers", "DESCRIBERS").values():
        if found.suits(voice):
            chosen: Describer = found
            return chosen
    raise voice.cannot("have its sounds described")
