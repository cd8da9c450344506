"""The instrument: a style, a pitch, a velocity and a gate become amplitudes of partials and bands of noise over time.

The way through this file: `Gesture` (what is played) -> `condition` (one vector per note) -> `trunk` (a stack of
modulated blocks at the note's knots in time) -> `Curves` (log-amplitudes at knots) -> `synthesise` (sound). The
same forward serves training, where frequencies are the measured ones, and playing, where `tuning` predicts them.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.gesture import STRIKE, Curves, Gesture, Tuning
from antiphon.networks.layers import MLP, ModulatedBlock, bounded, bump_features, pitch_features
from antiphon.networks.noise import band_to_bin, frame_centres, shape_noise, white_spectra
from antiphon.networks.oscillators import HOP
from antiphon.networks.partials import Bank, partials, play
from antiphon.networks.physics import (
    DRIFTS,
    FREE_SLOTS,
    HARMONIC_SLOTS,
    at_blocks,
    hz_to_midi,
    pick,
    slow_waves,
    stretched,
)
from antiphon.networks.shaping import bent_time
from antiphon.representations.mel import band_centres, hat_weights, mel

FREE_LOW, FREE_HIGH = 0.2, 24.0  # the free slots divide this range of ratios, into equal log bins
LONG, LONG_HOP, SHORT, SHORT_HOP = 2048, 1024, 256, 64
TABLE = 1024  # stored frames of white noise; each note starts at a different one
FADE = 32  # samples over which a note fades in
TOLD = 30.0  # seconds of a held note that there is anything to know of; no recording learned from is as long
DETUNE = 8.0  # initial cents between unison copies
STEADY = 12.0  # cents of f0 within which training treats its blocks' frequency as constant (phases stay exact)


@dataclass(frozen=True)
class InstrumentConfig:
    """Widths of the network. `style` is the length of w."""

    style: int = 64
    width: int = 224
    hidden: int = 336
    blocks: int = 5
    condition: int = 256
    bands: int = 48
    free_harmonics: int = 48
    noise_bands: int = 48
    strike_bands: int = 32


@dataclass(frozen=True)
class Conditioned:
    """What the trunk knows of notes at all their knots. greeting: (batch, width); films: (batch, 3 width) for each
    block; detune: (batch,) cents."""

    greeting: Tensor
    films: tuple[Tensor, ...]
    detune: Tensor


SIZES = {
    "tiny": InstrumentConfig(style=32, width=64, hidden=96, blocks=2, condition=64),
    "small": InstrumentConfig(style=64, width=144, hidden=216, blocks=4, condition=160),
    "base": InstrumentConfig(),
    "large": InstrumentConfig(style=96, width=384, hidden=576, blocks=6, condition=384),
}


def time_features(knots: Tensor, release: Tensor) -> Tensor:
    """(batch, t, 53) features of time: since the onset, since the release, and how long the note was held; a note held
    for longer than TOLD sounds on as it did then. release: (batch,) or (batch, t)."""
    t = knots / SAMPLE_RATE
    held = (release if release.dim() == 2 else release.unsqueeze(-1).expand_as(knots)) / SAMPLE_RATE
    beyond = (torch.minimum(t, held) - TOLD).clamp_min(0)
    t, held = t - beyond, held - beyond
    after = (t - held).clamp_min(0)
    released = (t >= held).float()

    def at(x: Tensor, count: int) -> Tensor:
        decays = torch.exp(-x.unsqueeze(-1) / _decay_seconds(x.device))
        return torch.cat([bump_features(torch.log1p(x / 0.003), count, 0.0, 8.0), decays, x.unsqueeze(-1) / 4], -1)

    length = torch.log1p(torch.where(released > 0, held, t) / 0.05).unsqueeze(-1) / 3
    rel = released.unsqueeze(-1)
    return torch.cat([at(t, 20), at(after, 16) * rel, rel, length * rel, length], -1)


@lru_cache(maxsize=8)
def _decay_seconds(device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # cached: playing may be the first to call it, and training the next
        return torch.tensor([0.01, 0.03, 0.1, 0.3, 1.0, 3.0], device=device)


def fade_in(device: torch.device | None = None) -> Tensor:
    """(32,) gains at the start of a note."""
    return torch.sin(torch.linspace(0, math.pi / 2, FADE, device=device)) ** 2


def strike_fade(times: Tensor) -> Tensor:
    """Gains of the noise of the first 81 ms at `times`, samples since the onset."""
    return ((STRIKE - SHORT - times) / (STRIKE / 3)).clamp(0, 1)


TIME_FEATURES = 20 + 7 + 16 + 7 + 3


class InstrumentGenerator(nn.Module):
    """See the module's docstring. `forward(w, gesture, tuning)` -> (batch, samples)."""

    white_long: Tensor
    white_short: Tensor
    long_bins: Tensor
    short_bins: Tensor
    centres: Tensor

    def __init__(self, config: InstrumentConfig):
        super().__init__()
        self.config = c = config
        self.conditioner = MLP(c.style + 8 + 2, c.condition, c.condition)
        self.enter = nn.Linear(TIME_FEATURES + DRIFTS + 1, c.width)
        self.greet = nn.Linear(c.condition, c.width)
        self.trunk = nn.ModuleList(ModulatedBlock(c.width, c.hidden, c.condition) for _ in range(c.blocks))
        self.splits = [c.bands, c.free_harmonics, FREE_SLOTS, c.noise_bands, c.strike_bands, 1, 1]
        self.heads = nn.Linear(c.width, sum(self.splits))
        self.unison = nn.Linear(c.condition, 1)
        self.tuner = MLP(c.style + 8 + 1, c.condition, HARMONIC_SLOTS + 1 + 2 * FREE_SLOTS + 1 + 3)
        for layer, scale in ((self.heads, 0.3), (self.tuner.last, 0.1)):  # begin near the middle of every range
            nn.init.uniform_(layer.weight, -scale / math.sqrt(layer.in_features), scale / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.unison.weight)
        nn.init.zeros_(self.unison.bias)
        for name, white in zip(("long", "short"), white_spectra(20_26, (TABLE, LONG), (TABLE, SHORT)), strict=True):
            self.register_buffer(f"white_{name}", white, persistent=False)
        self.register_buffer("long_bins", band_to_bin(c.noise_bands, LONG, SAMPLE_RATE), persistent=False)
        self.register_buffer("short_bins", band_to_bin(c.strike_bands, SHORT, SAMPLE_RATE), persistent=False)
        self.register_buffer("centres", mel(band_centres(c.bands)), persistent=False)

    # ---- the network ------------------------------------------------------------------------------------------------

    def tuning(self, w: Tensor, pitch: Tensor, velocity: Tensor) -> Tuning:
        """Predict where the partials lie: w (batch, style), pitch (batch,) MIDI, velocity (batch,) 0..1."""
        with torch.autocast(w.device.type, enabled=False):
            x = self.tuner(torch.cat([w.float(), pitch_features(pitch), velocity.unsqueeze(-1)], -1))
        bend, b, place, active, cents, vibrato = x.split([HARMONIC_SLOTS, 1, FREE_SLOTS, FREE_SLOTS, 1, 3], -1)
        stretch = torch.exp(bounded(b.squeeze(-1) * 4 - 10, -18, -4))
        k = torch.arange(1, HARMONIC_SLOTS + 1, device=w.device)
        ratios = stretched(k, stretch.unsqueeze(-1)) * (1 + 0.03 * torch.tanh(bend))
        step = math.log(FREE_HIGH / FREE_LOW) / FREE_SLOTS
        slot = torch.arange(FREE_SLOTS, device=w.device) + torch.sigmoid(4 * place)
        free = FREE_LOW * torch.exp(step * slot)
        rate, depth, delay = vibrato.unbind(-1)
        vibrato = torch.stack(
            [5.5 + 2.5 * torch.tanh(rate), 40 * torch.sigmoid(4 * depth - 4), torch.sigmoid(delay)], -1
        )
        return Tuning(ratios, stretch, free, torch.sigmoid(8 * active), 60 * torch.tanh(cents.squeeze(-1)), vibrato)

    def curves(self, w: Tensor, g: Gesture) -> Curves:
        """w (batch, style) and a gesture -> log-amplitudes at the gesture's knots."""
        return self.read(*self.states(w, g))

    def states(self, w: Tensor, g: Gesture) -> tuple[Tensor, Tensor]:
        """The trunk: (batch, t, width), of unit mean square, at the gesture's knots; and (batch,) cents of detune."""
        return self.driven(self.conditioned(w, g.pitch, g.velocity), g)

    def conditioned(self, w: Tensor, pitch: Tensor, velocity: Tensor) -> Conditioned:
        """What the trunk makes of notes before it looks at any moment of them: w (batch, style), pitch (batch,) MIDI,
        velocity (batch,) 0..1."""
        v = velocity.unsqueeze(-1)
        condition = torch.nn.functional.silu(self.conditioner(torch.cat([w, pitch_features(pitch), v, v * v], -1)))
        detune = DETUNE * torch.exp(bounded(self.unison(condition).squeeze(-1).float(), -2, 2))
        return Conditioned(self.greet(condition), tuple(block.film(condition) for block in self._blocks()), detune)

    def driven(self, told: Conditioned, g: Gesture) -> tuple[Tensor, Tensor]:
        """`states` of notes that were conditioned before."""
        semitones = hz_to_midi(g.f0) - g.pitch.unsqueeze(-1)
        bend = at_blocks(semitones, (g.knots - g.start.unsqueeze(-1)) / HOP).unsqueeze(-1)
        asked = bent_time(g)
        x = torch.cat([time_features(asked.knots, asked.release), slow_waves(g.take, g.knots), bend / 12], -1)
        x = self.enter(x) + told.greeting.unsqueeze(1)
        for block, film in zip(self._blocks(), told.films, strict=True):
            x = block.step(x, film)
        return torch.nn.functional.rms_norm(x, x.shape[-1:], eps=1e-6), told.detune

    def _blocks(self) -> list[ModulatedBlock]:
        return [block for block in self.trunk if isinstance(block, ModulatedBlock)]

    def read(self, states: Tensor, detune: Tensor) -> Curves:
        """The heads: from the trunk's states to curves."""
        x = self.heads(states).float() * 4
        envelope, harmonics, free, noise, strike, ensemble, drift = x.split(self.splits, -1)
        ensemble, drift = torch.sigmoid(ensemble.squeeze(-1) - 3), 60 * torch.tanh(drift.squeeze(-1) / 60)
        noise, strike = bounded(noise - 10, -16, 0), bounded(strike - 10, -16, 0)
        return Curves(envelope - 4, harmonics, free - 4, noise, strike, ensemble, drift, detune)

    def forward(self, w: Tensor, g: Gesture, tuning: Tuning) -> Tensor:
        return self.synthesise(self.curves(w, g), g, tuning)

    def halved(self) -> InstrumentGenerator:
        """The same generator with the trunk's weights in bfloat16, as autocast would round them again for each batch;
        its tuner and its tables are shared. For playing: later changes of the original weights do not reach it."""
        twin = copy.copy(self)
        halves = {k: m if k == "tuner" else copy.deepcopy(m).bfloat16() for k, m in self.named_children()}
        twin.__dict__["_modules"] = halves
        return twin

    # ---- the sources ------------------------------------------------------------------------------------------------

    def synthesise(self, curves: Curves, g: Gesture, tuning: Tuning) -> Tensor:
        """Curves -> (batch, samples). There is no sound before the onset: crops that start there fade in over 32
        samples."""
        return self.sound(self.all_partials(curves, g, tuning), curves, g)

    def all_partials(self, curves: Curves, g: Gesture, tuning: Tuning) -> Bank:
        """The partials of every note."""
        return partials(curves, g, tuning, self.centres)

    def sound(self, bank: Bank, curves: Curves, g: Gesture) -> Tensor:
        """`synthesise` for callers that have the partials already."""
        with torch.autocast(g.f0.device.type, enabled=False):
            sound = play(bank, curves, g, STEADY) + self.noise(curves.noise, g) + self.strike(curves.strike, g)
        head = sound[:, :FADE] * torch.where((g.start == 0).unsqueeze(-1), fade_in(sound.device), 1.0)
        return torch.cat([head, sound[:, FADE:]], 1)

    def noise(self, bands: Tensor, g: Gesture) -> Tensor:
        """(batch, samples) lasting noise, from the long window."""
        centres = frame_centres(g.samples, LONG, LONG_HOP, bands.device)
        times = (g.start.unsqueeze(-1) + centres).to(g.knots.dtype)
        frames = torch.arange(len(centres), device=bands.device)
        return self.lasting(hat_weights(times, g.knots) @ bands, g.take, frames)[:, : g.samples]

    def lasting(self, bands: Tensor, take: Tensor, frames: Tensor) -> Tensor:
        """(batch, 1024 (n - 1)) noise from the long window. bands: (batch, n, noise_bands) nepers at its frames, whose
        numbers, since the onset, are `frames`: (n,) or (batch, n)."""
        gains = torch.exp(bands @ self.long_bins)
        return shape_noise(gains, pick(self.white_long, take, frames), LONG, LONG_HOP)

    def strike(self, bands: Tensor, g: Gesture) -> Tensor:
        """(batch, samples) noise of the first 80 ms, from the short window; crops that start later have none."""
        noise = self.struck(bands, g.take, g.knots, min(STRIKE, g.samples)) * (g.start == 0).unsqueeze(-1)
        return torch.nn.functional.pad(noise, (0, g.samples - noise.shape[-1]))

    def struck(self, bands: Tensor, take: Tensor, knots: Tensor, samples: int = STRIKE) -> Tensor:
        """(batch, samples) noise from the short window, from the onset on. bands: (batch, t, strike_bands) nepers."""
        centres = frame_centres(samples, SHORT, SHORT_HOP, bands.device)
        times = centres.clamp_min(0).to(knots.dtype)
        gains = torch.exp(hat_weights(times.expand(len(take), -1), knots) @ bands @ self.short_bins)
        white = pick(self.white_short, take, torch.arange(len(centres), device=bands.device))
        return shape_noise(gains * strike_fade(times).unsqueeze(-1), white, SHORT, SHORT_HOP)[:, :samples]
