"""The drums of a song: the keys of channel 10, struck on the drums of a kit."""

import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import cache

import numpy as np

from antiphon.core.note import Note
from antiphon.data.labelling.drums import AS_RECORDED, CHOKED, KEYS, Stroke, stand_in
from antiphon.music.casting import Character, Player
from antiphon.music.song import Notes, Part, SongNote

KIT_STYLES = {24: "electric", 25: "electric", 26: "electric", 40: "brushed"}  # programs of channel 10; others: acoustic
CHOSEN = "acoustic"


class Drummer(Player):
    """A part of channel 10. `kit`: the voice that renders it, in place of the song's; a drum keeps its character
    throughout the song, and each stroke on a key is the next of its variants."""

    def __init__(self, part: Part, kit: object, casting: Callable[[str], Character], seed: int, known: Sequence[str]):
        """casting: a drum's name to its character. known: the kit's drums; the nearest relative stands in for one it
        lacks, and a warning says how many notes have none."""
        strokes = [_stroke(note, known) for note in part.notes]
        played = Notes(astuple(note) for note, stroke in zip(part.notes, strokes, strict=True) if stroke)
        if len(played) < len(part.notes):
            missing = len(part.notes) - len(played)
            warnings.warn(
                f"{missing} of {len(part.notes)} strokes on channel 10 left out: this kit lacks their drums",
                stacklevel=4,
            )
        self._strokes = [stroke for stroke in strokes if stroke]
        self._casting = cache(casting)
        super().__init__(replace(part, notes=played), _Drums(), seed)
        self.voice = kit
        self._choked = {key: self._onsets(keys - {key}) for keys in CHOKED for key in keys}

    def note(self, index: int) -> Note:
        note, stroke = self.part.notes[index], self._strokes[index]
        return Note(
            AS_RECORDED + stroke.semitones, note.seconds, note.velocity, stroke.drum, (), self.seed, self.take(index)
        )

    def w(self, index: int) -> np.ndarray:
        return np.asarray(self._casting(self._strokes[index].drum).w(), np.float32)

    def level(self, index: int) -> float:
        return float(10 ** (self._strokes[index].level / 20))

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


def _stroke(note: SongNote, known: Sequence[str]) -> Stroke | None:
    """Which of the known drums a note of channel 10 strikes; None if there is nothing like it. A channel that is tuned
    up or down tunes its drums."""
    key = round(note.pitch)
    if key not in KEYS or (drum := stand_in(KEYS[key].drum, known)) is None:
        return None
    return replace(KEYS[key], drum=drum, semitones=KEYS[key].semitones + note.pitch - key)


def kit_style(program: int, met: Sequence[tuple[tuple[str, ...], int]]) -> tuple[str, ...]:
    """Style words for a drum of the kit that a program of channel 10 names, from the sets of words `met` in training,
    with their counts; () if the drum was never met in that style."""
    wanted = KIT_STYLES.get(program, CHOSEN)
    return max((entry for entry in met if wanted in entry[0]), key=lambda entry: entry[1], default=((), 0))[0]
