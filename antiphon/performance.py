"""From notes to sounds: how long a note rings, how its pitch moves, and the generator's one forward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from antiphon.data.excerpts import pad_knots
from antiphon.networks.generators.instrument import FADE, InstrumentGenerator, fade_in
from antiphon.networks.gesture import Curves, Gesture, Tuning
from antiphon.networks.oscillators import HOP, block_count, oscillate_near
from antiphon.networks.partials import Bank, coefficients
from antiphon.networks.physics import SAMPLE_RATE, midi_to_hz
from antiphon.networks.timegrid import knots
from antiphon.notes import Note

RING = 4.0  # seconds after its release within which a note has died away
QUIET = -6.9  # nepers (-60 dB) below its peak, where a note's tail is cut
AGAIN = 2.0  # nepers by which a note may swell after its release, for each that it stays above silence; see _hush
LEAVE = 512  # samples over which what is left then fades
INAUDIBLE = -8.5  # nepers (-74 dB) below a note's peak, where a partial is left out
NOISE_AS_TONE = -1.5  # nepers: a band of noise at gain 1 is about as loud as a partial of this amplitude
STEADY = 1.5  # cents of drift and vibrato that count as none
SWELL = 0.3  # seconds in which vibrato grows
TOGETHER = 1 << 17  # partials x blocks that are drawn at once: more would not stay in a processor's cache
EVEN = 32  # knots: a batch has a multiple of it
FAINT = 3.0  # cents of vibrato that are not played: measured depths of instruments without any are not exactly 0


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; without them it is slower than float32."""
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


HALF = _multiplies_bfloat16()  # the trunk then runs as it did in training; -36 dB of difference, a sixth of the time


