"""Which keys of an instrument training never hears."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antiphon.data.labelling.kept_back import kept_back, octaves


@given(st.sets(st.integers(21, 108), min_size=1))
def test_whole_octaves_and_every_third_key_are_kept_back(keys: set[int]):
    back, whole = kept_back(keys), octaves(keys)
    assert whole <= back <= keys
    assert len(back - whole) <= len(keys) / 3 + 1
    for low in whole:  # whoever is between two of one octave is kept back as well
        assert {key for key in keys if low <= key < min(low + 12, max(k for k in whole if k < low + 12))} <= whole


def test_a_piano_has_two_octaves_kept_back():
    assert octaves(range(21, 109)) == {*range(37, 49), *range(81, 93)}
    assert len(kept_back(range(21, 109))) == 45
