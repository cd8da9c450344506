"""Block oscillators: partials of exact pitch, cheap and differentiable in their amplitudes.

A block is 256 samples under a Hann window, overlap-added at hop 128. Inside a block a partial keeps its complex
amplitude c and frequency f, and its phase is that of the exact integral at the block's centre. Because
e^{iw(16a+b)} = e^{iw16a} e^{iwb}, a block of K partials is one (16 x 2K)(2K x 16) matrix product.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

BLOCK = 256
HOP = 128
_SIDE = 16  # BLOCK = _SIDE * _SIDE
GLIDE = BLOCK**2 * (1 / 12 - 1 / (2 * math.pi**2)) / 2  # half the mean of n^2 under a Hann window
TURN = GLIDE / HOP - HOP / 12  # cycles added by a pitch that rises by 1 cycle per sample from block to block


def block_count(samples: int) -> int:
    """Blocks centred on 0, 128, 256, ... that cover `samples` samples."""
    return samples // HOP + 1


def cycles_at_blocks(cycles_per_sample: Tensor) -> Tensor:
    """Cycles gone by at block centres, float64, unwrapped (in float32 the phase drifts by 0.1 rad in a minute): the
    phase that a block of constant frequency should have there.

    Args:
        cycles_per_sample: (..., blocks) frequency at block centres.

    Trapezoids with Euler and Maclaurin's end correction, plus the mean, under the window, of the quadratic phase that a
    block leaves out when its pitch glides: with 50 cents of vibrato the two are worth 5 dB each.
    """
    f = cycles_per_sample.double()
    ends = [2 * f[..., :1] - f[..., 1:2], f, 2 * f[..., -1:] - f[..., -2:-1]]
    return cycles_from(torch.cat(ends, -1), (f[..., 1:2] - f[..., :1]) * (HOP / 12))


def cycles_from(f: Tensor, gone: Tensor) -> Tensor:
    """`cycles_at_blocks` of a part of a note. f: (..., blocks + 2) float64 at block centres, with a neighbour on each
    side; gone: (..., 1) cycles up to the first block, by trapezoids. -> (..., blocks)"""
    steps = (f[..., 1:-2] + f[..., 2:-1]) * (HOP / 2)
    slope = (f[..., 2:] - f[..., :-2]) / 2
    return torch.nn.functional.pad(steps.cumsum(-1), (1, 0)) + gone + slope * TURN


def unit(angle: Tensor) -> Tensor:
    """e^{i angle}, complex64; `torch.polar` takes three times as long."""
    return torch.complex(angle.cos(), angle.sin())


def _phasors(cycles: Tensor) -> tuple[Tensor, Tensor]:
    """e^{iw(16a-128)} as (n, 16, K) and e^{iwb} as (n, K, 16), by complex powers: one sine and cosine per partial."""
    one = unit(2 * math.pi * cycles)
    fine = torch.ones_like(one).unsqueeze(-1)
    power = one
    while fine.shape[-1] < _SIDE:
        fine = torch.cat([fine, fine * power.unsqueeze(-1)], -1)
        power = power * power  # after the loop: one ** 16
    coarse = torch.ones_like(one).unsqueeze(-2)
    while coarse.shape[-2] < _SIDE:
        coarse = torch.cat([coarse, coarse * power.unsqueeze(-2)], -2)
        power = power * power  # after the loop: one ** 256
    back = coarse[:, _SIDE // 2].conj()  # e^{-iw128}: the block starts half its length before its centre
    return coarse * back.unsqueeze(-2), fine


class _Blocks(torch.autograd.Function):
    """(n, K) complex amplitudes and frequencies -> (n, 256) unwindowed blocks; linear in the amplitudes, whose gradient
    is the block correlated with each partial. Frequencies get none: a spectral loss has no usable one to give."""

    @staticmethod
    def forward(ctx: Any, amplitude: Tensor, cycles: Tensor) -> Tensor:
        ctx.save_for_backward(cycles)
        coarse, fine = _phasors(cycles)
        left = coarse * amplitude.unsqueeze(-2)
        left = torch.cat([left.real, -left.imag], -1)
        right = torch.cat([fine.real, fine.imag], -2)
        return torch.bmm(left, right).flatten(1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (cycles,) = ctx.saved_tensors
        coarse, fine = _phasors(cycles)
        g = grads[0].unflatten(1, (_SIDE, _SIDE))
        inner = torch.complex(torch.bmm(g, fine.real.transpose(1, 2)), torch.bmm(g, fine.imag.transpose(1, 2)))
        return (coarse * inner).sum(1).conj(), None  # d/dRe c - i d/dIm c, conjugated as PyTorch wants it


@lru_cache(maxsize=8)
def _window(device: torch.device | None = None) -> Tensor:
    """(256,) Hann."""
    with torch.inference_mode(False):  # cached: playing may be the first to call it, and training the next
        return 0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(BLOCK, device=device) / BLOCK)


def overlap_add(blocks: Tensor, samples: int) -> Tensor:
    """Window (..., blocks, 256) and add at hop 128, block j centred on sample 128 j -> (..., samples)."""
    blocks = blocks * _window(blocks.device)
    out = blocks[..., :-1, HOP:] + blocks[..., 1:, :HOP]
    return out.flatten(-2)[..., :samples]


def oscillate(amplitude: Tensor, cycles: Tensor, samples: int, chunk: int = 1 << 13) -> Tensor:
    """The sum of the partials of one note (or of several notes at once).

    Args:
        amplitude: (blocks, K) complex64, or (batch, blocks, K): amplitude and phase at block centres.
        cycles: same shape, cycles per sample (frequency / sample rate), below 0.5.
        samples: length of the output, a multiple of 128; blocks must be `block_count(samples)`.
        chunk: blocks x partials handled at once, so that the phasors fit the processor's cache.
    Returns:
        (samples,) or (batch, samples) float32.
    """
    flat_amplitude, flat_cycles = amplitude.reshape(-1, amplitude.shape[-1]), cycles.reshape(-1, cycles.shape[-1])
    if cycles.device.type != "cpu":
        chunk = 1 << 22  # half a gigabyte per table of phasors
    step = min(max(chunk // max(flat_cycles.shape[-1], 1), 1), 1 << 15)
    parts = [_Blocks.apply(a, f) for a, f in zip(flat_amplitude.split(step), flat_cycles.split(step), strict=True)]
    return overlap_add(torch.cat(parts).reshape(*amplitude.shape[:-1], BLOCK), samples)


def oscillate_steady(amplitude: Tensor, cycles: Tensor, samples: int) -> Tensor:
    """The same for frequencies that never change, (K,) or (batch, K): one matrix product (blocks x 2K)(2K x 256),
    without phasors for each block."""
    n = torch.arange(BLOCK, device=cycles.device, dtype=torch.float64) - HOP
    angle = (2 * math.pi) * (cycles.double().unsqueeze(-1) * n % 1.0)
    basis = torch.cat([torch.cos(angle), -torch.sin(angle)], -2).float()
    return overlap_add(torch.cat([amplitude.real, amplitude.imag], -1) @ basis, samples)


def oscillate_near(amplitude: Tensor, cycles: Tensor, ratios: Tensor, cents: float, home: float) -> Tensor:
    """`oscillate` for playing, without gradients: a block uses the nearest of the frequencies 2 `cents` apart around
    `home` (the phase at its centre stays exact), so that many share one basis and one matrix product. A steady note is
    one product and a vibrato of +-20 cents a dozen, but a glide of an octave several hundred.

    Args:
        amplitude: (blocks, K) complex64 at block centres. cycles: (blocks,) per sample, of the fundamental.
        ratios: (K,) of the partials to it. home: cycles per sample of the fundamental where the note begins.
    Returns:
        (128 (blocks - 1),) float32.
    """
    rows = torch.view_as_real(amplitude).flatten(1)
    band = (1200 * torch.log2(cycles / home) / (2 * cents)).round()

    def waves_of(rows: Tensor, band: float) -> Tensor:
        return rows @ _basis((home * 2 ** (band * 2 * cents / 1200) * ratios).clamp(max=0.49))

    if bool((band == band[0]).all()):
        waves = waves_of(rows, float(band[0]))
    else:
        found, which = torch.unique(band, return_inverse=True)
        order = torch.argsort(which, stable=True)
        lots = order.split(torch.bincount(which).tolist())
        parts = [waves_of(rows[at], b) for at, b in zip(lots, found.tolist(), strict=True)]
        waves = torch.cat(parts)[torch.argsort(order)]
    return (waves[:-1, HOP:] + waves[1:, :HOP]).flatten()


def _basis(cycles: Tensor) -> Tensor:
    """(2K, 256) windowed cosines and negative sines, alternating, of (K,) frequencies: e^{iw(16a+b)} =
    e^{iw16a} e^{iwb}."""
    angle = (2 * math.pi * (cycles.double()[:, None, None] * _steps()).frac()).float()
    coarse, fine = unit(angle).unbind(1)
    waves = torch.view_as_real((coarse.unsqueeze(2) * fine.unsqueeze(1)).flatten(1))
    return waves.transpose(1, 2).flatten(0, 1) * _window()


@lru_cache(maxsize=1)
def _steps() -> Tensor:
    """(2, 16) samples: 16 a - 128, and b; negated, for negative sines."""
    with torch.inference_mode(False):  # cached, like _window
        n = torch.arange(_SIDE, dtype=torch.float64)
        return -torch.stack([n * _SIDE - HOP, n])
