"""From what a composer has written to the parts of a score: keys back into the piece's own, lengths, dynamics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.data.phrases import FLAT, GRID, LENGTHS, LOWEST_DRUM
from antiphon.music.notation import DRUMS, MELODY, ROLES, ScoreNote, ScorePart
from antiphon.music.tabulate import FINER
from antiphon.voices.writing import Draft

LOUD = {"melody": 84, "inner": 70, "chords": 66, "bass": 74, "drums": 82}  # of parts without velocities of their own
ACCENTS = (8, 3, 0, -5)  # on the bar, on a beat, on an eighth, between
ARCH = 6.0  # by how much a phrase of eight bars swells


class Notator:
    """shift: semitones by which the draft lies above the piece. loudness: mean velocity of each part. originals: the
    parts that the draft varies; blocks that are unchanged keep their notes as they are."""

    def __init__(
        self,
        shift: int,
        rng: np.random.Generator,
        tempo: float,
        loudness: Sequence[float] | None = None,
        originals: Sequence[ScorePart] | None = None,
    ):
        self.shift, self.rng, self.tempo, self.loudness, self.originals = shift, rng, tempo, loudness, originals

    def part(self, draft: Draft, index: int, name: str, program: int, begin: int = 0) -> ScorePart:
        """A part of the draft, from bar `begin` on, which becomes its first."""
        role = ROLES[int(draft.piece.roles[index])]
        notes: list[ScoreNote] = []
        for bar in range(begin, draft.piece.bars):
            notes += self._block(draft, bar, index, role, begin)
        return ScorePart(name, role, tuple(_clear(notes, draft, begin)), program)

    def _block(self, draft: Draft, bar: int, index: int, role: str, begin: int) -> list[ScoreNote]:
        block = draft.blocks[bar, index]
        if self.originals is not None and draft.model is not None:
            same = np.array_equal(block.notes, draft.model.block(bar, index).notes)
            if same:
                return [n for n in self.originals[index].notes if n.bar == bar]
        rows = []
        for place, key, length, velocity in block.notes.tolist():
            pitch = key - 128 + LOWEST_DRUM if role == DRUMS else key - self.shift
            pitch += 12 * (pitch < 0) - 12 * (pitch > 127)
            loud = self._loud(role, index, place, bar - begin, velocity)
            rows.append(ScoreNote(bar - begin, place * FINER, pitch, LENGTHS[length] * FINER, loud))
        if draft.ends and bar == draft.piece.bars - 1 and rows and role != DRUMS:
            rows = _held(rows, int(draft.piece.places[bar]) * FINER)
        return sorted(rows)

    def _loud(self, role: str, index: int, place: int, bar: int, velocity: int) -> int:
        """What the network said, or what a player would do: accents of the metre, phrases that swell."""
        level = 0 if place == 0 else 1 if place % GRID == 0 else 2 if place % (GRID // 2) == 0 else 3
        if velocity != FLAT:
            return int(np.clip(velocity * 16 + 8 + ACCENTS[level] // 2, 1, 127))
        base = self.loudness[index] if self.loudness is not None else LOUD[role]
        arch = ARCH * np.sin(np.pi * ((bar % 8) + 0.5) / 8) * (1.5 if role == MELODY else 1.0)
        return int(np.clip(round(base + ACCENTS[level] + arch - ARCH / 2 + self.rng.normal(0, 1.5)), 1, 127))


def _held(rows: list[ScoreNote], size: int) -> list[ScoreNote]:
    """The last notes of a piece last to its end."""
    last = max(note.position for note in rows)
    return [n._replace(length=max(n.length, size - last)) if n.position == last else n for n in rows]


def _clear(notes: list[ScoreNote], draft: Draft, begin: int) -> list[ScoreNote]:
    """Notes of which none sounds on when its key is struck again."""
    starts = np.cumsum([0, *(int(p) * FINER for p in draft.piece.places[begin:])])
    following: dict[int, int] = {}
    found = []
    for note in sorted(notes, reverse=True):
        onset = int(starts[note.bar]) + note.position
        if following.get(note.pitch) == onset:
            continue
        most = following.get(note.pitch, onset + note.length) - onset
        found.append(note._replace(length=min(note.length, most)))
        following[note.pitch] = onset
    return found[::-1]
