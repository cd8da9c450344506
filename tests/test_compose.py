"""`antiphon compose`: what is asked for reaches the voice, what is given stays, and every file is there or none."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from itertools import pairwise

import mido
import numpy as np
import pytest
from composing import FakeComposer, piece, written_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.metrics.plots.roll import draw_roll, marked
from antiphon.music.joining import joined
from antiphon.music.notation import Key, Metre
from antiphon.music.qualities import note_table, qualities
from antiphon.music.score import read_score
from antiphon.verbs import compose as verb


@pytest.fixture(autouse=True)
def composer(monkeypatch, tmp_path):
    """The bundled composer's stand-in; sounds are silence."""
    found = FakeComposer()
    load = verb.load
    monkeypatch.setattr(verb, "load", lambda voice: found if voice == "composer" else load(voice))
    monkeypatch.setattr(verb, "from_file", lambda path, **how: np.zeros((44100, 2), np.float32))
    monkeypatch.chdir(tmp_path)
    return found


def rows(score, index=0):
    """A part's notes, by onset."""
    return score.table(score.parts[index])[:, :3].tolist()


# ---- from noise ------------------------------------------------------------------------------------------------------


def test_a_new_piece(antiphon_line, tmp_path):
    said = antiphon_line("compose", "-o", "song.mid", "--bars", 8)
    assert (said.status, said.out) == (0, ["song.mid"])
    assert said.err == ["8 bars of 4/4 in C major at 100 BPM, 0:19: melody (flute, 32 notes), bass (acoustic bass, 32 "
                        "notes), drums (32 notes)"]  # fmt: skip
    score = read_score(tmp_path / "song.mid")
    assert [part.role for part in score.parts] == ["melody", "bass", "drums"]
    assert score.bars == 8
    assert score.markers == ((0, "A"), (4, "B"))


def test_without_a_name_it_gets_a_free_one(antiphon_line):
    assert [antiphon_line("compose", "--bars", 1).out[0] for _ in range(3)] == ["song.mid", "song-2.mid", "song-3.mid"]


def test_what_is_asked_for_reaches_the_voice(antiphon_line, composer):
    line = "compose -o a.mid --style game --bars 5 --tempo 90 --key f#m --meter 3/4 --density 0.25 --parts mel,dr"
    more = "--more register=0.7,syncopation=0 --temperature 0.8 --seed blue"
    assert antiphon_line(*line.split(), *more.split()).status == 0
    asked = composer.asked
    assert (asked["count"], asked["style"], asked["tempo"], asked["density"]) == (5, "game", 90, 0.25)
    assert (asked["key"], asked["metre"], asked["parts"]) == (Key(6, True), Metre(3, 4), ["melody", "drums"])
    assert (asked["controls"], asked["temperature"]) == ({"register": 0.7, "syncopation": 0.0}, 0.8)
    assert asked["seed"] == antiphon.core.seeds.check_seed("blue")


