"""One prepared data set in one file: int16 audio and tables in a .safetensors, label tables as JSON in its metadata.

Reading needs only torch and numpy, so that the file plus the package is enough to train on another machine. The audio
is memory-mapped and never loaded, or written, all at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from antiphon.audio.envelope import FRAME
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.modes import SLOTS
from antiphon.data.analysis.partials import FREE_RANGE, FREE_SLOTS, HARMONICS
from antiphon.data.labelling.labels import LONGEST_LABEL
from antiphon.data.tables import Divided, lasting, map_arrays, read_header, unusable, write_tables

VERSION = 1
KEY = "antiphon"
LARGEST = 1e6  # of any value in a table, except for those with a range of their own:
RANGES = {"pitch": (0.0, 127.0), "velocity": (1.0, 127.0), "glide": (-10.0, 10.0)}

# name -> (dtype, shape in letters): N notes, S styles, D descriptors, T samples, F frames
LAYOUT: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "start": ("I64", ("N+1",)),
    "frame_start": ("I64", ("N+1",)),
    "hold": ("I64", ("N",)),
    "instrument": ("I64", ("N",)),
    "preset": ("I64", ("N",)),
    "split": ("I64", ("N",)),
    "pitch": ("F32", ("N",)),
    "tuning": ("F32", ("N",)),
    "velocity": ("F32", ("N",)),
    "loudness": ("F32", ("N",)),
    "inharmonicity": ("F32", ("N",)),
    "vibrato": ("F32", ("N", 3)),
    "ratios": ("F32", ("N", HARMONICS)),
    "harmonic_level": ("F32", ("N", HARMONICS)),
    "free_ratio": ("F32", ("N", FREE_SLOTS)),
    "free_level": ("F32", ("N", FREE_SLOTS)),
    "descriptors": ("F32", ("N", "D")),
    "cents": ("F16", ("F",)),
    "audio": ("I16", ("T",)),
    "style": ("U8", ("N", "S")),
}
ONE_SHOT_LAYOUT: dict[str, tuple[str, tuple[int | str, ...]]] = {  # more tables, of hits (data/labelling/hits.py)
    "modes": ("F32", ("N", SLOTS, 2)),  # Hz and dB
    "glide": ("F32", ("N", 2)),  # octaves and seconds
}


@dataclass(frozen=True)
class Labels:
    """The names behind the index tables. `presets[i]` is {"name": ..., "instrument": ...}; `extra` holds the rest."""

    instruments: tuple[str, ...]
    presets: tuple[dict[str, Any], ...]
    styles: tuple[str, ...]
    splits: tuple[str, ...]
    descriptors: tuple[str, ...]
    extra: dict[str, Any]

    @property
    def layout(self) -> dict[str, tuple[str, tuple[int | str, ...]]]:
        """The tables of the file."""
        return LAYOUT | ONE_SHOT_LAYOUT if self.one_shots else LAYOUT

    @property
    def one_shots(self) -> bool:
        """Whether these are hits, whose pitch is nominal, rather than notes."""
        return self.extra.get("one_shots") is True

    @property
    def pitched(self) -> bool:
        """Whether these are notes with a known pitch."""
        return not self.one_shots and self.extra.get("unpitched") is not True

    @property
    def preset_instrument(self) -> tuple[int, ...]:
        """The instrument index of every preset."""
        index = {name: i for i, name in enumerate(self.instruments)}
        return tuple(index[preset["instrument"]] for preset in self.presets)

    def to_json(self) -> str:
        """What is stored under metadata["antiphon"]."""
        names = ("instruments", "presets", "styles", "splits", "descriptors")
        body = {"version": VERSION, "sample_rate": SAMPLE_RATE, "frame": FRAME, "free_range": FREE_RANGE}
        return json.dumps(body | {name: list(getattr(self, name)) for name in names} | self.extra)


class Prepared(Divided):
    """A prepared file, opened memory-mapped and checked.

    Tables are torch tensors under the names of `LAYOUT` (`pitch` (N,), `ratios` (N, 64), ...), except for `audio`,
    which is a method, and `cents`, which stays memory-mapped: use `f0_cents(i)`. Raises AntiphonError if anything in
    the file is inconsistent.
    """

    start: torch.Tensor
    frame_start: torch.Tensor
    hold: torch.Tensor
    instrument: torch.Tensor
    preset: torch.Tensor
    split: torch.Tensor
    pitch: torch.Tensor
    tuning: torch.Tensor
    velocity: torch.Tensor
    loudness: torch.Tensor
    inharmonicity: torch.Tensor
    vibrato: torch.Tensor
    ratios: torch.Tensor
    harmonic_level: torch.Tensor
    free_ratio: torch.Tensor
    free_level: torch.Tensor
    descriptors: torch.Tensor
    style: torch.Tensor
    modes: torch.Tensor  # only in files of hits, like `glide`
    glide: torch.Tensor

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        header, base = read_header(self.path)
        self.labels = _read_labels(self.path, header.pop("__metadata__", {}))
        arrays = map_arrays(self.path, header, base, self.labels.layout)
        self._audio, self._cents = arrays.pop("audio"), arrays.pop("cents")
        for name, array in arrays.items():
            setattr(self, name, torch.from_numpy(np.array(array)))
        _validate(self)

    def __len__(self) -> int:
        return len(self.pitch)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}  # a worker process maps the file again instead of copying it

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    def samples(self, i: int) -> int:
        """Length of note i in samples."""
        return int(self.start[i + 1] - self.start[i])

    def audio(self, i: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples start..stop of note i, float32 in [-1, 1]; zeros beyond its end, so its length is stop - start."""
        first, last = int(self.start[i]), int(self.start[i + 1])
        stop = last - first if stop is None else stop
        if start < 0 or stop < start:
            raise IndexError(f"audio excerpt {start}..{stop} of note {i}")
        out = np.zeros(stop - start, np.float32)
        found = self._audio[min(first + start, last) : min(first + stop, last)]
        np.multiply(found, np.float32(1 / 32768), out=out[: len(found)])
        return out

    def f0_cents(self, i: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Measured f0 of note i at frames start..stop, (frames,) float32 cents from its pitch; held beyond its end."""
        first, last = int(self.frame_start[i]), int(self.frame_start[i + 1])
        stop = last - first if stop is None else stop
        return self._cents[np.minimum(first + np.arange(start, stop), last - 1)].astype(np.float32)

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.labels.splits

    @property
    def extent(self) -> str:
        """How long all training notes together last, in words."""
        return lasting(int(self.start.diff()[self.where("train")].sum()))


def write_prepared(
    path: str | Path, labels: Labels, tables: Mapping[str, np.ndarray], audio: Iterable[np.ndarray]
) -> None:
    """Writes a prepared file in bounded memory: `tables` holds every table of `LAYOUT` but audio; `audio` yields int16
    pieces whose lengths sum to start[-1]. The file appears complete or not at all."""
    sizes = {"N": len(tables["pitch"]), "N+1": len(tables["pitch"]) + 1, "S": len(labels.styles)}
    sizes |= {"D": len(labels.descriptors), "T": int(tables["start"][-1]), "F": int(tables["frame_start"][-1])}
    layout = {
        name: (kind, [sizes[d] if isinstance(d, str) else d for d in dims])
        for name, (kind, dims) in labels.layout.items()
    }
    pieces = {name: audio if name == "audio" else [tables[name]] for name in layout}
    write_tables(Path(path), {KEY: labels.to_json()}, layout, pieces)


def _read_labels(path: Path, metadata: Any) -> Labels:
    """Parses and checks metadata["antiphon"]."""
    try:
        body = json.loads(metadata[KEY])
        if body.pop("version") != VERSION or body.pop("sample_rate") != SAMPLE_RATE or body.pop("frame") != FRAME:
            raise ValueError("it was made by another version")
        body.pop("free_range")
        names = {name: body.pop(name) for name in ("instruments", "styles", "splits", "descriptors")}
        for name, values in names.items():
            if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
                raise ValueError(f"{name} is not a list of names")
            if len(set(values)) != len(values):
                raise ValueError(f"{name} contains a name twice")
            if not all(0 < len(value) <= LONGEST_LABEL for value in values):
                raise ValueError(f"{name} contains a name that is empty or too long")
        presets = tuple({**preset, "name": str(preset["name"])} for preset in body.pop("presets"))
        if not {preset["instrument"] for preset in presets} <= set(names["instruments"]):
            raise ValueError("a preset's instrument is unknown")
        if not isinstance(body.get("sources", []), list):
            raise ValueError("its sources are not a list")
        return Labels(presets=presets, extra=body, **{name: tuple(values) for name, values in names.items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise unusable(path, f"its labels are missing or malformed: {error}") from None
    except (ValueError, RecursionError) as error:
        raise unusable(path, str(error)) from None


def _validate(p: Prepared) -> None:
    """Shapes agree with each other and with the labels, offsets are monotone, indices and values in range."""
    notes, labels = len(p.pitch), p.labels
    sizes = {"N": notes, "N+1": notes + 1, "S": len(labels.styles), "D": len(labels.descriptors)}
    if notes == 0:
        raise unusable(p.path, "it contains no notes")
    for name, (dtype, dims) in labels.layout.items():
        if name in ("audio", "cents"):
            continue
        table = getattr(p, name)
        if tuple(table.shape) != tuple(sizes[d] if isinstance(d, str) else d for d in dims):
            raise unusable(p.path, f"table {name} has shape {tuple(table.shape)}")
        low, high = RANGES.get(name, (-LARGEST, LARGEST))
        if dtype == "F32" and table.numel() and not low <= float(table.min()) <= float(table.max()) <= high:
            raise unusable(p.path, f"table {name} contains a value out of range")
    if not np.isfinite(p._cents).all():
        raise unusable(p.path, "table cents contains a value that is not finite")
    for name, total in (("start", len(p._audio)), ("frame_start", len(p._cents))):
        table = getattr(p, name)
        if int(table[0]) != 0 or int(table[-1]) != total or not bool((table.diff() > 0).all()):
            raise unusable(p.path, f"offsets {name} do not match")
    if not torch.equal(p.frame_start.diff(), p.start.diff() // FRAME + 1):
        raise unusable(p.path, "frames do not match samples")
    limits = {"instrument": labels.instruments, "preset": labels.presets, "split": labels.splits}
    for name, values in limits.items():
        table = getattr(p, name)
        if int(table.min()) < 0 or int(table.max()) >= len(values):
            raise unusable(p.path, f"table {name} points outside its names")
    if not torch.equal(torch.tensor(labels.preset_instrument)[p.preset], p.instrument):
        raise unusable(p.path, "a note's instrument is not its preset's")
    if not bool(((p.hold == -1) | ((p.hold > 0) & (p.hold <= p.start.diff()))).all()):
        raise unusable(p.path, "a hold is outside its note")
