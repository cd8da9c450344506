"""Instrument expressions, and the sphere that style vectors live on."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.errors import AntiphonError
from antiphon.core.seeds import check_seed
from antiphon.networks.encoders.note import on_sphere
from antiphon.voices.expression import character, parse, still
from antiphon.voices.interpolation import blended, even_way, exponential, logarithm, slerp

vectors = st.integers(0, 2**31).map(
    lambda seed: on_sphere(torch.randn(16, generator=torch.Generator().manual_seed(seed)))
)
shares = st.floats(0, 1)


def angle(a, b):
    return float(logarithm(a, b).norm())


# ---- the sphere ------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(vectors, vectors, shares)
def test_slerp_stays_on_the_sphere_and_divides_the_angle(a, b, share):
    between = slerp(a, b, share)
    assert float(between.square().mean()) == pytest.approx(1, abs=1e-5)
    assert angle(a, between) == pytest.approx(share * angle(a, b), abs=1e-3)
    assert slerp(a, b, 0.0) is a
    assert slerp(a, b, 1.0) is b


@settings(deadline=None)
@given(vectors, vectors)
def test_the_logarithm_undoes_the_exponential(a, b):
    assert torch.allclose(exponential(a, logarithm(a, b)), b, atol=1e-4)


@settings(deadline=None)
@given(vectors)
def test_opposite_and_equal_vectors_have_a_way_too(a):
    assert torch.allclose(slerp(a, a.clone(), 0.3), a, atol=1e-5)
    half = slerp(a, -a, 0.5)
    assert bool(torch.isfinite(half).all())
    assert angle(a, half) == pytest.approx(np.pi / 2, abs=1e-3)


@settings(deadline=None)
@given(vectors, vectors, shares)
def test_a_blend_of_two_is_their_slerp_in_any_order(a, b, share):
    assert torch.allclose(blended([a, b], [1 - share, share]), slerp(a, b, share), atol=1e-3)
    assert torch.allclose(blended([a, b], [1 - share, share]), blended([b, a], [share, 1 - share]), atol=1e-3)


@settings(deadline=None)
@given(vectors, vectors, vectors)
def test_a_blend_of_one_is_itself(a, b, c):
    assert blended([a, b, c], [0, 1, 0]) is b


def test_an_even_way_is_even_where_sound_changes_at_once():
    """A sound whose level rises by 50 dB within a tenth of the arc."""
    a, b = torch.eye(2) * 2**0.5
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(8192).astype(np.float32) / 4

    def decibels(w):
        place = float(torch.atan2(w[1], w[0])) * 2 / np.pi
        return -50 + 50 * float(np.clip((place - 0.6) / 0.1, 0, 1))

    way = even_way(a, b, lambda ws: [noise * np.float32(10 ** (decibels(w) / 20)) for w in ws])
    levels = [decibels(way(share)) for share in np.linspace(0, 1, 6)]
    assert np.diff(levels).max() < 15  # 10 each, were it perfect; plain steps would take all 50 at once
    assert np.diff(levels).min() > 5
    assert torch.equal(way(0.0), a)
    assert torch.equal(way(1.0), b)


def test_a_way_between_equal_sounds_is_still_a_way():
    a, b = torch.eye(2) * 2**0.5
    way = even_way(a, b, lambda ws: [np.ones(2048, np.float32)] * len(ws))
    assert angle(a, way(0.5)) == pytest.approx(angle(a, b) / 2, abs=1e-3)


# ---- the grammar -----------------------------------------------------------------------------------------------------

names = (
    st.text(st.characters(categories=("L", "Nd"), include_characters=" -()"), min_size=1).map(str.strip).filter(bool)
)


@settings(deadline=None)
@given(st.dictionaries(names, st.integers(1, 99), min_size=2, max_size=5))
def test_shares_are_read_and_sum_to_one(parts):
    blend = parse(",".join(f"{name}:{share}" for name, share in parts.items())).first
    assert blend.names == tuple(parts)
    assert np.allclose(blend.shares, np.array(list(parts.values())) / sum(parts.values()))


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_one_line(text):
    try:
        shares = parse(text).first.shares
    except AntiphonError:
        return
    assert sum(shares) == pytest.approx(1)


@settings(deadline=None)
@given(st.integers(0, 7200), st.integers(0, 7200))
def test_times_are_read_in_minutes_or_seconds(start, long):
    stop = start + long
    clock = [f"{t // 3600}:{t // 60 % 60:02}:{t % 60:02}" for t in (start, stop)]
    assert parse(f"flute>cello@{clock[0]}-{clock[1]}") == parse(f"flute > cello @ {start} - {stop}.0")
    assert parse(f"flute>cello@{start}-{stop}").turns[0].span == (start, stop)


def test_a_name_may_hold_marks_that_mean_nothing():
    assert parse("C:/notes/a.wav").first.names == ("C:/notes/a.wav",)
    assert parse("flute").turns == ()
    assert parse("flute>cello").turns[0].span is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name is missing"),
        ("flute:0.5,", "name is missing"),
        (":0.5", "name is missing"),
        ("flute:0,cello:0", "shares"),
        ("flute>", "name is missing"),
        ("flute>cello@1:00", "time span"),
        ("flute>cello@1:00-0:30", "time span"),
        ("flute>cello@a-b", "time span"),
        ("flute>cello@0:10-0:20>oboe@0:15-0:30", "after the previous one"),
        ("flute>cello>oboe@0-10", "the time of each change"),
    ],
)
def test_what_makes_no_sense_is_refused(text, says):
    with pytest.raises(AntiphonError, match=says) as refusal:
        parse(text)
    assert "\n" not in str(refusal.value)


# ---- characters ------------------------------------------------------------------------------------------------------


def test_a_label_sounds_as_the_voice_imagines_it(voice):
    for name in ("violin", "vio", 40):
        found = character(voice, name, seed=3)
        assert found.label() == "violin"
        assert torch.equal(found.w(), voice.imagine("violin", (), 3))
        assert not found.moves


def test_variation_goes_from_the_typical_sound_to_the_seeds_own(voice):
    typical, own = voice.typical("harp"), voice.imagine("harp", (), 5)
    ws = [character(voice, "harp", seed=5, variation=v).w() for v in (0, 0.25, 0.5, 1)]
    assert torch.equal(ws[0], typical)
    assert torch.equal(ws[3], own)
    distances = [angle(typical, w) for w in ws]
    assert distances == sorted(distances)
    assert distances[2] == pytest.approx(distances[3] / 2, abs=1e-3)
    assert all(angle(typical, w) > 0 for w in [voice.imagine("harp", (), s) for s in range(100, 104)])


def test_a_blend_lies_between_its_names_and_goes_by_the_loudest(voice):
    found = character(voice, "violin:0.3,harp:0.7", seed=1)
    assert found.label() == "harp"
    assert torch.allclose(
        found.w(), slerp(voice.imagine("violin", (), 1), voice.imagine("harp", (), 1), 0.7), atol=1e-3
    )


def test_a_morph_is_each_end_before_and_after(voice):
    found = character(voice, "violin>harp@0:10-0:20>violin@0:30-0:30", seed=2)
    violin, harp = voice.imagine("violin", (), 2), voice.imagine("harp", (), 2)
    assert found.moves
    assert all(torch.equal(found.w(t), violin) for t in (-1.0, 0.0, 10.0, 30.0, 1e6))
    assert all(torch.equal(found.w(t), harp) for t in (20.0, 25.0, 29.99))
    assert [found.label(t) for t in (0.0, 14.9, 15.1, 25.0, 31.0)] == ["violin", "violin", "harp", "harp", "violin"]
    from_violin = [angle(violin, found.w(t)) for t in np.linspace(10, 20, 9)]
    assert from_violin == sorted(from_violin)


def test_a_morph_without_times_takes_the_whole_piece(voice):
    found = character(voice, "violin>harp", seed=2, seconds=8.0)
    assert torch.equal(found.w(8.0), voice.imagine("harp", (), 2))
    assert not torch.equal(found.w(4.0), voice.imagine("harp", (), 2))
    with pytest.raises(AntiphonError, match="needs a time"):
        character(voice, "violin>harp")


def test_a_recording_is_encoded_and_varied_only_when_asked(voice, notes, tmp_path):
    path = tmp_path / "my, strange: name>A4.wav"
    shutil.copy(notes / "violin" / "067.wav", path)
    found = character(voice, str(path))
    assert float(found.w().square().mean()) == pytest.approx(1, abs=1e-4)
    assert found.label() in voice.instruments
    assert torch.equal(found.w(), character(voice, str(path), seed=9).w())
    near, far = (character(voice, str(path), seed=9, variation=v).w() for v in (0.2, 1.0))
    assert 0 < angle(found.w(), near) < angle(found.w(), far)
    shutil.copy(notes / "harp" / "055.wav", path)  # the file is what counts, not its name
    os.utime(path, ns=(1, 1))
    assert not torch.equal(found.w(), character(voice, str(path)).w())


def test_what_cannot_sound_is_refused(voice, tmp_path):
    silent, slide = tmp_path / "silent.wav", tmp_path / "slide.wav"
    soundfile.write(silent, np.zeros(44100), 44100)
    soundfile.write(slide, 0.5 * np.sin(2 * np.pi * np.cumsum(300 * 4 ** np.linspace(0, 1, 44100)) / 44100), 44100)
    for expression, how, says in [
        ("kazzoo", {}, "no instrument named"),
        ("violin:1,kazzoo:1", {}, "no instrument named"),
        ("nowhere.wav", {}, "does not exist"),
        (str(silent), {}, "silent"),
        (str(slide), {}, "such as bell_A5.wav"),
        ("violin", {"variation": 1.5}, "out of range"),
        ("violin", {"variation": float("nan")}, "out of range"),
        ("violin", {"style": ["nonsense"]}, "style"),
    ]:
        with pytest.raises(AntiphonError, match=says):
            character(voice, expression, **how)
    with pytest.raises(AntiphonError, match="changes over time"):
        still(voice, "violin>harp@0-1")


# ---- seeds -----------------------------------------------------------------------------------------------------------


def test_a_named_seed_is_always_the_same_number():
    assert check_seed("blue") == check_seed(" blue ") == 663597741
    assert check_seed("7") == check_seed(7) == 7


@settings(deadline=None)
@given(st.text())
def test_every_name_is_a_seed_or_refused(text):
    try:
        seed = check_seed(text)
    except AntiphonError:
        return
    assert 0 <= seed < 2**31
