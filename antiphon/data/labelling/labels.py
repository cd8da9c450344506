"""What the names of a file and its folders tell about a recording: pitch, velocity, instrument, character."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from antiphon.core.errors import AntiphonError
from antiphon.core.units import hz_to_midi
from antiphon.data.labelling import gm

LONGEST_LABEL = 200  # characters of any label of a note, a prepared file or a voice
LONGEST_NAME = 255  # characters of a file name, all that are parsed
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
# Sharps and flats in the usual spellings: A#4, As4 (Philharmonia), Ais4; Bb4, Bes4, B♭4; Asharp4, Bflat4. "Es" and
# "As" collide: alone with an octave, "As" is read as A sharp (sample libraries) and "Es" as E flat (no E sharp exists).
_NOTE = r"(?P<step>[A-Ha-h])(?P<alter>##|bb|#|♯|b|♭|-?sharp|-?flat|is|es|s)?(?P<octave>-[12]|[0-9]|10)"
_NOTE_TOKEN = re.compile(rf"(?<![A-Za-z0-9#♯♭])[_-]?{_NOTE}(?![A-Za-z0-9#♯♭])")
_NOTE_CAMEL = re.compile(rf"(?<=[a-z])(?=[A-H]){_NOTE}(?![A-Za-z0-9#♯♭])")  # PianoC4
_SEVERAL = re.compile(r"(?<![A-Za-z0-9])[A-H][#b]?[0-9](?:-|_?to_?)?[A-H][#b]?[0-9](?![A-Za-z0-9])")  # Iowa's C5B5
_NSYNTH = re.compile(
    r"(?P<preset>(?P<family>.+)_(?P<source>acoustic|electronic|synthetic)_\d{3})-(?P<pitch>\d{3})-(?P<velocity>\d{3})"
)
_MIDI = re.compile(r"(?<![a-z0-9])(?:midi|note|pitch|key|nn|n|p|m)[ _-]?(\d{1,3})(?![0-9a-z])", re.IGNORECASE)
_HERTZ = re.compile(r"(?<![a-z0-9.])(\d{2,4}(?:\.\d+)?)[ _-]?hz(?![a-z])", re.IGNORECASE)
_VELOCITY = re.compile(r"(?<![a-z0-9])v(?:el(?:ocity)?)?[ _-]?(\d{1,3})(?![0-9a-z])", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![A-Za-z0-9.])(\d{2,3})(?![A-Za-z0-9.])")
_COUNTERS = re.compile(r"(?:take|tk|rr|round|var|version|no|nr|track|sample|layer|bpm|mic|seq)[ _-]?$", re.IGNORECASE)

DYNAMICS: dict[str, int] = {
    "pppp": 14, "ppp": 20, "pp": 32, "p": 46, "mp": 60, "mf": 76, "f": 94, "ff": 110, "fff": 122, "ffff": 127,
    "pianissimo": 32, "mezzopiano": 60, "mezzo-piano": 60, "mezzoforte": 76, "mezzo-forte": 76, "forte": 94,
    "fortissimo": 110,
}  # fmt: skip
_ARTICULATIONS = {
    "arco": "bowed", "pizz": "plucked", "pizzicato": "plucked", "plucked": "plucked", "struck": "struck",
    "bowed": "bowed", "blown": "blown", "trem": "tremolo", "tremolo": "tremolo", "mute": "muted", "muted": "muted",
    "sord": "muted", "sordino": "muted", "bright": "bright", "dark": "mellow", "mellow": "mellow", "soft": "mellow",
    "driven": "driven", "overdrive": "driven", "distorted": "driven", "solo": "solo", "ensemble": "ensemble",
    "section": "ensemble", "acoustic": "acoustic", "electric": "electric", "electronic": "electric",
    "synth": "synth", "synthetic": "synth", "detuned": "detuned", "slow": "slow",
}  # fmt: skip
_NO_INSTRUMENT = re.compile(
    r"normal|vib(rato)?|non-?vib|no-?vib|novib|nv|sul|stereo|mono|long|short|very-long|phrase|sample|note|take\d*|rr\d+|"
    r"close|room|left|right|l|r|stac(cato)?|legato|leg|sus(tain)?|v|vel|midi|key|pitch|wav|train|valid|test|audio|"
    r"samples|notes|sounds|data|dataset|\W*|con|senza|sul[a-g]|x+|looped|flac|sfz|wavs|"
    r"cnd|dyn|amb|ambient|overhead|oh|di|mics?|sv|st|rr|rt|release|noises?"
)


@dataclass(frozen=True)
class Label:
    """What a name tells; None or empty where it does not. `pitch` is a MIDI number (60 = C4), `velocity` 1..127."""

    pitch: float | None = None
    velocity: int | None = None
    instrument: str | None = None
    preset: str | None = None
    style: tuple[str, ...] = ()
    sure: bool = True  # False: the pitch is a bare number, which may count something else
    several: bool = False  # the name describes a run of notes ("C4B4"), not one


def parse_pitch(text: str) -> float:
    """The MIDI number of "C4", "Bb-1", "F#3", "as4", "61" or "60.5" (60 = C4).

    Raises AntiphonError if it is not a pitch or outside 0..127.
    """
    word = text.strip()[:LONGEST_NAME]
    match = re.fullmatch(_NOTE, word)
    try:
        pitch = _midi(match) if match else float(word)
    except ValueError:
        raise AntiphonError(f"{word!r} is not a pitch: use C4 or Bb3, or a MIDI number such as 60.5") from None
    if not (math.isfinite(pitch) and 0 <= pitch <= 127):
        raise AntiphonError(f"pitch {word!r} is out of range: use 0 to 127, C-1 to G9")
    return pitch


def parse_name(stem: str) -> Label:
    """What a file name without its suffix tells, in the spellings of common sample libraries.

    NSynth (`bass_synthetic_033-050-075`), Philharmonia (`cello_As4_1_forte_arco-normal`), Iowa
    (`Violin.arco.ff.sulG.C5`, `Piano.mf.Db3`), `Kick 440Hz`, `midi60`, `060-v100`, ...
    """
    stem = stem[:LONGEST_NAME]
    nsynth = _NSYNTH.fullmatch(stem)
    if nsynth and int(nsynth["pitch"]) <= 127:
        velocity = max(1, min(127, int(nsynth["velocity"])))
        style = (_ARTICULATIONS[nsynth["source"]],)
        return Label(float(nsynth["pitch"]), velocity, nsynth["family"], nsynth["preset"], style)
    pitch, sure, start = _pitch(stem)
    several = _SEVERAL.search(stem) is not None
    words = _words(stem)
    return Label(
        None if several else pitch, _velocity(stem, words), _instrument(stem[: start or None]), None,
        styles_in(words), sure, several,
    )  # fmt: skip


def parse_instrument(text: str) -> str | None:
    """The instrument that words tell of; single letters are none."""
    found = _instrument(text)
    return found if found and re.search(r"[^\W\d]{2}", found) else None


def parse_folder(name: str) -> tuple[str | None, tuple[str, ...]]:
    """(instrument, styles) from a folder's name; no instrument for names such as "samples", "ff" or "3"."""
    words = _words(name)
    meaningful = [w for w in words if not (w in DYNAMICS or w.isdigit() or _NO_INSTRUMENT.fullmatch(w))]
    plain = [w for w in meaningful if w not in _ARTICULATIONS]
    full = " ".join(meaningful)  # "muted trumpet" is a separate instrument, "pizz violin" is not
    return (full if full in gm.PROGRAMS or full in gm.ALIASES else " ".join(plain) or None), styles_in(words)


