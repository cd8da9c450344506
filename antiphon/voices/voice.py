"""A trained voice, ready to play: notes in, sounds out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.data.labelling.resolve import resolve_instrument
from antiphon.networks.generators.instrument import SAMPLE_RATE


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
    """A model with its label tables, ready to play. Made by `antiphon.load`.

    Every sound has a style vector w: what it is, beside its label and what a note says. `kind`: what its file says it
    is. `plays`: whether it can be asked for notes. `pitched`: whether a note's pitch means anything to it. `blends`:
    whether a w between two labels' is a sound between them. `longest`: seconds that a sound lasts, at most.
    """

    kind: ClassVar[str]
    sample_rate = SAMPLE_RATE
    plays = True
    pitched = True
    blends = True
    longest = math.inf

    def __init__(self, model: Any, info: VoiceInfo):
        self.model = model.eval().requires_grad_(False)
        self.info = info

    @property
    def instruments(self) -> tuple[str, ...]:
        """Labels of what it can play."""
        labels: tuple[str, ...] = self.model.labels.instruments
        return labels

    @property
    def styles(self) -> tuple[str, ...]:
        """Words of character that it was taught, such as bright or plucked."""
        words: tuple[str, ...] = self.model.labels.styles
        return words

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

    # ---- styles ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0, variation: float = 1.0) -> Tensor:
        """(style,) a style vector from noise, the same for the same seed.

        instrument: a label. style: words of character; drawn, if none are given, as they occurred in training.
        variation: 1 as varied as training was, 0 the typical sound."""

    def draw_style(self, instrument: str, rng: np.random.Generator) -> tuple[str, ...]:
        """Style words of an instrument, drawn by `rng` as they occurred in training."""
        met = self.info.styles_of.get(instrument, [])
        if not met:
            return ()
        counts = np.array([count for _, count in met], float)
        return met[int(rng.choice(len(met), p=counts / counts.sum()))][0]

    def vary(self, w: Tensor, instrument: str, style: Sequence[str], seed: int, variation: float) -> Tensor:
        """(style,) w, moved as the seed moves the instrument away from its typical sound, `variation` times as far."""
        raise self.cannot("vary a recording")

    def nearest(self, w: Tensor) -> str:
        """The instrument whose style vectors lie nearest to w, (style,)."""
        raise self.cannot("name a recording")

    def encode(
        self, recordings: Sequence[np.ndarray], pitches: Sequence[float], holds: Sequence[float | None] | None = None
    ) -> np.ndarray:
        """(n, style) style vectors of recorded notes.

        recordings: mono float32 at 44.1 kHz, each beginning at its onset; pitches: MIDI; holds: seconds to the
        release, None where there is none."""
        raise self.cannot("listen to a recording")

    def cannot(self, what: str) -> AntiphonError:
        """What to raise where this kind of voice is asked for what another can."""
        return AntiphonError(f"{self.info.name} cannot {what}: that takes an instrument's voice, such as gm")

    # ---- sounds ------------------------------------------------------------------------------------------------------

    def note(self, pitch: float = 60.0, **how: Any) -> np.ndarray:
        """(samples,) float32: one note; the keywords are those of `Note` (instrument, velocity, seconds, style, seed
        ...)."""
        how.setdefault("seconds", 1.0)
        return self.notes([Note(pitch, **how)])[0]

    @abstractmethod
    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        """Each note's sound, (samples,) float32, from its onset to the end of its release; with `parts` (samples, 2),
        its partials and its noise apart, whose sum is the sound.

        w: (n, style) style vectors to use instead of imagined ones. in_tune: play on the key, leaving out the constant
        error of the recordings learned from. A note sounds the same alone and in a list (within rounding).
        threads: how many batches are played at once, one processor each; as many as there are, if not said. The sound
        does not depend on it."""

    def _imagine_all(self, notes: Sequence[Note]) -> Tensor:
        known = {
            key: self.imagine(self.resolve(key[0], key[2]), self.resolve_style(key[1]), key[2])
            for key in {(n.instrument, n.style, n.seed) for n in notes}
        }
        return torch.stack([known[n.instrument, n.style, n.seed] for n in notes])

    def _given(self, notes: Sequence[Note], w: np.ndarray | Tensor | None) -> Tensor:
        """(n, style) the style vectors to play with: w, or imagined ones."""
        if w is None:
            return self._imagine_all(notes) if notes else torch.zeros(0)
        return torch.as_tensor(w, dtype=torch.float32)

    def untrained(self, seed: int = 0) -> Voice:
        """The same voice before its first step: its networks with fresh weights, drawn by `seed`."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return type(self)(type(self.model)(self.model.config, self.model.labels), self.info)
