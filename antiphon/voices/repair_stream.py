"""A repair while the sound comes in: any number of channels, blocks of any size, constant memory.

Streamed or at once, it is the same sound: frames are those of representations/stft.py, and the network takes along its
memory of the past. What comes out is the sound that came in plus what was found to be missing or too much, so that
nothing at all is changed where nothing is to be."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from antiphon.core.parallel import one_thread
from antiphon.networks.generators.repair import (
    BINS,
    HOP,
    REACH_AHEAD,
    WINDOW,
    Spectra,
    corrected,
    features_of,
)
from antiphon.representations.spectral import hann_window
from antiphon.representations.stft import frame_count

HALF = WINDOW // 2
MOST_FRAMES = 128  # at once
LATENCY = WINDOW + REACH_AHEAD * HOP  # samples that have to have come in before the first comes out, at most


class Corrects(Protocol):
    """What says how frames are to be corrected: networks/generators/repair.py's Repair, or a rule."""

    def begin(self, batch: int) -> list[Tensor]: ...

    def adds(self, told: Tensor) -> Tensor: ...

    def __call__(self, features: Tensor, told: Tensor, past: list[Tensor]) -> tuple[Tensor, list[Tensor]]: ...


class RepairStream:
    """Call it with the next (n, channels) float32 samples: it returns those that are ready, (m, channels); `finish`
    returns the rest, so that as many come out as went in.

    told: (2 damages,), as networks/generators/repair.py has it. strength: 1 for the network's repair, 0 for none. mask:
    (BINS,) 0..1, which frequencies may change at all."""

    @torch.inference_mode()
    def __init__(
        self, model: Corrects, told: Tensor, channels: int, strength: float = 1.0, mask: np.ndarray | None = None
    ):
        self._model, self._told, self._channels = model, told.unsqueeze(0), channels
        self._mask = torch.ones(BINS) if mask is None else torch.from_numpy(np.asarray(mask, np.float32))
        self._mask = (self._mask * strength).view(1, 1, BINS, 1)
        self._past, self._adds = model.begin(1), model.adds(self._told)
        self._adding = bool(self._adds.any())
        self._input = torch.zeros(channels, HALF)  # from the left edge of the next frame on
        self._sound = torch.zeros(channels, 0)  # what came in and has not come out
        self._known: list[Spectra] = []  # frames about which nothing has been said yet
        self._change = torch.zeros(channels, WINDOW - HOP)  # from the left edge of the next frame to be corrected
        self._weight = torch.zeros(WINDOW - HOP)
        self._behind = HALF  # of these, samples that lie before the sound
        self._frames = self._said = self._samples = 0

    @one_thread()
    @torch.inference_mode()
    def __call__(self, block: np.ndarray) -> np.ndarray:
        new = torch.from_numpy(np.array(block.T, np.float32))
        self._samples += new.shape[1]
        self._input, self._sound = torch.cat([self._input, new], 1), torch.cat([self._sound, new], 1)
        return self._ready([])

    @one_thread()
    @torch.inference_mode()
    def finish(self) -> np.ndarray:
        """(m, channels): what is left."""
        if not self._samples:
            return np.zeros((0, self._channels), np.float32)
        left = frame_count(self._samples, HOP) - self._frames
        missing = (left - 1) * HOP + WINDOW - self._input.shape[1]
        self._input = torch.nn.functional.pad(self._input, (0, max(missing, 0)))
        out = self._ready([], left)
        nothing = torch.zeros(1, REACH_AHEAD, 3 * BINS)
        rest = self._emit(self._correct(nothing), self._sound.shape[1])
        return np.concatenate([out, rest])

    def _ready(self, out: list[np.ndarray], most: int = 1 << 30) -> np.ndarray:
        """All that can be done with what has come in."""
        while (count := min((self._input.shape[1] - WINDOW) // HOP + 1, most, MOST_FRAMES)) > 0:
            spectra = self._next_spectra(count)
            most -= count
            self._known.append(spectra)
            change = self._correct(features_of(spectra.sound))
            out.append(self._emit(change, max(change.shape[1] - self._behind, 0)))
        return np.concatenate(out) if out else np.zeros((0, self._channels), np.float32)

    def _next_spectra(self, count: int) -> Spectra:
        frames = self._input.unfold(1, WINDOW, HOP)[:, :count]
        self._input = self._input[:, count * HOP :]
        self._frames += count
        window = hann_window(WINDOW, frames.device) * (4 / WINDOW)
        sound = _spectrum(frames * window).unsqueeze(0)
        return Spectra(sound, _spectrum(frames.abs() * window).unsqueeze(0) if self._adding else None)

    def _correct(self, features: Tensor) -> Tensor:
        """Ask the network about the next frames. -> (channels, samples) of the change that are complete now, from the
        left edge of the frame corrected first on"""
        said, self._past = self._model(features, self._told, self._past)
        early = min(max(REACH_AHEAD - self._said, 0), said.shape[1])  # about frames before the first
        self._said += said.shape[1]
        said = said[:, early:]
        if not (count := said.shape[1]):
            return self._change[:, :0]
        whole = [None if None in parts else torch.cat(parts, -1) for parts in zip(*self._known, strict=True)]
        now, later = (
            Spectra(*(None if x is None else x[..., part] for x in whole))  # type: ignore[arg-type]
            for part in (slice(count), slice(count, None))
        )
        self._known = [later]
        change = (corrected(now, said, self._adds) - now.sound) * self._mask
        return self._overlap(change[0])

    def _overlap(self, change: Tensor) -> Tensor:
        """complex (channels, BINS, frames) -> (channels, frames HOP)"""
        window = hann_window(WINDOW, change.device)
        pieces = torch.fft.irfft(change.transpose(1, 2) * _middle(), n=WINDOW) * (window * (WINDOW / 4))
        count = pieces.shape[1]
        total = torch.nn.functional.pad(self._change, (0, count * HOP))
        weight = torch.nn.functional.pad(self._weight, (0, count * HOP))
        for first, (piece, part) in enumerate(zip(pieces.split(HOP, -1), window.square().split(HOP), strict=True)):
            span = slice(first * HOP, (first + count) * HOP)
            total[:, span] += piece.flatten(1)
            weight[span] += part.repeat(count)
        self._change, self._weight = total[:, count * HOP :], weight[count * HOP :]
        return total[:, : count * HOP] / weight[: count * HOP].clamp_min(1e-3)

    def _emit(self, change: Tensor, wanted: int) -> np.ndarray:
        """The next `wanted` samples. change: what is complete of it, which may begin before the sound."""
        skipped = min(self._behind, change.shape[1])
        self._behind -= skipped
        change = change[:, skipped:]
        rest = self._change / self._weight.clamp_min(1e-3)
        change = torch.cat([change, rest[:, self._behind :]], 1)[:, :wanted] if change.shape[1] < wanted else change
        sound, self._sound = self._sound[:, :wanted], self._sound[:, wanted:]
        return (sound + change[:, :wanted]).T.contiguous().numpy()


def _spectrum(frames: Tensor) -> Tensor:
    """(channels, frames, WINDOW) -> complex (channels, BINS, frames), as `representations.stft.stft` has it"""
    return (torch.fft.rfft(frames) * _middle()).transpose(1, 2)


def _middle() -> Tensor:
    return 1 - 2 * (torch.arange(BINS) % 2).float()
