"""The drum: a style and a velocity become gliding modes and noise at two time resolutions.

    f_k(t) = r_k f0(t),  f0(t) = f0 2^(g e^(-t/tau))      one glide for all modes of a hit [data/modes.py]

As in the instrument, the trunk is evaluated at knots in time since the onset, and the same forward serves training,
where modes and glide are the measured ones, and playing, where `tuning` predicts them. Modes begin at a zero crossing,
as a struck skin does; the first quarter second of noise has the short window, so that an attack is not smeared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.modes import MODE_RANGE, SLOTS
from antiphon.data.labelling.drums import AS_RECORDED
from antiphon.networks.generators.instrument import LONG, SHORT, SHORT_HOP, TABLE, TIME_FEATURES, time_features
from antiphon.networks.gesture import LIKELY, UNLIKELY, Gesture
from antiphon.networks.layers import MLP, ModulatedBlock, bounded
from antiphon.networks.noise import band_to_bin, frame_centres, shape_noise, white_spectra
from antiphon.networks.oscillators import HOP, block_count, oscillate
from antiphon.networks.partials import Bank
from antiphon.networks.physics import DRIFTS, carrier, midi_to_hz, pick, slow_waves
from antiphon.representations.mel import band_centres, hat_weights, mel

NOMINAL = float(midi_to_hz(torch.tensor(AS_RECORDED)))  # Hz; ratios are to it
STRIKE = 11_264  # samples (0.26 s) that the short noise lasts
FADE = 16  # samples over which a hit fades in
LONG_HOP = 512  # samples between frames of the lasting noise: half an instrument's, since a hit changes faster
STRAY = 0.02  # cycles by which the modes' start phases differ from hit to hit
DECAY = 10.0  # nepers per second by which a hit decays in an untrained network
STEEPEST = 3.5  # octaves of a glide, at most


@dataclass(frozen=True)
class OneShotConfig:
    """Widths of the network. `style` is the length of w."""

    style: int = 64
    width: int = 176
    hidden: int = 264
    blocks: int = 4
    condition: int = 208
    noise_bands: int = 48
    strike_bands: int = 40


SIZES = {
    "tiny": OneShotConfig(style=32, width=64, hidden=96, blocks=2, condition=64),
    "small": OneShotConfig(style=48, width=128, hidden=192, blocks=3, condition=144),
    "base": OneShotConfig(),
    "large": OneShotConfig(style=96, width=320, hidden=480, blocks=6, condition=320),
}


@dataclass(frozen=True)
class Ringing:
    """Where the modes lie. ratios: (batch, 32) to NOMINAL, one a slot; active: (batch, 32) how likely each is to sound,
    0..1; glide: (batch, 2) octaves at the onset, and the seconds in which they fall to 1/e."""

    ratios: Tensor
    active: Tensor
    glide: Tensor

    @property
    def gains(self) -> Tensor:
        """(batch, 32): a likely mode sounds in full, an unlikely one not at all."""
        return ((self.active - UNLIKELY) / (LIKELY - UNLIKELY)).clamp(0, 1)

    def to(self, device: torch.device) -> Ringing:
        return Ringing(**{k: v.to(device, non_blocking=True) for k, v in vars(self).items()})


@dataclass(frozen=True)
class HitCurves:
    """The trunk's output at each knot, all log-amplitudes in nepers: (batch, t, ...)."""

    modes: Tensor  # (.., 32)
    noise: Tensor  # (.., noise_bands)
    strike: Tensor  # (.., strike_bands)

    def __getitem__(self, index: Sequence[int]) -> HitCurves:
        return HitCurves(self.modes[index], self.noise[index], self.strike[index])


def gliding(glide: Tensor, pitch: Tensor, start: Tensor, samples: int) -> Tensor:
    """(batch, blocks) Hz of f0 at block centres. glide: (batch, 2), pitch: (batch,) MIDI, start: (batch,) samples."""
    times = (start.unsqueeze(-1) + HOP * torch.arange(block_count(samples), device=glide.device)) / SAMPLE_RATE
    octaves, seconds = glide.unsqueeze(-1).unbind(1)
    return midi_to_hz(pitch).unsqueeze(-1) * torch.exp2(octaves * torch.exp(-times / seconds.clamp_min(1e-3)))