@torch.inference_mode()
def perform(
    generator: InstrumentGenerator,
    notes: Sequence[Note],
    w: Tensor,
    in_tune: bool = True,
    parts: bool = False,
    takes: Mapping[float, Sequence[int]] = MappingProxyType({}),
) -> list[np.ndarray]:
    """Each note's sound, (samples,) float32, from its onset until it has died away by 60 dB; with `parts` (samples, 2),
    its partials and its noise apart.

    w: (notes, style). in_tune: leave out the constant error of the recordings learned from. takes: of some keys, the
    only ones there are [voice.VoiceInfo]. Notes held for like times are best played together: knots are as many as the
    longest has."""
    g = _gesture(notes, takes)
    tuning = generator.tuning(w, g.pitch, g.velocity)
    curves = _curves(generator, w, g)
    bank = generator.all_partials(curves, g, tuning)
    loud = torch.maximum(torch.logsumexp(2 * bank.level, -1) / 2, curves.noise.amax(-1) + NOISE_AS_TONE)
    hush = _hush(loud, g.knots, g.release)
    bank = replace(bank, level=bank.level + hush.unsqueeze(-1))
    curves = replace(curves, noise=curves.noise + hush.unsqueeze(-1))
    end = _last_sounding(loud + hush, g.knots).minimum(g.release + RING * SAMPLE_RATE)
    samples = [-(-max(int(x), LEAVE) // 512) * 512 for x in end.tolist()]
    g = replace(g, f0=_wandering(g, curves, tuning, samples, in_tune))
    audible = bank.audible(loud.amax(1) + INAUDIBLE)
    steady = (g.f0 == g.f0[:, :1]).all(1).tolist()
    sounds = [np.zeros(0, np.float32)] * len(notes)
    for some in _in_cache(audible.sum(1).tolist(), samples, steady):
        at = torch.tensor(some)
        own = Curves(**{k: v[at] for k, v in vars(curves).items()})
        drawn = _draw(generator, own, g[at], bank[at].only(audible[at]), [samples[i] for i in some], parts)
        for i, sound in zip(some, drawn, strict=True):
            sounds[i] = sound
    return sounds


def _curves(generator: InstrumentGenerator, w: Tensor, g: Gesture) -> Curves:
    """What the trunk says. It plays batches of few shapes only, padded to the next power of two by the last note again:
    oneDNN keeps what it prepared for each shape of a bfloat16 product it has met, some 3 MB for a batch's."""
    count = len(w)
    at = torch.arange(1 << (count - 1).bit_length()).clamp(max=count - 1)
    with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
        curves = generator.curves(w[at], g[at])
    return Curves(**{name: rows[:count] for name, rows in vars(curves).items()})


def _draw(
    generator: InstrumentGenerator, curves: Curves, g: Gesture, bank: Bank, samples: Sequence[int], parts: bool
) -> Iterator[np.ndarray]:
    """The sounds of a few notes, so many samples of each."""
    g = replace(g, samples=max(samples), f0=g.f0[:, : block_count(max(samples))])
    amplitude = coefficients(bank, curves.ensemble, curves.detune, g)
    noises = generator.noise(curves.noise, g) + generator.strike(curves.strike, g)
    start, end = fade_in().unsqueeze(-1), torch.linspace(1, 0, LEAVE).unsqueeze(-1)
    for i, (length, count) in enumerate(zip(samples, bank.real.sum(1).tolist(), strict=True)):
        blocks, cycles = block_count(length), g.f0[i] / SAMPLE_RATE
        tones = oscillate_near(amplitude[i, :blocks, :count], cycles[:blocks], bank.ratios[i, :count], STEADY)
        noise = noises[i, :length]
        sound = torch.stack([tones, noise], -1) if parts else (tones + noise).unsqueeze(-1)
        sound[:FADE] *= start
        sound[-LEAVE:] *= end
        yield (sound if parts else sound.squeeze(-1)).numpy()


def _in_cache(partials: Sequence[int], samples: Sequence[int], steady: Sequence[bool]) -> list[list[int]]:
    """Notes grouped so that those of like length are drawn together, those of steady pitch among themselves, and what a
    group draws stays in a cache."""
    groups: list[list[int]] = [[]]
    for i in sorted(range(len(samples)), key=lambda i: (steady[i], -samples[i])):
        group = [*groups[-1], i]
        size = len(group) * max(partials[j] for j in group) * samples[group[0]]
        if (steady[group[0]] == steady[i] and size <= TOGETHER * HOP) or len(group) == 1:
            groups[-1] = group
        else:
            groups.append([i])
    return groups


def _gesture(notes: Sequence[Note], takes: Mapping[float, Sequence[int]]) -> Gesture:
    """The notes as they are played, and as long after their releases as any may ring."""
    pitch = torch.tensor([n.pitch for n in notes], dtype=torch.float32)
    holds = [max(round(n.seconds * SAMPLE_RATE), 1) for n in notes]
    longest = -(-round(max(holds) + RING * SAMPLE_RATE) // 512) * 512
    return Gesture(
        pitch=pitch,
        velocity=torch.tensor([n.velocity / 127 for n in notes], dtype=torch.float32),
        release=torch.tensor(holds, dtype=torch.float32),
        start=torch.zeros(len(notes), dtype=torch.long),
        samples=longest,
        knots=pad_knots([knots(0, round(hold + RING * SAMPLE_RATE), hold, coarse=True) for hold in holds], EVEN),
        f0=midi_to_hz(pitch.unsqueeze(-1) + _bends(notes, block_count(longest))),
        take=torch.tensor([_draw_of(n, takes.get(round(n.pitch, 2), ())) for n in notes]),
    )


def _draw_of(note: Note, takes: Sequence[int]) -> int:
    """The seed of all that is random in a note: another for each seed and take, of those there are."""
    return takes[(note.take + note.seed) % len(takes)] if takes else note.take * 7919 + note.seed


def _bends(notes: Sequence[Note], blocks: int) -> Tensor:
    """(notes, blocks) semitones off the key at block centres, as the notes' bend points say."""
    times = np.arange(blocks) * (HOP / SAMPLE_RATE)
    rows = np.zeros((len(notes), blocks), np.float32)
    for row, note in zip(rows, notes, strict=True):
        if note.bend:
            row[:] = np.interp(times, *np.array(note.bend, np.float64).T)
    return torch.from_numpy(rows)


def _hush(loud: Tensor, times: Tensor, release: Tensor) -> Tensor:
    """(notes, t) nepers, 0 or less, that are taken from released notes, so that what was silent stays so: long after a
    release is where the network was taught least. loud: (notes, t) nepers at the knots `times`; release: (notes,)
    samples.

    The nearer to silence a note has come the less it may swell again. Were it all or nothing, a morph would leap where
    it passes from notes that fall silent to others that hardly do not: seconds of a loud tail would come from nowhere.
    """
    silent = loud.amax(1, keepdim=True) + QUIET
    lowest = loud.masked_fill(times <= release.unsqueeze(-1), torch.inf).cummin(1).values
    return (lowest + AGAIN * (lowest - silent).clamp(min=0) - loud).clamp(max=0)


def _last_sounding(loud: Tensor, times: Tensor) -> Tensor:
    """(notes,) samples at which each note has died away. loud: (notes, t) nepers at the knots `times`."""
    least = loud.amax(1, keepdim=True) + QUIET
    last = (torch.arange(loud.shape[1]) * (loud > least)).amax(1, keepdim=True)
    after = (last + 1).clamp(max=loud.shape[1] - 1)
    fallen = (loud.gather(1, last) - least) / (loud.gather(1, last) - loud.gather(1, after)).clamp_min(1e-6)
    return torch.lerp(times.gather(1, last), times.gather(1, after), fallen.clamp(0, 1)).squeeze(1)


def _wandering(g: Gesture, curves: Curves, tuning: Tuning, samples: Sequence[int], in_tune: bool) -> Tensor:
    """(notes, blocks) Hz: the gesture's f0 with the instrument's own drift and vibrato, where there is anything to
    hear: a steady note is cheap to play."""
    at = np.arange(g.f0.shape[1]) * HOP
    rows = np.zeros(g.f0.shape) if in_tune else np.tile(tuning.cents.numpy()[:, None], (1, len(at)))
    for i, (rate, depth, delay) in enumerate(tuning.vibrato.tolist()):
        times, drift = g.knots[i].numpy(), curves.drift[i].numpy()
        if depth > FAINT or np.abs(drift[times <= samples[i]]).max() >= STEADY:
            rows[i] += np.interp(at, times, drift)
        if depth > FAINT:
            since = at / SAMPLE_RATE - delay
            rows[i] += depth * np.clip(since / SWELL, 0, 1) * np.sin(2 * np.pi * rate * np.maximum(since, 0))
    return g.f0 * torch.exp2(torch.from_numpy(rows.astype(np.float32)) / 1200)
