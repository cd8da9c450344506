"""The verbs from Python: what they return, that seeds are reproducible, and that nothing is overwritten."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import tone, write_notes

import antiphon
from antiphon.data.prepared import Prepared
from antiphon.recipes.check import check
from antiphon.recipes.instrument import InstrumentRecipe, instrument
from antiphon.recipes.override import flatten, override, parse_settings
from antiphon.recipes.sounds import SoundsRecipe, describe
from antiphon.training.run_folder import Record, Request, alone, budget, check_same, fingerprint, read_record
from antiphon.verbs import generate, play
from antiphon.verbs.evaluate import _contender
from antiphon.voices import find

AntiphonError = antiphon.AntiphonError


# ---- finding -------------------------------------------------------------------------------------


def test_a_voice_by_folder_file_or_itself(run_folder, voice):
    assert antiphon.load(run_folder).instruments == ("harp", "violin")
    assert antiphon.load(str(run_folder / "weights.safetensors")).instruments == voice.instruments
    assert antiphon.load(voice) is voice


def test_a_bundled_voice_by_name(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(find, "VOICES", tmp_path)
    for name in ("mine.safetensors", "mine.critics.safetensors"):
        (tmp_path / name).write_bytes((run_folder / "weights.safetensors").read_bytes())
    assert antiphon.bundled() == ["mine"]
    assert antiphon.load("mine").instruments == ("harp", "violin")
    with pytest.raises(AntiphonError, match="did you mean mine"):
        antiphon.load("mien")


def test_names_of_the_package():
    assert antiphon.Note(60, 1.0).pitch == 60
    assert {"play", "generate", "train", "load", "Note", "AntiphonError"} <= set(dir(antiphon))
    with pytest.raises(AttributeError):
        antiphon.nonsense  # noqa: B018


def test_the_bundled_voice_plays_the_bundled_song():
    if "gm" not in antiphon.bundled():
        pytest.skip("the voice gm is not in this checkout")
    from antiphon.music.midi import read_midi

    song = read_midi(play.SONGS / "antiphon.mid")
    early = [dataclasses.replace(p, notes=tuple(n for n in p.notes if n.onset < 1.5)) for p in song.parts]
    sound = play.from_song(dataclasses.replace(song, parts=tuple(p for p in early if p.notes)), "gm")
    assert sound.shape[1] == 2
    assert np.isfinite(sound).all()
    assert 0.05 < np.abs(sound).max() <= 1


# ---- playing -------------------------------------------------------------------------------------


def test_a_song_is_a_function_of_its_seed(song, voice):
    first = play.from_file(song, voice, seed=1)
    np.testing.assert_array_equal(first, play.from_file(song, voice, seed=1))
    other = play.from_file(song, voice, seed=2)
    assert first.shape[1] == 2
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_play_into_a_folder_and_never_over_a_file(song, voice, tmp_path):
    assert antiphon.play(song, tmp_path, voice, quiet=True) == tmp_path / "song.wav"
    before = (tmp_path / "song.wav").read_bytes()
    with pytest.raises(AntiphonError, match="exists"):
        antiphon.play(song, tmp_path / "song.wav", voice, quiet=True)
    assert (tmp_path / "song.wav").read_bytes() == before
    antiphon.play(song, tmp_path / "song.wav", voice, seed=5, force=True, quiet=True)
    assert (tmp_path / "song.wav").read_bytes() != before


# ---- generating ----------------------------------------------------------------------------------


def test_each_sound_is_its_seeds_own(voice, tmp_path):
    how = {"seconds": 0.1, "quiet": True}
    many = antiphon.generate(voice, tmp_path / "many", 3, seed=4, **how)
    one = antiphon.generate(voice, tmp_path / "one", 1, seed=6, **how)
    (alone,) = one.iterdir()
    (same,) = many.glob("*_s6.wav")
    assert same.name[4:] == alone.name[4:]
    np.testing.assert_allclose(soundfile.read(same)[0], soundfile.read(alone)[0], atol=2e-4)
    assert len({p.read_bytes() for p in many.iterdir()}) == 3


def test_pitches_come_from_the_trained_range(voice, tmp_path):
    folder = antiphon.generate(voice, tmp_path, 12, instrument="harp", seconds=0.02, quiet=True)
    from antiphon.data.labelling.labels import parse_name

    pitches = [parse_name(p.stem).pitch for p in folder.iterdir()]
    assert all(55 <= pitch <= 79 for pitch in pitches)
    assert len(set(pitches)) > 3


def test_what_was_never_learned_is_said(voice, tmp_path, capsys):
    antiphon.generate(voice, tmp_path, 1, instrument="harp", pitch="C8", seconds=0.02)
    assert "harp was trained on G3 to G5: C8 is a guess" in capsys.readouterr().err


def test_existing_files_stop_it_before_it_starts(voice, tmp_path):
    notes = [antiphon.Note(60, 0.05, instrument="harp"), antiphon.Note(62, 0.05, instrument="harp")]
    paths = generate.from_notes_to_folder(notes, tmp_path, voice)
    paths[0].unlink()
    with pytest.raises(AntiphonError, match="exists"):
        generate.from_notes_to_folder(notes, tmp_path, voice)
    assert not paths[0].exists()
    assert generate.from_notes_to_folder(notes, tmp_path, voice, force=True) == paths
    assert all(p.exists() for p in paths)


def test_from_notes_is_what_the_voice_says(voice):
    note = antiphon.Note(64, 0.1, 80, "violin", seed=2)
    np.testing.assert_array_equal(generate.from_notes([note], voice)[0], voice.notes([note])[0])


# ---- overriding ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inner:
    rule: str = "a"
    weights: dict[str, float] = field(default_factory=lambda: {"x": 1.0, "y": 2.0})


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    count: int = 3
    rate: float = 0.5
    on: bool = False


def test_override_replaces_by_dotted_name_and_type():
    texts = {"inner.rule": "b", "inner.weights.y": "0", "count": "1e3", "rate": "2", "on": "yes"}
    changed = override(Outer(), texts)
    assert changed == Outer(Inner("b", {"x": 1.0, "y": 0.0}), 1000, 2.0, True)
    assert Outer().inner.weights == {"x": 1.0, "y": 2.0}
    assert override(Outer(), dict(flatten(changed))) == changed
    assert override(Outer(), dict(flatten(dataclasses.asdict(changed)))) == changed


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("cuont", 3, "count"),
        ("rule", "b", "inner.rule"),
        ("inner", "b", "no setting"),
        ("inner.weights", 1, "no setting"),
        ("inner.weights.z", 1, "inner.weights"),
        ("count.more", 1, "no setting"),
        ("", 1, "no setting"),
        ("count", 2.5, "whole number"),
        ("count", "inf", "whole number"),
        ("count", None, "whole number"),
        ("rate", "nan", "a number"),
        ("rate", "fast", "a number"),
        ("on", "perhaps", "true or false"),
    ],
)
def test_override_refuses(key, value, says):
    with pytest.raises(AntiphonError, match=says):
        override(Outer(), {key: value})


def test_settings_from_words():
    assert parse_settings(["a.b=3", "c = d=e"]) == {"a.b": "3", "c": "d=e"}
    for text in ("a", "=3", "a="):
        with pytest.raises(AntiphonError, match="name=value"):
            parse_settings([text])


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_every_size_can_be_trained_and_restored(size):
    recipe = instrument(size, seed=3)
    check(recipe)
    assert override(InstrumentRecipe(), dict(flatten(recipe))) == recipe


# ---- the run folder ------------------------------------------------------------------------------


def test_the_fingerprint_knows_the_notes_not_their_place(tmp_path):
    def known(folder):
        return fingerprint(folder, SoundsRecipe.suffixes)

    first, second = write_notes(tmp_path / "a"), write_notes(tmp_path / "elsewhere" / "b")
    assert known(first) == known(second)
    (second / "README.md").write_text("no sound")
    assert known(first) == known(second)
    soundfile.write(second / "new.wav", tone(60), 44100)
    assert known(first) != known(second)
    (second / "new.wav").unlink()
    soundfile.write(second / "harp" / "055.wav", tone(56), 44100)
    assert known(first) != known(second)


def test_a_record_is_read_as_it_was_written(tmp_path):
    assert read_record(tmp_path / "none") is None
    assert read_record(tmp_path) is None
    request = Request("tiny", None, True, 3, {"batch": "2"}, "instrument")
    record = Record("notes", "abc", request, {"batch": 2}, None, 2, None, 10.0)
    record.write(tmp_path)
    assert read_record(tmp_path) == record
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(AntiphonError, match="damaged"):
        read_record(tmp_path)


def test_minutes_that_are_changed_twice_count_from_the_latest(tmp_path, monkeypatch):
    """The state's own number of steps is from the minutes before both changes, until the next checkpoint."""
    monkeypatch.setattr("antiphon.training.run_folder.total_steps", lambda folder: 1000)
    record = Record("notes", "abc", Request(), {}, None, 1, None, 10.0)
    for minutes, steps in ((20, 2000), (30, 3000), (30, 3000), (5, 500)):
        record = budget(record, tmp_path, None, minutes)
        assert (record.steps, record.minutes) == (steps, minutes)
    assert budget(record, tmp_path, None, None) == record
    assert budget(record, tmp_path, 7, None) == dataclasses.replace(record, steps=7, minutes=None)


