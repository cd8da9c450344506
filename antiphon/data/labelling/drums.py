"""Drums by name: what General MIDI's drum keys mean, and which drum a file's or folder's name refers to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath

from antiphon.data.labelling import labels

AS_RECORDED = 60.0  # the nominal pitch of a hit as recorded; 61 is a semitone higher


@dataclass(frozen=True)
class Stroke:
    """What a drum key means: a drum, semitones from its own pitch, and dB relative to the other drums of a kit."""

    drum: str
    semitones: float = 0.0
    level: float = 0.0


# General MIDI level 1's percussion map, and Roland's keys around it. A drum that two keys share is the same one, higher
# or lower.
_MAP = """
27 zap | 28 slap | 29 scratch 2 | 30 scratch -2 | 31 sticks | 32 click | 33 click -3 | 34 bell
35 kick -2 | 36 kick | 37 rim | 38 snare | 39 clap | 40 snare 2 | 41 low tom -1.5 | 42 closed hat | 43 low tom 1.5
44 pedal hat | 45 mid tom -1.5 | 46 open hat | 47 mid tom 1.5 | 48 high tom -1.5 | 49 crash | 50 high tom 1.5
51 ride | 52 china | 53 ride bell | 54 tambourine | 55 splash | 56 cowbell | 57 crash -2 | 58 vibraslap | 59 ride -2
60 high bongo | 61 low bongo | 62 muted conga | 63 high conga | 64 low conga | 65 high timbale | 66 low timbale
67 high agogo | 68 low agogo | 69 cabasa | 70 maracas | 71 short whistle | 72 long whistle | 73 short guiro
74 long guiro | 75 claves | 76 high woodblock | 77 low woodblock | 78 muted cuica | 79 open cuica | 80 muted triangle
81 open triangle | 82 shaker | 83 jingle bell | 84 bell tree | 85 castanets | 86 muted surdo | 87 open surdo
"""
# dB re the kick in FluidR3's standard kit: prepared hits all have one loudness
_DB = """
-13 closed hat | -12 click | -11 pedal hat, open hat | -10 castanets | -9 ride bell | -8 ride
-6 zap, muted conga, high agogo, low agogo | -5 rim, splash, maracas | -4 china, claves, muted triangle, shaker
-3 scratch, cowbell, cabasa | -2 open triangle | 2 bell, high bongo, low timbale, long guiro, bell tree
3 low conga, muted surdo | 4 high timbale, short whistle, long whistle | 5 low tom, low woodblock
7 open surdo, open cuica | 8 muted cuica
"""
_LEVELS = {
    name.strip(): float(level) for level, names in re.findall(r"(-?\d+) ([^|\n\d]+)", _DB) for name in names.split(",")
}


def _key_map() -> dict[int, Stroke]:
    keys = {}
    for entry in re.split(r"[|\n]", _MAP.strip()):
        key, name, semitones = re.fullmatch(r"\s*(\d+) ([a-z ]+?)(?: (-?[\d.]+))?\s*", entry).groups()  # type: ignore[union-attr]
        keys[int(key)] = Stroke(name, float(semitones or 0), _LEVELS.get(name, 0.0))
    return keys


KEYS: dict[int, Stroke] = _key_map()
CHOKED = ({42, 44, 46}, {71, 72}, {73, 74}, {78, 79}, {80, 81}, {86, 87})  # a stroke silences the others of its set

# Drums that names refer to but no key does, and what stands in for a drum that a kit lacks: the nearest of its row.
_KIN = (
    ("low tom", "mid tom", "high tom", "tom"),
    ("closed hat", "pedal hat", "open hat", "hat"),
    ("ride bell", "ride", "crash", "splash", "china", "cymbal"),
    ("rim", "sticks", "click", "claves", "castanets", "high woodblock", "low woodblock", "woodblock"),
    ("snare", "clap", "slap"),
    ("high bongo", "low bongo", "high conga", "low conga", "muted conga", "high timbale", "low timbale", "tabla",
     "bongo", "conga", "timbale"),
    ("shaker", "maracas", "cabasa", "tambourine", "jingle bell"),
    ("cowbell", "high agogo", "low agogo", "agogo"),
    ("open triangle", "muted triangle", "triangle", "bell", "bell tree"),
    ("kick", "open surdo", "muted surdo", "surdo"),
    ("short guiro", "long guiro", "guiro"),
    ("short whistle", "long whistle", "whistle"),
    ("muted cuica", "open cuica", "cuica"),
    ("zap", "scratch", "vibraslap", "percussion"),
)  # fmt: skip
DRUMS: tuple[str, ...] = tuple(
    dict.fromkeys([*(s.drum for s in KEYS.values()), *(name for row in _KIN for name in row)])
)


def stand_in(drum: str, known: Iterable[str]) -> str | None:
    """The drum itself, or its nearest relative of those `known`; None if there is none."""
    known = set(known)
    row = next(row for row in _KIN if drum in row)
    near = [name for name in row if name in known]
    return drum if drum in known else min(near, key=lambda name: abs(row.index(name) - row.index(drum)), default=None)


# ---- names -----------------------------------------------------------------------------------------------------------

_PHRASES = {
    r"hi[ -]?hats?|charleston|beckenpaar": "hat", r"bass ?drum|drum bass|[bk] ?drum|grosse caisse|gran cassa": "kick",
    r"side ?stick|cross ?stick|rim ?shot|stick": "rim", r"caisse claire|kleine trommel": "snare",
    r"drum sticks|sticks": "sticks", r"hand ?clap": "clap", r"wood ?block": "woodblock",
    r"jingle ?bells?": "jingle bell", r"bell ?tree": "bell tree", r"hi": "high", r"lo|floor": "low",
    r"f ?tom": "low tom", r"r ?tom|rack": "tom", r"middle": "mid", r"tomtom": "tom",
    r"half ?open|semi ?open|open half|open quarter": "open",
    r"half closed|fully closed": "closed", r"d?hat": "hat",
}  # fmt: skip
_WORDS = {
    "hh": "hat", "ch": "closed hat", "chh": "closed hat", "hhc": "closed hat", "oh": "open hat", "ohh": "open hat",
    "hho": "open hat", "ph": "pedal hat", "phh": "pedal hat", "foot": "pedal", "cl": "closed", "op": "open",
    "bd": "kick", "kik": "kick", "kck": "kick", "sd": "snare", "sn": "snare", "snr": "snare", "snares": "snare",
    "rs": "rim", "cp": "clap", "clp": "clap", "lt": "low tom", "mt": "mid tom", "ht": "high tom", "rd": "ride",
    "cr": "crash", "cy": "cymbal", "cym": "cymbal", "cymb": "cymbal", "cb": "cowbell", "tamb": "tambourine",
    "perc": "percussion", "tam": "tambourine", "mute": "muted", "shake": "shaker", "maraca": "maracas",
    "crsh": "crash", "rde": "ride", "cassa": "kick", "bombo": "kick", "rullante": "snare", "caja": "snare",
    "piatto": "cymbal", "becken": "cymbal", "platillo": "cymbal", "cup": "ride bell", "pedalled": "pedal",
    "quinto": "conga", "tumba": "low conga", "tumbadora": "low conga",
}  # fmt: skip
_PARTS = (
    "hihat", "hat", "closed", "open", "pedal", "half", "semi", "kick", "bass", "drum", "snare", "tom", "rim", "shot",
    "side", "cross", "stick", "ride", "bell", "crash", "splash", "china", "cymbal", "clap", "floor", "rack", "high",
    "mid", "low", "cow", "wood", "block",
)  # fmt: skip
_GLUED = re.compile(rf"(?:{'|'.join(_PARTS)}){{2,}}s?")
_STATES = {"closed", "open", "pedal"}
_FIRST = ("ride bell", "bell tree", "jingle bell", "cowbell")  # before the drums that their words also name
_LOUDNESS = {"soft": 50, "light": 50, "medium": 90, "hard": 115, "heavy": 115}


def drum_of(name: str) -> str | None:
    """The drum of DRUMS that a name refers to ("OHH 2", "Bass Drum_ff", "drum_cymbal_closed"); None if to none."""
    return next(iter(_drums_in(_words(name))), None)


@lru_cache(maxsize=1 << 16)
def _drums_in(words: frozenset[str]) -> tuple[str, ...]:
    """The drums that words refer to, the most specific first, then in the map's order."""
    if "cymbal" in words and words & _STATES:
        words = (words - {"cymbal"}) | {"hat"}
    fitting = [drum for drum in DRUMS if set(drum.split()) <= words]
    fitting.sort(key=lambda drum: (drum not in _FIRST, -len(drum.split())))
    return tuple("closed hat" if drum == "hat" else drum for drum in fitting)


