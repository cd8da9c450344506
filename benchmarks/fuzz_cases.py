"""The cases of benchmarks/fuzz.py: what is damaged, who reads it, and what must hold afterwards."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_box import PRECIOUS, Box, Material, digests, tone

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_damage import pick

MATERIAL = "material"
TINY = {"batch": 2, "samples": 8192, "game.imagined": 1, "game.bank": 64}


def leftovers(box: Box, outcome: str) -> str:
    """What is wrong with the case's folder: half-written files, or changed files of the user's; empty if it is as it
    should be."""
    import soundfile

    if hashlib.md5((box.folder / PRECIOUS).read_bytes()).hexdigest() != box.before[PRECIOUS]:
        return "a user's file was changed"
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
                return f"{name} is not a sound: {error}"
            if not whole:
                return f"{name} is incomplete"
    return ""


# ---- running ---------------------------------------------------------------------------------------------------------


# ---- material --------------------------------------------------------------------------------------------------------


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
        song=(Path(antiphon.__file__).parent / "music" / "songs" / "antiphon.mid").read_bytes(),
        record=json.loads((run / "run.json").read_text()),
        font=small_font(),
        voice=run,
        **files,
    )


# ---- families --------------------------------------------------------------------------------------------------------


def family_of(case: int, seed: int) -> tuple[str, Callable[[Box], dict[str, Any]], np.random.Generator]:
    """A case: the family's name, how to run it, and its random generator."""
    import fuzz_places
    import fuzz_readers

    rng = np.random.default_rng((seed, case))
    families = {**fuzz_readers.FAMILIES, **fuzz_places.FAMILIES}
    shares = np.array([share for share, _ in families.values()], float)
    name = str(pick(rng, rng.choice(list(families), 1, p=shares / shares.sum())))
    return name, families[name][1], rng
