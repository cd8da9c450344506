"""General MIDI: program names, families, the range each instrument is played in, and words for its character."""

from __future__ import annotations

import difflib
import re

from antiphon.core.errors import AntiphonError

# One line per family: its name, then its eight programs.
_TABLE = """
piano: acoustic grand piano, bright acoustic piano, electric grand piano, honky-tonk piano, electric piano 1, electric piano 2, harpsichord, clavinet
chromatic percussion: celesta, glockenspiel, music box, vibraphone, marimba, xylophone, tubular bells, dulcimer
organ: drawbar organ, percussive organ, rock organ, church organ, reed organ, accordion, harmonica, tango accordion
guitar: nylon guitar, steel guitar, jazz guitar, clean guitar, muted guitar, overdriven guitar, distortion guitar, guitar harmonics
bass: acoustic bass, fingered bass, picked bass, fretless bass, slap bass 1, slap bass 2, synth bass 1, synth bass 2
strings: violin, viola, cello, contrabass, tremolo strings, pizzicato strings, harp, timpani
ensemble: string ensemble 1, string ensemble 2, synth strings 1, synth strings 2, choir aahs, voice oohs, synth voice, orchestra hit
brass: trumpet, trombone, tuba, muted trumpet, french horn, brass section, synth brass 1, synth brass 2
reed: soprano sax, alto sax, tenor sax, baritone sax, oboe, english horn, bassoon, clarinet
pipe: piccolo, flute, recorder, pan flute, blown bottle, shakuhachi, whistle, ocarina
synth lead: square lead, sawtooth lead, calliope lead, chiff lead, charang lead, voice lead, fifths lead, bass and lead
synth pad: new age pad, warm pad, polysynth pad, choir pad, bowed pad, metallic pad, halo pad, sweep pad
synth effects: rain, soundtrack, crystal, atmosphere, brightness, goblins, echoes, sci-fi
ethnic: sitar, banjo, shamisen, koto, kalimba, bagpipe, fiddle, shanai
percussive: tinkle bell, agogo, steel drums, woodblock, taiko drum, melodic tom, synth drum, reverse cymbal
sound effects: guitar fret noise, breath noise, seashore, bird tweet, telephone ring, helicopter, applause, gunshot
"""  # noqa: E501

_LINES = [line.split(": ") for line in _TABLE.strip().splitlines()]
FAMILIES: tuple[str, ...] = tuple(family for family, _ in _LINES)
PROGRAMS: tuple[str, ...] = tuple(name for _, names in _LINES for name in names.split(", "))

# Chords, several pitches on one key, echoes and noises: useless as notes of one pitch.
NOT_NOTES: frozenset[int] = frozenset({55, 86, 96, 97, 101, 102, 119, *range(120, 128)})