def styles_in(words: list[str]) -> tuple[str, ...]:
    """The words of gm.STYLES that a list of lower-case words implies."""
    found = {_ARTICULATIONS[word] for word in words if word in _ARTICULATIONS}
    return tuple(style for style in gm.STYLES if style in found)


def _words(text: str) -> list[str]:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return [word for word in re.split(r"[\s_.,()\[\]+-]+", split.lower()) if word]


def _midi(match: re.Match[str]) -> float:
    step, alter, octave = match["step"].lower(), (match["alter"] or "").lower().lstrip("-"), int(match["octave"])
    if alter == "s" and step in "e":
        alter = "es"
    if alter in ("#", "♯", "sharp", "is", "s"):
        shift = 1
    elif alter in ("##", "bb"):
        shift = 2 if alter == "##" else -2
    else:
        shift = -1 if alter else 0
    return 12.0 * (octave + 1) + _STEPS[step] + shift


def _pitch(stem: str) -> tuple[float | None, bool, int]:
    """(MIDI pitch, whether it is certain, its position): the last note name (upper case first), a marked number, Hz, or
    a bare number."""
    notes = [m for m in _NOTE_TOKEN.finditer(stem)] or [m for m in _NOTE_CAMEL.finditer(stem)]
    notes = [m for m in notes if m["step"].isupper()] or notes
    if notes and 0 <= _midi(notes[-1]) <= 127:
        return _midi(notes[-1]), True, notes[-1].start()
    marked = _MIDI.search(stem)
    if marked and int(marked[1]) <= 127:
        return float(marked[1]), True, marked.start()
    hertz = _HERTZ.search(stem)
    if hertz and 16 <= float(hertz[1]) <= 5000:
        return hz_to_midi(float(hertz[1])), True, hertz.start()
    for number in _NUMBER.finditer(stem):
        before = stem[: number.start()]
        if 12 <= int(number[1]) <= 120 and not (_COUNTERS.search(before) or re.search(r"v(el)?[ _-]?$", before, re.I)):
            return float(number[1]), False, number.start()
    return None, False, 0


def _velocity(stem: str, words: list[str]) -> int | None:
    given = _VELOCITY.search(stem)
    if given and 1 <= int(given[1]) <= 127:
        return int(given[1])
    for number, word in enumerate(words):
        if word in DYNAMICS:
            return DYNAMICS[word]
        if word == "piano" and number >= 2:  # cello_A4_1_piano: a dynamic, unless it comes first, as the instrument
            return DYNAMICS["p"]
    return None


def _instrument(before: str) -> str | None:
    """A General MIDI name if one is found, else the words before the pitch that describe nothing else."""
    named = [w for w in _words(before) if not (w in DYNAMICS or re.search(r"\d", w) or _NO_INSTRUMENT.fullmatch(w))]
    for size in range(min(4, len(named)), 0, -1):
        for first in range(len(named) - size + 1):
            phrase = " ".join(named[first : first + size])
            if phrase in gm.PROGRAMS or phrase in gm.ALIASES:
                return phrase
    plain = [w for w in named if w not in _ARTICULATIONS]
    return " ".join(plain) or None
