"""Filters for sound that comes in blocks."""

import numpy as np


class Convolver:
    """A finite impulse response, applied to a stream by overlap-add in the frequency domain.

    kernel: (taps, channels), or (taps,) for all channels alike. Calling it with (n, channels) float32 returns the next
    n samples of the filtered stream; the last `taps - 1` samples come out when as much silence is fed in.
    """

    def __init__(self, kernel: np.ndarray):
        kernel = np.asarray(kernel, np.float32).reshape(len(kernel), -1)
        self.taps = len(kernel)
        size = max(1 << (4 * self.taps - 1).bit_length(), 8192)
        self.hop = size - self.taps + 1
        self.size = size
        self.spectrum = np.fft.rfft(kernel, size, axis=0)
        self.tail = np.zeros((self.taps - 1, 1), np.float32)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        count = len(block)
        rows = -(-count // self.hop)
        out = np.zeros((rows * self.hop + self.taps - 1, block.shape[1]), np.float32)
        for start in range(0, count, self.hop):
            spectrum = np.fft.rfft(block[start : start + self.hop], self.size, axis=0) * self.spectrum
            out[start : start + self.size] += np.fft.irfft(spectrum, self.size, axis=0)
        out[: self.taps - 1] += self.tail
        self.tail = out[count : count + self.taps - 1].copy()
        return out[:count]
