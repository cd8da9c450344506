"""Embeddings that sounds are compared in: aiSFX (44.1 kHz, 512 numbers), musicnn (16 kHz, 200), log-mel statistics.

The two networks' weights come inside PyPI packages that pin ancient dependencies, so they are installed without them
    pip install --no-deps aisfx==0.1.2 musicnn==0.1.0
and never imported: the weights are read once, checked by hash, kept as safetensors, and the small networks are written
out below. aiSFX: Ma & Lerch, ISMIR 2022 (CC-BY-4.0). musicnn: Pons & Serra, 2019 (ISC).
One sound gives one vector: its first 2.3 s (aiSFX) or 3 s (musicnn) from the onset, silence appended, level untouched.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from antiphon.errors import AntiphonError
from antiphon.measures.mel import mel_bands, mel_power

SAMPLE_RATE = 44_100
BATCH = 8
STRETCH = 2  # frames
INSTALL = "pip install --no-deps aisfx==0.1.2 musicnn==0.1.0"
AISFX_HASH = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"
MUSICNN_HASH = "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab"
MUSICNN_MODEL = "MTT_musicnn"


class Embedding(Protocol):
    """One vector per sound."""

    name: str
    seconds: float  # how much of a sound it hears

    def __call__(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Sounds, each (samples,) float at 44.1 kHz, to (n, dim) float32."""


