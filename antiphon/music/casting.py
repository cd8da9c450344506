"""Who plays what: gives every part of a song an instrument, a lasting character, and variants of its notes."""

import re
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.note import HIGHEST_PITCH, LOWEST_PITCH, Note
from antiphon.music.song import BEND_RAMP, GAIN_RAMP, Curve, Part, Points, Song, SongNote

VARIANTS = 8  # of a note; each press of a key takes the next
VIBRATO_HZ, VIBRATO_POINTS = 5.5, 16  # of the modulation wheel; points per cycle
SETTLE = 0.1  # seconds after its release until a note's vibrato comes to rest
OVERRIDDEN = 128  # stands for the program in the seed of a part whose instrument the user chose

Expression = str | int  # an instrument's name, or a General MIDI program


class Character(Protocol):
    """Who plays a part: a label of the voice and a style vector, both as functions of time in seconds."""

    def label(self, seconds: float = 0.0) -> str: ...

    def w(self, seconds: float = 0.0) -> Any: ...


Casting = Callable[[Expression, int], Character]  # (instrument expression, seed) to a character


class Player:
    """A part, who plays it, and how its controllers move. `stem`: (track, channel), which parts of one stem share.
    `voice`: the voice that renders it, if not the song's."""

    voice: Any = None

    def __init__(self, part: Part, character: Character, seed: int):
        self.part, self.character, self.seed = part, character, seed
        self.stem = (part.track, part.channel)
        self.gain, self.pan = Curve(part.gain, GAIN_RAMP), Curve(part.pan, GAIN_RAMP)
        self._bend, self._vibrato = Curve(part.bend, BEND_RAMP), Curve(part.vibrato, BEND_RAMP)
        strokes: Counter[float] = Counter()
        self._variants = np.zeros(len(part.notes), np.uint8)
        for index, note in enumerate(part.notes):
            self._variants[index] = (strokes[note.pitch] + seed) % VARIANTS
            strokes[note.pitch] += 1

    def note(self, index: int) -> Note:
        """The voice's note: one character for the whole part, the next variant for each press of a key."""
        note = self.part.notes[index]
        bend = self._bend_of(note)
        start = bend[0][1] if bend else 0.0  # the sound's key is its first pitch: bends are for small distances
        moved = tuple((at, semitones - start) for at, semitones in bend) if len(bend) > 1 else ()
        label = self.character.label(note.onset)
        return Note(note.pitch + start, note.seconds, note.velocity, label, (), self.seed, self.take(index), moved)

    def take(self, index: int) -> int:
        """Which variant of its key the note is."""
        return round(100 * self.part.notes[index].pitch) * VARIANTS + int(self._variants[index])

    def w(self, index: int) -> np.ndarray:
        """(style,) the style vector of a note."""
        return np.asarray(self.character.w(self.part.notes[index].onset), np.float32)

    def level(self, index: int) -> float:
        """The gain of a note."""
        return 1.0

    def cut(self, index: int) -> float:
        """When a note is cut off, in seconds; inf if never."""
        after = bisect_right(self.part.cuts, self.part.notes[index].onset)
        return self.part.cuts[after] if after < len(self.part.cuts) else np.inf

    def _bend_of(self, note: SongNote) -> Points:
        """(seconds since the onset, semitones): the wheels' movements while the key is down, then the last value."""
        start, stop = note.onset, note.onset + note.seconds
        still, calm = self._bend.constant(start, stop), self._vibrato.constant(start, stop)
        if still is not None and calm == 0.0:
            return ((0.0, _playable(still, note)),) if still else ()
        times = [start, stop, *self._bend.breaks(start, stop), *self._vibrato.breaks(start, stop)]
        if calm != 0.0:
            times += np.arange(start, stop, 1 / (VIBRATO_HZ * VIBRATO_POINTS)).tolist()
        at = np.unique(times)
        semitones = self._bend.at(at)
        if calm != 0.0:
            semitones = semitones + self._vibrato.at(at) * np.sin(2 * np.pi * VIBRATO_HZ * (at - start))
            at = np.append(at, stop + SETTLE)
            semitones = np.append(semitones, self._bend.at(np.array([stop])))
        return tuple((float(t - start), _playable(float(s), note)) for t, s in zip(at, semitones, strict=True))


