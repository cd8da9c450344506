"""From notes to sounds: how long a note rings, how its pitch moves, and the generator's one forward.

A note is rendered from two sets of curves: those of a note that is still held, whatever comes, and those of one that
was released. From its release on the second replace the first,

    noise(t) = held(t) + ramp(t - r) (released(t) - held(t))        partials: block by block, as blocks overlap

so that no sample depends on what comes after it, and a note can be played without knowing how long it will be held
[streams.py]. Apart from that the curves are known in advance: looking ahead in them is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import FADE, LONG_HOP, InstrumentGenerator, fade_in
from antiphon.networks.gesture import STRIKE, Curves, Gesture, Tuning
from antiphon.networks.knobs import turned
from antiphon.networks.oscillators import HOP, block_count, oscillate_near
from antiphon.networks.partials import Blocks, coefficients
from antiphon.networks.physics import midi_to_hz
from antiphon.networks.precision import mixed, multiplies_bfloat16
from antiphon.networks.shaping import KNOBS
from antiphon.networks.timegrid import held_count, held_knots, pad_knots, released_knots, rounded_up
from antiphon.voices.known import AHEAD, LEAVE, RING, Known, death, ending, letting_go, peaks
from antiphon.voices.pitch_track import STEADY, Pitches, Track, bent, let_go_at

LETTING_GO = 256  # samples over which the noise of a released note replaces that of a held one
TOGETHER = 1 << 17  # partials x blocks rendered at once: more would not fit a processor's cache
EVEN = 32  # knots: a batch has a multiple of it


HALF = multiplies_bfloat16("cpu")  # the trunk then runs as in training: -36 dB of difference, a sixth of the time


@torch.inference_mode()
def perform(
    generator: InstrumentGenerator,
    notes: Sequence[Note],
    w: Tensor,
    in_tune: bool = True,
    parts: bool = False,
    takes: Mapping[float, Sequence[int]] = MappingProxyType({}),
) -> list[np.ndarray]:
    """Each note's sound, (samples,) float32, from its onset until it has decayed by 60 dB; with `parts` (samples, 2),
    its partials and its noise separately.

    w: (notes, style). in_tune: leave out the constant tuning error of the training recordings. takes: for some keys,
    the only takes there are [voice.VoiceInfo]. Notes of similar length are best played together, since all have as many
    knots as the longest."""
    holds = torch.tensor([max(round(n.seconds * SAMPLE_RATE), 1) for n in notes])
    known, tuning, samples = _whole(generator, notes, holds, w, takes)
    tracks = [
        Pitches(note, tuning[i], known.of_note(i), float(holds[i]), in_tune).track(0, block_count(samples[i]))
        for i, note in enumerate(notes)
    ]
    audible = known.audible()
    sounds = [np.zeros(0, np.float32)] * len(notes)
    for some in _in_cache(audible.sum(1).tolist(), samples, [track.steady for track in tracks]):
        at = torch.tensor(some)
        own = known[at].only(audible[at])
        rendered = _draw(generator, own, holds[at], [tracks[i] for i in some], [samples[i] for i in some], parts)
        for i, sound in zip(some, rendered, strict=True):
            sounds[i] = sound
    return sounds


def _whole(
    generator: InstrumentGenerator,
    notes: Sequence[Note],
    holds: Tensor,
    w: Tensor,
    takes: Mapping[float, Sequence[int]],
) -> tuple[Known, Tuning, list[int]]:
    """The curves of notes whose releases are known, where their partials lie, and how many samples each lasts."""
    g, held = _gesture(notes, holds, takes)
    tuning = generator.tuning(w, g.pitch, g.velocity)
    known = Known.of(generator, g, ask(generator, w, g), tuning, held)
    before, after = known.loud[:, :held], known.loud[:, held:]
    peak = peaks(before)
    died, _ = death(before, peak, known.held, known.held.new_zeros(len(notes)))
    sounded = before.masked_fill(known.held > holds.unsqueeze(-1), -torch.inf).amax(1)
    hush, top, end = letting_go(after, known.after, holds, sounded)
    beside = torch.cat([peak, top.unsqueeze(-1).expand_as(after)], 1)
    samples = [ending(*times) for times in zip(died.tolist(), holds.tolist(), end.tolist(), strict=True)]
    return replace(known.hushed(hush), peak=beside).gated(), tuning, samples


def ask(generator: InstrumentGenerator, w: Tensor, g: Gesture) -> Curves:
    """The trunk's curves. It is given batches of few shapes only, padded to the next power of two with the last note:
    oneDNN caches what it prepares for each shape of a bfloat16 product, some 3 MB for a batch."""
    count = len(w)
    at = torch.arange(1 << (count - 1).bit_length()).clamp(max=count - 1)
    with in_precision():
        curves = generator.curves(w[at], g[at])
    return Curves(**{name: rows[:count] for name, rows in vars(curves).items()})


def in_precision() -> torch.autocast:
    """In which the trunk runs here."""
    return mixed(torch.device("cpu"), HALF)


# ---- the gesture -----------------------------------------------------------------------------------------------------


def _gesture(notes: Sequence[Note], holds: Tensor, takes: Mapping[float, Sequence[int]]) -> tuple[Gesture, int]:
    """The notes as they are played, and how many of their knots lie before the release; the others reach as far beyond
    it as any note may ring."""
    after = released_knots(round(RING * SAMPLE_RATE))
    counts = [max(held_count(hold + 2 * LONG_HOP) + 1, AHEAD) for hold in holds.tolist()]
    held = pad_knots([held_knots(0, count) for count in counts])
    held = torch.nn.functional.pad(held, (0, -(held.shape[1] + len(after)) % EVEN), mode="replicate")
    tail = holds.unsqueeze(-1) + torch.from_numpy(after)
    release = torch.cat([torch.full_like(held, torch.inf), holds.unsqueeze(-1).expand_as(tail).float()], 1)
    blocks = block_count(int(tail.max()))
    return gesture(notes, torch.cat([held, tail.float()], 1), release, 0, blocks, takes), held.shape[1]


def gesture(
    notes: Sequence[Note],
    knots: Tensor,
    release: Tensor,
    start: int,
    blocks: int,
    takes: Mapping[float, Sequence[int]],
) -> Gesture:
    """The notes as the trunk is given them, at knots within `blocks` blocks from sample `start` on."""
    pitch = torch.tensor([n.pitch for n in notes], dtype=torch.float32)
    bends = torch.from_numpy(np.stack([bent(n, start, blocks) for n in notes])).float()
    return Gesture(
        pitch=pitch,
        velocity=torch.tensor([n.velocity / 127 for n in notes], dtype=torch.float32),
        release=release,
        start=torch.full((len(notes),), start),
        samples=(blocks - 1) * HOP,
        knots=knots,
        f0=midi_to_hz(pitch.unsqueeze(-1) + bends),
        take=torch.tensor([_draw_of(n, takes.get(round(n.pitch, 2), ())) for n in notes]),
        shaping=turned([n.shaping for n in notes], KNOBS),
    )


def _draw_of(note: Note, takes: Sequence[int]) -> int:
    """The seed of everything random in a note: different for each seed and take, among `takes` if there are any."""
    return takes[(note.take + note.seed) % len(takes)] if takes else note.take * 7919 + note.seed


# ---- sound -----------------------------------------------------------------------------------------------------------


def tones(known: Known, first: int, tracks: Sequence[Track], release: Tensor) -> Iterator[Tensor]:
    """The partials of each note from block `first` on, (128 (blocks - 1),) samples for the blocks of its track.
    release: (batch,) samples."""
    blocks = max(len(track.cycles) for track in tracks)
    number = first + torch.arange(blocks)
    switch = torch.tensor([let_go_at(r) for r in release.tolist()]).unsqueeze(-1)
    amplitude = coefficients(
        known.bank,
        known.ensemble,
        known.detune,
        Blocks(
            pitch=known.pitch,
            take=known.take,
            start=torch.full((len(tracks),), first * HOP),
            place=known.place((number * HOP).expand(len(tracks), -1), number >= switch),
            cycles=torch.stack([_longer(torch.from_numpy(track.cycles), blocks) for track in tracks]),
            gone=torch.stack([_longer(track.gone, blocks) for track in tracks]),
        ),
        even=True,
    )
    for i, (track, count) in enumerate(zip(tracks, known.bank.real.sum(1).tolist(), strict=True)):
        own = amplitude[i, : len(track.cycles), :count]
        yield oscillate_near(own, torch.from_numpy(track.cycles), known.bank.ratios[i, :count], STEADY, track.home)


def _longer(values: Tensor, count: int) -> Tensor:
    """(count,) the values, padded with the last."""
    return torch.cat([values, values[-1:].expand(count - len(values))])


def noises(
    generator: InstrumentGenerator, known: Known, first: int, lasts: Sequence[int], release: Tensor
) -> Iterator[Tensor]:
    """The lasting noise of each note, samples 1024 first .. 1024 last. release: (batch,) samples."""
    spans = [_Spans.of(first, last, r) for last, r in zip(lasts, release.tolist(), strict=True)]
    frames = [[*span.held, *span.after] for span in spans]
    longest = max(map(len, frames))
    number = torch.tensor([row + row[-1:] * (longest - len(row)) for row in frames])
    released = torch.arange(longest) >= torch.tensor([len(span.held) for span in spans]).unsqueeze(-1)
    bands = known.place(number * LONG_HOP, released) @ known.noise
    for row, span in zip(generator.lasting(bands, known.take, number), spans, strict=True):
        yield span.joined(row)


@dataclass(frozen=True)
class _Spans:
    """Numbers of the frames of noise that make up a part of a note: while it is held, and after its release. From the
    last of the former to the first of the latter nothing is rendered."""

    held: range
    after: range
    release: float

    @classmethod
    def of(cls, first: int, last: int, release: float) -> _Spans:
        begun, over = release // LONG_HOP, rounded_up(release + LETTING_GO, LONG_HOP) / LONG_HOP
        if math.isinf(release):
            begun = over = last
        held, after = min(int(over), last), max(int(begun), first)
        return cls(
            range(first, held + 1) if held > first else range(0),
            range(after, last + 1) if after < last else range(0),
            release,
        )

    def joined(self, noise: Tensor) -> Tensor:
        """The part, from the noise of all its frames."""
        held = noise[: LONG_HOP * (len(self.held) - 1)] if self.held else noise[:0]
        if not self.after:
            return held
        begin = LONG_HOP * len(self.held)
        after = noise[begin : begin + LONG_HOP * (len(self.after) - 1)]
        if not self.held:
            return after
        both = LONG_HOP * (self.held[-1] - self.after[0])
        times = LONG_HOP * self.after[0] + torch.arange(both)
        ramp = ((times - self.release) / LETTING_GO).clamp(0, 1)
        mixed = torch.lerp(held[len(held) - both :], after[:both], ramp)
        return torch.cat([held[: len(held) - both], mixed, after[both:]])


def _draw(
    generator: InstrumentGenerator,
    known: Known,
    release: Tensor,
    tracks: Sequence[Track],
    samples: Sequence[int],
    parts: bool,
) -> Iterator[np.ndarray]:
    """The sounds of a few notes, of `samples` samples each."""
    struck = generator.struck(known.strike, known.take, known.held)
    hops = [-(-count // LONG_HOP) for count in samples]
    start, end = fade_in().unsqueeze(-1), leaving().unsqueeze(-1)
    both = zip(tones(known, 0, tracks, release), noises(generator, known, 0, hops, release), struck, strict=True)
    for (tone, noise, strike), count in zip(both, samples, strict=True):
        noise = noise[:count]
        noise[:STRIKE] += strike[:count]
        sound = torch.stack([tone, noise], -1) if parts else (tone + noise).unsqueeze(-1)
        sound[:FADE] *= start
        sound[-LEAVE:] *= end
        yield (sound if parts else sound.squeeze(-1)).numpy()


def leaving() -> Tensor:
    """(512,) gains at the end of a note."""
    return torch.linspace(1, 0, LEAVE)


def _in_cache(partials: Sequence[int], samples: Sequence[int], steady: Sequence[bool]) -> list[list[int]]:
    """Notes grouped so that those of similar length are rendered together, those of steady pitch among themselves, and
    a group's work fits the processor's cache."""
    groups: list[list[int]] = [[]]
    for i in sorted(range(len(samples)), key=lambda i: (steady[i], -samples[i])):
        group = [*groups[-1], i]
        size = len(group) * max(partials[j] for j in group) * samples[group[0]]
        if (steady[group[0]] == steady[i] and size <= TOGETHER * HOP) or len(group) == 1:
            groups[-1] = group
        else:
            groups.append([i])
    return groups