class OneShotGenerator(nn.Module):
    """See the module's docstring. `forward(w, gesture, ringing)` -> (batch, samples); the gesture's f0 glides, and its
    pitch is AS_RECORDED plus semitones."""

    white_long: Tensor
    white_short: Tensor

    def __init__(self, config: OneShotConfig):
        super().__init__()
        self.config = c = config
        self.conditioner = MLP(c.style + 2, c.condition, c.condition)
        self.enter = nn.Linear(TIME_FEATURES + DRIFTS, c.width)
        self.greet = nn.Linear(c.condition, c.width)
        self.trunk = nn.ModuleList(ModulatedBlock(c.width, c.hidden, c.condition) for _ in range(c.blocks))
        self.splits = [SLOTS, c.noise_bands, c.strike_bands]
        self.heads = nn.Linear(c.width, sum(self.splits))
        self.ringer = MLP(c.style + 1, c.condition, 2 * SLOTS + 2)
        for layer, scale in ((self.heads, 0.3), (self.ringer.last, 0.1)):  # begin near the middle of every range
            nn.init.uniform_(layer.weight, -scale / math.sqrt(layer.in_features), scale / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)
        for name, white in zip(("long", "short"), white_spectra(20_26, (TABLE, LONG), (TABLE, SHORT)), strict=True):
            self.register_buffer(f"white_{name}", white, persistent=False)

    # ---- the network -------------------------------------------------------------------------------------------------

    def tuning(self, w: Tensor, pitch: Tensor, velocity: Tensor) -> Ringing:
        """Predict the modes and the glide: w (batch, style), velocity (batch,) 0..1. `pitch` changes neither: it moves
        f0."""
        with torch.autocast(w.device.type, enabled=False):
            x = self.ringer(torch.cat([w.float(), velocity.unsqueeze(-1)], -1))
        place, active, glide = x.split([SLOTS, SLOTS, 2], -1)
        low, high = MODE_RANGE
        slot = torch.arange(SLOTS, device=w.device) + torch.sigmoid(4 * place)
        hz = low * torch.exp(math.log(high / low) / SLOTS * slot)
        octaves, seconds = STEEPEST * torch.tanh(glide[:, 0]), 0.03 * torch.exp(bounded(2 * glide[:, 1], -2.3, 2.3))
        return Ringing(hz / NOMINAL, torch.sigmoid(8 * active), torch.stack([octaves, seconds], -1))

    def curves(self, w: Tensor, g: Gesture) -> HitCurves:
        """The trunk: w (batch, style) and a gesture -> log-amplitudes at the gesture's knots."""
        v = g.velocity.unsqueeze(-1)
        condition = F.silu(self.conditioner(torch.cat([w, v, v * v], -1)))
        x = torch.cat([time_features(g.knots, g.release), slow_waves(g.take, g.knots)], -1)
        x = self.enter(x) + self.greet(condition).unsqueeze(1)
        for block in self.trunk:
            x = block(x, condition)
        x = self.heads(F.rms_norm(x, x.shape[-1:], eps=1e-6)).float() * 4
        modes, noise, strike = (x - DECAY / SAMPLE_RATE * g.knots.unsqueeze(-1)).split(self.splits, -1)
        return HitCurves(bounded(modes + 2, -14, 2), bounded(noise, -16, 0), bounded(strike, -16, 0))

    def forward(self, w: Tensor, g: Gesture, ringing: Ringing) -> Tensor:
        return self.synthesise(self.curves(w, g), g, ringing)

    # ---- the sources -------------------------------------------------------------------------------------------------

    def synthesise(self, curves: HitCurves, g: Gesture, ringing: Ringing) -> Tensor:
        """Curves -> (batch, samples). There is no sound before the onset."""
        return self.sound(self.all_partials(curves, g, ringing), curves, g)

    def all_partials(self, curves: HitCurves, g: Gesture, ringing: Ringing) -> Bank:
        """The modes of every hit: ratios to f0, and log-amplitudes at the knots."""
        gains = torch.log(ringing.gains + 1e-7).unsqueeze(1)
        real = ringing.gains > 0
        slots = torch.arange(SLOTS).expand(len(real), -1)
        return Bank(ringing.ratios, curves.modes + gains, real, (0,) * len(real), slots)

    def sound(self, partials: Bank, curves: HitCurves, g: Gesture) -> Tensor:
        """`synthesise` for callers that have the partials already."""
        return self.begun((self.tones(partials, g) + self.noise(curves, g)).unsqueeze(-1), g.start).squeeze(-1)

    @staticmethod
    def begun(sound: Tensor, start: Tensor) -> Tensor:
        """(batch, samples, kinds), with crops that start at the onset faded in over 16 samples."""
        rise = torch.linspace(0, 1, FADE, device=sound.device).unsqueeze(-1)
        rise = torch.where((start == 0)[:, None, None], rise, 1.0)
        return torch.cat([sound[:, :FADE] * rise, sound[:, FADE:]], 1)

    def tones(self, partials: Bank, g: Gesture) -> Tensor:
        """(batch, samples) the modes."""
        with torch.autocast(g.f0.device.type, enabled=False):
            times = g.start.unsqueeze(-1) + HOP * torch.arange(block_count(g.samples), device=g.start.device)
            place, cycles = hat_weights(times.to(g.knots.dtype), g.knots), g.f0 / SAMPLE_RATE
            phase = -0.25 + STRAY * torch.sin(
                g.take.unsqueeze(-1) % 9973 + 2.4 * torch.arange(SLOTS, device=g.take.device)
            )
            amplitude = torch.exp(place @ partials.level) * carrier(cycles, partials.ratios, phase.double())
            return oscillate(
                amplitude, (cycles.unsqueeze(-1) * partials.ratios.unsqueeze(1)).clamp(max=0.49), g.samples
            )

    def noise(self, curves: HitCurves, g: Gesture) -> Tensor:
        """(batch, samples) lasting noise, plus that of the first quarter second, which crops that start later do not
        have."""
        with torch.autocast(g.f0.device.type, enabled=False):
            long = self._shaped(curves.noise, g, self.white_long, LONG, LONG_HOP, g.samples, g.start)
            samples = min(STRIKE, g.samples)
            short = self._shaped(
                curves.strike, g, self.white_short, SHORT, SHORT_HOP, samples, torch.zeros_like(g.start)
            )
            short = short * (g.start == 0).unsqueeze(-1)
            short = torch.cat([short[:, : samples // 2], short[:, samples // 2 :] * self._falling(samples, g)], 1)
            return long + F.pad(short, (0, g.samples - samples))

    @staticmethod
    def _falling(samples: int, g: Gesture) -> Tensor:
        """Gains of the second half of the short noise, in which it gives way to the long one."""
        return torch.linspace(1, 0 if samples == STRIKE else 1, samples - samples // 2, device=g.start.device)

    def _shaped(
        self, bands: Tensor, g: Gesture, white: Tensor, window: int, hop: int, samples: int, start: Tensor
    ) -> Tensor:
        """(batch, samples) white noise with log-gains `bands` (batch, t, bands) at the knots."""
        centres = frame_centres(samples, window, hop, bands.device)
        times = (start.unsqueeze(-1) + centres).clamp_min(0).to(g.knots.dtype)
        gains = torch.exp(hat_weights(times, g.knots) @ bands @ self._bins(bands.shape[-1], window, g))
        frames = torch.arange(len(centres), device=bands.device)
        return shape_noise(gains, pick(white, g.take, frames), window, hop)[:, :samples]

    def _bins(self, bands: int, window: int, g: Gesture) -> Tensor:
        """(bands, bins), or (batch, bands, bins) if hits are higher or lower than recorded, as is then their noise."""
        if bool((g.pitch == AS_RECORDED).all()):
            return band_to_bin(bands, window, SAMPLE_RATE).to(g.pitch.device)
        bins = torch.arange(window // 2 + 1, device=g.pitch.device) * (SAMPLE_RATE / window)
        moved = bins / torch.exp2((g.pitch - AS_RECORDED) / 12).unsqueeze(-1)
        centres = mel(band_centres(bands)).to(g.pitch.device).expand(len(g.pitch), -1)
        return hat_weights(mel(moved), centres).transpose(1, 2)
