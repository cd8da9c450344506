"""How far a vocoder's predictions are from a recording: levels, and how phases turn from bin to bin and over time.

No sound is rendered. Levels are compared as logarithms, weighted by the square root of the magnitude, as in
training/losses/spectral.py. A predicted turn a is trained by |a - exp(i turn)|^2, whose minimum is the mean of exp(i
turn) over all that the frames leave open: a direction, shorter where it is uncertain. Frequencies are learned this way
and not by spectral losses, which have a minimum at every bin."""

from __future__ import annotations

from torch import Tensor

from antiphon.networks.generators.vocoder import Spectra
from antiphon.training.losses.spectral import FLOOR

EDGE = 2  # frames at both ends of a crop, whose windows contain the cut
TINY = 1e-12


def phase_derivative_losses(found: Spectra, real: Tensor) -> dict[str, Tensor]:
    """real: complex (batch, bins, frames) of the recording [representations/stft.py] -> {"level", "advance", "lock"}
    scalars"""
    inner = slice(EDGE, -EDGE)
    found, real = Spectra(*(x[..., inner] for x in found)), real[..., inner]
    size = real.abs()
    turned, chained = real[..., 1:] * real[..., :-1].conj(), real[:, 1:] * real[:, :-1].conj()
    return {
        "level": _mean((found.magnitude + FLOOR).log().sub((size + FLOOR).log()).abs(), (size + FLOOR).sqrt()),
        "advance": _mean(_gap(found.advance[..., 1:], _unit(turned)), _loud(turned)),
        "lock": _mean(_gap(found.lock, _unit(chained)), _loud(chained)),
    }


def _loud(product: Tensor) -> Tensor:
    """The square root of the magnitude, the geometric mean of two bins; 0 for what an image cannot show."""
    return (product.abs().sqrt() - FLOOR).clamp_min(0).sqrt()


def _unit(x: Tensor) -> Tensor:
    return x / x.abs().clamp_min(TINY)


def _gap(a: Tensor, b: Tensor) -> Tensor:
    return (a.real - b.real).square() + (a.imag - b.imag).square()


def _mean(x: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean, in which each sound counts the same, however loud it is."""
    share = weight / weight.sum((1, 2), keepdim=True).clamp_min(TINY)
    return (share * x).sum((1, 2)).mean()
