"""Songs to sound: a voice renders every note, which is placed to the sample, panned and mixed, window by window."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.music import stage
from antiphon.music.casting import Player
from antiphon.music.master import USUAL, Level, Meter, mastered
from antiphon.music.room import Room

WINDOW = 5.0  # seconds of onsets rendered together; bounds the memory
BATCH_SECONDS = 600.0  # of held notes passed to the voice at once
HEADROOM = 0.25  # each part's share of full scale, before the master sets the level
MOST_STEMS = 100
CUT = 0.005  # seconds over which a sound is faded out

Progress = Callable[[int, int], None]
Batch = list[tuple[int, Player, int]]  # sample of the onset, player, index of the note in its part
Block = dict[str, np.ndarray]  # a stretch of the song by bus, (samples, 2) float32 each, all of one length
MIX, ROOM, PARTIALS, NOISE = "mix", "room", "partials", "noise"


class Voice(Protocol):
    """What the player needs from a voice."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of what notes() returns, in Hz."""

    def notes(self, notes: Sequence[Any], w: np.ndarray, *, parts: bool = False) -> Sequence[np.ndarray]:
        """Each note's sound, (samples,) float32, from exactly its onset to the end of its release; w: (n, style) style
        vectors. parts: (samples, 2) instead, partials and noise apart."""


def render(
    players: Sequence[Player], voice: Voice, *, room: float = 0.0, seed: int = 0, start: float = 0.0,
    level: Level = USUAL, progress: Progress | None = None,
) -> np.ndarray:  # fmt: skip
    """Play a song: (samples, 2) float32 at the voice's rate, mastered: about -16 LUFS, true peak at most -1 dBTP.

    room: 0..1, none to a hall; seed: which room. start: seconds of the song to begin at. level: another loudness.
    progress: called with (notes played, notes in total). The same players give the same samples.
    """
    meter, blocks = Meter(voice.sample_rate), []
    for block in in_room(stream(players, voice, start=start, progress=progress), voice.sample_rate, room, seed):
        meter.add(block[MIX])
        blocks.append(block[MIX])
    return np.concatenate(list(mastered(blocks, meter.gain(level), voice.sample_rate)))


def stream(
    players: Sequence[Player], voice: Voice, *, stems: bool = False, parts: bool = False, start: float = 0.0,
    progress: Progress | None = None,
) -> Iterator[Block]:  # fmt: skip
    """The song before mastering, in consecutive blocks: the bus "mix"; with `stems` one more for each track and
    channel, named by `stem_names`; with `parts` "partials" and "noise". The first block is empty: it comes before any
    work and tells which buses there will be. A longer song takes no more memory. start: seconds of the song where the
    first block begins; what still sounds there fades in."""
    blocks = _stream(players, voice, stems, parts, start, progress)
    yield from blocks if start == 0 else _without_beginning(blocks, round(start * voice.sample_rate), voice.sample_rate)


def _without_beginning(blocks: Iterable[Block], first: int, rate: int) -> Iterator[Block]:
    """Blocks from sample `first` of them on, which fade in there."""
    fade = round(CUT * rate)
    rising = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    at = -first  # of the next sample
    for block in blocks:
        count = len(block[MIX])
        kept = {name: sound[max(-at, 0) :] for name, sound in block.items()}
        begin = max(at, 0)
        at += count
        if 0 <= begin < fade and len(kept[MIX]):
            gains = rising[begin : begin + len(kept[MIX])]
            kept = {name: np.concatenate([sound[: len(gains)] * gains, sound[len(gains) :]])
                    for name, sound in kept.items()}  # fmt: skip
        yield kept


def _stream(
    players: Sequence[Player], voice: Voice, stems: bool, parts: bool, start: float, progress: Progress | None
) -> Iterator[Block]:
    from antiphon.core.parallel import in_order

    rate, size = voice.sample_rate, round(WINDOW * voice.sample_rate)
    onsets, owners, indices = _schedule(players, rate, start)
    own = stem_names(players) if stems else {}
    if len(own) > MOST_STEMS:
        raise AntiphonError(
            f"this song has {len(own)} tracks, too many for stems: leave them out (at most {MOST_STEMS})"
        )
    names = (MIX, *([PARTIALS, NOISE] if parts else ()), *own.values())
    buses = {name: _Bus() for name in names}
    yield {name: bus.take(0) for name, bus in buses.items()}
    stops = np.searchsorted(onsets, np.arange(size, int(onsets[-1]) + size + 1, size)).tolist()

    def window(k: int) -> Block:
        """The sound of only the notes that begin in window k, from its first sample on."""
        sums = {name: _Bus(k * size) for name in names}
        for some in _batches(players, owners, indices, ([0, *stops][k], stops[k])):
            batch = [(int(onsets[i]), players[owners[i]], int(indices[i])) for i in some]
            _mix(batch, _drawn(batch, voice, parts), rate, sums, own, parts)
        return {name: bus.take(bus.length) for name, bus in sums.items() if bus.length}

    for k, (stop, sounds) in enumerate(zip(stops, in_order(window, len(stops)), strict=True)):
        for name, sound in sounds.items():
            buses[name].add(k * size, sound)
        if progress:
            progress(stop, len(onsets))
        length = size if stop < len(onsets) else max(bus.length for bus in buses.values())
        yield {name: bus.take(length) for name, bus in buses.items()}