def test_same_seed_same_bytes(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        antiphon.compose(tmp_path / f"{name}.mid", seed=seed, bars=4, quiet=True)
    a, b, c = ((tmp_path / f"{name}.mid").read_bytes() for name in "abc")
    assert a == b != c


# ---- from what is given ----------------------------------------------------------------------------------------------


def test_continuing_keeps_what_was_there(antiphon_line, tmp_path, composer):
    mine = read_score(written_to(tmp_path / "mine.mid", "melody", "bass", tempo=96))
    assert antiphon_line("compose", "--continue", "mine.mid", "-o", "longer.mid", "--bars", 6).status == 0
    longer = read_score(tmp_path / "longer.mid")
    assert longer.bars == mine.bars + 6
    assert longer.tempos == mine.tempos
    for index in range(2):
        assert rows(longer, index)[: len(rows(mine, index))] == rows(mine, index)
        assert len(longer.parts[index].notes) > len(mine.parts[index].notes)
        assert longer.parts[index].program == mine.parts[index].program
    assert composer.asked["before"].bars == 4


def test_accompanying_keeps_the_given_parts_note_for_note(antiphon_line, tmp_path, composer):
    mine = read_score(written_to(tmp_path / "melody.mid", "melody", bars=7, metre=Metre(3, 4)))
    said = antiphon_line("compose", "--with", "melody.mid", "-o", "band.mid")
    assert said.status == 0, said.err
    band = read_score(tmp_path / "band.mid")
    assert rows(band) == rows(mine)
    assert band.metres == mine.metres
    assert [part.role for part in band.parts] == ["melody", "bass", "drums"]


def test_some_of_the_parts_stay(antiphon_line, tmp_path, composer):
    mine = read_score(written_to(tmp_path / "band.mid", "melody", "bass", "drums"))
    assert antiphon_line("compose", "--with", "band.mid", "--keep", "2,1", "-o", "new.mid").status == 0
    assert composer.asked["keep"] == [1, 0]
    new = read_score(tmp_path / "new.mid")
    assert rows(new, 0) == rows(mine, 1)
    assert rows(new, 1) == rows(mine, 0)


def test_varying(antiphon_line, tmp_path):
    mine = read_score(written_to(tmp_path / "mine.mid", "melody", bars=16))
    for amount in (0, 0.3, 1):
        antiphon_line("compose", "--vary", "mine.mid", "--amount", amount, "-o", f"{amount}.mid")
    shares = [np.mean([a == b for a, b in zip(rows(mine), rows(read_score(tmp_path / f"{amount}.mid")), strict=True)])
              for amount in (0, 0.3, 1)]  # fmt: skip
    assert shares[0] == 1 > shares[1] > shares[2]


def test_scores_in_scores_out():
    song = verb.from_noise(after=piece("melody", bars=4), bars=4)
    assert song.bars == 8
    assert verb.from_noise(around=song).bars == 8
    assert verb.from_noise(vary=song, amount=0).parts == song.parts


# ---- joining ---------------------------------------------------------------------------------------------------------


def test_joining_goes_on_part_by_part():
    first, then = piece("melody", "bass"), piece("bass", "drums", "melody", bars=2, tempo=140, metre=Metre(3, 4))
    both = joined(first, then)
    assert [part.role for part in both.parts] == ["melody", "bass", "drums"]
    assert both.bars == 6
    assert both.tempos == ((0, 96.0), (4 * 96, 140.0))
    assert both.keys == first.keys
    for part in both.parts:
        onsets = [both.onset(note) for note in part.notes]
        assert onsets == sorted(onsets)
    assert both.cut(4, 6).parts[2].notes == then.parts[1].notes


def test_two_parts_of_a_role_go_on_as_two():
    both = joined(piece("inner", "inner"), piece("inner", "inner", "inner", bars=1))
    assert [len(part.notes) for part in both.parts] == [20, 20, 4]


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "files"),
    [
        (["-o", "a.mid", "--audio"], ["a.mid", "a.wav"]),
        (["-o", "a.mid", "--audio", "b.flac", "--picture"], ["a.mid", "a.png", "b.flac"]),
        (["-o", "new/a.mid"], ["new/a.mid"]),
        (["-o", "a.png"], ["a.png"]),
        (["-o", "a.mp3"], ["a.mp3"]),
        (["-o", "a.html", "--audio"], ["a.html", "a.wav"]),
    ],
)
def test_files_that_are_written(antiphon_line, tmp_path, args, files):
    assert antiphon_line("compose", "--bars", 4, *args).status == 0
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == files
    assert antiphon_line("compose", "--bars", 4, *args).status == 2, "nothing is replaced"
    assert antiphon_line("compose", "--bars", 4, *args, "--force").status == 0


