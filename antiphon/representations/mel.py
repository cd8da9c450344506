"""The mel scale, and linear interpolation on any scale as a matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.core.units import MEL, MEL_CORNER


def hat_weights(points: Tensor, knots: Tensor) -> Tensor:
    """Linear interpolation as a matrix: `values(points) = hat_weights @ values(knots)`; constant beyond the ends.

    Args:
        points: (..., n) where values are wanted.
        knots: (..., t) ascending positions where they are known (equal neighbours allowed: padding).
    Returns:
        (..., n, t) rows that sum to 1, at most two entries per row.
    """
    t = knots.shape[-1]
    right = torch.searchsorted(knots.contiguous(), points.contiguous(), right=True).clamp(1, t - 1)
    lo, hi = knots.gather(-1, right - 1), knots.gather(-1, right)
    frac = ((points - lo) / (hi - lo).clamp_min(1e-9)).clamp(0, 1)
    weights = points.new_zeros(*points.shape, t)
    weights.scatter_(-1, (right - 1).unsqueeze(-1), (1 - frac).unsqueeze(-1))
    return weights.scatter_add_(-1, right.unsqueeze(-1), frac.unsqueeze(-1))


def mel(hz: Tensor) -> Tensor:
    """Hertz to mel."""
    return MEL * torch.log10(1.0 + hz / MEL_CORNER)


def mel_to_hz(m: Tensor) -> Tensor:
    return MEL_CORNER * (10.0 ** (m / MEL) - 1.0)


def band_centres(bands: int, low: float = 30.0, high: float = 20_000.0) -> Tensor:
    """(bands,) centre frequencies in hertz, equally spaced in mel."""
    ends = mel(torch.tensor([low, high], dtype=torch.float64))
    return mel_to_hz(torch.linspace(float(ends[0]), float(ends[1]), bands, dtype=torch.float64)).float()
