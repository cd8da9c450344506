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
from antiphon.metrics.shapley import coalitions, shapley
from antiphon.verbs.explain import from_recording, parse_note
from antiphon.voices.checkpoint import read_tensors, write_tensors
from antiphon.voices.controls import Controls, parse_controls, place_of, write_controls


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
        Controls(("brightness", "attack"), ("a", "b"), voice.instruments, directions, spans, effects), weights
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
    moved = voice.turned(w, "violin", {"brightness": 0.01})
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
        assert voice.turned(w, "harp", {"attack": 1.0}) is w
    with pytest.warns(UserWarning, match="harp has no attack"):
        both = voice.turned(w, "harp", {"attack": 1.0, "brightness": 0.5})
    assert torch.equal(both, voice.turned(w, "harp", {"brightness": 0.5}))


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


# ---- on disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm",
    [
        lambda t, m: t.update(directions=t["directions"][:, :, :5].contiguous()),
        lambda t, m: t.update(spans=torch.full_like(t["spans"], torch.nan)),
        lambda t, m: t.update(effects=t["effects"].to(torch.int64)),
        lambda t, m: t.pop("spans"),
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


def test_directions_are_corrected_by_what_they_did():
    rng = np.random.default_rng(1)
    jacobian, d = rng.standard_normal((8, 3)), rng.standard_normal((3, 8))
    before, after = d @ jacobian, corrected(d, d @ jacobian) @ jacobian
    off = np.abs(after - np.diag(np.diag(after))).max() / np.abs(np.diag(after)).min()
    assert off < 0.5 * np.abs(before - np.diag(np.diag(before))).max() / np.abs(np.diag(before)).min()


def test_fitting_finds_directions_that_move_what_they_name(voice, monkeypatch):
    """A voice whose sound is brighter the larger w_0, and whose attack is slower the larger w_1."""
    from antiphon.metrics import controls as fitting

    def heard(self, voice, label, w):
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
