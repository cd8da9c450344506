"""Scenes as text: what sounds from when to when, how loud, and where.

    # park.txt: a park, and a storm that comes up
    length 5:00
    room 0.2

    layer birds:0.7, wind:0.3
        to 3:00, fade in 4 out 20
        level -6 dB, distance 0.3
    layer rain > storm @ 3:00-4:30
        from 2:30, fade 15
    event dog
        at 0:20, 1:05 and 1:07
        pan left 0.5, distance 0.6
    event thunder
        now and then, from 3:30
        level -3 dB

A line says one thing; an indented line goes on with the one before it. `#` begins a comment. Commas and "and" between
the words after a sound mean nothing, and units (s, min, dB) may be left out. What may be said of a layer or an event
stands in WORDS, what of the whole scene in HEADINGS. Sounds are instrument expressions (voices/expression.py), in
quotes if one of these words is among theirs.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from antiphon.core.errors import AntiphonError

LONGEST = 24 * 3600.0  # seconds
MOST_BYTES, MOST_CUES, MOST_TIMES = 1 << 20, 256, 2000
CONTROLS = ("variation", "density", "brightness", "motion", "width")  # of a voice, 0..1 each
PACES = {"often": 8.0, "now": 25.0, "rarely": 90.0}  # seconds between two events, on average; "now and then"
FADE = 1.0  # seconds at both ends of a layer, if nothing is said
UNITS = {
    "seconds": {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0,
                "minutes": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0},
    "decibels": {"db": 1.0, "lufs": 1.0},
}  # fmt: skip
FILLERS = frozenset({"and", "by"})


@dataclass(frozen=True)
class Cue:
    """Something that sounds in a scene. line: of the script. sound: an instrument expression. start, stop: seconds;
    stop None: to the scene's end. level: dB. pan: -1 left to 1 right. distance: 0 near to 1 far. controls: of CONTROLS.
    seed: None for one that follows from the scene's."""

    line: int
    sound: str
    start: float = 0.0
    stop: float | None = None
    level: float = 0.0
    pan: float = 0.0
    distance: float = 0.0
    controls: Mapping[str, float] = field(default_factory=dict)
    seed: str | None = None


@dataclass(frozen=True)
class Layer(Cue):
    """A sound that lasts. fade_in, fade_out: seconds."""

    fade_in: float = FADE
    fade_out: float = FADE


@dataclass(frozen=True)
class Event(Cue):
    """A sound that comes and goes. at: its times in seconds; without them it comes every `every` seconds, on average if
    `chance`. lasts: seconds of each, as long as it sounds if None. pitch: of an event that is a note of another
    voice."""

    at: tuple[float, ...] = ()
    every: float | None = None
    chance: bool = False
    lasts: float | None = None
    pitch: str | None = None


@dataclass(frozen=True)
class Script:
    """A scene. length: seconds. seed: a number or a name. room: 0 none to 1 a hall. loudness: LUFS of the whole. name:
    where it is from, for messages. What is None is left to who plays it."""

    cues: tuple[Cue, ...]
    length: float | None = None
    seed: str | None = None
    room: float | None = None
    loudness: float | None = None
    name: str = "script"


def read_script(path: str | Path) -> Script:
    """A script from a file. Raises AntiphonError, which names the line, for what cannot be understood."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise AntiphonError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        raise AntiphonError(f"{str(path)!r} is not the name of a file") from None
    if len(data) > MOST_BYTES or b"\0" in data:
        raise AntiphonError(f"{path} is not a script: give a text file such as those in docs/scenes.md")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise AntiphonError(f"{path.name}, line {line}: not UTF-8: save the script as plain text (UTF-8)") from None
    return parse_script(text, path.name)


def parse_script(text: str, name: str = "script") -> Script:
    """A script from its text. name: what messages call it. Raises AntiphonError, which names the line, for what cannot
    be understood."""
    heads: dict[str, Any] = {}
    cues: list[Cue] = []
    for statement in _statements(text, name):
        word = statement.take()
        if word in ("layer", "event"):
            cues.append(statement.cue(word))
        elif word in HEADINGS:
            if word in heads:
                statement.wrong(f"there is a second '{word}': leave one out")
            heads[word] = HEADINGS[word](statement)
        else:
            statement.unknown(word, ["layer", "event", *HEADINGS])
        statement.done()
        if len(cues) > MOST_CUES:
            statement.wrong(f"there are more than {MOST_CUES} layers and events")
    if not cues:
        raise AntiphonError(f"{name} has no sound in it: write a line such as `layer rain`")
    script = Script(tuple(cues), **heads, name=name)
    if script.length is not None:
        check_times(script, script.length)
    return script


def check_times(script: Script, length: float) -> None:
    """Raises AntiphonError if something begins after the scene's end, in seconds."""
    for cue in script.cues:
        late = [t for t in (cue.start, *(cue.at if isinstance(cue, Event) else ())) if t >= length]
        if late:
            where = f"{script.name}, line {cue.line}"
            raise AntiphonError(f"{where}: {stamp(late[0])} is not before the scene's end, {stamp(length)}")


