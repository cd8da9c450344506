"""What the GANs of the literature share: noise and labels in, an image of a sound out; and a critic of the image.

An image is whatever a representation encodes: (channels, bins, frames), or (1, samples) for a waveform, in [-1, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, get_type_hints

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError

USUAL: dict[type, tuple[Any, Any]] = {int: (0, 1 << 14), float: (-1e6, 1e6), bool: (False, True)}


@dataclass(frozen=True)
class Conditions:
    """What a network is conditioned on; all 0, the default, is nothing.

    keys: MIDI keys from `lowest` on, one-hot. instruments: one-hot. styles: words, multi-hot. descriptors: numbers,
    0 to 1.
    """

    keys: int = 0
    lowest: int = 21
    instruments: int = 0
    styles: int = 0
    descriptors: int = 0

    @property
    def size(self) -> int:
        return self.keys + self.instruments + self.styles + self.descriptors

    def key(self, pitch: Tensor) -> Tensor:
        """(batch,) MIDI pitch -> (batch,) index of the nearest available key."""
        return (pitch.round().long() - self.lowest).clamp(0, self.keys - 1)

    def vector(
        self,
        pitch: Tensor,
        instrument: Tensor | None = None,
        style: Tensor | None = None,
        numbers: Tensor | None = None,
    ) -> Tensor:
        """pitch (batch,), instrument (batch,) index, style (batch, styles), numbers (batch, descriptors) -> (batch,
        size). What the network is not conditioned on may be left out."""
        parts = [pitch.new_zeros(len(pitch), 0, dtype=torch.float32)]
        if self.keys:
            parts.append(F.one_hot(self.key(pitch), self.keys).float())
        if self.instruments:
            assert instrument is not None
            parts.append(F.one_hot(instrument, self.instruments).float())
        if self.styles:
            assert style is not None
            parts.append(style.float())
        if self.descriptors:
            assert numbers is not None
            parts.append(numbers.float())
        return torch.cat(parts, 1)


def limits_of(config: type) -> dict[str, tuple[Any, Any]]:
    """Lowest and highest value of every setting of a generator's configuration except its conditions: from `limits` of
    its class, or USUAL for its type. They apply to recipes and to any voice that is read. Raises AntiphonError for a
    setting that is neither a number nor a bool."""
    own, types = getattr(config, "limits", {}), get_type_hints(config)
    found = {f.name: own.get(f.name) or USUAL.get(types[f.name]) for f in fields(config) if f.name != "conditions"}
    for name, limits in found.items():
        if limits is None:
            raise AntiphonError(f"{config.__name__}.{name} cannot be saved: make it an int, a float or a bool")
    return found  # type: ignore[return-value]


class Judgement(NamedTuple):
    """A critic's judgement of a batch.

    logits: (batch,) how real. keys: (batch, keys) logits of the pitch, if it classifies that. features: of its layers.
    """

    logits: Tensor
    keys: Tensor | None
    features: list[Tensor]


class ImageGenerator(nn.Module, ABC):
    """z (batch, noise) and condition (batch, conditions.size) -> (batch, *shape) in [-1, 1]."""

    noise: int
    shape: tuple[int, ...]

    @abstractmethod
    def forward(self, z: Tensor, condition: Tensor) -> Tensor: ...

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """(count, noise) standard normal, drawn on the CPU, so that a seed means the same everywhere."""
        return torch.randn(count, self.noise, generator=rng)


class ImageCritic(nn.Module, ABC):
    """x (batch, *shape) and condition (batch, conditions.size) -> Judgement."""

    @abstractmethod
    def forward(self, x: Tensor, condition: Tensor) -> Judgement: ...


class StridedCritic(ImageCritic):
    """`layers`, which halve the image, each followed by LeakyReLU(0.2) and `dropout`; then `head`."""

    layers: nn.ModuleList
    dropout: nn.Dropout
    head: Projection

    def forward(self, x: Tensor, condition: Tensor) -> Judgement:
        features = []
        for layer in self.layers:
            x = self.dropout(F.leaky_relu(layer(x), 0.2))
            features.append(x)
        return Judgement(self.head(x.flatten(1), condition), None, features)


def glorot(layer: nn.Module) -> None:
    """Glorot's uniform weights (the default of the framework that WaveGAN and SpecGAN were written in), no biases.

    For `module.apply`."""
    if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class Projection(nn.Module):
    """The last layer of a conditional critic (Miyato 2018): logit = v . h + (E c) . h; without a condition, v . h.

    h: (batch, features), c: (batch, conditions) -> (batch,), in float32 under any autocast
    """

    def __init__(self, features: int, conditions: int):
        super().__init__()
        self.score = nn.Linear(features, 1)
        self.label = nn.Linear(conditions, features, bias=False) if conditions else None
        if self.label is not None:  # on the scale of the score, however many features there are
            nn.init.uniform_(self.label.weight, -(features**-0.5), features**-0.5)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        with torch.autocast(h.device.type, enabled=False):
            h = h.float()
            logits = self.score(h).squeeze(-1)
            return logits if self.label is None else logits + (self.label(condition.float()) * h).sum(-1)
