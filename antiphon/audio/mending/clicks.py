"""Clicks found and filled in without a trained part: what no linear prediction expects is a click, and what linear
prediction expects is put in its place (Godsill & Rayner 1998, "Digital Audio Restoration", chapters 4 and 5)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

ORDER = 32  # of the prediction
BLOCK = 8192  # samples looked at together
EDGE = 1024  # of them, those that the neighbouring blocks look at too
SURE = 9.0  # times the usual error that no music makes
HEARD = 0.2  # times the sound around it: what is softer is not heard, and pure tones begin so
ALONE = 2.5  # times the error's usual peaks: strings, reeds and voices have a pulse in every period
LONGEST = 96  # samples of a click; what lasts longer is a drum
WIDEN = 3  # samples on both sides of where it is seen
CROWDED = 0.2  # share of the samples around, above which they are no clicks but a noise that begins
AROUND = 512


def prediction(x: np.ndarray, order: int = ORDER) -> np.ndarray:
    """(order + 1,) the filter 1, a1, ... whose output is what linear prediction did not expect [Levinson-Durbin]."""
    part = x * _window(len(x))
    r = np.array([part[: len(x) - lag] @ part[lag:] for lag in range(order + 1)])
    a = np.zeros(order + 1)
    a[0], error = 1.0, r[0] * (1 + 1e-9) + 1e-12
    for i in range(1, order + 1):
        k = -(r[i] + a[1:i] @ r[i - 1 : 0 : -1]) / error
        a[1 : i + 1] += k * a[i - 1 :: -1][:i]
        error *= max(1 - k * k, 1e-9)
    return a


@lru_cache(4)
def _window(samples: int) -> np.ndarray:
    return np.hanning(samples)


def clicks(x: np.ndarray, a: np.ndarray) -> list[tuple[int, int]]:
    """(begin, end) of each click in (samples,)."""
    error = np.abs(np.convolve(x, a)[: len(x)])
    error[: len(a)] = 0
    usual = _usual(error) + 1e-6
    strange = (error > SURE * usual) & (error > HEARD * _usual(np.abs(x))) & (error > ALONE * _peaks(error))
    found = []
    at = np.flatnonzero(strange)
    if not len(at):
        return []
    for run in np.split(at, np.flatnonzero(np.diff(at) > ORDER // 2) + 1):
        begin, end = max(int(run[0]) - WIDEN, 0), min(int(run[-1]) + 1 + WIDEN, len(x))
        around = strange[max(begin - AROUND, 0) : end + AROUND]
        if end - begin <= LONGEST and around.mean() < CROWDED and not _goes_on(error, usual, begin, end):
            found.append((begin, end))
    return found


def _goes_on(error: np.ndarray, usual: np.ndarray, begin: int, end: int) -> bool:
    """Whether something has begun there: what follows is much less expected than what came before."""
    before, after = error[max(begin - 300, 0) : begin], error[end + 8 : end + 308]
    return bool(len(before) and len(after) and np.median(after) > 3 * np.median(before) + 1e-7)


def _usual(error: np.ndarray, span: int = 512) -> np.ndarray:
    """The median error around each sample."""
    whole = -(-len(error) // span) * span
    parts = np.pad(error, (0, whole - len(error)), mode="edge").reshape(-1, span)
    middle = np.median(parts, 1)
    near = np.maximum(middle, np.minimum(np.roll(middle, 1), np.roll(middle, -1)))
    return np.interp(np.arange(len(error)), (np.arange(len(near)) + 0.5) * span, near) * 1.4826


def _peaks(error: np.ndarray, span: int = 256, reach: int = 8) -> np.ndarray:
    """What most stretches of `span` samples around each sample have for a largest error."""
    whole = -(-len(error) // span) * span
    tops = np.pad(error, (0, whole - len(error))).reshape(-1, span).max(1)
    padded = np.pad(tops, reach, mode="reflect" if len(tops) > reach else "edge")
    most = np.percentile(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), 60, axis=1)
    return np.repeat(most, span)[: len(error)]


def fill(x: np.ndarray, gaps: list[tuple[int, int]], a: np.ndarray) -> np.ndarray:
    """x with what is in the gaps replaced by what makes the prediction's error least (Janssen 1986)."""
    out, order = np.array(x), len(a) - 1
    for begin, end in gaps:
        if begin < order or end + order > len(x):
            continue
        rows = end - begin + order
        span = out[begin - order : end + order].copy()
        span[order : order + end - begin] = 0
        known = np.array([span[i : i + order + 1] @ a[::-1] for i in range(rows)])
        matrix = np.zeros((rows, end - begin))
        for i in range(rows):
            for j in range(max(i - order, 0), min(i + 1, end - begin)):
                matrix[i, j] = a[i - j]
        out[begin:end] = np.linalg.lstsq(matrix, -known, rcond=None)[0]
    return out


class Declicker:
    """Call it with the next (n, channels) float32: it returns those that are ready; `finish` returns the rest."""

    def __init__(self, channels: int):
        self.found = 0
        self._kept = np.zeros((0, channels), np.float32)
        self._first = True

    def __call__(self, block: np.ndarray) -> np.ndarray:
        self._kept = np.concatenate([self._kept, block])
        out = []
        while len(self._kept) >= BLOCK:
            begin = 0 if self._first else EDGE
            mended = self._mended(self._kept[:BLOCK], begin, BLOCK - EDGE)
            out.append(mended[begin : BLOCK - EDGE])
            self._kept = np.concatenate([mended[BLOCK - 2 * EDGE : BLOCK - EDGE], self._kept[BLOCK - EDGE :]])
            self._first = False
        return np.concatenate(out) if out else block[:0]

    def finish(self) -> np.ndarray:
        begin = 0 if self._first else EDGE
        mended = self._mended(self._kept, begin, len(self._kept)) if len(self._kept) > 4 * ORDER else self._kept
        self._kept = self._kept[:0]
        return mended[begin:]

    def _mended(self, part: np.ndarray, begin: int, end: int) -> np.ndarray:
        """A part in which the clicks that begin in begin..end are filled in."""
        out = np.array(part)
        for side in range(part.shape[1]):
            x = part[:, side].astype(float)
            a = prediction(x)
            gaps = [gap for gap in clicks(x, a) if begin <= gap[0] and gap[1] <= end]
            if gaps:
                x = fill(x, gaps, a)
                again = prediction(x)  # without the clicks it predicts better
                x = fill(x, gaps, again)
                self.found += len(gaps)
                for first, last in gaps:
                    out[first:last, side] = x[first:last]
        return out
