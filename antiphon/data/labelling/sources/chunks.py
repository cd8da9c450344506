"""What a sound file says of itself: the `smpl` and `inst` chunks of a wav, an aiff's `INST`."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from antiphon.data.labelling.sources.region import Label, layer_velocity

UNTOLD = 60  # what programs write that know no key
_FEW = 3  # files that may be of one key
_LONGEST = 1 << 12  # bytes of a chunk that are looked at


def from_chunks(files: Sequence[Path]) -> dict[Path, Label]:
    """The labels in the headers of files. Where all have one key, or middle C, which programs write that know none, it
    says nothing."""
    found = {path: label for path in files if (label := read(path)) is not None}
    keys = Counter(label.pitch for label in found.values())
    if len(keys) == 1 and (len(found) > _FEW or UNTOLD in keys):
        return {path: label for path, label in found.items() if label.velocity is not None and label.pitch is None}
    if keys.get(UNTOLD, 0) > max(_FEW, len(found) // 2):
        return {path: label for path, label in found.items() if label.pitch != UNTOLD}
    return found


def read(path: Path) -> Label | None:
    """What one file says; None if it is neither wav nor aiff, or says nothing."""
    if path.suffix.lower() not in (".wav", ".wave", ".aif", ".aiff", ".aifc", ".rf64"):
        return None
    try:
        chunks = _chunks(path)
        return _from_wav(chunks) or _from_aiff(chunks)
    except (OSError, struct.error):
        return None


def _chunks(path: Path) -> dict[bytes, bytes]:
    """The small chunks of a RIFF or FORM file by their names."""
    found: dict[bytes, bytes] = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        order = {b"RIFF": "<", b"RF64": "<", b"FORM": ">"}.get(head[:4])
        position = 12
        while order and position + 8 <= size and len(found) < 64:
            file.seek(position)
            name, length = struct.unpack(f"{order}4sI", file.read(8))
            if name in (b"smpl", b"inst", b"INST"):
                found.setdefault(name, file.read(min(length, _LONGEST)))
            position += 8 + length + (length & 1)
    return found


def _from_wav(chunks: dict[bytes, bytes]) -> Label | None:
    key, velocity = None, None
    if len(chunks.get(b"smpl", b"")) >= 36:
        unity, fraction = struct.unpack_from("<II", chunks[b"smpl"], 12)
        key = unity + (1 if fraction >= 1 << 31 else 0)
    if len(chunks.get(b"inst", b"")) >= 7:
        root, _, _, _, _, low, high = struct.unpack_from("<bbbbbbb", chunks[b"inst"])
        key, velocity = (root if key is None else key), layer_velocity(low, high)
    return _label(key, velocity)


def _from_aiff(chunks: dict[bytes, bytes]) -> Label | None:
    if len(chunks.get(b"INST", b"")) < 6:
        return None
    root, _, _, _, low, high = struct.unpack_from(">bbbbbb", chunks[b"INST"])
    return _label(root, layer_velocity(low, high))


def _label(key: int | None, velocity: int | None) -> Label | None:
    return None if key is None or not 0 < key <= 127 else Label("chunk", pitch=float(key), velocity=velocity)
