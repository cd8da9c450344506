"""What a critic may be shown instead of a sound, so that it cannot learn the training sounds by heart.

    T = noise . crop . shift . polarity . gain,     each part with probability p, else left out

Real and generated sounds pass through the same kind of T before D sees them, and G's gradient passes back through it
(Karras 2020, "Training generative adversarial networks with limited data"). No part leaks into what G makes as long as
p < 1: the distribution of altered sounds determines that of the sounds (ibid., section 2.2). Gain, polarity and a
circular shift can be undone sound by sound; a share 1 - p of the sounds has no crop or noise, and that anchors the
rest. `MOST` keeps the operators from becoming singular: a gain or shift drawn uniformly has eigenvalues down to
1 - 1.22 p.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE

KINDS = ("gain", "polarity", "shift", "crop", "noise")
MOST = 0.8  # p, at most
GAIN_DB = 6.0  # up or down, at most
SHIFT = 0.125  # of the length, forwards or back, at most; what leaves at one end comes back at the other
KEPT = 0.5  # of the length, at least, is kept by a crop
FADE = 1 / 128  # of the length: a crop's edges fade, so that they do not click
NOISE_DB = (-70.0, -35.0)  # of band noise re full scale, RMS
BAND = (60.0, 12_000.0)  # Hz: where an octave of noise may begin, in a sound at SAMPLE_RATE

IMAGE_LEVEL = 0.1  # most that gain and noise add to images, which are logarithmic and in [-1, 1]


@dataclass(frozen=True)
class Draw:
    """How each sound of a batch is changed; all (batch,).

    gain: in [-1, 1] of what is allowed. polarity: 1 or -1. shift, crop_start, crop_length: shares of the length, the
    crop in [0, 1], with crop_length 1 for none. noise: in (0, 1] of the range in dB, 0 for none; band: in [0, 1] of
    the range of pitch. seed: of the noise itself.
    """

    gain: Tensor
    polarity: Tensor
    shift: Tensor
    crop_start: Tensor
    crop_length: Tensor
    noise: Tensor
    band: Tensor
    seed: int = 0

    def __len__(self) -> int:
        return len(self.gain)

    def __getitem__(self, some: slice) -> Draw:
        """The draw of some of the sounds."""
        parts = {f.name: getattr(self, f.name)[some] for f in fields(self) if f.name != "seed"}
        return Draw(**parts, seed=self.seed)


def draw(count: int, p: float, rng: torch.Generator, kinds: tuple[str, ...] = KINDS) -> Draw:
    """Sample a draw for `count` sounds, each of `kinds` with probability p in [0, MOST]. `rng`: on the CPU."""
    if not 0 <= p <= MOST:
        raise AntiphonError(f"augmentation at {p:g} would leak into the generated sounds: use 0 to {MOST}")
    uniform = torch.rand(len(KINDS) + 7, count, generator=rng)
    seed = int(torch.randint(1 << 31, (), generator=rng))
    hit = {kind: (uniform[i] < p) & (kind in kinds) for i, kind in enumerate(KINDS)}
    how = uniform[len(KINDS) :]
    length = torch.where(hit["crop"], KEPT + (1 - KEPT) * how[3], torch.ones(count))
    return Draw(
        gain=(2 * how[0] - 1) * hit["gain"],
        polarity=torch.where(hit["polarity"] & (how[1] < 0.5), -1.0, 1.0),
        shift=SHIFT * (2 * how[2] - 1) * hit["shift"],
        crop_start=(1 - length) * how[4],
        crop_length=length,
        noise=how[5].clamp_min(1e-3) * hit["noise"],
        band=how[6],
        seed=seed,
    )


def shown(p: float, count: int, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
    """How a critic is shown up to `count` sounds: `augment` with one draw, the same for a sound and its imitation; with
    p = 0 as they are, without using random numbers."""
    if not p:
        return lambda x: x
    how = draw(count, p, rng)
    return lambda x: augment(x, how[: len(x)])


def augment(x: Tensor, how: Draw) -> Tensor:
    """A batch as it is shown to the critic, differentiable in x.

    x: waveforms (batch, samples) or (batch, 1, samples) in [-1, 1], or images (batch, channels, bins, frames) whose
    first channel is a logarithmic level in about [-1, 1] -> the same shape and device
    """
    if len(how) != len(x):
        raise AntiphonError(f"{len(x)} sounds cannot be altered by a draw for {len(how)}")
    image = x.ndim == 4
    x = _gained_image(x, how) if image else _gained(x, how)
    if bool((how.shift != 0).any()):
        x = _shifted(x, how.shift)
    if bool((how.crop_length < 1).any()):
        x = x * _window(x, how)
    if bool((how.noise > 0).any()):
        x = x + (_image_noise(x, how) if image else _noise(x, how))
    return x


def _column(value: Tensor, like: Tensor) -> Tensor:
    """(batch,) -> (batch, 1, ...) on the device of `like`, and in its type unless `value` counts something."""
    value = value.to(like.device, like.dtype if value.is_floating_point() else value.dtype)
    return value.view(-1, *[1] * (like.ndim - 1))


def _gained(x: Tensor, how: Draw) -> Tensor:
    return x * _column(how.polarity * 10 ** (GAIN_DB / 20 * how.gain), x)


def _gained_image(x: Tensor, how: Draw) -> Tensor:
    """A louder sound is a brighter image. Its polarity cannot be seen; phase, in a second channel, stays."""
    level = torch.zeros(1, x.shape[1], 1, 1, device=x.device, dtype=x.dtype)
    level[:, 0] = IMAGE_LEVEL
    return x + level * _column(how.gain, x)


def _shifted(x: Tensor, shift: Tensor) -> Tensor:
    length = x.shape[-1]
    by = _column((shift * length).round().long(), x)
    at = (torch.arange(length, device=x.device) - by) % length
    return x.gather(-1, at.expand_as(x))


def _window(x: Tensor, how: Draw) -> Tensor:
    """1 inside the crop and 0 outside, with raised-cosine edges that lie inside; all 1 if there is no crop."""
    length = x.shape[-1]
    at = (torch.arange(length, device=x.device, dtype=torch.float32) + 0.5) / length
    start, kept = (
        _column(v.float(), at.expand(len(x), *[1] * (x.ndim - 2), length)) for v in (how.crop_start, how.crop_length)
    )
    inside = torch.minimum(at - start, start + kept - at) / FADE
    window = 0.5 - 0.5 * torch.cos(torch.pi * inside.clamp(0, 1))
    return torch.where(kept < 1, window, torch.ones_like(window)).to(x.dtype)


def _white(x: Tensor, how: Draw) -> Tensor:
    """Standard normal noise of x's shape, the same on every device."""
    rng = torch.Generator().manual_seed(how.seed)
    return torch.randn(x.shape, generator=rng).to(x.device)


