"""FluidSynth, one dry note at a time, in float. Needs the extra `antiphon[soundfont]` and the FluidSynth library."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from antiphon.audio.ops import Audio
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.soundfont.sf2 import Preset

BLOCK = 64  # FluidSynth's own block: events take effect at multiples of it, so notes start exactly at sample 0
_CHUNK = 64 * BLOCK


def fluidsynth() -> ModuleType:
    """The pyfluidsynth module; AntiphonError says what to install if it or its library is missing."""
    try:
        import fluidsynth as module
    except (ImportError, OSError):
        raise AntiphonError(
            "rendering soundfonts needs pyfluidsynth (pip install 'antiphon[soundfont]') and FluidSynth's library "
            "(apt install libfluidsynth3, or brew install fluid-synth)"
        ) from None
    if not hasattr(module, "Synth"):
        raise AntiphonError("another package is called fluidsynth: pip install --force-reinstall pyfluidsynth")
    return module


class Fluid:
    """A synthesiser without reverb and chorus that renders single notes of several fonts."""

    def __init__(self, sample_rate: int = SAMPLE_RATE):
        module = fluidsynth()
        settings = {
            "synth.reverb.active": 0,
            "synth.chorus.active": 0,
            "synth.cpu-cores": 1,
            "synth.polyphony": 64,
            "synth.dynamic-sample-loading": 1,
        }
        self._synth: Any = module.Synth(gain=0.2, samplerate=sample_rate, channels=16, **settings)
        self._write = module._fl.fluid_synth_write_float
        self._write.argtypes = [ctypes.c_void_p, ctypes.c_int, *([ctypes.c_void_p, ctypes.c_int, ctypes.c_int] * 2)]
        self._fonts: dict[Path, int] = {}

    def load(self, font: Path) -> None:
        """Opens a font; samples are read when a preset is first selected."""
        if font not in self._fonts:
            number = self._synth.sfload(str(font))
            if number < 0:
                raise AntiphonError(f"FluidSynth cannot read {font}: check that it is a complete .sf2 or .sf3 file")
            self._fonts[font] = number

    def select(self, font: Path, preset: Preset) -> None:
        """Selects the preset that `note` plays."""
        self.load(font)
        if self._synth.program_select(0, self._fonts[font], preset.bank, preset.program):
            raise AntiphonError(f"FluidSynth cannot select {preset.name!r} (bank {preset.bank}) of {font}")
        for controller in (91, 93):
            self._synth.cc(0, controller, 0)
        self.note(60, 100, 4 * BLOCK, 8 * BLOCK)  # the first note after a change differs in its first samples

    def note(self, key: int, velocity: int, hold: int, longest: int, floor_db: float = -60.0) -> Audio:
        """One note, from its onset until `floor_db` below its peak after the release, or `longest` samples.

        Returns (samples, 2), unscaled. `hold` is in samples and is rounded up to a multiple of BLOCK.
        """
        self._synth.cc(0, 120, 0)  # all sounds off, so that no note overlaps the one before
        self._samples(4 * BLOCK)
        self._synth.noteon(0, key, velocity)
        parts = [self._samples(-(-min(hold, longest) // BLOCK) * BLOCK)]
        self._synth.noteoff(0, key)
        peak, total = float(np.abs(parts[0]).max(initial=0)), len(parts[0])
        while total < longest:
            part = self._samples(min(_CHUNK, -(-(longest - total) // BLOCK) * BLOCK))
            loudest = float(np.abs(part).max())
            parts.append(part)
            peak, total = max(peak, loudest), total + len(part)
            if loudest <= peak * 10 ** (floor_db / 20):
                break
        return np.concatenate(parts)[:longest]

    def _samples(self, count: int) -> Audio:
        out = np.zeros((count, 2), dtype=np.float32)
        pointer = out.ctypes.data
        if self._write(self._synth.synth, count, pointer, 0, 2, pointer, 1, 2):
            raise AntiphonError("FluidSynth failed while rendering")
        return out

    def close(self) -> None:
        """Frees the synthesiser."""
        self._synth.delete()

    def __enter__(self) -> Fluid:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
