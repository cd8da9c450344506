"""Antiphon: generative adversarial networks for sound that you can play.

    import antiphon

    voice = antiphon.load("gm")                                     # a bundled voice, a run folder or a weights file
    sound = voice.note(60, instrument="violin", seconds=2.0)        # (samples,) float32 at 44.1 kHz
    antiphon.save("violin.wav", sound)
    antiphon.play("song.mid", "song.wav")
    antiphon.generate("gm", "sounds", n=8, instrument="flute", pitch="A4")
    antiphon.morph("gm", "morph.wav", "flute", "cello")             # from one to the other in even steps
    antiphon.scene("rain.flac", sound="rain:0.6,crowd:0.4", minutes=10)  # a place that does not exist
    antiphon.clone("gm", ["kalimba.wav"], "kalimba")                # a new voice, kalimba.safetensors
    antiphon.export("gm", "flute", format="sfz", instrument="flute")  # samples for other people's samplers
    antiphon.compose("song.mid", style="game", bars=32, key="Am")   # notes out of noise
    antiphon.train("my-sounds", "runs/mine", minutes=30, settings={"game.rule": "hinge"})

Names are looked up when they are first used, so that `import antiphon` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from antiphon.core.errors import AntiphonError
    from antiphon.core.note import Note
    from antiphon.verbs.clone import clone
    from antiphon.verbs.compare import compare
    from antiphon.verbs.compose import compose
    from antiphon.verbs.evaluate import evaluate
    from antiphon.verbs.explain import explain
    from antiphon.verbs.export import export
    from antiphon.verbs.gallery import gallery
    from antiphon.verbs.generate import generate
    from antiphon.verbs.live.engine import Live
    from antiphon.verbs.morph import morph
    from antiphon.verbs.play import play
    from antiphon.verbs.repair import repair
    from antiphon.verbs.save import save
    from antiphon.verbs.scene import scene
    from antiphon.verbs.train import train
    from antiphon.voices.find import bundled, load
    from antiphon.voices.voice import Voice

__all__ = [
    "AntiphonError",
    "Live",
    "Note",
    "Voice",
    "__version__",
    "bundled",
    "clone",
    "compare",
    "compose",
    "evaluate",
    "explain",
    "export",
    "gallery",
    "generate",
    "load",
    "morph",
    "play",
    "repair",
    "save",
    "scene",
    "train",
]

_HOMES = {
    "AntiphonError": "antiphon.core.errors",
    "Live": "antiphon.verbs.live.engine",
    "Note": "antiphon.core.note",
    "Voice": "antiphon.voices.voice",
    "bundled": "antiphon.voices.find",
    "clone": "antiphon.verbs.clone",
    "compare": "antiphon.verbs.compare",
    "compose": "antiphon.verbs.compose",
    "evaluate": "antiphon.verbs.evaluate",
    "explain": "antiphon.verbs.explain",
    "export": "antiphon.verbs.export",
    "gallery": "antiphon.verbs.gallery",
    "generate": "antiphon.verbs.generate",
    "load": "antiphon.voices.find",
    "morph": "antiphon.verbs.morph",
    "play": "antiphon.verbs.play",
    "repair": "antiphon.verbs.repair",
    "save": "antiphon.verbs.save",
    "scene": "antiphon.verbs.scene",
    "train": "antiphon.verbs.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'antiphon' has no attribute '{name}'")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
