"""A trained voice, ready to play: notes in, sounds out."""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from antiphon.data.resolve import resolve_instrument
from antiphon.errors import AntiphonError
from antiphon.model import InstrumentModel, StyledModel
from antiphon.networks.encoders.note import LISTEN
from antiphon.networks.generators.instrument import InstrumentGenerator
from antiphon.networks.mapping import NOISE
from antiphon.networks.physics import SAMPLE_RATE
from antiphon.notes import Note
from antiphon.performance import HALF, perform
from antiphon.streams import NoteStream
from antiphon.ways import exponential, logarithm, slerp
from antiphon.workers import spread

BATCH, BATCH_SECONDS = 16, 128.0  # notes a trunk pass, and for how long they are held together, at most
CROWD = 64  # style vectors of an instrument, by which its typical one and its neighbours are found


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


@runtime_checkable
class Stream(Protocol):
    """One note while it is played. It sounds as the same note does when its length is known in advance: 80 dB and more
    below it lies what differs, however the blocks are cut. What was read never depends on what comes later."""

    def read(self, samples: int) -> np.ndarray:
        """(samples,) float32, the next ones at `sample_rate`, at once and however long the note is held; zeros once it
        is done."""

    def release(self) -> None:
        """Let the note go: it is released at the next sample that is read. Letting go again means nothing."""

    @property
    def done(self) -> bool:
        """Whether the note has died away, released or not, so that only zeros would follow."""


@runtime_checkable
class Streams(Protocol):
    """A voice whose notes can be played before anybody knows how long they will be held."""

    def stream(self, note: Note, w: Tensor | None = None) -> Stream:
        """The note, from its onset, held until its `release`: its own seconds mean nothing. w: (style,) a style vector
        to use instead of an imagined one. Streams do not share anything that changes: each may have its own thread."""


class StyledVoice(Voice):
    """A voice whose model hears and imagines style vectors [model.py]."""

    model: StyledModel

    def __init__(self, model: StyledModel, info: VoiceInfo):
        super().__init__(model, info)
        self._styles: dict[tuple[str, tuple[str, ...], int], Tensor] = {}
        self._crowds: dict[tuple[str, tuple[str, ...]], Tensor] = {}

    # ---- styles ------------------------------------------------------------------------------------------------------

    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0, variation: float = 1.0) -> Tensor:
        """(style,) a style vector from noise. Unless style words are given they are drawn as they occurred in
        training. variation: 1 as the mapping network has it, 0 the typical sound, on an arc between (StyleGAN's
        truncation, on the sphere)."""
        key = (instrument, tuple(style), seed)
        if key not in self._styles:
            self._styles[key] = self._draw(instrument, style, [seed])[0]
        if variation == 1:
            return self._styles[key]
        return slerp(self.typical(instrument, style), self._styles[key], variation)

    def typical(self, instrument: str, style: Sequence[str] = ()) -> Tensor:
        """(style,) the instrument's typical style vector: the one of 64 imagined that lies nearest to all others. It
        is one of them, so it sounds like one; a mean of several kinds of an instrument need not."""
        crowd = self._crowd(instrument, tuple(style))
        return crowd[int(torch.cdist(crowd, crowd).sum(1).argmin())]

    def vary(self, w: Tensor, instrument: str, style: Sequence[str], seed: int, variation: float) -> Tensor:
        if variation == 0:
            return w
        away = logarithm(self.typical(instrument, style), self.imagine(instrument, style, seed))
        flat = away - (away @ w.double()) / (w.double() @ w.double()) * w.double()  # along the sphere at w
        return exponential(w, variation * flat)

    def nearest(self, w: Tensor) -> str:
        """The instrument one of whose imagined style vectors, among 64 each, lies nearest to w, (style,)."""
        likeness = [float((self._crowd(label) @ w).max()) for label in self.instruments]
        return self.instruments[int(np.argmax(likeness))]

    def _crowd(self, instrument: str, style: tuple[str, ...] = ()) -> Tensor:
        """(64, style) style vectors of an instrument."""
        key = (instrument, style)
        if key not in self._crowds:
            self._crowds[key] = self._draw(instrument, style, range(CROWD))
        return self._crowds[key]

    def _draw(self, instrument: str, style: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """(seeds, style) style vectors, each from its own seed's noise."""
        z = np.zeros((len(seeds), NOISE), np.float32)
        hot = torch.zeros(len(seeds), len(self.styles))
        for row, seed in enumerate(seeds):
            rng = np.random.default_rng((zlib.crc32(instrument.encode()), seed & 0xFFFFFFFF))
            words = tuple(style) or self.draw_style(instrument, rng)
            hot[row] = torch.tensor([float(word in words) for word in self.styles])
            z[row] = rng.standard_normal((1, NOISE), dtype=np.float32)
        label = torch.full((len(seeds),), self.instruments.index(instrument))
        return self.model.mapping(torch.from_numpy(z), label, hot)

    def encode(
        self, recordings: Sequence[np.ndarray], pitches: Sequence[float], holds: Sequence[float | None] | None = None
    ) -> np.ndarray:
        audio = np.zeros((len(recordings), LISTEN), np.float32)
        for row, recording in zip(audio, recordings, strict=True):
            part = np.asarray(recording, np.float32)[:LISTEN]
            row[: len(part)] = part
        release = [np.inf if h is None else h * SAMPLE_RATE for h in (holds or [None] * len(recordings))]
        pieces = []
        with torch.inference_mode():
            for i in range(0, len(audio), 32):
                s = slice(i, i + 32)
                pitch = torch.tensor(list(pitches[s]), dtype=torch.float32)
                pieces.append(self.model.encoder(torch.from_numpy(audio[s]), pitch, torch.tensor(release[s])))
        return torch.cat(pieces).numpy()


class InstrumentVoice(StyledVoice):
    """The instrument of networks/generators/instrument.py: any pitch, length and loudness, with bends."""

    kind = "instrument"
    model: InstrumentModel

    @cached_property
    def _player(self) -> InstrumentGenerator:
        """The generator as it plays here."""
        return self.model.generator.halved() if HALF else self.model.generator

    @torch.inference_mode()
    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        w, generator = self._given(notes, w), self._player
        batches = _batches([n.seconds for n in notes])

        def play(batch: list[int]) -> list[np.ndarray]:
            own = [notes[i] for i in batch]
            return perform(generator, own, w[batch], in_tune, parts, self.info.takes)

        sounds = spread(lambda k: play(batches[k]), len(batches), threads)
        out: list[np.ndarray] = [np.zeros(0, np.float32)] * len(notes)
        for batch, made in zip(batches, sounds, strict=True):
            for i, sound in zip(batch, made, strict=True):
                out[i] = sound
        return out

    @torch.inference_mode()
    def stream(self, note: Note, w: Tensor | None = None) -> NoteStream:
        """The note while it is played; see `Streams`."""
        w = self._given([note], None if w is None else w.unsqueeze(0))[0]
        return NoteStream(self._player, note, w, takes=self.info.takes)


def _batches(seconds: Sequence[float]) -> list[list[int]]:
    """Indices of notes, the longest first, in batches that take a bounded amount of memory."""
    order = sorted(range(len(seconds)), key=lambda i: -seconds[i])
    batches = []
    while order:
        size = min(max(int(BATCH_SECONDS / seconds[order[0]]), 1), BATCH)
        batches.append(order[:size])
        order = order[size:]
    return batches
