"""musicnn: the last hidden layer of a network that tags music, 16 kHz, 200 numbers (Pons & Serra 2019; ISC)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.networks.batching import device, in_batches, padded
from antiphon.metrics.networks.tf_checkpoint import read_checkpoint
from antiphon.metrics.networks.weights import converted, package_file

CHECKPOINT = "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab"  # sha256 of the package's file
WEIGHTS = "ba81738b87a14e9985df3549c2baf75846e6a7d9fc0073e466d17eb44fdef391"  # digest of the converted tensors
MODEL = "MTT_musicnn"
STRETCH = 2  # frames


class Musicnn:
    """The last hidden layer of musicnn, trained to tag music as listeners do; deaf above 8 kHz."""

    name, dim = "musicnn", 200
    rate, block, hop, bands, frames = 16_000, 512, 256, 96, 187
    seconds = frames * hop / rate

    def __init__(self, cache: Path) -> None:
        kept = converted(self.name, cache, WEIGHTS, self._convert)
        self.weights = {key: value.to(device()) for key, value in kept.items()}
        self.filters = _slaney_bands(self.rate, self.block, self.bands)

    @staticmethod
    def _convert() -> dict[str, Tensor]:
        data = package_file("musicnn", f"{MODEL}/.data-00000-of-00001", CHECKPOINT)
        arrays = read_checkpoint(data.with_name(".index"), data)
        kept = {key: value for key, value in arrays.items() if "Adam" not in key and value.ndim}
        return {key: torch.from_numpy(value.copy()) for key, value in kept.items()}

    def spectrogram(self, sound: np.ndarray) -> np.ndarray:
        """(187, 96) float32: log10(1e4 mel + 1), as librosa would compute it."""
        import soxr

        heard = padded(sound, int(self.seconds * SAMPLE_RATE))
        heard = soxr.resample(heard, SAMPLE_RATE, self.rate)[: (self.frames - 1) * self.hop + 1]
        framed = np.pad(heard, (self.block // 2, self.frames * self.hop))
        frames = np.lib.stride_tricks.sliding_window_view(framed, self.block)[:: self.hop][: self.frames]
        window = np.hanning(self.block + 1)[:-1].astype(np.float32)
        power = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32) ** 2
        return np.log10(1e4 * (power @ self.filters.T) + 1).astype(np.float32)

    def _norm(self, x: Tensor, index: int) -> Tensor:
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
        scale = self.weights[f"{name}/gamma"] * torch.rsqrt(self.weights[f"{name}/moving_variance"] + 1e-3)
        shift = self.weights[f"{name}/beta"] - self.weights[f"{name}/moving_mean"] * scale
        return x * scale.view(shape) + shift.view(shape)

    def _front(self, x: Tensor, index: int) -> Tensor:
        """A convolution of the spectrogram (batch, 1, time, mel), its norm, the maximum over mel: (batch, c, time).

        By matrix products over a few frames at a time, which stay in the cache: several times F.conv2d's speed.
        The norm is monotonic, so the maximum over mel is taken first, or the minimum where the norm falls."""
        name = f"conv2d_{index}" if index else "conv2d"
        kernel, bias = self.weights[f"{name}/kernel"], self.weights[f"{name}/bias"]  # (time, mel, 1, c)
        high, wide, _, channels = kernel.shape
        rising = self.weights[f"batch_normalization_{index + 1}/gamma"] >= 0
        patches = F.pad(x, (0, 0, (high - 1) // 2, high // 2))[:, 0].unfold(1, high, 1).unfold(2, wide, 1)
        tops = []
        for part in patches.split(STRETCH, 1):
            hidden = torch.addmm(bias, part.reshape(-1, high * wide), kernel.reshape(-1, channels))
            hidden = hidden.view(*part.shape[:3], channels)
            tops.append(torch.where(rising, hidden.amax(2), hidden.amin(2)))
        return self._norm(F.relu(torch.cat(tops, 1)).transpose(1, 2), index + 1)

    def _middle(self, x: Tensor, index: int) -> Tensor:
        """A convolution over time (batch, c, time), all channels at once."""
        kernel = self.weights[f"conv2d_{index}/kernel"][:, :, 0].permute(2, 1, 0)
        return self._norm(F.relu(F.conv1d(x, kernel, self.weights[f"conv2d_{index}/bias"], padding=3)), index + 1)

    def network(self, x: Tensor) -> Tensor:
        """(batch, 187, 96) to (batch, 200)."""
        spectrogram = self._norm(x[:, None], 0)
        front = torch.cat([self._front(spectrogram, index) for index in range(5)], 1)
        first = self._middle(front, 5)
        second = first + self._middle(first, 6)
        third = second + self._middle(second, 7)
        features = torch.cat([front, first, second, third], 1)
        pooled = self._norm(torch.stack([features.amax(2), features.mean(2)], 2).flatten(1), 9)
        hidden = F.relu(pooled @ self.weights["dense/kernel"] + self.weights["dense/bias"])
        return self._norm(hidden, 10)

    def __call__(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Sounds to (n, 200)."""
        return in_batches([self.spectrogram(sound) for sound in sounds], self.network)


def _slaney_bands(rate: int, size: int, bands: int) -> np.ndarray:
    """librosa's default mel filters: linear below 1 kHz, logarithmic above, of equal area; (bands, size // 2 + 1)."""
    step = np.log(6.4) / 27  # a mel above 1 kHz
    top = 15 + np.log(rate / 2 / 1000) / step
    mels = np.linspace(0, top, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    bins = np.fft.rfftfreq(size, 1 / rate)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    weights = np.maximum(np.minimum(rise, fall), 0) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return weights.astype(np.float32)