def _playable(semitones: float, note: SongNote) -> float:
    """The bend, limited so that the pitch stays within 0..127."""
    return min(max(semitones, LOWEST_PITCH - note.pitch), HIGHEST_PITCH - note.pitch)


def cast(
    song: Song,
    casting: Casting,
    *,
    instrument: Expression | None = None,
    mapping: Mapping[str | int, Expression] | None = None,
    seed: int = 0,
    drummer: Callable[[Part, int], Player] | None = None,
) -> list[Player]:
    """A player for each part of a song.

    instrument: for every part, in place of the song's programs. mapping: for some parts, by channel (1..16), "tN" for
    track N (from 1) or part of a track's name; if several match a part, the last one counts, and before `instrument`.
    seed: which players; a part's own seed depends on what the part is and not on its place, so that other parts may
    come and go. drummer: makes the player of a channel 10 part from a seed; without one such parts are skipped, with a
    warning. Raises AntiphonError if nothing can be played, or if a name is unknown or matches no part.
    """
    if song.drums and not drummer:
        warnings.warn("channel 10 (drums) is skipped: this voice plays only pitched instruments", stacklevel=3)
    if not song.parts and not drummer:
        raise AntiphonError("the song has only drums (channel 10), which this voice cannot play: add a kit (--kit)")
    for key in mapping or {}:
        if not any(_fits(key, part) for part in song.parts):
            if any(_fits(key, part) for part in song.drums):
                raise AntiphonError(f"'{key}' is a drum part, which a kit plays, not an instrument: use --kit")
            raise AntiphonError(f"no part matches '{key}': {_listed(song.parts)}")
    players = []
    for part in song.parts:
        chosen = [instrument, *(name for key, name in (mapping or {}).items() if _fits(key, part))][-1]
        own = _seed(seed, part, part.program if chosen is None else OVERRIDDEN)
        players.append(Player(part, casting(part.program if chosen is None else chosen, own), own))
    drums = [drummer(part, _seed(seed, part, part.program)) for part in song.drums] if drummer else []
    if not players and not any(player.part.notes for player in drums):
        raise AntiphonError("the song has only drums, and this kit has none of them: use another --kit")
    return players + [player for player in drums if player.part.notes]


def _seed(seed: int, part: Part, program: int) -> int:
    words = [seed & 0xFFFFFFFF, part.track, part.channel, program]
    return int(np.random.SeedSequence(words).generate_state(1)[0]) & 0x7FFFFFFF


def parse_mapping(words: Sequence[str]) -> dict[str | int, Expression]:
    """["2=violin,3=church organ", "Bass=flute:0.6,strings:0.4"] -> {"2": "violin", ...}: a comma starts another pair
    only where a `=` follows. Raises AntiphonError for anything else."""
    pairs: dict[str | int, Expression] = {}
    for word in words:
        for pair in re.split(r",(?=[^,=]*=)", word):
            key, mark, name = (text.strip() for text in pair.partition("="))
            if not (key and mark and name):
                raise AntiphonError(
                    f"'{pair}' is not a mapping: write a channel (2=violin), a track (t3=...) or its name"
                )
            pairs[key] = name
    return pairs


def _fits(key: str | int, part: Part) -> bool:
    text = str(key).strip().lower()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return part.channel + 1 == int(text)
    if re.fullmatch(r"t[0-9]{1,9}", text):
        return part.track + 1 == int(text[1:])
    return text in part.name.lower()


def _listed(parts: Sequence[Part]) -> str:
    if not parts:
        return "this song has only drums"
    tracks = {(part.track, part.channel): part.name for part in parts}
    shown = [f"t{track + 1}{f' ({name})' if name else ''} on channel {channel + 1}"
             for (track, channel), name in list(tracks.items())[:16]]  # fmt: skip
    return f"this song has {', '.join(shown)}"
