"""Clean recordings, and recorded noise, in one file: what repairs are learned from.

A folder of sound files is clean music; those in a subfolder called `noise` are what may be heard beside it. Every
eighth file is held out. Reading needs only torch, numpy and safetensors, and reads no more than is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch

from antiphon.core.atomic import nameless
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.tables import Divided, lasting, write_tables

SPLITS = ("train", "valid")
EVERY = 8  # of so many files one is held out
NOISE = "noise"  # folder of noise
LONGEST = 600.0  # seconds of a file that are used
SHORTEST = 0.5
KEY = "recordings"
QUIET = 1e-3  # of full scale: a file that is never louder holds nothing to learn from


class Recordings(Divided):
    """A prepared file, opened. start: (n + 1,) where each recording begins among the samples of all; channels, split,
    noise: (n,) its channels, its index into SPLITS, and 1 if it is noise."""

    splits = SPLITS

    def __init__(self, path: str | Path):
        from safetensors import SafetensorError, safe_open

        self.path = Path(path)
        try:
            with safe_open(path, "pt") as file:
                tables = {name: file.get_tensor(name) for name in ("start", "channels", "split", "noise")}
                self.said = json.loads((file.metadata() or {})[KEY])
                length, kind = file.get_slice("audio").get_shape(), file.get_slice("audio").get_dtype()
            self.start, self.channels, self.split, self.noise = (t.long() for t in tables.values())
            self._check(length, kind)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError):
            raise AntiphonError(f"{path} holds no recordings to learn repairs from: prepare the folder again") from None
        self._file = safe_open(path, "np")

    def _check(self, length: Sequence[int], kind: str) -> None:
        count = len(self.channels)
        sizes = self.start.diff()
        if kind != "I16" or list(length) != [int(self.start[-1])] or len(self.start) != count + 1 or not count:
            raise ValueError
        if len(self.split) != count or len(self.noise) != count or int(self.start[0]) or not bool((sizes > 0).all()):
            raise ValueError
        if not (bool((self.channels > 0).all()) and bool((sizes % self.channels == 0).all())):
            raise ValueError
        if not bool(((self.split >= 0) & (self.split < len(SPLITS))).all()):
            raise ValueError

    def __len__(self) -> int:
        return len(self.channels)

    @property
    def extent(self) -> str:
        """How long the music to train on lasts, in words."""
        return lasting(sum(self.samples(int(i)) for i in self.where("train")))

    def where(self, split: str, noise: bool = False) -> torch.Tensor:
        """(n,) indices of the recordings of a split, or of the noise in it."""
        found = super().where(split)
        return found[self.noise[found] == int(noise)]

    def samples(self, i: int) -> int:
        """Length of recording i in samples."""
        return int(self.start[i + 1] - self.start[i]) // int(self.channels[i])

    def audio(self, i: int, start: int, stop: int) -> np.ndarray:
        """(stop - start, channels) float32 of recording i; zeros beyond its end."""
        channels, first = int(self.channels[i]), int(self.start[i])
        out = np.zeros((stop - start, channels), np.float32)
        last = min(stop, self.samples(i))
        if last > start:
            found = self._file.get_slice("audio")[first + start * channels : first + last * channels]
            out[: last - start] = found.reshape(-1, channels) / np.float32(32768)
        return out


def prepare_recordings(
    folder: Path, target: Path, licence: str = "", advance: Callable[[int, int], None] | None = None
) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Write the prepared file. -> the files taken, and those refused with the reason. Raises AntiphonError if there is
    no music among them."""
    from antiphon.audio.files import find_audio

    files, taken, refused = find_audio(folder), [], []
    rows: list[tuple[int, int, int, int]] = []  # samples of all channels, channels, split, noise
    counts = {False: 0, True: 0}
    with nameless(target.parent) as raw:
        for number, path in enumerate(files):
            try:
                sound = _read(path)
            except AntiphonError as error:
                refused.append((path, str(error).removeprefix(f"{path} ")))
                continue
            noise = NOISE in path.relative_to(folder).parts[:-1]
            rows.append((sound.size, sound.shape[1], int(counts[noise] % EVERY == EVERY - 1), int(noise)))
            counts[noise] += 1
            raw.write(sound.tobytes())
            taken.append(path)
            if advance:
                advance(number + 1, len(files))
        if not counts[False]:
            raise AntiphonError(f"{folder} holds no clean recordings: give a folder of sound files of at least 1 s")
        raw.seek(0)
        said = {"licence": licence, "sources": [folder.name], "seconds": sum(r[0] // r[1] for r in rows) // SAMPLE_RATE}
        _write(target, np.array(rows, np.int64), raw, json.dumps(said))
    return taken, refused


def _read(path: Path) -> np.ndarray:
    """(samples, 1 or 2) int16."""
    from antiphon.audio.files import read_audio
    from antiphon.audio.ops import to_mono

    sound = read_audio(path, mono=False, max_seconds=LONGEST)
    sound = sound if sound.shape[1] <= 2 else to_mono(sound)[:, None]
    if len(sound) < SHORTEST * SAMPLE_RATE:
        raise AntiphonError(f"{path} is too short: {SHORTEST} s is the least")
    if float(np.abs(sound).max()) < QUIET:
        raise AntiphonError(f"{path} is silent")
    peak = max(float(np.abs(sound).max()), 1.0)
    return np.round(sound / peak * 32767).astype("<i2")


def _write(target: Path, rows: np.ndarray, raw: IO[bytes], said: str) -> None:
    start = np.concatenate([[0], np.cumsum(rows[:, 0])])
    tables = {"start": start, "channels": rows[:, 1], "split": rows[:, 2], "noise": rows[:, 3]}
    layout = {name: ("I64", table.shape) for name, table in tables.items()} | {"audio": ("I16", (int(start[-1]),))}
    audio = iter(lambda: raw.read(1 << 20), b"")
    write_tables(target, {KEY: said}, layout, {name: [table] for name, table in tables.items()} | {"audio": audio})