def test_all_files_or_none(antiphon_line, tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_text("mine")
    assert antiphon_line("compose", "-o", "a.mid", "--audio").status == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    (tmp_path / "a.wav").unlink()
    monkeypatch.setattr(verb, "from_file", lambda *_, **__: 1 / 0)
    assert antiphon_line("compose", "-o", "a.mid", "--audio").status == 1
    assert list(tmp_path.iterdir()) == []


def test_the_page_holds_everything(antiphon_line, tmp_path):
    written_to(tmp_path / "m.mid", "melody", bars=8)
    line = ["compose", "--with", "m.mid", "--keep", "1", "-o", "a.html", "--seed", "7", "--parts", "bass,drums"]
    assert antiphon_line(*line).status == 0
    page = (tmp_path / "a.html").read_text()
    assert "antiphon compose -o a.html --with m.mid --keep 1 --parts bass,drums --seed 7" in page
    assert page.count("<audio") == page.count("<img") == 1
    assert re.findall(r'button data-at="([\d.]+)">(\w)', page) == [("0.00", "A"), ("10.00", "B")]
    assert not re.search(r'(?:src|href)="(?!data:)', page), "it needs no other file"
    places = eval(re.search(r"times = (\[.*\]);", page)[1])
    assert len(places) == 9
    assert all(a[0] < b[0] for a, b in pairwise(places))


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--bars", "0"], "cannot compose 0 bars"),
        (["--bars", "99999"], "use 1 to 1,000"),
        (["--tempo", "5"], "tempo of 5"),
        (["--tempo", "nan"], "tempo of nan"),
        (["--key", "H"], "'H' is not a key"),
        (["--meter", "4/5"], "'4/5' is not a metre"),
        (["--density", "2"], "density of 2"),
        (["--parts", "kazoo"], "no part is called 'kazoo': use melody"),
        (["--more", "loudness=1"], "nothing is called 'loudness'"),
        (["--more", "register"], "register=0.7"),
        (["--more", "register=nan"], "register of nan"),
        (["--temperature", "0"], "temperature of 0"),
        (["--style", "polka"], "knows game, song"),
        (["--keep", "1"], "nothing to keep"),
        (["--with", "m.mid", "--keep", "2"], "no part 2 to keep: there are 1 melody"),
        (["--with", "m.mid", "--keep", "x"], "not a number of a part"),
        (["--with", "m.mid", "--bars", "3"], "leave --bars out"),
        (["--with", "m.mid", "--vary", "m.mid"], "use one of them"),
        (["--with", "drums.mid"], "drums.mid has only drums"),
        (["--with", "both.mid", "--keep", "2"], "only drums"),
        (["--vary", "m.mid", "--amount", "2"], "amount of 2"),
        (["--continue", "empty.mid"], "it is empty"),
        (["--continue", "silent.mid"], "has no notes"),
        (["--continue", "text.mid"], "not a MIDI file"),
        (["--continue", "cut.mid"], "broken MIDI file"),
        (["--with", "thousand.mid"], "1000 parts"),
        (["--with", "missing.mid"], "missing.mid"),
        (["--with", "."], "not a file"),
        (["-o", "a.txt"], "ends in .mid"),
        (["-o", "a"], "ends in .mid"),
        (["-o", "a.wav", "--audio", "b.wav"], "leave --audio out"),
        (["--audio", "b.txt"], "b.txt"),
        (["--audio", "a.wav", "b.wav"], "one name"),
        (["--voice", "gm"], "gm cannot compose: use a voice that does, such as composer"),
        (["--seed", "-1"], "out of range"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_line(antiphon_line, tmp_path, args, said):
    for name, roles in (("m", ["melody"]), ("drums", ["drums"]), ("both", ["melody", "drums"])):
        written_to(tmp_path / f"{name}.mid", *roles, bars=4)
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "text.mid").write_text("la la la")
    (tmp_path / "cut.mid").write_bytes((tmp_path / "m.mid").read_bytes()[:60])
    mido.MidiFile(tracks=[mido.MidiTrack()]).save(tmp_path / "silent.mid")
    note = [mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)]
    mido.MidiFile(tracks=[mido.MidiTrack(note) for _ in range(1000)]).save(tmp_path / "thousand.mid")
    before = sorted(tmp_path.iterdir())
    result = antiphon_line("compose", *args)
    assert result.status == 2
    assert said in result.err[-1]
    assert len([line for line in result.err if line.startswith("antiphon:")]) == 1
    assert sorted(tmp_path.iterdir()) == before


# ---- pictures --------------------------------------------------------------------------------------------------------


def test_every_bar_is_in_the_picture_once():
    song = piece("melody", "bass", "drums", bars=37)
    roll = draw_roll(song)
    assert [bar for line in roll.lines for bar in range(line.first, line.stop)] == list(range(37))
    assert roll.pixels.shape[1] == 1200
    assert "37 bars: melody, bass, drums" in roll.words
    first = roll.lines[0]
    drawn = roll.pixels[first.top + 20 : first.top + first.height].reshape(-1, 3)
    assert len(np.unique(drawn, axis=0)) > 5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 95), st.integers(0, 127), st.integers(1, 4000),
                          st.integers(1, 127)), max_size=30), st.booleans())  # fmt: skip
def test_any_notes_can_be_drawn(notes, drum):
    song = piece("drums" if drum else "melody", bars=16)
    notes = tuple(type(song.parts[0].notes[0])(*note) for note in sorted(notes))
    song = replace(song, parts=(replace(song.parts[0], notes=notes),))
    assert draw_roll(song).pixels.shape[2] == 3


def test_sections_that_are_not_written_are_heard():
    a, b = piece("melody", "bass", bars=11, seed=1), piece("chords", "drums", bars=6, seed=2)
    form = joined(joined(joined(joined(a, b), a), a), b)
    assert marked(form) == [(0, "A"), (11, "B"), (17, "A"), (28, "A"), (39, "B")]
    assert marked(joined(a, a)) == [(0, "A"), (11, "A")]
    assert marked(a) == [(0, "A")]


