"""What a composer reads and writes: a piece as tables of numbers, and the features of each of its decisions.

A piece is a row of bars, a bar a row of blocks, one for each part, a block the notes of one part in one bar. What is
decided of each bar are its chords; of each block, how like it is to the bar before and to an earlier bar, and how many
notes it has; of each note its place, then its length, its pitch, its velocity: rhythm before pitch. Pieces are in C
major or A minor. Places are in twelfths of a beat.

The features of a decision say what a composer would look at: where that part began notes in the bar before and in the
bar that this one takes up, which pitches, what the other parts of the bar do there, and the chord. Training and
composing build them with the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

GRID = 12  # places in a beat
PLACES = 96  # in a bar, at most: eight beats
END = PLACES  # the place that ends a block
COARSE = 3  # places in a step of the roll of what sounds
LENGTHS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 21, 24, 30, 36, 42, 48, 60, 72, 84, 96, 144)
LOWEST_DRUM, DRUM_KEYS = 27, 61
KEYS = 128 + DRUM_KEYS  # pitches, then the keys of drums
NO_PITCH, NO_LENGTH, NO_PLACE, FLAT = KEYS, len(LENGTHS), PLACES + 1, 8  # FLAT: a velocity that tells nothing
CHORDS = 72  # root * 6 + quality, as music/harmony.py numbers them; CHORDS: nothing sounds
UNKNOWN_CHORD = CHORDS + 1
ROLES = 5
FAMILIES = 17  # General MIDI's sixteen, and drums
MOST_PARTS = 6
SEATS = 14  # where a part lies, by its mean pitch; the last is for drums
TEMPOS = 8
COUNTS = (0, 1, 2, 4, 6, 9, 14, 24)  # notes of a block, up to which each class goes; one more class above
OFFSETS = (0, 1, 2, 3, 4, 8, 16, 32)  # bars back, exactly; class 8: others
NONE, NEW, RHYTHMIC, SAME_RHYTHM, IDENTICAL, SILENT = range(6)  # how like a block is to another
OF_PART = 6  # columns of a setting for each part: role, program, seat, and its three habits in percent
SETTING = 10 + OF_PART * MOST_PARTS  # columns: style, mode, tempo, beats, unit, pickup, controls; then those of parts
CONTROLS = ("density", "register", "syncopation", "polyphony")
BINS = 5  # of a control; 0 is not known
_TEMPOS = np.array([60.0, 75, 90, 105, 120, 140, 170])  # beats a minute between classes

FIELDS: dict[str, int] = {  # sizes of a token's fields; `style` comes first and its size is the model's
    "kind": 3, "mode": 3, "tempo": TEMPOS + 1, "role": ROLES + 1, "family": FAMILIES + 1, "seat": SEATS + 1,
    "metre": 68, "chord": 74, "then": 74, "offset": 9, "like": 6, "before": 6, "count": 10,
    "place": NO_PLACE + 1, "length": NO_LENGTH + 1, "pitch": KEYS + 1, "velocity": FLAT + 1, "phase": 17, "left": 8,
    **{name: BINS + 1 for name in CONTROLS},
}  # fmt: skip
NAMES = ("style", *FIELDS)
AT = {name: i for i, name in enumerate(NAMES)}
BEGIN, HEADER, NOTE = range(3)  # kinds of token


# ---- classes ---------------------------------------------------------------------------------------------------------

_EDGES = np.sqrt(np.array(LENGTHS[:-1], float) * np.array(LENGTHS[1:], float))


def length_class(length: np.ndarray) -> np.ndarray:
    """Of lengths in places: the nearest, by ratio."""
    return np.searchsorted(_EDGES, length)


def count_class(count: np.ndarray | int) -> np.ndarray:
    return np.searchsorted(COUNTS, count)


def offset_class(offset: int) -> int:
    """0 for no bar to take up."""
    return OFFSETS.index(offset) if offset in OFFSETS else len(OFFSETS)


def left_class(left: int) -> int:
    """Of bars that follow; 7 is not known."""
    return left if left < 4 else 4 if left < 8 else 5 if left < 16 else 6


def tempo_class(tempo: float) -> int:
    return int(np.searchsorted(_TEMPOS, tempo))


def seat_class(pitch: float) -> int:
    """Of a part's mean pitch."""
    return min(max(int(pitch - 24) // 6, 0), SEATS - 2)


def metre_class(places: int, compound: bool) -> int:
    return min(places // 3, 33) + 34 * compound


def likeness(a: Block, b: Block | None) -> int:
    """How like a block is to another of its part."""
    if b is None:
        return NONE
    if not len(a.notes) or not len(b.notes):
        return SILENT if len(a.notes) == len(b.notes) else NEW
    shared, all_of_them = int((a.onset & b.onset).sum()), int((a.onset | b.onset).sum())
    if shared < all_of_them:
        return RHYTHMIC if 2 * shared >= all_of_them else NEW
    return IDENTICAL if len(a.notes) == len(b.notes) and np.array_equal(a.notes[:, :2], b.notes[:, :2]) else SAME_RHYTHM


# ---- a block, and what it sounds like --------------------------------------------------------------------------------


class Block:
    """notes: (n, 4) int place, key, length class, velocity class, in order of place and key. held: (128,) places for
    which pitches of the bar before still sound."""

    __slots__ = ("held", "keys", "lengths", "notes", "onset", "sound")

    def __init__(self, notes: np.ndarray, places: int, held: np.ndarray | None = None):
        self.notes = notes
        self.onset = np.zeros(PLACES, bool)
        self.keys = np.zeros((PLACES, KEYS), bool)
        self.lengths = np.full(PLACES, NO_LENGTH)
        self.sound = np.zeros((PLACES // COARSE, 128), bool)
        self.held = np.zeros(128, np.int16)
        if held is not None and held.any():
            for pitch in np.flatnonzero(held):
                self.sound[: -(-held[pitch] // COARSE), pitch] = True
            self.held = np.maximum(held - places, 0).astype(np.int16)
        if len(notes):
            self.onset[notes[:, 0]] = True
            self.keys[notes[:, 0], notes[:, 1]] = True
            self.lengths[notes[:, 0]] = notes[:, 2]
            for place, key, length, _ in notes.tolist():
                if key < 128:
                    end = place + LENGTHS[length]
                    self.sound[place // COARSE : -(-end // COARSE), key] = True
                    self.held[key] = max(end - places, 0)


EMPTY = Block(np.zeros((0, 4), np.int64), PLACES)


@dataclass
class Piece:
    """A piece as tables. notes: (n, 6) int16: bar, part, place, key, length class, velocity class, in that order.
    places: (bars,) of each bar; compound: (bars,) whether its beat is dotted. chords: (bars, 2), the same twice where a
    bar has one. earlier: (bars,) the bar that each takes up, -1 for none. roles, families, seats: (parts,). controls:
    (4,) 1..BINS. style, mode (0 major, 1 minor): numbers. first: the phase of bar 0, 15 if it is a pickup. tempo: its
    class."""

    notes: np.ndarray
    places: np.ndarray
    compound: np.ndarray
    chords: np.ndarray
    earlier: np.ndarray
    roles: np.ndarray
    families: np.ndarray
    seats: np.ndarray
    controls: np.ndarray
    style: int = 0
    mode: int = 0
    first: int = 0
    tempo: int = TEMPOS

    @property
    def bars(self) -> int:
        return len(self.places)

    @property
    def parts(self) -> int:
        return len(self.roles)

    @cached_property
    def starts(self) -> np.ndarray:
        """(bars * parts + 1,): where the notes of each block begin."""
        index = self.notes[:, 0].astype(np.int64) * self.parts + self.notes[:, 1]
        return np.searchsorted(index, np.arange(self.bars * self.parts + 1))

    def rows(self, bar: int, part: int) -> np.ndarray:
        """(n, 4): the notes of a block."""
        at = bar * self.parts + part
        return self.notes[self.starts[at] : self.starts[at + 1], 2:].astype(np.int64)


def habits(piece: Piece) -> np.ndarray:
    """(parts, 3) of each part: the share of bars in which it rests; of those in which it plays after one in which it
    played, the share with the rhythm of that one; of those that take up an earlier one in which it played, the share in
    which it plays the same."""
    index = piece.notes[:, 0].astype(np.int64) * piece.parts + piece.notes[:, 1]
    begun = np.zeros((piece.bars * piece.parts, PLACES), bool)
    begun[index, piece.notes[:, 2]] = True
    rhythms = begun.reshape(piece.bars, piece.parts, PLACES)
    plays: np.ndarray = rhythms.sum(2) > 0
    both = plays[1:] & plays[:-1]
    same = both & (rhythms[1:] == rhythms[:-1]).all(2)
    contents = [piece.rows(bar, part)[:, :2].tobytes() for bar in range(piece.bars) for part in range(piece.parts)]
    copies = np.zeros((piece.parts, 2))
    for bar, up in enumerate(piece.earlier.tolist()):
        for part in range(piece.parts) if up >= 0 else ():
            known, here = contents[up * piece.parts + part], contents[bar * piece.parts + part]
            copies[part] += (bool(known and here), bool(known) and known == here)
    shares = (1 - plays.mean(0), same.sum(0) / np.maximum(both.sum(0), 1), copies[:, 1] / np.maximum(copies[:, 0], 1))
    return np.stack(shares, 1)


class Reading:
    """Blocks of a piece, made once each."""

    def __init__(self, piece: Piece):
        self.piece = piece
        self._known: dict[tuple[int, int], Block] = {}

    def block(self, bar: int, part: int, chained: bool = True) -> Block:
        """chained: with what is held from the bar before, if that is needed."""
        found = self._known.get((bar, part))
        if found is None:
            held = self.block(bar - 1, part, False).held if bar > 0 and chained else None
            found = Block(self.piece.rows(bar, part), int(self.piece.places[bar]), held)
            if chained or bar == 0:
                self._known[bar, part] = found
        return found


# ---- decisions -------------------------------------------------------------------------------------------------------


class Surroundings(NamedTuple):
    """What the notes of a block are decided by. own: the part's block in the bar before; earlier: in the bar that is
    taken up; others: (PLACES // COARSE, 128) what the parts written before sound in this bar; begun: (PLACES,) where
    they begin notes; chords: of both halves; half: where the second begins."""

    own: Block
    earlier: Block
    others: np.ndarray
    begun: np.ndarray
    chords: tuple[int, int]
    half: int

    def maps(self) -> np.ndarray:
        """(3, PLACES): where notes begin in the bar before, in the earlier bar, in the other parts."""
        return np.stack([self.own.onset, self.earlier.onset, self.begun])

    def chord(self, place: np.ndarray | int) -> np.ndarray:
        return np.where(np.asarray(place) < self.half, self.chords[0], self.chords[1])


SMALL = ("stacked", "place", "own_length", "earlier_length", "own_top", "earlier_top", "low", "top", "chord", "last")
SMALL_SIZES = (NO_LENGTH + 2, PLACES, NO_LENGTH + 1, NO_LENGTH + 1, KEYS + 1, KEYS + 1, 129, 129, 74, KEYS + 1)
OF_LENGTH = 4  # of these, how many the length is decided by; the rest is for the pitch


def _top(keys: np.ndarray) -> np.ndarray:
    """(n,) the highest key of each row (n, KEYS), NO_PITCH for none."""
    return np.where(keys.any(1), KEYS - 1 - keys[:, ::-1].argmax(1), NO_PITCH)


def note_features(
    around: Surroundings, place: np.ndarray, last: np.ndarray, stacked: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the length and pitch of notes at (n,) places are decided by. last: the part's key before; stacked: the
    length class of the note at the same place before, NO_LENGTH for none.

    -> (n, SMALL) int; (n, 12) bool pitch classes that sound in other parts; (n, 2, KEYS) bool keys that begin there in
    the bar before and in the earlier bar"""
    own, earlier = around.own.keys[place], around.earlier.keys[place]
    others = around.others[place // COARSE]
    sounds = others.any(1)
    low = np.where(sounds, others.argmax(1), 128)
    top = np.where(sounds, 127 - others[:, ::-1].argmax(1), 128)
    classes = np.zeros((len(place), 132), bool)
    classes[:, :128] = others
    columns = (stacked, place, around.own.lengths[place], around.earlier.lengths[place], _top(own), _top(earlier), low,
               top, around.chord(place), last)  # fmt: skip
    return np.stack(columns, 1), classes.reshape(-1, 11, 12).sum(1) > 0, np.stack([own, earlier], 1)


def surroundings(
    own: Block | None, earlier: Block | None, written: Sequence[Block], chords: Sequence[int], places: int
) -> Surroundings:
    others, begun = np.zeros((PLACES // COARSE, 128), bool), np.zeros(PLACES, bool)
    for block in written:
        others |= block.sound
        begun |= block.onset
    pair = (int(chords[0]), int(chords[1]))
    return Surroundings(own or EMPTY, earlier or EMPTY, others, begun, pair, places // 2)


@dataclass
class Told:
    """What tokens say of a piece and of a bar, beside its notes: values of fields by name."""

    values: dict[str, int] = field(default_factory=dict)

    def row(self, **more: int) -> np.ndarray:
        """(len(NAMES),) a token; fields not told are the ones that mean nothing."""
        found = BLANK.copy()
        for name, value in (*self.values.items(), *more.items()):
            found[AT[name]] = value
        return found


BLANK = np.zeros(len(NAMES), np.int64)
for _name, _size in FIELDS.items():
    BLANK[AT[_name]] = 0 if _name in (*CONTROLS, "kind", "like", "before", "offset") else _size - 1


def piece_told(piece: Piece, hidden: Sequence[bool] = ()) -> dict[str, int]:
    """Values of the fields that hold for a whole piece. hidden: controls that are not told."""
    controls = {name: int(value) for name, value in zip(CONTROLS, piece.controls, strict=True)}
    for name, hide in zip(CONTROLS, hidden, strict=False):
        controls[name] *= not hide
    return {"style": piece.style, "mode": piece.mode, "tempo": piece.tempo, **controls}


def bar_told(piece: Piece, bar: int, whole: bool = True) -> dict[str, int]:
    """Values of the fields that hold for a bar, its chords left out. whole: whether the piece's end is known."""
    back = bar - int(piece.earlier[bar]) if piece.earlier[bar] >= 0 else 0
    return {
        "metre": metre_class(int(piece.places[bar]), bool(piece.compound[bar])),
        "offset": offset_class(back),
        "phase": (piece.first + bar) % 16,
        "left": left_class(piece.bars - 1 - bar) if whole else 7,
    }


# ---- a window of a piece, for training -------------------------------------------------------------------------------


@dataclass
class Window:
    """Tokens (t, fields) and every decision in them, by the token that it is made after.

    bar_at: (bars,) tokens; bar_rows: (bars, fields) what is told of each; bar_hints: (bars, 4) chords of the bar before
    and of the earlier bar; bar_chords: (bars, 2) the answers.
    block_at: (k,); block_rows: (k, fields); block_answers: (k, 3) like, before, count; block_hints: (k, 2) counts of
    the earlier block and the one before.
    place_at: (m,); place_block: (m,) into maps (k, 3, PLACES) and sizes (k,) places of the bar; place_now: (m,) the
    place of the last note, -1 for none; places: (m,) the answers.
    note_at: (n,); small, classes, keys: see note_features; answers: (n, 3) length, key, velocity."""

    tokens: np.ndarray
    bar_at: np.ndarray
    bar_rows: np.ndarray
    bar_hints: np.ndarray
    bar_chords: np.ndarray
    block_at: np.ndarray
    block_rows: np.ndarray
    block_hints: np.ndarray
    block_answers: np.ndarray
    maps: np.ndarray
    sizes: np.ndarray
    place_at: np.ndarray
    place_block: np.ndarray
    place_now: np.ndarray
    places: np.ndarray
    note_at: np.ndarray
    small: np.ndarray
    classes: np.ndarray
    keys: np.ndarray
    answers: np.ndarray


def window(
    piece: Piece,
    first: int,
    order: Sequence[int],
    longest: int,
    hidden: Sequence[bool] = (),
    whole: bool = True,
    stop: int | None = None,
) -> Window:
    """Bars of a piece from `first` on, to `stop` or as many as fit into `longest` tokens, with their parts in an
    order."""
    reading, told = Reading(piece), piece_told(piece, hidden)
    lines = _Lines(Told(told).row(kind=BEGIN))
    last = [NO_PITCH] * piece.parts
    for bar in range(first, piece.bars if stop is None else stop):
        here = bar_told(piece, bar, whole)
        before = piece.chords[bar - 1] if bar else (UNKNOWN_CHORD,) * 2
        up = int(piece.earlier[bar])
        earlier = piece.chords[up] if up >= 0 else (UNKNOWN_CHORD,) * 2
        lines.bar(Told(told | here).row(), (*before, *earlier), piece.chords[bar])
        written: list[Block] = []
        for part in order:
            block = reading.block(bar, part)
            if len(lines.tokens) + len(block.notes) + 1 > longest:
                return lines.done()
            own = reading.block(bar - 1, part) if bar else None
            taken = reading.block(up, part) if up >= 0 else None
            around = surroundings(own, taken, written, piece.chords[bar], int(piece.places[bar]))
            said = Told(told | here | part_told(piece, part, piece.chords[bar]))
            lines.block(block, said, around, own, taken, last[part], int(piece.places[bar]))
            if len(block.notes):
                last[part] = int(block.notes[-1, 1])
            written.append(block)
    return lines.done()


def part_told(piece: Piece, part: int, chords: Sequence[int]) -> dict[str, int]:
    """Values of the fields that hold for one part in a bar."""
    of_part = {"role": piece.roles[part], "family": piece.families[part], "seat": piece.seats[part]}
    return {name: int(value) for name, value in (of_part | {"chord": chords[0], "then": chords[1]}).items()}


def block_hints(earlier: Block | None, own: Block | None) -> tuple[int, int]:
    """Classes of how many notes the earlier block and the one before have; one more for none."""
    return tuple(len(COUNTS) + 1 if b is None else int(count_class(len(b.notes))) for b in (earlier, own))  # type: ignore[return-value]


class _Lines:
    """Collects a window."""

    def __init__(self, begin: np.ndarray):
        self.tokens = [begin]
        self.bars: list[tuple[int, np.ndarray, tuple[int, ...], np.ndarray]] = []
        self.blocks: list[tuple[int, np.ndarray, tuple[int, int], tuple[int, int, int], np.ndarray, int]] = []
        self.place: list[np.ndarray] = []
        self.note: list[tuple[np.ndarray, ...]] = []

    def bar(self, row: np.ndarray, hints: Sequence[int], chords: np.ndarray) -> None:
        self.bars.append((len(self.tokens) - 1, row, tuple(hints), chords))

    def block(
        self, block: Block, said: Told, around: Surroundings, own: Block | None, taken: Block | None, last: int,
        places: int,
    ) -> None:  # fmt: skip
        answers = likeness(block, taken), likeness(block, own), int(count_class(len(block.notes)))
        at, index = len(self.tokens) - 1, len(self.blocks)
        self.blocks.append((at, said.row(), block_hints(taken, own), answers, around.maps(), places))
        header = said.row(kind=HEADER, like=answers[0], before=answers[1], count=answers[2])
        notes, begin = block.notes, len(self.tokens)
        rows = np.repeat(header[None], len(notes) + 1, 0)
        rows[1:, AT["kind"]] = NOTE
        for column, name in enumerate(("place", "pitch", "length", "velocity")):
            rows[1:, AT[name]] = notes[:, column]
        self.tokens += [*rows]
        if not len(notes):
            return
        steps = begin + np.arange(len(notes) + 1)
        now, then = np.concatenate([[-1], notes[:, 0]]), np.concatenate([notes[:, 0], [END]])
        self.place.append(np.stack([steps, np.full(len(steps), index), now, then], 1))
        before = np.concatenate([[last], notes[:-1, 1]])
        again = np.concatenate([[False], notes[1:, 0] == notes[:-1, 0]])
        stacked = np.where(again, np.concatenate([[0], notes[:-1, 2]]), NO_LENGTH)
        small, classes, keys = note_features(around, notes[:, 0], before, stacked)
        self.note.append((steps[:-1], small, classes, keys, notes[:, [2, 1, 3]]))

    def done(self) -> Window:
        bars = [x for x in self.bars if x[0] < len(self.tokens)]
        place = np.concatenate([*self.place, np.zeros((0, 4), np.int64)])
        empty = (np.zeros(0, np.int64), np.zeros((0, len(SMALL)), np.int64), np.zeros((0, 12), bool),
                 np.zeros((0, 2, KEYS), bool), np.zeros((0, 3), np.int64))  # fmt: skip
        note = [np.concatenate(columns) for columns in zip(empty, *self.note, strict=True)]
        return Window(
            np.stack(self.tokens),
            np.array([x[0] for x in bars]),
            np.stack([x[1] for x in bars]),
            np.array([x[2] for x in bars], np.int64),
            np.array([x[3] for x in bars], np.int64),
            np.array([x[0] for x in self.blocks], np.int64),
            np.stack([x[1] for x in self.blocks] or [BLANK])[: len(self.blocks)],
            np.array([x[2] for x in self.blocks], np.int64).reshape(-1, 2),
            np.array([x[3] for x in self.blocks], np.int64).reshape(-1, 3),
            np.stack([x[4] for x in self.blocks] or [np.zeros((3, PLACES), bool)]),
            np.array([x[5] for x in self.blocks], np.int64),
            place[:, 0],
            place[:, 1],
            place[:, 2],
            place[:, 3],
            *note,
        )
