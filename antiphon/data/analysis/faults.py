"""What is wrong inside a long recording, and when: silence, clipping, wind on the microphone, mains hum, a voice that
announces it. It is heard in blocks, so that memory does not grow with the recording's length.

    for fault in find_faults(audio_blocks("street.wav"), 48000): print(fault)     # wind bump 0:12.3-0:12.9
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

FRAME = 0.1  # seconds from one look to the next; each sees twice as much
SILENT_DB, SILENT_SECONDS = -80.0, 0.5  # dBFS below which nothing was recorded, and for how long
KEPT = 0.1  # seconds of silence that stay at both ends of a sound
CLIPPED, RUN, FLAT, FLAT_RUN = 0.985, 3, 0.2, 8  # full scale; samples in a row there, or alike above FLAT
LOW = 100.0  # Hz: wind on a capsule is below it
GUST_DB, GUST_SHARE_DB, GUST_AGREES = 15.0, 6.0, 0.6  # over its median; over all above LOW; correlation of channels
GUST_LONGEST = 5.0  # seconds: what rumbles longer belongs to the place
MAINS, HARMONICS, HUM_SECONDS, HUM_DB = (
    (50.0, 60.0),
    6,
    4.0,
    12.0,
)  # Hz; lines looked at; a look; over their surroundings
SPOKEN_LONGEST, SPOKEN_WITHIN, SPOKEN_LEAST = 12.0, 3.0, 20.0  # seconds: of a slate; from the end; of a recording
VOICE_LOW, VOICE_HIGH, VOICED = 80.0, 400.0, 0.5  # Hz of a voice; how periodic it is
LEFT_OUT = frozenset({"silence", "clipping", "wind bump", "spoken slate"})  # kinds that make a stretch unusable


@dataclass(frozen=True)
class Fault:
    """What is wrong from `start` to `stop`, in seconds. kind: silence, clipping, wind bump, spoken slate or mains hum;
    detail: how much of it."""

    kind: str
    start: float
    stop: float
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {clock(self.start)}-{clock(self.stop)}{f' ({self.detail})' if self.detail else ''}"


def clock(seconds: float) -> str:
    """ "0:03.2", "1:02:03.5"."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, tenths % 600 / 10
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def find_faults(blocks: Iterable[np.ndarray], sample_rate: int) -> list[Fault]:
    """The faults of a recording, in order of time. blocks: (n, channels) float32, one after another."""
    looks = _Looks(sample_rate)
    for block in blocks:
        looks.add(block)
    return looks.faults()


def usable(faults: Iterable[Fault], seconds: float, shortest: float = 0.25) -> list[tuple[float, float]]:
    """The stretches, (start, stop) in seconds, that no fault makes unusable and that last at least `shortest`."""
    bad = sorted((fault.start, fault.stop) for fault in faults if fault.kind in LEFT_OUT)
    found, at = [], 0.0
    for start, stop in [*bad, (seconds, seconds)]:
        if start - at >= shortest:
            found.append((at, start))
        at = max(at, stop)
    return found


