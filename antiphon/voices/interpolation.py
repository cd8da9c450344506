"""Ways from one style vector to another: along great circles, in steps that are even to the ear.

Style vectors are on a sphere of unit mean square, |w|^2 = style. The shortest way between two is an arc of a great
circle (Shoemake 1985, "slerp"); the mean of several, by shares, is where their logarithms sum to zero (Karcher 1977).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from antiphon.audio.mel import log_mel_distance, log_mels
from antiphon.networks.encoders.note import on_sphere

FIRST, HALVED, MOST = 9, 8, 33  # points of a way to listen to: at first, added per round, and at most
SILENT = 0.01  # weight of the arc itself, so that stretches without change take some of the way too
ROUNDS = 12  # of Karcher's iteration; each gains a digit or more

Listen = Callable[[list[Tensor]], list[np.ndarray]]


def logarithm(base: Tensor, w: Tensor) -> Tensor:
    """(style,) the tangent at `base` that points to `w`, as long as the angle between them (radians)."""
    a, b = (x.double() / x.double().norm() for x in (base, w))
    cosine = (a @ b).clamp(-1, 1)
    across = b - cosine * a
    length = across.norm()
    if length < 1e-9:  # equal or opposite: any direction will do
        across = torch.roll(a, 1) - (torch.roll(a, 1) @ a) * a if cosine < 0 else across
        length = across.norm().clamp_min(1e-30)
    return torch.acos(cosine) * across / length


def exponential(base: Tensor, tangent: Tensor) -> Tensor:
    """(style,) float32, the point of the sphere reached from `base` along a tangent; the inverse of `logarithm`."""
    a, angle = base.double() / base.double().norm(), tangent.norm()
    return on_sphere(torch.cos(angle) * a + torch.sin(angle) * tangent / angle.clamp_min(1e-30))


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """(style,) the point of the arc from a (share 0) to b (share 1); exactly these at its ends."""
    if share in (0.0, 1.0):
        return b if share else a
    return exponential(a, share * logarithm(a, b))


def blended(ws: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """(style,) the mean of style vectors on the sphere, by shares that sum to 1; for two, their slerp."""
    kept = [(w, share) for w, share in zip(ws, shares, strict=True) if share > 0]
    mean = max(kept, key=lambda pair: pair[1])[0]
    if len(kept) == 1:
        return mean
    for _ in range(ROUNDS):
        mean = exponential(mean, torch.stack([share * logarithm(mean, w) for w, share in kept]).sum(0))
    return mean


@dataclass(frozen=True)
class Way:
    """An arc from w to w with a scale on it. places: (n,) ascending positions on the arc, 0..1; shares: (n,) ascending,
    how much of the change from one sound to the other has been heard there, 0..1."""

    start: Tensor
    stop: Tensor
    places: np.ndarray
    shares: np.ndarray

    def __call__(self, share: float) -> Tensor:
        """(style,) the style vector at which a share of the change has been heard; exactly the ends at 0 and 1."""
        return slerp(self.start, self.stop, float(np.interp(share, self.shares, self.places)))


def even_way(start: Tensor, stop: Tensor, listen: Listen) -> Way:
    """The arc between two style vectors, (style,) each, in steps even to the ear.

    Equal steps of w are far from equal steps of sound: most of the change is within a tenth of the arc. So sounds along
    it are compared (multi-scale log-mel), and the widest gaps between neighbours are halved a few times. The scale is
    the mean of two: the decibels accumulated from neighbour to neighbour, which include changes that are undone again,
    and how much nearer a sound is to one end than to the other, which omits those but hardly moves where sounds are
    like neither. listen: style vectors -> their sounds, (samples,) each, of equal length.
    """
    heard: dict[float, list[np.ndarray]] = {}
    gaps: dict[tuple[float, float], float] = {}
    wanted = np.linspace(0, 1, FIRST).tolist()
    while wanted:
        sounds = listen([slerp(start, stop, place) for place in wanted])
        heard |= zip(wanted, (log_mels(sound) for sound in sounds), strict=True)
        pairs = list(pairwise(sorted(heard)))
        gaps |= {(a, b): log_mel_distance(heard[a], heard[b]) for a, b in pairs if (a, b) not in gaps}
        widest = sorted(pairs, key=lambda pair: -gaps[pair])[: min(HALVED, MOST - len(heard))]
        wanted = [(a + b) / 2 for a, b in widest if gaps[a, b] > 0]
    places, gone = np.array(sorted(heard)), np.cumsum([0.0, *(gaps[pair] for pair in pairs)])
    if gone[-1] == 0:
        return Way(start, stop, places, places)
    scale = (gone / gone[-1] + _nearness([heard[place] for place in places])) / 2
    return Way(start, stop, places, SILENT * places + (1 - SILENT) * scale / scale[-1])


def _nearness(heard: list[list[np.ndarray]]) -> np.ndarray:
    """(n,) 0..1, never falling: the distance from the first over those from the first and to the last."""
    gone = np.array([log_mel_distance(sound, heard[0]) for sound in heard])
    left = np.array([log_mel_distance(sound, heard[-1]) for sound in heard])
    return np.maximum.accumulate(gone / np.maximum(gone + left, 1e-9))
