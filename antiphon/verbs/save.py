"""Write a sound into a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antiphon.audio.files import Form, write_audio
from antiphon.core.units import SAMPLE_RATE


def save(
    path: str | Path,
    sound: np.ndarray,
    *,
    sample_rate: int = SAMPLE_RATE,
    rate: int | None = None,
    bits: int | None = None,
    mono: bool = False,
    force: bool = False,
) -> Path:
    """Write a sound, (samples,) or (samples, 2) float in [-1, 1], into a file (wav, flac, ogg, mp3, opus, aiff by its
    suffix). -> its path

    sample_rate: of the sound. rate, bits, mono: of the file, as in `play` (default: the sound's own rate, 24 bits). The
    file appears whole or not at all. Raises AntiphonError if it exists, unless force."""
    return write_audio(path, sound, sample_rate=sample_rate, form=Form(rate, bits, mono), force=force)
