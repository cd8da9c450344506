"""Long recordings of places in one prepared file: int16 audio and tables in a .safetensors, names as JSON in its
metadata, like notes [data/prepared.py]. Audio is memory-mapped, so that hours of it cost no memory.

A recording of one channel stays one; of two, mid and side are stored. Each is brought to one level: as loud as its
louder moments are, or as loud as its peaks allow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch

from antiphon.audio.envelope import without_dc
from antiphon.core.atomic import nameless
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.pulse import Pulse, find_pulse
from antiphon.data.labelling.labels import LONGEST_LABEL
from antiphon.data.labelling.recordings import SPLITS, Recording, Recordings, read_stretches
from antiphon.data.tables import Divided, lasting, map_arrays, read_header, write_tables

VERSION = 1
KEY = "antiphon_scenes"
SHORTEST = 0.3  # seconds of a recording
LEVEL = 0.1  # RMS of its louder moments
PEAK = 0.98
STILL, STILL_SECONDS = 1e-4, 0.15  # digital silence: no sample above the first for longer than the second
BLOCK = 2205  # samples
STRETCHES = 6  # of a recording that are measured

LAYOUT: dict[str, tuple[str, tuple[int | str, ...]]] = {  # R recordings, T numbers of audio
    "start": ("I64", ("R+1",)),
    "channels": ("I64", ("R",)),
    "instrument": ("I64", ("R",)),
    "split": ("I64", ("R",)),
    "pulse": ("F32", ("R", 2)),  # Hz, strength
    "measured": ("F16", ("R", STRETCHES, "M")),  # of some stretches: descriptors, then other statistics
    "audio": ("I16", ("T",)),
}


@dataclass(frozen=True)
class Names:
    """instruments: the labels. recordings: names, whose excerpts stay together in one split."""

    instruments: tuple[str, ...]
    recordings: tuple[str, ...]
    descriptors: tuple[str, ...] = ()
    licence: str = ""
    sources: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()


Measure = Callable[[np.ndarray], np.ndarray]


@dataclass
class Taken:
    """What a folder gave. refused: (path, why)."""

    seconds: Counter[str] = field(default_factory=Counter)
    recordings: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)


class Scenes(Divided):
    """A prepared file, opened and checked. Tables are torch tensors under the names of LAYOUT, but for `audio`, which
    is a method. Raises AntiphonError for any other file."""

    splits = SPLITS
    start: torch.Tensor
    channels: torch.Tensor
    instrument: torch.Tensor
    split: torch.Tensor
    pulse: torch.Tensor
    measured: torch.Tensor

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        header, base = read_header(self.path)
        self.labels = _names(self.path, header.pop("__metadata__", {}))
        arrays = map_arrays(self.path, header, base, LAYOUT)
        self._audio = arrays.pop("audio")
        for name, array in arrays.items():
            setattr(self, name, torch.from_numpy(np.array(array)))
        _validate(self)

    def __len__(self) -> int:
        return len(self.split)

    def samples(self, i: int) -> int:
        """Length of recording i in samples."""
        return int(self.start[i + 1] - self.start[i]) // int(self.channels[i])

    def audio(self, i: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(2, samples) float32, mid and side of samples start..stop of recording i, within its length."""
        first, channels = int(self.start[i]), int(self.channels[i])
        stop = self.samples(i) if stop is None else stop
        if not 0 <= start <= stop <= self.samples(i):
            raise IndexError(f"excerpt {start}..{stop} of recording {i}")
        flat = self._audio[first + start * channels : first + stop * channels]
        out = np.zeros((2, stop - start), np.float32)
        np.multiply(flat.reshape(-1, channels).T, np.float32(1 / 32768), out=out[:channels])
        return out

    @property
    def extent(self) -> str:
        return lasting(sum(self.samples(i) for i in self.where("train").tolist()))


# ---- writing ---------------------------------------------------------------------------------------------------------


