"""aiSFX: an embedding of sound effects and instruments at 44.1 kHz, 512 numbers (Ma & Lerch, ISMIR 2022; CC-BY-4.0)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.audio.mel import mel_power
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.networks.batching import device, in_batches, padded
from antiphon.metrics.networks.weights import converted, package_file

CHECKPOINT = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"  # sha256 of the package's file
WEIGHTS = "ae7409bb01dec2e7ebae2697ce23e94758623845a32460e3057c50d384427f9d"  # digest of the converted tensors


class AiSFX:
    """X-Sequential-CE of aiSFX, on the mel spectrogram its authors used (Essentia's: power, unit sum, level kept)."""

    name, dim = "aisfx", 512
    block, hop, bands, frames = 2_048, 1_024, 96, 100
    seconds = frames * hop / SAMPLE_RATE
    top = 9.457798957824707  # the largest value its authors met: inputs are in 0..1

    def __init__(self, cache: Path) -> None:
        weights = converted(self.name, cache, WEIGHTS, self._convert)
        self.layers = [self._fold(weights, f"conv_block{block}.", conv) for block in range(1, 5) for conv in (1, 2)]

    @staticmethod
    def _convert() -> dict[str, Tensor]:
        path = package_file("aisfx", "models/checkpoint.pth", CHECKPOINT)
        # A pickle, read by torch's safe reader, which runs no code: besides tensors it may contain one NumPy number.
        number: Any = (np.int64(0).__reduce__()[0], "numpy.core.multiarray.scalar")
        with torch.serialization.safe_globals([number, np.dtype, type(np.dtype("i8"))]):
            weights, _ = torch.load(path, map_location="cpu", weights_only=True)
        prefix = "embedding_net."
        return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}

    @staticmethod
    def _fold(weights: dict[str, Tensor], block: str, conv: int) -> tuple[Tensor, Tensor]:
        """A convolution with its batch norm folded in: weight and bias."""
        norm = {key: weights[f"{block}bn{conv}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
        scale = norm["weight"] / torch.sqrt(norm["running_var"] + 1e-5)
        weight = weights[f"{block}conv{conv}.weight"] * scale[:, None, None, None]
        bias = norm["bias"] - norm["running_mean"] * scale
        return weight.to(device(), memory_format=torch.channels_last), bias.to(device())

    def spectrogram(self, sound: np.ndarray) -> np.ndarray:
        """(100, 96) float32 in about 0..1 of a sound (samples,)."""
        sound = padded(sound, (self.frames - 1) * self.hop + 1)
        scale = (self.block / 4) ** 2  # mel_power normalises by the window's sum (block / 2), unlike Essentia
        power = mel_power(sound, SAMPLE_RATE, self.block, self.hop, self.bands) * scale
        return (np.log10(1e4 * power + 1) / self.top).astype(np.float32)

    def network(self, x: Tensor) -> Tensor:
        """(batch, frames, bands) to (batch, 512)."""
        x = x[:, None].contiguous(memory_format=torch.channels_last)
        for index, (weight, bias) in enumerate(self.layers):
            x = F.relu_(F.conv2d(x, weight, bias, padding=1))
            if index % 2 and index < 7:
                x = F.max_pool2d(x, 2)
        return x.mean(3).amax(2)

    def __call__(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Sounds to (n, 512)."""
        return in_batches([self.spectrogram(sound) for sound in sounds], self.network)
