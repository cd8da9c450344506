"""Hum taken out as what it is: sines at known frequencies, whose strengths change slowly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.core.units import SAMPLE_RATE

SPAN = 1 << 17  # samples over which a line's strength is measured, 3 s: nothing further than 0.3 Hz away counts
STEP = SPAN // 4


class Dehummer:
    """Call it with the next (n, channels) float32 samples: it returns those that are ready; `finish` the rest.

    lines: the frequencies in Hz. Each line's amplitude in a span is that of the best sine there; what is taken out goes
    from one span's to the next's."""

    def __init__(self, channels: int, lines: Sequence[float], sample_rate: int = SAMPLE_RATE):
        turns = np.outer(np.arange(SPAN), np.asarray(lines, float) / sample_rate)
        self._waves = np.concatenate([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], 1)
        window = np.hanning(SPAN + 1)[:-1]
        self._window = window / 2  # of four that overlap
        self._solve = np.linalg.pinv(self._waves * np.sqrt(window)[:, None]) * np.sqrt(window)
        self._kept = np.zeros((SPAN - STEP, channels))  # zeros before the beginning
        self._hum = np.zeros((SPAN, channels))
        self._behind = SPAN - STEP

    def __call__(self, block: np.ndarray) -> np.ndarray:
        self._kept = np.concatenate([self._kept, block])
        out = []
        while len(self._kept) >= SPAN:
            part = self._kept[:SPAN]
            self._hum += self._window[:, None] * (self._waves @ self._strengths(part))
            ready = (part[:STEP] - self._hum[:STEP]).astype(np.float32)
            drop = min(self._behind, STEP)
            self._behind -= drop
            out.append(ready[drop:])
            self._hum = np.concatenate([self._hum[STEP:], np.zeros((STEP, part.shape[1]))])
            self._kept = self._kept[STEP:]
        return np.concatenate(out) if out else np.asarray(block[:0])

    def _strengths(self, part: np.ndarray) -> np.ndarray:
        """(2 lines, channels); where the sound has not begun or has ended, of the rest."""
        heard = np.abs(part).max(1) > 0
        if heard.mean() > 0.95 or heard.mean() < 0.1:
            return self._solve @ part
        weight = np.sqrt(np.hanning(SPAN + 1)[:-1] + 1e-3)[heard]
        return np.linalg.lstsq(self._waves[heard] * weight[:, None], part[heard] * weight[:, None], rcond=1e-6)[0]

    def finish(self) -> np.ndarray:
        left = len(self._kept) - self._behind
        out = self(np.zeros((SPAN, self._kept.shape[1]), np.float32))
        return out[:left]