def prepare_scenes(
    found: Recordings,
    target: Path,
    *,
    measure: Measure | None = None,
    descriptors: Sequence[str] = (),
    licence: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Taken:
    """Write what can be used of recordings to a prepared file, in bounded memory: a stretch after another. -> what was
    taken. Raises AntiphonError if nothing could be.

    measure: mid and side (2, samples) -> (STRETCHES, any number), the first of which are the `descriptors`."""
    taken, kept = Taken(refused=[(item.path, item.reason) for item in found.refused]), list[_Kept]()
    with nameless(target.parent) as spool:
        for i, row in enumerate(found.rows):
            try:
                kept += [_spooled(row, sound, spool, measure) for sound in read_stretches(row) if _long_enough(sound)]
            except (AntiphonError, ValueError) as error:
                taken.refused.append((row.path, str(error)))
            if progress:
                progress(i + 1, len(found.rows))
        if not kept:
            why = f": {taken.refused[0][0].name}: {taken.refused[0][1]}" if taken.refused else ""
            raise AntiphonError(f"there are no recordings to learn from{why}")
        for one in kept:
            taken.seconds[one.row.label] += one.size / one.channels / SAMPLE_RATE  # type: ignore[assignment]
        taken.recordings = len({one.row.recording for one in kept})
        instruments = tuple(sorted(taken.seconds))
        tables = {
            "start": np.cumsum([0, *(one.size for one in kept)]),
            "channels": np.array([one.channels for one in kept]),
            "instrument": np.array([instruments.index(one.row.label) for one in kept]),
            "split": np.array([SPLITS.index(one.row.split) for one in kept]),
            "pulse": np.array([one.pulse for one in kept], np.float32),
            "measured": np.array([one.measured for one in kept], np.float16),
        }
        recorded = tuple(one.row.recording for one in kept)
        names = Names(instruments, recorded, tuple(descriptors), licence, _credits(found))
        spool.seek(0)
        _write(target, names, tables, iter(lambda: spool.read(1 << 24), b""))
    return taken


class _Kept(NamedTuple):
    """A stretch that has been spooled. size: numbers of all its channels."""

    row: Recording
    size: int
    channels: int
    pulse: Pulse
    measured: np.ndarray


def _spooled(row: Recording, sound: np.ndarray, spool: IO[bytes], measure: Measure | None) -> _Kept:
    audio = cleaned(sound)
    measured = np.zeros((STRETCHES, 0), np.float16)
    if measure:
        measured = measure(np.pad(audio.T, ((0, 2 - audio.shape[1]), (0, 0))))
    spool.write(np.round(audio * 32768).clip(-32768, 32767).astype("<i2").tobytes())
    return _Kept(row, audio.size, audio.shape[1], find_pulse(audio[:, 0]), measured)


def _long_enough(sound: np.ndarray) -> bool:
    return len(sound) >= SHORTEST * SAMPLE_RATE


def _credits(found: Recordings) -> tuple[str, ...]:
    """The folder, and those who want to be named."""
    named = {f"{row.author} ({row.licence})" for row in found.rows if row.author and "CC0" not in row.licence.upper()}
    return (found.folder.name or str(found.folder), *sorted(named))


def cleaned(audio: np.ndarray, shortest: float = SHORTEST) -> np.ndarray:
    """(samples, 1 or 2): mono, or mid and side, of audio (samples,) or (samples, channels) at 44.1 kHz, without digital
    silence, at one level. Raises ValueError if it sounds for less than `shortest` seconds."""
    audio = np.atleast_2d(audio.T).T.astype(np.float32)
    if audio.shape[1] > 2:
        audio = audio[:, :2]
    audio = audio[_sounding(audio)]
    if not len(audio) or len(audio) < shortest * SAMPLE_RATE:
        raise ValueError(f"it sounds for {len(audio) / SAMPLE_RATE:.1f} s: {shortest:g} s are needed")
    if audio.shape[1] == 2:
        mid, side = audio.sum(1) / 2, (audio[:, 0] - audio[:, 1]) / 2
        one = float(np.abs(side).max()) < 1e-3 * float(np.abs(mid).max())
        audio = mid[:, None] if one else np.stack([mid, side], 1)
    audio = np.stack([without_dc(channel) for channel in audio.T], 1)
    size = min(4 * BLOCK, len(audio))
    blocks = audio[: len(audio) // size * size, 0].reshape(-1, size)
    loud = float(np.quantile(np.sqrt((blocks.astype(np.float64) ** 2).mean(1)), 0.9))
    peak = float(np.abs(audio).max())
    return audio * np.float32(min(LEVEL / max(loud, 1e-9), PEAK / max(peak, 1e-9)))


def _sounding(audio: np.ndarray) -> np.ndarray:
    """(samples,) bool: all but digital silence, which is no part of a place."""
    count = -(-len(audio) // BLOCK)
    padded = np.zeros((count * BLOCK,), np.float32)
    padded[: len(audio)] = np.abs(audio).max(1)
    heard = padded.reshape(count, BLOCK).max(1) > STILL
    longest = round(STILL_SECONDS * SAMPLE_RATE / BLOCK)
    keep = heard.copy()
    run = 0
    for i, sounds in enumerate([*heard, True]):
        if sounds:
            if 0 < run <= longest:
                keep[i - run : i] = True
            run = 0
        else:
            run += 1
    return np.repeat(keep, BLOCK)[: len(audio)]


def _write(path: Path, names: Names, tables: dict[str, np.ndarray], audio: Iterable[bytes]) -> None:
    said = {"version": VERSION, "sample_rate": SAMPLE_RATE, "splits": SPLITS, **vars(names)}
    shapes = {name: table.shape for name, table in tables.items()} | {"audio": (int(tables["start"][-1]),)}
    layout = {name: (kind, shapes[name]) for name, (kind, _) in LAYOUT.items()}
    write_tables(
        path, {KEY: json.dumps(said)}, layout, {name: [table] for name, table in tables.items()} | {"audio": audio}
    )


# ---- reading ---------------------------------------------------------------------------------------------------------


def _names(path: Path, metadata: Any) -> Names:
    try:
        said = json.loads(metadata[KEY])
        if said["version"] != VERSION or said["sample_rate"] != SAMPLE_RATE or tuple(said["splits"]) != SPLITS:
            raise ValueError("it was made by another version")
        lists = {name: said[name] for name in ("instruments", "recordings", "sources", "descriptors")}
        for name, values in lists.items():
            if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
                raise ValueError(f"{name} is not a list of names")
        labels = lists["instruments"]
        if len(set(labels)) != len(labels) or not labels or any(len(x) > LONGEST_LABEL for x in labels):
            raise ValueError("its labels are none, too long or repeat themselves")
        return Names(licence=str(said["licence"]), **{name: tuple(values) for name, values in lists.items()})
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise _bad(path, str(error) or "it holds no scenes") from None


def _validate(s: Scenes) -> None:
    count = len(s.split)
    shapes = {"start": (count + 1,), "channels": (count,), "instrument": (count,), "pulse": (count, 2)}
    if not count or any(tuple(getattr(s, name).shape) != shape for name, shape in shapes.items()):
        raise _bad(s.path, "its tables do not match")
    if int(s.start[0]) != 0 or int(s.start[-1]) != len(s._audio) or not bool((s.start.diff() > 0).all()):
        raise _bad(s.path, "its offsets do not match")
    if not bool(((s.channels == 1) | (s.channels == 2)).all()) or bool((s.start.diff() % s.channels).any()):
        raise _bad(s.path, "its channels do not match")
    for table, names in ((s.instrument, s.labels.instruments), (s.split, SPLITS)):
        if int(table.min()) < 0 or int(table.max()) >= len(names):
            raise _bad(s.path, "a table points outside its names")
    if s.measured.shape[:2] != (count, STRETCHES) or s.measured.shape[2] < len(s.labels.descriptors):
        raise _bad(s.path, "its measurements do not match")
    if not bool(torch.isfinite(s.measured).all()) or float(s.measured.float().abs().amax()) > 1e3:
        raise _bad(s.path, "a measurement is out of range")
    if len(s.labels.recordings) != count or not bool(torch.isfinite(s.pulse).all()):
        raise _bad(s.path, "its recordings do not match")
    if bool((s.pulse[:, 0] <= 0).any()) or bool((s.pulse[:, 0] > 1e4).any()) or bool((s.pulse[:, 1].abs() > 1).any()):
        raise _bad(s.path, "a pulse is out of range")


def _bad(path: Path, why: str) -> AntiphonError:
    return AntiphonError(f"{path} is not a usable prepared file of scenes ({why}): prepare the folder again")
