"""Runs sounds of any length through a network, a few at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

BATCH = 8  # sounds that go through a network together


def device() -> torch.device:
    """The device that networks run on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def padded(sound: np.ndarray, samples: int) -> np.ndarray:
    """A sound's first `samples`, (samples,) float32, padded with silence; non-finite samples are replaced."""
    sound = np.nan_to_num(np.asarray(sound, np.float32)[:samples])
    return np.pad(sound, (0, samples - len(sound)))


def in_batches(inputs: list[np.ndarray], network: Callable[[Tensor], Tensor]) -> np.ndarray:
    """(n, dim) float32: a network's outputs for inputs of one shape."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(inputs), BATCH):
            batch = torch.from_numpy(np.stack(inputs[start : start + BATCH])).to(device())
            parts.append(network(batch).float().cpu().numpy())
    return np.concatenate(parts)
