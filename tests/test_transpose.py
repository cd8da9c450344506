"""Notes moved into the gaps between recorded keys, against a trusted resampler."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch

from antiphon.data.prepared import Prepared
from antiphon.training.batches.excerpts import ExcerptSource
from antiphon.training.batches.transpose import FARTHEST, GAP, missing_keys, transposed


@pytest.fixture(scope="module")
def data(prepared: Path) -> Prepared:
    return Prepared(prepared)


def gapped(data: Prepared) -> list[int]:
    """Notes of the preset with the widest gap, without any but its lowest and highest key."""
    preset = max(range(len(data.labels.presets)), key=lambda p: float(np.ptp(data.pitch[data.preset == p].numpy())))
    notes = torch.nonzero(data.preset == preset).flatten().tolist()
    pitches = data.pitch[notes]
    return [i for i in notes if float(data.pitch[i]) in (float(pitches.min()), float(pitches.max()))]


@pytest.mark.parametrize("semitones", [-7.0, -1.0, 4.0, 7.0])
@pytest.mark.parametrize("start", [0, 4096])
def test_a_moved_note_is_the_resampled_one(data, semitones, start):
    ratio, samples = 2 ** (semitones / 12), 8192
    whole = soxr.resample(data.audio(0), 44_100 * ratio, 44_100, quality="VHQ")
    wanted = np.pad(whole, (0, start + samples))[start : start + samples]
    made = transposed(data, 0, semitones, start, samples)
    assert made.shape == (samples,)
    assert made.dtype == np.float32
    assert np.sum((made - wanted) ** 2) < 1e-2 * np.sum(wanted**2)  # half a sample of shift is allowed


def test_beyond_the_end_there_is_silence(data):
    made = transposed(data, 0, 3.0, data.samples(0) + 8192, 4096)
    assert not made.any()


def test_missing_keys_lie_in_gaps_and_come_from_the_nearest_recorded_key(data):
    notes = gapped(data)
    recorded = sorted({float(data.pitch[i]) for i in notes})
    assert recorded[-1] - recorded[0] >= GAP, "the fixture needs a gap"
    found = missing_keys(data, notes)
    assert found
    for key in found:
        there = {float(data.pitch[i]) for i in key.notes}
        assert len(there) == 1
        pitch = there.pop() + key.semitones
        assert recorded[0] < pitch < recorded[-1]
        assert 0 < abs(key.semitones) <= FARTHEST
        assert abs(key.semitones) == min(abs(pitch - other) for other in recorded)
    assert missing_keys(data, [i for i in notes if float(data.pitch[i]) == recorded[0]]) == []


def test_excerpts_fill_gaps_as_often_as_asked_and_say_their_own_pitch(data):
    source = ExcerptSource(data, 8192, 3, transposed=0.5)
    source.by_preset = [gapped(data)]
    source.missing = [missing_keys(data, source.by_preset[0])]
    source.filling = [0.5]
    crops = [source._crop(i) for i in range(400)]
    share = np.mean([crop.semitones != 0 for crop in crops])
    assert 0.4 < share < 0.6
    batch = source.batch(0, 16)
    recorded = {float(data.pitch[i]) for i in source.by_preset[0]}
    moved = [float(p) not in recorded for p in batch.gesture.pitch]
    assert moved == [crop.semitones != 0 for crop in crops[:16]]
    assert any(moved)
    pitches = [float(data.pitch[crop.note]) + crop.semitones for crop in crops[:16]]
    np.testing.assert_allclose(batch.gesture.pitch.numpy(), pitches, atol=1e-5)
    pitches = [float(data.pitch[crop.reference]) + crop.reference_semitones for crop in crops[:16]]
    np.testing.assert_allclose(batch.reference_pitch.numpy(), pitches, atol=1e-5)
    heard = [float(p) not in recorded for p in batch.reference_pitch]
    assert heard == [crop.reference_semitones != 0 for crop in crops[:16]]
    assert any(heard)
    speeds = [2 ** (crop.semitones / 12) for crop in crops[:16]]  # a higher note is a shorter one
    held = [float(data.hold[crop.note]) for crop in crops[:16]]
    released = [math.floor(h / s) if h >= 0 else math.inf for h, s in zip(held, speeds, strict=True)]
    np.testing.assert_allclose(batch.gesture.release.numpy(), released, atol=1)
    assert any(h >= 0 and crop.semitones for h, crop in zip(held, crops, strict=False))
    sounding = batch.audio.abs().amax(1) > 0
    assert bool(torch.isfinite(batch.audio).all())
    assert bool(sounding.any())
    again = ExcerptSource(data, 8192, 3, transposed=0.0).batch(0, 4)
    assert {float(p) for p in again.gesture.pitch} <= set(data.pitch.tolist())
