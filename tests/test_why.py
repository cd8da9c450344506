"""Named controls and explanations: what is fitted, how it is kept, what turning does, and what the pages say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import tone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.metrics.conditions import CAUSES, Sound, contributions, own_style
from antiphon.metrics.controls import corrected
from antiphon.metrics.describers.describer import describer
from antiphon.metrics.nearest_sounds import Index, embedded, read_index, write_index
from antiphon.metrics.ranks import spearman
from antiphon.metrics.shapley import coalitions, shapley
from antiphon.metrics.turns import _Fit
from antiphon.networks.knobs import turned
from antiphon.networks.shaping import KNOBS, NAMES
from antiphon.verbs.explain import from_recording, parse_note
from antiphon.voices.checkpoint import read_tensors, write_tensors
from antiphon.voices.controls import Controls, parse_controls, place_of, write_controls

TURNLESS = torch.zeros(2, 2, 2, len(KNOBS))


@pytest.fixture(scope="module")
def knobbed(turnable, tmp_path_factory):
    """The same voice with controls that turn knobs: brightness the spectrum's slope, attack the time of a beginning."""
    weights = tmp_path_factory.mktemp("knobs") / "tiny.safetensors"
    shutil.copy(turnable, weights)
    turns = TURNLESS.clone()
    turns[:, 0, 1, NAMES.index("tilt")], turns[:, 0, 0, NAMES.index("tilt")] = 3.0, -2.0
    turns[0, 1, 1, NAMES.index("rise")] = 1.0
    old = antiphon.load(turnable).controls
    write_controls(replace(old, directions=torch.zeros(2, 2, 32), turns=turns), weights)
    return weights


@pytest.fixture(scope="module")
def turnable(run_folder, tmp_path_factory):
    """The tiny run's voice in a file of its own, with two controls; harp lacks the second."""
    weights = tmp_path_factory.mktemp("voice") / "tiny.safetensors"
    shutil.copy(run_folder / "weights.safetensors", weights)
    voice = antiphon.load(weights)
    rng = np.random.default_rng(0)
    directions = torch.from_numpy(rng.standard_normal((2, 2, 32))).float().half().float()
    directions[voice.instruments.index("harp"), 1] = 0
    spans, effects = torch.tensor([[[-1.0, 0, 1]] * 2] * 2), torch.eye(2).expand(2, 2, 2)
    write_controls(
        Controls(("brightness", "attack"), ("a", "b"), voice.instruments, directions, spans, effects, TURNLESS), weights
    )
    return weights


# ---- turning ---------------------------------------------------------------------------------------------------------


def test_a_control_at_0_changes_not_a_byte_and_another_does(turnable, tmp_path):
    how = {"instrument": "violin", "pitch": 60, "seconds": 0.2, "quiet": True}
    files = {}
    for name, control in {"plain": None, "zero": {"brightness": 0.0, "attack": 0}, "turned": {"bright": 1}}.items():
        path = antiphon.generate(turnable, tmp_path / f"{name}.wav", control=control, **how)
        files[name] = path.read_bytes()
    assert files["plain"] == files["zero"] != files["turned"]


def test_turning_steps_along_the_sphere_by_the_direction(turnable):
    voice = antiphon.load(turnable)
    w = voice.imagine("violin", seed=3)
    step = voice.controls.step("violin", {"brightness": 0.01})
    moved = voice.turned(w, "violin", {"brightness": 0.01}).w
    torch.testing.assert_close(step, 0.01 * voice.controls.directions[voice.instruments.index("violin"), 0])
    flat = step - (step @ w) / (w @ w) * w
    assert float(moved.norm()) == pytest.approx(float(w.norm()), rel=1e-5)
    torch.testing.assert_close(moved - w, flat, rtol=0.05, atol=1e-3)
    torch.testing.assert_close(voice.stepped(w, voice.difference(w, moved)), moved, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loudness=1"], "control 'loudness' is unknown: notes has brightness, attack"),
        (["brightness=5"], "out of range"),
        (["brightness"], "is not a control: write it like"),
        (["brightness=nan"], "out of range"),
        (["brightness=1", "bright=1"], "given twice"),
    ],
)
def test_wrong_controls_get_one_line(turnable, tmp_path, antiphon_line, words, said):
    found = antiphon_line("generate", turnable, "-o", tmp_path / "x.wav", "-i", "violin", "--control", *words)
    assert found.status == 2
    assert len(found.err) == 1
    assert said in found.err[0]


