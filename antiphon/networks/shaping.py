"""The knobs of an instrument: the slope of its spectrum, the time its beginning and its release take, its noise, its
odd partials, its vibrato, its unison.

Two of them bend time: the trunk is a function of time [timegrid.py], so that asking it for other moments than those
that are played stretches what it says. The others change the curves and the partials that come of it. All of them are
functions of the time since the onset and since the release, so that a note sounds alike streamed and known whole.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.gesture import Curves, Gesture
from antiphon.networks.knobs import NEPERS, Knob, octaves_above, sloped
from antiphon.networks.partials import Bank
from antiphon.networks.physics import FREE_SLOTS, midi_to_hz
from antiphon.representations.mel import band_centres

BEGINNING = 0.25  # seconds after which time goes on at its own speed
BITE = 0.07  # seconds in which the slope of the beginning gives way to that of the rest
RAMP = 0.004  # seconds; even a beginning that takes no time can take some
RISES = 3.0  # seconds for which a note may gain level while it is held
KNOBS = (
    Knob("tilt", "slope of the spectrum", "dB an octave", 1.5, -24.0, 24.0),
    Knob("rise", "time that the beginning takes", "log2 of times", 0.6, -4.0, 4.0, alike=False),
    Knob("slope", "level gained while held", "dB a second", 5.0, -80.0, 80.0),
    Knob("ring", "time that the release takes", "log2 of times", 0.5, -4.0, 3.0),
    Knob("noise", "noise beside the partials", "dB", 4.0, -40.0, 40.0),
    Knob("odd", "odd partials beside even ones", "dB", 3.0, -40.0, 40.0),
    Knob("vibrato", "depth of the vibrato", "cents", 10.0, -60.0, 60.0, alike=False),
    Knob("unison", "how many and how far apart the players", "log2 of times", 0.7, -4.0, 4.0, alike=False),
    Knob("bite", "slope of the spectrum of the first 70 ms", "dB an octave", 2.0, -24.0, 24.0),
)
NAMES = tuple(knob.name for knob in KNOBS)
VIBRATO = NAMES.index("vibrato")


def knob_of(shaping: Tensor, name: str) -> Tensor:
    """(batch,) how far one knob of (batch, knobs) is turned."""
    return shaping[:, NAMES.index(name)]


def bent_time(g: Gesture) -> Gesture:
    """The moments that the trunk is asked for: slower or faster at the beginning and after the release."""
    if g.shaping is None:
        return g
    begin, after = (torch.exp2(-knob_of(g.shaping, name)).unsqueeze(-1) for name in ("rise", "ring"))
    release = g.release if g.release.dim() == 2 else g.release.unsqueeze(-1).expand_as(g.knots)
    held = _warped(torch.minimum(g.knots, release), begin)
    since = (g.knots - release).clamp_min(0)  # 0 of a note that is held
    return replace(g, knots=held + since * after, release=_warped(release, begin))


def _warped(times: Tensor, speed: Tensor) -> Tensor:
    """Samples since the onset, (batch, t), of a note whose first moments go by at `speed`, (batch, 1)."""
    span = BEGINNING * SAMPLE_RATE
    return times + (speed - 1) * span * (1 - torch.exp(-times / span))


def shaped(bank: Bank, curves: Curves, g: Gesture) -> tuple[Bank, Curves]:
    """A note's partials and curves with its knobs turned."""
    if g.shaping is None:
        return bank, curves
    times = g.knots / SAMPLE_RATE
    nominal = midi_to_hz(g.pitch)[:, None, None]
    tilt = knob_of(g.shaping, "tilt").unsqueeze(-1)
    slope = NEPERS * (tilt + knob_of(g.shaping, "bite").unsqueeze(-1) * torch.exp(-times / BITE)).unsqueeze(-1)
    ramp = _ramp(g, times)
    gain = (NEPERS * _gained(g, times) + ramp).unsqueeze(-1)
    change = slope * octaves_above(bank.ratios, torch.ones(1)).unsqueeze(1) + _odd(bank, g)
    masked = bank.level.masked_fill(~bank.real.unsqueeze(1), -60.0)
    level = torch.where(bank.real.unsqueeze(1), sloped(masked, change) + gain, bank.level)
    louder = NEPERS * knob_of(g.shaping, "noise")[:, None, None]
    noise, strike = (_tilted(bands, slope, nominal) + louder for bands in (curves.noise, curves.strike))
    unison = knob_of(g.shaping, "unison")
    curves = replace(
        curves,
        noise=noise + gain,
        strike=strike + ramp.unsqueeze(-1),
        ensemble=torch.sigmoid(torch.logit(curves.ensemble, 1e-5) + 2 * unison.unsqueeze(-1)),
        detune=curves.detune * torch.exp2(unison * (unison < 0)),
    )
    return replace(bank, level=level), curves


def _gained(g: Gesture, times: Tensor) -> Tensor:
    """(batch, t) dB by which a note is louder for how long it has been held."""
    release = g.release if g.release.dim() == 2 else g.release.unsqueeze(-1)
    slope = knob_of(g.shaping, "slope").unsqueeze(-1)  # type: ignore[arg-type]
    held = torch.minimum(times, release / SAMPLE_RATE)
    return slope * torch.where(slope > 0, held.clamp(max=RISES), held)


def _ramp(g: Gesture, times: Tensor) -> Tensor:
    """(batch, t) nepers, 0 or less, of a note whose beginning takes longer than the trunk says."""
    time = RAMP * (torch.exp2(knob_of(g.shaping, "rise")) - 1).clamp_min(1e-9).unsqueeze(-1)  # type: ignore[arg-type]
    return torch.log(-torch.expm1(-times / time)).clamp_min(-6) * (time > 1e-6)


def _odd(bank: Bank, g: Gesture) -> Tensor:
    """(batch, 1, K) nepers by which odd harmonics gain and even ones lose."""
    sign = torch.zeros(bank.ratios.shape[1])
    sign[FREE_SLOTS::2], sign[FREE_SLOTS + 1 :: 2] = 0.5, -0.5
    return NEPERS * knob_of(g.shaping, "odd")[:, None, None] * sign  # type: ignore[arg-type]


def _tilted(bands: Tensor, slope: Tensor, nominal: Tensor) -> Tensor:
    """Bands of noise, (batch, t, bands) nepers, sloped like the partials. slope: (batch, t, 1) nepers an octave;
    nominal: (batch, 1, 1) Hz."""
    hz, wide = bands_of(bands.shape[-1])
    return sloped(bands, slope[:, : bands.shape[1]] * octaves_above(hz, nominal), wide)


@lru_cache(maxsize=8)
def bands_of(count: int) -> tuple[Tensor, Tensor]:
    """(bands,) Hz of their centres, and how wide each is."""
    with torch.inference_mode(False):
        hz = band_centres(count)
        return hz, torch.gradient(hz)[0]
