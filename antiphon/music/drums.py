"""The drums of a song: which channels are drum kits, what their keys mean, and who strikes the drums of a kit."""

import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from antiphon.core.note import Note
from antiphon.data.labelling.drums import AS_RECORDED, CHOKED, KEYS, Stroke, stand_in
from antiphon.music import stage
from antiphon.music.casting import DRUMS, Character, Player
from antiphon.music.song import Notes, Part, SongNote

KIT_STYLES = {24: "electric", 25: "electric", 26: "electric", 40: "brushed"}  # drum kits' programs; others: acoustic
CHOSEN = "acoustic"

# ---- which channels are kits, and what their keys mean ---------------------------------------------------------------

DRUM_CHANNEL = 9  # "channel 10", counted from 0: a kit unless the song says otherwise
KIT_BANKS = {"xg": (126, 127), "gm2": (120,), "": (120, 127)}  # by standard; "": none named
MELODIC_BANKS = {"xg": range(126), "gm2": (121,), "": (121,)}  # make even channel 10 melodic
TIMPANI, TIMPANI_KEYS = 47, range(41, 54)  # the program that plays these keys of the orchestra kit


class KeyMap(NamedTuple):
    """The drums that a kit's keys strike, and sets of keys that silence each other."""

    keys: dict[int, Stroke]
    choked: tuple[set[int], ...] = CHOKED


def _moved(keys: dict[int, int]) -> dict[int, Stroke]:
    """Keys that strike the drums of other keys of General MIDI."""
    return {key: KEYS[other] for key, other in keys.items()}


_LOW_XG = {13: 86, 14: 87, 15: 27, 16: 28, 17: 29, 18: 30, 19: 39, 20: 32, 21: 33, 22: 34, 23: 33, 24: 32, 25: 38,
           27: 38, 29: 38, 30: 85, 31: 40, 32: 31, 33: 35, 34: 40}  # fmt: skip
_ORCHESTRA = {27: 42, 28: 44, 29: 46, 30: 51, 39: 85, 40: 38, 59: 49}
STANDARD, XG, ORCHESTRA, EFFECTS, NOISES, OTHER = "standard", "xg", "orchestra", "effects", "noises", "other"
KEY_MAPS = {
    STANDARD: KeyMap(KEYS),
    XG: KeyMap({key: stroke for key, stroke in KEYS.items() if key > 34} | _moved(_LOW_XG), (*CHOKED, {13, 14})),
    ORCHESTRA: KeyMap(
        {key: stroke for key, stroke in KEYS.items() if key not in TIMPANI_KEYS} | _moved(_ORCHESTRA),
        (*CHOKED[1:], {27, 28, 29}),
    ),
    EFFECTS: KeyMap(_moved(dict(zip(range(39, 47), range(27, 35), strict=True))), ()),
    NOISES: KeyMap({}, ()),
    OTHER: KeyMap(KEYS),
}
_PROGRAMS = {48: ORCHESTRA, 56: EFFECTS} | dict.fromkeys((49, 50, 52, 53, 57, 58, 59, 60, 61), OTHER)  # of GS and GM2


def kit_of(standard: str, bank: int, program: int, drum_part: bool) -> str:
    """The key map of a channel after a program change, "" if it is melodic. standard: the last reset's, "" if there was
    none; bank: its higher byte; drum_part: whether the channel is a kit unless the bank says otherwise."""
    if bank in MELODIC_BANKS.get(standard, ()) or not (drum_part or bank in KIT_BANKS.get(standard, ())):
        return ""
    if standard == "xg" or (standard == "" and bank == 127):
        return NOISES if bank == 126 else XG
    return _PROGRAMS.get(program, STANDARD)


def as_struck(kit: str, program: int, key: int) -> tuple[str, int]:
    """The kit and program that play a key: timpani are melodic."""
    return ("", TIMPANI) if kit == ORCHESTRA and key in TIMPANI_KEYS else (kit, program)


def is_known(kit: str, key: int) -> bool:
    """Whether a key can be played as its kit means it, or the kit is the standard one, which lacks only rare keys."""
    return kit == STANDARD or (kit != OTHER and key in KEY_MAPS[kit].keys)


