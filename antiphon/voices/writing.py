"""Writing a piece, decision by decision: a draft that is written bar by bar, and what its writer asks the network.

The writer is a coroutine: it yields questions and is sent the answers, so that one piece can be written alone and many
at once (`together`) by the same code. What no piece may do is ruled out here, before anything is drawn: a note outside
its part's range, a block that says it repeats a rhythm and does not, a part that was asked for and never plays."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from antiphon.core.parallel import one_thread
from antiphon.data.phrases import (
    AT,
    BEGIN,
    CHORDS,
    COUNTS,
    END,
    FLAT,
    HEADER,
    IDENTICAL,
    KEYS,
    NEW,
    NO_LENGTH,
    NO_PITCH,
    NONE,
    NOTE,
    RHYTHMIC,
    SAME_RHYTHM,
    SILENT,
    UNKNOWN_CHORD,
    Block,
    Piece,
    Reading,
    Surroundings,
    Told,
    bar_told,
    block_hints,
    count_class,
    likeness,
    note_features,
    part_told,
    piece_told,
    surroundings,
)
from antiphon.networks.composer import Cache, ComposerModel

MEMORY, RECALLED = 256, 128  # tokens that the network was trained to see; those kept when it has seen them
LOOKED_BACK = 16  # bars of a piece that is there
STACKED = 6  # notes of a part at one place
MOST = 48  # notes of a block
PATIENCE, LEANING = 2.0, 14.0  # bars after which a part is held to its habits, and nats that a wrong share costs
SECTION, VARIED = 8, 2.5  # bars back from which on a bar takes up another section, and nats against copying it
CALM = 0.75  # temperature of drums, whose places and keys are fewer than the network has had time to learn
IMPOSSIBLE = -1e8  # scores below which the network has ruled something out
MOSTLY = 0.5  # of the bars
LATEST = 4  # bars after which every part has come
FIT = 6.0  # how much it counts whether a chord fits the given notes, beside how likely the network finds it
PLAYING = (RHYTHMIC, SAME_RHYTHM, IDENTICAL)  # a block that is so like another has notes


@dataclass(frozen=True)
class Taste:
    """How decisions are drawn: temperature, the same for all; of what is likely, only what makes up `kept` of it. bold:
    added to the logits of copying a block unchanged, so that repeats may be varied more or less."""

    temperature: float = 1.0
    kept: float = 0.97
    copying: float = 0.0
    density: float = 0.0


class Blocks(dict[tuple[int, int], Block]):
    """Blocks by bar and part. known: where those of a piece that is there are read when they are needed."""

    def __init__(self, known: Reading | None = None):
        super().__init__()
        self.known = known

    def __missing__(self, place: tuple[int, int]) -> Block:
        if self.known is None:
            raise KeyError(place)
        return self.known.block(*place)


@dataclass
class Draft:
    """A piece being written. piece: its bars, parts and what is told of it; its notes do not count, and its chords are
    -1 where they are to be written. ranges: (parts, 2) lowest and highest key. order: of the parts in a bar. blocks:
    those that are written. begin, stop: the bars to be written; those before are there. kept: parts whose blocks are
    there already. dynamic: whether velocities are written. model: a reading of the piece that is varied, whose bar
    takes the place of the earlier one; stays: how likely each of its blocks stays as it is. habits: (parts, 3) of each
    part, if they matter [data/phrases.py, `habits`]. tacet: blocks that are to be empty. ends: whether the last bar is
    an ending."""

    piece: Piece
    ranges: np.ndarray
    order: Sequence[int]
    blocks: Blocks = field(default_factory=Blocks)
    begin: int = 0
    stop: int = 0
    kept: Sequence[int] = ()
    dynamic: bool = False
    model: Reading | None = None
    stays: float = 0.0
    habits: np.ndarray | None = None
    tacet: set[tuple[int, int]] = field(default_factory=set)
    ends: bool = True

    def earlier(self, bar: int, part: int) -> Block | None:
        if self.model is not None:
            return self.model.block(bar, part)
        up = int(self.piece.earlier[bar])
        return self.blocks[up, part] if up >= 0 else None

    def written(self) -> Piece:
        """The piece with its notes."""
        return self._with(sorted(self.blocks.items()))

    def excerpt(self, first: int, stop: int) -> Piece:
        """The piece with the notes of some bars, which are written or were there."""
        places = [(bar, part) for bar in range(max(first, 0), stop) for part in range(self.piece.parts)]
        return self._with([(place, self.blocks[place]) for place in places])

    def _with(self, blocks: Sequence[tuple[tuple[int, int], Block]]) -> Piece:
        rows = [
            np.concatenate([np.full((len(b.notes), 1), bar), np.full((len(b.notes), 1), part), b.notes], 1)
            for (bar, part), b in blocks
            if len(b.notes)
        ]
        notes = np.concatenate([np.zeros((0, 6), np.int64), *rows]).astype(np.int16)
        values = {name: value for name, value in vars(self.piece).items() if name not in ("starts", "notes")}
        return Piece(notes=notes, **values)

    def copy(self) -> Draft:
        """One that can be written otherwise."""
        blocks = Blocks(self.blocks.known)
        blocks.update(self.blocks)
        return replace(self, piece=replace(self.piece, chords=self.piece.chords.copy()), blocks=blocks)


# ---- questions -------------------------------------------------------------------------------------------------------


class Question(NamedTuple):
    """kind: begin (tokens, forgetting what was before), read (tokens), bar, block, place, length, pitch or velocity;
    inputs: arrays of one row, or of tokens; state: the network's state, a (width,) tensor."""

    kind: str
    inputs: tuple[np.ndarray, ...]
    state: Tensor | None = None


