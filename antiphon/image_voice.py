"""Playing a GAN of the literature: sounds of one length, from noise and whatever labels it was trained with."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from antiphon.image_model import ImageModel
from antiphon.notes import Note
from antiphon.voice import Voice, VoiceInfo
from antiphon.workers import spread

RELEASE = 0.1  # seconds in which a note held for less than it lasts dies away


class ImageVoice(Voice):
    """Its w is the generator's noise, followed by the style words. A note sounds on the nearest key there is and as
    long as the voice's sounds are, or dies away when it is let go; loudness, bends and tuning it knows nothing of."""

    kind = "image"
    blends = False
    model: ImageModel

    def __init__(self, model: ImageModel, info: VoiceInfo):
        super().__init__(model, info)
        c = model.conditions
        self.pitched = c.keys > 0
        self.longest = model.config.samples / self.sample_rate
        (label, *others) = self.instruments
        if self.pitched and not others and label not in info.range_of:  # it was not told instruments apart
            self.info = replace(info, range_of={label: (float(c.lowest), float(c.lowest + c.keys - 1))})

    def untrained(self, seed: int = 0) -> ImageVoice:
        fresh = super().untrained(seed)
        fresh.model.view = self.model.view  # whose scale is the data's and was not learned
        return fresh  # type: ignore[return-value]

    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0, variation: float = 1.0) -> Tensor:
        name = zlib.crc32(instrument.encode())
        dice = torch.Generator().manual_seed((name << 31) + (seed & 0x7FFFFFFF))
        z = self.model.generator.draw(1, dice)[0] * variation
        words = tuple(style) or self.draw_style(instrument, np.random.default_rng((name, seed & 0xFFFFFFFF)))
        return torch.cat([z, torch.tensor([float(word in words) for word in self.styles])])

    @torch.inference_mode()
    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        if parts:
            raise self.cannot("tell tones from noise")
        given = self._given(notes, w)

        def play(i: int) -> np.ndarray:
            # one at a time: phases that are guessed hang on the last digit of a level, which a batch may change
            sound = self._draw(notes[i], given[i : i + 1]).numpy()[0]
            return _held(sound, notes[i].seconds, self.sample_rate)

        return spread(play, len(notes), threads)

    def _draw(self, note: Note, w: Tensor) -> Tensor:
        """w: (1, noise and styles) -> (1, samples)"""
        noise = self.model.generator.noise
        label = torch.tensor([self.instruments.index(self.resolve(note.instrument, note.seed))])
        condition = self.model.conditions.vector(torch.tensor([note.pitch]), label, w[:, noise:])
        sound: Tensor = self.model(w[:, :noise], condition)
        return sound


def _held(sound: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """A sound that is let go after so many seconds, if it lasts that long."""
    first, fade = round(seconds * rate), round(RELEASE * rate)
    if first >= len(sound):
        return sound
    short = sound[: first + fade].copy()
    short[first:] *= np.linspace(1, 0, fade, dtype=np.float32)[: len(short) - first]
    return short
