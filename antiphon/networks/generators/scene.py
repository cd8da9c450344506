"""The scene: a place w and what happens by chance become noise at three resolutions, in mid and side, for any time.

    knots (every 512 samples)     a network of one moment: chance, modulated by the place -> gains of lasting noise
    moments (every 64 samples)    a smaller one: faster chance, driven by knots -> gains of short noise: drops, ticks
    fine spectrum                 of the place alone: hums, chirps, strings of a street's tune, narrower than a band

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
from antiphon.networks.layers import MLP, ModulatedBlock, bounded
from antiphon.networks.noise import band_to_bin, sine_window, white_spectra
from antiphon.networks.texture import DESCRIPTORS, FINE, FINE_HOP, FINE_POINTS, LONG, LONG_HOP, fine_points

SHORT, SHORT_HOP = 256, 64
LONG_ROWS, SHORT_ROWS, FINE_ROWS = 768, 2048, 192  # of white spectra to choose from
SIDES = 2  # mid and side
MARGIN = FINE_HOP // LONG_HOP  # knots before and after a crop that its fine noise needs


@dataclass(frozen=True)
class SceneConfig:
    """Widths of the network. `style` is the length of w."""

    style: int = 64
    width: int = 160
    hidden: int = 256
    blocks: int = 3
    condition: int = 192
    bands: int = 64
    short_bands: int = 32
    groups: int = 16  # bands in which the fine spectrum moves
    fast: int = 64
    fast_hidden: int = 96


SIZES = {
    "tiny": SceneConfig(16, 32, 48, 1, 32, 32, 16, 8, 16, 24),
    "small": SceneConfig(48, 112, 176, 2, 128, 64, 32, 16, 48, 64),
    "base": SceneConfig(),
    "large": SceneConfig(96, 288, 448, 4, 320, 96, 48, 24, 128, 192),
}


@dataclass(frozen=True)
class Knots:
    """The network's output at knots: `long` (batch, t, 2, bands) and `groups` (batch, t, 2, groups), log-gains in
    nepers; `drive` (batch, t, fast), what moments hear."""

    long: Tensor
    groups: Tensor
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
    white_fine: Tensor
    right: Tensor
    share: Tensor

    def __init__(self, config: SceneConfig):
        super().__init__()
        self.config = c = config
        self.conditioner = MLP(c.style + len(DESCRIPTORS), c.condition, c.condition)
        self.enter = nn.Linear(KNOT_FEATURES, c.width)
        self.greet = nn.Linear(c.condition, c.width)
        self.trunk = nn.ModuleList(ModulatedBlock(c.width, c.hidden, c.condition) for _ in range(c.blocks))
        self.base = nn.Linear(c.condition, SIDES * (c.bands + c.short_bands))
        self.splits = [SIDES * c.bands, SIDES * c.groups, c.fast]
        self.heads = nn.Linear(c.width, sum(self.splits))
        self.fine = nn.Linear(c.condition, FINE_POINTS)
        self.thump = nn.Linear(c.condition, pulse_features(SLOW_PULSE) * c.bands)
        self.tick = nn.Linear(c.condition, pulse_features(FAST_PULSE) * c.short_bands)
        self.fast_enter = nn.Linear(FAST_FEATURES, c.fast)
        self.fast_up = nn.Linear(c.fast, 2 * c.fast_hidden)
        self.fast_down = nn.Linear(c.fast_hidden, SIDES * c.short_bands)
        for layer, scale in (
            (self.heads, 0.3),
            (self.base, 0.3),
            (self.fine, 0.3),
            (self.fast_down, 0.3),
            (self.thump, 0.05),
            (self.tick, 0.05),
        ):
            nn.init.uniform_(layer.weight, -scale / math.sqrt(layer.in_features), scale / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)
        tables = white_spectra(20_27, (LONG_ROWS, LONG), (SHORT_ROWS, SHORT), (FINE_ROWS, FINE))
        for name, white in zip(("long", "short", "fine"), tables, strict=True):
            self.register_buffer(f"white_{name}", white, persistent=False)
        points, bins = fine_points(), torch.arange(FINE // 2 + 1).float()
        right = torch.searchsorted(points, bins).clamp(1, len(points) - 1)
        share = ((bins - points[right - 1]) / (points[right] - points[right - 1])).clamp(0, 1)
        self.register_buffer("right", right, persistent=False)
        self.register_buffer("share", share, persistent=False)
        for name, bands, window in (("long", c.bands, LONG), ("short", c.short_bands, SHORT), ("fine", c.groups, FINE)):
            self.register_buffer(f"{name}_bins", band_to_bin(bands, window, SAMPLE_RATE), persistent=False)

    # ---- the network -------------------------------------------------------------------------------------------------

    def condition(self, w: Tensor, told: Tensor) -> Tensor:
        """w (batch, style) and descriptors (batch, 4), 0..1 -> (batch, condition)"""
        return F.silu(self.conditioner(torch.cat([w, 2 * told - 1], -1)))

    def knots(self, condition: Tensor, chance: Tensor) -> Knots:
        """condition (batch, condition), chance (batch, t, KNOT_FEATURES)"""
        c = self.config
        x = self.enter(chance) + self.greet(condition).unsqueeze(1)
        for block in self.trunk:
            x = block(x, condition)
        x = self.heads(F.rms_norm(x, x.shape[-1:], eps=1e-6)).float() * 3
        long, groups, drive = x.split(self.splits, -1)
        base = self.base(condition).float()[:, None, : SIDES * c.bands] * 6
        beat = self._beat(self.thump, condition, chance, pulse_features(SLOW_PULSE))
        long = bounded((long + base + 1).unflatten(-1, (SIDES, -1)) + beat, -14, 2)
        return Knots(long, bounded(groups + 1.5, -6, 3).unflatten(-1, (SIDES, -1)), drive)

    def moments(self, condition: Tensor, drive: Tensor, chance: Tensor) -> Tensor:
        """condition (batch, condition), drive (batch, n, fast), chance (batch, n, FAST_FEATURES) -> (batch, n, 2,
        short_bands) nepers"""
        c = self.config
        h = F.silu(self.fast_enter(chance) + drive)
        a, b = self.fast_up(h).chunk(2, -1)
        x = self.fast_down(F.silu(a) * b).float() * 6
        base = self.base(condition).float()[:, None, SIDES * c.bands :] * 6
        beat = self._beat(self.tick, condition, chance, pulse_features(FAST_PULSE))
        return bounded((x + base - 2).unflatten(-1, (SIDES, -1)) + beat, -14, 3)

    @staticmethod
    def _beat(layer: nn.Linear, condition: Tensor, chance: Tensor, count: int) -> Tensor:
        """(batch, n, 1, bands) what the pulse, the last `count` features of chance, adds in a place: straight away, or
        training would take long to find it among so much that is random."""
        shapes = layer(condition).unflatten(-1, (count, -1)).float() * 3
        return (chance[..., -count:] @ shapes).unsqueeze(-2)

    def fine_levels(self, condition: Tensor) -> Tensor:
        """(batch, FINE/2+1) nepers, of every bin"""
        points = self.fine(condition).float() * 6
        bins = torch.lerp(points[..., self.right - 1], points[..., self.right], self.share)
        return bounded(bins - 2, -14, 3)

    # ---- sound -------------------------------------------------------------------------------------------------------

    def gains(self, what: str, levels: Tensor, static: Tensor | None = None) -> Tensor:
        """Linear gains of every bin from levels in bands, (..., bands); static: (..., bins), added."""
        x = levels @ getattr(self, f"{what}_bins")
        return torch.exp(x if static is None else x + static)

    def sound(self, w: Tensor, told: Tensor, knot_chance: Tensor, fast_chance: Tensor, rng: torch.Generator) -> Tensor:
        """Crops (batch, 2, samples), mid and side, for training. knot_chance: (batch, samples/512 + 2 MARGIN + 1,
        features), from MARGIN knots before the crop on; fast_chance: (batch, samples/64 + 3, features), from one moment
        before it on. rng: of the noise, on the CPU."""
        condition = self.condition(w, told)
        knots = self.knots(condition, knot_chance)
        count = knot_chance.shape[1] - 2 * MARGIN - 1
        with torch.autocast(w.device.type, enabled=False):
            long = self.gains("long", knots.long[:, MARGIN - 1 : MARGIN + count + 2].transpose(1, 2))
            groups = knots.groups[:, ::MARGIN].transpose(1, 2)
            fine = self.gains("fine", groups, self.fine_levels(condition)[:, None, None])
            moments = self.moments(condition, self.between(knots.drive, fast_chance.shape[1]), fast_chance)
            short = self.gains("short", moments.transpose(1, 2))
            return (
                self._noise(long, self.white_long, LONG, LONG_HOP, rng)
                + self._noise(fine, self.white_fine, FINE, FINE_HOP, rng)
                + self._noise(short, self.white_short, SHORT, SHORT_HOP, rng)
            )

    @staticmethod
    def between(drive: Tensor, count: int) -> Tensor:
        """(batch, count, fast) what moments hear: straight lines between knots, from one moment before the crop on."""
        per = LONG_HOP // SHORT_HOP
        at = torch.arange(count, device=drive.device) - 1 + MARGIN * per
        low, share = at // per, (at % per).unsqueeze(-1) / per
        return torch.lerp(drive[:, low], drive[:, low + 1], share)

    def _noise(self, gains: Tensor, white: Tensor, window: int, hop: int, rng: torch.Generator) -> Tensor:
        """(batch, 2, samples) noise of gains (batch, 2, frames, bins), as networks.noise.shape_noise makes it, written
        for cheap gradients: no complex products, no slices."""
        rows = torch.randint(len(white), gains.shape[:-1], generator=rng).to(gains.device)
        frames = torch.fft.irfft(_Shaped.apply(gains, white[rows]), n=window) * sine_window(window, hop, gains.device)
        lap = window // hop
        pieces = frames.unflatten(-1, (lap, hop)).unbind(-2)
        out = torch.stack([F.pad(piece, (0, 0, i, lap - 1 - i)) for i, piece in enumerate(pieces)]).sum(0)
        return out[..., lap - 1 : 1 - lap, :].flatten(-2)
