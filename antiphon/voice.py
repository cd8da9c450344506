"""A trained voice, ready to play: notes in, sounds out."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.data.excerpts import pad_knots
from antiphon.data.resolve import resolve_instrument
from antiphon.errors import AntiphonError
from antiphon.model import InstrumentModel
from antiphon.networks.encoders.note import LISTEN
from antiphon.networks.generators.instrument import SAMPLE_RATE, Curves, Gesture, Tuning, midi_to_hz
from antiphon.networks.layers import hat_weights
from antiphon.networks.mapping import NOISE
from antiphon.networks.oscillators import HOP, block_count
from antiphon.networks.timegrid import knots
from antiphon.notes import Note

TAIL = 4.0  # seconds after the release within which a note must have died away
QUIET = -6.9  # nepers (-60 dB) below its peak, where a note's tail is cut
LEAVE = 512  # samples over which what is left then fades
INAUDIBLE = -9.2  # nepers (-80 dB) below its peak, where a partial is left out
STEADY = 1.5  # cents of drift and vibrato that count as none
NOISE_AS_TONE = -1.5  # nepers: a band of noise at gain 1 is about as loud as a partial of this amplitude
BATCH = 32  # notes a trunk pass


@dataclass(frozen=True)
class VoiceInfo:
    """What a voice says of itself. `styles_of`: for each instrument, the style-word sets met in training with their
    counts; `range_of`: lowest and highest pitch trained on."""

    name: str = "untitled"
    styles_of: dict[str, list[tuple[tuple[str, ...], int]]] = field(default_factory=dict)
    range_of: dict[str, tuple[float, float]] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    sources: tuple[str, ...] = ()


class Voice:
    """An instrument model with its label tables. Made by `antiphon.load`."""

    sample_rate = SAMPLE_RATE

    def __init__(self, model: InstrumentModel, info: VoiceInfo):
        self.model = model.eval().requires_grad_(False)
        self.info = info
        self._styles: dict[tuple[str, tuple[str, ...], int], Tensor] = {}

    @property
    def instruments(self) -> tuple[str, ...]:
        return self.model.labels.instruments

    @property
    def styles(self) -> tuple[str, ...]:
        return self.model.labels.styles

    # ---- names -------------------------------------------------------------------------------------------------------

    def resolve(self, name: str | int | None, seed: int = 0) -> str:
        """An instrument's label from a label, an unambiguous shortening, a General MIDI name, number or family.

        A family with several instruments here picks one by `seed`. Raises AntiphonError with the nearest names."""
        return resolve_instrument(name, self.instruments, seed)

    def resolve_style(self, words: Sequence[str]) -> tuple[str, ...]:
        known = {w.lower(): w for w in self.styles}
        found = []
        for word in words:
            hits = [w for k, w in known.items() if k == word.lower()] or [
                w for k, w in known.items() if k.startswith(word.lower())
            ]
            if len(hits) != 1:
                listed = ", ".join(self.styles) or "none"
                raise AntiphonError(
                    f"style '{word}' is {'ambiguous' if hits else 'not known'}: this voice knows {listed}"
                )
            found += hits
        return tuple(found)

    # ---- styles ------------------------------------------------------------------------------------------------------

    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0) -> Tensor:
        """(style,) a style vector from noise. Unless style words are given they are drawn as they occurred in
        training."""
        key = (instrument, tuple(style), seed)
        if key not in self._styles:
            rng = np.random.default_rng((zlib.crc32(instrument.encode()), seed & 0xFFFFFFFF))
            words = tuple(style) or self._draw_style(instrument, rng)
            hot = torch.tensor([[float(w in words) for w in self.styles]])
            z = torch.from_numpy(rng.standard_normal((1, NOISE), dtype=np.float32))
            label = torch.tensor([self.instruments.index(instrument)])
            self._styles[key] = self.model.mapping(z, label, hot)[0]
        return self._styles[key]

    def _draw_style(self, instrument: str, rng: np.random.Generator) -> tuple[str, ...]:
        met = self.info.styles_of.get(instrument, [])
        if not met:
            return ()
        counts = np.array([count for _, count in met], float)
        return met[int(rng.choice(len(met), p=counts / counts.sum()))][0]

    def encode(
        self, recordings: Sequence[np.ndarray], pitches: Sequence[float], holds: Sequence[float | None] | None = None
    ) -> np.ndarray:
        """(n, style) style vectors of recorded notes.

        recordings: mono float32 at 44.1 kHz, each beginning at its onset; pitches: MIDI; holds: seconds to the
        release, None where there is none."""
        audio = np.zeros((len(recordings), LISTEN), np.float32)
        for row, recording in zip(audio, recordings, strict=True):
            part = np.asarray(recording, np.float32)[:LISTEN]
            row[: len(part)] = part
        release = [np.inf if h is None else h * SAMPLE_RATE for h in (holds or [None] * len(recordings))]
        pieces = []
        with torch.inference_mode():
            for i in range(0, len(audio), 32):
                s = slice(i, i + 32)
                pitch = torch.tensor(list(pitches[s]), dtype=torch.float32)
                pieces.append(self.model.encoder(torch.from_numpy(audio[s]), pitch, torch.tensor(release[s])))
        return torch.cat(pieces).numpy()

    # ---- sounds ------------------------------------------------------------------------------------------------------

    def note(self, pitch: float, **how: Any) -> np.ndarray:
        """(samples,) float32: one note; the keywords are those of `Note` (instrument, velocity, seconds, style, seed
        ...)."""
        how.setdefault("seconds", 1.0)
        return self.notes([Note(pitch, **how)])[0]

    @torch.inference_mode()
    def notes(
        self, notes: Sequence[Note], w: np.ndarray | Tensor | None = None, in_tune: bool = True
    ) -> list[np.ndarray]:
        """Each note's sound, (samples,) float32, from its onset to the end of its release.

        w: (n, style) style vectors to use instead of imagined ones. in_tune: play on the key, leaving out the constant
        error of the recordings learned from. A note sounds the same alone and in a list (within rounding)."""
        if w is None:
            w = self._imagine_all(notes) if notes else torch.zeros(0)
        w = torch.as_tensor(w, dtype=torch.float32)
        order = sorted(range(len(notes)), key=lambda i: notes[i].seconds)
        out: list[np.ndarray] = [np.zeros(0, np.float32)] * len(notes)
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            for i, sound in zip(chosen, self._render([notes[i] for i in chosen], w[chosen], in_tune), strict=True):
                out[i] = sound
        return out

    def _imagine_all(self, notes: Sequence[Note]) -> Tensor:
        rows = []
        for n in notes:
            label = self.resolve(n.instrument, n.seed)
            rows.append(self.imagine(label, self.resolve_style(n.style), n.seed))
        return torch.stack(rows)

    def _render(self, notes: list[Note], w: Tensor, in_tune: bool) -> list[np.ndarray]:
        generator = self.model.generator
        holds = [max(round(n.seconds * SAMPLE_RATE), 1) for n in notes]
        rows = [knots(0, hold + int(TAIL * SAMPLE_RATE), hold) for hold in holds]
        samples = (max(holds) + int(TAIL * SAMPLE_RATE)) // 512 * 512
        pitch = torch.tensor([n.pitch for n in notes], dtype=torch.float32)
        times = HOP * torch.arange(block_count(samples), dtype=torch.float32) / SAMPLE_RATE
        bends = torch.from_numpy(np.stack([_bend(n, times.numpy()) for n in notes]))
        g = Gesture(
            pitch=pitch,
            velocity=torch.tensor([n.velocity / 127 for n in notes], dtype=torch.float32),
            release=torch.tensor(holds, dtype=torch.float32),
            start=torch.zeros(len(notes), dtype=torch.long),
            samples=samples,
            knots=pad_knots(rows),
            f0=midi_to_hz(pitch.unsqueeze(-1) + bends),
            take=torch.tensor([n.take * 7919 + n.seed for n in notes]),
        )
        tuning = generator.tuning(w, g.pitch, g.velocity)
        curves = generator.curves(w, g)
        cents = self._cents(curves, tuning, g, times, in_tune)
        g = replace(g, f0=g.f0 * torch.exp2(cents / 1200))
        return [self._one(curves, tuning, g, i) for i in range(len(notes))]

    def _cents(self, curves: Curves, tuning: Tuning, g: Gesture, times: Tensor, in_tune: bool) -> Tensor:
        """(batch, blocks) how far each note strays from its key: drift and vibrato, and the tuning error if wanted."""
        at = (times * SAMPLE_RATE).expand(len(g.pitch), -1)
        drift = (hat_weights(at, g.knots) @ curves.drift.unsqueeze(-1)).squeeze(-1)
        rate, depth, delay = (x.unsqueeze(-1) for x in tuning.vibrato.unbind(-1))
        swell = ((times - delay) / 0.3).clamp(0, 1)
        vibrato = depth * (depth > 3) * swell * torch.sin(2 * torch.pi * rate * (times - delay).clamp_min(0))
        cents = drift + vibrato
        steady = (cents.abs().amax(-1, keepdim=True) < STEADY).float()
        cents = cents * (1 - steady)
        return cents if in_tune else cents + tuning.cents.unsqueeze(-1)

    def _one(self, curves: Curves, tuning: Tuning, g: Gesture, i: int) -> np.ndarray:
        """Note i of a rendered batch, cut where it has died away."""
        generator = self.model.generator
        own = slice(i, i + 1)
        own_curves = Curves(**{k: v[own] for k, v in vars(curves).items()})
        own_tuning = Tuning(**{k: v[own] for k, v in vars(tuning).items()})
        g = g[own]
        _, level = generator.partials(own_curves, g, own_tuning, 0)
        loud = torch.maximum(torch.logsumexp(2 * level, -1) / 2, own_curves.noise[0].amax(-1) + NOISE_AS_TONE)
        sounding = torch.nonzero(loud > float(loud.max()) + QUIET).flatten()
        last = int(g.knots[0, min(int(sounding[-1]) + 1, g.knots.shape[1] - 1)])
        samples = min(-(-max(last, 512) // 512) * 512, g.samples)
        kept = slice(0, int(torch.searchsorted(g.knots[0], samples, right=False)) + 1)
        g = replace(g, samples=samples, f0=g.f0[:, : block_count(samples)], knots=g.knots[:, kept])
        own_curves = Curves(**{k: v[:, kept] for k, v in vars(own_curves).items()})
        sound = generator.synthesise(own_curves, g, own_tuning, float(level.max()) + INAUDIBLE, STEADY)[0]
        sound[-LEAVE:] *= torch.linspace(1, 0, LEAVE)
        return sound.numpy()


def _bend(note: Note, times: np.ndarray) -> np.ndarray:
    if not note.bend:
        return np.zeros(len(times), np.float32)
    at, semitones = np.array(note.bend, np.float64).T
    return np.interp(times, at, semitones).astype(np.float32)
