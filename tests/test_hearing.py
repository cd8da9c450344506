"""What recordings have, put on references: each part does what it says, by seed and index, and no target is touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RATE, tone

from antiphon.data.prepared import Prepared
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override
from antiphon.training.batches.excerpts import ExcerptSource
from antiphon.training.batches.hearing import LATE, TRIMMED, Hearing, hearing

NOTE = np.pad(tone(57, 0.8), (0, RATE // 2))


def level(audio: np.ndarray) -> float:
    """dB of the mean power."""
    return float(10 * np.log10(np.square(audio, dtype=np.float64).mean() + 1e-20))


def band(audio: np.ndarray, low: float, high: float) -> float:
    """dB of the power between two frequencies in Hz."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    return float(10 * np.log10(power[(hz >= low) & (hz < high)].sum()))


def test_nothing_put_on_is_the_note_itself():
    np.testing.assert_array_equal(Hearing()(NOTE), NOTE)
    assert hearing(0.0, 1, 2) == Hearing()


def test_a_trimmed_note_begins_later_and_a_late_one_after_silence():
    np.testing.assert_array_equal(Hearing(trimmed=300)(NOTE)[:-300], NOTE[300:])
    late = Hearing(trimmed=-300)(NOTE)
    assert not late[:300].any()
    np.testing.assert_array_equal(late[300:], NOTE[:-300])


@pytest.mark.parametrize("below", [-60.0, -35.0])
def test_noise_lies_below_the_loudest_tenth_of_a_second(below):
    made = Hearing(noise=below, colour=3.0, seed=5)(NOTE)
    loudest = max(level(NOTE[i : i + RATE // 10]) for i in range(0, RATE // 2, RATE // 10))
    assert level(made - NOTE) - loudest == pytest.approx(below, abs=0.5)


def test_a_room_rings_on_and_dies_away():
    click = np.zeros(RATE)
    click[0] = 1.0
    made = Hearing(room=0.4, wet=-6.0, echo=0.01, seed=3)(click)
    assert made[0] == pytest.approx(1.0, abs=1e-5)
    tail = made[round(0.011 * RATE) :]
    assert 10 * np.log10(np.square(tail).sum()) == pytest.approx(-6.0, abs=0.3)
    early, late = level(tail[: RATE // 20]), level(tail[RATE // 5 : RATE // 4])
    assert early - late == pytest.approx(60 * 0.2 / 0.4, abs=3.0)
    assert not made[round(0.42 * RATE) :].round(6).any()


def test_tone_and_level_are_as_told():
    white = np.random.default_rng(0).standard_normal(RATE)
    tilted, cut, loud = Hearing(tilt=2.0)(white), Hearing(low_cut=200.0)(white), Hearing(level=6.0)(white)
    assert band(tilted, 3900, 4100) - band(white, 3900, 4100) == pytest.approx(4.0, abs=0.3)
    assert band(cut, 45, 55) - band(white, 45, 55) == pytest.approx(-24.0, abs=2.0)
    assert band(cut, 3900, 4100) == pytest.approx(band(white, 3900, 4100), abs=0.1)
    assert level(loud) - level(white) == pytest.approx(6.0, abs=0.01)


def test_how_a_note_is_heard_is_a_function_of_seed_and_index():
    drawn = [hearing(0.7, 4, index) for index in range(64)]
    assert drawn == [hearing(0.7, 4, index) for index in range(64)]
    assert len(set(drawn)) == 64
    assert drawn[:8] != [hearing(0.7, 5, index) for index in range(8)]
    assert drawn[3](NOTE).tobytes() == hearing(0.7, 4, 3)(NOTE).tobytes()
    assert all(-LATE <= way.trimmed <= TRIMMED for way in drawn)
    for part in ("trimmed", "room", "tilt", "low_cut", "level"):
        assert 0.5 < np.mean([getattr(way, part) != 0 for way in drawn]) < 0.9
    assert 0.5 < np.mean([way.noise is not None for way in drawn]) < 0.9


def test_the_reference_is_heard_so_and_the_target_is_not(prepared: Path):
    data = Prepared(prepared)
    plain, heard = (ExcerptSource(data, 8192, 3, transposed=0.3, hear=p).batch(0, 16) for p in (0.0, 1.0))
    assert torch.equal(plain.audio, heard.audio)
    assert torch.equal(plain.gesture.release, heard.gesture.release)
    assert torch.equal(plain.reference_pitch, heard.reference_pitch)
    assert all(not torch.equal(a, b) for a, b in zip(plain.reference, heard.reference, strict=True))
    trimmed = torch.tensor([hearing(1.0, 3, i).trimmed for i in range(16)])
    assert torch.equal(heard.reference_release, (plain.reference_release - trimmed).clamp_min(0))
    again = ExcerptSource(data, 8192, 3, transposed=0.3, hear=1.0).batch(5, 2)
    assert torch.equal(again.reference, heard.reference[5:7])


def test_the_recipe_says_how_often(prepared: Path):
    data = Prepared(prepared)
    sources = [override(recipe("instrument", "tiny"), {"hear": p}).source(data) for p in (0.0, 1.0)]
    plain, heard = (source.batch(0, 2).reference for source in sources)
    assert torch.equal(plain, recipe("instrument", "tiny").source(data).batch(0, 2).reference)
    assert not torch.equal(plain, heard)
