"""Who plays what: gives every part of a song an instrument, a lasting character, and variants of its notes."""

import re
import unicodedata
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.note import HIGHEST_PITCH, LOWEST_PITCH, Note
from antiphon.music import stage
from antiphon.music.song import BEND_RAMP, GAIN_RAMP, Curve, Part, Points, Song, SongNote

VARIANTS = 8  # of a note; each press of a key takes the next
VIBRATO_HZ, VIBRATO_POINTS = 5.5, 16  # of the modulation wheel; points per cycle
SETTLE = 0.1  # seconds after its release until a note's vibrato comes to rest
KIT = "kit"  # the expression that makes a part a drum kit
DRUMS = "drums"  # the key of all drum parts
NOBODY = ("none", "off", "mute", "nobody", "silence")
DRUM_WORDS = re.compile(r"(?i)\b(drums?|drum ?(kit|set)|percussion|schlagzeug|batterie|batería)\b|ドラム|ударны")
OVERRIDDEN = 128  # stands for the program in the seed of a part whose instrument the user chose

Expression = str | int  # an instrument's name, or a General MIDI program


class Character(Protocol):
    """Who plays a part: a label of the voice, a style vector and how far its notes' knobs are turned, as functions of
    time in seconds."""

    def label(self, seconds: float = 0.0) -> str: ...

    def w(self, seconds: float = 0.0) -> Any: ...

    def shaping(self, seconds: float = 0.0) -> tuple[float, ...]: ...


Casting = Callable[[Expression, int], Character]  # (instrument expression, seed) to a character


class Player:
    """A part, who plays it, and how its controllers move. `stem`: (track, channel), which parts of one stem share.
    `voice`: the voice that renders it, if not the song's (its character says so). `word`: its name if its track has
    none. `width`: how wide the stage is, see `place`."""

    voice: Any = None
    word: str = ""
    width: float = 0.0

    def __init__(self, part: Part, character: Character, seed: int):
        self.part, self.character, self.seed = part, character, seed
        self.voice = getattr(character, "voice", None)
        self.stem = (part.track, part.channel)
        self.gain, self.pan = Curve(part.gain, GAIN_RAMP), Curve(part.pan, GAIN_RAMP)
        self._seat = 0.0 if any(place for _, place in part.pan) else stage.seat(part.program)
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
        label, shaping = self.character.label(note.onset), self.character.shaping(note.onset)
        pitch, take = note.pitch + start, self.take(index)
        return Note(pitch, note.seconds, note.velocity, label, (), self.seed, take, moved, shaping)

    def take(self, index: int) -> int:
        """Which variant of its key the note is."""
        return round(100 * self.part.notes[index].pitch) * VARIANTS + int(self._variants[index])

    def w(self, index: int) -> np.ndarray:
        """(style,) the style vector of a note."""
        return np.asarray(self.character.w(self.part.notes[index].onset), np.float32)

    def level(self, index: int) -> float:
        """The gain of a note."""
        return 1.0

    def place(self, index: int) -> float:
        """-1 left .. 1 right of where the song puts the part: the seat of a part that it does not place, and the keys
        of an instrument beside each other."""
        return stage.stepped(self.width * (self._seat + stage.key_place(self.part.notes[index].pitch)))

    def air(self) -> float:
        """How much the sound around the player differs from left to right."""
        return self.width

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
    width: float = 0.0,
) -> list[Player]:
    """A player for each part of a song.

    instrument: for every melodic part, in place of the song's programs. mapping: for some parts, by channel (1..16),
    "tN" for track N (from 1) or part of a track's name; if several match a part, the last one counts, and before
    `instrument`. "kit" makes a part a drum part; any other expression makes a drum part melodic. seed: which players; a
    part's own seed depends on what the part is and not on its place, so that other parts may come and go. drummer:
    makes the player of a drum part from a seed; without one such parts are skipped, with a warning. width: of the
    stage, -1..1, see music.stage. Raises AntiphonError if nothing can be played, or if a name is unknown or matches no
    part.
    """
    for key, name in (mapping or {}).items():
        _check_key(key, song)
        if str(name).strip().lower() in NOBODY:
            raise AntiphonError(f"no instrument is called '{name}': to leave a part out, use --mute {key}")
    melodic, drums = _chosen(song, instrument, mapping or {})
    _doubt(part for part, chosen in melodic if chosen is None)
    if drums and not drummer:
        _skipped(drums, melodic, song)
        drums = []
    players = []
    for part, chosen in melodic:
        own = _seed(seed, part, part.program if chosen is None else OVERRIDDEN)
        players.append(Player(part, casting(part.program if chosen is None else chosen, own), own))
    struck = [drummer(part, _seed(seed, part, part.program)) for part in drums] if drummer else []
    if not players and not any(player.part.notes for player in struck):
        raise AntiphonError("the song has only drums, and this kit has none of them: use another --kit")
    players += [player for player in struck if player.part.notes]
    for player in players:
        player.width = width
    return players


