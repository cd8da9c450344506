"""Everything that repairs a recording, one after another: clicks are filled in, what was cut off is put back, hum is
taken out; the network, which is told what was heard, does what it can; and missing treble is added.

All but the network need no training and measured better than it [benchmarks/repair.py]; each acts only where its
damage was heard, or was asked for. Sound comes in blocks; what comes out is as long, and where nothing is wrong it is
the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from antiphon.audio.mending.clicks import Declicker
from antiphon.audio.mending.clipping import Declipper
from antiphon.audio.mending.hum import Dehummer
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.wear import Faults
from antiphon.data.damage.damage import damages, told_of
from antiphon.networks.generators.repair import ADDING, BINS, WINDOW
from antiphon.voices.extension import Extension
from antiphon.voices.repair_stream import RepairStream

AUTO = "auto"
BY_NETWORK = ("noise", "codec", "reverb")
ASKED = ("codec", "reverb")  # only if asked for: of these the bundled voice has learned little
HIGHEST = 10_000.0  # Hz, of a band limit above which nothing is added: it would be wrong as often as right
SOFTEST = 0.06  # a sound's peak, below which the network hears it amplified


class Stage(Protocol):
    """Sound in blocks, (n, channels) float32: those that are ready come out; `finish` returns the rest."""

    def __call__(self, block: np.ndarray) -> np.ndarray: ...

    def finish(self) -> np.ndarray: ...


class Repairer(Protocol):
    """A voice that repairs: the damages it can be told of, and its network for sound in blocks."""

    @property
    def instruments(self) -> tuple[str, ...]: ...

    def stream(self, told: Tensor, channels: int, strength: float = 1.0, mask: np.ndarray | None = None) -> Stage: ...


def chosen(what: str | Sequence[str], faults: Faults) -> dict[str, float | None]:
    """What is to be repaired, with how bad it is, None if that is not known. what: auto, or names, "noise,hum". Raises
    AntiphonError for a damage that there is not."""
    names = [w.strip() for w in (what.split(",") if isinstance(what, str) else what) if w.strip()]
    if not names or names == [AUTO]:
        return {name: amount for name, amount in faults.amounts.items() if name not in ASKED}
    for name in names:
        if name not in damages():
            raise AntiphonError(f"cannot repair '{name}': use {AUTO}, or some of {', '.join(damages())}")
    return {name: faults.suspected.get(name) for name in damages() if name in names}


def mendable(name: str, amount: float | None) -> bool:
    """Whether asking for it changes anything."""
    return name != "bandwidth" or (amount is not None and amount < HIGHEST)


class Mending:
    """One sound's repair, as a Stage at 44.1 kHz. faults: as heard. wanted: by `chosen`. strength: 0 for none of the
    change, 1 for all. voice: needed for what the network does."""

    def __init__(
        self,
        voice: Repairer | None,
        faults: Faults,
        wanted: Mapping[str, float | None],
        channels: int,
        strength: float = 1.0,
    ):
        self.stages: list[Stage] = []
        self._strength = np.float32(strength)
        self._given = np.zeros((0, channels), np.float32)
        if not strength:
            return
        if "clicks" in wanted:
            self.stages.append(Declicker(channels))
        if "clipping" in wanted:
            self.stages.append(Declipper(channels, faults.ceiling if faults.clipped else faults.peak))
        if "hum" in wanted and faults.lines:
            self.stages.append(Dehummer(channels, faults.lines))
        if any(name in wanted for name in BY_NETWORK):
            if voice is None:
                raise AntiphonError("no voice to repair with: give one (--voice)")
            self.stages.append(_Network(voice, faults, wanted, channels))
        cut = wanted.get("bandwidth")
        if cut is not None and mendable("bandwidth", cut):
            told = torch.zeros(1)
            self.stages.append(RepairStream(Extension(cut), told, channels, mask=_above(cut)))

    def __call__(self, block: np.ndarray) -> np.ndarray:
        self._given = np.concatenate([self._given, block])
        for stage in self.stages:
            block = stage(block)
        return self._blended(block)

    def finish(self) -> np.ndarray:
        block = self._given[:0]
        for stage in self.stages:
            block = np.concatenate([stage(block) if len(block) else block, stage.finish()])
        return self._blended(block)

    def _blended(self, block: np.ndarray) -> np.ndarray:
        given, self._given = self._given[: len(block)], self._given[len(block) :]
        return given + self._strength * (block - given) if self._strength != 1 else block


class _Network:
    """The network's part, at a level that it knows."""

    def __init__(self, voice: Repairer, faults: Faults, wanted: Mapping[str, float | None], channels: int):
        told = told_of(voice.instruments, {name: wanted[name] for name in wanted if name in BY_NETWORK})
        for row, name in zip(told, voice.instruments, strict=True):
            if name in ADDING and name in wanted and not row[1]:
                row[:] = 0.5, 1  # how bad it is nobody knows, but that it is there has to be told
        gain = 1.0
        while 0 < faults.peak * gain < SOFTEST:  # powers of two change no bits
            gain *= 2
        self._gain = np.float32(gain)
        self._stream = voice.stream(torch.from_numpy(told.ravel()), channels)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return self._stream(block * self._gain) / self._gain

    def finish(self) -> np.ndarray:
        return self._stream.finish() / self._gain


def _above(cut: float) -> np.ndarray:
    """(BINS,) 0..1: frequencies above a band limit, those that may change."""
    hz = np.arange(BINS) * SAMPLE_RATE / WINDOW
    return np.clip((hz / cut - 0.92) / 0.06, 0, 1)