def test_a_control_that_a_label_lacks_is_said_and_moves_nothing(turnable):
    voice, w = antiphon.load(turnable), torch.ones(32)
    with pytest.warns(UserWarning, match="harp has no attack to turn: it has brightness"):
        assert voice.turned(w, "harp", {"attack": 1.0}).w is w
    with pytest.warns(UserWarning, match="harp has no attack"):
        both = voice.turned(w, "harp", {"attack": 1.0, "brightness": 0.5})
    assert torch.equal(both.w, voice.turned(w, "harp", {"brightness": 0.5}).w)


def test_a_voice_without_controls_says_how_to_make_them(voice):
    with pytest.raises(AntiphonError, match=r"explain .* --fit"):
        voice.turned(torch.ones(32), "violin", {"brightness": 1.0})


def test_info_lists_the_controls(turnable, antiphon_line):
    assert "brightness: a; attack: b" in " ".join(antiphon_line("info", turnable).out)


def test_play_turns_the_players_and_morph_its_ends(turnable, tmp_path):
    from antiphon.verbs.morph import from_names

    plain, turned = (from_names("violin", "harp", turnable, steps=2, seconds=0.1, control=control)
                     for control in (None, {"brightness": 1}))  # fmt: skip
    assert all(len(a) != len(b) or np.abs(a - b).max() > 0 for a, b in zip(plain, turned, strict=True))
    with pytest.raises(AntiphonError, match="control 'loudness' is unknown"):
        antiphon.play(None, tmp_path / "x.wav", turnable, control={"loudness": 1}, bars="1", mute=["drums"], quiet=True)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["brightness", "attack", "decay"]), st.floats(-2, 2), max_size=3))
def test_what_is_written_is_read_again(wanted):
    assert parse_controls([f"{name}={amount!r}" for name, amount in wanted.items()]) == wanted


# ---- knobs -----------------------------------------------------------------------------------------------------------


def shaping(**turned: float) -> tuple[float, ...]:
    return tuple(turned.get(name, 0.0) for name in NAMES)