def test_a_folders_name_is_its_whole_name(notes, tmp_path, monkeypatch):
    folder = tmp_path / "notes-v1.2"
    write_notes(folder)
    (tmp_path / "set.v1.safetensors").touch()
    monkeypatch.chdir(folder)
    assert find.title(folder) == find.title(".") == "notes-v1.2"
    assert find.title(tmp_path / "set.v1.safetensors") == "set.v1"
    how = {"size": "tiny", "steps": 1, "threads": 1, "from_scratch": True, "quiet": True}
    run = tmp_path / "lr0.001"
    antiphon.train(folder, run, settings={"batch": 2, "samples": 8192, "game.imagined": 1, "game.bank": 64}, **how)
    assert antiphon.load(run).info.name == "notes-v1.2"
    assert _contender(run)[0] == "lr0.001"


@pytest.mark.parametrize("name", ["seed", "take"])
@pytest.mark.parametrize("number", [-1, 1 << 31, 1 << 63, 0.5, None, "3"])
def test_a_note_takes_whole_numbers_for_its_chances(name, number):
    with pytest.raises(AntiphonError, match=f"{name} cannot be"):
        antiphon.Note(60, 1.0, **{name: number})


def test_the_largest_chances_are_played(voice):
    note = antiphon.Note(60, 0.1, seed=(1 << 31) - 1, take=np.int64((1 << 31) - 1))
    assert np.isfinite(voice.notes([note])[0]).all()


