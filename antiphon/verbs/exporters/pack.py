"""What a sampler needs to know of a voice, whatever its format: samples, and the keys and velocities they answer to.

An exporter is a file of this package that offers `EXPORTERS = {"name": Exporter(...)}`. It turns a `Pack` into files,
each a path below the pack's folder and a function that makes its bytes; nothing else needs to know of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from antiphon.audio.ops import Audio
from antiphon.core.note import Note
from antiphon.core.registry import registry

Files = dict[str, Callable[[], bytes]]


@dataclass(frozen=True, eq=False)
class Sample:
    """One rendered note. name: of its file, without folder and ending. w: (style,) what it is played with. level: dB
    by which a drum is softer or louder in its kit. hold: samples to its release, 0 if it has none. sound: (samples,)
    float32 within ±1, empty until it is rendered. loop: samples, [start, end). release: seconds in which it falls by
    60 dB when it is let go."""

    name: str
    note: Note
    w: np.ndarray
    level: float = 0.0
    hold: int = 0
    sound: Audio = field(default_factory=lambda: np.zeros(0, np.float32))
    loop: tuple[int, int] | None = None
    release: float = 0.0


@dataclass(frozen=True)
class Zone:
    """The keys (low..high) and velocities (softest..hardest) that a sample answers to, all inclusive; at the key `root`
    it sounds as it is. turn: 1..turns, which of the takes that sound in turn. choke: zones with the same number silence
    each other, 0 none."""

    sample: Sample
    root: int
    low: int
    high: int
    softest: int = 1
    hardest: int = 127
    turn: int = 1
    turns: int = 1
    choke: int = 0


@dataclass(frozen=True)
class Instrument:
    """name: for people; stem: for files. bank, program: where MIDI finds it, bank 128 a kit. rings: its notes sound to
    their end, whenever they are let go. layered: louder keys have louder samples; if not, one sample for all velocities
    is made louder and softer by the sampler."""

    name: str
    stem: str
    zones: tuple[Zone, ...]
    bank: int = 0
    program: int = 0
    rings: bool = False
    layered: bool = True

    @property
    def samples(self) -> list[Sample]:
        """Each once, in the order of its zones."""
        return list(dict.fromkeys(zone.sample for zone in self.zones))


@dataclass(frozen=True)
class Pack:
    """Instruments that belong together. name: the voice's; about: (heading, text) of what there is to know about it."""

    name: str
    stem: str
    instruments: tuple[Instrument, ...]
    about: tuple[tuple[str, str], ...] = ()

    @property
    def samples(self) -> Iterator[Sample]:
        """Of all instruments."""
        return (sample for instrument in self.instruments for sample in instrument.samples)


@dataclass(frozen=True)
class Exporter:
    """files: what a pack becomes; called before its samples are rendered, too, for the paths. how: a line on where to
    open it. turns: whether the format knows takes that sound in turn."""

    files: Callable[[Pack], Files]
    how: str
    turns: bool = True


def exporters() -> dict[str, Exporter]:
    """All formats by name."""
    return registry("antiphon.verbs.exporters", "EXPORTERS")


def printable(text: str) -> str:
    """On one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def file_stem(text: str) -> str:
    """A name that is one file's on every system, and means nothing to any format."""
    return re.sub(r"[^\w#]+", "-", text.lower()).strip("-")[:60] or "sound"
