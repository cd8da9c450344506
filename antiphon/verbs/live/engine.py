"""MIDI messages in, blocks of sound out, without any device: what a player does with voices while somebody plays.

    live = Live("gm", instrument="violin")
    sound = live.process([(0, (0x90, 60, 100)), (400, (0xB0, 64, 127))], 512)       # (512, 2) float32

The sound does not depend on how it is cut into blocks, and a note is the one that `voice.note` would have made.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.note import HIGHEST_PITCH, LOWEST_PITCH, Note
from antiphon.core.seeds import check_seed
from antiphon.data.labelling.drums import AS_RECORDED, CHOKED, KEYS, Stroke, stand_in
from antiphon.music.casting import VARIANTS, VIBRATO_HZ
from antiphon.music.channel import Channel, Key, gain_of
from antiphon.music.drums import kit_style
from antiphon.music.module import Module
from antiphon.music.player import HEADROOM
from antiphon.voices.capabilities import Played, Stream, Streams
from antiphon.voices.expression import Character, character, still
from antiphon.voices.find import bundled, load
from antiphon.voices.voice import Voice

Event = tuple[int, Sequence[int]]  # frame of the block, and the bytes of a MIDI message
POLYPHONY = 16
FADE = 256  # samples over which a note that is cut off fades out
STEP = 512  # samples from one movement of the modulation's vibrato to the next
LONGEST = 300.0  # seconds; a stream ignores how long its note is held
KIT = "kit"


@dataclass(eq=False)
class _Channel:
    """A MIDI channel and who plays its keys that are not drums. state: what its messages say, as in a song; moved: the
    last bend and vibrato that its notes were told; strokes: which variant of a key is next."""

    state: Channel
    player: Character | None = None
    moved: tuple[float, float] = (0.0, 0.0)
    strokes: dict[int, int] = field(default_factory=dict)

    @property
    def wheels(self) -> tuple[float, float]:
        """Semitones of bend, and of vibrato."""
        return self.state.bend[-1][1], self.state.vibrato[-1][1]

    @property
    def gains(self) -> np.ndarray:
        """(2,) of the left and the right side."""
        level = HEADROOM * self.state.gain[-1][1] / gain_of(100, 127)
        angle = (self.state.pan[-1][1] + 1) * math.pi / 4
        return np.array([level * math.cos(angle), level * math.sin(angle)], np.float32)


@dataclass(eq=False)
class _Sounding:
    """A note that sounds. key: its number; note: how the channel knows it; start: the pitch it began with; gain: its
    level; born: counts notes. released: it was let go; left: samples until it is cut off, inf if it is not."""

    stream: Stream
    channel: _Channel
    key: int
    note: Key
    start: float
    gain: float
    born: int
    released: bool = False
    left: float = math.inf

    @property
    def down(self) -> bool:
        """Whether its key is down, and not only a pedal."""
        return self.note in self.channel.state.down.get((self.note.track, self.key), ())

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The lowest is the first to be cut off: released ones before held ones before those whose key is down, older
        ones first."""
        return self.down, not self.released, self.born


