"""Measures of composed music, on bars short enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.metrics import composition as c
from antiphon.metrics import composition_sets as sets
from antiphon.music import qualities as q
from antiphon.music.qualities import NoteTable


def table(notes, bars=2, beats=4.0, parts=None):
    """Notes as (onset, length, pitch), (…, part) or (…, part, True for a drum)."""
    rows = [(*note, *((0, False)[len(note) - 3 :])) for note in notes]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    onset, length, pitch, part, drum = columns
    return NoteTable(
        np.array(onset, float),
        np.array(length, float),
        np.array(pitch, int),
        np.array(part, int),
        np.array(drum, bool),
        np.arange(bars + 1) * beats,
        parts or len(set(part)) or 1,
    )


SCALE = table([(i, 1, 60 + p) for i, p in enumerate((0, 2, 4, 5, 7, 9, 11, 12))])
TWICE = table([(4 * bar + at, 1, 60) for bar in range(4) for at in (0, 1.5, 3)], bars=4)
DRUMS = table([(i / 2, 0.25, 42, 0, True) for i in range(16)])


# ---- qualities -------------------------------------------------------------------------------------------------------


def test_qualities_of_a_scale():
    found = q.qualities(SCALE)
    assert found["density"] == 8 / 32
    assert found["register"] == pytest.approx(66.25)
    assert found["polyphony"] == 1
    assert found["syncopation"] == 0
    assert found["mode"] > 0.1


def test_a_chord_is_one_moment_and_three_voices():
    chord = table([(0, 4, 60), (0, 4, 64), (0, 2, 67), (6, 2, 72)])
    assert q.density(chord) == 2 / 32
    assert q.polyphony(chord) == pytest.approx((3 * 2 + 2 * 2 + 1 * 2) / 6)
    assert q.register(chord) == pytest.approx((60 * 4 + 64 * 4 + 67 * 2 + 72 * 2) / 12)


def test_drums_are_heard_in_density_only():
    found = q.qualities(DRUMS)
    assert found["density"] == 0.5
    assert math.isnan(found["register"])
    assert math.isnan(found["polyphony"])


@pytest.mark.parametrize(
    ("steps", "weights"),
    [
        (16, [0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4]),
        (12, [0, -3, -2, -3, -1, -3, -2, -3, -1, -3, -2, -3]),
        (8, [0, -3, -2, -3, -1, -3, -2, -3]),
        (6, [0, -2, -1, -2, -1, -2]),
        (1, [0]),
    ],
)
def test_weights_of_a_bar(steps, weights):
    assert q.metric_weights(steps).tolist() == weights


def test_every_length_of_a_bar_has_weights():
    for steps in range(1, 200):
        assert len(q.metric_weights(steps)) == steps


def test_syncopation_counts_what_is_skipped():
    on_beats = table([(i, 1, 60) for i in range(8)])
    assert q.syncopation(on_beats) == 0
    off = table([(0.5, 1, 60)], bars=1)  # over beat 2 (-2), 3 (-1) and 4: from -3 to -1
    assert q.syncopation(off) == 2
    answered = table([(0.5, 0.5, 60), (1, 1, 60), (2, 1, 60)], bars=1)
    assert q.syncopation(answered) == 0


def test_minor_is_below_zero():
    assert q.mode(table([(i, 1, 57 + p) for i, p in enumerate((0, 3, 7, 8, 11, 12, 3, 0))])) < 0


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("third", [4, 3])
def test_keys_are_found(tonic, third):
    chord = [tonic, tonic + third, tonic + 7, tonic]
    fit = q.key_fit(np.bincount(np.array(chord) % 12, minlength=12))
    assert fit.argmax() == tonic + 12 * (third == 3)
    assert not q.key_fit(np.ones(12)).any()


def test_what_is_a_little_early_belongs_to_the_next_bar():
    early = table([(3.9, 0.5, 60), (0.1, 0.5, 60)])
    assert early.bar.tolist() == [1, 0]
    assert early.place.tolist() == [0, 0]


# ---- MuseGAN and MusPy -----------------------------------------------------------------------------------------------


def test_empty_bars_are_counted_by_part():
    assert c.empty_bars(SCALE) == 0
    assert c.empty_bars(table([(0, 1, 60)])) == 0.5
    assert c.empty_bars(table([(0, 1, 60), (0, 1, 48, 1)], bars=4)) == 0.75
    assert c.empty_bars(table([(0, 1, 60)], bars=4, parts=2)) == 0.875
    assert c.empty_bars(table([])) == 1


def test_pitch_classes_of_a_bar():
    assert c.used_pitch_classes(SCALE) == 4
    assert c.used_pitch_classes(table([(0, 1, 60), (1, 1, 72), (4, 1, 61), (5, 1, 62)])) == 1.5
    assert math.isnan(c.used_pitch_classes(DRUMS))


def test_short_notes_are_not_qualified():
    assert c.qualified_notes(table([(0, 1 / 8, 60), (1, 1 / 16, 60)])) == 0.5


def test_drums_on_grids():
    triplets = table([(i / 3, 0.1, 42, 0, True) for i in range(6)])
    assert c.drum_pattern(DRUMS) == 1
    assert c.drum_pattern(triplets) == pytest.approx(2 / 6)
    assert c.drum_consistency(triplets) == 1
    assert math.isnan(c.drum_pattern(SCALE))


def test_tonal_distance_is_that_of_the_centroids():
    """One pitch class against the one a fifth above: on the circle of fifths they are 7/6 pi apart."""
    apart = table([(0, 1, 60), (0, 1, 67, 1)])
    circles = [(1, 7 * 7 * np.pi / 6), (1, 7 * 3 * np.pi / 2), (0.5, 7 * 2 * np.pi / 3)]
    by_hand = math.sqrt(sum((2 * radius * math.sin(turn / 2)) ** 2 for radius, turn in circles))
    assert c.tonal_distance(apart) == pytest.approx(by_hand)
    assert c.tonal_distance(table([(0, 1, 60), (0, 1, 72, 1)])) == pytest.approx(0)
    assert math.isnan(c.tonal_distance(SCALE))


def test_a_scale_is_consistent_and_the_chromatic_one_is_not():
    assert c.scale_consistency(SCALE) == 1
    chromatic = table([(i / 2, 0.5, 60 + i) for i in range(12)])
    assert c.scale_consistency(chromatic) == pytest.approx(7 / 12)
    assert c.pitch_class_entropy(chromatic) == pytest.approx(math.log2(12))
    assert c.pitch_class_entropy(TWICE) == 0


def test_groove():
    assert c.groove_consistency(TWICE) == 1
    assert c.groove_consistency(table([(0, 1, 60), (4, 1, 60), (5, 1, 60)])) == 15 / 16
    assert math.isnan(c.groove_consistency(table([(0, 1, 60)], bars=1)))


def test_consonance_of_what_begins_together():
    assert c.consonance(table([(0, 1, 60), (0, 1, 64), (0, 1, 67)])) == 1
    assert c.consonance(table([(0, 1, 60), (0, 1, 61), (0, 1, 67, 1)])) == pytest.approx(1 / 3)
    assert math.isnan(c.consonance(SCALE))


def test_agreement_with_what_sounds():
    """C against a held C chord, then F sharp against it: two in three, then none."""
    chord = [(0, 4, 48, 1), (0, 4, 52, 1), (0, 4, 55, 1)]
    assert c.agreement(table([(0, 1, 60), *chord]), [0]) == 1
    assert c.agreement(table([(2, 1, 66), *chord]), [0]) == 0  # tritone, a second, and a major seventh
    assert c.agreement(table([(0, 1, 60), (2, 1, 66), *chord]), [0]) == 0.5
    assert math.isnan(c.agreement(table([(5, 1, 60), *chord]), [0]))


# ---- form ------------------------------------------------------------------------------------------------------------


def test_bars_that_repeat():
    found = c.measures(TWICE)
    assert found["rhythm at 1"] == found["notes at 1"] == found["rhythm at 2"] == 1
    assert math.isnan(found["rhythm at 4"])


def test_rhythm_is_not_pitch():
    moved = table([(0, 1, 60), (1, 1, 62), (4, 1, 65), (5, 1, 62)])
    assert c.similarity(c.bar_sets(moved, pitch=False), 1) == 1
    assert c.similarity(c.bar_sets(moved, pitch=True), 1) == pytest.approx(1 / 3)


def test_drums_keep_their_keys():
    kicks = table([(0, 1, 36, 0, True), (4, 1, 38, 0, True)])
    assert c.similarity(c.bar_sets(kicks, pitch=False), 1) == 0


def test_two_empty_bars_are_not_a_repetition():
    assert c.similarity(c.bar_sets(table([(0, 1, 60)], bars=4), pitch=True), 1) == 0
    assert math.isnan(c.similarity(c.bar_sets(table([], bars=4), pitch=True), 1))


# ---- whatever the notes ----------------------------------------------------------------------------------------------

NOTES = st.lists(
    st.tuples(st.floats(0, 31.9), st.floats(0, 8), st.integers(0, 127), st.integers(0, 3), st.booleans()), max_size=40
)


@settings(max_examples=40, deadline=None)
@given(NOTES, st.sampled_from([1.0, 3.0, 3.5, 4.0]))
def test_measures_stay_within_their_bounds(notes, beats):
    piece = table(notes, bars=int(32 / beats), beats=beats)
    unit = {"empty bars", "qualified notes", "drum pattern", "scale consistency", "groove consistency", "consonance",
            "drum consistency"}  # fmt: skip
    for name, value in (c.measures(piece) | q.qualities(piece)).items():
        assert math.isnan(value) or value >= -1
        if name in unit or " at " in name:
            assert math.isnan(value) or 0 <= value <= 1, name


@settings(max_examples=20, deadline=None)
@given(NOTES, st.integers(-11, 11))
def test_the_key_does_not_matter(notes, semitones):
    notes = [(o, d, 40 + p % 40, *rest) for o, d, p, *rest in notes if not rest[1]]
    moved = [(o, d, p + semitones, *rest) for o, d, p, *rest in notes]
    before, after = c.measures(table(notes, bars=8)), c.measures(table(moved, bars=8))
    assert before == pytest.approx(after, nan_ok=True)


# ---- sets ------------------------------------------------------------------------------------------------------------


def test_histograms_of_a_scale():
    found = sets.histograms(SCALE)
    assert found["lengths"][sets.LENGTHS.tolist().index(1)] == 1
    assert found["steps"][sets.WIDEST + 2] == pytest.approx(5 / 7)
    assert found["steps"][sets.WIDEST + 1] == pytest.approx(2 / 7)
    assert found["pitch classes"][0] == 2 / 8
    assert all(part.sum() == pytest.approx(1) for part in found.values())


def test_the_melody_is_on_top():
    chords = table([(0, 1, 60), (0, 1, 67), (1, 1, 59), (1, 1, 65)])
    assert sets.melody(chords, 0).pitch.tolist() == [67, 65]


def test_overlap_of_equal_and_of_distant_samples():
    rng = np.random.default_rng(0)
    sample = rng.normal(1, 0.1, 4000)
    area, divergence = sets.overlap(sample[:2000], sample[2000:])
    assert area > 0.93
    assert divergence < 0.02
    area, divergence = sets.overlap(sample, sample + 5)
    assert area < 0.01
    assert divergence > 5


def test_overlap_of_two_normals():
    """Two unit normals a distance d apart overlap in 2 Φ(-d / 2)."""
    rng = np.random.default_rng(0)
    area, divergence = sets.overlap(rng.normal(0, 1, 50_000), rng.normal(1, 1, 50_000))
    assert area == pytest.approx(math.erfc(0.5 / math.sqrt(2)), abs=0.03)
    assert divergence == pytest.approx(0.5, abs=0.08)


def test_copies_are_found_in_any_key_and_at_any_length():
    rng = np.random.default_rng(0)
    tune = rng.integers(50, 70, 60)
    original = table([(i, 1, int(p)) for i, p in enumerate(tune)], bars=15)
    corpus = sets.Corpus([original])
    stolen = table([(i + 8, 1, int(p) + 5) for i, p in enumerate(tune[20:41])], bars=15)
    own = [(i / 2, 0.5, 60 + int(p)) for i, p in enumerate(rng.integers(0, 20, 12))]
    assert corpus.longest_copy(stolen) == 21
    assert corpus.longest_copy(original) == 60
    assert corpus.longest_copy(table(own)) == 0
    mixed = table([*own, *[(6.5 + i, 1, int(p)) for i, p in enumerate(tune[:9])]], bars=6)
    assert 9 <= corpus.longest_copy(mixed) <= 10
    assert corpus.longest_copy(DRUMS) == 0


def test_the_nearest_bar():
    pictures = sets.bar_pictures(SCALE)
    assert pictures.sum(1).tolist() == [4, 4]
    assert sets.nearest_bars(pictures, pictures).tolist() == [1, 1]
    less = pictures.copy()
    less[:, np.flatnonzero(less[0])[0]] = 0
    assert sets.nearest_bars(pictures, less)[0] == pytest.approx(3 / 4)
    assert not len(sets.nearest_bars(pictures, pictures, fewest=5))
