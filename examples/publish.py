"""Puts a run's voice among the bundled ones, with its critics' weights beside it for further training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from antiphon.core.run_files import STATE, WEIGHTS
from antiphon.voices.checkpoint import load_voice, read_tensors, save_voice, write_tensors

VOICES = Path(__file__).parent.parent / "antiphon" / "voices" / "bundled"


def publish(run: Path, name: str, licence: str) -> None:
    """Half-precision weights of the voice into the package, and of its critics beside it."""
    voice = load_voice(run / WEIGHTS)
    save_voice(VOICES / f"{name}.safetensors", voice.model, replace(voice.info, name=name, licence=licence))
    tensors, _ = read_tensors(run / STATE)
    critics = {k.removeprefix("game."): v.half() for k, v in tensors.items() if k.startswith("game.critics.")}
    write_tensors(VOICES / f"{name}.critics.safetensors", critics, {"opponents_of": name})
