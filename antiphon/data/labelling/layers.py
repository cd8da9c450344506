"""How hard a note or a drum was struck, by names read among their siblings: words, layers, and counters that nothing
else explains."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from antiphon.data.labelling.labels import DYNAMICS

WORDS = {
    "softest": 25, "softer": 38, "soft": 50, "light": 50, "gentle": 50, "quiet": 50, "weak": 50, "leise": 50,
    "debole": 50, "med": 90, "medium": 90, "medio": 90, "mid": 90, "hard": 115, "heavy": 115,
    "loud": 115, "strong": 115, "laut": 115, "harder": 120, "louder": 120, "hardest": 126, "loudest": 126,
}  # fmt: skip
LETTERS = {"h": 115, "m": 80, "l": 50, "s": 50, "p": 46, "f": 94}
_WITH = {"h": "lms", "m": "hlsfp", "l": "hm", "s": "hm"}  # letters that need one of these beside them
_NUMBERED = re.compile(
    r"(?<![A-Za-z])(?:v|vl|vel|velocity|lay|layer|level|lvl|lev|dyn|dynamic|l(?=\d\d?(?!\d)))[ _-]?"
    r"(\d{1,3})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_ROBIN = re.compile(
    r"(?<![A-Za-z])(?:rr|round[ _-]?robin|robin|alt|take|tk|var)[ _-]?(\d{1,3}|[a-e])(?![0-9A-Za-z])", re.I
)
_COUNTER = re.compile(r"(?<![A-Za-z0-9])\d{1,4}(?![A-Za-z0-9])|(?<=#)\d{1,2}(?![A-Za-z0-9])")
_GLUED = re.compile(r"(?<=[A-Za-z])\d{1,3}(?=[^A-Za-z0-9][A-Za-z]+$|$)")
_TAKE = re.compile(r"(?<![A-Za-z0-9])(p{1,3}|m[pf]?|f{1,3})([a-e])(?![A-Za-z0-9])")
_LETTER = re.compile(r"(?<=[ _-])[a-z]{1,2}$")
_OF = {46: "p", 94: "f", 50: "s", 90: "m", 115: "h"}  # the letters of words
MOST_LAYERS = 36


@dataclass
class Told:
    """What a name, less its pitch, says of force: a loudness by words, a layer's number, a letter, a counter; and which
    round robin it is. like: the rest of the name, which its siblings share."""

    loud: int | None = None
    layer: int | None = None
    letter: str = ""
    piano: bool = False  # a dynamic, or the instrument
    tail: str = ""
    leading: bool = (
        False  # the counter comes first: it counts what was played, and the rest may say by what it is heard
    )
    robin: int | None = None
    counters: list[int] = field(default_factory=list)
    like: str = ""
    velocity: int | None = None
    guessed: bool = False  # by a counter that might as well count round robins


def split_words(text: str) -> list[str]:
    """Words of a name, at separators, capitals and digits: "PedalOffMezzoForte2" -> pedal off mezzo forte 2."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", text)
    return [word for word in re.split(r"[^0-9A-Za-zÀ-ÿ]+", text.lower()) if word]


def told(rest: str) -> Told:
    """What one name says. rest: the stem with a blank in the place of its pitch."""
    said = Told()
    if robin := _ROBIN.search(rest):
        said.robin = int(robin[1]) if robin[1].isdigit() else ord(robin[1].lower()) - 96
        rest = rest[: robin.start()] + " " + rest[robin.end() :]
    if take := _TAKE.search(rest):
        said.robin = said.robin or ord(take[2]) - 96
        rest = rest[: take.start()] + take[1] + rest[take.end() :]
    if layer := _NUMBERED.search(rest):
        said.layer = int(layer[1])
        rest = rest[: layer.start()] + " " + rest[layer.end() :]
    counter = list(_COUNTER.finditer(rest)) or list(_GLUED.finditer(rest))[-1:]
    said.counters = [int(match[0]) for match in counter]
    said.leading = bool(counter) and not rest[: counter[0].start()].strip(" _-")
    if not counter and (last := _LETTER.search(rest)):
        said.tail = last[0]
    for match in reversed(counter):
        rest = rest[: match.start()] + " " + rest[match.end() :]
    kept: list[str] = []
    words = split_words(rest)
    for i, word in enumerate(words):
        both = words[i - 1] + word if i else ""
        if both in DYNAMICS:
            said.loud, kept = DYNAMICS[both], kept[:-1]
        elif word == "piano":
            said.piano = True
        elif i == len(words) - 1 and word == said.tail and word not in DYNAMICS and word not in _WITH:
            continue
        elif word in DYNAMICS or (word in WORDS and said.loud is None):
            said.loud = DYNAMICS.get(word) or WORDS[word]
        elif word in _WITH and not said.letter:
            said.letter = word
        else:
            kept.append(word)
    said.like = " ".join(kept)
    return said