ALIASES: dict[str, str] = {
    "grand piano": "acoustic grand piano",
    "acoustic piano": "acoustic grand piano",
    "bright piano": "bright acoustic piano",
    "honky tonk": "honky-tonk piano",
    "rhodes": "electric piano 1",
    "electric piano": "electric piano 1",
    "fm piano": "electric piano 2",
    "clavi": "clavinet",
    "vibes": "vibraphone",
    "bells": "tubular bells",
    "hammond organ": "drawbar organ",
    "pipe organ": "church organ",
    "bandoneon": "tango accordion",
    "acoustic guitar": "nylon guitar",
    "acoustic guitar (nylon)": "nylon guitar",
    "acoustic guitar (steel)": "steel guitar",
    "electric guitar (jazz)": "jazz guitar",
    "electric guitar": "clean guitar",
    "electric guitar (clean)": "clean guitar",
    "electric guitar (muted)": "muted guitar",
    "palm muted guitar": "muted guitar",
    "overdrive guitar": "overdriven guitar",
    "upright bass": "acoustic bass",
    "double bass": "contrabass",
    "bass guitar": "fingered bass",
    "electric bass": "fingered bass",
    "electric bass (finger)": "fingered bass",
    "electric bass (pick)": "picked bass",
    "slap bass": "slap bass 1",
    "pop bass": "slap bass 2",
    "synth bass": "synth bass 1",
    "violoncello": "cello",
    "pizzicato": "pizzicato strings",
    "orchestral harp": "harp",
    "string ensemble": "string ensemble 1",
    "slow strings": "string ensemble 2",
    "synth strings": "synth strings 1",
    "synthstrings 1": "synth strings 1",
    "synthstrings 2": "synth strings 2",
    "choir": "choir aahs",
    "synth choir": "synth voice",
    "horn": "french horn",
    "synth brass": "synth brass 1",
    "synthbrass 1": "synth brass 1",
    "synthbrass 2": "synth brass 2",
    "sax": "alto sax",
    "saxophone": "alto sax",
    "soprano saxophone": "soprano sax",
    "alto saxophone": "alto sax",
    "tenor saxophone": "tenor sax",
    "baritone saxophone": "baritone sax",
    "cor anglais": "english horn",
    "bottle": "blown bottle",
    "square wave": "square lead",
    "saw lead": "sawtooth lead",
    "shenai": "shanai",
    "shehnai": "shanai",
    "steel drum": "steel drums",
    "steelpan": "steel drums",
    "wood block": "woodblock",
    "taiko": "taiko drum",
    "upright piano": "acoustic grand piano",
    "wurlitzer": "electric piano 1",
    "glock": "glockenspiel",
    "bongo bells": "agogo",
    "classical guitar": "nylon guitar",
    "spanish guitar": "nylon guitar",
    "twelve string guitar": "steel guitar",
    "12-string guitar": "steel guitar",
    "harmonium": "reed organ",
    "hammond": "drawbar organ",
    "panpipes": "pan flute",
    "pan pipes": "pan flute",
    "kettledrums": "timpani",
    "timpano": "timpani",
    "string orchestra": "string ensemble 1",
    "saw": "sawtooth lead",
    "mbira": "kalimba",
    "thumb piano": "kalimba",
    "bagpipes": "bagpipe",
    "whistling": "whistle",
}
# What stands in for an instrument that General MIDI lacks: its nearest relative there.
RELATIVES: dict[str, str] = {
    "ukulele": "nylon guitar", "mandolin": "steel guitar", "lute": "nylon guitar", "oud": "nylon guitar",
    "bouzouki": "steel guitar", "zither": "dulcimer", "cimbalom": "dulcimer", "santur": "dulcimer",
    "spinet": "harpsichord", "melodica": "harmonica", "concertina": "accordion", "cornet": "trumpet",
    "flugelhorn": "french horn", "euphonium": "tuba", "tenor horn": "french horn", "bass clarinet": "clarinet",
    "contrabassoon": "bassoon", "bass trombone": "trombone", "alto flute": "flute", "bass flute": "flute",
    "tin whistle": "recorder", "duduk": "english horn", "erhu": "fiddle", "viol": "cello", "viola da gamba": "cello",
    "guzheng": "koto", "pipa": "shamisen", "crotales": "glockenspiel", "handbells": "tubular bells",
    "hang": "steel drums", "handpan": "steel drums", "theremin": "voice oohs", "singer": "voice oohs",
    "vocals": "voice oohs",
}  # fmt: skip


