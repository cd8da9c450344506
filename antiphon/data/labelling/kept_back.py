"""Which keys of an instrument to keep back from training, so that there is something to measure a voice with."""

from __future__ import annotations

from collections.abc import Iterable

REGISTER, OCTAVE = 36, 12  # semitones of a register, and of its middle that training never hears


def octaves(keys: Iterable[float]) -> set[float]:
    """Those of `keys`, MIDI, in the middle octave of each register."""
    known = sorted(set(keys))
    low, registers = known[0], max(int(known[-1] - known[0] + 1) // REGISTER, 1)
    size = (known[-1] - low + 1) / registers
    starts = [low + size * r + (size - OCTAVE) / 2 for r in range(registers)]
    return {key for key in known if any(start <= key < start + OCTAVE for start in starts)}


def kept_back(keys: Iterable[float]) -> set[float]:
    """The middle octave of each register, and every third of all keys."""
    known = sorted(set(keys))
    return octaves(known) | set(known[1::3])