Writing = Generator[Question, Tensor, None]


def answer(model: ComposerModel, question: Question, cache: Cache | None) -> tuple[Tensor, Cache | None]:
    """The state after the last token, or logits; and the cache to go on with."""
    if question.kind in ("begin", "read"):
        tokens = torch.from_numpy(question.inputs[0])[None]
        states, cache = model.read(tokens, None if question.kind == "begin" else cache)
        return states[0, -1], cache
    assert question.state is not None
    return logits(model, question.kind, question.state[None], [torch.from_numpy(x)[None] for x in question.inputs])[
        0
    ], cache


def logits(model: ComposerModel, kind: str, states: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """(n, choices) of one kind of decision."""
    if kind == "bar":
        row, hints, first = inputs
        one, two = model.bar(states, model.embedded(row), hints, first[:, 0].clamp(min=0))
        return torch.where(first >= 0, two, one)
    if kind == "block":
        row, hints, answers, which = inputs
        return model.block.logits(model.block.enters(states, model.embedded(row), hints), answers, int(which[0, 0]))
    if kind == "place":
        maps, size, now = inputs
        return model.place(states, maps, size[:, 0], now[:, 0])
    if kind == "length":
        return model.note.lengths(states, inputs[0])
    if kind == "pitch":
        small, classes, keys, length, drums = inputs
        return model.note.pitches(states, small, classes, keys, length[:, 0], drums[:, 0])
    length, key, last = inputs
    return model.note.velocities(states, length[:, 0], key[:, 0], last[:, 0])


@one_thread()
@torch.inference_mode()
def alone(model: ComposerModel, writing: Writing) -> None:
    """Write one piece to its end."""
    cache: Cache | None = None
    try:
        question = next(writing)
        while True:
            found, cache = answer(model, question, cache)
            question = writing.send(found)
    except StopIteration:
        return


# ---- the writer ------------------------------------------------------------------------------------------------------


class Writer:
    """Writes the bars of a draft. rng: draws everything."""

    def __init__(self, draft: Draft, taste: Taste, rng: np.random.Generator):
        self.draft, self.taste, self.rng = draft, taste, rng
        self.piece = draft.piece
        self.told = piece_told(draft.piece)
        self.begin = Told(self.told).row(kind=BEGIN)
        self.bars: list[np.ndarray] = []  # tokens of each bar
        self.seen = 0  # tokens that the network has seen since it began
        self.last = [NO_PITCH] * draft.piece.parts
        self.loud = [FLAT] * draft.piece.parts
        self.state = torch.zeros(0)
        self.met = np.zeros((draft.piece.parts, 3, 2))  # of each habit: where it could show, and where it did

    def write(self) -> Writing:
        yield from self.open()
        yield from self.go_on(self.draft.begin, self.draft.stop or self.draft.piece.bars)

    def open(self) -> Writing:
        """Let the network see what there is."""
        for bar in range(max(self.draft.begin - LOOKED_BACK, 0), self.draft.begin):
            self._recall(bar)
        yield from self._remember()

    def go_on(self, first: int, stop: int) -> Writing:
        """Bars first to stop - 1."""
        for bar in range(first, stop):
            if self.seen + 64 > MEMORY:
                yield from self._remember()
            yield from self._bar(bar)

    def become(self, other: Writer) -> None:
        """Go on from where another writer of the same piece has come to."""
        self.draft.blocks.clear()
        self.draft.blocks.update(other.draft.blocks)
        self.piece.chords[:] = other.piece.chords
        self.bars, self.last, self.loud = list(other.bars), list(other.last), list(other.loud)
        self.seen, self.state, self.met = other.seen, other.state, other.met.copy()

    def _remember(self) -> Writing:
        """Begin anew with the last bars."""
        kept: list[np.ndarray] = []
        for tokens in reversed(self.bars):
            if sum(len(x) for x in kept) + len(tokens) > RECALLED:
                break
            kept.append(tokens)
        rows = np.concatenate([self.begin[None], *reversed(kept)])
        self.seen = len(rows)
        self.state = yield Question("begin", (rows,))

    def _recall(self, bar: int) -> None:
        """Note the tokens of a bar that is there."""
        rows = [np.zeros((0, len(self.begin)), np.int64)]
        for part in self.draft.order:
            block = self.draft.blocks[bar, part]
            answers = likeness(block, self.draft.earlier(bar, part)), likeness(block, self._before(bar, part))
            rows.append(self._tokens(block, self._said(bar, part), (*answers, int(count_class(len(block.notes))))))
            self._note_last(part, block)
        self.bars.append(np.concatenate(rows))

    def _bar(self, bar: int) -> Writing:
        yield from self._chords(bar)
        self.bars.append(np.zeros((0, len(self.begin)), np.int64))
        written: list[Block] = []
        for part in self.draft.order:
            yield from self._block(bar, part, written)
            written.append(self.draft.blocks[bar, part])

    # ---- chords --------------------------------------------------------------------------------------------------

    def _chords(self, bar: int) -> Writing:
        chords = self.piece.chords
        if chords[bar, 0] >= 0:
            return
        row = Told(self.told | self._here(bar)).row()
        up = int(self.piece.earlier[bar])
        before = chords[bar - 1] if bar else (UNKNOWN_CHORD,) * 2
        earlier = chords[up] if up >= 0 else (UNKNOWN_CHORD,) * 2
        hints = np.array([*before, *earlier], np.int64)
        whole = self.piece.places[bar] < 4 * 12 or self.piece.places[bar] % 8
        for half in (0, 1):
            told = int(chords[bar, 0]) if half else -1
            found = (yield Question("bar", (row, hints, np.array([told])), self.state)).numpy().astype(float)
            found += self._fitting(bar, half)
            found[CHORDS] = -np.inf
            if self._closes(bar) and (half or whole):
                found[~self._tonic()] = -np.inf
            chords[bar, half] = chords[bar, 0] if half and whole else self._draw(found, 0.9)

    def _closes(self, bar: int) -> bool:
        return self.draft.ends and bar == self.piece.bars - 1

    def _tonic(self) -> np.ndarray:
        allowed = np.zeros(CHORDS + 1, bool)
        allowed[9 * 6 + 1 if self.piece.mode else 0] = True
        return allowed

    def _fitting(self, bar: int, half: int) -> np.ndarray:
        """(CHORDS + 1,) how well each chord fits the parts that are kept in half a bar."""
        heard = np.zeros(12)
        size = int(self.piece.places[bar]) // 3
        span = slice(0, size // 2) if half == 0 else slice(size // 2, size)
        for part in self.draft.kept:
            sound = self.draft.blocks[bar, part].sound[span].sum(0)
            heard += sound[:120].reshape(10, 12).sum(0)
            heard[:8] += sound[120:]
        if not heard.any():
            return np.zeros(CHORDS + 1)
        return FIT * np.append(chord_fits(heard), 0.0)

    # ---- blocks --------------------------------------------------------------------------------------------------

    def _here(self, bar: int) -> dict[str, int]:
        return bar_told(self.piece, bar, self.draft.ends)

    def _said(self, bar: int, part: int) -> Told:
        return Told(self.told | self._here(bar) | part_told(self.piece, part, self.piece.chords[bar]))

    def _before(self, bar: int, part: int) -> Block | None:
        return self.draft.blocks[bar - 1, part] if bar else None

    def _block(self, bar: int, part: int, written: list[Block]) -> Writing:
        draft, places = self.draft, int(self.piece.places[bar])
        own, taken = self._before(bar, part), draft.earlier(bar, part)
        around = surroundings(own, taken, written, self.piece.chords[bar], places)
        said = self._said(bar, part)
        held = own.held if own is not None else None
        if part in draft.kept or (bar, part) in draft.tacet:
            block = Block(np.zeros((0, 4), np.int64), places, held)
            block = draft.blocks[bar, part] if part in draft.kept else block
            draft.blocks[bar, part] = block
            answers = likeness(block, taken), likeness(block, own), int(count_class(len(block.notes)))
            yield from self._read(self._tokens(block, said, answers))
        else:
            answers = yield from self._outline(bar, part, said, own, taken)
            copied = taken if answers[0] == IDENTICAL else own if answers[1] == IDENTICAL else None
            if copied is not None and (not len(copied.notes) or copied.notes[-1, 0] < places):
                block = Block(copied.notes, places, held)
                yield from self._read(self._tokens(block, said, (*answers[:2], int(count_class(len(block.notes))))))
            else:
                yield from self._read(said.row(kind=HEADER, **_named(answers))[None])
                rows = yield from self._notes(bar, part, said, around, answers)
                block = Block(rows, places, held)
            draft.blocks[bar, part] = block
        self._note_last(part, block)
        self._note_habits(bar, part, block, own, taken)

    def _note_last(self, part: int, block: Block) -> None:
        if len(block.notes):
            self.last[part], self.loud[part] = int(block.notes[-1, 1]), int(block.notes[-1, 3])

    def _note_habits(self, bar: int, part: int, block: Block, own: Block | None, taken: Block | None) -> None:
        if (bar, part) in self.draft.tacet:
            return
        again = likeness(block, taken)
        could = taken is not None and bool(len(taken.notes) and len(block.notes))
        shown = (True, not len(block.notes)), (abs(_agrees(own, block)), _agrees(own, block) > 0)
        self.met[part] += *shown, (could, again == IDENTICAL)

    def _leaning(self, part: int) -> tuple[float, float, float]:
        """By how much rests, repeated rhythms and returns are to be more likely than the network finds them, in nats:
        whatever keeps a part to its habits."""
        if self.draft.habits is None:
            return 0.0, 0.0, 0.0
        wanted, (could, did) = self.draft.habits[part], self.met[part].T
        rests, repeats, returns = LEANING * (wanted - (did + PATIENCE * wanted) / (could + PATIENCE))
        return float(rests), float(repeats), float(returns)

    def _tokens(self, block: Block, said: Told, answers: Sequence[int]) -> np.ndarray:
        rows = np.repeat(said.row(kind=HEADER, **_named(answers))[None], len(block.notes) + 1, 0)
        rows[1:, AT["kind"]] = NOTE
        for column, name in enumerate(("place", "pitch", "length", "velocity")):
            rows[1:, AT[name]] = block.notes[:, column]
        return rows

    def _read(self, rows: np.ndarray) -> Writing:
        self.bars[-1] = np.concatenate([self.bars[-1], rows])
        self.seen += len(rows)
        self.state = yield Question("read", (rows,), self.state)

    def _outline(
        self, bar: int, part: int, said: Told, own: Block | None, taken: Block | None
    ) -> Generator[Question, Tensor, tuple[int, int, int]]:
        """How like the block is to the earlier one and to the one before, and how many notes it has."""
        row, hints = said.row(), np.array(block_hints(taken, own), np.int64)
        found = np.zeros(3, np.int64)
        due = self._due(bar, part)
        resting, repeating, returning = self._leaning(part)
        possible = _possible(taken, due)
        closing = self._closes(bar) and self.draft.model is None and self.draft.ranges[part][1] < 128
        copies = (np.arange(6) == IDENTICAL) & closing
        possible &= ~copies
        for which in (0, 1):
            scores = (yield Question("block", (row, hints, found.copy(), np.array([which])), self.state)).numpy()
            scores = scores.astype(float)
            scores[IDENTICAL] += self.taste.copying
            scores[SILENT] += resting
            scores[[SAME_RHYTHM, IDENTICAL]] += repeating * (which or _agrees(taken, own))
            scores[IDENTICAL] += (returning - self._varying(bar, part)) * (which == 0)
            if which == 0 and self.draft.model is not None and possible[IDENTICAL]:
                stays = self.rng.random() < self.draft.stays
                possible = np.arange(6) == IDENTICAL if stays else possible & (np.arange(6) != IDENTICAL)
            found[which] = self._draw(np.where(possible, scores, -np.inf), 0.9)
            possible = _agreeing(_possible(own, due) & ~copies, int(found[0]), taken, own)
        scores = (yield Question("block", (row, hints, found.copy(), np.array([2])), self.state)).numpy().astype(float)
        scores += self.taste.density * np.arange(len(scores))
        scores[0] += resting
        found[2] = self._draw(np.where(self._counts(bar, part, found, own, taken), scores, -np.inf), 1.0)
        return int(found[0]), int(found[1]), int(found[2])

    def _counts(self, bar: int, part: int, found: np.ndarray, own: Block | None, taken: Block | None) -> np.ndarray:
        """(classes,) which counts agree with how like the block is to others."""
        allowed = np.ones(len(COUNTS) + 1, bool)
        if SILENT in found[:2]:
            allowed[1:] = False
            return allowed
        others = [b for b in (own, taken) if b is not None]
        if any(f in PLAYING for f in found[:2]) or any(not len(b.notes) for b in others) or self._due(bar, part):
            allowed[0] = False
        for answer, other in zip(found[:2], (taken, own), strict=True):
            if answer == SAME_RHYTHM and other is not None:
                allowed[: int(count_class(int(other.onset.sum())))] = False
        return allowed

    def _varying(self, bar: int, part: int) -> float:
        """Nats by which it is less likely that a bar of a section that returns is copied, unless the part is given to
        copying: what returns is varied."""
        up = int(self.piece.earlier[bar])
        if self.draft.habits is None or up < 0 or bar - up < SECTION:
            return 0.0
        return VARIED * (1 - float(self.draft.habits[part, 2]))

    def _due(self, bar: int, part: int) -> bool:
        """Whether a part has to play: each that was asked for comes at last, and hardly any rests in the end."""
        habits = self.draft.habits
        if habits is not None and self._closes(bar) and habits[part, 0] < MOSTLY:
            return True
        return self.last[part] == NO_PITCH and bar >= min(self.draft.begin + LATEST, self.piece.bars - 1)

    # ---- notes ---------------------------------------------------------------------------------------------------

    def _notes(
        self, bar: int, part: int, said: Told, around: Surroundings, answers: tuple[int, int, int]
    ) -> Generator[Question, Tensor, np.ndarray]:
        """(n, 4) notes of a block."""
        if answers[2] == 0:
            return np.zeros((0, 4), np.int64)
        low, high = self.draft.ranges[part]
        drums = high >= 128
        rhythm = around.earlier.onset if answers[0] == SAME_RHYTHM else around.own.onset
        bound = SAME_RHYTHM in answers[:2] and bool(rhythm.any())
        fewest = COUNTS[answers[2] - 1] + 1
        most = COUNTS[answers[2]] if answers[2] < len(COUNTS) else MOST
        maps, size = around.maps(), np.array([self.piece.places[bar]], np.int64)
        rows: list[tuple[int, int, int, int]] = []
        stack = 0
        while True:
            now = rows[-1][0] if rows else -1
            scores = (yield Question("place", (maps, size, np.array([now])), self.state)).numpy().astype(float)
            can_stack = bool(rows) and stack < STACKED and self.last[part] < high
            full = -1 if len(rows) < fewest else int(len(rows) >= most)
            ruled = self._ruled_places(scores, now, rhythm if bound else None, can_stack, full)
            place = self._draw(ruled, CALM if drums else 1.0)
            if place == END:
                return np.array(rows, np.int64).reshape(-1, 4)
            stack = stack + 1 if place == now else 1
            row = yield from self._note(part, around, place, rows, (int(low), int(high)), bool(drums), bar)
            rows.append(row)
            self.last[part], self.loud[part] = row[1], row[3]
            told = said.row(kind=NOTE, place=row[0], pitch=row[1], length=row[2], velocity=row[3], **_named(answers))
            yield from self._read(told[None])

    def _ruled_places(
        self, scores: np.ndarray, now: int, rhythm: np.ndarray | None, can_stack: bool, full: int
    ) -> np.ndarray:
        """Scores of places, without those that cannot be. full: -1 as long as notes are missing, 1 when no more may
        come."""
        scores = scores.copy()
        if now >= 0 and not can_stack:
            scores[now] = -np.inf
        if full < 0:
            scores[END] = -np.inf
        left = None
        if rhythm is not None:
            places = np.flatnonzero(rhythm)
            left = places[places > now]
            allowed = np.zeros(len(scores), bool)
            allowed[left[:1]] = True
            if now >= 0:
                allowed[now] = can_stack
            allowed[END] = not len(left)
            scores[~allowed] = -np.inf
        over = full > 0 and (left is None or not len(left))
        if over or not (scores[:END] > IMPOSSIBLE).any():
            scores[:END], scores[END] = -np.inf, 0.0
        return scores

    def _note(
        self, part: int, around: Surroundings, place: int, rows: list[tuple[int, int, int, int]],
        reach: tuple[int, int], drums: bool, bar: int,
    ) -> Generator[Question, Tensor, tuple[int, int, int, int]]:  # fmt: skip
        stacked = rows[-1][2] if rows and rows[-1][0] == place else NO_LENGTH
        features = note_features(around, np.array([place]), np.array([self.last[part]]), np.array([stacked]))
        small, classes, keys = (x[0] for x in features)
        length = self._draw((yield Question("length", (small,), self.state)).numpy().astype(float), 1.0)
        inputs = (small, classes, keys, np.array([length]), np.array([drums]))
        scores = (yield Question("pitch", inputs, self.state)).numpy().astype(float)
        key = self._draw(self._ruled_keys(scores, reach, rows, place, bar, drums), CALM if drums else 1.0)
        velocity = FLAT
        if self.draft.dynamic:
            asked = Question("velocity", (np.array([length]), np.array([key]), np.array([self.loud[part]])), self.state)
            velocity = self._draw((yield asked).numpy().astype(float), 1.0)
        return place, key, length, velocity

    def _ruled_keys(
        self, scores: np.ndarray, reach: tuple[int, int], rows: Sequence[tuple[int, ...]], place: int, bar: int,
        drums: bool,
    ) -> np.ndarray:  # fmt: skip
        """Scores of keys, without those outside a part's range, and in the end outside the last chord."""
        keys = np.arange(KEYS)
        allowed = (keys >= reach[0]) & (keys <= reach[1])
        if rows and rows[-1][0] == place:
            allowed &= keys > rows[-1][1]
        ends = self._closes(bar) and 2 * place >= self.piece.places[bar]
        if ends and not drums:
            closing = allowed & np.isin(keys % 12, (9, 0, 4) if self.piece.mode else (0, 4, 7))
            allowed = closing if closing.any() else allowed
        return np.where(allowed, scores, -np.inf)

    # ---- chance --------------------------------------------------------------------------------------------------

    def _draw(self, scores: np.ndarray, temperature: float) -> int:
        """A choice by its score: softmax at the taste's temperature times a decision's own, of the most likely choices
        that make up `kept` (nucleus sampling, Holtzman 2020)."""
        scaled = scores / max(temperature * self.taste.temperature, 1e-3)
        chances = np.exp(scaled - scaled.max())
        chances /= chances.sum()
        order = np.argsort(-chances, kind="stable")
        before = np.cumsum(chances[order]) - chances[order]
        chances[order[before >= self.taste.kept]] = 0
        chosen = int(np.searchsorted(np.cumsum(chances), self.rng.random() * chances.sum(), "right"))
        return min(chosen, len(chances) - 1)


def _named(answers: Sequence[int]) -> dict[str, int]:
    return dict(zip(("like", "before", "count"), answers, strict=True))


def _possible(other: Block | None, due: bool) -> np.ndarray:
    """(6,) how like a block can be to another. due: it has to have notes."""
    if other is None:
        return np.arange(6) == NONE
    return np.isin(np.arange(6), (NEW, *PLAYING) if len(other.notes) else (NEW,) if due else (NEW, SILENT))


def _agrees(taken: Block | None, own: Block | None) -> int:
    """1 if two blocks have the same rhythm, -1 if they have not, 0 if one of them has none."""
    if taken is None or own is None or not len(taken.notes) or not len(own.notes):
        return 0
    return 1 if np.array_equal(taken.onset, own.onset) else -1


def _agreeing(possible: np.ndarray, like: int, taken: Block | None, own: Block | None) -> np.ndarray:
    """What is possible beside the first answer: a block cannot be silent and play, nor have two rhythms."""
    if taken is not None and own is not None and like in (SAME_RHYTHM, IDENTICAL) and _agrees(taken, own):
        alike = likeness(taken, own)
        same = (SAME_RHYTHM, IDENTICAL) if like == SAME_RHYTHM and alike in (SAME_RHYTHM, IDENTICAL) else (alike,)
        strict = possible & np.isin(np.arange(6), same)
        return strict if strict.any() else np.arange(6) == min(alike, SAME_RHYTHM)
    if like == SILENT:
        silent = possible & np.isin(np.arange(6), (NONE, SILENT))
        return silent if silent.any() else np.arange(6) == NEW
    if like in PLAYING:
        return possible & (np.arange(6) != SILENT)
    return possible


def _tones() -> np.ndarray:
    shapes = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 6), (0, 3, 7, 10), (0, 4, 7, 11))
    rows = np.zeros((CHORDS, 12))
    for chord in range(CHORDS):
        rows[chord, [(chord // 6 + tone) % 12 for tone in shapes[chord % 6]]] = 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


TONES = _tones()


def chord_fits(heard: np.ndarray) -> np.ndarray:
    """(CHORDS,) cosine between how long pitch classes sound (12,) and each chord's tones."""
    return TONES @ np.sqrt(heard) / max(float(np.linalg.norm(np.sqrt(heard))), 1e-9)
