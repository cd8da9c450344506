"""MIDI files to songs: read_midi. smf decodes events, channel interprets them, and this module times them."""

from collections import defaultdict
from collections.abc import Iterator
from heapq import merge
from itertools import chain
from operator import itemgetter
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.music.channel import Channel, Key
from antiphon.music.lengths import bounded
from antiphon.music.smf import PORT, TEMPO, Event, Smf, read_smf
from antiphon.music.song import Notes, Part, Song, Steps

LINGER = 4.0  # seconds: an unreleased note lasts at most this long after the last event of a note
RING = 1.0  # and at least this long: no click where a track ends on its last chord
MOST_PARTS = 256
DRUM_CHANNEL = 9  # "channel 10", counted from 0

Timed = tuple[float, int, int, int, int]  # seconds, track, status byte, two data bytes


def read_midi(path: str | Path) -> Song:
    """Read a MIDI file of type 0, 1 or 2 (RIFF-wrapped too; tempo maps and SMPTE time).

    The patterns of a type 2 file are played one after another. A damaged track is played as far as it can be read, with
    a warning; whatever is changed to keep within the limits of `lengths` gets one too. Raises AntiphonError, in one
    line, if the file is missing, broken or without notes, or exceeds those limits.
    """
    path = Path(path)
    file = read_smf(path)
    warnings = _damage(path, file)
    patterns = _patterns(file)
    if len(patterns) > 1:
        warnings.append(f"{path} has {len(patterns)} separate patterns (type 2): they are played one after another")
    played: list[tuple[int, Channel]] = []  # number of a channel, 0..15, and its state
    endless, start = 0, 0.0
    for pattern in patterns:
        channels, unreleased, start = _play(file, pattern, start)
        played += [(number, channel) for (_, number), channel in channels.items()]
        endless += unreleased
    notes = sum(len(channel.notes) for _, channel in played)
    if endless:
        never = f"{endless} of {notes} notes in {path} are never released"
        warnings.append(f"{never}: they stop with the song, but last {RING:g} s at least")
    if not notes:
        broken = len(file.tracks) < file.promised or not all(track.whole for track in file.tracks)
        reason = "is a broken MIDI file: export it again" if broken else "has no notes: nothing to play"
        raise AntiphonError(f"{path} {reason}")
    bounded(path, [channel for _, channel in played], warnings)
    return _song(path, [part for number, channel in played for part in _parts(file, number, channel)], warnings)


def _damage(path: Path, file: Smf) -> list[str]:
    """A line about tracks that could not be read to their end, and one about missing tracks."""
    numbers = [str(number) for number, track in enumerate(file.tracks, 1) if not track.whole]
    which = f"track{'s' * (len(numbers) > 1)} {', '.join(numbers[:8])}"
    which += f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
    be = "is" if len(numbers) == 1 else "are"
    damaged = [f"{which} of {path} {be} damaged or cut short: played as far as possible"] if numbers else []
    found = len(file.tracks)
    if found < file.promised:
        damaged.append(f"{path} should have {file.promised:,} tracks: only {found:,} can be found")
    return damaged


def _patterns(file: Smf) -> list[list[int]]:
    """Groups of tracks that sound together, in order of time."""
    if file.kind != 2:
        return [list(range(len(file.tracks)))]
    return [[n] for n, track in enumerate(file.tracks) if any(event.status >> 4 == 9 for event in track.events)]


def _play(file: Smf, pattern: list[int], start: float) -> tuple[dict[tuple[int, int], Channel], int, float]:
    """Play a pattern from `start` on. Returns its channels by (port, number), how many of its notes were never
    released, and the time of its last event."""
    channels: dict[tuple[int, int], Channel] = defaultdict(Channel)
    ports: dict[int, int] = defaultdict(int)  # of each track: with several, there are more than 16 channels
    last = stop = start
    for now, track, status, first, second in _timed(file, pattern, start):
        stop = now
        if status >> 4 in (8, 9):
            last = now
        if status >= 0x80:
            channels[ports[track], status & 15].message(now, track, status, first, second)
        elif status == PORT:
            ports[track] = first
    endless = [key for channel in channels.values() for key in channel.notes if key.end < 0]
    for key in endless:
        key.end = max(min(stop, last + LINGER), key.onset + RING)
    return channels, len(endless), stop


def _timed(file: Smf, pattern: list[int], start: float) -> Iterator[Timed]:
    """The events of tracks that sound together, in playing order, at times that follow the tempo; the end is a last
    event of status 0."""
    ordered = [_ordered(number, file.tracks[number].events) for number in pattern]
    merged = merge(*ordered, key=itemgetter(0, 1))  # stable: tracks in order, a track's own order kept
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
    """(tick, whether a note has begun at that tick, track, event). Sorted by the first two, what a track sets up at a
    tick comes before the notes that other tracks begin there."""
    begun = -1
    for event in events:
        if event.status >> 4 == 9 and event.second:
            begun = event.tick
        yield event.tick, begun == event.tick, number, event


def _parts(file: Smf, number: int, channel: Channel) -> list[Part]:
    """A channel's notes by (track, program)."""
    groups: dict[tuple[int, int], list[Key]] = defaultdict(list)
    for key in channel.notes:  # in order of onset already
        groups[key.track, key.program].append(key)
    gain, pan, bend, vibrato = (Steps(steps) for steps in (channel.gain, channel.pan, channel.bend, channel.vibrato))
    cuts = tuple(channel.cuts)
    return [
        Part(track, number, program, file.tracks[track].name, _notes(keys), gain, pan, bend, vibrato, cuts)
        for (track, program), keys in groups.items()
    ]


def _notes(keys: list[Key]) -> Notes:
    return Notes((key.onset, key.end - key.onset, key.pitch, key.velocity) for key in keys)


def _song(path: Path, parts: list[Part], warnings: list[str]) -> Song:
    if len(parts) > MOST_PARTS:
        raise AntiphonError(
            f"{path} has {len(parts):,} parts (by track and program): merge some ({MOST_PARTS} at most)"
        )
    parts = sorted(parts, key=lambda part: (part.track, part.channel, part.notes[0].onset))
    melodic = tuple(part for part in parts if part.channel != DRUM_CHANNEL)
    drums = tuple(part for part in parts if part.channel == DRUM_CHANNEL)
    seconds = max(note.onset + note.seconds for note in chain.from_iterable(part.notes for part in parts))
    return Song(melodic, drums, seconds, tuple(warnings))
