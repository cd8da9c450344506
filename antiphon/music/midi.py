"""MIDI files to songs: read_midi. smf decodes events, channel knows what they mean, here is when they happen."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from antiphon.errors import AntiphonError
from antiphon.music.channel import Channel, Key
from antiphon.music.smf import TEMPO, Event, Smf, read_smf
from antiphon.music.song import Part, Song, SongNote

MAX_SECONDS = 2 * 3600.0
MAX_SOUNDING = 1_000_000.0  # seconds of notes, all added up
MAX_HOLD, MIN_HOLD = 120.0, 0.02  # seconds
LINGER = 4.0  # seconds: so long, at most, a note without end lasts after the last event of a note
DRUM_CHANNEL = 9  # "channel 10", counted from 0

Timed = tuple[float, int, int, int, int]  # seconds, track, status byte, two data bytes


def read_midi(path: str | Path) -> Song:
    """Read a MIDI file of type 0, 1 or 2 (RIFF-wrapped too; tempo maps and SMPTE time).

    The patterns of a type 2 file are played one after another. A damaged track is played as far as it can be read, with
    a warning. Raises AntiphonError, in one line, if the file is missing, broken, empty of notes, or asks for more than
    the limits above.
    """
    path = Path(path)
    file = read_smf(path)
    damaged = [number for number, track in enumerate(file.tracks, 1) if not track.whole]
    warnings = [f"track {n} of {path} is damaged or cut short: played as far as it can be read" for n in damaged]
    if file.kind == 2 and len(file.tracks) > 1:
        warnings.append(f"{path} holds {len(file.tracks)} separate patterns (type 2): they play one after another")
    parts: list[Part] = []
    start = 0.0
    for pattern in _patterns(file):
        made, start = _play(path, file, pattern, start, warnings)
        parts += made
    if not parts:
        reason = "is a broken MIDI file: export it again" if damaged else "has no notes: nothing to play"
        raise AntiphonError(f"{path} {reason}")
    return _song(path, parts, warnings)


def _patterns(file: Smf) -> Iterable[list[int]]:
    """Which tracks sound together, in order of time."""
    together = list(range(len(file.tracks)))
    return [[number] for number in together] if file.kind == 2 else [together]


def _play(path: Path, file: Smf, pattern: list[int], start: float, warnings: list[str]) -> tuple[list[Part], float]:
    """Play a pattern from `start` on: its parts, and when its last event is over."""
    channels = [Channel() for _ in range(16)]
    last = stop = start
    for now, track, status, first, second in _timed(file, pattern, start):
        stop = now
        if status >> 4 in (8, 9):
            if now > MAX_SECONDS:
                raise AntiphonError(f"{path} is longer than {MAX_SECONDS / 3600:g} hours: cut it")
            last = now
        if status >= 0x80:
            channels[status & 15].message(now, track, status, first, second)
    keys = [key for channel in channels for key in channel.notes]
    _end(path, keys, min(stop, last + LINGER), warnings)
    return [part for number, channel in enumerate(channels) for part in _parts(file, number, channel)], stop


def _timed(file: Smf, pattern: list[int], start: float) -> Iterator[Timed]:
    """The events of tracks that sound together, in playing order, tempo turned into time; the end as a last event of
    status 0."""
    merged = [entry for number in pattern for entry in _ordered(number, file.tracks[number].events)]
    merged.sort(key=lambda entry: entry[:2])  # stable: tracks in order, a track's own order kept
    now, before, step = start, 0, file.tick
    for tick, _, track, (_, status, first, second) in merged:
        now += (tick - before) * step
        before = tick
        if status != TEMPO:
            yield now, track, status, first, second
        elif file.elastic:
            step = file.tick * first / 500_000
    end = max((file.tracks[number].end for number in pattern), default=0)
    yield now + max(end - before, 0) * step, 0, 0, 0, 0


def _ordered(number: int, events: list[Event]) -> Iterator[tuple[int, bool, int, Event]]:
    """(tick, whether a note has begun there, track, event): sorted by the first two, what a track sets up at a tick
    comes before the notes that other tracks begin there."""
    begun = -1
    for event in events:
        if event.status >> 4 == 9 and event.second:
            begun = event.tick
        yield event.tick, begun == event.tick, number, event


def _end(path: Path, keys: list[Key], stop: float, warnings: list[str]) -> None:
    """Give every note its end."""
    endless = [key for key in keys if key.end < 0]
    for key in endless:
        key.end = stop
    if endless:
        warnings.append(f"{len(endless)} of {len(keys)} notes in {path} are never released: they stop with the song")
    if any(key.end - key.onset > MAX_HOLD for key in keys):
        warnings.append(f"notes in {path} longer than {MAX_HOLD:g} s are cut there")
    for key in keys:
        key.end = key.onset + min(max(key.end - key.onset, MIN_HOLD), MAX_HOLD)
    if sum(key.end - key.onset for key in keys) > MAX_SOUNDING:
        raise AntiphonError(f"{path} asks for {MAX_SOUNDING / 3600:.0f} hours of notes and more: split it")


def _parts(file: Smf, number: int, channel: Channel) -> list[Part]:
    """A channel's notes by (track, program)."""
    groups: dict[tuple[int, int], list[SongNote]] = defaultdict(list)
    for key in channel.notes:  # in order of onset already
        groups[key.track, key.program].append(SongNote(key.onset, key.end - key.onset, key.pitch, key.velocity))
    gain, pan = tuple(channel.gain), tuple(channel.pan)
    bend, vibrato, cuts = tuple(channel.bend), tuple(channel.vibrato), tuple(channel.cuts)
    return [
        Part(track, number, program, file.tracks[track].name, tuple(notes), gain, pan, bend, vibrato, cuts)
        for (track, program), notes in groups.items()
    ]


def _song(path: Path, parts: list[Part], warnings: list[str]) -> Song:
    parts = sorted(parts, key=lambda part: (part.track, part.channel, part.notes[0].onset))
    melodic = tuple(part for part in parts if part.channel != DRUM_CHANNEL)
    drums = tuple(part for part in parts if part.channel == DRUM_CHANNEL)
    seconds = max(note.onset + note.seconds for note in chain.from_iterable(part.notes for part in parts))
    return Song(melodic, drums, seconds, tuple(warnings))
