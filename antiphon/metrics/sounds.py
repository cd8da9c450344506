"""Real notes of a list, as they are compared: recordings, shifted recordings, and the notes to request of a voice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from antiphon.audio.mel import cut_tail
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.prepared import Prepared
from antiphon.metrics.lists import Row

LIMIT = 4 * SAMPLE_RATE  # samples: of longer notes the first 4 s are compared


class Sounds:
    """Real, shifted and generated sounds for given rows, each (samples,) float32 at 44.1 kHz.

    limit: samples to compare, if all voices can play that many. called: what to call the instrument of all notes, if
    not by their own labels.
    """

    def __init__(self, prepared: Prepared, rows: Sequence[Row], limit: int = LIMIT, called: str = "") -> None:
        self.prepared, self.rows, self.limit = prepared, list(rows), limit
        labels = prepared.labels
        self.instruments = (called,) * len(labels.instruments) if called else labels.instruments
        self.styles = labels.styles

    def real(self, index: int) -> np.ndarray:
        """A recording, its first 4 s (or what the limit is), cut at -60 dB."""
        return cut_tail(self.prepared.audio(index, 0, min(self.prepared.samples(index), self.limit)))

    def shifted(self, index: int, pitch: float) -> np.ndarray:
        """A recording resampled to another MIDI pitch, as a sampler does: length and formants change too."""
        audio = self.prepared.audio(index, 0, min(self.prepared.samples(index), 4 * LIMIT))
        ratio = 2 ** ((pitch - float(self.prepared.pitch[index])) / 12)
        return soxr.resample(audio, SAMPLE_RATE * ratio, SAMPLE_RATE) if abs(ratio - 1) > 1e-4 else audio

    def note(self, index: int, *, seed: int = 0, raised: float = 0.0) -> Note:
        """The note to request of a voice in place of real note `index`: same pitch, hold, velocity, labels."""
        prepared = self.prepared
        hold = int(prepared.hold[index])
        held = (hold if hold > 0 else prepared.samples(index)) / SAMPLE_RATE
        style = prepared.style[index].numpy()
        return Note(
            pitch=float(prepared.pitch[index]) + raised,
            seconds=min(held, self.limit / SAMPLE_RATE + 0.2),
            velocity=float(prepared.velocity[index]),
            instrument=self.instruments[int(prepared.instrument[index])],
            style=tuple(name for name, on in zip(self.styles, style, strict=True) if on),
            seed=seed,
        )
