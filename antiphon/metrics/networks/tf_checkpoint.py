"""Read the arrays of a TensorFlow checkpoint (a "tensor bundle") with numpy alone.

The `.index` file is a LevelDB table that maps variable names to protocol buffers (type, shape, offset, size); the
`.data-00000-of-00001` file holds the numbers. Only what such a file needs is read: one shard, float32, no compression.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from antiphon.core.errors import AntiphonError

FLOAT32 = 1  # TensorFlow's DataType
MAGIC = bytes.fromhex("57fb808b247547db")  # the last eight bytes of a LevelDB table


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A base-128 number and the position after it."""
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block: each key shares a prefix with the one before; a list of restarts ends the block."""
    if table[offset + size] != 0:
        raise AntiphonError("the checkpoint's index is compressed: give an uncompressed one")
    block = table[offset : offset + size]
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        rest, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + rest]
        yield key, block[at + rest : at + rest + length]
        at += rest + length


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and raw values of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif kind == 2:
            size, at = _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size
        else:  # fixed 32 or 64 bits: checksums
            at += 4 if kind == 5 else 8


def _entry(message: bytes) -> tuple[int, tuple[int, ...], int, int]:
    """A BundleEntryProto: type, shape, offset and size in bytes."""
    kind, shape, offset, size = 0, [], 0, 0
    for field, value in _fields(message):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field == 2 and isinstance(value, bytes):
            dims = [dim for number, dim in _fields(value) if number == 2 and isinstance(dim, bytes)]
            shape = [next((n for f, n in _fields(dim) if f == 1 and isinstance(n, int)), 0) for dim in dims]
        elif field == 4 and isinstance(value, int):
            offset = value
        elif field == 5 and isinstance(value, int):
            size = value
    return kind, tuple(shape), offset, size


def read_checkpoint(index: Path, data: Path) -> dict[str, np.ndarray]:
    """All float32 variables of a one-shard checkpoint by name."""
    table, numbers = index.read_bytes(), data.read_bytes()
    if table[-8:] != MAGIC:
        raise AntiphonError(f"{index} is not the index of a TensorFlow checkpoint")
    footer = table[-48:]
    at = _varint(footer, _varint(footer, 0)[1])[1]  # past the handle of the meta index
    offset, at = _varint(footer, at)
    size, _ = _varint(footer, at)
    arrays: dict[str, np.ndarray] = {}
    for _, handle in _block(table, offset, size):
        block_offset, at = _varint(handle, 0)
        block_size, _ = _varint(handle, at)
        for name, message in _block(table, block_offset, block_size):
            kind, shape, start, length = _entry(message)
            if name and kind == FLOAT32:
                arrays[name.decode()] = np.frombuffer(numbers[start : start + length], "<f4").reshape(shape)
    return arrays
