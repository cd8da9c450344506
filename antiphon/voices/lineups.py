"""Who plays: settings of pieces, seats of parts and their ranges, as a composer's tables hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from antiphon.data.labelling.gm import PROGRAMS, key_range
from antiphon.data.phrases import BINS, CONTROLS, MOST_PARTS, OF_PART, PLACES, SEATS, SETTING
from antiphon.music.notation import DRUMS, ROLES, STEPS, Metre
from antiphon.networks.composer import ComposerModel

DRUM_ROLE = ROLES.index(DRUMS)
AROUND = 20  # semitones from the middle of a seat to the ends of its range
NARROWEST = 14  # semitones of a range
KIT = (128 + 8, 128 + 54)  # keys of General MIDI's kit
USUAL = {"melody": (73, 8), "inner": (48, 6), "chords": (0, 6), "bass": (32, 2), "drums": (0, SEATS - 1)}


@dataclass(frozen=True)
class Seat:
    """A part's role (a number), General MIDI program, where it lies, and its habits: how often it rests, repeats its
    rhythm, and comes back to what it played, in percent [data/phrases.py]."""

    role: int
    program: int
    seat: int
    rests: int = 10
    repeats: int = 40
    returns: int = 30

    @property
    def family(self) -> int:
        return 16 if self.role == DRUM_ROLE else self.program // 8

    @property
    def name(self) -> str:
        return "Drums" if self.role == DRUM_ROLE else PROGRAMS[self.program].capitalize()


@dataclass(frozen=True)
class Setting:
    """What is decided before the first note. controls: bins."""

    style: int
    mode: int
    tempo: float
    metre: Metre
    controls: tuple[int, ...]
    seats: tuple[Seat, ...]


def settings_of(table: ComposerModel | Tensor, styles: int = 1 << 15) -> list[Setting]:
    """All that a model's table holds. Raises ValueError for a table that cannot be."""
    rows = (table.settings if isinstance(table, ComposerModel) else table).numpy()
    if rows.ndim != 2 or rows.shape[1] != SETTING:
        raise ValueError("its settings are not a table")
    return [_setting(row, styles) for row in rows.tolist()]


def _setting(row: Sequence[int], styles: int) -> Setting:
    style, mode, tempo, beats, unit, _, *rest = row
    controls, parts = tuple(rest[: len(CONTROLS)]), np.array(rest[len(CONTROLS) :]).reshape(MOST_PARTS, OF_PART)
    seats = tuple(Seat(*part) for part in parts.tolist() if part[0] >= 0)
    valid = 0 <= style < styles and mode in (0, 1) and 0 < tempo < 1000 and Metre.valid(beats, unit)
    valid = valid and beats * 4 * STEPS // unit <= PLACES * 2 and all(0 <= c <= BINS for c in controls)
    if not valid or not seats or not all(_possible(seat) for seat in seats):
        raise ValueError("one of its settings cannot be")
    return Setting(style, mode, float(tempo), Metre(beats, unit), controls, seats)


def _possible(seat: Seat) -> bool:
    numbers = 0 <= seat.program < 128 and 0 <= seat.seat < SEATS
    return seat.role < len(ROLES) and numbers and all(0 <= h <= 100 for h in (seat.rests, seat.repeats, seat.returns))


def seats_for(model: ComposerModel, setting: Setting, roles: Sequence[int], rng: np.random.Generator) -> list[Seat]:
    """A seat for each role: the setting's own, or one of its style's, or of any style's, or the usual one."""
    known, own = settings_of(model), list(setting.seats)
    found = []
    for role in roles:
        mine = [seat for seat in own if seat.role == role]
        if mine:
            found.append(mine[0])
            own.remove(mine[0])
            continue
        for some in ([s for s in known if s.style == setting.style], known):
            seats = [seat for s in some for seat in s.seats if seat.role == role]
            if seats:
                found.append(seats[int(rng.integers(len(seats)))])
                break
        else:
            found.append(Seat(role, *USUAL[ROLES[role]]))
    return found


def part_range(model: ComposerModel, style: int, seat: Seat, shift: int) -> tuple[int, int]:
    """The lowest and highest key of a part, in C or A minor, `shift` semitones above the piece's own key: what its role
    does in the style, near its seat, as far as its instrument goes."""
    low, high = (int(x) for x in model.ranges[style, seat.role])
    if seat.role == DRUM_ROLE:
        return (low, high) if 128 <= low < high else KIT
    least, most = (key + shift for key in key_range(seat.program))
    middle = min(max(27 + 6 * seat.seat, least + NARROWEST // 2), most - NARROWEST // 2)
    low, high = max(low, middle - AROUND, least), min(high, middle + AROUND, most)
    if high - low < NARROWEST:
        low, high = middle - NARROWEST // 2, middle + NARROWEST // 2
    return max(low, 0), min(high, 127)
