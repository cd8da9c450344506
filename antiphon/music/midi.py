"""MIDI files to songs: read_midi. smf decodes events, module and channel interpret them, and this module times them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from heapq import merge
from itertools import chain
from operator import itemgetter
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.music.bars import bar_starts
from antiphon.music.channel import Channel, Key
from antiphon.music.lengths import bounded
from antiphon.music.module import Module, exclusive
from antiphon.music.smf import EXCLUSIVE, PORT, TEMPO, Event, Smf, Track, read_smf
from antiphon.music.song import Notes, Part, Song, Steps

LINGER = 4.0  # seconds: an unreleased note lasts at most this long after the last event of a note
RING = 1.0  # and at least this long: no click where a track ends on its last chord
MOST_PARTS = 256
MOST_UNPLAYED = 12  # kinds of things named as not played

Timed = tuple[float, int, int, int, int]  # seconds, track, status byte, two data bytes
Ordered = tuple[int, int, int, Event]  # tick, rank, track, event
EARLY, USUAL, LATE = range(3)  # order of events at one tick


def read_midi(path: str | Path) -> Song:
    """Read a MIDI file of type 0, 1 or 2 (RIFF-wrapped too; tempo maps and SMPTE time).

    The patterns of a type 2 file are played one after another. A damaged track is played as far as it can be read, with
    a warning; whatever is changed to keep within the limits of `lengths` gets one too. Raises AntiphonError, in one
    line, if the file is missing, broken or without notes, or exceeds those limits.
    """
    path = Path(path)
    file = read_smf(path)
    warnings = _damage(path, file)
    groups = patterns(file)
    if len(groups) > 1:
        warnings.append(f"{path} has {len(groups)} separate patterns (type 2): they are played one after another")
    modules: list[Module] = []
    endless, start = 0, 0.0
    for pattern in groups:
        played, unreleased, start = _play(file, pattern, start)
        modules += played
        endless += unreleased
    channels = [channel for module in modules for channel in module.channels if channel.notes]
    notes = sum(len(channel.notes) for channel in channels)
    if endless:
        never = f"{endless} of {notes} notes in {path} are never released"
        warnings.append(f"{never}: they stop with the song, but last {RING:g} s at least")
    if not notes:
        broken = len(file.tracks) < file.promised or not all(track.whole for track in file.tracks)
        reason = "is a broken MIDI file: export it again" if broken else "has no notes: nothing to play"
        raise AntiphonError(f"{path} {reason}")
    warnings += _unplayed(file, modules)
    bars = bar_starts(file, max(key.end for channel in channels for key in channel.notes))
    bounded(path, channels, warnings, bars)
    parts = [part for channel in channels for part in _parts(file, channel)]
    return replace(_song(path, parts, warnings), bars=tuple(bars))


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


def _unplayed(file: Smf, modules: list[Module]) -> list[str]:
    """The one line that names what is not played as written, if anything."""
    counts = sum((module.master.unplayed for module in modules), Counter[str]())
    named = [f"{count:,} {name.format(s='' if count == 1 else 's')}" for name, count in counts.most_common()]
    if file.bank:
        named.insert(0, f"the file's own sounds ({-(-file.bank // 1000):,} kB)")
    if len(named) > MOST_UNPLAYED:
        named[MOST_UNPLAYED:] = [f"and {len(named) - MOST_UNPLAYED} more kinds"]
    return [f"not played as written: {', '.join(named)}"] if named else []


def patterns(file: Smf) -> list[list[int]]:
    """Groups of tracks that sound together, in order of time."""
    if file.kind != 2:
        return [list(range(len(file.tracks)))]
    return [[n] for n, track in enumerate(file.tracks) if any(event.status >> 4 == 9 for event in track.events)]


def _play(file: Smf, pattern: list[int], start: float) -> tuple[list[Module], int, float]:
    """Play a pattern from `start` on. Returns a sound module for each port, how many of its notes were never released,
    and the time of its last event."""
    modules = modules_of(file, pattern)
    ports: dict[int, int] = defaultdict(int)  # of each track: with several, there are more than 16 channels
    last = stop = start
    for now, track, status, first, second in _timed(file, pattern, start):
        stop = now
        if status >> 4 in (8, 9):
            last = now
        if status == EXCLUSIVE:
            hear_exclusive(now, file.tracks[track], first, modules, ports[track])
        elif status >= 0x80:
            modules[ports[track]].message(now, track, status, first, second)
        elif status == PORT:
            ports[track] = first
    channels = [channel for module in modules.values() for channel in module.channels]
    endless = [key for channel in channels for key in channel.notes if key.end < 0]
    for key in endless:
        key.end = max(min(stop, last + LINGER), key.onset + RING)
    return list(modules.values()), len(endless), stop


def modules_of(file: Smf, pattern: list[int]) -> dict[int, Module]:
    """A sound module for each port that tracks mention."""
    return {port: Module() for port in {0}.union(*(file.tracks[number].ports for number in pattern))}


def hear_exclusive(now: float, track: Track, index: int, modules: dict[int, Module], port: int) -> None:
    """A system exclusive message of a track, for the module at its port; for all, where it names none."""
    meant = [modules[port]] if track.ports else list(modules.values())
    exclusive(now, meant, bytes(track.exclusive[index]))


def _timed(file: Smf, pattern: list[int], start: float) -> Iterator[Timed]:
    """The events of tracks that sound together, in playing order, at times that follow the tempo; the end is a last
    event of status 0."""
    now, before, step = start, 0, file.tick
    for track, (tick, status, first, second) in in_order(file, pattern):
        now += (tick - before) * step
        before = tick
        if status != TEMPO:
            yield now, track, status, first, second
        elif file.elastic:
            step = file.tick * first / 500_000
    end = max((file.tracks[number].end for number in pattern), default=0)
    yield now + max(end - before, 0) * step, 0, 0, 0, 0


def in_order(file: Smf, pattern: list[int]) -> Iterator[tuple[int, Event]]:
    """The events of tracks that sound together, each with its track's number, in playing order."""
    ordered = [_ordered(number, file.tracks[number]) for number in pattern]
    for _, _, number, event in merge(*ordered, key=itemgetter(0, 1)):  # stable: tracks in order, a track's own kept
        yield number, event


