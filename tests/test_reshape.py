"""A hit turned into another: damped, brighter or darker, and nothing else."""

import numpy as np
import pytest

from antiphon.data.analysis.modes import measure_modes
from antiphon.training.batches.reshape import BEFORE, BRIGHTER_DB, DAMPING, Reshape

RATE = 44_100


def after_nothing(audio: np.ndarray) -> np.ndarray:
    return np.pad(audio, (BEFORE, 0)).astype(np.float32)


@pytest.fixture
def hit():
    t = np.arange(RATE // 2) / RATE
    return sum(np.sin(2 * np.pi * hz * t) * np.exp(-6 * t) for hz in (200.0, 530.0, 1700.0, 5000.0)).astype(np.float32)


@pytest.mark.parametrize("brighter", [-8.0, 3.0, 8.0])
def test_treble_stands_over_bass_by_what_is_asked(brighter):
    click = np.zeros(8192)
    click[0] = 1
    level = 20 * np.log10(np.abs(np.fft.rfft(Reshape(0.0, brighter)(after_nothing(click), 0))))
    hz = np.fft.rfftfreq(8192, 1 / RATE)
    assert level[-1] - level[0] == pytest.approx(brighter, abs=0.1)
    assert np.interp(1000.0, hz, level) == pytest.approx(0, abs=0.1)


def test_damping_is_exponential():
    steady = np.ones(RATE)
    assert Reshape(4.0)(after_nothing(steady), 0)[[0, RATE // 2]] == pytest.approx([1, np.exp(-2)], rel=1e-3)


def test_modes_stay_where_they_were_measured(hit):
    before, after = measure_modes(hit), measure_modes(Reshape(6.0, 7.0)(after_nothing(hit), 0))
    rings = before.level > -20
    assert rings.sum() == 4
    assert after.hz[rings] == pytest.approx(before.hz[rings], rel=3e-3)


def test_nothing_sounds_before_the_stroke(hit):
    late = np.pad(hit, (300, 0)).astype(np.float32)
    assert np.abs(Reshape(2.0, 8.0)(after_nothing(late), 0)[:300]).max() < 1e-3


def test_a_crop_is_a_piece_of_the_whole(hit):
    reshape = Reshape(5.0, -6.0)
    whole = reshape(after_nothing(hit), 0)
    assert reshape(hit[4000 - BEFORE : 9000], 4000) == pytest.approx(whole[4000:9000], abs=1e-3)


def test_draws_stay_in_their_ranges():
    drawn = [Reshape.drawn(np.random.default_rng(seed), 0.5) for seed in range(200)]
    damped = [r.damping for r in drawn if r.damping]
    assert 60 < len(damped) < 140
    assert DAMPING[0] <= min(damped) / 2 < max(damped) / 2 <= DAMPING[1]
    assert max(abs(r.brighter) for r in drawn) <= BRIGHTER_DB
    assert all(drawn)
    assert not Reshape()
