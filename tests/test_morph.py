"""`antiphon morph`, and morphs, blends and variation in `generate` and `play`, as a user types them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import antiphon
from antiphon.audio.files import read_audio
from antiphon.audio.mel import mel_distance
from antiphon.core.errors import AntiphonError
from antiphon.verbs import play
from antiphon.verbs.morph import from_names


@pytest.fixture(scope="module")
def steps(voice):
    return from_names("violin", "harp", voice, steps=6, pitch=64, seconds=0.3, seed=4)


def test_the_ends_are_the_labels_own_sounds(voice, steps):
    for sound, label in ((steps[0], "violin"), (steps[-1], "harp")):
        own = voice.note(64, instrument=label, seconds=0.3, seed=4)
        assert len(sound) == len(own)
        assert np.abs(sound - own).max() < 1e-4


def test_steps_are_even_to_the_ear(steps):
    gaps = np.array([mel_distance(a, b) for a, b in pairwise(steps)])
    assert gaps.min() > 0
    assert gaps.max() <= 2 * gaps.mean()


def test_the_same_seed_makes_the_same_sounds(voice, steps):
    again = from_names("violin", "harp", voice, steps=6, pitch="E4", seconds=0.3, seed=4)
    other = from_names("violin", "harp", voice, steps=6, pitch=64, seconds=0.3, seed=5)
    assert all(np.array_equal(a, b) for a, b in zip(steps, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(steps, other, strict=True))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"steps": 1}, "steps"),
        ({"steps": 10_000}, "steps"),
        ({"pitch": "H"}, "not a pitch"),
        ({"seconds": 0}, "cannot last"),
        ({"velocity": 0}, "velocity"),
        ({"seed": -1}, "seed"),
        ({"variation": -1}, "variation"),
    ],
)
def test_what_makes_no_sense_is_refused(voice, how, says):
    with pytest.raises(AntiphonError, match=says):
        from_names("violin", "harp", voice, **how)


# ---- the command line ------------------------------------------------------------------------------------------------


def test_morph_as_typed(antiphon_line, run_folder, notes, tmp_path):
    out, note = tmp_path / "a morph.wav", notes / "harp" / "067.wav"
    line = ["morph", run_folder, "--from", "violin:0.6,harp:0.4", "--to", note, "-o", out, "--steps", "3"]
    line += ["--seconds", "0.2", "--seed", "blue", "--picture"]
    said = antiphon_line(*line)
    assert (said.status, said.out) == (0, [str(out)])
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    sound = read_audio(out)
    assert 3 * 0.3 < len(sound) / 44100 < 20
    assert 0.001 < np.abs(sound).max() <= 1
    first = out.read_bytes()
    refused = antiphon_line(*line)
    assert refused.status == 2
    assert "--force" in refused.err[-1]
    assert antiphon_line(*line, "--force").status == 0
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("start", "stop", "says"),
    [
        ("kazzoo", "harp", "no instrument"),
        ("violin", "gone.wav", "does not exist"),
        ("violin>harp", "harp", "changes over time"),
        ("violin", ",", "name is missing"),
    ],
)
def test_morph_refuses_in_one_line(antiphon_line, run_folder, tmp_path, start, stop, says):
    said = antiphon_line("morph", run_folder, "--from", start, "--to", stop, "-o", tmp_path / "m.wav")
    assert said.status == 2
    assert len(said.err) == 1
    assert says in said.err[0]
    assert not list(tmp_path.iterdir())


def test_generate_takes_blends_variation_and_named_seeds(antiphon_line, run_folder, tmp_path):
    how = ["--pitch", "C4", "--seconds", "0.2"]
    line = ["generate", run_folder, "-n", "2", "--instrument", "violin:0.9,harp:0.1", "--seed", "blue", *how]
    for folder in ("a", "b"):
        assert antiphon_line(*line, "-o", tmp_path / folder).status == 0
    made = [sorted((tmp_path / folder).iterdir()) for folder in ("a", "b")]
    assert [p.name for p in made[0]] == [
        "001_violin-0.9-harp-0.1_C4_v100_s663597741.wav",
        "002_violin-0.9-harp-0.1_C4_v100_s663597742.wav",
    ]
    assert [p.read_bytes() for p in made[0]] == [p.read_bytes() for p in made[1]]
    same = ["generate", run_folder, "-n", "1", "--instrument", "harp", "--variation", "0", *how]
    for folder, seed in (("c", "1"), ("d", "2")):
        assert antiphon_line(*same, "--seed", seed, "-o", tmp_path / folder).status == 0
    sounds = [read_audio(next((tmp_path / folder).iterdir())) for folder in ("c", "d")]
    assert mel_distance(*sounds) < 3  # the typical harp both times, but for each note's own noise and phases
    said = antiphon_line(*same, "--instrument", "harp>violin@0-1", "-o", tmp_path / "e")
    assert said.status == 2
    assert "changes over time" in said.err[-1]


def test_play_morphs_the_parts_that_play_the_first_name(antiphon_line, run_folder, voice, song, tmp_path):
    plain = play.from_file(song, voice, instrument="violin")
    morphed = play.from_file(song, voice, instrument="violin", morphs=["violin>harp@0-0"])
    harp = play.from_file(song, voice, instrument="harp")
    assert np.array_equal(morphed, harp)
    assert not np.array_equal(morphed[: len(plain)], plain[: len(morphed)])
    late = play.from_file(song, voice, instrument="violin", morphs=["violin>harp@1:00-2:00"])
    assert np.array_equal(late, plain)
    line = ["play", song, "--voice", run_folder, "--instrument", "violin", "-o", tmp_path / "s.wav", "--seed", "blue"]
    assert antiphon_line(*line, "--morph", "violin>harp@0:00-0:01").status == 0
    said = antiphon_line(*line, "--morph", "harp>violin", "--force")
    assert said.status == 2
    assert "no part plays harp" in said.err[-1]
    said = antiphon_line(*line, "--morph", "violin>harp@0:00-0:01", "violin>harp@0:02-0:03", "--force")
    assert said.status == 2
    assert "begin alike" in said.err[-1]


def test_the_package_has_the_verb(voice, tmp_path):
    out = antiphon.morph(voice, tmp_path / "m.wav", "violin", "harp", steps=2, seconds=0.1, quiet=True)
    assert out == tmp_path / "m.wav"
    assert [p.name for p in tmp_path.iterdir()] == ["m.wav"]
