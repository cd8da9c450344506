"""Which notes a sampler needs of a voice, and the keys and velocities they answer to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.core.note import LONGEST_SECONDS, Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling import gm
from antiphon.data.labelling.drums import AS_RECORDED, CHOKED, KEYS, Stroke, stand_in
from antiphon.data.labelling.row import note_name
from antiphon.verbs.exporters.pack import Instrument, Pack, Sample, Zone, file_stem, printable
from antiphon.voices.expression import USUAL_RANGE, still
from antiphon.voices.playable import PlayableVoice

MANY = 16  # instruments of a voice, more of which are exported only when asked for
LARGEST = 12_000  # seconds held, all samples together
FIRST_KEY, ABOVE = 36, 88  # of a kit of which General MIDI knows no drum; of drums that it does not know in others
ALL = "all"
KIT_BANK = 128


@dataclass(frozen=True)
class Grid:
    """How densely a voice is sampled. keys: semitones from one sampled key to the next, at most; velocities: layers;
    takes: of each key and layer; seconds: how long a note is held; seed: which player."""

    keys: int = 3
    velocities: int = 3
    takes: int = 2
    seconds: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("keys", 127), ("velocities", 16), ("takes", 16)):
            if not 1 <= getattr(self, name) <= most:
                raise AntiphonError(f"{name} cannot be {getattr(self, name)}: use 1 to {most}")
        if not 0.1 <= self.seconds <= min(60, LONGEST_SECONDS):
            raise AntiphonError(f"a sample cannot be held for {self.seconds:g} s: use 0.1 to 60")

    @property
    def layers(self) -> list[tuple[int, int, int]]:
        """The softest and the hardest velocity of each layer, and the one it is played with: at two thirds of it, since
        people play more in the upper half of what there is."""
        edges = [1 + 127 * i // self.velocities for i in range(self.velocities + 1)]
        return [(low, high - 1, low + round((high - 1 - low) * 2 / 3)) for low, high in pairwise(edges)]


def plan(voice: PlayableVoice, instruments: Sequence[str], grid: Grid) -> Pack:
    """The pack of a voice, before anything is rendered. instruments: labels, blends or recordings; none: all that the
    voice has, if they are few."""
    made = [_kit(voice, instruments, grid)] if not voice.pitched else _melodic(voice, instruments, grid)
    pack = Pack(printable(voice.info.name), file_stem(voice.info.name), tuple(made))
    count = sum(1 for _ in pack.samples)
    if count * grid.seconds > LARGEST:
        raise AntiphonError(
            f"{count:,} samples of up to {grid.seconds:g} s are too many: use larger --keys, fewer --velocities or "
            "--takes, fewer --seconds, or name fewer instruments"
        )
    return pack


# ---- instruments -----------------------------------------------------------------------------------------------------


def _melodic(voice: PlayableVoice, wanted: Sequence[str], grid: Grid) -> list[Instrument]:
    names = list(voice.instruments) if [name.lower() for name in wanted] == [ALL] else list(dict.fromkeys(wanted))
    if not names and len(voice.instruments) > MANY:
        shown = ", ".join(voice.instruments[:3])
        raise AntiphonError(
            f"{voice.info.name} has {len(voice.instruments)} instruments ({shown}, ...): name some with --instrument, "
            f"or all of them with --instrument {ALL}"
        )
    made: list[Instrument] = []
    for name in names or voice.instruments:
        instrument = _instrument(voice, name, grid)
        taken = sum(other.stem.rpartition("~")[0] == instrument.stem or other.stem == instrument.stem for other in made)
        made.append(replace(instrument, stem=f"{instrument.stem}~{taken + 1}") if taken else instrument)
    return _placed(made)


def _instrument(voice: PlayableVoice, name: str, grid: Grid) -> Instrument:
    drawn = still(voice, name, seed=grid.seed)
    label, w = drawn.label(), drawn.w().numpy()
    title = _title(voice, name, label)
    stem, zones = file_stem(title), []
    for low, root, high in spread(*voice.info.range_of.get(label, USUAL_RANGE), grid.keys):
        for softest, hardest, velocity in grid.layers:
            for take in range(grid.takes):
                note = Note(float(root), grid.seconds, velocity, label, (), grid.seed, take)
                sample = Sample(_sample_name(stem, root, note, grid), note, w, hold=round(grid.seconds * SAMPLE_RATE))
                zones.append(Zone(sample, root, low, high, softest, hardest, take + 1, grid.takes))
    program = gm.PROGRAMS.index(label.lower()) if label.lower() in gm.PROGRAMS else -1
    rings = voice.longest < grid.seconds
    return Instrument(printable(title), stem, tuple(zones), 0, program, rings, grid.velocities > 1)


def _title(voice: PlayableVoice, name: str, label: str) -> str:
    """What to call an instrument: by its label, or if it is a blend or a recording, by that."""
    if name.lower() in (known.lower() for known in voice.instruments):
        return label
    return Path(name).stem if os.path.isfile(name) else name if "," in name or ":" in name else label


def spread(lowest: float, highest: float, step: int) -> list[tuple[int, int, int]]:
    """Zones of at most `step` keys, as even as can be: (lowest key, sampled key, highest key) of each. The outermost
    reach to the ends of the keyboard."""
    low, keys = round(lowest), max(round(highest) - round(lowest) + 1, 1)
    count = -(-keys // step)
    edges = [low + keys * i // count for i in range(count + 1)]
    roots = [(a + b - 1) // 2 for a, b in pairwise(edges)]
    edges[0], edges[-1] = 0, 128
    return [(edges[i], root, edges[i + 1] - 1) for i, root in enumerate(roots)]


def _placed(instruments: Sequence[Instrument]) -> list[Instrument]:
    """With a program each: that of General MIDI, or the first that no other has."""
    wanted = {i.program for i in instruments}
    free = iter([(bank, program) for bank in range(127) for program in range(128) if bank or program not in wanted])
    given: set[int] = set()
    placed = []
    for instrument in instruments:
        if instrument.program < 0 or instrument.program in given:
            bank, program = next(free)
            instrument = replace(instrument, bank=bank, program=program)
        given |= {instrument.program} if not instrument.bank else set()
        placed.append(instrument)
    return placed


def _sample_name(stem: str, key: int, note: Note, grid: Grid) -> str:
    """Tells the instrument, the note, the velocity and, of several, the take."""
    take = f"_take{note.take + 1}" if grid.takes > 1 else ""
    return f"{stem}_{note_name(key)}_v{note.velocity:g}{take}"


# ---- kits ------------------------------------------------------------------------------------------------------------


def _kit(voice: PlayableVoice, wanted: Sequence[str], grid: Grid) -> Instrument:
    """The drums of a voice on the keys of General MIDI: all of them, with the nearest relative where one is lacking, or
    those that are wanted."""
    everything = [name.lower() for name in wanted] in ([], [ALL])
    labels = voice.instruments if everything else [voice.resolve(name, grid.seed) for name in wanted]
    zones = []
    for key, stroke in kit_keys(labels, everything).items():
        w = still(voice, stroke.drum, seed=grid.seed).w().numpy()
        choke = next((i for i, keys in enumerate(CHOKED, 1) if key in keys), 0)
        for softest, hardest, velocity in grid.layers:
            for take in range(grid.takes):
                note = Note(AS_RECORDED + stroke.semitones, grid.seconds, velocity, stroke.drum, (), grid.seed, take)
                sample = Sample(_sample_name(file_stem(stroke.drum), key, note, grid), note, w, stroke.level)
                zones.append(Zone(sample, key, key, key, softest, hardest, take + 1, grid.takes, choke))
    name = voice.info.name
    return Instrument(printable(name), file_stem(name), tuple(zones), KIT_BANK, 0, True, grid.velocities > 1)


def kit_keys(labels: Sequence[str], everything: bool) -> dict[int, Stroke]:
    """Which drum each key strikes. Drums that General MIDI does not know follow where there is room."""
    found = {key: replace(stroke, drum=drum) for key, stroke in KEYS.items()
             if (drum := stand_in(stroke.drum, labels)) and (everything or drum == stroke.drum)}  # fmt: skip
    first = ABOVE if found else FIRST_KEY
    free = iter([key for key in (*range(first, 128), *range(first)) if key not in found])
    known = {stroke.drum for stroke in found.values()}
    others = zip(free, (label for label in dict.fromkeys(labels) if label not in known), strict=False)
    return dict(sorted((found | {key: Stroke(label) for key, label in others}).items()))