def struck(names: Sequence[Told], keys: Sequence[tuple[object, ...]]) -> None:
    """Fills in the velocities of a group. keys: of each file, what it shares with the other layers of its sound but for
    the pitch, and last the pitch."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[(*key[:-1], "" if names[i].leading else names[i].like)].append(i)
    numbers = {name.layer for name in names if name.layer is not None}
    if not all(name.piano for name in names) and any(name.loud is not None for name in names):
        for name in names:
            name.loud = 46 if name.piano and name.loud is None and not name.letter else name.loud
    for group in groups.values():
        members = [names[i] for i in group]
        _lettered(members)
        _by_words(members)
        _by_letters(members)
        _by_numbers(members, numbers)
        if all(name.velocity is None for name in members):
            _by_counters(members, [keys[i][-1] for i in group])
        elif len({tuple(name.counters) for name in members}) > 1:
            for name in members:
                name.robin = name.robin or next(iter(name.counters[-1:]), None)


def _lettered(members: Sequence[Told]) -> None:
    """Where last letters go beyond those that mean a loudness, they count: a, b, c .. x."""
    tails = {name.tail for name in members}
    if len(tails) > 2 and any(tail not in DYNAMICS and tail not in _WITH for tail in tails - {""}):
        for name in members:
            name.counters = [26 * len(name.tail) + ord(name.tail[0])] if name.tail else [0]
            name.loud, name.letter = None, ""


def _by_words(members: Sequence[Told]) -> None:
    """Pianissimo says what it means; soft does beside loud, because it may mean the sound."""
    sayings = {name.loud or name.letter for name in members if name.loud is not None or name.letter}
    for name in members:
        if name.loud is not None and (len(sayings) > 1 or name.loud not in WORDS.values() or name.loud == 46):
            name.velocity = name.loud


def _by_letters(members: Sequence[Told]) -> None:
    letters = {name.letter for name in members} | {_OF.get(name.loud or 0, "") for name in members}
    for name in members:
        if name.letter and name.velocity is None and letters & set(_WITH[name.letter]):
            name.velocity = LETTERS[name.letter]


def _by_numbers(members: Sequence[Told], everywhere: set[int]) -> None:
    """v1 .. v16 are layers, v20 .. v127 velocities. everywhere: the numbers of the whole group of files."""
    numbers = {name.layer for name in members if name.layer is not None}
    if not numbers:
        return
    most = max(numbers)
    among = numbers if len(numbers) > 1 else everywhere
    layers = max(among) <= MOST_LAYERS and 2 * min(among) <= max(among) and len(among) > 1
    scale = most if len(numbers) > 1 else max(among)
    for name in members:
        if name.layer is None or name.velocity is not None:
            continue
        if layers:
            name.velocity = _of(max(name.layer - 0.5, 0.25), scale)
        elif name.layer > 10:
            name.velocity = max(1, min(127, name.layer))


def _by_counters(members: Sequence[Told], pitches: Sequence[object]) -> None:
    """What counts the files of one pitch counts them from soft to loud, as far as names can tell."""
    by_pitch: dict[object, list[int]] = defaultdict(list)
    for i, pitch in enumerate(pitches):
        by_pitch[pitch].append(i)
    width = max(len(name.counters) for name in members)
    columns = [[name.counters[k] if len(name.counters) > k else 0 for name in members] for k in range(width)]
    several = {
        k: sum(len({column[i] for i in alike}) - 1 for alike in by_pitch.values()) for k, column in enumerate(columns)
    }
    if not any(several.values()):
        return
    column = columns[max(reversed(several), key=lambda k: several[k])]
    if _are_velocities(column):
        for name, number in zip(members, column, strict=True):
            name.velocity = max(number, 1)
        return
    first = min(column)
    whole = max(column) - first + 1 if first <= 1 and max(column) <= MOST_LAYERS else 0
    for alike in by_pitch.values():
        steps = sorted({column[i] for i in alike})
        for i in alike:
            place = column[i] - first if whole else steps.index(column[i])
            members[i].velocity, members[i].guessed = _of(place + 0.5, whole or len(steps)), True


def _are_velocities(column: Sequence[int]) -> bool:
    """Whether numbers are velocities as they stand: few, up to 127, the same ones for most pitches."""
    steps = set(column)
    return MOST_LAYERS < max(steps) <= 127 and len(steps) <= 16 and 3 * len(steps) <= len(column)


def _of(part: float, whole: float) -> int:
    return max(1, min(127, round(127 * part / whole)))
