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
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import FADE, LONG_HOP, InstrumentGenerator, fade_in
from antiphon.networks.gesture import STRIKE, Curves, Gesture, Tuning
from antiphon.networks.oscillators import HOP, TURN, block_count, cycles_from, oscillate_near
from antiphon.networks.partials import SILENT, Bank, Blocks, coefficients
from antiphon.networks.physics import midi_to_hz
from antiphon.networks.timegrid import held_count, held_knots, pad_knots, released_knots
from antiphon.representations.mel import hat_weights

RING = 4.0  # seconds after its release within which a note has died away
QUIET = -6.9  # nepers (-60 dB) below its peak, where a note's tail is cut
AGAIN = 2.0  # nepers a note may swell after its release, for each by which it stays above silence; see _release_gate
LEAVE = 512  # samples over which the rest then fades
DIED = 11_025  # samples of silence after which a held note has died away
INAUDIBLE = -8.5  # nepers (-74 dB) below a note's peak, where a partial is left out
AHEAD = 24  # knots (0.2 s) over which a note's first peak is taken; after them it is the peak so far
NOISE_AS_TONE = -1.5  # nepers: a band of noise at gain 1 is about as loud as a partial of this amplitude
LETTING_GO = 256  # samples over which the noise of a released note replaces that of a held one
STEADY = 1.5  # cents of drift and vibrato that count as none
SWELL = 0.3  # seconds in which vibrato sets in
TOGETHER = 1 << 17  # partials x blocks rendered at once: more would not fit a processor's cache
EVEN = 32  # knots: a batch has a multiple of it
FAINT = 3.0  # cents of vibrato that are not played: the depth measured without any vibrato is not exactly 0


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16; without them it is slower than float32."""
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


HALF = _multiplies_bfloat16()  # the trunk then runs as in training: -36 dB of difference, a sixth of the time


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
    with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
        curves = generator.curves(w[at], g[at])
    return Curves(**{name: rows[:count] for name, rows in vars(curves).items()})


# ---- what is known of notes ------------------------------------------------------------------------------------------


FAR = float(1 << 20)  # samples
KNOTTED = ("loud", "peak", "noise", "ensemble", "drift")  # of `Known`, at all its knots


@dataclass(frozen=True)
class Known:
    """Notes' curves, at knots while they are held and at knots after their release.

    held: (batch, t) and after: (batch, u) samples since the onset. loud: (batch, t + u) nepers, the level of the whole
    note; peak: the same shape, the level relative to which a partial is audible or not, set by callers. bank, noise,
    ensemble, drift: at all t + u knots; strike: at those of `held`; detune: (batch,) [gesture.Curves]."""

    pitch: Tensor
    take: Tensor
    held: Tensor
    after: Tensor
    loud: Tensor
    peak: Tensor
    bank: Bank
    noise: Tensor
    strike: Tensor
    ensemble: Tensor
    drift: Tensor
    detune: Tensor

    @classmethod
    def of(cls, generator: InstrumentGenerator, g: Gesture, curves: Curves, tuning: Tuning, held: int) -> Known:
        """The trunk's curves for a gesture whose first `held` knots lie before the release."""
        bank = generator.all_partials(curves, g, tuning)
        loud = torch.maximum(torch.logsumexp(2 * bank.level, -1) / 2, curves.noise.amax(-1) + NOISE_AS_TONE)
        return cls(
            pitch=g.pitch,
            take=g.take,
            held=g.knots[:, :held],
            after=g.knots[:, held:],
            loud=loud,
            peak=loud,
            bank=bank,
            noise=curves.noise,
            strike=curves.strike[:, :held],
            ensemble=curves.ensemble,
            drift=curves.drift,
            detune=curves.detune,
        )

    def __getitem__(self, index: Tensor) -> Known:
        return Known(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def of_note(self, i: int) -> Drift:
        """How the pitch of note i drifts."""
        held = self.held.shape[1]
        drift = self.drift[i].double().numpy()
        return Drift(self.held[i].numpy(), drift[:held], self.after[i].numpy(), drift[held:])

    def only(self, kept: Tensor) -> Known:
        """With only the partials in `kept`, (batch, K) booleans."""
        return replace(self, bank=self.bank.only(kept))

    def hushed(self, hush: Tensor) -> Known:
        """With (batch, u) nepers added to the partials and the noise after the release."""
        change = torch.nn.functional.pad(hush, (self.held.shape[1], 0)).unsqueeze(-1)
        return replace(self, bank=replace(self.bank, level=self.bank.level + change), noise=self.noise + change)

    def joined(self, more: Known) -> Known:
        """The same notes, with what is known of them later on."""

        def both(a: Tensor, b: Tensor) -> Tensor:
            before, after = (x.split([k.held.shape[1], k.after.shape[1]], 1) for x, k in ((a, self), (b, more)))
            return torch.cat([before[0], after[0], before[1], after[1]], 1)

        return replace(
            self,
            held=torch.cat([self.held, more.held], 1),
            after=torch.cat([self.after, more.after], 1),
            strike=torch.cat([self.strike, more.strike], 1),
            bank=replace(self.bank, level=both(self.bank.level, more.bank.level)),
            **{name: both(getattr(self, name), getattr(more, name)) for name in KNOTTED},
        )

    def since(self, first: int) -> Known:
        """Without the first knots."""
        return replace(
            self,
            held=self.held[:, first:],
            strike=self.strike[:, first:],
            bank=replace(self.bank, level=self.bank.level[:, first:]),
            **{name: getattr(self, name)[:, first:] for name in KNOTTED},
        )

    def gated(self) -> Known:
        """Without what is inaudible beside the peak. A partial is rendered from the knot before it is audible to the
        knot after."""
        heard = (self.bank.level > (self.peak + INAUDIBLE).unsqueeze(-1)) & self.bank.real.unsqueeze(1)
        parts = heard.split([self.held.shape[1], self.after.shape[1]], 1)
        kept = torch.cat([_and_neighbours(part) for part in parts], 1)
        return replace(self, bank=replace(self.bank, level=self.bank.level.masked_fill(~kept, SILENT)))

    def audible(self) -> Tensor:
        """(batch, K) which partials are rendered at any time."""
        return self.bank.level.amax(1) > SILENT

    def place(self, times: Tensor, released: Tensor) -> Tensor:
        """(batch, n, t + u) weights of the knots at `times`, (batch, n) samples since the onset: those of the held
        note or, where `released`, (batch, n), those after the release."""
        if not self.after.shape[1]:
            return hat_weights(times.float(), self.held)
        release = self.after[:, :1]  # both are put on one axis that starts there, the second far beyond the first
        at = times - release
        at = torch.where(released, at.clamp_min(0) + FAR, at)
        return hat_weights(at, torch.cat([self.held - release, self.after - release + FAR], 1))


def _and_neighbours(heard: Tensor) -> Tensor:
    """(batch, t, K) booleans, and those one step of t before and after."""
    wide = heard.clone()
    wide[:, 1:] |= heard[:, :-1]
    wide[:, :-1] |= heard[:, 1:]
    return wide


def peaks(loud: Tensor, so_far: Tensor | None = None) -> Tensor:
    """(batch, t) nepers of the peak so far, at each knot of a held note. loud: (batch, t) from the onset on, or from
    where the peak was `so_far`, (batch, 1)."""
    if so_far is None:
        start = loud[:, :AHEAD].amax(1, keepdim=True)
        loud = torch.cat([start.expand(-1, min(AHEAD, loud.shape[1])), loud[:, AHEAD:]], 1)
    else:
        loud = torch.maximum(loud, so_far)
    return loud.cummax(1).values


def death(loud: Tensor, peak: Tensor, times: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """(batch,) samples, inf if never, at which held notes have been silent for so long that they have died away, and
    (batch,) samples at which they last sounded. loud, peak: (batch, t) nepers at the knots `times`; last: the latter
    before these."""
    sounding = torch.where(loud > peak + QUIET, times, last.unsqueeze(-1)).cummax(1).values
    return times.masked_fill(times - sounding < DIED, torch.inf).amin(1), sounding[:, -1]


def letting_go(loud: Tensor, times: Tensor, release: Tensor, sounded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How notes are released: (batch, u) nepers of hush, the (batch,) peak from onset to end, and the (batch,) samples
    at which they have died away. loud: (batch, u) nepers at the knots `times` from the release on, sounded: (batch,)
    the peak until then."""
    top = torch.maximum(sounded, loud.amax(1))
    hush = _release_gate(loud, times, release, top)
    end = _last_sounding(loud + hush, times, top).clamp(release + LEAVE, release + RING * SAMPLE_RATE)
    return hush, top, end


def ending(died: float, release: float, end: float) -> int:
    """Length in samples of a note that would die away at `died` if it were held, and at `end` if released."""
    early = rounded_up(died, 512)
    return int(early if early - LEAVE <= release else rounded_up(end, 512))


def rounded_up(samples: float, step: int) -> float:
    """The next multiple of `step`; inf stays inf."""
    return samples if math.isinf(samples) else -(-samples // step) * step


def _release_gate(loud: Tensor, times: Tensor, release: Tensor, peak: Tensor) -> Tensor:
    """(notes, t) nepers, 0 or less, added to released notes, so that what has fallen silent stays silent: the time long
    after a release is where the network was trained least. loud: (notes, t) nepers at the knots `times`; release:
    (notes,) samples; peak: (notes,) nepers.

    The nearer to silence a note has come, the less it may swell again. If it were all or nothing, a morph would jump
    where it passes from notes that fall silent to others that just do not: seconds of a loud tail would come from
    nowhere.
    """
    silent = peak.unsqueeze(-1) + QUIET
    lowest = loud.masked_fill(times <= release.unsqueeze(-1), torch.inf).cummin(1).values
    return (lowest + AGAIN * (lowest - silent).clamp(min=0) - loud).clamp(max=0)


def _last_sounding(loud: Tensor, times: Tensor, peak: Tensor) -> Tensor:
    """(notes,) samples at which each note has died away. loud: (notes, t) nepers at the knots `times`; peak: (notes,)
    nepers."""
    least = peak.unsqueeze(-1) + QUIET
    last = (torch.arange(loud.shape[1]) * (loud > least)).amax(1, keepdim=True)
    after = (last + 1).clamp(max=loud.shape[1] - 1)
    fallen = (loud.gather(1, last) - least) / (loud.gather(1, last) - loud.gather(1, after)).clamp_min(1e-6)
    return torch.lerp(times.gather(1, last), times.gather(1, after), fallen.clamp(0, 1)).squeeze(1)


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
    bends = torch.from_numpy(np.stack([_bend(n, start, blocks) for n in notes])).float()
    return Gesture(
        pitch=pitch,
        velocity=torch.tensor([n.velocity / 127 for n in notes], dtype=torch.float32),
        release=release,
        start=torch.full((len(notes),), start),
        samples=(blocks - 1) * HOP,
        knots=knots,
        f0=midi_to_hz(pitch.unsqueeze(-1) + bends),
        take=torch.tensor([_draw_of(n, takes.get(round(n.pitch, 2), ())) for n in notes]),
    )


def _draw_of(note: Note, takes: Sequence[int]) -> int:
    """The seed of everything random in a note: different for each seed and take, among `takes` if there are any."""
    return takes[(note.take + note.seed) % len(takes)] if takes else note.take * 7919 + note.seed


def _bend(note: Note, start: int, blocks: int) -> np.ndarray:
    """(blocks,) semitones off the key at block centres from sample `start` on, by the note's bend points."""
    if not note.bend:
        return np.zeros(blocks)
    times = (start + HOP * np.arange(blocks)) / SAMPLE_RATE
    return np.interp(times, *np.array(note.bend, np.float64).T)


# ---- pitch -----------------------------------------------------------------------------------------------------------


def let_go_at(release: float) -> float:
    """The first block that takes account of a release: all samples of those before it lie before the release."""
    return rounded_up(release, HOP) / HOP + 1


@dataclass(frozen=True)
class Drift:
    """(t,) knots and cents of one note while it is held, (u,) after its release."""

    held: np.ndarray
    held_cents: np.ndarray
    after: np.ndarray
    after_cents: np.ndarray


@dataclass(frozen=True)
class Track:
    """(blocks,) float64 of one note: cycles per sample of f0 at block centres, and how many have gone by since the
    onset; `summed` by trapezoids, up to the last block. home: cycles per sample where the note begins. steady: the
    pitch never moves."""

    cycles: np.ndarray
    gone: Tensor
    summed: float
    home: float
    steady: bool


@dataclass(frozen=True)
class Pitches:
    """How a note's pitch moves: its bends, and the instrument's own drift and vibrato if they can be heard, since a
    steady note is cheaper to play."""

    note: Note
    tuning: Tuning  # of one note
    drift: Drift
    release: float  # samples, inf while it is held
    in_tune: bool

    def cycles(self, first: int, count: int, switch: float) -> np.ndarray:
        """(count,) cycles per sample of f0 at blocks first, first + 1, ..., of which those from `switch` on take
        account of the release."""
        at = HOP * (first + np.arange(count))
        rate, depth, delay = self.tuning.vibrato.tolist()
        cents = self._drift(at, first + np.arange(count) < switch)
        if not self.in_tune:
            cents = cents + float(self.tuning.cents)
        if depth > FAINT:
            since = np.maximum(at / SAMPLE_RATE - delay, 0)
            cents = cents + depth * np.minimum(since / SWELL, 1) * np.sin(2 * np.pi * rate * since)
        keys = self.note.pitch - 69 + _bend(self.note, HOP * first, count)
        return np.asarray(440 / SAMPLE_RATE * np.exp2(keys / 12 + cents / 1200))

    def _drift(self, at: np.ndarray, held: np.ndarray) -> np.ndarray:
        """(n,) cents at samples `at`, at which the note is `held` or not, (n,) booleans."""
        before, after = self._heard(self.drift.held_cents), self._heard(self.drift.after_cents)
        if not (before.any() or after.any()):
            return np.zeros(len(at))
        cents = np.interp(at, self.drift.held, before)
        if len(after) and not held.all():
            cents[~held] = np.interp(at[~held], self.drift.after, after)
        return cents

    def _heard(self, drift: np.ndarray) -> np.ndarray:
        """Drift too small to be heard counts as none, unless there is vibrato; from twice that on it is left as it
        is."""
        if float(self.tuning.vibrato[1]) > FAINT:
            return drift
        return drift * np.clip(np.abs(drift) / STEADY - 1, 0, 1)

    def track(self, first: int, count: int, before: Track | None = None) -> Track:
        """The blocks first .. first + count - 1. before: the track that ends where this begins; None at the onset."""
        switch = let_go_at(self.release)
        wide = self.cycles(first - 1, count + 2, switch)
        if before is None:
            wide[0] = 2 * wide[1] - wide[2]
        summed = (wide[2] - wide[1]) * (HOP / 12) if before is None else before.summed
        f = torch.from_numpy(wide)
        gone = cycles_from(f, torch.tensor([summed], dtype=torch.float64))
        if first <= switch - 1 < first + count:  # this block does not know the pitch after the release yet
            ignorant = float(self.cycles(int(switch), 1, switch + 1)[0])
            gone[int(switch) - 1 - first] += (ignorant - float(f[int(switch) + 1 - first])) / 2 * TURN
        steps = (wide[1:-2] + wide[2:-1]) * (HOP / 2)
        home = float(wide[1]) if before is None else before.home
        return Track(wide[1:-1], gone, summed + float(steps.sum()), home, bool((wide[1:-1] == wide[1]).all()))


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