class _Looks:
    """What is measured while a recording passes: a row of numbers for every frame."""

    def __init__(self, sample_rate: int):
        self.rate, self.hop = sample_rate, max(round(FRAME * sample_rate), 8)
        self.window = np.hanning(2 * self.hop).astype(np.float32)[:, None]
        self.hz = np.fft.rfftfreq(2 * self.hop, 1 / sample_rate)
        self.seen = 0
        self.rest = self.long = np.zeros((0, 1), np.float32)
        self.rows: list[np.ndarray] = []  # (frames, len(ROW)) each
        self.hum: np.ndarray | None = None
        self.hums = 0

    def add(self, block: np.ndarray) -> None:
        """Measure the next (n, channels) samples."""
        self.seen += len(block)
        self._lines(block)
        heard = np.concatenate([self.rest, block]) if len(self.rest) else block
        count = max(len(heard) // self.hop - 1, 0)
        if count:
            self.rows.append(np.stack([self._row(heard[k * self.hop : (k + 2) * self.hop]) for k in range(count)]))
        self.rest = heard[count * self.hop :].copy()

    def faults(self) -> list[Fault]:
        """What was wrong, once everything has passed."""
        if len(self.rest):
            short = np.zeros((2 * self.hop - len(self.rest), self.rest.shape[1]), np.float32)
            self.rows.append(self._row(np.concatenate([self.rest, short]))[None])
        if not self.rows:
            return []
        seconds, (peak, clipped, low, high, agrees, voiced) = self.seen / self.rate, np.concatenate(self.rows).T
        silent = 20 * np.log10(peak + 1e-9) < SILENT_DB
        found = [Fault("silence", *span) for span in _silences(silent, seconds)]
        found += [Fault("clipping", *span) for span in _spans(clipped > 0, seconds, join=0.5)]
        found += _gusts(low, high, agrees, silent, seconds)
        found += _slates(voiced, high, seconds)
        return sorted([*found, *self._hums(seconds)], key=lambda fault: (fault.start, fault.kind))

    def _row(self, frame: np.ndarray) -> np.ndarray:
        """(6,) of a frame, (2 hops, channels): its first hop's peak and clipped samples; power below and above LOW;
        how much the channels agree below LOW, -1..1; how periodic it is at the pitches of voices, 0..1."""
        own = frame[: self.hop]
        spectrum = np.fft.rfft(frame * self.window, axis=0)
        power = (np.abs(spectrum) ** 2).sum(axis=1)
        below, voice = (self.hz >= 15) & (self.hz < LOW), self.hz < 2000
        agrees = _agreement(spectrum[below]) if frame.shape[1] > 1 else 0.0
        voiced = _periodicity(power[voice] * (self.hz[voice] > VOICE_LOW), 2 * float(self.hz[voice][-1]))
        sums = power[below].sum(), power[self.hz >= LOW].sum()
        return np.array([np.abs(own).max(initial=0.0), _clipped(own), *sums, agrees, voiced])

    def _lines(self, block: np.ndarray) -> None:
        """Adds to the mean spectrum in which mains hum shows, of the loudest channel in looks of HUM_SECONDS."""
        heard = np.concatenate([self.long, block.mean(axis=1, keepdims=True)])
        size = round(HUM_SECONDS * self.rate)
        window = np.hanning(size)
        for start in range(0, len(heard) - size + 1, size):
            power = np.abs(np.fft.rfft(heard[start : start + size, 0] * window)) ** 2
            most = round((MAINS[-1] * HARMONICS + 20) * HUM_SECONDS)
            self.hum = power[:most] if self.hum is None else self.hum + power[:most]
            self.hums += 1
        self.long = heard[len(heard) // size * size :].copy()

    def _hums(self, seconds: float) -> list[Fault]:
        if self.hum is None or self.hum.sum() <= 0:
            return []
        found = []
        for mains in MAINS:
            rises = np.array([_rise(self.hum, mains * k) for k in range(1, HARMONICS + 1)])
            rises = rises[np.isfinite(rises)]
            if len(rises) >= 3 and (rises > HUM_DB).sum() >= 3 and (rises[:3] > HUM_DB).any():
                found.append((float(np.sort(rises)[-3:].mean()), mains))
        return [Fault("mains hum", 0.0, seconds, f"{mains:g} Hz, {rise:.0f} dB") for rise, mains in sorted(found)[-1:]]


def _clipped(audio: np.ndarray) -> int:
    """How many runs of samples of (n, channels) lie flat at full scale, or flat at all where it is loud."""
    count = 0
    for channel in audio.T:
        size = np.abs(channel)
        if size.max(initial=0.0) < FLAT:
            continue
        alike = np.concatenate([[False], (channel[1:] == channel[:-1]) & (size[1:] > FLAT)])
        count += _runs(size >= CLIPPED, RUN) + _runs(alike, FLAT_RUN)
    return count


def _runs(at: np.ndarray, least: int) -> int:
    """How many runs of True are at least so long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2] >= least).sum())


def _agreement(spectrum: np.ndarray) -> float:
    """The correlation of the first two channels of (bins, channels)."""
    left, right = spectrum[:, 0], spectrum[:, 1]
    size = np.sqrt((np.abs(left) ** 2).sum() * (np.abs(right) ** 2).sum())
    return float((left * right.conj()).sum().real / size) if size > 0 else 1.0


def _periodicity(power: np.ndarray, rate: float) -> float:
    """The highest peak of the autocorrelation between the periods of a high and of a low voice. power: (bins,) up to
    half of `rate` in Hz."""
    size = 2 * (len(power) - 1)
    correlation = np.fft.irfft(power, size)
    lags = slice(int(rate / VOICE_HIGH), int(rate / VOICE_LOW) + 1)
    return float(correlation[lags].max() / correlation[0]) if correlation[0] > 0 else 0.0


def _spans(at: np.ndarray, seconds: float, join: float = 0.0) -> list[tuple[float, float]]:
    """The times of runs of True among frames; runs that are at most `join` seconds apart are one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at.astype(np.int8), [0]])))
    spans: list[tuple[float, float]] = []
    for first, last in zip(edges[::2] * FRAME, edges[1::2] * FRAME, strict=True):
        if spans and first - spans[-1][1] <= join + 1e-9:
            spans[-1] = spans[-1][0], min(float(last), seconds)
        else:
            spans.append((float(first), min(float(last), seconds)))
    return spans