def _noise(x: Tensor, how: Draw) -> Tensor:
    """An octave of noise, wherever the draw puts it."""
    length = x.shape[-1]
    hz = torch.arange(length // 2 + 1, device=x.device) * (SAMPLE_RATE / length)
    low = _column(BAND[0] * (BAND[1] / BAND[0]) ** how.band, x)
    inside = (hz >= low) & (hz < 2 * low)
    spectrum = torch.fft.rfft(_white(x, how)) * inside
    share = inside.sum(-1, keepdim=True).clamp_min(1) / len(hz)  # of the white noise's energy
    quiet, loud = NOISE_DB
    level = 10 ** ((quiet + (loud - quiet) * how.noise) / 20) * (how.noise > 0)
    return (torch.fft.irfft(spectrum, n=length) / share.sqrt() * _column(level, x)).to(x.dtype)


def _image_noise(x: Tensor, how: Draw) -> Tensor:
    """Noise in a fifth of the bins, wherever the draw puts it, in the level only."""
    bins = x.shape[2]
    wide = max(bins // 5, 1)
    at = torch.arange(bins, device=x.device).view(1, 1, -1, 1)
    low = _column((how.band * (bins - wide)).round().long(), x)
    inside = (at >= low) & (at < low + wide)
    noise = _white(x[:, :1], how) * inside * (IMAGE_LEVEL * _column(how.noise, x))
    return torch.cat([noise, torch.zeros_like(x[:, 1:])], 1).to(x.dtype)
