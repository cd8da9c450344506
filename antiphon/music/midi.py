"""MIDI files to songs: read_midi. mido decodes the events; what they mean is worked out here."""

import re
import struct
from collections import defaultdict, deque
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import mido
import numpy as np

from antiphon.errors import AntiphonError

MAX_BYTES = 4 << 20
MAX_SECONDS = 2 * 3600.0
MAX_NOTES = 1_000_000
MAX_SOUNDING = 1_000_000.0  # seconds of notes, all added up
MAX_BEND_POINTS = 400_000  # a channel
MAX_HOLD, MIN_HOLD = 120.0, 0.02  # seconds
BEND_RAMP, GAIN_RAMP = 0.02, 0.005  # a step is reached by a ramp of this many seconds, which ends on the step
DRUM_CHANNEL = 9  # "channel 10", counted from 0

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class SongNote:
    """A note of a song. onset: seconds from the song's start; seconds: held time, pedal applied; pitch: MIDI key;
    velocity: 1..127; bend: piecewise-linear (seconds since onset, semitones)."""

    onset: float
    seconds: float
    pitch: int
    velocity: int
    bend: Points = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What one instrument plays: the notes of one (track, channel, program).

    track counts from 0, channel 0..15, program 0..127 (General MIDI, from 0). notes: in order of onset. gain: steps
    of (seconds, amplitude 0..1) from volume and expression; pan: steps of (seconds, -1 left .. 1 right). Both start
    at 0 s.
    """

    track: int
    channel: int
    program: int
    name: str
    notes: tuple[SongNote, ...]
    gain: Points = ((0.0, 1.0),)
    pan: Points = ((0.0, 0.0),)


@dataclass(frozen=True, slots=True)
class Song:
    """A song. parts: melodic parts; drums: the parts on channel 10; seconds: when the last note (not its release)
    ends; warnings: one line for each thing that was mended or left out."""

    parts: tuple[Part, ...]
    drums: tuple[Part, ...] = ()
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


def read_midi(path: str | Path) -> Song:
    """Read a MIDI file of type 0 or 1 (RIFF-wrapped too; tempo maps and SMPTE time).

    Raises AntiphonError, in one line, if the file is missing, broken, empty of notes, or asks for more than the limits
    above. A broken track in a file with good ones is left out with a warning.
    """
    path = Path(path)
    warnings: list[str] = []
    kind, division, chunks = _chunks(path)
    if kind == 2:
        raise AntiphonError(f"{path} is a MIDI file of type 2 (loose patterns): save it as type 1")
    events, names = _events(path, chunks, warnings)
    channels, last = _play(events, _seconds_per_tick(path, division), path)
    return _song(path, channels, last, names, warnings)


def ramped(steps: Points, ramp: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps (seconds, value) as breakpoints of a piecewise-linear curve: (times, values), each (points,) float64.

    Each value is reached exactly at its time, by a ramp of at most `ramp` seconds before it; so a dense stream of steps
    becomes a smooth line. Steps closer than a quarter of the ramp are merged, the last of them counts.
    """
    times, values = [steps[0][0]], [steps[0][1]]
    for time, value in steps[1:]:
        if time - times[-1] < ramp / 4:
            values[-1] = value
            continue
        if time - times[-1] > ramp:
            times.append(time - ramp)
            values.append(values[-1])
        times.append(time)
        values.append(value)
    return np.array(times), np.array(values)


# ---- bytes to events


