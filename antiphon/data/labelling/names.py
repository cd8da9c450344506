"""Names read among their siblings: what a folder's files say of pitch, force, role and drum when they are read
together. "A0v1" says little; beside "A0v2" .. "A0v16" and "C8v16" it says a piano's lowest note, struck softly."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from antiphon.data.labelling import labels
from antiphon.data.labelling.drums import drum_told, hat_told
from antiphon.data.labelling.layers import Told, split_words, struck, told
from antiphon.data.labelling.pitches import Place, counted, places, separated, settle
from antiphon.data.labelling.ranges import ODD, Range, misfit, range_of

_RELEASE = re.compile(
    r"(?<![A-Za-z])(?:(?:[Rr]eleases?|RELEASE|REL|[Rr]el|[Rr]ls|RLS)(?![a-z])|RT(?![A-Za-z]))|"
    r"(?i:(?<![a-z])(?:key|note)[ _-]?(?:off|up)(?![a-z]))"
)
_NOISE = re.compile(r"(?<![a-z])noises?(?![a-z])|(?<=[a-z])[Nn]oises?(?![a-z])")
_HANDLING = re.compile(
    r"(?i)(?<![a-z])(?:pedals?|valves?|scrapes?|breaths?|squeaks?|clicks?|thumps?|knocks?|mechanics?)(?![a-z])"
)
_ARTICULATIONS = {
    "sus": "sustain", "sust": "sustain", "sustain": "sustain", "sustained": "sustain", "long": "sustain",
    "stac": "staccato", "stacc": "staccato", "stc": "staccato", "staccato": "staccato", "short": "staccato",
    "spic": "spiccato", "spiccato": "spiccato", "pizz": "pizzicato", "pizzicato": "pizzicato", "arco": "arco",
    "leg": "legato", "legato": "legato", "trem": "tremolo", "tremolo": "tremolo", "trill": "trill", "marc": "marcato",
    "marcato": "marcato", "ten": "tenuto", "tenuto": "tenuto", "harm": "harmonics", "harmonic": "harmonics",
    "harmonics": "harmonics", "sord": "muted", "mute": "muted", "muted": "muted", "slap": "slap", "slapped": "slap",
    "picked": "picked", "fingered": "fingered", "flutter": "flutter", "gliss": "glissando", "fall": "fall",
    "vib": "vibrato", "vibrato": "vibrato", "susvib": "vibrato", "arcovib": "vibrato", "nonvib": "non-vibrato",
    "novib": "non-vibrato",
}  # fmt: skip
_MICROPHONES = (
    "close", "room", "ambient", "amb", "overhead", "oh", "di", "mic", "cnd", "dyn", "far", "mono", "stereo", "st", "sv",
    "outrigger", "decca", "spot",
)  # fmt: skip


@dataclass
class Said:
    """What a name says. pitch: MIDI, or None. source: what says the pitch: name, number, index or folder. shift: the
    semitones by which its octave was corrected. guessed: the velocity is a counter's, which might count round robins.
    drum: of data/labelling/drums.py. half: left or right of a pair. like: what its siblings share. head: what may name
    the instrument."""

    pitch: float | None = None
    source: str = "name"
    several: bool = False
    shift: int = 0
    velocity: int | None = None
    guessed: bool = False
    role: str = "note"
    round_robin: int | None = None
    microphone: str = ""
    articulation: str = ""
    half: str = ""
    drum: str | None = None
    drum_source: str = "name"
    kind: str = ""
    like: str = ""
    head: str = ""
    counter: int | None = None


def read_names(paths: Sequence[PurePath], root: str = "") -> list[Said]:
    """What each of a folder's files says. paths: relative to the folder, whose own name is `root`."""
    said = [Said() for _ in paths]
    stems = [separated(path.stem[: labels.LONGEST_NAME]) for path in paths]
    told_ranges = [_range(stem, path, root) for stem, path in zip(stems, paths, strict=True)]
    ranges = _shared(told_ranges, paths)
    found = _places(paths, stems)
    _settle(said, found, ranges, paths, stems)
    _read_marked(said, found, stems)
    _read_roles(said, paths, stems)
    _read_layers(said, found, paths, stems)
    _join_halves(said, paths)
    for one, path, kind in zip(said, paths, told_ranges, strict=True):
        one.kind = kind[0] if kind else ""
        one.drum, one.drum_source = drum_told(path) or (None, "name")
    _read_hats(said, paths)
    return said


