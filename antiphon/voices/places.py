"""From words to places: what `--sound` and the layers of a script mean to a voice that imagines scenes.

    rain                            a label, or an unambiguous part of one
    rain:0.6,crowd:0.4              a blend
    street.wav                      a recording of a place
    rain>storm@1:00-3:00            a change, from one time to another; without times it takes as long as the scene

The grammar is that of instruments (voices/expression.py).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from antiphon.audio.files import SUFFIXES, check_sound, read_audio
from antiphon.audio.ops import to_mono
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.voices.capabilities import Encodes, ImaginesScenes, Place, ScenePath
from antiphon.voices.expression import Blend, Expression, parse

LISTENED = 60.0  # seconds of a recording that are heard
LEAST = 0.5  # seconds that a recording needs
SUDDEN = 0.02  # seconds that a change takes at least


class Places:
    """What sounds mean to a voice. seed, variation: of the places that are mixed with those of recordings. control:
    named controls by which every place is turned (voices/controls.py)."""

    def __init__(
        self,
        voice: ImaginesScenes,
        seed: int = 0,
        variation: float = 1.0,
        control: Mapping[str, float] | None = None,
    ):
        self.voice, self.seed, self.variation = voice, seed, variation
        self.control = voice.controls.named(control, voice.info.name) if control else {}

    def read(self, sound: str) -> Expression:
        """The expression that a text is; the names of labels and of files may contain whatever they like."""
        text = sound.strip()
        if text.lower() in {label.lower() for label in self.voice.instruments} or os.path.isfile(text):
            return Expression(Blend((text,), (1.0,), text))
        return parse(text)

    def path(self, sound: Expression, seconds: float, begins: float = 0.0) -> ScenePath:
        """Where the voice is, and when. seconds: how long it sounds; begins: when, on the clock by which its changes
        are told. Raises AntiphonError for unknown names and recordings that cannot be used."""
        here = self.place(sound.first)
        points: list[tuple[float, Place]] = []
        for turn in sound.turns:
            start, stop = turn.span if turn.span else (begins, begins + seconds)
            there = self.place(turn.to)
            points += [(start - begins, here), (max(stop, start + SUDDEN) - begins, there)]
            here = there
        return tuple(points) or ((0.0, here),)

    def place(self, blend: Blend) -> Place:
        """Labels with their shares; a w as soon as a recording is among them, or they are turned."""
        recorded = [is_recording(name) for name in blend.names]
        if not any(recorded) and not self.control:
            shares: dict[str, float] = {}
            for name, share in zip(blend.names, blend.shares, strict=True):
                label = resolve_place(name, self.voice.instruments)
                shares[label] = shares.get(label, 0.0) + share
            return shares
        ws = [self._turned(name, is_file) for name, is_file in zip(blend.names, recorded, strict=True)]
        return np.asarray(sum(share * w for share, w in zip(blend.shares, ws, strict=True)), np.float32)

    def _turned(self, name: str, is_file: bool) -> np.ndarray:
        """(style,) the place of a label or of a recording, turned by the controls; a recording's are those of the label
        that it is most like."""
        if is_file:
            w = torch.from_numpy(self.recording(name))
            label = self.voice.able(Encodes, "turn a recording").nearest(w) if self.control else ""
        else:
            label = resolve_place(name, self.voice.instruments)
            w = self.voice.imagine(label, (), self.seed, self.variation)
        return np.asarray(self.voice.turned(w, label, self.control).w.numpy(), np.float32)

    def recording(self, name: str) -> np.ndarray:
        """(style,) the place of a recording, heard once. Raises AntiphonError if it cannot be used."""
        return heard_place(self.voice, name, os.stat(name).st_mtime_ns if os.path.isfile(name) else 0)


def last_time(sound: Expression) -> float:
    """When the last of its changes has ended; 0 without changes or times."""
    return max((turn.span[1] for turn in sound.turns if turn.span), default=0.0)


def is_recording(name: str) -> bool:
    """Whether a name is that of a sound file."""
    return Path(name).suffix.lower() in SUFFIXES


def resolve_place(name: str, labels: Sequence[str]) -> str:
    """The label meant by a name: itself, or what it is an unambiguous beginning or part of. Case does not matter.
    Raises AntiphonError with the nearest labels."""
    wanted, lower = " ".join(name.lower().split()), {label.lower(): label for label in labels}
    if wanted in lower:
        return lower[wanted]
    hits = [label for low, label in lower.items() if low.startswith(wanted)]
    hits = hits or [label for low, label in lower.items() if wanted in low]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise AntiphonError(f"'{name}' could be {', '.join(sorted(hits)[:8])}: be more specific")
    near = difflib.get_close_matches(wanted, lower, 3, 0.6)
    known = f"did you mean {', '.join(near)}?" if near else f"it knows {', '.join(sorted(labels)[:40])}"
    raise AntiphonError(f"this voice has no sound named '{name}': {known}")


@lru_cache(maxsize=64)
def heard_place(voice: ImaginesScenes, name: str, changed: int) -> np.ndarray:
    """(style,) the place of a recording, by its first minute. Raises AntiphonError if it cannot be read, is silent or
    shorter than half a second."""
    audio = read_audio(name, mono=False, max_seconds=LISTENED)
    check_sound(to_mono(audio), name, shortest=LEAST)
    return np.asarray(voice.hear(audio, SAMPLE_RATE), np.float32)
