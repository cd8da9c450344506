"""Voices whose model encodes and imagines style vectors."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note, mixed
from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.encoders.note import LISTEN, on_sphere
from antiphon.networks.mapping import NOISE
from antiphon.networks.model import StyledModel
from antiphon.voices.capabilities import Encodes
from antiphon.voices.interpolation import exponential, logarithm, slerp
from antiphon.voices.playable import PlayableVoice
from antiphon.voices.voice import VoiceInfo

STYLE_SAMPLES = 64  # style vectors of an instrument from which its typical one and its neighbours are found


class StyledVoice(PlayableVoice, Encodes):
    """A voice whose model encodes and imagines style vectors (networks/model.py)."""

    model: StyledModel

    def __init__(self, model: StyledModel, info: VoiceInfo):
        super().__init__(model, info)
        self._styles: dict[tuple[str, tuple[str, ...], int], Tensor] = {}
        self._known_samples: dict[tuple[str, tuple[str, ...]], Tensor] = {}

    def _shaped(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Notes with the voice's own shaping added to theirs: that of a clone which was turned."""
        own = self.info.shaping
        return [replace(note, shaping=mixed([note.shaping, own], (1, 1))) for note in notes] if own else notes

    # ---- styles ------------------------------------------------------------------------------------------------------

    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0, variation: float = 1.0) -> Tensor:
        """(style,) a style vector from noise. style: style words (default: sampled as they occurred in training).
        variation: 1 is the mapping network's output, 0 the typical sound, and others lie on the arc between them
        (StyleGAN's truncation, on the sphere)."""
        key = (instrument, tuple(style), seed)
        if key not in self._styles:
            self._styles[key] = self._draw(instrument, style, [seed])[0]
        if variation == 1:
            return self._styles[key]
        return slerp(self.typical(instrument, style), self._styles[key], variation)

    def typical(self, instrument: str, style: Sequence[str] = ()) -> Tensor:
        """(style,) the instrument's typical style vector: the one of 64 imagined ones that is nearest to all others. As
        one of them it sounds like one; a mean of several kinds of an instrument may not."""
        samples = self.known(instrument, tuple(style))
        return samples[int(torch.cdist(samples, samples).sum(1).argmin())]

    def vary(self, w: Tensor, instrument: str, style: Sequence[str], seed: int, variation: float) -> Tensor:
        if variation == 0:
            return w
        away = logarithm(self.typical(instrument, style), self.imagine(instrument, style, seed))
        flat = away - (away @ w.double()) / (w.double() @ w.double()) * w.double()  # along the sphere at w
        return exponential(w, variation * flat)

    def stepped(self, w: Tensor, step: Tensor) -> Tensor:
        """(..., style) w, moved along the sphere; a step as long as w is one radian."""
        a, flat = w.double(), step.double()
        square = a.square().sum(-1, keepdim=True)
        flat = flat - (flat * a).sum(-1, keepdim=True) / square * a
        angle = ((flat.square().sum(-1, keepdim=True) + 1e-24) / square).sqrt()
        return on_sphere(torch.cos(angle) * a + torch.sin(angle) / angle * flat)

    def difference(self, a: Tensor, b: Tensor) -> Tensor:
        return (logarithm(a, b) * a.double().norm()).float()

    def nearest(self, w: Tensor) -> str:
        """The instrument with the imagined style vector, of 64 each, that is nearest to w, (style,)."""
        likeness = [float((self.known(label) @ w).max()) for label in self.instruments]
        return self.instruments[int(np.argmax(likeness))]

    def kin(self, w: Tensor, instrument: str) -> Tensor:
        """(style,) the imagined style vector of an instrument that is nearest to w, (style,)."""
        crowd = self.known(instrument)
        return crowd[int((crowd @ w).argmax())]

    def known(self, instrument: str, style: tuple[str, ...] = ()) -> Tensor:
        """(64, style) imagined style vectors of an instrument."""
        key = (instrument, style)
        if key not in self._known_samples:
            self._known_samples[key] = self._draw(instrument, style, range(STYLE_SAMPLES))
        return self._known_samples[key]

    def _draw(self, instrument: str, style: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """(seeds, style) style vectors, each from the noise of its own seed."""
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
