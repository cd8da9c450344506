"""The cases of benchmarks/fuzz.py: what is damaged, who reads it, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_damage import pick

from antiphon.errors import AntiphonError

MATERIAL = "material"
TINY = {"batch": 2, "samples": 8192, "game.imagined": 1, "game.bank": 64}
PRECIOUS = "precious.wav"  # a file of the user's in every case's folder


@dataclass
class Material:
    """What is damaged. folder: where cases work. sounds: by format; the rest as in the files of a run."""

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
    """A case's own folder, its chances, and what it may not do."""

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


def leftovers(box: Box, outcome: str) -> str:
    """What is wrong with the case's folder: half-written files, the user's files changed; nothing if it is as it
    should be."""
    import soundfile

    if hashlib.md5((box.folder / PRECIOUS).read_bytes()).hexdigest() != box.before[PRECIOUS]:
        return "a file of the user's was changed"
    after = digests(box.out)
    for name, digest in box.before.items():
        if name not in box.changed and after.get(name) != digest:
            return f"{name} was changed"
    new = set(after) - set(box.before)
    hidden = [name for name in new if Path(name).name.startswith(".")]
    if hidden:
        return f"left behind: {hidden[0]}"
    if outcome == "refused" and new:
        return f"refused, but wrote {sorted(new)[0]!r}"
    for name in new:
        if Path(name).suffix in (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff"):
            try:
                with (box.out / name).open("rb") as file:
                    whole = 0 < soundfile.info(file).frames < 1 << 40
            except Exception as error:
                return f"{name} is no sound: {error}"
            if not whole:
                return f"{name} is not whole"
    return ""


# ---- running ---------------------------------------------------------------------------------------------------------


def called(action: Callable[[], Any], warned: Callable[[Any], bool] = lambda _: False) -> dict[str, Any]:
    """The outcome of a Python twin."""
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
    from antiphon.cli import main

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


# ---- material --------------------------------------------------------------------------------------------------------


def tone(pitch: float, seconds: float = 0.3) -> np.ndarray:
    """(samples,) float32: a note of six harmonics that decays."""
    t = np.arange(round(seconds * 44100)) / 44100
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 7))
    return (0.3 * wave * np.exp(-t / 0.2)).astype(np.float32)


def make_material(folder: Path) -> None:
    """Sounds of every format, a run of two steps on fourteen notes, a soundfont's tables."""
    import antiphon
    from antiphon.audio.files import write_audio

    shutil.rmtree(folder, ignore_errors=True)
    rows = ["path,pitch,instrument,preset,style,velocity,seconds,split"]
    for name in ("violin", "harp"):
        for pitch in range(55, 83, 4):
            write_audio(folder / "notes" / name / f"{pitch:03d}.wav", tone(pitch))
            rows.append(f"{name}/{pitch:03d}.wav,{pitch},{name},{name},plucked,90,0.25,train")
    (folder / "notes" / "notes.csv").write_text("\n".join(rows) + "\n")
    run, how = folder / "run", {"from_scratch": True, "threads": 1, "quiet": True}
    antiphon.train(folder / "notes", run, size="tiny", steps=2, settings=TINY, **how)  # type: ignore[arg-type]
    (folder / "sounds").mkdir()
    for kind, data in _sounds().items():
        (folder / "sounds" / kind).write_bytes(data)
    (folder / "done").touch()


def _sounds() -> dict[str, bytes]:
    """A short note in every format that is read."""
    import soundfile

    found = {}
    for kind in ("wav-PCM_16", "wav-PCM_24", "wav-FLOAT", "wav-DOUBLE", "wav-IMA_ADPCM", "aiff-PCM_16", "caf-PCM_24",
                 "au-PCM_16", "w64-PCM_16", "rf64-PCM_16", "flac-PCM_16", "ogg-VORBIS", "ogg-OPUS",
                 "mp3-MPEG_LAYER_III"):  # fmt: skip
        suffix, subtype = kind.split("-")
        file, rate = io.BytesIO(), 48000 if subtype == "OPUS" else 44100
        soundfile.write(file, tone(60, 0.2), rate, format=suffix.upper(), subtype=subtype)
        found[kind] = file.getvalue()
    return found


def load_material(folder: Path) -> Material:
    from fuzz_readers import small_font

    import antiphon

    place = folder / MATERIAL
    run = place / "run"
    files = {name: (run / f"{name}.safetensors").read_bytes() for name in ("weights", "prepared", "state")}
    return Material(
        folder=folder,
        sounds={path.name: path.read_bytes() for path in sorted((place / "sounds").iterdir())},
        song=(Path(antiphon.__file__).parent / "songs" / "antiphon.mid").read_bytes(),
        record=json.loads((run / "run.json").read_text()),
        font=small_font(),
        voice=run,
        **files,
    )


# ---- families --------------------------------------------------------------------------------------------------------


def family_of(case: int, seed: int) -> tuple[str, Callable[[Box], dict[str, Any]], np.random.Generator]:
    """What a case is: the family's name, how it is tried, and its chances."""
    import fuzz_places
    import fuzz_readers

    rng = np.random.default_rng((seed, case))
    families = {**fuzz_readers.FAMILIES, **fuzz_places.FAMILIES}
    shares = np.array([share for share, _ in families.values()], float)
    name = str(pick(rng, rng.choice(list(families), 1, p=shares / shares.sum())))
    return name, families[name][1], rng


def link(path: Path, to: str) -> Path:
    os.symlink(to, path)
    return path