def _package_file(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AntiphonError(f"the embedding needs the package {package}: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / name


def _checked(path: Path, expected: str) -> Path:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise AntiphonError(f"{path} is not the expected file (its sha256 differs): {INSTALL} --force-reinstall")
    return path


def _converted(name: str, cache: Path, convert: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Weights from the cache folder, converted into it the first time."""
    path = cache / f"{name}.safetensors"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        save_file({key: value.contiguous() for key, value in convert().items()}, scratch)
        scratch.replace(path)
    return load_file(path)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _padded(sound: np.ndarray, samples: int) -> np.ndarray:
    sound = np.nan_to_num(np.asarray(sound, np.float32)[:samples])
    return np.pad(sound, (0, samples - len(sound)))


def _in_batches(inputs: list[np.ndarray], network: Callable[[Tensor], Tensor]) -> np.ndarray:
    parts = []
    with torch.inference_mode():
        for start in range(0, len(inputs), BATCH):
            batch = torch.from_numpy(np.stack(inputs[start : start + BATCH])).to(_device())
            parts.append(network(batch).float().cpu().numpy())
    return np.concatenate(parts)


class AiSFX:
    """X-Sequential-CE of aiSFX, on the mel spectrogram its authors used (Essentia's: power, unit sum, level kept)."""

    name = "aisfx"
    block, hop, bands, frames = 2_048, 1_024, 96, 100
    seconds = frames * hop / SAMPLE_RATE
    top = 9.457798957824707  # the largest value its authors saw: inputs lie in 0..1

    def __init__(self, cache: Path) -> None:
        weights = _converted(self.name, cache, self._convert)
        self.layers = [self._fold(weights, f"conv_block{block}.", conv) for block in range(1, 5) for conv in (1, 2)]

    @staticmethod
    def _convert() -> dict[str, Tensor]:
        path = _checked(_package_file("aisfx", "models/checkpoint.pth"), AISFX_HASH)
        weights, _ = torch.load(path, map_location="cpu", weights_only=False)  # a pickle: only after its hash agreed
        prefix = "embedding_net."
        return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}

    @staticmethod
    def _fold(weights: dict[str, Tensor], block: str, conv: int) -> tuple[Tensor, Tensor]:
        """A convolution with its batch norm folded in: weight and bias."""
        norm = {key: weights[f"{block}bn{conv}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
        scale = norm["weight"] / torch.sqrt(norm["running_var"] + 1e-5)
        weight = weights[f"{block}conv{conv}.weight"] * scale[:, None, None, None]
        bias = norm["bias"] - norm["running_mean"] * scale
        return weight.to(_device(), memory_format=torch.channels_last), bias.to(_device())

    def spectrogram(self, sound: np.ndarray) -> np.ndarray:
        """(100, 96) float32 in about 0..1 of a sound (samples,)."""
        sound = _padded(sound, (self.frames - 1) * self.hop + 1)
        scale = (self.block / 4) ** 2  # mel_power normalises by the window's sum (block / 2), Essentia does not
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
        return _in_batches([self.spectrogram(sound) for sound in sounds], self.network)


class Musicnn:
    """The last hidden layer of musicnn, trained to tag music: what a listener would say, blind above 8 kHz."""

    name = "musicnn"
    rate, block, hop, bands, frames = 16_000, 512, 256, 96, 187
    seconds = frames * hop / rate

    def __init__(self, cache: Path) -> None:
        self.weights = {key: value.to(_device()) for key, value in _converted(self.name, cache, self._convert).items()}
        self.filters = _slaney_bands(self.rate, self.block, self.bands)

    @staticmethod
    def _convert() -> dict[str, Tensor]:
        from tf_checkpoint import read_checkpoint

        data = _checked(_package_file("musicnn", f"{MUSICNN_MODEL}/.data-00000-of-00001"), MUSICNN_HASH)
        arrays = read_checkpoint(data.with_name(".index"), data)
        kept = {key: value for key, value in arrays.items() if "Adam" not in key and value.ndim}
        return {key: torch.from_numpy(value.copy()) for key, value in kept.items()}

    def spectrogram(self, sound: np.ndarray) -> np.ndarray:
        """(187, 96) float32: log10(1e4 mel + 1), as librosa would compute it."""
        import soxr

        heard = _padded(sound, int(self.seconds * SAMPLE_RATE))
        heard = soxr.resample(heard, SAMPLE_RATE, self.rate)[: (self.frames - 1) * self.hop + 1]
        padded = np.pad(heard, (self.block // 2, self.frames * self.hop))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.block)[:: self.hop][: self.frames]
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
        The norm rises or falls with its input, so the maximum over mel is taken first: of the lowest where it falls."""
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

    def tags(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Probability of each of the model's 50 tags, (n, 50): a check that the network is the one it claims to be."""
        hidden = torch.from_numpy(self(sounds))
        kernel, bias = self.weights["dense_1/kernel"].cpu(), self.weights["dense_1/bias"].cpu()
        return torch.sigmoid(hidden @ kernel + bias).numpy()

    def __call__(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Sounds to (n, 200)."""
        return _in_batches([self.spectrogram(sound) for sound in sounds], self.network)


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


class MelStatistics:
    """No network: 64 mel bands in dB, their mean, spread and mean rise in three stretches of time (576 numbers)."""

    name = "mel"
    seconds = 2.4
    edges = (0.0, 0.1, 0.6, 2.4)  # seconds: attack, body, tail

    def __init__(self, cache: Path | None = None) -> None:
        mel_bands(SAMPLE_RATE, 1_024, 64)

    def _vector(self, sound: np.ndarray) -> np.ndarray:
        power = mel_power(_padded(sound, int(self.seconds * SAMPLE_RATE)), SAMPLE_RATE, 1_024, 256, 64)
        decibels = np.maximum(10 * np.log10(power + 1e-10), -80) / 20
        rise = np.diff(decibels, axis=0, prepend=decibels[:1])
        cuts = [round(edge * SAMPLE_RATE / 256) for edge in self.edges]
        parts = []
        for start, stop in pairwise(cuts):
            part = decibels[start:stop]
            parts += [part.mean(0), part.std(0), 10 * np.abs(rise[start:stop]).mean(0)]
        return np.concatenate(parts).astype(np.float32)

    def __call__(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Sounds to (n, 576)."""
        return np.stack([self._vector(sound) for sound in sounds])


EMBEDDINGS: dict[str, Callable[[Path], Embedding]] = {"aisfx": AiSFX, "musicnn": Musicnn, "mel": MelStatistics}


def load_embedding(name: str, cache: Path) -> Embedding:
    """The embedding called `name`; its converted weights are kept in `cache`."""
    if name not in EMBEDDINGS:
        raise AntiphonError(f"no embedding is called {name!r}: choose among {', '.join(EMBEDDINGS)}")
    return EMBEDDINGS[name](cache)
