"""What happens to a single sound on its way into a file: a room around it, its level, and the form of the file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.audio.files import PLAIN, Form
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.music.master import Meter, check_level
from antiphon.music.room import Room

PEAK = 0.99


@dataclass(frozen=True)
class Finish:
    """room: 0..1, none to a hall, `seed` says which. lufs: loudness, if it is to be changed; gain: dB on top. form: of
    the file. A sound too loud for a file is attenuated."""

    room: float = 0.0
    lufs: float | None = None
    gain: float = 0.0
    form: Form = PLAIN
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.room <= 1:
            raise AntiphonError(f"a room of size {self.room:g} is out of range: use 0 (none) to 1 (a hall)")
        check_level(self.lufs, self.gain)

    def __call__(self, sound: np.ndarray) -> np.ndarray:
        """(samples,) float32 -> (samples,), or (samples, 2) with what the room adds."""
        if self.room:
            room = Room(self.room, SAMPLE_RATE, self.seed)
            left = np.zeros(round(room.seconds * SAMPLE_RATE), np.float32)
            dry = np.repeat(np.concatenate([sound, left])[:, None], 2, axis=1)
            sound = dry + room(dry)
        sound = sound * np.float32(self._level(sound))
        return sound / np.float32(max(1.0, np.abs(sound).max(initial=0) / PEAK))

    def _level(self, sound: np.ndarray) -> float:
        own = 10 ** (self.gain / 20)
        if self.lufs is None:
            return float(own)
        meter = Meter(SAMPLE_RATE)
        meter.add(sound.reshape(len(sound), -1))
        loud = meter.loudness()
        return float(own * 10 ** ((self.lufs - loud) / 20)) if np.isfinite(loud) else 1.0


PLAINLY = Finish()
