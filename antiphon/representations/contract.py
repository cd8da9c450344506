"""The contract of representations: sound -> image of the sound -> sound, with shapes, units and a measured loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.representations.spectral import magnitude

MOST_BANDS = 4096  # in an image


class Exactness(NamedTuple):
    """Signal-to-error ratio in dB, at most 200: of the waveform, and of the magnitude spectrogram (2048/512), which
    ignores phase."""

    waveform: float
    magnitude: float


class Representation(nn.Module, ABC):
    """An invertible view of sound. `forward` is `encode`. Everything is float32, whatever the autocast.

    encode: audio (batch, samples) in [-1, 1] -> (batch, *shape(samples)).
    decode: (batch, *shape(samples)) and `samples` -> (batch, samples), for any real numbers, such as a network's.
    Both are differentiable; where a phase has to be estimated, the gradient treats the estimate as a constant.
    A sound's image does not depend on the others in the batch, and silence is decoded as silence.
    """

    units: ClassVar[str]  # of the image's channels
    promise: ClassVar[Exactness]  # at least, for a round trip of a musical note; -inf: no promise

    @abstractmethod
    def shape(self, samples: int) -> tuple[int, ...]:
        """Shape of one sound's image: (channels, samples) or (channels, bins, frames)."""

    @abstractmethod
    def encode(self, audio: Tensor) -> Tensor: ...

    @abstractmethod
    def decode(self, image: Tensor, samples: int) -> Tensor: ...

    def forward(self, audio: Tensor) -> Tensor:
        return self.encode(audio)


def exactness(view: Representation, audio: Tensor) -> Exactness:
    """Exactness of a round trip of audio (batch, samples), over the whole batch."""
    with torch.no_grad():
        back = view.decode(view.encode(audio), audio.shape[-1])
        spectra = [magnitude(x, 2048, 512) for x in (audio, back)]
    return Exactness(_decibels(audio, back), _decibels(*spectra))


def _decibels(truth: Tensor, found: Tensor) -> float:
    signal, error = truth.double().square().sum(), (truth.double() - found.double()).square().sum()
    return min(float(10 * torch.log10(signal / error.clamp_min(1e-300))), 200.0)


def check_bands(bands: int) -> None:
    """Raises AntiphonError for an impossible number of mel bands."""
    if not 2 <= bands <= MOST_BANDS:
        raise AntiphonError(f"an image cannot have {bands} bands: use 2 to {MOST_BANDS}")


def check_audio(audio: Tensor) -> None:
    """Raises AntiphonError for anything but (batch, samples) with at least one sample."""
    if audio.ndim != 2 or audio.shape[-1] == 0:
        raise AntiphonError(
            f"audio must be (batch, samples), not {tuple(audio.shape)}: mix it down, or add a batch axis"
        )


def check_image(image: Tensor, shape: tuple[int, ...]) -> None:
    """Raises AntiphonError for an image whose shape is not (batch, *shape)."""
    if tuple(image.shape[1:]) != shape:
        raise AntiphonError(
            f"an image of that many samples must be (batch, {', '.join(map(str, shape))}), not {tuple(image.shape)}"
        )