def family_of(program: int) -> str:
    """The family name of a General MIDI program 0..127."""
    return FAMILIES[_checked(program) // 8]


def programs_of(family: str) -> tuple[str, ...]:
    """The eight program names of a family."""
    start = 8 * FAMILIES.index(family)
    return PROGRAMS[start : start + 8]


def program_of(name: str | int) -> int:
    """The program 0..127 of a General MIDI name, alias or number ("violin", "Alto Saxophone", "40").

    Raises AntiphonError, with suggestions, if there is none of that name.
    """
    if isinstance(name, int) or re.fullmatch(r"\s*[0-9]{1,9}\s*", name):
        return _checked(int(name))
    wanted = re.sub(r"[\s_]+", " ", name).strip().lower()
    wanted = ALIASES.get(wanted, wanted)
    if wanted in PROGRAMS:
        return PROGRAMS.index(wanted)
    near = difflib.get_close_matches(wanted, [*PROGRAMS, *ALIASES], n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "use for example 'violin' or 40"
    raise AntiphonError(f"there is no General MIDI instrument {name!r}: {hint}")


def _checked(program: int) -> int:
    if not 0 <= program < 128:
        raise AntiphonError(f"{program} is not a General MIDI program: use 0 to 127 (0 is the grand piano)")
    return program


# The lowest and highest useful MIDI key: the instrument's own range, widened towards four octaves where a
# sampler can follow without stretching its samples past recognition.
_FAMILY_RANGE = [
    (24, 108), (48, 103), (28, 96), (38, 91), (24, 72), (36, 96), (31, 96), (34, 94),
    (40, 91), (55, 100), (28, 103), (28, 100), (36, 100), (41, 91), (36, 84), (36, 84),
]  # fmt: skip
_PROGRAM_RANGE = {
    4: (28, 103), 5: (28, 103), 6: (29, 89), 7: (29, 96),
    8: (53, 108), 9: (60, 108), 10: (53, 108), 11: (48, 96), 12: (36, 96), 13: (55, 108), 14: (48, 89), 15: (41, 91),
    19: (24, 96), 20: (36, 96), 21: (41, 96), 22: (48, 96), 23: (41, 96),
    24: (40, 88), 25: (40, 88), 28: (38, 84), 31: (45, 96),
    40: (55, 103), 41: (48, 96), 42: (36, 84), 43: (24, 67), 44: (28, 96), 45: (28, 96), 46: (24, 103), 47: (36, 67),
    52: (41, 88), 53: (41, 88), 54: (41, 88),
    56: (52, 91), 57: (36, 82), 58: (24, 67), 59: (52, 88), 60: (36, 82),
    64: (54, 91), 65: (46, 87), 66: (42, 82), 67: (36, 77), 68: (56, 94), 69: (50, 84), 70: (34, 79), 71: (50, 96),
    72: (65, 108), 74: (60, 98), 76: (48, 96), 78: (60, 103), 87: (28, 96),
    104: (36, 84), 107: (38, 91), 108: (48, 96), 109: (48, 84), 110: (55, 103), 111: (55, 93),
    112: (60, 108), 113: (50, 91), 114: (46, 94), 116: (36, 72), 117: (36, 77), 118: (36, 77),
}  # fmt: skip


_SECTION_RANGE = {"violins": (55, 100), "violas": (48, 91), "celli": (36, 81), "basses": (24, 64)}


def key_range(program: int, name: str = "") -> tuple[int, int]:
    """The lowest and highest useful MIDI key (inclusive, within 24..108) of a General MIDI program.

    A preset's `name` narrows it where it is one section of the strings ("Celli Fast").
    """
    section = next((keys for word, keys in _SECTION_RANGE.items() if word in name.lower()), None)
    return section or _PROGRAM_RANGE.get(_checked(program), _FAMILY_RANGE[program // 8])


STYLES: tuple[str, ...] = (
    "acoustic", "electric", "synth",
    "plucked", "struck", "bowed", "blown", "reed", "sung",
    "sustained", "decaying", "slow",
    "solo", "ensemble", "detuned", "tremolo",
    "muted", "driven", "bright", "mellow",
)  # fmt: skip

_FAMILY_STYLE = [
    "acoustic struck decaying solo", "acoustic struck decaying solo", "electric sustained solo",
    "electric plucked decaying solo", "electric plucked decaying solo", "acoustic bowed sustained solo",
    "acoustic bowed sustained ensemble", "acoustic blown sustained solo", "acoustic blown reed sustained solo",
    "acoustic blown sustained solo", "synth sustained solo", "synth sustained slow ensemble",
    "synth decaying ensemble", "acoustic plucked decaying solo", "acoustic struck decaying solo", "synth",
]  # fmt: skip
_PROGRAM_STYLE = {
    1: "acoustic struck decaying solo bright", 2: "electric struck decaying solo",
    3: "acoustic struck decaying solo detuned", 4: "electric struck decaying solo", 5: "electric struck decaying solo",
    6: "acoustic plucked decaying solo bright", 7: "electric plucked decaying solo",
    19: "acoustic blown sustained ensemble", 20: "acoustic reed sustained solo", 21: "acoustic reed sustained detuned",
    22: "acoustic blown reed sustained solo", 23: "acoustic reed sustained detuned",
    24: "acoustic plucked decaying solo mellow", 25: "acoustic plucked decaying solo bright",
    26: "electric plucked decaying solo mellow", 28: "electric plucked decaying solo muted",
    29: "electric plucked sustained solo driven", 30: "electric plucked sustained solo driven bright",
    32: "acoustic plucked decaying solo", 35: "electric plucked decaying solo mellow",
    36: "electric plucked decaying solo bright", 37: "electric plucked decaying solo bright",
    38: "synth decaying solo", 39: "synth decaying solo",
    44: "acoustic bowed sustained ensemble tremolo", 45: "acoustic plucked decaying ensemble",
    46: "acoustic plucked decaying solo", 47: "acoustic struck decaying solo",
    49: "acoustic bowed sustained ensemble slow", 50: "synth sustained ensemble", 51: "synth sustained ensemble slow",
    52: "acoustic sung sustained ensemble", 53: "acoustic sung sustained ensemble mellow",
    54: "synth sung sustained ensemble",
    59: "acoustic blown sustained solo muted", 61: "acoustic blown sustained ensemble",
    62: "synth sustained ensemble", 63: "synth sustained ensemble mellow",
    84: "synth sustained solo driven", 85: "synth sung sustained solo", 87: "synth sustained ensemble",
    89: "synth sustained slow ensemble mellow", 90: "synth sustained ensemble",
    91: "synth sung sustained slow ensemble", 92: "synth bowed sustained slow ensemble",
    109: "acoustic reed sustained solo", 110: "acoustic bowed sustained solo",
    111: "acoustic blown reed sustained solo",
}  # fmt: skip
_NAME_STYLE = {
    r"bright": "bright", r"mellow|warm|soft": "mellow", r"slow|pad\b": "slow", r"detuned|honky": "detuned",
    r"trem": "tremolo", r"mute": "muted", r"overdr|distort|feedback": "driven", r"ensemble|section": "ensemble",
}  # fmt: skip


def styles_of(program: int, name: str = "") -> tuple[str, ...]:
    """Words of STYLES for a General MIDI program and those that the preset's name, if given, adds to them."""
    words = set((_PROGRAM_STYLE.get(_checked(program)) or _FAMILY_STYLE[program // 8]).split())
    words |= {word for pattern, word in _NAME_STYLE.items() if re.search(pattern, name.lower())}
    if "ensemble" in words:
        words.discard("solo")
    return tuple(word for word in STYLES if word in words)