def test_knobs_at_0_change_not_a_byte(voice):
    note = Note(60, 0.2, instrument="violin")
    plain, zero = voice.notes([note])[0], voice.notes([replace(note, shaping=(0.0,) * 9)])[0]
    np.testing.assert_array_equal(plain, zero)
    beside = voice.notes([note, replace(note, shaping=shaping(tilt=3))])[0]  # of one batch with a turned one
    np.testing.assert_allclose(beside, plain, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_turned_note_streams_as_it_sounds_known_whole(voice, name):
    note = Note(60, 0.3, instrument="violin", shaping=shaping(**{name: 2 * KNOBS[NAMES.index(name)].first}))
    w = voice.imagine("violin", seed=1)
    whole, stream = voice.notes([note], w=w.unsqueeze(0))[0], voice.stream(note, w)
    parts = [stream.read(round(0.3 * 44100))]
    stream.release()
    streamed = np.concatenate([*parts, stream.read(len(whole) - len(parts[0]))])
    plain = voice.notes([replace(note, shaping=())], w=w.unsqueeze(0))[0]
    assert np.abs(streamed - whole).max() < 1e-4 * np.abs(whole).max()
    assert len(plain) != len(whole) or np.abs(plain - whole).max() > 1e-3 * np.abs(whole).max()


def test_each_knob_changes_what_it_names(voice):
    how, w = describer(voice), voice.imagine("violin", seed=1)
    names = {"brightness": "tilt", "hollowness": "odd", "vibrato": "vibrato"}
    turned = {trait: {knob: 3 * KNOBS[NAMES.index(knob)].first} for trait, knob in names.items()}
    turned |= {"decay": {"slope": -15.0}}  # a tiny voice's notes are steady: they can only lose
    played = [shaping(), *(shaping(**knob) for knob in turned.values())]
    plain, *heard = how.heard(voice, "violin", w.expand(len(played), -1), played)
    for (name, knob), values in zip(turned.items(), heard, strict=True):
        at = how.names.index(name)
        assert (values[at] - plain[at]) * np.sign(next(iter(knob.values()))) > how.traits[at].least / 3, name


def test_noise_is_so_many_decibels_louder_and_partials_stay(voice):
    notes = [Note(60, 0.2, instrument="violin", shaping=one) for one in (shaping(), shaping(noise=12))]
    plain, loud = voice.notes(notes, parts=True)
    apart = 10 * np.log10(np.square(loud[:8000]).sum(0) / np.square(plain[:8000]).sum(0))
    np.testing.assert_allclose(apart, [0, 12], atol=0.2)


def test_controls_turn_knobs_and_leave_w(knobbed):
    voice = antiphon.load(knobbed)
    w = voice.imagine("violin", seed=3)
    moved = voice.turned(w, "violin", {"brightness": 0.5})
    assert moved.w is w
    assert moved.shaping == pytest.approx(shaping(tilt=1.5))
    assert voice.turned(w, "violin", {"brightness": -2}).shaping == pytest.approx(shaping(tilt=-4))
    one, other = (sorted(voice.instruments, key=voice.controls.of, reverse=most)[0] for most in (True, False))
    assert {voice.controls.of(one), voice.controls.of(other)} == {("brightness", "attack"), ("brightness",)}


def test_a_morph_passes_from_one_shaping_to_the_other(knobbed):
    from antiphon.voices.expression import character

    voice = antiphon.load(knobbed)
    found = character(voice, "violin>harp@0-10", control={"brightness": 1, "attack": 1})
    rise = [found.shaping(at)[NAMES.index("rise")] for at in (0.0, 2.5, 10.0, 20.0)]
    ends = [1.0, 0.0] if voice.instruments[0] == "violin" else [0.0, 1.0]
    assert rise == pytest.approx([ends[0], 0.75 * ends[0] + 0.25 * ends[1], ends[1], ends[1]])
    assert found.shaping(5.0)[NAMES.index("tilt")] == pytest.approx(3.0)


def test_songs_and_single_notes_are_turned_by_knobs(knobbed, tmp_path):
    from antiphon.verbs.morph import from_names

    how = {"instrument": "violin", "pitch": 60, "seconds": 0.2, "quiet": True}
    made = [antiphon.generate(knobbed, tmp_path / f"{i}.wav", control=c, **how).read_bytes()
            for i, c in enumerate((None, {"brightness": 0}, {"brightness": 1}))]  # fmt: skip
    assert made[0] == made[1] != made[2]
    plain, turned = (from_names("violin", "harp", knobbed, steps=2, seconds=0.1, control=control)
                     for control in (None, {"brightness": 1}))  # fmt: skip
    assert all(np.abs(a[:4000] - b[:4000]).max() > 0 for a, b in zip(plain, turned, strict=True))
    songs = [antiphon.play(None, tmp_path / f"s{i}.wav", knobbed, control=c, bars="1", mute=["drums"], quiet=True)
             for i, c in enumerate((None, {"brightness": 1}))]  # fmt: skip
    assert songs[0].read_bytes() != songs[1].read_bytes()


def test_a_voice_keeps_the_shaping_it_was_saved_with(knobbed, tmp_path):
    from antiphon.voices.checkpoint import save_voice

    voice = antiphon.load(knobbed)
    save_voice(tmp_path / "bright.safetensors", voice.model, replace(voice.info, shaping=shaping(tilt=3)))
    again = antiphon.load(tmp_path / "bright.safetensors")
    asked = Note(60, 0.2, instrument="violin")
    np.testing.assert_allclose(
        again.notes([asked])[0], voice.notes([replace(asked, shaping=shaping(tilt=3))])[0], atol=1e-5
    )


# ---- on disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm",
    [
        lambda t, m: t.update(directions=t["directions"][:, :, :5].contiguous()),
        lambda t, m: t.update(spans=torch.full_like(t["spans"], torch.nan)),
        lambda t, m: t.update(effects=t["effects"].to(torch.int64)),
        lambda t, m: t.pop("spans"),
        lambda t, m: t.update(turns=torch.zeros(2, 2, 2, 3)),
        lambda t, m: m.update(names=["brightness", "brightness"]),
        lambda t, m: m.update(names=["brightness"]),
        lambda t, m: m.update(meanings="ab"),
        lambda t, m: m.update(controls=9),
        lambda t, m: m.pop("labels"),
    ],
)
def test_hostile_controls_are_refused_in_one_line(turnable, tmp_path, harm):
    weights = shutil.copy(turnable, tmp_path / "tiny.safetensors")
    tensors, meta = read_tensors(place_of(turnable))
    harm(tensors, meta)
    write_tensors(place_of(weights), tensors, meta)
    with pytest.raises(AntiphonError, match="does not hold controls"):
        antiphon.load(weights).turned(torch.ones(32), "violin", {"brightness": 1.0})