# ---- damaged files ---------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=8),
    st.integers(0, 400),
    st.sampled_from(["after", "around", "vary"]),
)
def test_damaged_files_are_used_or_refused_in_a_line(tmp_path_factory, hurts, cut, use):
    data = bytearray(SOUND_FILE)
    for place, byte in hurts:
        data[place % len(data)] = byte
    path = tmp_path_factory.getbasetemp() / "hurt.mid"
    path.write_bytes(data[: max(len(data) - cut, 0)] if cut < 200 else data)
    with contextlib.suppress(AntiphonError):  # which has no line breaks
        assert verb.from_noise(2 if use == "after" else None, **{use: path}).encode()


SOUND_FILE = piece("melody", "bass", "drums", bars=6).encode()


# ---- folders ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def scores(tmp_path):
    """Two styles, a copy in another key, and three that cannot be used."""
    folder = tmp_path / "scores"
    for style, roles, seed in (("song", ["melody", "chords"], 1), ("game", ["melody", "bass", "drums"], 2)):
        (folder / style).mkdir(parents=True)
        for k in range(2):
            written_to(folder / style / f"{k}.mid", *roles, bars=8, seed=seed + 10 * k)
    piece("melody", "chords", bars=8, seed=1).transposed(3).write(folder / "song" / "again.mid")
    written_to(folder / "game" / "short.mid", "melody", bars=2)
    (folder / "game" / "broken.mid").write_bytes(b"MThd")
    mido.MidiFile(tracks=[mido.MidiTrack()]).save(folder / "game" / "silent.mid")
    (folder / ".hidden.mid").write_bytes(b"")
    return folder


def test_a_folder_of_midi_files_is_understood(antiphon_line, scores):
    said = antiphon_line("data", "inspect", scores)
    assert said.status == 0
    text = " ".join("\n".join(said.out).split())
    assert re.search(r"game │ 2 │ 16 │ [\d,]+ │ 3 │ melody 100 %, bass 100 %, drums 100 % │ 4/4 100 %", text)
    assert "4 pieces of 2 styles" in text
    assert "1 left out as copies, 3 refused" in text
    assert re.search(r"song/again.mid │ song/0.mid", text)
    assert re.search(r"game/broken.mid │ is not a MIDI file", text)
    assert re.search(r"game/silent.mid │ has no notes", text)


def test_the_same_as_json(antiphon_line, scores):
    found = json.loads("\n".join(antiphon_line("data", "inspect", scores, "--json").out))
    assert [row["path"] for row in found["rows"]] == ["game/0.mid", "game/1.mid", "song/0.mid", "song/1.mid"]
    first = found["rows"][0]
    assert (first["style"], first["bars"], first["metres"], first["tempo"]) == ("game", 8, {"4/4": 8}, 96)
    assert [part["role"] for part in first["parts"]] == ["melody", "bass", "drums"]
    assert found["copies"] == [{"path": "song/again.mid", "of": "song/0.mid"}]
    assert [item["path"] for item in found["refused"]] == ["game/broken.mid", "game/short.mid", "game/silent.mid"]


def test_a_folder_of_midi_files_has_no_page(antiphon_line, scores):
    said = antiphon_line("data", "inspect", scores, "--picture", "page.html")
    assert said.status == 2
    assert "leave --picture out" in said.err[-1]


def test_sounds_with_a_song_among_them_are_sounds(antiphon_line, notes, tmp_path, scores):
    import shutil

    folder = shutil.copytree(notes, tmp_path / "notes")
    shutil.copy(scores / "song" / "0.mid", folder)
    assert "14 notes" in "\n".join(antiphon_line("data", "inspect", folder).out)


# ---- the bundled voice -----------------------------------------------------------------------------------------------


@pytest.mark.skipif("composer" not in antiphon.bundled(), reason="no composer is bundled")
def test_asking_for_more_gets_more():
    """Of what can be asked for, measured as anybody would; every quality and style is in benchmarks/compose.py."""
    voice = antiphon.load("composer")
    for name in ("density", "syncopation"):
        little, much = (
            np.mean([qualities(note_table(voice.bars(4, style="song", seed=seed, controls={name: value})))[name]
                     for seed in range(2)])
            for value in (0.05, 0.95)
        )  # fmt: skip
        assert much > little, name
