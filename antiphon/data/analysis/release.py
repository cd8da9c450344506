"""When a note is released: the knee at which its level begins to fall much faster than before."""

from __future__ import annotations

import numpy as np

from antiphon.audio.envelope import decibels, envelope

HOP = 441  # samples: 10 ms
SPAN = 80  # frames on each side of a knee that must lie on its two lines
LEAST = 8, 5  # frames before a knee, and after it, at least
DEEP = 30.0  # dB below a knee where the line after it ends: below that may be the room or the recording's noise
BEGUN = 6.0  # dB below the peak, above which the note has risen
AUDIBLE = 60.0  # dB below the peak
ENOUGH = 35.0  # dB below the peak, above which there is still something to release
FALL = 15.0  # dB that a release falls, at least,
STEEPER, FASTER = 2.0, 0.3  # this many times faster than before, and this many dB per frame faster
UNREST = 1.0  # dB by which a steady note's level deviates from a line
UNEXPLAINED = 0.6  # share of one line's residual that two lines may leave


def find_release(audio: np.ndarray, hold_hint: int | None = None) -> int:
    """Samples from the onset (sample 0) to the release, or -1 if the sound just decays.

    With a hint (the sidecar's hold), the answer is the hint if the note still sounds there (-60 dB). Without one, two
    joined lines are fitted to the level in decibels around every moment, by least squares; of the moments after which
    the level falls much faster than before, the release is where two lines are likeliest relative to one."""
    level = decibels(envelope(audio, HOP, 3))
    if not len(level):
        return -1
    peak = float(level.max())
    if hold_hint is not None:
        at = min(hold_hint // HOP, len(level) - 1)
        return int(hold_hint) if 0 < hold_hint < len(audio) and level[at] > peak - AUDIBLE else -1
    begun = int(np.argmax(level > peak - BEGUN))
    sounding = level[: int(np.flatnonzero(level > peak - AUDIBLE)[-1]) + 1]
    level = np.append(sounding, np.full(LEAST[1], peak - AUDIBLE))  # so that an abrupt end is a line too
    knees = np.arange(begun + LEAST[0], len(sounding))
    if not len(knees):
        return -1
    low, high = np.maximum(begun, knees - SPAN), knees + _until_deep(level, knees)
    before, after, two, one = _two_lines(level, knees, low, high)
    falls = (after * (high - knees) <= -FALL) & (after < STEEPER * np.minimum(before, 0)) & (after < before - FASTER)
    unrest = UNREST**2 * (high - low)
    likelier = (high - low) * np.log((one + unrest) / (two + unrest))
    likelier *= falls & (two <= UNEXPLAINED * one) & (level[knees] > peak - ENOUGH)
    return int(knees[likelier.argmax()]) * HOP if likelier.max() > 0 else -1


def _until_deep(level: np.ndarray, knees: np.ndarray) -> np.ndarray:
    """(n,) how many frames from each knee to where the level has fallen by DEEP, from LEAST to SPAN."""
    ahead = np.append(level, np.full(SPAN, -np.inf))[knees[:, None] + np.arange(SPAN)]
    return np.clip((ahead < level[knees, None] - DEEP).argmax(1), LEAST[1], SPAN)


def _two_lines(y: np.ndarray, knees: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, ...]:
    """Least squares on y[low:high] by two lines that meet at the knee and by one line, for all (n,) knees at once.
    -> the two lines' slopes, before and after; the residual sums of squares of two lines and of one, (n,) each."""
    t = np.arange(len(y), dtype=np.float64)
    sums = [np.concatenate([[0.0], np.cumsum(x)]) for x in (np.ones_like(t), t, t * t, y, t * y, y * y)]

    def moments(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
        """Sums over y[a:b] of 1, x, x^2, y, x y and y^2, where x is the time since the knee."""
        n, st, stt, sy, sty, syy = (s[b] - s[a] for s in sums)
        return n, st - knees * n, stt - 2 * knees * st + knees * knees * n, sy, sty - knees * sy, syy

    n1, x1, xx1, y1, xy1, yy1 = moments(low, knees + 1)
    n2, x2, xx2, y2, xy2, yy2 = moments(knees + 1, high)
    zero = np.zeros_like(x1)
    normal = np.stack([n1 + n2, x1, x2, x1, xx1, zero, x2, zero, xx2], -1).reshape(-1, 3, 3)
    right = np.stack([y1 + y2, xy1, xy2], -1)
    lines = np.linalg.solve(normal, right[..., None])[..., 0]
    n, x, xx, sy, xy, yy = n1 + n2, x1 + x2, xx1 + xx2, y1 + y2, xy1 + xy2, yy1 + yy2
    slope = (n * xy - x * sy) / (n * xx - x * x)
    two, one = yy - (lines * right).sum(-1), yy - (sy - slope * x) / n * sy - slope * xy
    return lines[:, 1], lines[:, 2], two, one
