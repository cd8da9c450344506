"""Playing a GAN of the literature: sounds of fixed length, from noise and whatever labels it was trained with."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.parallel import parallel_map
from antiphon.core.registry import choose
from antiphon.data.controls import controls
from antiphon.networks.image_gan import Conditions, limits_of
from antiphon.networks.model import LabelTable
from antiphon.voices.image_model import ImageConfig, ImageModel, ViewConfig, generators
from antiphon.voices.kind import Kind, read_labels, read_numbers
from antiphon.voices.playable import PlayableVoice
from antiphon.voices.voice import VoiceInfo

RELEASE = 0.1  # seconds over which a note released before its end fades out


class ImageVoice(PlayableVoice):
    """Its w is the generator's noise, followed by the style words and by descriptors, 0..1. Descriptors are given among
    the style words, NAME=VALUE, or else drawn as is usual for the instrument. A note sounds on the nearest available
    key, and for as long as the voice's sounds last, or fades out when it is released; velocity, bends and tuning are
    ignored."""

    kind = "image"
    model: ImageModel

    def __init__(self, model: ImageModel, info: VoiceInfo):
        super().__init__(model, info)
        c, self.scales = model.conditions, model.labels.scales
        self.pitched = c.keys > 0
        self.song_part = "voice" if self.pitched else None
        self.longest = model.config.samples / self.sample_rate
        (label, *others) = self.instruments
        if self.pitched and not others and label not in info.range_of:  # it was not conditioned on instruments
            self.info = replace(info, range_of={label: (float(c.lowest), float(c.lowest + c.keys - 1))})

    def untrained(self, seed: int = 0) -> ImageVoice:
        fresh = super().untrained(seed)
        fresh.model.view = self.model.view  # its scale comes from the data and was not learned
        return fresh  # type: ignore[return-value]

    def describe(self) -> str:
        what = "notes on the keys it was trained on" if self.pitched else "sounds without a pitch"
        return f"{what} of {self.longest:.2f} s, drawn by {self.model.config.generator}"

    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0, variation: float = 1.0) -> Tensor:
        name = zlib.crc32(instrument.encode())
        dice = torch.Generator().manual_seed((name << 31) + (seed & 0x7FFFFFFF))
        z = self.model.generator.draw(1, dice)[0] * variation
        rng = np.random.default_rng((name, seed & 0xFFFFFFFF))
        words = [word for word in style if "=" not in word] or self.draw_style(instrument, rng)
        numbers = self._numbers(instrument, [word for word in style if "=" in word], rng, variation)
        return torch.cat([z, torch.tensor([float(word in words) for word in self.styles]), torch.tensor(numbers)])

    def resolve_style(self, words: Sequence[str]) -> tuple[str, ...]:
        said = controls([word for word in words if "=" in word], self.scales)
        plain = super().resolve_style([word for word in words if "=" not in word])
        return (*plain, *(f"{name}={value:g}" for name, value in said.items()))

    def _numbers(self, instrument: str, said: Sequence[str], rng: np.random.Generator, variation: float) -> list[float]:
        """A value for each scale: the one given, or one drawn as is usual for the instrument."""
        told, at = controls(said, self.scales), self.instruments.index(instrument)
        drawn = rng.standard_normal(len(self.scales)) * variation
        usual = [
            float(np.clip(s.usual[at][0] + s.usual[at][1] * x, 0, 1)) for s, x in zip(self.scales, drawn, strict=True)
        ]
        return [told.get(scale.name, value) for scale, value in zip(self.scales, usual, strict=True)]

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
            raise self.cannot("separate tones from noise")
        given = self._given(notes, w)

        def play(i: int) -> np.ndarray:
            # one at a time: estimated phases depend on the last digit of a level, which a batch may change
            sound = self._draw(notes[i], given[i : i + 1]).numpy()[0]
            return _held(sound, notes[i].seconds, self.sample_rate)

        return parallel_map(play, len(notes), threads)

    def _draw(self, note: Note, w: Tensor) -> Tensor:
        """w: (1, noise and styles) -> (1, samples)"""
        noise, words = self.model.generator.noise, len(self.styles)
        label = torch.tensor([self.instruments.index(self.resolve(note.instrument, note.seed))])
        styles, numbers = w[:, noise : noise + words], w[:, noise + words :]
        condition = self.model.conditions.vector(torch.tensor([note.pitch]), label, styles, numbers)
        sound: Tensor = self.model(w[:, :noise], condition)
        return sound


def _held(sound: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """A sound released after `seconds`, if it lasts that long."""
    first, fade = round(seconds * rate), round(RELEASE * rate)
    if first >= len(sound):
        return sound
    short = sound[: first + fade].copy()
    short[first:] *= np.linspace(1, 0, fade, dtype=np.float32)[: len(short) - first]
    return short


# ---- on disk ---------------------------------------------------------------------------------------------------------

SAMPLES = 256, 1 << 20  # shortest and longest sound
CONDITIONING: dict[str, tuple[float, float]] = {
    "keys": (0, 128),
    "lowest": (0, 127),
    "instruments": (0, 10_000),
    "styles": (0, 10_000),
    "descriptors": (0, 100),
}
VIEW = {"window": (0, 8192), "hop": (0, 8192), "bands": (0, 4096)}
LARGEST = 1 << 24  # numbers in an image


def write(model: ImageModel) -> dict[str, Any]:
    return {"config": asdict(model.config) | {"generator": model.config.generator}}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ImageModel:
    labels, raw = read_labels(meta["labels"]), dict(meta["config"])
    if raw.keys() != {"generator", "network", "view", "samples"}:
        raise ValueError("its configuration has other fields")
    make, network = _network(raw["generator"], dict(raw["network"]), labels)
    config = ImageConfig(network, _view(dict(raw["view"])), raw["samples"])
    low, high = SAMPLES
    if type(config.samples) is not int or not low <= config.samples <= high or math.prod(network.shape) > LARGEST:
        raise ValueError("its sounds have no possible length")
    with torch.device("meta"):  # shapes without memory
        claims = make(network).state_dict()
    found = {k.removeprefix("generator."): v.shape for k, v in tensors.items() if k.startswith("generator.")}
    if found != {k: v.shape for k, v in claims.items()}:
        raise ValueError("its weights do not match its configuration")
    return ImageModel(config, labels)


def _network(name: Any, raw: dict[str, Any], labels: LabelTable) -> tuple[Any, Any]:
    """The generator's class and its configuration."""
    config, make = choose(generators(), "generator", str(name))
    conditions = read_numbers(Conditions, raw.pop("conditions"), CONDITIONING)
    told = (conditions.styles, conditions.descriptors)
    if conditions.instruments not in (0, len(labels.instruments)) or told != (len(labels.styles), len(labels.scales)):
        raise ValueError("its label table does not match its configuration")
    if not conditions.instruments and len(labels.instruments) != 1:
        raise ValueError("its label table has names that its network is not conditioned on")
    return make, read_numbers(config, raw, limits_of(config), conditions=conditions)


def _view(raw: dict[str, Any]) -> ViewConfig:
    name, standardised = raw.pop("name"), raw.pop("standardised")
    if not isinstance(name, str) or type(standardised) is not bool:
        raise ValueError("its representation is not one")
    return read_numbers(ViewConfig, raw, VIEW, name=name, standardised=standardised)


KINDS = {"image": Kind(ImageModel, ImageVoice, write, read)}
