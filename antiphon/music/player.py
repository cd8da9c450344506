"""Songs to sound: every note is asked of a voice, placed to the sample, panned and mixed."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from antiphon.errors import AntiphonError
from antiphon.music.master import master
from antiphon.music.midi import GAIN_RAMP, Part, Points, Song, SongNote, ramped
from antiphon.notes import Note

WINDOW = 10.0  # seconds of onsets rendered together: what bounds the memory
BATCH_SECONDS = 1200.0  # of held notes handed to the voice at once
HEADROOM = 0.25  # each part's share of full scale, before the master sets the level

Progress = Callable[[int, int], None]


class Voice(Protocol):
    """What the player needs of a voice."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of what notes() returns."""

    def resolve(self, name: str | int) -> str:
        """The voice's label for a name, or for a General MIDI program 0..127. Raises AntiphonError."""

    def notes(self, notes: Sequence[Note]) -> Sequence[np.ndarray]:
        """Each note's sound, (samples,) float32, from exactly its onset to the end of its release."""


def render(
    song: Song, voice: Voice, *, instrument: str | None = None, seed: int = 0, progress: Progress | None = None
) -> np.ndarray:
    """Play a song: (samples, 2) float32 at the voice's rate, mastered: about -16 LUFS, true peak at most -1 dBFS.

    instrument: a label for every part, in place of the song's programs. seed: which players; the same seed plays the
    same song to the same samples. progress: called with (notes played, notes in all). Raises AntiphonError when there
    is nothing to play or a label does not exist.
    """
    blocks = list(stream(song, voice, instrument=instrument, seed=seed, progress=progress))
    return master(np.concatenate(blocks), voice.sample_rate)


def stream(
    song: Song, voice: Voice, *, instrument: str | None = None, seed: int = 0, progress: Progress | None = None
) -> Iterator[np.ndarray]:
    """The mix before the master, in consecutive blocks of (samples, 2) float32; see render. Memory does not grow with
    the song's length."""
    players = _players(song, voice, instrument, seed)
    rate, size = voice.sample_rate, round(WINDOW * voice.sample_rate)
    entries = sorted((_sample(note, rate), p, n) for p, player in enumerate(players)
                     for n, note in enumerate(player.part.notes))  # fmt: skip
    done, tail = 0, np.zeros((0, 2), np.float32)
    for start in range(0, entries[-1][0] + 1, size):
        last = start + size > entries[-1][0]
        mix = tail if last else _grown(tail, size)
        for batch in _batches(entries, done, start + size, players):
            mix = _play(batch, players, voice, mix, start)
            done += len(batch)
            if progress:
                progress(done, len(entries))
        yield mix[:size]
        tail = mix[size:]
    if len(tail):
        yield tail


@dataclass(frozen=True, slots=True)
class _Player:
    """A part with its instrument and the breakpoints of its automation."""

    part: Part
    instrument: str
    seed: int
    gain: tuple[np.ndarray, np.ndarray]
    pan: tuple[np.ndarray, np.ndarray]

    def note(self, index: int) -> Note:
        """The voice's note: one character for the whole part, another noise for each note."""
        note = self.part.notes[index]
        take = (self.seed + 0x9E3779B1 * (index + 1)) & 0x7FFFFFFF
        return Note(note.pitch, note.seconds, note.velocity, self.instrument, (), self.seed, take, note.bend)


Entry = tuple[int, int, int]  # sample of the onset, player, note


def _players(song: Song, voice: Voice, instrument: str | None, seed: int) -> list[_Player]:
    if song.drums:
        warnings.warn("channel 10 (drums) is skipped: this voice plays pitched instruments only", stacklevel=4)
    if not song.parts:
        raise AntiphonError("the song has drums only (channel 10): nothing this voice can play")
    players = []
    for part in song.parts:
        label = voice.resolve(part.program if instrument is None else instrument)
        # A function of what the part is, not of its place: adding a track leaves the others as they were.
        words = [seed & 0xFFFFFFFF, part.track, part.channel, part.program]
        own = int(np.random.SeedSequence(words).generate_state(1)[0]) & 0x7FFFFFFF
        players.append(_Player(part, label, own, _curve(part.gain), _curve(part.pan)))
    return players


def _curve(steps: Points) -> tuple[np.ndarray, np.ndarray]:
    return ramped(steps, GAIN_RAMP)


def _sample(note: SongNote, rate: int) -> int:
    return round(note.onset * rate)


def _batches(entries: list[Entry], first: int, stop: int, players: list[_Player]) -> Iterator[list[Entry]]:
    """The entries from `first` on whose onsets lie before sample `stop`, in batches of bounded length."""
    batch: list[Entry] = []
    seconds = 0.0
    for index in range(first, len(entries)):
        onset, player, note = entries[index]
        if onset >= stop:
            break
        length = players[player].part.notes[note].seconds + 1  # and its release
        if batch and seconds + length > BATCH_SECONDS:
            yield batch
            batch, seconds = [], 0.0
        batch.append(entries[index])
        seconds += length
    if batch:
        yield batch


def _play(batch: list[Entry], players: list[_Player], voice: Voice, mix: np.ndarray, start: int) -> np.ndarray:
    """Add a batch to the mix, which begins at sample `start` of the song and is grown where notes outlast it."""
    sounds = voice.notes([players[player].note(note) for _, player, note in batch])
    if len(sounds) != len(batch):
        raise ValueError(f"the voice returned {len(sounds)} sounds for {len(batch)} notes")
    by_player: dict[int, list[tuple[int, np.ndarray]]] = {}
    for (onset, player, _), sound in zip(batch, sounds, strict=True):
        by_player.setdefault(player, []).append((onset, sound))
    for player in sorted(by_player):
        placed = by_player[player]
        first = min(onset for onset, _ in placed)
        bus = np.zeros(max(onset + len(sound) for onset, sound in placed) - first, np.float32)
        for onset, sound in placed:
            bus[onset - first : onset - first + len(sound)] += sound
        mix = _grown(mix, first - start + len(bus))
        mix[first - start : first - start + len(bus)] += _panned(bus, players[player], first, voice.sample_rate)
    return mix


def _panned(bus: np.ndarray, player: _Player, first: int, rate: int) -> np.ndarray:
    """(samples,) that begin at sample `first` of the song -> (samples, 2): volume, and pan of equal power."""
    gain = _span(player.gain, first, len(bus), rate) * HEADROOM
    angle = (_span(player.pan, first, len(bus), rate) + 1) * (np.pi / 4)
    sides = np.stack(np.broadcast_arrays(gain * np.cos(angle), gain * np.sin(angle)), axis=-1)
    return bus[:, None] * sides.astype(np.float32)


def _span(curve: tuple[np.ndarray, np.ndarray], first: int, length: int, rate: int) -> np.ndarray:
    """A curve's value at each of `length` samples, (length,), or one for all, (1,), where it does not move."""
    times, values = curve
    start, stop = first / rate, (first + length) / rate
    a, b = np.searchsorted(times, [start, stop])
    around = values[max(a - 1, 0) : b + 1]
    if (around == around[0]).all():
        return around[:1]
    return np.interp(np.arange(first, first + length) / rate, times, values)


def _grown(mix: np.ndarray, length: int) -> np.ndarray:
    """(samples, 2) with silence added up to `length`."""
    missing = max(length - len(mix), 0)
    return np.concatenate([mix, np.zeros((missing, 2), np.float32)]) if missing else mix
