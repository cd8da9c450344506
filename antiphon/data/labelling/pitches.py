"""Pitches in the names of a group of files, read together: which of the letters and numbers vary as pitches do, and
which octave the maker means by them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from antiphon.data.labelling.ranges import ANY, ODD, Range, best_shift, misfit

_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
_SYLLABLES = {"do": 0, "ut": 0, "re": 2, "ré": 2, "mi": 4, "fa": 5, "sol": 7, "la": 9, "si": 11, "ti": 11}
_LAYER = r"(?:[vV](?:l|el)?(?:\d{1,3}|[HMLhml])|[HML]|p{1,4}|m[pf]|f{1,4}|rr\d+)"  # glued behind a note: A0v1, ab3mp
_LEFT = r"(?:(?<![A-Za-z0-9#♯♭])|(?<=[a-z])(?=[A-H]))"
_NOTE = re.compile(
    rf"{_LEFT}(?P<step>[A-Ha-h])(?P<alter>##|bb|#|♯|b|♭|-?sharp|-?flat|is|es|s)?(?P<octave>-[12]|10|[0-9])"
    rf"(?P<late>#|♯|b|♭)?(?:(?![A-Za-z0-9#♯♭])|(?={_LAYER}(?![A-Za-z0-9])))"
)
_CLASS = re.compile(r"(?<![A-Za-z0-9#♯♭])(?P<step>[A-H])(?P<alter>#|♯|b|♭|is|es|s)?(?![A-Za-z0-9#♯♭])")
_SYLLABLE = re.compile(
    r"(?<![A-Za-zÀ-ÿ])(?P<step>do|ut|r[eé]|mi|fa|sol|la|si|ti)(?P<alter>#|♯|b|♭|s)?[_ -]?(?P<octave>\d)"
    r"(?![A-Za-z0-9])", re.IGNORECASE,
)  # fmt: skip
_COUNTED = re.compile(
    r"(?:take|tk|rr|round|robin|var|version|no|nr|track|sample|layer|level|lvl|dyn|bpm|mic|seq|vl?|vel|velocity|"
    r"[/.:])[ _-]?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9.])(\d{1,3})(?![A-Za-z0-9.])")
_ODD_NUMBERS = {0: 0.0, 12: 8.0, 24: 8.0, -12: 10.0, -24: 12.0}
_FIRST_ORGAN, _MANUALS = 36, (49, 54, 56, 58, 61)
_FIRST_PIANO, _KEYS_PIANO = 21, 88


@dataclass(frozen=True)
class Place:
    """A pitch in a name: MIDI as written, and the letters that say so."""

    pitch: float
    start: int
    end: int
    sure: bool = True  # False: a bare number, which might count something else
    octave: bool = True  # False: only the pitch class is told


def separated(stem: str) -> str:
    """The name with a blank for a "#" that separates words ("Slap1#Long", "Fingered1#A1") and sharpens nothing."""
    return re.sub(r"(?<![A-Ga-g])#(?=[A-Za-z])|(?<=[A-Za-z][A-Ga-g])#(?=[A-Za-z])", " ", stem)


def written(stem: str) -> list[Place]:
    """The notes with an octave that a name holds, from left to right; those in capitals, if there are any."""
    found = [m for m in _NOTE.finditer(stem) if m["step"].isupper() or not m["octave"].startswith("-")]
    found = [m for m in found if m["step"].isupper()] or found
    places = [Place(_midi(m), m.start(), m.end()) for m in found]
    return [place for place in places if -12 <= place.pitch <= 132]


def syllables(stem: str) -> list[Place]:
    """Notes as Do Re Mi."""
    return [
        Place(12 * (int(m["octave"]) + 1) + _SYLLABLES[m["step"].lower()] + _altered(m["alter"]), m.start(), m.end())
        for m in _SYLLABLE.finditer(stem)
    ]


def _midi(match: re.Match[str]) -> float:
    step, alter = match["step"].lower(), (match["alter"] or "").lower()
    if alter == "s" and step == "e":
        alter = "es"
    late = "" if alter else match["late"] or ""
    return 12.0 * (int(match["octave"]) + 1) + _STEPS[step] + _altered(alter or late)


def _altered(alter: str | None) -> int:
    alter = (alter or "").lower().lstrip("-")
    if alter in ("##", "bb"):
        return 2 if alter == "##" else -2
    return 1 if alter in ("#", "♯", "sharp", "is", "s") else -1 if alter else 0


# ---- a group ---------------------------------------------------------------------------------------------------------


def places(stems: Sequence[str]) -> list[Place | None]:
    """Where each of a group of names says its pitch, as written: the notes that vary, or Do Re Mi, or the notes without
    an octave, or the numbers that vary as pitches do."""
    found = [written(stem) for stem in stems]
    sung = [syllables(stem) for stem in stems]
    if sum(map(bool, sung)) > max(sum(map(bool, found)), 0.6 * len(stems)) and len({p[0].pitch for p in sung if p}) > 2:
        found = sung
    chosen = _varying(found)
    if any(re.search(r"(?<![A-Za-z])[Hh](?:-?[0-9])", stem[p.start : p.end]) for stem, p in _told(stems, chosen)):
        chosen = [_german(stem, place) for stem, place in zip(stems, chosen, strict=True)]
    chosen = _lowest_octave(stems, chosen)
    without = [i for i, place in enumerate(chosen) if place is None]
    for i, place in zip(without, _numbers([stems[i] for i in without]), strict=True):
        chosen[i] = place
    return chosen


def _told(stems: Sequence[str], chosen: Sequence[Place | None]) -> list[tuple[str, Place]]:
    return [(stem, place) for stem, place in zip(stems, chosen, strict=True) if place is not None]


def _varying(found: Sequence[list[Place]]) -> list[Place | None]:
    """Of several notes in each name the one that varies most over the group; the last, where there is nothing in it."""
    last = [places[-1] if places else None for places in found]
    first = [places[0] if places else None for places in found]
    return first if _variety(first) > _variety(last) else last


def _variety(chosen: Iterable[Place | None]) -> int:
    return len({place.pitch for place in chosen if place})


def _german(stem: str, place: Place | None) -> Place | None:
    """Where H is B natural, B alone is B flat."""
    if place is None or not re.match(r"[Bb](?:-?[0-9])", stem[place.start : place.end]):
        return place
    return Place(place.pitch - 1, place.start, place.end)


def _lowest_octave(stems: Sequence[str], chosen: list[Place | None]) -> list[Place | None]:
    """Notes without an octave beside such that have one are of the octave below ("F", "F#1"); alone, of none."""
    octaves = [int(place.pitch // 12) for place in chosen if place is not None]
    result = list(chosen)
    for i, (stem, place) in enumerate(zip(stems, chosen, strict=True)):
        match = None if place else next(iter(_CLASS.finditer(stem)), None)
        if match and (octaves or match.start() == 0 == len(stem) - match.end()):
            low = min(octaves) - 1 if octaves else 5
            pitch = 12.0 * low + _STEPS[match["step"].lower()] + _altered(match["alter"])
            result[i] = Place(pitch, match.start(), match.end(), octave=bool(octaves))
    return result if octaves or sum(place is not None for place in result) > 2 else list(chosen)


def _numbers(stems: Sequence[str]) -> list[Place | None]:
    """The numbers, of those that count nothing by their own words, that vary most over the group, counted from the end
    of the name or from its beginning."""
    found = [
        [m for m in _NUMBER.finditer(stem) if not _COUNTED.search(stem[: m.start()]) and int(m[1]) <= 127]
        for stem in stems
    ]
    columns: list[list[re.Match[str] | None]] = []
    for k in range(max((len(row) for row in found), default=0)):
        columns.append([row[-1 - k] if len(row) > k else None for row in found])
        columns.append([row[k] if len(row) > k else None for row in found])
    best = max(columns, key=lambda column: len({int(m[1]) for m in column if m}), default=None)
    if best is None:
        return [None] * len(stems)
    return [Place(float(m[1]), m.start(), m.end(), sure=False) if m else None for m in best]


# ---- the octave ------------------------------------------------------------------------------------------------------


def settle(
    pitches: Sequence[float],
    kind: Range | None,
    numbers: Sequence[float | None],
    sure: bool,
    worded: bool = False,
) -> dict[float, float]:
    """From the pitches of a group as written to MIDI. numbers: of each file one beside its note, if it has any. sure:
    whether these are notes, not numbers. worded: sharps are written out, as those do who mean scientific pitch."""
    known = kind or ANY
    keys = sorted(set(pitches))
    if not sure and counted(keys):
        return _indexed(keys, known) or {key: key for key in keys}
    odd = dict(ODD if sure else _ODD_NUMBERS)
    if worded:
        odd |= {shift: price + 6 for shift, price in odd.items() if shift}
    beside = _beside(pitches, numbers)
    if beside is not None:
        odd[beside] = odd.get(beside, 0.0) - 15.0
    shift, _ = best_shift(keys, known, odd)
    moved = {key: key + shift for key in keys}
    if known.fretted and sure:
        stepped = {key: key + 12 if key % 12 < known.lows[0] % 12 else key for key in keys}
        if min(stepped.values()) == known.lows[0] > min(keys) and (
            misfit(stepped.values(), known) + 3 < misfit(keys, known, shift) + odd[shift]
        ):
            return stepped  # the octave's number changes at the lowest string
    return moved


def _beside(pitches: Sequence[float], numbers: Sequence[float | None]) -> int | None:
    """By how many octaves most numbers beside the notes are off them all alike; None if they are no pitches."""
    apart = Counter(number - pitch for pitch, number in zip(pitches, numbers, strict=True) if number is not None)
    ((shift, count),) = apart.most_common(1) or [(0.5, 0)]
    high = max((number for number in numbers if number is not None), default=0)
    usual = count >= max(3, 0.9 * sum(apart.values())) and shift in ODD and (shift == 0 or high <= ANY.highest)
    return int(shift) if usual else None


def _indexed(keys: Sequence[float], kind: Range) -> dict[float, float] | None:
    """Keys that are counted from the lowest one of a keyboard, each, or every second, third or fourth."""
    low, high, count = keys[0], keys[-1], len(keys)
    if kind.keys == "organ" and count >= 5 and high in _MANUALS:
        return {key: key + _FIRST_ORGAN - 1 for key in keys}
    if kind.keys != "piano" or count < 12:
        return None
    if _KEYS_PIANO - 3 <= high <= _KEYS_PIANO:
        return {key: key + _FIRST_PIANO - 1 for key in keys}
    first = 0 if low == 0 else 1
    step = round((_KEYS_PIANO - 1) / (high - first))
    if 1 < step <= 4 and abs(_FIRST_PIANO + step * (high - first) - 107) <= 2:
        return {key: min(_FIRST_PIANO + step * (key - first), ANY.highest) for key in keys}
    return None


def counted(keys: Iterable[float]) -> bool:
    """Whether numbers count files: they begin at 0 or 1."""
    return min(keys, default=2) <= 1


def by_place(items: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Indices by what they have in common."""
    groups: dict[str, list[int]] = defaultdict(list)
    for name, index in items:
        groups[name].append(index)
    return groups