def heard(players: Sequence[Player], song: Song, only: Sequence[str | int], mute: Sequence[str | int]) -> list[Player]:
    """The players of some parts: those that `only` names, if it names any, without those that `mute` names; by channel,
    "tN", part of a name, or "drums"; players without notes have nothing to do. Raises AntiphonError if a name matches
    no part, or nothing is left."""
    for key in (*only, *mute):
        _check_key(key, song)
    kept = [player for player in players if not only or any(_means(key, player) for key in only)]
    kept = [player for player in kept if not any(_means(key, player) for key in mute)]
    if not kept:
        raise AntiphonError(f"nothing is left to play: {_listed(song)}")
    sounding = [player for player in kept if len(player.part.notes)]
    if not sounding:
        raise AntiphonError("nothing of these parts begins in this stretch of the song: choose another")
    return sounding


def _means(key: str | int, player: Player) -> bool:
    return _fits(key, player.part) or (bool(player.word) and _plain(str(key)).strip() == player.word)


def _check_key(key: str | int, song: Song) -> None:
    drums = bool(song.drums) and _plain(str(key)).strip() == DRUMS
    if not drums and not any(_fits(key, part) for part in song.parts + song.drums):
        raise AntiphonError(f"no part matches '{key}': {_listed(song)}")


def _chosen(
    song: Song, instrument: Expression | None, mapping: Mapping[str | int, Expression]
) -> tuple[list[tuple[Part, Expression | None]], list[Part]]:
    """Melodic parts, each with the instrument chosen for it, if any, and drum parts."""
    melodic: list[tuple[Part, Expression | None]] = []
    drums: list[Part] = []
    for part, usual in [*((part, instrument) for part in song.parts), *((part, KIT) for part in song.drums)]:
        chosen = [usual, *(name for key, name in mapping.items() if _fits(key, part))][-1]
        if not is_kit(chosen):
            melodic.append((part, chosen))
        else:
            drums.append(part if part in song.drums else replace(part, program=0))  # an instrument's number is no kit's
    return melodic, drums


def is_kit(chosen: Expression | None) -> bool:
    """Whether an expression is the word that makes a part a drum part."""
    return isinstance(chosen, str) and chosen.strip().lower() == KIT


def _doubt(parts: Iterable[Part]) -> None:
    """Warn about tracks that are called drums and play the first program, a piano: several programs export drums on any
    channel and say no more of them."""
    doubtful = {part.track: part for part in parts if part.program == 0 and DRUM_WORDS.search(part.name)}
    if doubtful:
        names = ", ".join(f"t{part.track + 1} ({part.name})" for part in doubtful.values())
        maps = ",".join(f"t{track + 1}={KIT}" for track in doubtful)
        warnings.warn(f"{names} on a piano: if these are drums, add --map {maps}", stacklevel=4)


def _skipped(drums: Sequence[Part], melodic: Sequence[object], song: Song) -> None:
    """Warn about drums that have no kit. Raises AntiphonError if nothing else is left, or if they were asked for."""
    asked = [part for part in drums if part not in song.drums]
    numbers = sorted({part.channel + 1 for part in asked or drums})
    channels = f"channel{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
    if asked:
        raise AntiphonError(f"there is no kit to play {channels}: add one with --kit")
    be = "are" if len(numbers) > 1 else "is"
    warnings.warn(f"{channels} (drums) {be} skipped: this voice plays only pitched instruments", stacklevel=4)
    if not melodic:
        raise AntiphonError(f"the song has only drums ({channels}), which this voice cannot play: add a kit (--kit)")


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
    return _plain(text) in _plain(part.name)


def _plain(name: str) -> str:
    """A name for comparison: case and the ways of encoding one letter do not matter."""
    return unicodedata.normalize("NFKC", name).casefold()


def _listed(song: Song) -> str:
    """The parts that a mapping may name."""
    words = {(part.track, part.channel): ", drums" for part in song.drums} | {
        (part.track, part.channel): "" for part in song.parts
    }
    names = {(part.track, part.channel): part.name for part in song.drums + song.parts}
    shown = [f"t{track + 1}{f' ({name})' if name else ''} on channel {channel + 1}{words[track, channel]}"
             for (track, channel), name in sorted(names.items())[:16]]  # fmt: skip
    return f"this song has {', '.join(shown)}"
