"""Units that everything shares: one sample rate, one formula for pitch against frequency."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from antiphon.audio.mel import mel_of
from antiphon.core.units import SAMPLE_RATE, hz_to_midi, midi_to_hz
from antiphon.networks import physics
from antiphon.representations.mel import mel, mel_to_hz

PACKAGE = Path(__file__).parents[1] / "antiphon"


def test_notes_that_everybody_knows():
    assert midi_to_hz(69) == 440.0
    assert [midi_to_hz(pitch) for pitch in (57, 81)] == [220.0, 880.0]
    assert midi_to_hz(60) == pytest.approx(261.6256, abs=1e-4)
    assert hz_to_midi(440.0) == 69.0


def test_arrays_are_what_their_values_are():
    pitches = np.linspace(0, 127, 1271)
    frequencies = midi_to_hz(pitches)
    assert frequencies.tolist() == pytest.approx([midi_to_hz(pitch) for pitch in pitches.tolist()], rel=1e-15)
    assert hz_to_midi(frequencies).tolist() == pytest.approx([69 + 12 * math.log2(f / 440) for f in frequencies])
    assert np.abs(hz_to_midi(frequencies) - pitches).max() < 1e-12
    assert (
        midi_to_hz(pitches.astype(np.float32)).dtype == hz_to_midi(frequencies.astype(np.float32)).dtype == np.float32
    )


def test_tensors_agree_within_their_precision():
    pitches = torch.linspace(0, 127, 1271)
    assert physics.midi_to_hz(pitches).numpy() == pytest.approx(midi_to_hz(pitches.double().numpy()), rel=1e-6)
    back = physics.hz_to_midi(physics.midi_to_hz(pitches))
    assert (back - pitches).abs().max() < 1e-4


def test_arrays_and_tensors_have_one_mel_scale():
    frequencies = np.linspace(0, 22_050, 1001)
    mels = mel(torch.from_numpy(frequencies))
    assert mels.numpy() == pytest.approx(mel_of(frequencies), rel=1e-15)
    assert mel_to_hz(mels).numpy() == pytest.approx(frequencies, abs=1e-9)
    assert mel_of(1000.0) == pytest.approx(1000, abs=0.02)


def test_the_sample_rate_is_written_in_one_place():
    number = re.compile(rf"(?<![\w.]){SAMPLE_RATE // 1000}_?{SAMPLE_RATE % 1000}(?![\w.])")
    code = {path: re.sub(r'"[^"]*"|#.*', "", path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    found = {path.name for path, text in code.items() if number.search(text)}
    assert found == {"units.py", "files.py", "headers.py"}  # the latter two: rates that files may have
