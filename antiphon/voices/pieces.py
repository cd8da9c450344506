"""The sound of one note, a piece at a time, by NumPy: what `synthesis.tones` and `synthesis.noises` compute for many
notes at once, with as little as possible to do between two pieces of one."""

from __future__ import annotations

import math

import numpy as np

from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.networks.generators.instrument import LONG, LONG_HOP, InstrumentGenerator
from antiphon.networks.noise import sine_window
from antiphon.networks.oscillators import BLOCK, HOP
from antiphon.networks.partials import LOOSE, SILENT, UNEVEN
from antiphon.networks.physics import COPIES, random_phases
from antiphon.voices.known import Known
from antiphon.voices.pitch_track import STEADY, Track
from antiphon.voices.synthesis import LETTING_GO

BLOCKS = LONG_HOP // HOP  # of a piece
SIDE = 16  # BLOCK = SIDE * SIDE
BASES = 24  # tables of sines that a note keeps, one for each pitch that it takes


class Pieces:
    """Renders one note, of whose partials only those that are heard at any time."""

    def __init__(self, generator: InstrumentGenerator, begin: Known):
        """begin: what is known of it at first; only what never changes counts."""
        self._take, self._ratios = int(begin.take), begin.bank.ratios[0].double().numpy()
        phase, copies = random_phases(self._take, len(self._ratios))
        order = begin.bank.slots[0]
        self._phase = phase[order].numpy()
        self._turns, apart = copies[..., order].double().numpy()  # (COPIES, K) each
        hz = midi_to_hz(float(begin.pitch)) * self._ratios
        self._speed = hz * (np.exp2(float(begin.detune) * apart / 1200) - 1) / SAMPLE_RATE * HOP
        self._white, self._bins = generator.white_long.numpy(), generator.long_bins.numpy()
        self._window = sine_window(LONG, LONG_HOP).numpy()
        self._frames: dict[tuple[int, bool], np.ndarray] = {}
        self._bases: dict[float, np.ndarray] = {}
        self._kept = np.zeros(0, bool)

    def settle(self, known: Known) -> None:
        """Take in what is known now."""
        gated = known.gated()
        level, held = gated.bank.level[0].numpy(), known.held.shape[1]
        kept = level.max(0) > SILENT
        if not kept.any():
            kept[0] = True
        self._times = np.concatenate([known.held[0].numpy(), known.after[0].numpy()]).astype(np.float64)
        self._held, self._level = held, level[:, kept]
        self._ensemble, self._noise = known.ensemble[0].numpy(), known.noise[0].numpy()
        self._frames = {key: frame for key, frame in self._frames.items() if not key[1]}
        if not np.array_equal(kept, self._kept):
            self._kept, self._bases = kept, {}
            self._own = np.ascontiguousarray(self._ratios[kept])
            steps = np.arange(BLOCKS + 1)[:, None, None]
            self._steps = _unit(self._speed[:, kept] * steps)  # (blocks, COPIES, K)

    # ---- partials ----------------------------------------------------------------------------------------------------

    def tone(self, number: int, track: Track, switch: float) -> np.ndarray:
        """(1024,) the partials from sample 1024 `number` on. track: of its 9 blocks; switch: the first block that takes
        account of the release."""
        first = number * BLOCKS
        blocks = first + np.arange(BLOCKS + 1)
        left, right, share = self._place(blocks * HOP, blocks >= switch)
        plain = np.exp(self._level[left] * (1 - share) + self._level[right] * share)
        beats = self._beats(first, left, right, share)
        cycles = self._phase[self._kept] + np.multiply.outer(track.gone.numpy(), self._own)
        amplitude = plain * _evened(plain, beats, blocks * (HOP / SAMPLE_RATE))[:, None] * _unit(cycles) * beats
        waves = self._waves(np.ascontiguousarray(amplitude).view(np.float32), track)
        return np.asarray((waves[:-1, HOP:] + waves[1:, :HOP]).ravel())

    def _place(self, at: np.ndarray, released: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The knots around samples `at`, and how near each is to the second: (n,), (n,), (n, 1)."""
        before, after = self._times[: self._held], self._times[self._held :]
        left = np.clip(np.searchsorted(before, at, side="right") - 1, 0, len(before) - 2)
        if released.any():
            late = np.clip(np.searchsorted(after, at, side="right") - 1, 0, len(after) - 2) + self._held
            left = np.where(released, late, left)
        a, b = self._times[left], self._times[left + 1]
        share = np.clip((at - a) / np.maximum(b - a, 1e-9), 0, 1).astype(np.float32)
        return left, left + 1, share[:, None]

    def _beats(self, first: int, left: np.ndarray, right: np.ndarray, share: np.ndarray) -> np.ndarray:
        """(blocks, K) what the copies of each partial make of it [physics.chorus]."""
        depth = self._ensemble[left, None] * (1 - share) + self._ensemble[right, None] * share
        begin = _unit(self._turns[:, self._kept] + self._speed[:, self._kept] * first)
        unison = (self._steps * begin).sum(1) / np.float32(math.sqrt(COPIES))
        return np.asarray(np.sqrt(np.maximum(1 - depth * depth, 1e-4)) + depth * unison)

    def _waves(self, rows: np.ndarray, track: Track) -> np.ndarray:
        """(blocks, 256) windowed blocks of (blocks, 2K) amplitudes, each of the nearest pitch 3 cents apart."""
        bands = np.round(1200 * np.log2(track.cycles / track.home) / (2 * STEADY))
        if (bands == bands[0]).all():
            return np.asarray(rows @ self._basis(float(bands[0]), track.home))
        return np.stack([row @ self._basis(float(b), track.home) for row, b in zip(rows, bands, strict=True)])

    def _basis(self, band: float, home: float) -> np.ndarray:
        """(2K, 256) windowed cosines and negative sines [oscillators._basis]."""
        if band not in self._bases:
            if len(self._bases) >= BASES:
                del self._bases[next(iter(self._bases))]
            cycles = np.minimum(home * 2 ** (band * 2 * STEADY / 1200) * self._own, 0.49)[:, None]
            steps = np.arange(SIDE)
            coarse, fine = _unit(-cycles * (SIDE * steps - HOP)), _unit(-cycles * steps)
            waves = (coarse[:, :, None] * fine[:, None, :]).reshape(len(cycles), BLOCK)
            basis = np.empty((2 * len(cycles), BLOCK), np.float32)
            basis[0::2], basis[1::2] = waves.real * HANN, waves.imag * HANN
            self._bases[band] = basis
        return self._bases[band]

    # ---- noise -------------------------------------------------------------------------------------------------------

    def noise(self, number: int, release: float) -> np.ndarray:
        """(1024,) the lasting noise from sample 1024 `number` on. release: samples, inf while the note is held."""
        begin = number * LONG_HOP
        if begin + LONG_HOP <= release:
            return self._between(number, False)
        if begin >= release + LETTING_GO:
            return self._between(number, True)
        held, after = self._between(number, False), self._between(number, True)
        ramp = np.clip((begin + np.arange(LONG_HOP) - release) / LETTING_GO, 0, 1).astype(np.float32)
        return np.asarray(held + ramp * (after - held))

    def _between(self, number: int, released: bool) -> np.ndarray:
        return np.asarray(self._frame(number, released)[LONG_HOP:] + self._frame(number + 1, released)[:LONG_HOP])

    def _frame(self, number: int, released: bool) -> np.ndarray:
        """(2048,) the noise centred on sample 1024 `number`."""
        key = number, released
        if key not in self._frames:
            left, right, share = self._place(np.array([number * LONG_HOP]), np.array([released]))
            bands = self._noise[left] * (1 - share) + self._noise[right] * share
            row = (self._take * 2_654_435_761 + number) % len(self._white)
            spectrum = np.exp(bands[0] @ self._bins) * self._white[row]
            made = np.fft.irfft(spectrum, LONG).astype(np.float32) * self._window
            self._frames = {k: f for k, f in self._frames.items() if k[0] >= number - 2} | {key: made}
        return self._frames[key]


HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(BLOCK) / BLOCK)).astype(np.float32)


def _unit(cycles: np.ndarray) -> np.ndarray:
    """e^{i 2 pi cycles}, complex64, for any number of cycles, float64."""
    angle = ((cycles - np.floor(cycles)) * (2 * math.pi)).astype(np.float32)
    out = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out


def _evened(plain: np.ndarray, beats: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """(blocks,) gains [partials._evened]."""
    power = plain * plain
    change = (power * (beats.real**2 + beats.imag**2)).sum(1) / np.maximum(power.sum(1), 1e-30)
    decibels = 10 * np.log10(np.maximum(change, 1e-6))
    most = UNEVEN * (1 + (seconds / LOOSE) ** 2)
    return np.asarray(10 ** ((most * np.tanh(decibels / most) - decibels) / 20), np.float32)
