"""The scene: a place w and what happens by chance become noise at two resolutions, in mid and side, for any time.

    knots (every 512 samples)     a network of one moment: chance, modulated by the place -> levels of noise in bands
    moments (every 64 samples)    a smaller one: faster chance and the pulse, driven by knots -> how short noise moves
    what does not move            of the place alone: the grain, a level of every bin of lasting noise
                                  [networks/grain.py], and how much of a band is short noise

Lasting and short noise share the level of a band: as two layers that add up, the first would explain what is typical,
and the second would get no gradient. What ticks is short noise, but below BELOW Hz, where its windows are too short.

Every output is a function of the time: nothing is carried from one moment to the next. So the same weights train on
crops, stream without end in blocks of any size, and close loops on a circle [networks/chance.py].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.chance import FAST_FEATURES, FAST_PULSE, KNOT_FEATURES, SLOW_PULSE, pulse_features
from antiphon.networks.grain import Grain
from antiphon.networks.layers import MLP, ModulatedBlock, bounded
from antiphon.networks.noise import band_to_bin, sine_window, white_spectra
from antiphon.networks.texture import DESCRIPTORS, LONG, LONG_HOP, fine_points
from antiphon.representations.mel import band_centres

SHORT, SHORT_HOP = 256, 64
LONG_ROWS, SHORT_ROWS = 768, 2048  # of white spectra to choose from
SIDES = 2  # mid and side
MARGIN = 1  # knots before and after a crop that its noise needs
BELOW = (250.0, 500.0)  # Hz: no short noise below the first, any share of it above the second
SLOW_TICK, FAST_TICK = pulse_features(SLOW_PULSE), pulse_features(FAST_PULSE)


@dataclass(frozen=True)
class SceneConfig:
    """Widths of the network. `style` is the length of w, of which a third is the grain."""

    style: int = 96
    width: int = 160
    hidden: int = 256
    blocks: int = 3
    condition: int = 192
    bands: int = 64
    short_bands: int = 32
    fast: int = 64
    fast_hidden: int = 96

    @property
    def axes(self) -> int:
        """Numbers of w, its last, that are the grain."""
        return self.style // 3


SIZES = {
    "tiny": SceneConfig(16, 32, 48, 1, 32, 32, 16, 16, 24),
    "small": SceneConfig(48, 112, 176, 2, 128, 64, 32, 48, 64),
    "base": SceneConfig(),
    "large": SceneConfig(144, 288, 448, 4, 320, 96, 48, 128, 192),
}


@dataclass(frozen=True)
class Knots:
    """The network's output at knots: `level` (batch, t, 2, bands), log-gains in nepers; `drive` (batch, t, fast), what
    moments hear."""

    level: Tensor
    drive: Tensor


class _Shaped(torch.autograd.Function):
    """White spectra times real gains, whose gradient is real too."""

    @staticmethod
    def forward(ctx: Any, gains: Tensor, white: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(white)
        return torch.view_as_complex(torch.view_as_real(white) * gains.unsqueeze(-1))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        (white,) = ctx.saved_tensors
        return torch.addcmul(grad.real * white.real, grad.imag, white.imag), None


class SceneGenerator(nn.Module):
    """See the module's docstring; it has no forward pass of its own but `sound`, for crops."""

    white_long: Tensor
    white_short: Tensor
    long_bins: Tensor
    short_bins: Tensor
    shape_bins: Tensor
    sudden: Tensor
    right: Tensor
    part: Tensor

    def __init__(self, config: SceneConfig):
        super().__init__()
        self.config = c = config
        self.conditioner = MLP(c.style + len(DESCRIPTORS), c.condition, c.condition)
        given = c.condition + c.axes
        self.enter = nn.Linear(KNOT_FEATURES - SLOW_TICK, c.width)
        self.greet = nn.Linear(given, c.width)
        self.trunk = nn.ModuleList(ModulatedBlock(c.width, c.hidden, given) for _ in range(c.blocks))
        self.base = nn.Linear(given, SIDES * c.bands)
        self.heads = nn.Linear(c.width, SIDES * c.bands + c.fast)
        self.grain = Grain(c.axes)
        self.shares = nn.Linear(given, c.bands)
        self.thump = nn.Linear(given, SLOW_TICK * c.bands)
        self.tick = nn.Linear(given, FAST_TICK * c.short_bands)
        self.fast_enter = nn.Linear(FAST_FEATURES, c.fast)
        self.fast_up = nn.Linear(c.fast, 2 * c.fast_hidden)
        self.fast_down = nn.Linear(c.fast_hidden, SIDES * c.short_bands)
        quiet = {self.thump: 0.05, self.tick: 0.05}
        for layer in (self.heads, self.base, self.shares, self.fast_down, *quiet):
            scale = quiet.get(layer, 0.3) / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -scale, scale)
            nn.init.zeros_(layer.bias)
        tables = white_spectra(20_27, (LONG_ROWS, LONG), (SHORT_ROWS, SHORT))
        points, bins = fine_points(), torch.arange(LONG // 2 + 1).float()
        right = torch.searchsorted(points, bins).clamp(1, len(points) - 1)
        low, high = BELOW
        fixed = {
            "white_long": tables[0],
            "white_short": tables[1],
            "long_bins": band_to_bin(c.bands, LONG, SAMPLE_RATE),
            "short_bins": band_to_bin(c.bands, SHORT, SAMPLE_RATE),
            "shape_bins": band_to_bin(c.short_bands, SHORT, SAMPLE_RATE),
            "sudden": ((band_centres(c.bands) - low) / (high - low)).clamp(0, 1),  # bands that may have short noise
            "right": right,
            "part": ((bins - points[right - 1]) / (points[right] - points[right - 1])).clamp(0, 1),
        }
        for name, value in fixed.items():
            self.register_buffer(name, value, persistent=False)

    # ---- the network -------------------------------------------------------------------------------------------------

    def condition(self, w: Tensor, told: Tensor) -> Tensor:
        """w (batch, style) and descriptors (batch, 4), 0..1 -> (batch, condition + axes): what layers are modulated by,
        and the grain."""
        heard = F.silu(self.conditioner(torch.cat([w, 2 * told - 1], -1)))
        return torch.cat([heard, w[..., -self.config.axes :]], -1)

    def knots(self, condition: Tensor, chance: Tensor) -> Knots:
        """condition (batch, condition), chance (batch, t, KNOT_FEATURES). The pulse is heard by low bands alone."""
        c = self.config
        x = self.enter(chance[..., :-SLOW_TICK]) + self.greet(condition).unsqueeze(1)
        for block in self.trunk:
            x = block(x, condition)
        x = self.heads(F.rms_norm(x, x.shape[-1:], eps=1e-6)).float() * 3
        level, drive = x.split([SIDES * c.bands, c.fast], -1)
        level = (level + self.base(condition).float().unsqueeze(1) * 6 + 1).unflatten(-1, (SIDES, -1))
        beat = self._beat(self.thump, condition, chance, SLOW_TICK) * (1 - self.sudden)
        return Knots(bounded(level + beat, -14, 3), drive)

    def moments(self, condition: Tensor, drive: Tensor, chance: Tensor) -> Tensor:
        """condition (batch, condition), drive (batch, n, fast), chance (batch, n, FAST_FEATURES) -> (batch, n, 2,
        short_bands) nepers by which short noise is away from its share of the level"""
        h = F.silu(self.fast_enter(chance) + drive)
        a, b = self.fast_up(h).chunk(2, -1)
        x = self.fast_down(F.silu(a) * b).float() * 6
        return bounded(x.unflatten(-1, (SIDES, -1)) + self._beat(self.tick, condition, chance, FAST_TICK), -5, 5)

    @staticmethod
    def _beat(layer: nn.Linear, condition: Tensor, chance: Tensor, count: int) -> Tensor:
        """(batch, n, 1, bands) what the pulse, the last `count` features of chance, adds in a place: straight away, or
        training would take long to find it among so much that is random."""
        shapes = layer(condition).unflatten(-1, (count, -1)).float() * 3
        return (chance[..., -count:] @ shapes).unsqueeze(-2)

    def fine_levels(self, condition: Tensor) -> Tensor:
        """(batch, LONG/2+1) nepers, of every bin of lasting noise"""
        points = bounded(self.grain.drawn(condition[..., -self.config.axes :].float()), -4, 4)
        return torch.lerp(points[..., self.right - 1], points[..., self.right], self.part)

    def shared(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, bands) nepers below the level of a band, of lasting and of short noise: their powers add up to it."""
        short = torch.sigmoid(self.shares(condition).float() * 6 - 1) * self.sudden
        return 0.5 * torch.log1p(-short.clamp_max(1 - 1e-4)), 0.5 * torch.log(short + 1e-6)

    # ---- sound -------------------------------------------------------------------------------------------------------

    def long_gains(self, condition: Tensor, level: Tensor) -> Tensor:
        """Linear gains of every bin of lasting noise. level: (batch, t, 2, bands) -> (batch, t, 2, LONG/2+1)"""
        still = self.shared(condition)[0] @ self.long_bins + self.fine_levels(condition)
        return torch.exp(level @ self.long_bins + still[:, None, None])

    def short_gains(self, condition: Tensor, level: Tensor, shape: Tensor) -> Tensor:
        """The same of short noise. level: (batch, n, 2, bands) between knots; shape: what `moments` gives ->
        (batch, n, 2, SHORT/2+1)"""
        share = self.shared(condition)[1][:, None, None]
        return torch.exp((level + share) @ self.short_bins + shape @ self.shape_bins)

    def sound(self, w: Tensor, told: Tensor, knot_chance: Tensor, fast_chance: Tensor, rng: torch.Generator) -> Tensor:
        """Crops (batch, 2, samples), mid and side, for training. knot_chance: (batch, samples/512 + 2 MARGIN + 1,
        features), from MARGIN knots before the crop on; fast_chance: (batch, samples/64 + 3, features), from one moment
        before it on. rng: of the noise, on the CPU."""
        condition = self.condition(w, told)
        knots = self.knots(condition, knot_chance)
        count = fast_chance.shape[1]
        with torch.autocast(w.device.type, enabled=False):
            shape = self.moments(condition, self.between(knots.drive, count), fast_chance)
            level = self.between(knots.level.flatten(2), count).unflatten(2, (SIDES, -1))
            long = self.long_gains(condition, knots.level).transpose(1, 2)
            short = self.short_gains(condition, level, shape).transpose(1, 2)
            return self._noise(long, self.white_long, LONG, LONG_HOP, rng) + self._noise(
                short, self.white_short, SHORT, SHORT_HOP, rng
            )

    @staticmethod
    def between(knots: Tensor, count: int) -> Tensor:
        """(batch, count, features) of knots, (batch, t, features), at moments: on straight lines, from one moment
        before the crop on."""
        per = LONG_HOP // SHORT_HOP
        at = torch.arange(count, device=knots.device) - 1 + MARGIN * per
        low, share = at // per, (at % per).unsqueeze(-1) / per
        return torch.lerp(knots[:, low], knots[:, (low + 1).clamp(max=knots.shape[1] - 1)], share)

    def _noise(self, gains: Tensor, white: Tensor, window: int, hop: int, rng: torch.Generator) -> Tensor:
        """(batch, 2, samples) noise of gains (batch, 2, frames, bins), as networks.noise.shape_noise makes it, written
        for cheap gradients: no complex products, no slices."""
        rows = torch.randint(len(white), gains.shape[:-1], generator=rng).to(gains.device)
        frames = torch.fft.irfft(_Shaped.apply(gains, white[rows]), n=window) * sine_window(window, hop, gains.device)
        lap = window // hop
        pieces = frames.unflatten(-1, (lap, hop)).unbind(-2)
        out = torch.stack([F.pad(piece, (0, 0, i, lap - 1 - i)) for i, piece in enumerate(pieces)]).sum(0)
        return out[..., lap - 1 : 1 - lap, :].flatten(-2)