def _chunks(path: Path) -> tuple[int, int, list[bytes]]:
    """(type, division, track bodies). Chunks are found here so that alien ones and a wrong track count do no harm."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AntiphonError(f"{path} is larger than {MAX_BYTES >> 20} MB: that is no MIDI song")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise AntiphonError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    at = data.find(b"MThd", 0, 1024)  # RIFF and old Mac files have something before it
    if at < 0 or len(data) < at + 14:
        raise AntiphonError(f"{path} is not a MIDI file{'' if data else ' (it is empty)'}: give a .mid file")
    size, kind, _, division = struct.unpack(">LHHH", data[at + 4 : at + 14])
    # mido's variable-length numbers know no end: a mile of high bytes would take it hours.
    if kind > 2 or re.search(rb"[\x80-\xff]{1024}", data):
        raise AntiphonError(f"{path} is a broken MIDI file: export it again")
    tracks, at = [], at + 8 + size
    while at + 8 <= len(data):
        name, size = struct.unpack(">4sL", data[at : at + 8])
        if name == b"MTrk":
            tracks.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return kind, division, tracks


def _seconds_per_tick(path: Path, division: int) -> tuple[float, bool]:
    """(seconds per tick at 120 beats a minute, whether tempo changes it)."""
    if division & 0x8000:  # SMPTE: frames a second, ticks a frame
        frames, ticks = 256 - (division >> 8), division & 0xFF
        if frames in (24, 25, 29, 30) and ticks:
            return 1 / ((30 / 1.001 if frames == 29 else frames) * ticks), False
    elif division:
        return 0.5 / division, True
    raise AntiphonError(f"{path} has no sensible unit of time: it is a broken MIDI file, export it again")


def _messages(body: bytes) -> list[mido.Message]:
    """mido's messages of one track body; raises whatever mido raises."""
    # Key signatures are not used here, and mido refuses a whole file for an odd one.
    body = re.sub(rb"\xff\x59\x02[\s\S]{2}", b"\xff\x59\x02\0\0", body)
    file = struct.pack(">4sLHHH4sL", b"MThd", 6, 0, 1, 480, b"MTrk", len(body)) + body
    return mido.MidiFile(file=BytesIO(file), clip=True).tracks[0]


Event = tuple[int, int, int, mido.Message]  # tick, order within the tick, track, message


def _events(path: Path, chunks: list[bytes], warnings: list[str]) -> tuple[list[Event], list[str]]:
    """All tracks' events in playing order, and the tracks' names."""
    events: list[Event] = []
    names, notes = [], 0
    for track, body in enumerate(chunks):
        names.append("")
        try:
            messages = _messages(body)
        except Exception:  # mido's errors on broken files are of many kinds
            warnings.append(f"track {track + 1} of {path} is broken or cut short: left out")
            continue
        tick = 0
        for message in messages:
            tick += message.time
            if message.type == "track_name" and not names[-1]:
                names[-1] = " ".join(message.name.split())[:80]
            elif not message.is_meta or message.type == "set_tempo":
                # Programs first: a track may set up a channel which an earlier one plays.
                events.append((tick, message.type != "program_change", track, message))
                notes += message.type == "note_on"
        if notes > MAX_NOTES:
            raise AntiphonError(f"{path} has more than {MAX_NOTES:,} notes: split it")
    events.sort(key=lambda event: event[:2])  # stable: tracks in order, a track's own order kept
    if not notes:
        reason = "is a broken MIDI file: export it again" if warnings else "has no notes: nothing to play"
        raise AntiphonError(f"{path} {reason}")
    return events, names


# ---- events to notes


@dataclass(slots=True, eq=False)
class _Key:
    """A note being played."""

    track: int
    program: int
    pitch: int
    velocity: int
    onset: float
    end: float = -1.0


