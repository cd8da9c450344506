"""The units that everything shares: samples a second, MIDI pitch against frequency, and the mel scale."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

SAMPLE_RATE = 44_100  # Hz, of all audio inside
MEL, MEL_CORNER = 2595.0, 700.0  # mel = MEL log10(1 + Hz / MEL_CORNER) (O'Shaughnessy 1987; HTK)
Number = TypeVar("Number", float, np.ndarray)


def midi_to_hz(pitch: Number) -> Number:
    """Frequency in Hz of a MIDI pitch, 69 = 440 Hz, any real number or an array of them. For tensors, whose last bits
    training and playing depend on, there is `antiphon.networks.physics`."""
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def hz_to_midi(hz: Number) -> Number:
    """MIDI pitch, 69 = 440 Hz, of a frequency in Hz > 0 or of an array of them."""
    return 69.0 + 12.0 * np.log2(hz / 440.0)
