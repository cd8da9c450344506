"""Sounds of a run, written by the standard library: the training path needs no audio library."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from antiphon.core.units import SAMPLE_RATE


def write_wav(path: Path, sounds: Sequence[np.ndarray]) -> None:
    """Sounds, (samples,) or (samples, channels), one after another with a gap of a quarter of a second, in 16 bits."""
    gap = np.zeros((SAMPLE_RATE // 4, *sounds[0].shape[1:]), np.float32)
    line = np.concatenate([piece for sound in sounds for piece in (sound, gap)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(line.shape[1] if line.ndim > 1 else 1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((line.clip(-1, 1) * 32767).astype("<i2").tobytes())
