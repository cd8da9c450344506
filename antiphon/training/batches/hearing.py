"""What recordings have and clean notes lack: a room, a microphone, a noise floor, a level, a trimmed or late onset.

    heard = level . cut (note * room * tone + noise),     each part with probability p, else left out

Only a reference is heard so, never the note to play: the encoder learns to say what plays, not what it was recorded
with. How a reference is heard is a function of (seed, index). It takes about 10 ms of a processor a reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.core.units import SAMPLE_RATE

STREAM = 83  # sets these random numbers apart from those that choose the notes
TRIMMED, LATE = round(0.04 * SAMPLE_RATE), round(0.02 * SAMPLE_RATE)  # samples missing or silent before, at most
ROOM = (0.1, 0.8)  # seconds in which a room dies away by 60 dB
WET = (-18.0, 0.0)  # dB of its energy re the note's own
FIRST_ECHO = (0.002, 0.02)  # seconds
TILT = 3.0  # dB an octave, up or down at most, about PIVOT
PIVOT = 1000.0  # Hz
LOW_CUT = (60.0, 300.0)  # Hz: 12 dB an octave below
NOISE = (-60.0, -35.0)  # dB re the note's loudest tenth of a second
DARKEST = 6.0  # dB an octave by which noise may fall
LEVEL = 12.0  # dB up or down, at most
BLOCK = SAMPLE_RATE // 10


@dataclass(frozen=True)
class Hearing:
    """How one note is heard; the default is as it is.

    trimmed: samples cut off at its onset, or, below 0, of silence before it. room: seconds, wet: dB and echo: seconds;
    tilt: dB an octave; low_cut: Hz; noise: dB and colour: dB an octave; level: dB. seed: of room and noise."""

    trimmed: int = 0
    room: float = 0.0
    wet: float = 0.0
    echo: float = 0.0
    tilt: float = 0.0
    low_cut: float = 0.0
    noise: float | None = None
    colour: float = 0.0
    level: float = 0.0
    seed: int = 0

    def __call__(self, audio: np.ndarray) -> np.ndarray:
        """audio: (samples,) from the onset -> the same length, float32"""
        x = np.pad(audio, (max(-self.trimmed, 0), 0))[: len(audio)]
        if self.room or self.tilt or self.low_cut:
            x = self._in_its_room(x)
        if self.noise is not None:
            x = x + self._noise(x)
        x = x[max(self.trimmed, 0) :] * 10 ** (self.level / 20)
        return np.pad(x, (0, len(audio) - len(x))).astype(np.float32)

    def _in_its_room(self, x: np.ndarray) -> np.ndarray:
        response = self._response()
        size = 1 << (len(x) + len(response) - 1).bit_length()
        hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
        tone = 10 ** (self.tilt / 20 * np.log2(np.maximum(hz, 20.0) / PIVOT))
        if self.low_cut:
            tone /= np.sqrt(1 + (self.low_cut / np.maximum(hz, 1.0)) ** 4)
        return np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(response, size) * tone, size)[: len(x)]

    def _response(self) -> np.ndarray:
        """The direct sound, and noise that dies away."""
        if not self.room:
            return np.ones(1)
        seconds = np.arange(round(self.room * SAMPLE_RATE)) / SAMPLE_RATE
        tail = np.random.default_rng((self.seed, 0)).standard_normal(len(seconds)) * 10 ** (-3 * seconds / self.room)
        tail *= 10 ** (self.wet / 20) / np.sqrt(np.square(tail).sum())
        return np.concatenate([[1.0], np.zeros(round(self.echo * SAMPLE_RATE)), tail])

    def _noise(self, x: np.ndarray) -> np.ndarray:
        blocks = x[: max(len(x) // BLOCK, 1) * BLOCK].reshape(-1, min(BLOCK, len(x)))
        loudest = np.sqrt(np.square(blocks).mean(1).max())
        noise = np.fft.rfft(np.random.default_rng((self.seed, 1)).standard_normal(len(x)))
        hz = np.maximum(np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE), 20.0)
        made = np.fft.irfft(noise * 10 ** (-self.colour / 20 * np.log2(hz / PIVOT)), len(x))
        return made * (loudest * 10 ** ((self.noise or 0.0) / 20) / np.sqrt(np.square(made).mean()))


def hearing(p: float, seed: int, index: int) -> Hearing:
    """How reference `index` of a seed is heard: each part with probability p."""
    if not p:
        return Hearing()
    rng = np.random.default_rng((seed, index, STREAM))
    moved, room, tilted, cut, noisy, level = rng.random(6) < p
    onset = int(rng.integers(1, TRIMMED + 1)) if rng.random() < 0.5 else -int(rng.integers(1, LATE + 1))
    between = [float(rng.uniform(*span)) for span in (ROOM, WET, FIRST_ECHO, LOW_CUT, NOISE, (0.0, DARKEST))]
    tilt, gain = (float(most * rng.uniform(-1, 1)) for most in (TILT, LEVEL))
    return Hearing(
        trimmed=onset * bool(moved),
        room=between[0] * bool(room),
        wet=between[1],
        echo=between[2],
        tilt=tilt * bool(tilted),
        low_cut=between[3] * bool(cut),
        noise=between[4] if noisy else None,
        colour=between[5],
        level=gain * bool(level),
        seed=int(rng.integers(1 << 31)),
    )