def _range(stem: str, path: PurePath, root: str) -> tuple[str, Range] | None:
    """The instrument that the name, or else the nearest folder, tells of; a folder may say more: "Double Bass/Bass"."""
    own = range_of(stem)
    for part in (*reversed(path.parts[:-1]), root):
        outer = range_of(part)
        if outer and (own is None or (outer[0] != own[0] and outer[0].endswith(own[0]))):
            own = outer
            break
        if own is None and outer:
            return outer
    return own


def _shared(ranges: list[tuple[str, Range] | None], paths: Sequence[PurePath]) -> list[tuple[str, Range] | None]:
    """Files that tell no instrument are of the only one that others in their folder tell of."""
    folders: dict[PurePath, set[tuple[str, Range]]] = defaultdict(set)
    for found, path in zip(ranges, paths, strict=True):
        if found:
            folders[path.parent].add(found)
    only = {folder: next(iter(kinds)) for folder, kinds in folders.items() if len({kind for _, kind in kinds}) == 1}
    return [found or only.get(path.parent) for found, path in zip(ranges, paths, strict=True)]


# ---- pitch -----------------------------------------------------------------------------------------------------------


def _places(paths: Sequence[PurePath], stems: Sequence[str]) -> list[Place | None]:
    """Where each name says its pitch, by folders, which are named alike if they differ in numbers only."""
    folders: dict[str, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        folders[re.sub(r"\d+", "0", str(path.parent))].append(i)
    found: list[Place | None] = [None] * len(paths)
    for group in folders.values():
        drums = 2 * sum(drum_told(paths[i]) is not None for i in group) > len(group)
        for i, place in zip(group, places([stems[i] for i in group]), strict=True):
            found[i] = None if place is not None and not place.sure and drums else place
    return found


def _settle(
    said: list[Said],
    found: Sequence[Place | None],
    ranges: Sequence[tuple[str, Range] | None],
    paths: Sequence[PurePath],
    stems: Sequence[str],
) -> None:
    """Pitches as they are meant: one octave an instrument, unless its folders are better understood apart."""
    pools: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for i, place in enumerate(found):
        if place is not None:
            said_kind = ranges[i]
            pools[said_kind[0] if said_kind else "", place.sure].append(i)
    for (name, sure), pool in pools.items():
        kind = next((r[1] for i in pool if (r := ranges[i])), None) if name else None
        apart = _folders(pool, paths)
        if not sure:  # some folders count what they hold
            counts = [group for group in apart if counted(place.pitch for i in group if (place := found[i]))]
            apart = [group for group in apart if group not in counts]
            pool = [i for group in apart for i in group]
            for group in counts:
                _settle_group(said, group, found, kind, sure, stems)
        groups = _together(pool, apart, found, kind) if kind else apart
        for group in groups:
            _settle_group(said, group, found, kind, sure, stems)


def _folders(pool: Iterable[int], paths: Sequence[PurePath]) -> list[list[int]]:
    folders: dict[str, list[int]] = defaultdict(list)
    for i in pool:
        folders[re.sub(r"\d+", "", str(paths[i].parent))].append(i)
    return list(folders.values())


def _together(pool: list[int], apart: list[list[int]], found: Sequence[Place | None], kind: Range) -> list[list[int]]:
    """The pool as one group, or its folders where they fit the instrument much better by themselves."""
    if len(apart) < 2 or len(apart) > 40:
        return apart if len(apart) < 2 else [pool]

    def cost(group: list[int]) -> float:
        pitches = {place.pitch for i in group if (place := found[i])}
        return min(misfit(pitches, kind, shift) + price for shift, price in ODD.items())

    return apart if max(map(cost, apart)) + 4 < cost(pool) else [pool]


def _settle_group(
    said: list[Said],
    group: list[int],
    found: Sequence[Place | None],
    kind: Range | None,
    sure: bool,
    stems: Sequence[str],
) -> None:
    pitches = [place.pitch for i in group if (place := found[i])]
    numbers = [_number_beside(stems[i], found[i]) for i in group]
    worded = any(
        re.match(r"(?i)[a-h](?:is|es|s|-?sharp|-?flat)", stems[i][place.start :]) for i in group if (place := found[i])
    )
    moved = settle(pitches, kind, numbers, sure, worded)
    indexed = not sure and counted(pitches)
    if indexed and all(moved[p] == p for p in moved):
        return  # they count files
    for i, pitch in zip(group, pitches, strict=True):
        place = found[i]
        if place is None or not place.octave or not 0 <= moved[pitch] <= 127:
            continue
        if not sure and not 12 <= moved[pitch] <= 120:
            continue
        said[i].pitch, said[i].shift = moved[pitch], round(moved[pitch] - pitch)
        said[i].source = "name" if sure else "index" if indexed else "number"


def _read_marked(said: list[Said], found: Sequence[Place | None], stems: Sequence[str]) -> None:
    """Numbers that say what they are ("midi60", "440 Hz", NSynth's names) need no siblings."""
    for one, place, stem in zip(said, found, stems, strict=True):
        alone = labels.parse_name(stem)
        one.several = alone.several
        if alone.preset or (alone.sure and alone.pitch is not None and (place is None or not place.sure)):
            one.pitch, one.source, one.shift = alone.pitch, "name", 0
            one.velocity = alone.velocity if alone.preset else None


def _number_beside(stem: str, place: Place | None) -> float | None:
    """A number of two or three digits next to the note, which may be its MIDI key."""
    rest = stem if place is None else stem[: place.start] + "|" + stem[place.end :]
    match = re.search(r"(?<![0-9A-Za-z])(\d{2,3})[ _-]*\||\|[ _-]*(\d{2,3})(?![0-9A-Za-z])", rest)
    return float(match[1] or match[2]) if match else None


# ---- roles, layers, halves -------------------------------------------------------------------------------------------


def _read_roles(said: list[Said], paths: Sequence[PurePath], stems: Sequence[str]) -> None:
    for one, path, stem in zip(said, paths, stems, strict=True):
        near = path.parts[-2] if len(path.parts) > 1 else ""
        if _RELEASE.search(stem) or _RELEASE.fullmatch(near):
            one.role = "release"
        elif _is_noise(stem, near, one.pitch is not None or drum_told(path) is not None):
            one.role = "noise"
        words = split_words(stem)
        one.microphone = next((word for word in _MICROPHONES if word in words), "")
        told = [_ARTICULATIONS.get(word) for name in (stem, *reversed(path.parts[:-1])) for word in split_words(name)]
        one.articulation = next(filter(None, told), "")


def _is_noise(stem: str, folder: str, sounds: bool) -> bool:
    """Whether a name or its folder's tells of a noise; of pedals and the like only where it tells no pitch or drum."""
    if _NOISE.search(stem.lower()) or _NOISE.fullmatch(folder.lower()):
        return True
    return not sounds and bool(_HANDLING.search(stem) or _HANDLING.fullmatch(folder))


def _read_layers(
    said: list[Said], found: Sequence[Place | None], paths: Sequence[PurePath], stems: Sequence[str]
) -> None:
    """Velocities and round robins, by folders."""
    names: list[Told] = []
    for stem, place, one in zip(stems, found, said, strict=True):
        spent = place if place and (place.sure or one.pitch is not None) else None
        names.append(told(stem if spent is None else stem[: spent.start] + " " + stem[spent.end :]))
    folders: dict[str, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        folders[str(path.parent)].append(i)
    for group in folders.values():
        struck([names[i] for i in group], [(said[i].role, said[i].pitch) for i in group])
    for one, name, stem, place in zip(said, names, stems, found, strict=True):
        if one.velocity is None:
            one.velocity, one.guessed, one.round_robin = name.velocity, name.guessed, name.robin
        one.like, one.counter = name.like, next(iter(name.counters[-1:]), None)
        used = place is not None and (place.sure or one.pitch is not None)
        one.head = stem[: place.start] if used and place and place.start else name.like


def _read_hats(said: list[Said], paths: Sequence[PurePath]) -> None:
    """Among drums, what is closed or open and nothing else is a hat."""
    folders: dict[PurePath, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        folders[path.parent].append(i)
    for group in folders.values():
        if 2 * sum(said[i].drum is not None for i in group) > len(group):
            for i in group:
                said[i].drum = said[i].drum or hat_told(paths[i].stem)


def _join_halves(said: list[Said], paths: Sequence[PurePath]) -> None:
    """Files whose names differ in an L and an R of their own are the halves of one."""
    pairs: dict[str, dict[str, int]] = defaultdict(dict)
    for i, path in enumerate(paths):
        match = re.search(r"(?<![A-Za-z0-9#])([LR])(?![A-Za-z0-9#])", path.stem)
        if match:
            rest = path.stem[: match.start()] + "*" + path.stem[match.end() :]
            pairs[str(path.with_name(rest + path.suffix))][match[1]] = i
    for pair in pairs.values():
        if len(pair) == 2:
            said[pair["L"]].half, said[pair["R"]].half = "left", "right"
