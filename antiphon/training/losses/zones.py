"""How much of a note's energy lies at its harmonics and how much beside them, through one long window.

Windows of 93 ms cannot separate a drum's tone from a partial 10 Hz away, and a clone would play both. Half a second
separates them; but then amplitudes change within the window and its lobes widen, so the lobes are computed as they are,

    X_k(b) = sum_t h(t) a_k(t) exp(-2 pi i (b - b_k) t)          E |X(b)|^2 = sum_k |X_k(b)|^2 + (6 / N) <g(b)^2>

(Hann h of N samples, summing to 1; partials' powers add, since their phases are random; <> the mean weighted by h^2.
Ensembles and drift, which move energy by less than a zone's width, are left out.) Bins are summed in zones: at each
harmonic and beside it, as for the descriptor of noisiness [data/analysis/descriptors.py], and above those in thirds of
octaves."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.partials import at_harmonics, excerpt, loudest_part
from antiphon.networks.generators.instrument import InstrumentConfig, strike_fade
from antiphon.networks.gesture import Curves
from antiphon.networks.noise import band_to_bin
from antiphon.networks.partials import Bank

HARMONICS = 24  # that have zones at and beside them
THIRDS = 18  # of an octave, above these, up to TOP
TOP = 20_000  # Hz
ZONES = 2 * HARMONICS + 2 + THIRDS
POINTS = 32  # of the window at which amplitudes are taken
REACH = 24  # bins on each side of a partial in which its lobe is computed
QUIET = 1e-6  # of a note's energy: zones with less are as good as silent
BESIDE = 0.3  # weight of all zones beside harmonics together, down to QUIET: a clean tone's hiss is in no loud zone
FAINTEST = 1e-12  # energy, -120 dB of a full-scale sine, that counts as silence in any note
COARSE = 1024  # samples: the window whose bins give the level of noise


class ZoneLoss:
    """Compares what is expected of a note with what its recording shows."""

    def __init__(self, audio: np.ndarray, hz: np.ndarray, config: InstrumentConfig):
        """audio: (samples,) of a note from its onset; hz: (frames,) its f0."""
        part, self.f0 = excerpt(audio, hz)
        samples = len(part)
        size = 2 ** math.ceil(math.log2(samples))
        window = np.hanning(samples + 2)[1:-1]
        power = np.square(np.abs(np.fft.rfft(part * window, size)) * (2 / window.sum()))
        self.step = SAMPLE_RATE / size  # Hz per bin
        places = np.arange(len(power)) * self.step
        zone = _zones(places, self.f0, SAMPLE_RATE / samples)
        self.energy = torch.from_numpy(np.bincount(zone, power, ZONES + 1)[:ZONES]).float()
        cells = np.zeros((ZONES + 1, COARSE // 2 + 1))
        np.add.at(cells, (zone, np.round(places * (COARSE / SAMPLE_RATE)).astype(int)), 6 / samples)
        self.zone, self.cells = torch.from_numpy(zone), torch.from_numpy(cells[:ZONES]).float()
        self.noise, self.strike = (
            band_to_bin(bands, COARSE, SAMPLE_RATE) for bands in (config.noise_bands, config.strike_bands)
        )
        at = (torch.arange(POINTS) + 0.5) / POINTS
        self.knots = loudest_part(audio, float(np.median(hz))).start + at * samples  # (POINTS,) samples since the onset
        self.fade = strike_fade(self.knots).square().unsqueeze(-1)
        self.hann = torch.sin(math.pi * at) ** 2 * (2 / POINTS)
        self.turns = 2 * math.pi * samples / size * (at - 0.5)  # within the window, of a wave of one bin

    def __call__(self, bank: Bank, curves: Curves) -> Tensor:
        """bank, curves: of takes of the note at `knots`. -> scalar, the difference in log energy of the zones, averaged
        over takes; loud zones count more"""
        made = self.shown(bank, curves)
        quiet = (QUIET * self.energy.sum()).clamp_min(FAINTEST)
        weight = (self.energy + quiet).sqrt()
        weight = weight / weight.sum()
        own, real = (energy[1 : 2 * HARMONICS + 2 : 2].sum() + quiet for energy in (made, self.energy))
        apart = (torch.log(made + quiet) - torch.log(self.energy + quiet)).abs()
        return (weight * apart).sum() + BESIDE * torch.log(own / real).abs()

    def shown(self, bank: Bank, curves: Curves) -> Tensor:
        """(ZONES,) expected energies of the takes."""
        return self._tones(bank) + self._noises(curves)

    def _tones(self, bank: Bank) -> Tensor:
        """(ZONES,) energy of the partials."""
        place = bank.ratios[0] * (self.f0 / self.step)
        bins = place.round().long().unsqueeze(-1) + torch.arange(-REACH, REACH + 1)
        turns = (bins - place.unsqueeze(-1)).unsqueeze(-1) * self.turns
        amplitude = (bank.level.exp() * bank.real.unsqueeze(1) * self.hann.unsqueeze(-1)).permute(2, 1, 0)
        power = (torch.cos(turns) @ amplitude).square() + (torch.sin(turns) @ amplitude).square()
        power = power.mean(-1) * ((bins >= 0) & (bins < len(self.zone)))
        zone = self.zone[bins.clamp(0, len(self.zone) - 1)]
        return power.new_zeros(ZONES + 1).index_add(0, zone.flatten(), power.flatten())[:ZONES]

    def _noises(self, curves: Curves) -> Tensor:
        """(ZONES,) energy of both noises."""
        weight = self.hann.square() / self.hann.square().sum()
        lasting, strike = (
            torch.exp(2 * x @ m).mean(0) for x, m in ((curves.noise, self.noise), (curves.strike, self.strike))
        )
        return self.cells @ (weight @ (lasting + self.fade * strike))


def _zones(hz: np.ndarray, f0: float, resolution: float) -> np.ndarray:
    """The zone of each frequency: 2 k at harmonic k = 1, 2, .. and 2 k + 1 around it, 1 below them, then thirds of
    octaves; ZONES for frequencies too high or too low. resolution: Hz"""
    order = np.round(hz / f0)
    near = at_harmonics(hz, f0, resolution) & (order >= 1)
    third = np.floor(3 * np.log2(np.maximum(hz / f0 / (HARMONICS + 0.5), 1))).clip(max=THIRDS - 1)
    zone = np.where(order <= HARMONICS, 2 * order + 1 - near, 2 * HARMONICS + 2 + third)
    return np.where((hz > 0.15 * f0) & (hz < TOP), zone, ZONES).astype(np.int64)