def test_controls_of_other_weights_are_refused(turnable, tmp_path):
    weights = shutil.copy(turnable, tmp_path / "tiny.safetensors")
    shutil.copy(place_of(turnable), place_of(weights))
    tensors, meta = read_tensors(weights)
    write_tensors(weights, {k: v + 0 if v.dtype != torch.float16 else v * 1.01 for k, v in tensors.items()}, meta)
    with pytest.raises(AntiphonError, match="made for other weights"):
        antiphon.load(weights).turned(torch.ones(32), "violin", {"brightness": 1.0})


# ---- fitting ---------------------------------------------------------------------------------------------------------


class _Linear(_Fit):
    """A label on which knobs do what a matrix says, whose first trait moves one way only."""

    def __init__(self, voice):
        self.voice, self.how = voice, describer(voice)
        rng, count = np.random.default_rng(0), len(self.how.traits)
        self.matrix = np.eye(count) + 0.3 * rng.standard_normal((count, count))
        self.first, self.most = (np.array([getattr(k, n) for k in KNOBS]) for n in ("first", "most"))
        self.least, self.spans, self.w = -self.most, np.zeros((count, 3)), torch.zeros(2, 4)

    def changes(self, turns):
        return np.repeat((turns @ self.matrix)[:, None], 2, axis=1)


def test_knobs_are_turned_until_a_trait_moves_and_the_others_stay(voice):
    found = _Linear(voice).found()
    effects = found["effects"]
    own = np.diag(effects)
    assert own.min() > 0.7
    assert np.abs(effects - np.diag(own)).max() < 0.25
    np.testing.assert_allclose(found["turns"][:, 0], -found["turns"][:, 1], atol=1e-9)


def test_a_control_that_moves_something_else_as_far_is_none():
    middle = np.zeros((2, 2, 2))
    middle[1] = [[0.9, 0.1], [0.8, 0.7]]  # the second trait moves the first further than itself
    middle[0] = -np.eye(2)
    heard = np.repeat(middle[:, :, None], 3, axis=2)
    heard[0, 0, 1, 0] = 0.1  # in one sound the first goes the wrong way
    assert _Fit._there(heard, middle).tolist() == [[False, True], [True, False]]


def test_equal_values_share_their_ranks():
    assert spearman([1, 2, 3, 4], [0, 0, 0, 5]) == pytest.approx(0.7746, abs=1e-3)
    assert spearman([1, 2, 3], [1, 1, 1]) == 0
    assert spearman([1, 2, 3], [10, 20, 25]) == pytest.approx(1)


def test_directions_are_corrected_by_what_they_did():
    rng = np.random.default_rng(1)
    jacobian, d = rng.standard_normal((8, 3)), rng.standard_normal((3, 8))
    before, after = d @ jacobian, corrected(d, d @ jacobian) @ jacobian
    off = np.abs(after - np.diag(np.diag(after))).max() / np.abs(np.diag(after)).min()
    assert off < 0.5 * np.abs(before - np.diag(np.diag(before))).max() / np.abs(np.diag(before)).min()


def test_fitting_finds_directions_that_move_what_they_name(voice, monkeypatch):
    """A voice without knobs whose sound is brighter the larger w_0, and whose attack is slower the larger w_1."""
    from antiphon.metrics import controls as fitting

    monkeypatch.setattr(type(voice), "knobs", ())

    def heard(self, voice, label, w, shapings=None):
        return (3 * w[:, :2] @ torch.tensor([[1.0, 0.2], [0.0, 1.0]])).double().numpy()

    how = describer(voice)
    two = how._replace(traits=how.traits[:2])
    monkeypatch.setattr(type(how), "heard", heard)
    monkeypatch.setattr(fitting, "describer", lambda voice: two)
    found = fitting.fit_controls(voice, listening=fitting.Listening(8, 40, 1, 300, 60), processes=1)
    assert found.names == ("brightness", "attack")
    for at in range(2):
        effects = found.effects[at]
        assert effects.diag().min() > 0.5
        assert (effects - effects.diag().diag()).abs().max() < 0.34 * effects.diag().min()


