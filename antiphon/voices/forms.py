"""The form of a piece: sections, which bars they take up, and what to call them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from antiphon.data.phrases import OFFSETS
from antiphon.networks.composer import ComposerModel

PATTERNS = {1: ("A",), 2: ("AA", "AB"), 3: ("AAB", "ABA"), 4: ("AABA", "AABA", "ABAB", "ABAC", "AABB")}
MIDDLES = ("CDCD", "CCDC", "CCBB")  # of a long piece, between returns of how it began
CODA = "Coda"
SOMETIMES = 0.25  # share of bars from which on a part rests by sections
FEWEST, JOINING = 2, 0.5  # parts that play at least; how likely one joins in at the end


class Section(NamedTuple):
    """letter: sections of one letter are alike; first: bar; bars: how many."""

    letter: str
    first: int
    bars: int


def form(count: int, rng: np.random.Generator) -> list[Section]:
    """Sections of eight bars, of four in a short piece; what is left over is a coda."""
    size = 8 if count >= 16 else 4 if count >= 8 else count
    number, rest = divmod(count, size)
    letters = _letters(number, rng)
    found = [Section(letter, i * size, size) for i, letter in enumerate(letters)]
    return found + [Section(CODA, number * size, rest)] * (rest > 0)


def _letters(number: int, rng: np.random.Generator) -> str:
    if number in PATTERNS:
        return str(rng.choice(PATTERNS[number]))
    base = str(rng.choice(PATTERNS[4]))
    letters = base
    while len(letters) < number:
        letters += str(rng.choice(MIDDLES)) + base
    return letters[: number - 1] + "A"


def plan(sections: Sequence[Section], back: np.ndarray, rng: np.random.Generator, before: int = 0) -> np.ndarray:
    """(bars,) the earlier bar that each takes up, negative for bars of a piece before (of which there are `before`),
    and -1 - before for none. back: (8, classes) chances of distances, by the bar's place in eight.

    A section whose letter was there before takes up that one bar by bar; in a new one, each bar takes up one at a usual
    distance."""
    first: dict[str, int] = {}
    found = []
    for section in sections:
        known = first.setdefault(section.letter, section.first)
        for i in range(section.bars):
            bar = section.first + i
            taken = known + i if known < section.first else bar - _distance(bar + before, i, back, rng)
            found.append(taken if taken < bar else -1 - before)
    return np.array(found)


def _distance(bar: int, place: int, back: np.ndarray, rng: np.random.Generator) -> int:
    """Bars back, 0 for none: drawn from distances that there are."""
    distances = np.array([*OFFSETS, 0])
    chances = np.where((distances <= bar) & (np.arange(len(distances)) < len(OFFSETS)), back[place % 8], 0.0)
    return int(distances[rng.choice(len(distances), p=chances / chances.sum())])


def tacet(sections: Sequence[Section], rests: np.ndarray, rng: np.random.Generator) -> set[tuple[int, int]]:
    """(bar, part) where parts rest: those that rest often, (parts,) `rests`, do so for whole sections, the same ones
    whenever a section returns, but may join in the last. Two parts at least play, and each in some section."""
    letters = list(dict.fromkeys(section.letter for section in sections if section.letter != CODA))
    often = [part for part, share in enumerate(rests.tolist()) if share >= SOMETIMES]
    if len(letters) < 2:
        return set()
    silent = {(letter, part) for letter in letters for part in often if rng.random() < rests[part]}
    for part in often:
        if all((letter, part) in silent for letter in letters):
            silent.discard((str(rng.choice(letters)), part))
    for letter in letters:
        resting = sorted((p for p in often if (letter, p) in silent), key=lambda part: rests[part])
        for part in resting[: max(FEWEST - (len(rests) - len(resting)), 0)]:
            silent.discard((letter, part))
    last = max(i for i, section in enumerate(sections) if section.letter != CODA)
    found = set()
    for i, section in enumerate(sections):
        for part in often:
            joins = i == last and i > 0 and rng.random() < JOINING
            if (section.letter, part) in silent and not joins:
                found |= {(section.first + bar, part) for bar in range(section.bars)}
    return found


def backs(model: ComposerModel, style: int) -> np.ndarray:
    """(8, classes) what `plan` wants, of a style."""
    return np.maximum(model.backs[style].double().numpy(), 1e-6)


def markers(sections: Sequence[Section], before: Sequence[tuple[int, str]] = ()) -> Iterator[tuple[int, str]]:
    """(bar, name) of sections, with a stroke for each return. before: markers of what they continue, whose letters are
    taken."""
    met: dict[str, int] = {}
    letters = [name[0] for _, name in before if "A" <= name[:1] <= "S" and len(name) < 4]
    taken = max((ord(letter) - ord("A") + 1 for letter in letters), default=0)
    for section in sections:
        letter = section.letter if section.letter == CODA else chr(ord(section.letter) + taken)
        yield section.first, letter + "'" * met.get(section.letter, 0)
        met[section.letter] = met.get(section.letter, 0) + 1