@dataclass(slots=True)
class _Channel:
    """The state of one MIDI channel, and what it has played so far. Times in seconds."""

    program: int = 0
    pedal: bool = False
    wheel: float = 0.0  # -1 .. 1
    bend_range: list[int] = field(default_factory=lambda: [2, 0])  # semitones, cents
    parameter: list[int] = field(default_factory=lambda: [127, 127])  # the registered parameter in hand: none
    volume: int = 100
    expression: int = 127
    keys: dict[tuple[int, int], deque[_Key]] = field(default_factory=lambda: defaultdict(deque))  # down
    held: dict[int, list[_Key]] = field(default_factory=dict)  # up, but on the pedal
    notes: list[_Key] = field(default_factory=list)
    bends: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])
    gains: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, _gain(100, 127))])
    pans: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])

    def note_on(self, now: float, track: int, pitch: int, velocity: int) -> None:
        for key in self.held.pop(pitch, ()):  # struck again while the pedal held it
            key.end = now
        key = _Key(track, self.program, pitch, velocity, now)
        self.keys[track, pitch].append(key)
        self.notes.append(key)

    def note_off(self, now: float, track: int, pitch: int) -> None:
        keys = self.keys.get((track, pitch))
        if not keys:
            return
        key = keys.popleft()  # overlapping notes of one pitch: first come, first released
        if self.pedal:
            self.held.setdefault(pitch, []).append(key)
        else:
            key.end = now

    def pedal_up(self, now: float) -> None:
        self.pedal = False
        for keys in self.held.values():
            for key in keys:
                key.end = now
        self.held.clear()

    def all_keys_up(self, now: float) -> None:
        for (track, pitch), keys in self.keys.items():
            for _ in range(len(keys)):
                self.note_off(now, track, pitch)
        self.keys.clear()

    def bend(self, now: float, wheel: float) -> None:
        self.wheel = wheel
        self.bends.append((now, wheel * (self.bend_range[0] + self.bend_range[1] / 100)))

    def level(self, now: float) -> None:
        self.gains.append((now, _gain(self.volume, self.expression)))

    def control(self, now: float, number: int, value: int) -> None:
        if number == 7:
            self.volume = value
            self.level(now)
        elif number == 10:
            self.pans.append((now, max(-1.0, (value - 64) / 63)))
        elif number == 11:
            self.expression = value
            self.level(now)
        elif number == 64:
            self.pedal = value >= 64
            if not self.pedal:
                self.pedal_up(now)
        elif number in (6, 38) and self.parameter == [0, 0]:
            self.bend_range[number == 38] = min(value, 96)
            self.bend(now, self.wheel)
        elif number in (98, 99):  # an unregistered parameter is in hand
            self.parameter = [127, 127]
        elif number in (100, 101):
            self.parameter[number == 100] = value
        elif number == 121:
            self.reset(now)
        elif number == 120:  # all sound off
            self.pedal_up(now)
            self.all_keys_up(now)
        elif number >= 123:  # all notes off, and the mode messages which imply it
            self.all_keys_up(now)

    def reset(self, now: float) -> None:
        """Reset all controllers, as RP-015 has it: volume, pan and program stay."""
        self.pedal_up(now)
        self.parameter = [127, 127]
        self.bend(now, 0.0)
        self.expression = 127
        self.level(now)


def _gain(volume: int, expression: int) -> float:
    """General MIDI's 40 log10(v / 127) dB for each of the two, as an amplitude."""
    return (volume * expression / 127**2) ** 2


def _play(events: list[Event], clock: tuple[float, bool], path: Path) -> tuple[list[_Channel], float]:
    """Run the song: sixteen channels with what they played, and the time of the last note event."""
    channels = [_Channel() for _ in range(16)]
    (step, elastic), division = clock, 0.5 / clock[0]
    now, before, last = 0.0, 0, 0.0
    for tick, _, track, message in events:
        if tick - before > MAX_SECONDS / step:
            break  # nothing later could be played; and ticks may be too large for a float
        now += (tick - before) * step
        before = tick
        if message.type == "set_tempo":
            if elastic and message.tempo:
                step = message.tempo * 1e-6 / division
            continue
        if message.type in ("note_on", "note_off"):
            last = now
            if now > MAX_SECONDS:
                break
        _message(channels, now, track, message)
    else:
        return channels, last
    raise AntiphonError(f"{path} is longer than {MAX_SECONDS / 3600:g} hours: cut it")