def test_traits_hear_what_they_are_called(voice):
    measure = describer(voice).measure
    bright, dark = (tone(60, 1.0) + 0.0, tone(60, 1.0, plucked=True))
    odd = sum(np.sin(2 * np.pi * 261.63 * k * np.arange(44100) / 44100) / k for k in (1, 3, 5)).astype(np.float32)
    names = describer(voice).names
    a, b, c = (dict(zip(names, measure(x, 60.0), strict=True)) for x in (bright, dark, odd))
    assert a["brightness"] > b["brightness"]
    assert a["decay"] > b["decay"]
    assert c["hollowness"] > 15 > a["hollowness"]
    assert np.isfinite(measure(np.zeros(100, np.float32), 60.0)).all()


# ---- explaining ------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_shapley_values_add_up_and_a_cause_without_effect_has_none(seed):
    rng = np.random.default_rng(seed)
    base = {frozenset(s): rng.standard_normal(2) for s in coalitions(3)}
    values = {s: base[frozenset(i for i in s if i < 3)] for s in coalitions(4)}  # the fourth does nothing
    shares = shapley(values, 4)
    np.testing.assert_allclose(shares.sum(0), values[frozenset(range(4))] - values[frozenset()], atol=1e-9)
    np.testing.assert_allclose(shares[3], 0, atol=1e-12)


def test_conditions_add_up_and_the_whole_coalition_is_the_sound(voice):
    note = Note(67, 0.3, 60, "violin", (), 5)
    w = voice.imagine("violin", (), 5)
    found = contributions(voice, Sound(note, w))
    assert found.shares.shape[0] == len(CAUSES)
    assert found.missing < 0.01
    from antiphon.metrics.conditions import levels_of

    alone = voice.note(67, seconds=0.3, velocity=60, instrument="violin", seed=5)
    np.testing.assert_allclose(found.after, levels_of(alone), atol=0.05)
    assert own_style(voice, note) == ("bowed", "bright")


def test_a_training_sound_finds_itself_first_and_may_be_a_copy(tmp_path):
    sounds = [tone(50 + 2 * i, 0.5, plucked=bool(i % 2)) for i in range(12)]
    vectors = embedded(sounds)
    own = np.array([np.sort(np.linalg.norm(vectors - v, axis=1))[1] for v in vectors])
    index = Index(tuple(f"sound {i}" for i in range(12)), vectors, own)
    assert all(index.near(sound)[0].name == f"sound {i}" for i, sound in enumerate(sounds))
    assert index.near(0.1 * sounds[3])[0].distance < index.between[0]
    write_index(index, tmp_path / "v.safetensors")
    again = read_index(tmp_path / "v.safetensors")
    assert again is not None
    assert again.names == index.names
    np.testing.assert_allclose(again.own, own, rtol=1e-3)


@pytest.mark.parametrize("text", ["violin G4 seed 5", "viol G4 velocity 60 seed 5 seconds 0.3"])
def test_a_note_is_read_as_people_write_it(voice, text):
    note = parse_note(text, voice)
    assert (note.instrument, note.pitch, note.seed) == ("violin", 67.0, 5)
    with pytest.raises(AntiphonError, match="is not a number"):
        parse_note("violin G4 velocity loud", voice)