def in_room(blocks: Iterable[Block], sample_rate: int, size: float, seed: int = 0) -> Iterator[Block]:
    """A stream with a room around its mix: what the room adds is in "mix" and, where there are other buses, alone in
    "room". Nothing changes at size 0."""
    if size == 0:
        yield from blocks
        return
    room = Room(size, sample_rate, seed)
    block: Block = {}
    for block in blocks:
        yield _with_room(block, room)
    left = round(room.seconds * sample_rate)
    yield _with_room({name: np.zeros((left, 2), np.float32) for name in block}, room)


def _with_room(block: Block, room: Room) -> Block:
    added = room(block[MIX])
    alone = {ROOM: added} if len(block) > 1 else {}
    return block | {MIX: block[MIX] + added} | alone


def stem_names(players: Sequence[Player]) -> dict[tuple[int, int], str]:
    """The bus names of each track and channel: numbers that keep the order, and the track's name or "drums"; not the
    instrument, so that another instrument replaces the same file."""
    names: dict[tuple[int, int], str] = {}
    for player in players:
        track, channel = player.stem
        name = player.part.name or player.word
        names.setdefault(player.stem, f"{track + 1:02d}-{channel + 1:02d} {name}".rstrip())
    return names


class _Bus:
    """A sum of stereo sounds, from the first sample not taken yet."""

    def __init__(self, start: int = 0) -> None:
        self.start, self.length = start, 0  # its place in the song; samples that contain sound
        self.sum = np.zeros((0, 2), np.float32)

    def add(self, first: int, sound: np.ndarray) -> None:
        """Add (n, 2) from sample `first` of the song on."""
        at = first - self.start
        self.length = max(self.length, at + len(sound))
        self._hold(self.length)
        self.sum[at : at + len(sound)] += sound

    def take(self, count: int) -> np.ndarray:
        """The next (count, 2) samples."""
        self._hold(count)
        taken, self.sum = self.sum[:count], self.sum[count:].copy()
        self.start, self.length = self.start + count, max(self.length - count, 0)
        return taken

    def _hold(self, length: int) -> None:
        if length > len(self.sum):
            self.sum = np.concatenate([self.sum, np.zeros((length - len(self.sum), 2), np.float32)])


