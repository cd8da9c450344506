"""A case's own folder, how its outcome is determined, and helpers for all cases."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE, midi_to_hz

PRECIOUS = "precious.wav"  # a user's file in every case's folder


@dataclass
class Material:
    """The files to damage. folder: where cases work. sounds: by format; the others are named as in a run."""

    folder: Path
    sounds: dict[str, bytes]
    song: bytes
    weights: bytes
    prepared: bytes
    state: bytes
    record: dict[str, Any]
    font: bytes
    voice: Path


@dataclass
class Box:
    """A case's own folder, its random generator, and what it must not do."""

    folder: Path
    rng: np.random.Generator
    material: Material
    kind: str = ""
    changed: set[str] = field(default_factory=set)  # files that it may replace

    def __post_init__(self) -> None:
        self.out = self.folder / "out"
        self.out.mkdir()
        (self.folder / PRECIOUS).write_bytes(self.material.sounds["wav-PCM_16"])
        (self.out / PRECIOUS).write_bytes(self.material.sounds["wav-PCM_16"])
        self.before = digests(self.out)

    def file(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
        return path


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def called(action: Callable[[], Any], warned: Callable[[Any], bool] = lambda _: False) -> dict[str, Any]:
    """The outcome of a verb's Python function."""
    import warnings

    with warnings.catch_warnings(record=True) as heard, contextlib.redirect_stderr(io.StringIO()) as said:
        warnings.simplefilter("always", UserWarning)
        try:
            result = action()
        except AntiphonError as error:
            text = str(error)
            return {"outcome": "refused" if "\n" not in text and text else "defect", "what": text[:200]}
    noted = bool(heard) or "note: " in said.getvalue() or warned(result)
    return {"outcome": "warned" if noted else "fine"}


def typed(*words: object) -> dict[str, Any]:
    """The outcome of a command line."""
    from antiphon.cli.app import main

    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=sys.__stdout__.errors if sys.__stdout__ else "strict")
    said = io.StringIO()
    status: Any = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            status = stop.code or 0
    lines = said.getvalue().splitlines()
    errors = [line for line in lines if line.startswith("antiphon: ")]
    if status == 2 and len(errors) == 1 and lines[-1] == errors[0] and "not enough memory" not in errors[0]:
        return {"outcome": "refused", "what": errors[0][:200]}
    if status == 0 and not errors and "Traceback" not in said.getvalue():
        return {"outcome": "warned" if any(line.startswith(("note: ", "refused: ")) for line in lines) else "fine"}
    return {
        "outcome": "defect",
        "what": f"status {status}: {' / '.join(lines)[-600:]}",
        "line": " ".join(map(repr, words)),
    }


def tone(pitch: float, seconds: float = 0.3) -> np.ndarray:
    """(samples,) float32: a note of six harmonics that decays."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    f0 = midi_to_hz(pitch)
    wave = sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 7))
    return (0.3 * wave * np.exp(-t / 0.2)).astype(np.float32)


def link(path: Path, to: str) -> Path:
    os.symlink(to, path)
    return path