def _ordered(number: int, track: Track) -> Iterator[Ordered]:
    """A track's events by tick and rank: what a track sets up at a tick comes before the notes that other tracks begin
    there, and system exclusive messages come before that, lest a reset undo what is set along with it."""
    if track.exclusive:
        yield from sorted(_ranked(number, track, (EXCLUSIVE, PORT)), key=itemgetter(0, 1))
    else:
        yield from _ranked(number, track, ())


def _ranked(number: int, track: Track, early: tuple[int, ...]) -> Iterator[Ordered]:
    begun = -1
    for event in track.events:
        if event.status >> 4 == 9 and event.second:
            begun = event.tick
        rank = LATE if begun == event.tick else EARLY if event.status in early else USUAL
        yield event.tick, rank, number, event


def _parts(file: Smf, channel: Channel) -> list[Part]:
    """A channel's notes by track, program and kit."""
    groups: dict[tuple[int, int, int, str], list[Key]] = defaultdict(list)
    for key in channel.notes:  # in order of onset already
        groups[key.track, key.channel, key.program, key.kit].append(key)
    gain, pan, bend, vibrato = (Steps(steps) for steps in (channel.gain, channel.pan, channel.bend, channel.vibrato))
    cuts = tuple(channel.cuts)
    return [
        Part(track, number, program, file.tracks[track].name_of(channel.number), _notes(keys), gain, pan, bend, vibrato,
             cuts, kit)
        for (track, number, program, kit), keys in groups.items()
    ]  # fmt: skip


def _notes(keys: list[Key]) -> Notes:
    return Notes((key.onset, key.end - key.onset, key.pitch, key.velocity) for key in keys)


def _song(path: Path, parts: list[Part], warnings: list[str]) -> Song:
    if len(parts) > MOST_PARTS:
        raise AntiphonError(
            f"{path} has {len(parts):,} parts (by track and program): merge some ({MOST_PARTS} at most)"
        )
    parts = sorted(parts, key=lambda part: (part.track, part.channel, part.notes[0].onset))
    melodic = tuple(part for part in parts if not part.kit)
    drums = tuple(part for part in parts if part.kit)
    seconds = max(note.onset + note.seconds for note in chain.from_iterable(part.notes for part in parts))
    return Song(melodic, drums, seconds, tuple(warnings))
