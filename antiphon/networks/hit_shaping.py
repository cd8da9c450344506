"""The knobs of a drum: the slope of its spectrum, its tuning, its stroke, how long its tones and its noise ring, how
much noise there is, how deep its pitch falls.

Ringing bends time: the trunk is a function of time, and is asked for earlier or later moments than those that are
played.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.one_shot import NOMINAL, HitCurves, OneShotGenerator, Ringing
from antiphon.networks.gesture import Gesture
from antiphon.networks.knobs import NEPERS, Knob, octaves_above, sloped
from antiphon.networks.shaping import bands_of

STROKE = 0.01  # seconds in which the stroke is half over
MIDDLE = 100.0  # Hz, about which the spectrum is sloped
KNOBS = (
    Knob("tilt", "slope of the spectrum", "dB an octave", 1.0, -24.0, 24.0),
    Knob("tuning", "pitch of the tones", "octaves", 0.2, -2.0, 2.0, alike=False),
    Knob("stroke", "level of the first 10 ms", "dB", 3.0, -40.0, 40.0),
    Knob("ring", "time that tones and noise ring", "log2 of times", 0.4, -4.0, 3.0, alike=False),
    Knob("noise", "noise beside the tones", "dB", 4.0, -40.0, 40.0),
    Knob("tail", "time that the noise rings", "log2 of times", 0.4, -4.0, 3.0, alike=False),
    Knob("fall", "fall of the pitch", "octaves", 0.2, -3.0, 3.0, alike=False),
)
NAMES = tuple(knob.name for knob in KNOBS)


def curves_of(generator: OneShotGenerator, w: Tensor, g: Gesture) -> HitCurves:
    """The trunk's curves with the hits' knobs turned."""
    if g.shaping is None:
        return generator.curves(w, g)
    knob = dict(zip(NAMES, g.shaping.T.unsqueeze(-1), strict=True))
    modes = generator.curves(w, _slower(g, knob["ring"])).modes
    noisy = generator.curves(w, _slower(g, knob["ring"] + knob["tail"]))
    times = (g.knots / SAMPLE_RATE).unsqueeze(-1)
    stroke = NEPERS * knob["stroke"].unsqueeze(-1) * torch.exp(-((times / STROKE) ** 2))
    slope, louder = (NEPERS * knob[name].unsqueeze(-1) for name in ("tilt", "noise"))
    ratios = NOMINAL * generator.tuning(w, g.pitch, g.velocity).ratios.unsqueeze(1)
    modes = sloped(modes, slope * octaves_above(ratios, torch.tensor(MIDDLE))) + stroke
    noise, strike = (_tilted(bands, slope) + louder + stroke for bands in (noisy.noise, noisy.strike))
    return HitCurves(modes, noise, strike)


def tuned(ringing: Ringing, g: Gesture) -> Ringing:
    """Where the modes lie with the hits' knobs turned."""
    if g.shaping is None:
        return ringing
    knob = dict(zip(NAMES, g.shaping.T, strict=True))
    glide = torch.stack([ringing.glide[:, 0] + knob["fall"], ringing.glide[:, 1]], -1)
    return replace(ringing, ratios=ringing.ratios * torch.exp2(knob["tuning"]).unsqueeze(-1), glide=glide)


def _slower(g: Gesture, octaves: Tensor) -> Gesture:
    return replace(g, knots=g.knots * torch.exp2(-octaves))


def _tilted(bands: Tensor, slope: Tensor) -> Tensor:
    hz, wide = bands_of(bands.shape[-1])
    return sloped(bands, slope * octaves_above(hz, torch.tensor(MIDDLE)), wide)
