"""What is known about one sound of a folder, and about the folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

EXTRA = "extra"  # additional notes to measure with; they do not affect the others


DEFAULT_VELOCITY = 90


DOUBTED = frozenset({"name", "number", "index", "folder", "chunk"})  # sources of pitches that are checked by ear


UNNAMED = "sound"  # the name of sounds that have none


PITCHLESS = "its pitch is unknown: put a note name such as C4 in its name"


_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Row:
    """One recorded note."""

    path: Path
    pitch: float | None  # MIDI, 60 = C4
    instrument: str
    preset: str  # which specimen of the instrument: a font's preset, a player, a folder
    style: tuple[str, ...] = ()
    velocity: int = DEFAULT_VELOCITY  # 1..127
    hold_seconds: float | None = None  # from onset to release, if the sidecar gives it
    source: str = "name"  # of the pitch, or of a drum's name: sidecar, sfz, chunk, folder, name, tracker ...
    split: str = "train"
    role: str = "note"  # or release, noise, half, drum
    round_robin: int | None = None  # which of several recordings of the same
    velocity_source: str = ""  # empty: nothing says it
    instrument_source: str = ""
    microphone: str = ""
    articulation: str = ""
    right: Path | None = None  # the other half, where left and right are files of their own
    remark: str = ""


@dataclass(frozen=True)
class Refused:
    """A file that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Manifest:
    """The notes of a folder, the files that were refused, and remarks about the folder as a whole."""

    folder: Path
    rows: list[Row]
    refused: list[Refused]
    remarks: list[str]
    one_shots: bool = False  # hits (data/labelling/hits.py)
    pitched: bool = True  # False: like hits, they have only a nominal pitch
    aside: tuple[Row, ...] = ()  # what is known for no note: releases, noises, right halves

    def called(self, label: str) -> Manifest:
        """The same notes, all of an instrument of that name; "" leaves them as they are."""
        return replace(self, rows=[replace(row, instrument=label) for row in self.rows]) if label else self


def note_name(pitch: float) -> str:
    """60 -> "C4", 69.2 -> "A4 +20 cents"."""
    nearest = round(pitch)
    cents = round(100 * (pitch - nearest))
    name = f"{_NAMES[nearest % 12]}{nearest // 12 - 1}"
    return f"{name} {cents:+d} cents" if cents else name
