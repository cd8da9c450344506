"""What was cut off, put back: of all sounds that agree with the samples that were not clipped, and are at least as loud
where they were, the one that few frequencies are enough for [A-SPADE, Kitic 2015; Zaviska 2019, algorithm 2]."""

from __future__ import annotations

import numpy as np

FRAME = 2048  # samples
HOP = FRAME // 4
STEPS = 70  # in each of which more frequencies are allowed
PATIENT = 30  # steps after which ever more are: dense music needs many, and what agrees with nothing yet sounds harsh
ENOUGH = 0.02  # distance, re the frame's norm, at which a frame is done
NEAR = 0.98  # of the ceiling: what is louder was clipped
AT_ONCE = 64  # frames


def declipped(frames: np.ndarray, high: np.ndarray, low: np.ndarray, steps: int = STEPS, more: int = 3) -> np.ndarray:
    """frames: (n, FRAME), windowed, in which samples were cut off. high, low: (n, FRAME) where they were, above and
    below. more: frequencies that each step allows at first. -> (n, FRAME), the same where nothing was cut off"""
    x = frames.astype(np.float32)
    scale = np.float32(1 / np.sqrt(2 * FRAME))
    loose = np.zeros((len(x), FRAME + 1), np.complex64)
    active = np.arange(len(x))
    size = np.linalg.norm(frames, axis=1) + 1e-9
    for step in range(1, steps + 1):
        if not len(active):
            break
        known, top, bottom = frames[active], high[active], low[active]
        wide = np.fft.rfft(x[active], 2 * FRAME, axis=1).astype(np.complex64) * scale
        wanted = wide + loose[active]
        allowed = more * step + int(max(step - PATIENT, 0) ** 1.7)
        sparse = np.where(_largest(wanted, allowed), wanted, 0)
        gap = np.linalg.norm(wide - sparse, axis=1) * np.sqrt(2)
        near = np.fft.irfft((sparse - loose[active]) / scale, 2 * FRAME, axis=1)[:, :FRAME]
        near = np.where(top, np.maximum(near, known), np.where(bottom, np.minimum(near, known), known))
        x[active] = near
        loose[active] += np.fft.rfft(near, 2 * FRAME, axis=1).astype(np.complex64) * scale - sparse
        active = active[gap > ENOUGH * size[active]]
    return x


def _largest(spectrum: np.ndarray, count: int) -> np.ndarray:
    """Which `count` bins of each row are the largest."""
    power = spectrum.real**2 + spectrum.imag**2
    if count >= power.shape[1]:
        return np.ones(power.shape, bool)
    least = np.partition(power, power.shape[1] - count, axis=1)[:, -count]
    return np.asarray(power >= least[:, None])


class Declipper:
    """Call it with the next (n, channels) float32 samples: it returns those that are ready; `finish` the rest.

    ceiling: the level at which samples were cut off. What is below it stays bit for bit as it is."""

    def __init__(self, channels: int, ceiling: float):
        self._ceiling = ceiling * NEAR
        window = np.hanning(FRAME + 1)[:-1].astype(np.float32)
        self._window = window / 2  # of four that overlap
        self._kept = np.zeros((FRAME - HOP, channels), np.float32)
        self._out = np.zeros((FRAME - HOP, channels), np.float32)
        self._behind = FRAME - HOP

    def __call__(self, block: np.ndarray) -> np.ndarray:
        self._kept = np.concatenate([self._kept, block])
        ready = []
        while (count := min((len(self._kept) - FRAME) // HOP + 1, AT_ONCE)) > 0:
            ready.append(self._next(count))
        return np.concatenate(ready) if ready else block[:0]

    def finish(self) -> np.ndarray:
        left = len(self._kept) - self._behind
        return self(np.zeros((FRAME + HOP, self._kept.shape[1]), np.float32))[:left]

    def _next(self, count: int) -> np.ndarray:
        part = self._kept[: (count - 1) * HOP + FRAME]
        total = np.concatenate([self._out, np.zeros((count * HOP, part.shape[1]), np.float32)])
        for side in range(part.shape[1]):
            x = np.lib.stride_tricks.sliding_window_view(part[:, side], FRAME)[::HOP]
            high, low = x >= self._ceiling, x <= -self._ceiling
            frames = x * self._window
            hit = (high | low).any(1)
            if hit.any():
                frames[hit] = declipped(frames[hit], high[hit], low[hit])
            for i, frame in enumerate(frames):
                total[i * HOP : i * HOP + FRAME, side] += frame
        done = total[: count * HOP]
        given = part[: count * HOP]
        out = np.where(np.abs(given) >= self._ceiling, done, given)
        self._out, self._kept = total[count * HOP :], self._kept[count * HOP :]
        drop = min(self._behind, len(out))
        self._behind -= drop
        return np.asarray(out[drop:], np.float32)
