"""Ways to damage what a reader reads: bytes, JSON, numbers, names. All take a numpy Generator."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

NUMBERS = (0, 1, -1, 2, 7, 127, 128, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 10**30, -(10**9), 0.5, 1e300)
ODD_FLOATS = (float("nan"), float("inf"), float("-inf"))
TEXTS = ("", " ", "\0", "a\nb", "\x1b[31mred", "ü🎻é", "\ud800", "²", "x" * 5000, "9" * 5000, "../../etc/passwd",
         "/dev/zero", "NaN", "1e999", "-1", "nan", "{}", "%s%n", "C4", "true", "0x10", "a" * 255, "con.wav", "-",
         "--force", "٣", "=", ",", ";"
         )  # fmt: skip
LIES = (0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 100 << 30 & 0xFFFFFFFF)


def pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def text(rng: np.random.Generator) -> str:
    """An odd text."""
    if rng.random() < 0.7:
        return str(pick(rng, TEXTS))
    return "".join(chr(int(c)) for c in rng.integers(1, pick(rng, [128, 0x500, 0xD000]), int(rng.integers(1, 40))))


def damaged(rng: np.random.Generator, data: bytes) -> bytes:
    """Bytes, damaged once or several times: cut, flipped, overwritten, with false sizes, repeated."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(found) + 1)) if rng.random() < 0.5 else int(rng.integers(min(len(found), 128) + 1))
        match int(rng.integers(7)):
            case 0:
                del found[at:]
            case 1 | 2:
                for _ in range(int(rng.integers(1, 20))):
                    if found:
                        place = int(rng.integers(len(found) if rng.random() < 0.5 else min(len(found), 100)))
                        found[place] ^= 1 << int(rng.integers(8))
            case 3:
                found[at : at + 16] = rng.bytes(len(found[at : at + 16]))
            case 4 | 5:
                found[at : at + 4] = struct.pack(pick(rng, ["<I", ">I"]), pick(rng, LIES))
            case 6:
                found[at:at] = found[at : at + int(rng.integers(1, 400))]
    return bytes(found)


def value(rng: np.random.Generator, depth: int = 0) -> Any:
    """Any JSON, most of it odd."""
    match int(rng.integers(9)):
        case 0:
            return None
        case 1:
            return bool(rng.integers(2))
        case 2 | 3:
            return pick(rng, NUMBERS)
        case 4:
            return pick(rng, ODD_FLOATS)
        case 5 | 6:
            return text(rng)
        case 7:
            return [value(rng, depth + 1) for _ in range(int(rng.integers(3)))] if depth < 3 else []
    return {text(rng): value(rng, depth + 1) for _ in range(int(rng.integers(3)))} if depth < 3 else {}


def mutated(rng: np.random.Generator, node: Any) -> Any:
    """JSON with one place changed, removed, duplicated or extended."""
    if not isinstance(node, dict | list) or not node or rng.random() < 0.12:
        return value(rng)
    key = pick(rng, list(node) if isinstance(node, dict) else range(len(node)))
    copy = dict(node) if isinstance(node, dict) else list(node)
    chance = rng.random()
    if chance < 0.1:
        del copy[key]
    elif chance < 0.2:
        copy = {**copy, text(rng): value(rng)} if isinstance(copy, dict) else [*copy, copy[key]]
    else:
        copy[key] = mutated(rng, copy[key])
    return copy


def as_json(rng: np.random.Generator, body: Any) -> str:
    """JSON text, sometimes too deep or not quite JSON."""
    chance = rng.random()
    if chance < 0.03:
        return "[" * 200_000
    if chance < 0.06:
        return '{"a":' * 100_000 + "1"
    said = json.dumps(body)
    if chance < 0.12:
        return damaged(rng, said.encode()).decode("latin-1")
    return said


def split_safetensors(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def lying_safetensors(rng: np.random.Generator, data: bytes, key: str = "antiphon") -> bytes:
    """A safetensors file whose header, or the JSON in its metadata, makes false claims; or damaged bytes."""
    chance = rng.random()
    if chance < 0.25:
        return damaged(rng, data)
    if chance < 0.28:
        return b"\x80\x04\x95" + rng.bytes(50)  # a pickle
    header, body = split_safetensors(data)
    if chance < 0.65:
        inner = json.loads(header["__metadata__"][key])
        for _ in range(int(rng.integers(1, 4))):
            inner = mutated(rng, inner)
        header["__metadata__"][key] = as_json(rng, inner)
        raw = json.dumps(header)
    elif chance < 0.85:
        raw = as_json(rng, mutated(rng, header))
    else:
        raw = json.dumps(header)
        numbers = np.frombuffer(body[: len(body) // 2 * 2], np.uint16).copy()
        places = rng.integers(0, len(numbers), int(rng.integers(1, 30)))
        numbers[places] = pick(rng, [0, 0x7C00, 0xFE00, 0x7FFF, 0xFFFF, 0x7F80, 0xFF80])
        body = numbers.tobytes()
    encoded = raw.encode("utf-8", "replace")
    size = len(encoded) if rng.random() < 0.95 else pick(rng, [0, 1, 2**40, 2**63, 2**64 - 1, len(encoded) + 5])
    return int(size).to_bytes(8, "little") + encoded + body


def chunked(*bodies: bytes, kind: int = 1, division: int = 480) -> bytes:
    header = struct.pack(">4sLHHH", b"MThd", 6, kind, len(bodies) & 0xFFFF, division & 0xFFFF)
    return header + b"".join(struct.pack(">4sL", b"MTrk", len(body)) + body for body in bodies)


def number(n: int) -> bytes:
    """A variable-length number, longer than four bytes if necessary."""
    parts = [n & 0x7F]
    while n := n >> 7:
        parts.append(n & 0x7F | 0x80)
    return bytes(reversed(parts))
