"""What a sampler's mapping says of one sound, and of one that it uses several times."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.core.errors import AntiphonError

_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


@dataclass(frozen=True)
class Region:
    """One use of a sound. sample: its place, as the mapping writes it. pitch: MIDI, that it sounds at. low, high: the
    velocities, 0..127, that it answers. role: note, release or noise. instrument: a drum's or a preset's name."""

    sample: str
    pitch: float | None = None
    low: int = 0
    high: int = 127
    role: str = "note"
    round_robin: int | None = None
    instrument: str | None = None


@dataclass(frozen=True)
class Label:
    """What is known of a sound file from one source; None where that says nothing."""

    source: str
    pitch: float | None = None
    velocity: int | None = None
    role: str = "note"
    round_robin: int | None = None
    instrument: str | None = None


def combined(regions: Sequence[Region], mapping: Path) -> Label:
    """What several uses of one sound say of it together: it is a note if any plays it as one; a pitch counts if most
    agree on it, and the velocities are those of the use that has most company."""
    played = [region for region in regions if region.role == "note"] or list(regions)
    pitches = Counter(region.pitch for region in played if region.pitch is not None)
    pitch: float | None = None
    count = 0
    if pitches:
        pitch, count = pitches.most_common(1)[0]
    if 2 * count <= len([region for region in played if region.pitch is not None]) and len(pitches) > 1:
        pitch = None
    (low, high), _ = Counter((region.low, region.high) for region in played).most_common(1)[0]
    robins = [region.round_robin for region in played if region.round_robin]
    return Label(
        source=mapping.suffix.lower().lstrip(".") if mapping.suffix.lower() != ".xml" else "mapping",
        pitch=None if pitch is None or not 0 <= pitch <= 127 else float(pitch),
        velocity=layer_velocity(low, high),
        role=played[0].role,
        round_robin=robins[0] if robins else None,
        instrument=next((region.instrument for region in played if region.instrument), None),
    )


def layer_velocity(low: int, high: int) -> int | None:
    """The velocity that stands for a layer: the middle of those that it answers; None if it answers all."""
    low, high = max(low, 1), min(high, 127)
    return None if low > high or (low <= 1 and high >= 126) else max(1, round((low + high) / 2))


def key_number(text: str) -> int | None:
    """The MIDI key of "60", "c4" or "Db3" (c4 = 60); None if it is none."""
    word = text.strip().lower()
    if re.fullmatch(r"-?\d{1,3}", word):
        return int(word)
    match = re.fullmatch(r"([a-g])([#b♯♭]?)(-?\d{1,2})", word)
    if not match:
        return None
    return 12 * (int(match[3]) + 1) + _STEPS[match[1]] + {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(match[2], 0)


def whole(text: str | None, default: int) -> int:
    """A number of a mapping, rounded; the default if it is none."""
    try:
        return round(max(-1e6, min(1e6, float(text)))) if text is not None else default
    except ValueError:
        return default


def tree(path: Path) -> ElementTree.Element:
    """The root of an XML file."""
    try:
        return ElementTree.fromstring(path.read_bytes())
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise AntiphonError(f"the mapping {path.name} cannot be read: {str(error)[:100]}") from None