def test_another_run_is_not_gone_on_with():
    record = Record("notes", "abc", Request("tiny", None, True, 3), {}, None, 2)
    check_same(record, "abc", Request("tiny", None, True, 3), Path("r"))
    check_same(record, "abc", Request(), Path("r"))
    check_same(Record("notes", "abc", Request(), {}, None, 2), "abc", Request(seed=0), Path("r"))
    for content, request, says in [
        ("abd", Request(), "other notes"),
        ("abc", Request(size="base"), "another --size"),
        ("abc", Request(seed=4), "another --seed"),
        ("abc", Request(seed=0), "another --seed"),
        ("abc", Request(settings={"batch": 3}), "another --set"),
        ("abc", Request(start_from="gm"), "another --from"),
    ]:
        with pytest.raises(AntiphonError, match=says):
            check_same(record, content, request, Path("r"))


def test_what_a_voice_says_of_its_notes(prepared):
    info = describe(Prepared(prepared), "mine")
    assert info.name == "mine"
    assert info.licence == "CC0"
    assert info.sources == ("notes",)
    assert info.range_of == {"harp": (55.0, 79.0), "violin": (55.0, 79.0)}
    assert info.styles_of["harp"] == [(("plucked",), 6)]  # the note in the held-out block does not count
    assert info.styles_of["violin"] == [(("bowed", "bright"), 6)]


def test_two_trainings_do_not_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("antiphon.training.run_folder.PATIENCE", 0.0)
    notes = write_notes(tmp_path / "notes")
    with alone(tmp_path / "run"), pytest.raises(antiphon.AntiphonError, match="under way"):
        antiphon.train(notes, tmp_path / "run", steps=1, quiet=True)
    assert not (tmp_path / "run").exists(), "nothing came of it, so nothing is left"
    with alone(tmp_path / "run"):
        (tmp_path / "run" / "kept").touch()
    assert (tmp_path / "run" / "kept").exists()