# ---- who strikes them ------------------------------------------------------------------------------------------------


class Drummer(Player):
    """A drum part. `kit`: the voice that renders it, in place of the song's; a drum keeps its character throughout the
    song, and each stroke on a key is the next of its variants."""

    word = DRUMS

    def __init__(self, part: Part, kit: object, casting: Callable[[str], Character], seed: int, known: Sequence[str]):
        """casting: a drum's name to its character. known: the kit's drums; the nearest relative stands in for one it
        lacks, and a warning says how many notes have none."""
        keys, choked = KEY_MAPS[part.kit or STANDARD]
        strokes = [_stroke(note, keys, known) for note in part.notes]
        played = Notes(astuple(note) for note, stroke in zip(part.notes, strokes, strict=True) if stroke)
        missing = sum(not stroke and is_known(part.kit or STANDARD, round(note.pitch))
                      for note, stroke in zip(part.notes, strokes, strict=True))  # fmt: skip
        if missing:  # of keys whose meaning is not known the song's own remark tells
            many = f"{missing} of {len(part.notes)} strokes on channel {part.channel + 1}"
            warnings.warn(f"{many} left out: this kit lacks their drums", stacklevel=4)
        self._strokes = [stroke for stroke in strokes if stroke]
        self._casting = cache(casting)
        super().__init__(replace(part, notes=played), _Drums(), seed)
        self.voice = kit
        self._choked = {key: self._onsets(keys - {key}) for keys in choked for key in keys}

    def note(self, index: int) -> Note:
        note, stroke = self.part.notes[index], self._strokes[index]
        pitch, shaping = AS_RECORDED + stroke.semitones, self._casting(stroke.drum).shaping()
        return Note(pitch, note.seconds, note.velocity, stroke.drum, (), self.seed, self.take(index), shaping=shaping)

    def w(self, index: int) -> np.ndarray:
        return np.asarray(self._casting(self._strokes[index].drum).w(), np.float32)

    def level(self, index: int) -> float:
        return float(10 ** (self._strokes[index].level / 20))

    def place(self, index: int) -> float:
        """Where an audience sees the drum in the kit; a width below 0 is how the drummer sees it."""
        return stage.stepped(self.width * stage.drum_place(self._strokes[index].drum))

    def air(self) -> float:
        """None: strokes are too short for it."""
        return 0.0

    def cut(self, index: int) -> float:
        """All sound off, or a stroke that chokes this one: a closed hi-hat chokes an open one."""
        note = self.part.notes[index]
        later = self._choked.get(round(note.pitch), [])
        after = bisect_right(later, note.onset)
        return min(super().cut(index), later[after] if after < len(later) else np.inf)

    def _onsets(self, keys: set[int]) -> list[float]:
        """When any of these keys is struck, in seconds."""
        return [note.onset for note in self.part.notes if round(note.pitch) in keys]


class _Drums:
    """The label of a drummer's part."""

    def label(self, seconds: float = 0.0) -> str:
        return "drums"

    def w(self, seconds: float = 0.0) -> None:
        raise ValueError("a drummer has no style vector: each drum has its own")

    def shaping(self, seconds: float = 0.0) -> tuple[float, ...]:
        return ()


def _stroke(note: SongNote, keys: dict[int, Stroke], known: Sequence[str]) -> Stroke | None:
    """Which of the known drums a note strikes; None if there is nothing like it. A channel that is tuned up or down
    tunes its drums."""
    key = round(note.pitch)
    if key not in keys or (drum := stand_in(keys[key].drum, known)) is None:
        return None
    return replace(keys[key], drum=drum, semitones=keys[key].semitones + note.pitch - key)


def kit_style(program: int, met: Sequence[tuple[tuple[str, ...], int]]) -> tuple[str, ...]:
    """Style words for a drum of the kit that a program names, from the sets of words `met` in training, with their
    counts; () if the drum was never met in that style."""
    wanted = KIT_STYLES.get(program, CHOSEN)
    return max((entry for entry in met if wanted in entry[0]), key=lambda entry: entry[1], default=((), 0))[0]
