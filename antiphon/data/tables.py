"""What the prepared files of every kind of data share: tables in a .safetensors that are memory-mapped when they are
read and never all in memory when they are written, and items that belong to splits."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE

LONGEST_HEADER = 16 << 20  # bytes
TYPES = {"I64": np.int64, "F32": np.float32, "F16": np.float16, "I16": np.int16, "U8": np.uint8}


class Divided:
    """Items, each of one split. splits: their names; split: (items,) indices into them."""

    splits: tuple[str, ...]
    split: torch.Tensor

    def where(self, split: str) -> torch.Tensor:
        """(n,) indices of the items of a split; none if there is no such split."""
        if split not in self.splits:
            return torch.zeros(0, dtype=torch.int64)
        return torch.nonzero(self.split == self.splits.index(split)).flatten()

    def training_on(self, split: str) -> Self:
        """The same items, those of a split held out taken for those to train on, and the other way round."""
        train, unseen = (self.splits.index(name) for name in ("train", split))
        other = copy.copy(self)
        other.split = torch.where(self.split == unseen, train, torch.where(self.split == train, unseen, self.split))
        return other


def lasting(samples: int) -> str:
    """How long so many samples last, in words: "12 minutes"."""
    minutes = samples / SAMPLE_RATE / 60
    return f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{60 * minutes:.0f} seconds"


def write_tables(
    path: Path,
    metadata: Mapping[str, str],
    layout: Mapping[str, tuple[str, Sequence[int]]],
    pieces: Mapping[str, Iterable[np.ndarray | bytes]],
) -> None:
    """Write a .safetensors piece by piece; it appears complete or not at all. layout: (type, shape) of each table.
    pieces: what each consists of, arrays or the bytes of little-endian numbers. Raises ValueError if a table's pieces
    are not of its size."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    at = 0
    for name, (kind, shape) in layout.items():
        end = at + int(np.prod(shape)) * np.dtype(TYPES[kind]).itemsize
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    with atomic(path) as draft, open(draft, "wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for name, (kind, _) in layout.items():
            before = file.tell()
            for piece in pieces[name]:
                file.write(piece if isinstance(piece, bytes) else np.ascontiguousarray(piece, TYPES[kind]).data)
            begin, end = header[name]["data_offsets"]
            if file.tell() - before != end - begin:
                raise ValueError(f"table {name} has {file.tell() - before} bytes, not {end - begin}")


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The safetensors header and the byte at which its tensors begin."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise ValueError("it is not a file")
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(LONGEST_HEADER, path.stat().st_size - 8):
                raise ValueError("not a safetensors file")
            header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is not an object")
        return header, 8 + length
    except FileNotFoundError:
        raise AntiphonError(f"{path} does not exist: prepare a folder first") from None
    except (OSError, ValueError, RecursionError) as error:
        raise unusable(path, str(error)) from None


def map_arrays(path: Path, header: dict[str, Any], base: int, layout: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Memory-maps every table after checking that dtype, shape and byte range agree with each other and the file."""
    size = path.stat().st_size - base
    arrays = {}
    for name, (dtype, dims) in layout.items():
        try:
            entry = header[name]
            shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
            kind = np.dtype(TYPES[dtype])
            integers = all(type(n) is int for n in (*shape, begin, end))
            if entry["dtype"] != dtype or len(shape) != len(dims) or not integers or min(shape) < 0:
                raise ValueError(f"table {name} has the wrong type or shape")
            if not 0 <= begin <= end <= size or end - begin != int(np.prod(shape, dtype=object)) * kind.itemsize:
                raise ValueError(f"table {name} is truncated or misplaced")
            empty = end == begin
            arrays[name] = np.zeros(shape, kind) if empty else np.memmap(path, kind, "r", base + begin, shape)
        except (KeyError, TypeError, AttributeError):
            raise unusable(path, f"table {name} is missing or malformed") from None
        except ValueError as error:
            raise unusable(path, str(error)) from None
    return arrays


def unusable(path: Path, why: str) -> AntiphonError:
    return AntiphonError(f"{path} is not a usable prepared file ({why}): prepare the folder again")