def stamp(seconds: float) -> str:
    """ "1:05", "1:05.25"."""
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}:{rest:06.3f}".rstrip("0").rstrip(".") if rest % 1 else f"{int(minutes)}:{int(rest):02d}"


# ---- words -----------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'"[^"]*"|[^\s"]+|"')
_TIME = re.compile(r"(?:(\d{1,3}):)?(?:(\d{1,3}):)?(\d{1,6}(?:\.\d{1,20})?)([a-z]*)")
_NUMBER = re.compile(r"([+-]?(?:\d{1,6}(?:\.\d{0,20})?|\.\d{1,20}))([a-z]*)")


@dataclass
class _Statement:
    """A line's words, and those of the indented lines after it, each with the number of its own line."""

    name: str
    words: list[tuple[str, int]]
    at: int = 0

    @property
    def line(self) -> int:
        """The number of the line that is being read."""
        return self.words[min(max(self.at - 1, 0), len(self.words) - 1)][1]

    def wrong(self, what: str) -> NoReturn:
        raise AntiphonError(f"{self.name}, line {self.line}: {what}")

    def unknown(self, word: str, known: list[str]) -> NoReturn:
        near = difflib.get_close_matches(word, known, 1, 0.6)
        hint = f"did you mean '{near[0]}'?" if near else f"use {', '.join(known)}"
        self.wrong(f"'{_short(word)}' is not understood: {hint}")

    def look(self, parted: bool = True) -> str:
        """The next word as it is compared, "" at the end. parted: words that commas hold together come apart."""
        if self.at >= len(self.words):
            return ""
        word, line = self.words[self.at]
        if parted and "," in word.strip(",") and not word.startswith('"'):
            self.words[self.at : self.at + 1] = [(part, line) for part in word.split(",") if part]
            word = self.words[self.at][0]
        return word.strip(",").lower()

    def take(self) -> str:
        word = self.look()
        self.at += 1
        return word

    def skip(self) -> None:
        """Past words and commas that mean nothing."""
        while self.at < len(self.words) and (self.look() in FILLERS or not self.look()):
            self.at += 1

    def done(self) -> None:
        self.skip()
        if self.at < len(self.words):
            self.at += 1
            self.wrong(f"'{_short(self.words[self.at - 1][0])}' is one word too many")

    # ---- values

    def number(self, low: float, high: float, what: str, units: str = "") -> float:
        """The number that follows, with its unit if it has one."""
        self.skip()
        word = self.take()
        found = _NUMBER.fullmatch(word)
        if not found or (found[2] and found[2] not in UNITS.get(units, ())):
            self.wrong(f"{what} is a number from {low:g} to {high:g}, not '{_short(word)}'")
        value = float(found[1])
        if not found[2] and self.look() in UNITS.get(units, ()):
            self.at += 1
        if not low <= value <= high:
            self.wrong(f"{what} {value:g} is out of range: use {low:g} to {high:g}")
        return value

    def time(self, what: str) -> float:
        """The time that follows, in seconds: 1:02:03.5, 2:03, 90, 1.5 min."""
        self.skip()
        word = self.take()
        found = _TIME.fullmatch(word)
        units = UNITS["seconds"]
        if not found or (found[4] and found[4] not in units):
            self.wrong(f"{what} is a time such as 1:30 or 90 s, not '{_short(word)}'")
        first, second, last, unit = found.groups()
        parts = [float(part) for part in (first, second, last) if part is not None]
        value = sum(part * 60**power for power, part in enumerate(reversed(parts)))
        if not unit and self.look() in units:
            unit = self.take()
        value *= units[unit] if unit and len(parts) == 1 else 1.0
        if value > LONGEST:
            self.wrong(f"{what} {_short(word)} is too late: use at most 24 hours")
        return value

    def is_time(self) -> bool:
        """Whether a time follows."""
        found = _TIME.fullmatch(self.look())
        return found is not None and (not found[4] or found[4] in UNITS["seconds"])

    # ---- what lines say

    def cue(self, kind: str) -> Cue:
        """A layer or an event."""
        line = self.line
        told: dict[str, Any] = {"sound": self.sound(kind), "line": line, "controls": {}}
        words = WORDS | (LAYERS if kind == "layer" else EVENTS)
        self.skip()
        while self.at < len(self.words):
            word = self.take()
            if word not in words:
                other = EVENTS if kind == "layer" else LAYERS
                if word in other:
                    self.wrong(f"'{word}' is for {'events' if kind == 'layer' else 'layers'}: this is {_article(kind)}")
                self.unknown(word, list(words))
            new = words[word](self)
            controls = new.pop("controls", {})
            twice = new.keys() & told.keys() or controls.keys() & told["controls"].keys()
            if {"at", "every"} <= new.keys() | told.keys() or twice & {"at", "every"}:
                self.wrong("its times are said twice")
            if twice:
                self.wrong(f"'{word}' is said twice")
            told["controls"] |= controls
            told |= new
            self.skip()
        self.check(told, kind)
        return Layer(**told) if kind == "layer" else Event(**told)

    def sound(self, kind: str) -> str:
        """The instrument expression that follows: up to a word that says something else, or the end of the line."""
        parts: list[str] = []
        known, line = [*WORDS, *LAYERS, *EVENTS], self.line
        while self.at < len(self.words) and self.words[self.at][1] == line:
            word = self.words[self.at][0]
            if word.startswith('"'):
                if len(word) < 2:
                    self.at += 1
                    self.wrong('a quotation mark (") is not closed')
                word = word[1:-1]
            elif self.look(parted=False) in known:
                break
            elif parts and difflib.get_close_matches(self.look(parted=False), known, 1, 0.8):
                self.unknown(self.take(), known)
            parts.append(word)
            self.at += 1
        text = " ".join(parts).strip().strip(",").strip()
        if not text:
            self.wrong(f"say what sounds: `{kind} rain`")
        return text

    def check(self, told: Mapping[str, Any], kind: str) -> None:
        """What must hold between the things that are said."""
        start, stop = told.get("start", 0.0), told.get("stop")
        if stop is not None and stop <= start:
            self.wrong(f"it ends at {stamp(stop)}, before it begins: give a later time after 'to'")
        fades = told.get("fade_in", FADE), told.get("fade_out", FADE)
        if stop is not None and "fade_in" in told and sum(fades) > stop - start + 1e-9:
            self.wrong(f"its fades take {sum(fades):g} s, but it lasts {stop - start:g} s: make them shorter")
        if kind == "event" and "at" not in told and "every" not in told:
            self.wrong("say when: at 0:20, every 30, often, now and then, or rarely")
        if "at" in told and any(not start <= t or (stop is not None and t >= stop) for t in told["at"]):
            self.wrong("one of its times is outside 'from' and 'to'")


