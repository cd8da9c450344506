"""How far apart two textures are: their statistics, compared, not their waveforms; and the long view, in which levels
are expected instead of measured."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.generators.scene import SHORT, Knots, SceneGenerator
from antiphon.networks.texture import FLOOR, LONG, LONG_BANDS
from antiphon.representations.spectral import mel_filters

WEIGHTS = {
    "fine": 1.0, "long mean": 1.0, "long deviation": 1.0, "long skew": 0.15, "long crest": 0.5, "short mean": 0.7,
    "short deviation": 0.8, "short skew": 0.15, "short crest": 0.6, "long lags": 0.5, "together": 0.4,
    "short lags": 1.0, "pulse": 3.0, "side": 1.0, "side deviation": 0.4,
}  # fmt: skip
FAR_LAGS = (1, 2, 4, 8, 16)  # cells of twice batches.places.CELL
UNIT = 6 / LONG  # power of a bin of a full-scale white noise under a Hann window, in `magnitude`'s scale


def texture_loss(fake: dict[str, Tensor], real: dict[str, Tensor]) -> Tensor:
    """Weighted mean distance of statistics by name, each (batch, n): half of it of single stretches, half of the means
    of pairs, which chance moves less."""
    total = []
    for name, weight in WEIGHTS.items():
        apart = fake[name] - real[name]
        even = apart[: len(apart) // 2 * 2].unflatten(0, (-1, 2)).mean(1) if len(apart) > 1 else apart
        total.append(weight * (apart.abs().mean() + even.abs().mean()) / 2)
    return torch.stack(total).sum()


class FarLoss(nn.Module):
    """Of levels over many seconds, which a crop is too short to have."""

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(LONG, LONG_BANDS), persistent=False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """fake, real: (cells, LONG_BANDS) nepers."""
        a, b = (_moves(x) for x in (fake, real))
        return torch.stack([(a[name] - b[name]).abs().mean() for name in a]).sum()

    def expected(
        self, generator: SceneGenerator, w: Tensor, told: Tensor, knots: Tensor, moments: Tensor, cells: int
    ) -> Tensor:
        """(cells, LONG_BANDS) levels that a place, w (1, style), is expected to have, from chance at a few moments of
        each cell."""
        condition = generator.condition(w, told)
        k: Knots = generator.knots(condition, knots.unsqueeze(0))
        shape = generator.moments(condition, k.drive, moments.unsqueeze(0))
        long = generator.long_gains(condition, k.level)[0, :, 0].square()
        short = generator.short_gains(condition, k.level, shape)[0, :, 0].square()
        short = F.pad(short[:, 1:].repeat_interleave(LONG // SHORT, -1), (1, 0))
        power = (UNIT * (long + short)) @ self.filters.T
        return 0.5 * torch.log(power.unflatten(0, (cells, -1)).mean(1) + FLOOR)


def _moves(levels: Tensor) -> dict[str, Tensor]:
    """How levels move: (cells, bands) -> statistics of 16 groups of bands, in twice as long cells."""
    x = F.avg_pool1d(levels.unsqueeze(0), 4)[0]  # (cells, groups)
    if len(x) >= 4:
        x = x[: len(x) // 2 * 2].unflatten(0, (-1, 2)).mean(1)
    away = x - x.mean(0)
    variance = away.square().mean(0)
    lags = [lag for lag in FAR_LAGS if 2 * lag <= len(x)]
    scaled = away / (variance + 0.02).sqrt()
    found = {
        "mean": 0.5 * x.mean(0),
        "deviation": (variance + 1e-3).sqrt(),
        "together": 0.5 * scaled.T @ scaled / len(x),
    }
    if lags:
        found["lags"] = torch.stack([(scaled[:-lag] * scaled[lag:]).mean(0) for lag in lags])
    return found
