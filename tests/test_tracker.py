"""The ear for pitch: one model, asked in two ways."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis import tracker


@pytest.fixture
def fresh():
    tracker._tracker.cache_clear()
    yield
    tracker._tracker.cache_clear()


def slide():
    """Two octaves in a second: voiced, and of no steady pitch."""
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * np.cumsum(220 * 4**t) / SAMPLE_RATE)).astype(np.float32)


def test_the_model_is_loaded_once(fresh, monkeypatch):
    swift_f0 = pytest.importorskip("swift_f0")
    loaded = []
    monkeypatch.setattr(swift_f0, "SwiftF0", lambda **how: loaded.append(how) or Model())
    assert tracker.open_tracker() is tracker.open_tracker(demand=True)
    tracker.track_pitch(slide())
    assert loaded == [{"threads": 1, "spin": False}]


class Model:
    """Hears 440 Hz in whatever there is."""

    def detect(self, audio, sample_rate):
        self.pitch_hz, self.timestamps = np.full(50, 440.0), np.arange(50) * 0.02
        self.confidence = np.ones(50)
        return self


def test_a_slide_has_a_median_and_no_steady_pitch():
    pytest.importorskip("swift_f0")
    assert tracker.open_tracker().pitch(slide(), SAMPLE_RATE) is None
    assert 57 < tracker.track_pitch(slide()) < 81


def test_without_the_extra_only_demands_fail(fresh, monkeypatch):
    def missing(name, *rest, known=builtins.__import__):
        if name == "swift_f0":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert tracker.open_tracker() is None
    for ask in (lambda: tracker.open_tracker(demand=True), lambda: tracker.track_pitch(slide())):
        with pytest.raises(AntiphonError, match=r"antiphon\[pitch\]"):
            ask()
