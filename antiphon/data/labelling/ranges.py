"""How low and high real instruments go, to tell which octave a maker of samples means by C4.

Not General MIDI's ranges [data/labelling/gm.py], which are what is worth asking of a sampler. MIDI keys, 60 = C4."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Range:
    """lowest, highest: beyond them nothing sounds. lows, highs: where instruments as they are built begin and end."""

    lowest: int
    highest: int
    lows: tuple[int, ...] = ()
    highs: tuple[int, ...] = ()
    keys: str = ""  # of keyboards, what counted samples begin with: piano or organ
    fretted: bool = False


ANY = Range(21, 108)
# name[, name ...]: lowest-highest, lows / highs where these are the instrument's own
_TABLE = """
piano, grand, upright, steinway, bechstein, pianoforte, fortepiano, klavier, flugel, bosendorfer, baby grand, pianino: 21-108 21 / 108 piano
electric piano, rhodes, e piano, epiano, ep, suitcase, stage piano, cp70, cp80, electric grand, tine piano: 21-108 21 28 / 100 108
wurlitzer, wurli: 28-98 33 / 96
pianet, clavinet, clavi, cembalet: 28-91 29 / 88 89
harpsichord, cembalo, clavichord, spinet, virginal: 27-91 29 36 / 84 89
celesta, celeste: 48-108 48 60 / 108
organ, hammond, manual, principal, harmonium, farfisa, vox continental, combo organ, reed organ, pipe organ: 24-108 36 / 96 84 organ
accordion, bandoneon, concertina, melodica: 29-101
glockenspiel, glock: 55-108 55 67 77 79 / 84 96 108
xylophone, xylo: 60-108 60 65 / 108
marimba: 33-96 36 45 48 / 96
vibraphone, vibes: 48-96 53 / 89
crotales: 72-108 84 / 96 108
tubular bells, tubular, chimes: 53-84 60 / 77 79
toy piano, music box, kalimba, mbira, thumb piano, handpan, steel drum, steelpan, steel pan: 41-108
timpani, timp, kettledrum: 36-60
violin, violins, vln, vlns, fiddle: 55-105 55
viola, violas, vla: 48-96 48
cello, celli, cellos, violoncello, vcl, vlc: 36-88 36
double bass, contrabass, contrabasses, basses, upright bass, kontrabass, string bass, acoustic bass: 23-72 24 28
bass guitar, electric bass, bass, ebass, slap bass, slap, slapped, fingered, fretless: 23-69 28 fretted
guitar, strat, telecaster, les paul, nylon, steel string, dobro: 35-91 40 fretted
banjo: 43-98 50
mandolin: 55-105 55 fretted
ukulele, uke: 53-93 60 fretted
harp: 23-104 24 / 103
folk harp, lever harp, celtic harp: 36-96 36
lute, oud, bouzouki, sitar, koto, zither, dulcimer, psaltery, shamisen, balalaika, erhu, guzheng: 33-98
piccolo, picc: 72-110 74
flute, flutes: 57-101 59 60
alto flute: 53-93 55
bass flute: 46-84 48
recorder, whistle, ocarina, tin whistle: 48-110
pan flute, panpipes, shakuhachi, bottle, bottles: 43-100
oboe, oboes: 56-94 58
english horn, cor anglais: 50-84 52
clarinet, clarinets: 48-98 50
bass clarinet: 32-80 34
bassoon, bassoons, fagott: 33-80 34
contrabassoon, contra bassoon: 20-60 22
saxophone, sax: 34-92
soprano sax, soprano saxophone: 54-92 56
alto sax, alto saxophone: 47-90 49
tenor sax, tenor saxophone: 42-84 44
baritone sax, baritone saxophone, bari sax: 35-77 36
trumpet, trumpets, cornet, flugelhorn, trp, tpt: 46-90 52
horn, horns, french horn: 29-82 34
trombone, trombones, tbn: 28-78 40
bass trombone: 22-72
tuba, tubas: 20-69
choir, voice, voices, soprano, alto, tenor, vocal: 33-91
"""  # noqa: E501


def _read() -> dict[str, Range]:
    table: dict[str, Range] = {}
    for entry in _TABLE.strip().splitlines():
        names, said = entry.split(": ")
        limits, *more = said.split(" ", 1)
        lowest, highest = (int(key) for key in limits.split("-"))
        numbers = re.sub(r"[a-z]+", "", more[0] if more else "")
        lows, _, highs = numbers.partition("/")
        found = Range(
            lowest, highest, tuple(map(int, lows.split())), tuple(map(int, highs.split())),
            next((word for word in ("piano", "organ") if said.endswith(word)), ""), said.endswith("fretted"),
        )  # fmt: skip
        table |= dict.fromkeys(names.split(", "), found)
    return table


RANGES = _read()
_LONGEST = max(len(name.split()) for name in RANGES)


@lru_cache(maxsize=4096)
def range_of(text: str) -> tuple[str, Range] | None:
    """The instrument that a name or a folder's tells of, and its range; None if it tells none. The longest name
    counts, and of several the last: "Viola section", "Cello bass drum"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text).lower()
    split = re.findall(r"[a-z]+\d*", words)
    for size in range(_LONGEST, 0, -1):
        for first in range(len(split) - size, -1, -1):
            phrase = " ".join(split[first : first + size])
            found = _named(phrase) or _named(re.sub(r"\d", "", phrase))
            if found and not (found[0].endswith("bass") and split[first + size : first + size + 1] == ["drum"]):
                return found
    return None