@lru_cache(maxsize=1 << 16)
def _words(name: str) -> frozenset[str]:
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = re.findall(r"[a-zà-ÿ]+", text.lower())
    words = [part for word in words if not re.fullmatch(r"[a-z]+mics?", word) for part in _unglued(word)]
    text = " " + " ".join(words) + " "
    for pattern, word in _PHRASES.items():
        text = re.sub(rf"(?<= )(?:{pattern})(?= )", word, text)
    found = " ".join(_WORDS.get(word, word) for word in text.split()).split()
    return frozenset(word for w in found for word in (w, w.removesuffix("s")))


def _unglued(word: str) -> list[str]:
    """ "hihatclosed" -> hihat closed."""
    whole = _GLUED.fullmatch(word) and word not in DRUMS
    return re.findall("|".join(_PARTS), word) if whole else [word]


def velocity_of(name: str) -> int | None:
    """1..127, how hard the drum was struck according to its name (`ff`, `v100`, `soft`); None if not given."""
    said = labels.parse_name(name).velocity
    return said or next((level for word, level in _LOUDNESS.items() if word in _words(name)), None)


_FORCE = re.compile(
    r"(?i)(?<![a-z])(soft(er|est)?|light|med(ium)?|hard(er|est)?|heavy|loud(er|est)?|p{1,4}|f{1,4}|m[pf]|"
    r"(v(el|l)?|l|layer|level)[ _-]?\d+)(?![a-z])"
)


