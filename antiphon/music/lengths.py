"""How long a song may be: long rests are shortened, few notes make no long song, and no note lasts for ever."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.music.channel import Channel, Key, Moves

MAX_SECONDS = 2 * 3600.0
MAX_SOUNDING = 360_000.0  # seconds of notes, added up
MAX_HOLD, MIN_HOLD = 120.0, 0.02  # seconds of a note
MAX_REST = 60.0  # seconds of silence: a longer rest is an accident, or can be shorter
ANY_SONG, EACH_NOTE = 300.0, 20.0  # seconds a song may last: any song, and more for each of its notes


def bounded(path: Path, channels: Sequence[Channel], warnings: list[str], bars: list[float]) -> None:
    """Keep a song within the limits above: its keys, controllers and bars are changed in place, and each kind of change
    adds a line to `warnings`. Raises AntiphonError, in one line, for a song that is too long even so."""
    keys = sorted((key for channel in channels for key in channel.notes), key=lambda key: key.onset)
    if any(key.end - key.onset > MAX_HOLD for key in keys):
        warnings.append(f"notes in {path} longer than {MAX_HOLD:g} s are cut to that length")
    for key in keys:
        key.end = key.onset + min(max(key.end - key.onset, MIN_HOLD), MAX_HOLD)
    _shorten_rests(path, channels, keys, warnings, bars)
    _drop_the_late(path, channels, keys, warnings)
    if any(key.end > MAX_SECONDS for key in keys):
        raise AntiphonError(f"{path} is longer than {MAX_SECONDS / 3600:g} hours: cut it")
    if sum(key.end - key.onset for key in keys) > MAX_SOUNDING:
        raise AntiphonError(f"{path} has more than {MAX_SOUNDING / 3600:.0f} hours of notes: split it")


def _shorten_rests(
    path: Path, channels: Sequence[Channel], keys: Sequence[Key], warnings: list[str], bars: list[float]
) -> None:
    """Shorten every rest of all parts, also one before the first note, to MAX_REST."""
    onsets = np.array([key.onset for key in keys])
    ends = np.maximum.accumulate([0.0, *(key.end for key in keys)])
    long = np.flatnonzero(onsets - ends[:-1] > MAX_REST)
    if not len(long):
        return
    place = clock(float(ends[long[0]]))
    many = f"{len(long)} rests, the first at {place}, are" if len(long) > 1 else f"the rest at {place} is"
    warnings.append(f"{many} shortened to {MAX_REST:g} s in {path}")
    starts, lost = ends[long] + MAX_REST, onsets[long] - ends[long] - MAX_REST
    before = np.concatenate([[0.0], np.cumsum(lost)])  # seconds removed before each of these rests, and in total

    def moved(times: np.ndarray) -> np.ndarray:
        rest = np.searchsorted(starts, times, "right")
        within = np.where(rest > 0, np.minimum(times - starts[rest - 1], lost[rest - 1]), 0.0)
        return times - np.where(rest > 0, before[rest - 1] + within, 0.0)

    for key, onset in zip(keys, moved(onsets).tolist(), strict=True):
        key.onset, key.end = onset, onset + key.end - key.onset
    for channel in channels:
        for steps in (channel.bend, channel.vibrato, channel.gain, channel.pan):
            steps[:] = _moved_steps(steps, moved)
        channel.cuts = moved(np.array(channel.cuts)).tolist()
    bars[:] = moved(np.array(bars)).tolist()


def _moved_steps(steps: Moves, moved) -> Moves:  # type: ignore[no-untyped-def]
    times, values = zip(*steps, strict=True)
    return list(zip(moved(np.array(times)).tolist(), values, strict=True))


def _drop_the_late(path: Path, channels: Sequence[Channel], keys: list[Key], warnings: list[str]) -> None:
    """Leave out notes that come too late, so that a hundred bytes cannot ask for hours of sound."""
    onsets = np.array([key.onset for key in keys])
    kept, count = 0, len(keys)
    while kept != count:
        kept, count = count, int(np.searchsorted(onsets, ANY_SONG + EACH_NOTE * count, "right"))
    if kept == len(keys):
        return
    longest = ANY_SONG + EACH_NOTE * kept
    late = len(keys) - kept
    warnings.append(f"{late} of {len(keys)} notes in {path} are left out: a song of so few notes is played only up to "
                    f"{clock(longest)}")  # fmt: skip
    for channel in channels:
        channel.notes = [key for key in channel.notes if key.onset <= longest]
    del keys[kept:]


def clock(seconds: float) -> str:
    """3725 -> "1:02:05", 65 -> "1:05"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