@lru_cache(maxsize=1 << 14)
def _named(phrase: str) -> tuple[str, Range] | None:
    if phrase in RANGES:
        return phrase, RANGES[phrase]
    if " " in phrase:
        return None
    if phrase == "sharp":
        return None
    name = max((n for n in RANGES if len(n) >= 4 and phrase.endswith(n)), key=len, default=None)  # EWHarp, spitflute
    return (name, RANGES[name]) if name else None


_SHORT = {
    "vln": "violin", "vlns": "violins", "vla": "viola", "vcl": "cello", "vlc": "cello", "glock": "glockenspiel",
    "xylo": "xylophone", "vibes": "vibraphone", "timp": "timpani", "grand": "grand piano", "upright": "upright piano",
    "wurli": "wurlitzer", "ep": "electric piano", "bass": "bass guitar", "slap": "bass guitar", "trp": "trumpet",
    "slapped": "bass guitar", "fingered": "bass guitar", "tpt": "trumpet", "tbn": "trombone", "picc": "piccolo",
    "uke": "ukulele", "strat": "electric guitar", "telecaster": "electric guitar",
}  # fmt: skip


def full_name(name: str) -> str:
    """What an instrument that `range_of` found by an abbreviation is called."""
    return _SHORT.get(name, name)


# ---- which octave is meant -------------------------------------------------------------------------------------------

_EXACT = 6.0  # how well it is that a set begins or ends where instruments do
ODD = {0: 0.0, 12: 6.0, -12: 7.0, 24: 14.0, -24: 18.0}  # how unusual a maker's octave is


def misfit(pitches: Iterable[float], kind: Range, shift: float = 0.0) -> float:
    """How little a set of pitches, moved by `shift` semitones, looks like one of an instrument: 0 or less is well."""
    keys = sorted({pitch + shift for pitch in pitches})
    if not keys:
        return 0.0
    low, high = keys[0], keys[-1]
    outside = [max(kind.lowest - key, key - kind.highest, 0) for key in keys]
    cost = 40 * sum(away > 0 for away in outside) / len(keys) + 0.7 * max(outside)
    wide = high - low >= 0.5 * (kind.highest - kind.lowest) and len(keys) >= 6
    for edge, own in ((low, kind.lows), (high, kind.highs)):
        if own:
            away = min(abs(edge - key) for key in own)
            cost -= _EXACT if away == 0 and len(keys) >= 4 else 0
            cost += 0.4 * min(away, 24) if wide and (kind.highs or edge is high) else 0
    return cost


def best_shift(pitches: Iterable[float], kind: Range, odd: dict[int, float] = ODD) -> tuple[int, float]:
    """The octaves, in semitones, by which names are to be moved, and how much better that is than the next best."""
    keys = list(pitches)
    costs = sorted((misfit(keys, kind, shift) + price, shift) for shift, price in odd.items())
    return costs[0][1], costs[1][0] - costs[0][0]