def unstruck(path: Path) -> str:
    """A file's path without the words for velocity, which hits of one drum share."""
    kept = _FORCE.sub("", path.stem)
    return str(path.with_name(re.sub(r"[ _-]+", " ", kept).strip() or path.stem)).lower()


def drum_told(path: PurePath) -> tuple[str, str] | None:
    """The drum that a file's name or its folders' tell of, and which of the two does.

    Where a name tells of several, a microphone's beside its own or an abbreviation's that means something else, its
    folders decide."""
    own = _drums_in(_words(path.stem))
    outer = _folders_drum(path.parts[:-1])
    if outer and (not own or len(own) > 1 or own[0] == "percussion"):
        return outer, "folder"
    return (own[0], "name") if own else None


def hat_told(name: str) -> str | None:
    """The hat of a drum that is only said to be closed, open or pedalled."""
    return next((f"{state} hat" for state in ("closed", "open", "pedal") if state in _words(name)), None)


@lru_cache(maxsize=1 << 12)
def _folders_drum(parts: tuple[str, ...]) -> str | None:
    """What folders tell together: "Hi Hat/Edge Open" is an open hat; the nearest that names a drum counts."""
    for last in range(len(parts), 0, -1):
        if drums := _drums_in(_words(parts[last - 1])):
            return next(iter(_drums_in(_words(" ".join(parts[last - 1 :])))), drums[0])
    return None