def _message(channels: list[_Channel], now: float, track: int, message: mido.Message) -> None:
    if message.type == "note_on" and message.velocity:
        channels[message.channel].note_on(now, track, message.note, message.velocity)
    elif message.type in ("note_on", "note_off"):
        channels[message.channel].note_off(now, track, message.note)
    elif message.type == "control_change":
        channels[message.channel].control(now, message.control, message.value)
    elif message.type == "program_change":
        channels[message.channel].program = message.program
    elif message.type == "pitchwheel":
        channels[message.channel].bend(now, message.pitch / (8191 if message.pitch > 0 else 8192))


# ---- notes to parts


def _song(path: Path, channels: list[_Channel], last: float, names: list[str], warnings: list[str]) -> Song:
    keys = [key for channel in channels for key in channel.notes]
    if not keys:
        raise AntiphonError(f"{path} has no notes: nothing to play")
    if endless := [key for key in keys if key.end < 0]:
        warnings.append(f"{len(endless)} of {len(keys)} notes in {path} are never released: they stop with the song")
    if sum((key.end if key.end >= 0 else last) - key.onset > MAX_HOLD for key in keys):
        warnings.append(f"notes in {path} longer than {MAX_HOLD:g} s are cut there")
    for key in keys:
        key.end = key.onset + min(max((key.end if key.end >= 0 else last) - key.onset, MIN_HOLD), MAX_HOLD)
    if sum(key.end - key.onset for key in keys) > MAX_SOUNDING:
        raise AntiphonError(f"{path} asks for {MAX_SOUNDING / 3600:.0f} hours of notes and more: split it")
    parts = [part for number, channel in enumerate(channels) for part in _parts(path, number, channel, names)]
    parts.sort(key=lambda part: (part.track, part.channel, part.notes[0].onset))
    melodic = tuple(part for part in parts if part.channel != DRUM_CHANNEL)
    drums = tuple(part for part in parts if part.channel == DRUM_CHANNEL)
    return Song(melodic, drums, max(key.end for key in keys), tuple(warnings))


def _parts(path: Path, number: int, channel: _Channel, names: list[str]) -> list[Part]:
    """A channel's notes by (track, program)."""
    bends = _bends(path, channel)
    groups: dict[tuple[int, int], list[SongNote]] = defaultdict(list)
    for key, bend in zip(channel.notes, bends, strict=True):  # in order of onset already
        groups[key.track, key.program].append(SongNote(key.onset, key.end - key.onset, key.pitch, key.velocity, bend))
    gain, pan = tuple(channel.gains), tuple(channel.pans)
    return [
        Part(track, number, program, names[track], tuple(notes), gain, pan)
        for (track, program), notes in groups.items()
    ]


def _bends(path: Path, channel: _Channel) -> list[Points]:
    """The part of the channel's bend curve that each note hears; after its release a note stays where it was."""
    if not any(semitones for _, semitones in channel.bends):
        return [()] * len(channel.notes)
    times, values = ramped(tuple(channel.bends), BEND_RAMP)
    onsets = np.array([key.onset for key in channel.notes])
    ends = np.array([key.end for key in channel.notes])
    first, last = np.searchsorted(times, onsets, "right"), np.searchsorted(times, ends, "left")
    if np.maximum(last - first, 0).sum() > MAX_BEND_POINTS:
        raise AntiphonError(f"{path} bends too many notes too often: thin out its pitch bends")
    starts, stops = np.interp(onsets, times, values), np.interp(ends, times, values)
    curves = []
    for i, key in enumerate(channel.notes):
        inner = zip(times[first[i] : last[i]].tolist(), values[first[i] : last[i]].tolist(), strict=True)
        points = [(0.0, float(starts[i])), *((time - key.onset, value) for time, value in inner)]
        points.append((key.end - key.onset, float(stops[i])))
        still = all(value == points[0][1] for _, value in points)
        curves.append(tuple(points) if not still else ((0.0, points[0][1]),) if points[0][1] else ())
    return curves
