"""A room around a mix: noise that dies away, which is what a hall's response is like (Moorer, "About this reverberation
business", Computer Music Journal 3:2, 1979)."""

import numpy as np

from antiphon.music.convolve import Convolver

BANDS = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)  # Hz
SHARES = (1.1, 1.05, 1.0, 1.0, 0.9, 0.7, 0.45, 0.25)  # of the decay time, by band: air and walls absorb the highs first
CROSS = (0.8, 0.6)  # how much each side of the room gets of the mix's same and opposite sides
WET = 0.6  # the room's amplitude relative to the dry sound's, at size 1


class Room:
    """Calling it with (n, 2) float32 of a mix returns the next n samples of what the room adds; `seconds` of silence
    must follow until the room is silent.

    size: 0..1, from a small dry room (0.3 s to die away by 60 dB) to a hall (2.5 s). seed: which room.
    """

    def __init__(self, size: float, sample_rate: int, seed: int = 0):
        response = room_response(size, sample_rate, seed)
        self.seconds = len(response) / sample_rate
        self._convolve = Convolver(response * (WET * size))

    def __call__(self, block: np.ndarray) -> np.ndarray:
        near, far = CROSS
        return self._convolve(near * block + far * block[:, ::-1])


def room_response(size: float, sample_rate: int, seed: int = 0) -> np.ndarray:
    """(samples, 2) float32: two independent responses of unit energy."""
    decay = 0.3 + 2.2 * size
    count = round(1.1 * max(SHARES) * decay * sample_rate)
    seconds = np.arange(count) / sample_rate
    noise = np.random.default_rng((seed, 79)).standard_normal((count, 2))
    spectrum, octave = np.fft.rfft(noise, axis=0), np.log2(np.maximum(np.fft.rfftfreq(count, 1 / sample_rate), 1.0))
    response = np.zeros((count, 2))
    for band, share in zip(BANDS, SHARES, strict=True):
        near = np.clip(1 - np.abs(octave - np.log2(band)), 0, 1)[:, None]  # neighbours sum to 1
        falling = 10 ** (-3 * seconds / (decay * share))[:, None]
        response += np.fft.irfft(spectrum * near, count, axis=0) * falling
    response *= np.clip(seconds / 0.01, 0, 1)[:, None]  # the first echoes build up
    early = np.zeros((round((0.005 + 0.02 * size) * sample_rate), 2))  # the time to the walls and back
    response = np.concatenate([early, response])
    return (response / np.sqrt((response**2).sum(axis=0))).astype(np.float32)
