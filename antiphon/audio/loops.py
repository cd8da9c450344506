"""Where a held note can be repeated for as long as a key is down, joined where its phases meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.audio.ops import Audio
from antiphon.core.units import SAMPLE_RATE

FADE = 4410  # samples (0.1 s), at most, before and after the join in which one place fades into the other
SETTLED = 0.25  # of the hold: no loop begins earlier
SHORTEST = 0.25  # seconds of a loop
EVEN_DB = 1.0  # most by which the level at a loop's ends may differ
DYING = 2.0, 2.5  # dB a second, and dB in all: a note that falls faster and further dies away and has no loop
LOUDER_DB = 0.5  # most by which a join may be louder or softer than what the loop has elsewhere
AS_GOOD = 0.01  # of correlation, which a longer loop may lack
LEVELS, CLICKS = 2048, 256  # samples of the windows in which a join's level and its roughness are compared


@dataclass(frozen=True)
class Loop:
    """sound: (samples,) with the join faded; it goes on after `end` as the note does, too. start, end: samples; after
    end - 1 follows start."""

    sound: Audio
    start: int
    end: int


def find_loop(sound: Audio, hold: int) -> Loop | None:
    """The loop of a note, (samples,), that is held for `hold` samples; None if it has none: it dies away, or a join
    would be heard."""
    fade = min(FADE, hold // 12)
    end, first = hold - fade, max(int(SETTLED * hold), fade)
    last = end - round(SHORTEST * SAMPLE_RATE)
    if last <= first or len(sound) < hold or _dies_away(sound[first:end]):
        return None
    around = sound[end - fade : end + fade].astype(np.float64)
    likeness, levels = _likeness(sound[first - fade : last + fade].astype(np.float64), around)
    likeness[np.abs(levels) > EVEN_DB] = -1
    best = likeness.max()
    if best < 0:
        return None
    start = first + int(np.argmax(likeness >= best - AS_GOOD))
    joined = sound.copy()
    joined[end - fade : end + fade] = _faded(sound[start - fade : start + fade], around, float(best))
    return Loop(joined, start, end) if _is_smooth(joined, start, end, fade) else None


def _dies_away(sound: Audio) -> bool:
    """Whether a sound gets softer on the whole, more than vibrato and breath make it swell and fade."""
    levels = 20 * np.log10(_rms(sound.astype(np.float64), LEVELS) + 1e-9)
    seconds = np.arange(len(levels)) * (LEVELS // 4) / SAMPLE_RATE
    fall = -float(np.polyfit(seconds, levels, 1)[0]) if len(levels) > 1 else 0.0
    return fall > DYING[0] and fall * len(sound) / SAMPLE_RATE > DYING[1]


def _likeness(sound: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How alike `part` and each stretch of `sound` as long as it are, -1..1, and the stretch's level re the part's in
    dB; (len(sound) - len(part) + 1,) each."""
    size = 1 << (len(sound) + len(part) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(part, size).conj(), size)
    sums = np.concatenate([[0.0], np.cumsum(sound**2)])
    energy = np.maximum(sums[len(part) :] - sums[: -len(part)], 1e-12)
    own = max(float(part @ part), 1e-12)
    return product[: len(energy)] / np.sqrt(energy * own), 10 * np.log10(energy / own)


def _faded(start: np.ndarray, end: np.ndarray, likeness: float) -> np.ndarray:
    """What surrounds the loop's end turning into what surrounds its start, all of it at the join, and back again. As
    loud throughout as sounds so alike are."""
    share = 0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, len(end), endpoint=False))
    power = share**2 + (1 - share) ** 2 + 2 * likeness * share * (1 - share)
    return np.asarray((share * start + (1 - share) * end) / np.sqrt(np.maximum(power, 0.25)), np.float32)


def _is_smooth(sound: np.ndarray, start: int, end: int, fade: int) -> bool:
    """Whether nobody hears where a loop is joined: there it is as loud as elsewhere, and no rougher."""
    twice = np.concatenate([sound[start:end], sound[start:end]]).astype(np.float64)
    allowed = 10 ** (LOUDER_DB / 20)
    level, rough = _rms(twice, LEVELS), _rms(np.diff(twice, 2), CLICKS)
    near, far = (_about(level, LEVELS, end - start, fade), _about(rough, CLICKS, end - start, CLICKS))
    loud, soft = level[~near].max(), level[~near].min()
    return bool(
        level[near].max() <= loud * allowed
        and level[near].min() >= soft / allowed
        and rough[far].max() <= rough[~far].max() * allowed
    )


def _rms(values: np.ndarray, window: int) -> np.ndarray:
    """The level of each window, every quarter of one."""
    sums = np.concatenate([[0.0], np.cumsum(values**2)])
    at = np.arange(0, len(values) - window + 1, window // 4)
    return np.sqrt((sums[at + window] - sums[at]) / window)


def _about(windows: np.ndarray, window: int, place: int, reach: int) -> np.ndarray:
    """Which windows touch a place or lie within `reach` samples of it."""
    begin = np.arange(len(windows)) * (window // 4)
    return (begin < place + reach) & (begin + window > place - reach)


def fall_time(sound: Audio, release: int) -> float:
    """Seconds in which a note, (samples,), would fall by 60 dB after it is let go at sample `release`: three times the
    first 20 dB. Its whole length if it has died away before."""
    step = SAMPLE_RATE // 100
    tail = sound[release:]
    if len(tail) < 2 * step or release < 2 * step:
        return len(sound) / SAMPLE_RATE
    before = float(np.sqrt(np.mean(sound[release - 2 * step : release].astype(np.float64) ** 2)))
    levels = _rms(tail.astype(np.float64), step)
    fallen = np.flatnonzero(levels < before / 10)
    seconds = (int(fallen[0]) + 1) * (step // 4) / SAMPLE_RATE * 3 if len(fallen) else len(tail) / SAMPLE_RATE
    return max(seconds, 0.02)