def _statements(text: str, name: str) -> list[_Statement]:
    found: list[_Statement] = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = _without_comment(line)
        words = [(word, number) for word in _TOKEN.findall(plain)]
        if not words:
            continue
        if plain[0].isspace() and found:
            found[-1].words += words
        else:
            found.append(_Statement(name, words))
    return found


def _without_comment(line: str) -> str:
    """A line up to a # that stands at its beginning or after a blank, and not in quotes."""
    quoted = False
    for at, letter in enumerate(line):
        quoted ^= letter == '"'
        if letter == "#" and not quoted and (at == 0 or line[at - 1].isspace()):
            return line[:at]
    return line


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:37]}..."


def _article(kind: str) -> str:
    return "an event" if kind == "event" else "a layer"


def _fade(said: _Statement) -> dict[str, Any]:
    """`fade 2`, `fade in 2`, `fade out 5`, `fade in 2 out 5`."""
    found: dict[str, Any] = {}
    while said.look() in ("in", "out"):
        side = said.take()
        if f"fade_{side}" in found:
            said.wrong(f"'fade {side}' is said twice")
        found[f"fade_{side}"] = said.time("a fade")
        said.skip()
    if found:
        return {"fade_in": FADE, "fade_out": FADE} | found
    both = said.time("a fade")
    return {"fade_in": both, "fade_out": both}