def _silences(silent: np.ndarray, seconds: float) -> list[tuple[float, float]]:
    """Silences that are long enough, less what is kept of them beside sound."""
    found = []
    for start, stop in _spans(silent, seconds):
        if stop - start >= SILENT_SECONDS - 1e-9:
            found.append((start + KEPT * (start > 0), stop - KEPT * (stop < seconds)))
    return found


def _gusts(low: np.ndarray, high: np.ndarray, agrees: np.ndarray, silent: np.ndarray, seconds: float) -> list[Fault]:
    """Bursts below LOW that drown the rest. In stereo they differ from side to side, since they are made at each
    capsule, whereas waves of 3 m and more, such as thunder's, reach both alike (Nelke and Vary 2014)."""
    heard = low[~silent]
    if len(heard) < 10:
        return []
    usual = np.median(heard)
    mean = (low + high)[~silent].mean()  # softer ones are not heard
    gust = (
        (low > max(usual * 10 ** (GUST_DB / 10), mean))
        & (low > high * 10 ** (GUST_SHARE_DB / 10))
        & (agrees < GUST_AGREES)
    )
    found = []
    for start, stop in _spans(gust, seconds, join=0.3):
        if stop - start <= GUST_LONGEST:
            most = low[int(start / FRAME + 0.5) : int(stop / FRAME + 0.5)].max(initial=0.0)
            rise = 10 * np.log10(most / max(usual, 1e-20))
            found.append(Fault("wind bump", max(start - FRAME, 0.0), min(stop + FRAME, seconds), f"{rise:.0f} dB"))
    return found


def _slates(voiced: np.ndarray, high: np.ndarray, seconds: float) -> list[Fault]:
    """A voice at the beginning or at the end of a long recording that has none elsewhere. A guess: speech is taken to
    be what is periodic like a voice, on and off several times a second, and louder than the rest."""
    if seconds < SPOKEN_LEAST:
        return []
    most = round(SPOKEN_LONGEST / FRAME)
    speaks = voiced > VOICED
    inside = speaks[most:-most] if len(speaks) > 3 * most else speaks[most : len(speaks) - most // 2]
    if not len(inside) or inside.mean() > 0.05:
        return []
    usual = np.median(high)
    found = []
    for last in (False, True):
        part, level = (x[::-1][:most] if last else x[:most] for x in (speaks & (high > 4 * usual), high))
        spoken = [s for s in _spans(part, SPOKEN_LONGEST, join=1.0) if s[1] - s[0] >= 0.6]
        if not spoken or spoken[0][0] > SPOKEN_WITHIN:
            continue
        start, stop = spoken[0]
        decibels = 10 * np.log10(level[int(start / FRAME) : int(stop / FRAME)] + 1e-20)
        if decibels.std() > 2.5 and stop < SPOKEN_LONGEST - 0.5:
            span = (seconds - stop - 0.3, seconds) if last else (0.0, stop + 0.3)
            found.append(Fault("spoken slate", *span))
    return found


def _rise(power: np.ndarray, hz: float) -> float:
    """How far a line stands out of its surroundings, in dB; minus infinity if there are others like it beside it, as
    ticks have."""
    at = round(hz * HUM_SECONDS)
    if at + 24 >= len(power):
        return float("nan")
    around = np.concatenate([power[at - 24 : at - 5], power[at + 6 : at + 25]])
    own = power[at - 2 : at + 3].max()
    if around.max() > own / 2 or power[at - 5 : at + 6].max() > own:
        return -np.inf
    return float(10 * np.log10((own + 1e-20) / (np.median(around) + 1e-20)))