class Live:
    """Voices that are played while they are heard.

    voice: a bundled voice, run folder, weights file or loaded voice that streams notes. instrument: as of
    `voice.note`, or a blend; a program change chooses another (default: program 0, or the voice's first). kit: a drum
    voice for channel 10 (default: the bundled one). polyphony: the most notes at once; the next one takes the place of
    the oldest that was released. seed: another player. share: (i, n), to play only the i-th of every n notes, where
    others that hear the same messages play the rest. Raises AntiphonError if the voice cannot be played live."""

    def __init__(
        self,
        voice: str | Path | Voice = "gm",
        *,
        instrument: str | int | None = None,
        kit: str | Path | Voice | None = None,
        polyphony: int = POLYPHONY,
        seed: int | str = 0,
        variation: float | None = None,
        share: tuple[int, int] = (0, 1),
    ):
        if not 1 <= polyphony <= 256:
            raise AntiphonError(f"a polyphony of {polyphony} is out of range: use 1 to 256")
        self.voice = load(voice).able(Streams, "be played live")
        self.sample_rate, self.polyphony = self.voice.sample_rate, -(-polyphony // share[1])
        self._share = share
        self._seed, self._variation = check_seed(seed), variation
        self._kit = self.voice if self.voice.song_part == KIT else _kit(kit)
        self._drums: dict[int, Stroke | None] = {}  # by key
        self._player = self._named(instrument)
        self._module = Module()
        self._channels = [_Channel(state, self._player) for state in self._module.channels]
        self._sounding: list[_Sounding] = []
        self._begun: list[_Sounding] = []  # since the last frame
        self._at = self._born = 0

    # ---- sound -------------------------------------------------------------------------------------------------------

    def process(self, events: Sequence[Event], frames: int) -> np.ndarray:
        """(frames, 2) float32, the next block. events: MIDI messages, each with the frame of the block at which it
        takes effect."""
        out, done = np.zeros((frames, 2), np.float32), 0
        for frame, message in sorted(events, key=lambda event: event[0]):
            until = min(max(int(frame), done), frames)
            self._fill(out[done:until])
            done = until
            self._message(bytes(message))
        self._fill(out[done:])
        return out

    def begun(self) -> int:
        """How many notes have begun since the last frame; their first sound is rendered ahead."""
        for sounding in self._begun:
            if isinstance(sounding.stream, Played):
                sounding.stream.prepare()
        return len(self._begun)

    def earlier(self, frames: int) -> np.ndarray:
        """(frames, 2) float32: the first frames of the notes that have begun since the last frame, which thereby have
        begun as much earlier; to be added to what was rendered before."""
        out = np.zeros((frames, 2), np.float32)
        self._mix(self._begun, out)
        self._begun = []
        return out

    def prepare(self) -> bool:
        """Render ahead what will be needed first, in a pause. -> whether there was anything to do"""
        streams = [s.stream for s in self._sounding if isinstance(s.stream, Played)]
        return any(stream.prepare() for stream in sorted(streams, key=lambda stream: stream.left))

    @property
    def sounding(self) -> int:
        """How many notes sound."""
        return len(self._sounding)

    @property
    def playing(self) -> str:
        """The name of the instrument of channel 1."""
        first = self._channels[0]
        return KIT if self._drums_of(first) else first.player.label() if first.player else ""

    def _fill(self, out: np.ndarray) -> None:
        """Add all that sounds to the next frames; the vibrato of the modulation moves in steps of the clock, however
        the sound is cut."""
        done = 0
        if len(out):
            self._begun = []
        while done < len(out):
            if self._at % STEP == 0:
                self._wobble()
            count = min(len(out) - done, STEP - self._at % STEP)
            self._mix(self._sounding, out[done : done + count])
            for over in [s for s in self._sounding if s.stream.done or s.left <= 0]:
                self._sounding.remove(over)
                over.channel.state.forget(over.key, over.note)
            done += count
            self._at += count

    def _mix(self, soundings: Sequence[_Sounding], out: np.ndarray) -> None:
        """Add the next frames of notes, each channel's at its level and place."""
        mono: dict[int, np.ndarray] = {}  # by channel
        for sounding in soundings:
            sound = sounding.stream.read(len(out))
            if sounding.gain != 1:
                sound = sound * np.float32(sounding.gain)
            if sounding.left < math.inf:
                sound = sound * np.clip((sounding.left - np.arange(len(out), dtype=np.float32)) / FADE, 0, 1)
                sounding.left -= len(out)
            number = sounding.channel.state.number
            mono[number] = mono[number] + sound if number in mono else sound
        for number, sound in mono.items():
            out += np.multiply.outer(sound, self._channels[number].gains)

    def _wobble(self) -> None:
        for channel in self._channels:
            if channel.wheels[1]:
                self._bend(channel)

    # ---- messages ----------------------------------------------------------------------------------------------------

    def _message(self, message: bytes) -> None:
        """A MIDI message; what is not known is left alone."""
        if not message or message[0] < 0x80:
            return
        if message[0] == 0xFF:
            self.panic()
        elif message[0] < 0xF0 and len(message) > 1 + (message[0] & 0xE0 != 0xC0):
            first, second = (*(value & 0x7F for value in message[1:3]), 0)[:2]
            self._module.message(self._at / self.sample_rate, 0, message[0], first, second)
            if message[0] & 0xF0 == 0xC0:
                self._choose(self._channels[message[0] & 15], first)
            for channel in self._channels:  # a zone's leader speaks for its members
                self._follow(channel, first)

    def _follow(self, channel: _Channel, number: int) -> None:
        """Do what the state of a channel says after a message about the key `number`, if about one."""
        begun, silence = channel.state.taken()
        for sounding in self._of(channel):
            if sounding.note.end >= 0 and not sounding.released:
                sounding.released = True
                sounding.stream.release()
        if silence:
            self._cut(self._of(channel))
        if channel.wheels != channel.moved:
            channel.moved = channel.wheels
            self._bend(channel)
        for note in begun:
            self._press(channel, number, note)

    def panic(self) -> None:
        """Silence, at once: every note is cut off, and all pedals and wheels are let go."""
        for channel in self._channels:
            for control in (120, 121):
                channel.state.control(self._at / self.sample_rate, control, 0)
            self._follow(channel, 0)
        self._cut(self._sounding)

    def _press(self, channel: _Channel, key: int, note: Key) -> None:
        stroke = channel.strokes.get(key, 0)
        channel.strokes[key] = (stroke + 1) % VARIANTS
        self._born += 1
        drum = bool(note.kit) or self.voice.song_part == KIT
        if drum:
            self._choke(channel, key)
        if (self._born - 1) % self._share[1] != self._share[0]:
            return
        begin = self._strike if drum else self._begin
        started = begin(channel, key, note, 100 * key * VARIANTS + stroke)
        if started is None:
            channel.state.forget(key, note)
            return
        living = [s for s in self._sounding if s.left == math.inf]
        if len(living) >= self.polyphony:
            self._cut([min(living, key=lambda s: s.rank)])
        self._sounding.append(_Sounding(started[0], channel, key, note, *started[1:], self._born))
        self._begun.append(self._sounding[-1])

    def _begin(self, channel: _Channel, key: int, note: Key, take: int) -> tuple[Stream, float, float] | None:
        """A key's stream, the pitch it begins with, and its level."""
        player = self._program(note.program) if channel.state.kit else self._channels[note.channel].player
        if player is None:
            return None
        start = _playable(note.pitch + self._off_key(channel))
        told = Note(start, LONGEST, note.velocity, player.label(), (), self._seed, take, shaping=player.shaping())
        return self.voice.stream(told, player.w()), start, 1.0

    def _strike(self, channel: _Channel, key: int, note: Key, take: int) -> tuple[Stream, float, float] | None:
        """A drum's hit, as `_begin`."""
        if key not in self._drums:
            self._drums[key] = self._drum(key)
        stroke, kit = self._drums[key], self._kit
        if stroke is None or kit is None:
            return None
        told = Note(AS_RECORDED + stroke.semitones, 1.0, note.velocity, stroke.drum, (), self._seed, take)
        style = kit_style(0, kit.info.styles_of.get(stroke.drum, []))
        w = character(kit, stroke.drum, seed=self._seed, style=style, variation=self._variation).w()
        return kit.stream(told, w), note.pitch, 10 ** (stroke.level / 20)

    def _choke(self, channel: _Channel, key: int) -> None:
        """Silence the drums that a drum silences, such as an open hi-hat."""
        choked = {other for keys in CHOKED if key in keys for other in keys - {key}}
        self._cut([s for s in self._of(channel) if s.key in choked])

    def _cut(self, soundings: Sequence[_Sounding]) -> None:
        """Fade them out."""
        for sounding in soundings:
            sounding.left = min(sounding.left, FADE)
            sounding.channel.state.forget(sounding.key, sounding.note)

    def _of(self, channel: _Channel) -> list[_Sounding]:
        return [s for s in self._sounding if s.channel is channel and s.left == math.inf]

    # ---- pitch -------------------------------------------------------------------------------------------------------

    def _off_key(self, channel: _Channel) -> float:
        """Semitones that the wheels of a channel ask for now."""
        sway = math.sin(2 * math.pi * VIBRATO_HZ * (self._at // STEP * STEP) / self.sample_rate)
        bend, depth = channel.wheels
        return bend + depth * sway

    def _bend(self, channel: _Channel) -> None:
        bend = self._off_key(channel)
        for sounding in self._of(channel):
            if isinstance(sounding.stream, Played):
                sounding.stream.bend(_playable(sounding.note.pitch + bend) - sounding.start)

    # ---- who plays ---------------------------------------------------------------------------------------------------

    def _named(self, instrument: str | int | None) -> Character | None:
        """Who plays an instrument; program 0 if none is named, or the voice's first."""
        if self.voice.song_part == KIT:
            return None
        if instrument is None:
            return self._program(0) or self._cast(self.voice.instruments[0])
        return self._cast(instrument)

    def _cast(self, instrument: str | int) -> Character:
        return still(self.voice, instrument, seed=self._seed, variation=self._variation)

    def _program(self, program: int) -> Character | None:
        """Who plays a General MIDI program; None if the voice has nothing like it."""
        with suppress(AntiphonError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._cast(program)
        return None

    def _choose(self, channel: _Channel, program: int) -> None:
        """A program change, for the notes that follow."""
        if not self._drums_of(channel):
            channel.player = self._program(program) or channel.player

    def _drum(self, key: int) -> Stroke | None:
        """What a key of the kit strikes; None if the kit has nothing like it."""
        if key not in KEYS or self._kit is None:
            return None
        drum = stand_in(KEYS[key].drum, self._kit.instruments)
        return replace(KEYS[key], drum=drum) if drum else None

    def _drums_of(self, channel: _Channel) -> bool:
        """Whether the keys of a channel are drums."""
        return self.voice.song_part == KIT or bool(channel.state.kit)


def _playable(pitch: float) -> float:
    """A pitch that every voice can begin with; bends are for small distances."""
    return min(max(pitch, LOWEST_PITCH), HIGHEST_PITCH)


def _kit(kit: str | Path | Voice | None) -> Streams | None:
    """The drum voice of channel 10, if there is one."""
    if kit is None and KIT not in bundled():
        return None
    found = load(KIT if kit is None else kit)
    if found.song_part != KIT:
        raise AntiphonError(f"{found.info.name} is not a drum kit: give a voice trained with `--recipe drums`")
    return found.able(Streams, "be played live")