def _pan(said: _Statement) -> dict[str, Any]:
    """`pan -0.5`, `pan left`, `pan right 0.3`, `pan centre`."""
    side = said.look()
    if side in ("centre", "center", "middle"):
        said.take()
        return {"pan": 0.0}
    if side not in ("left", "right"):
        return {"pan": said.number(-1, 1, "pan")}
    said.take()
    size = said.number(0, 1, "pan") if re.match(r"[.\d]", said.look()) else 1.0
    return {"pan": -size if side == "left" else size}


def _times(said: _Statement) -> dict[str, Any]:
    times = [said.time("an event's time")]
    said.skip()
    while said.is_time():
        times.append(said.time("an event's time"))
        if len(times) > MOST_TIMES:
            said.wrong(f"it has more than {MOST_TIMES} times")
        said.skip()
    return {"at": tuple(sorted(times))}


def _every(said: _Statement) -> dict[str, Any]:
    seconds = said.time("'every'")
    if seconds < 0.05:
        said.wrong("'every' needs at least 0.05 s")
    return {"every": seconds}


def _about(said: _Statement) -> dict[str, Any]:
    """`about every 30`."""
    if said.look() == "every":
        said.take()
    return _every(said) | {"chance": True}


def _pace(word: str) -> Callable[[_Statement], dict[str, Any]]:
    def read(said: _Statement) -> dict[str, Any]:
        if word == "now":
            for more in ("and", "then"):
                if said.take() != more:
                    said.wrong("write 'now and then'")
        return {"every": PACES[word], "chance": True}

    return read


def _control(name: str) -> Callable[[_Statement], dict[str, Any]]:
    return lambda said: {"controls": {name: said.number(0, 1, name)}}


def _seed(said: _Statement) -> str:
    said.skip()
    if said.at >= len(said.words):
        said.wrong("a seed is a number or a name")
    said.at += 1
    return said.words[said.at - 1][0].strip('",') or said.wrong("a seed is a number or a name")


def _lasts(said: _Statement) -> dict[str, Any]:
    seconds = said.time("'lasts'")
    if not 0.02 <= seconds <= 60:
        said.wrong("'lasts' is 0.02 to 60 s: use a layer for more")
    return {"lasts": seconds}


def _length(said: _Statement) -> float:
    seconds = said.time("the length")
    if not 0.1 <= seconds < math.inf:
        said.wrong("the length is at least 0.1 s")
    return seconds


HEADINGS: dict[str, Callable[[_Statement], Any]] = {
    "length": _length,
    "seed": _seed,
    "room": lambda said: said.number(0, 1, "room"),
    "loudness": lambda said: said.number(-50, -6, "loudness", "decibels"),
}
WORDS: dict[str, Callable[[_Statement], dict[str, Any]]] = {
    "from": lambda said: {"start": said.time("'from'")},
    "to": lambda said: {"stop": said.time("'to'")},
    "level": lambda said: {"level": said.number(-80, 24, "level", "decibels")},
    "pan": _pan,
    "distance": lambda said: {"distance": said.number(0, 1, "distance")},
    "seed": lambda said: {"seed": _seed(said)},
    **{name: _control(name) for name in CONTROLS},
}
LAYERS: dict[str, Callable[[_Statement], dict[str, Any]]] = {"fade": _fade}
EVENTS: dict[str, Callable[[_Statement], dict[str, Any]]] = {
    "at": _times,
    "every": _every,
    "about": _about,
    "lasts": _lasts,
    "pitch": lambda said: {"pitch": said.take()},
    **{word: _pace(word) for word in PACES},
}