def test_the_pages_and_their_json(turnable, run_folder, tmp_path, antiphon_line):
    shutil.copy(run_folder / "prepared.safetensors", turnable.with_name("prepared.safetensors"))
    found = antiphon_line("explain", turnable, "-o", tmp_path / "why", "--note", "violin G4 seed 5 seconds 0.3", "-q")
    page, facts = tmp_path / "why.html", json.loads((tmp_path / "why.json").read_text())
    assert found.status == 0, found.err
    assert found.out == [str(page)]
    text = page.read_text()
    assert "What each condition contributes" in text
    assert "<audio" in text
    assert "http" not in text.replace("https://", "")
    assert len(facts["nearest"]) == 5
    assert facts["conditions"]["missing"] < 0.01
    again = antiphon_line("explain", turnable, "-o", tmp_path / "why.html", "-q")
    assert again.status == 2
    assert "exists" in again.err[0]
    assert antiphon_line("explain", turnable, "-o", tmp_path / "voice.html", "-i", "harp", "-q").status == 0
    said = json.loads((tmp_path / "voice.json").read_text())
    assert [c["name"] for c in said["controls"]] == ["brightness", "attack"]
    assert said["controls"][1]["instruments"] == 1
    assert said["at_one_note"]["instruments"].keys() == {"violin", "harp"}
    assert "all at C4 (the 2 that were heard there)" in (tmp_path / "voice.html").read_text()


def test_a_recording_is_placed_and_compared(turnable, notes):
    found = from_recording(notes / "violin" / "067.wav", turnable)
    assert found["note"]["instrument"] in ("violin", "harp")
    assert found["note"]["pitch"] == pytest.approx(67, abs=0.5)
    assert len(found["made_of_it"]["voice_minus_recording_db"]) == len(found["made_of_it"]["places"])


def test_notes_keep_their_style_in_every_coalition(voice):
    note = replace(Note(60, 0.2), instrument="harp", style=("plucked",))
    assert own_style(voice, note) == ("plucked",)


def test_every_sort_of_sound_has_its_own_describer():
    from antiphon.core.registry import registry

    found = registry("antiphon.metrics.describers", "DESCRIBERS")
    assert {"notes", "hits", "scenes"} <= found.keys()
    noise = np.random.default_rng(0).standard_normal((44100, 2)).astype(np.float32) * 0.1
    for name, one in found.items():
        values = one.measure(noise if name == "hits" else noise[:, 0], 60.0)
        assert values.shape == (len(one.traits),), name
        assert np.isfinite(values).all(), name
    assert describer(antiphon.load("gm")) is found["notes"]
    assert describer(antiphon.load("kit")) is found["hits"]


# ---- scenes ----------------------------------------------------------------------------------------------------------


def test_scenes_are_turned_by_controls(tmp_path):
    from scene_voice import LABELS, FakeScenes

    from antiphon.verbs.scene import from_sound, scene
    from antiphon.voices.expression import Blend
    from antiphon.voices.places import Places

    voice, count = FakeScenes(), len(LABELS)
    directions = torch.zeros(count, 1, count)
    directions[LABELS.index("rain"), 0, LABELS.index("storm")] = 0.5  # its w are the shares of labels
    spans, effects = torch.zeros(count, 1, 3), torch.ones(count, 1, 1)
    turns = torch.zeros(count, 1, 2, 0)
    voice.__dict__["controls"] = Controls(("wetness",), ("wetter",), LABELS, directions, spans, effects, turns)
    turned = Places(voice, control={"wetness": 1}).place(Blend(("rain",), (1.0,)))
    assert dict(zip(LABELS, turned, strict=True)) == {"rain": 1.0, "storm": 0.5} | dict.fromkeys(
        [name for name in LABELS if name not in ("rain", "storm")], 0.0
    )
    plain, zero, one = (from_sound("rain", voice, seconds=0.3, control=c) for c in (None, {"wet": 0}, {"wet": 1}))
    np.testing.assert_array_equal(plain, zero)
    assert np.abs(plain - one).max() > 1e-3
    with pytest.raises(AntiphonError, match="control 'loud' is unknown: fake has wetness"):
        from_sound("rain", voice, seconds=0.3, control={"loud": 1})
    with pytest.raises(AntiphonError, match="not a script"):
        scene(tmp_path / "x.wav", voice, script="layer rain", control={"wet": 1}, quiet=True)


def test_knobs_stop_at_their_ends():
    far, none = turned([[1e6] * len(KNOBS), ()], KNOBS)
    assert far.tolist() == [knob.most for knob in KNOBS]
    assert not none.any()
    assert turned([[-1e6] * len(KNOBS)], KNOBS)[0].tolist() == [knob.least for knob in KNOBS]
    assert turned([(), (0.0,)], KNOBS) is None