def _schedule(players: Sequence[Player], rate: int, start: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All notes that are held after `start` seconds in order of time: (notes,) sample of the onset, player, index in
    its part."""
    onsets = [np.array([round(note.onset * rate) for note in player.part.notes], np.int64) for player in players]
    owners = np.repeat(np.arange(len(players)), [len(own) for own in onsets])
    indices = np.concatenate([np.arange(len(own)) for own in onsets])
    merged = np.concatenate(onsets)
    order = np.lexsort((indices, owners, merged))
    if start > 0:
        held = np.concatenate([[note.onset + note.seconds > start for note in player.part.notes] for player in players])
        order = order[held[order]]
        if not len(order):
            raise AntiphonError(f"nothing sounds after {start:g} s: choose another stretch")
    return merged[order], owners[order], indices[order]


def _batches(
    players: Sequence[Player], owners: np.ndarray, indices: np.ndarray, window: tuple[int, int]
) -> Iterator[range]:
    """The notes of the schedule from window[0] to window[1], in batches of bounded length."""
    begin, seconds = window[0], 0.0
    for i in range(*window):
        length = players[owners[i]].part.notes[indices[i]].seconds + 1  # plus its release
        if i > begin and seconds + length > BATCH_SECONDS:
            yield range(begin, i)
            begin, seconds = i, 0.0
        seconds += length
    if begin < window[1]:
        yield range(begin, window[1])


def _drawn(batch: Batch, voice: Voice, parts: bool) -> list[np.ndarray]:
    """The sound of each note of a batch."""
    sounds: list[np.ndarray] = [np.zeros(0, np.float32)] * len(batch)
    for own in {id(player.voice): player.voice for _, player, _ in batch}.values():
        some = [i for i, (_, player, _) in enumerate(batch) if player.voice is own]
        notes = [batch[i][1].note(batch[i][2]) for i in some]
        w, asked = np.stack([batch[i][1].w(batch[i][2]) for i in some]), voice if own is None else own
        drawn = asked.notes(notes, w, parts=True) if parts else asked.notes(notes, w)
        if len(drawn) != len(some):
            raise ValueError(f"the voice returned {len(drawn)} sounds for {len(some)} notes")
        for i, sound in zip(some, drawn, strict=True):
            sounds[i] = sound
    return sounds


def _mix(
    batch: Batch,
    sounds: Sequence[np.ndarray],
    rate: int,
    buses: dict[str, _Bus],
    stems: Mapping[tuple[int, int], str],
    parts: bool,
) -> None:
    """Add a batch's sounds to the buses. stems: names of the stems' buses, if any."""
    placed: dict[tuple[Player, float], list[tuple[int, np.ndarray]]] = {}
    for (onset, player, index), sound in zip(batch, sounds, strict=True):
        sound = _silenced(sound, player.cut(index) * rate - onset, rate) * np.float32(player.level(index))
        placed.setdefault((player, player.place(index)), []).append((onset, sound))
    for (player, place), own in placed.items():
        first, sound = _summed(own)
        sound = _seated(sound, player, place, first, rate)  # (samples, 1 or 2 kinds, 2 sides)
        whole = sound.sum(axis=1) if parts else sound[:, 0]
        buses[MIX].add(first, whole)
        if stems:
            buses[stems[player.stem]].add(first, whole)
        if parts:
            buses[PARTIALS].add(first, sound[:, 0])
            buses[NOISE].add(first, sound[:, 1])


def _silenced(sound: np.ndarray, cut: float, rate: int) -> np.ndarray:
    """A sound faded out from sample `cut` on."""
    if cut >= len(sound):
        return sound
    first, fade = max(round(cut), 0), round(CUT * rate)
    short = sound[: first + fade].copy()
    falling = np.linspace(1, 0, fade, dtype=np.float32)[: len(short) - first]
    short[first:] *= falling.reshape(-1, *[1] * (sound.ndim - 1))
    return short


def _summed(placed: Sequence[tuple[int, np.ndarray]]) -> tuple[int, np.ndarray]:
    """Sounds at samples of the song -> (the first sample, their sum as (samples, kinds))."""
    first = min(onset for onset, _ in placed)
    kinds = 1 if placed[0][1].ndim == 1 else placed[0][1].shape[1]
    total = np.zeros((max(onset + len(sound) for onset, sound in placed) - first, kinds), np.float32)
    for onset, sound in placed:
        total[onset - first : onset - first + len(sound)] += sound.reshape(len(sound), kinds)
    return first, total


def _seated(sound: np.ndarray, player: Player, place: float, first: int, rate: int) -> np.ndarray:
    """(samples, kinds) from sample `first` of the song -> (samples, kinds, 2): panned to the player's place, with the
    air around."""
    width = player.air()
    if not width:
        return _panned(sound, player, place, first, rate)
    side = stage.aired(sound, width, player.seed, rate)
    whole = np.concatenate([sound, np.zeros((len(side) - len(sound), *sound.shape[1:]), np.float32)])
    panned = _panned(whole, player, place, first, rate)
    around = _panned(side, player, 0.0, first, rate, alone=True)
    around[..., 1] *= -1
    return np.asarray(panned + around)


def _panned(
    sound: np.ndarray, player: Player, place: float, first: int, rate: int, *, alone: bool = False
) -> np.ndarray:
    """(samples, kinds) from sample `first` of the song -> (samples, kinds, 2): volume and equal-power pan. place: how
    far beside the song's own; alone: in the middle, whatever the song says."""
    start, stop = first / rate, (first + len(sound)) / rate
    gain, pan = player.gain.constant(start, stop), player.pan.constant(start, stop)
    at = np.arange(first, first + len(sound)) / rate if gain is None or pan is None else np.zeros(1)
    level = (player.gain.at(at) if gain is None else gain) * HEADROOM
    where = player.pan.at(at) if pan is None else pan
    if place or alone:
        where = 0.0 if alone else np.clip(where + place, -1, 1)
    angle = (where + 1) * (np.pi / 4)
    sides = np.stack(np.broadcast_arrays(level * np.cos(angle), level * np.sin(angle)), axis=-1).astype(np.float32)
    left, right = sides.reshape(-1, 2, 1).swapaxes(0, 1)
    return np.stack([sound * left, sound * right], axis=-1)
