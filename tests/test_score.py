"""Scores: from any MIDI file and back; keys and chords."""

from __future__ import annotations

import random
from dataclasses import replace

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.errors import AntiphonError
from antiphon.music.harmony import chord_name, chords, estimate_key, home
from antiphon.music.midi import read_midi
from antiphon.music.notation import BASS, CHORDS, DRUMS, MELODY, STEPS, Key, Metre, Score, ScoreNote, ScorePart
from antiphon.music.score import read_score, roles_of

METRES = st.sampled_from([Metre(4, 4), Metre(3, 4), Metre(6, 8), Metre(5, 8), Metre(2, 2), Metre(7, 16)])


@st.composite
def scores(draw) -> Score:
    metres = tuple(draw(st.lists(METRES, min_size=1, max_size=5)))
    parts = []
    for i in range(draw(st.integers(1, 4))):
        taken = {}
        for _ in range(draw(st.integers(1, 12))):
            bar = draw(st.integers(0, len(metres) - 1))
            place = bar, draw(st.integers(0, metres[bar].steps - 1)), draw(st.integers(0, 127))
            taken[place] = (draw(st.integers(1, 200)), draw(st.integers(1, 127)))
        notes = [ScoreNote(*place, *rest) for place, rest in sorted(taken.items())]
        parts.append(ScorePart(f"part {i}", DRUMS if i == 3 else MELODY, tuple(notes), draw(st.integers(0, 127))))
    score = Score(tuple(parts), metres, ((0, 97.0),), ((0, Key(draw(st.integers(0, 11)), draw(st.booleans()))),))
    return replace(score, parts=tuple(replace(p, notes=unstuck(score, p)) for p in score.parts))


def unstuck(score: Score, part: ScorePart) -> tuple[ScoreNote, ...]:
    """Its notes, none of which sounds when the same key is struck again."""
    found = []
    for note in part.notes:
        later = [score.onset(n) for n in part.notes if n.pitch == note.pitch and score.onset(n) > score.onset(note)]
        found.append(note._replace(length=min([note.length, *(onset - score.onset(note) for onset in later)])))
    return tuple(found)


@settings(max_examples=40, deadline=None)
@given(scores())
def test_a_score_comes_back_from_its_file(tmp_path_factory, score):
    path = score.write(tmp_path_factory.mktemp("score") / "a.mid")
    again = read_score(path)
    assert [p.notes for p in again.parts] == [p.notes for p in score.parts]
    assert [(p.name, p.program, p.is_drum) for p in again.parts] == [
        (p.name, p.program, p.is_drum) for p in score.parts
    ]
    last = max(note.bar for part in score.parts for note in part.notes)
    assert again.metres == score.metres[: last + 1]
    assert (again.tempo, again.key, again.off_grid) == (pytest.approx(97, abs=1e-3), score.key, 0)


def test_others_read_what_is_written(tmp_path):
    """mido, and the reader of songs: names, programs, channels, tempo, metre, key, markers; every note released."""
    lead = ScorePart("Lead", MELODY, (ScoreNote(0, 0, 60, 24), ScoreNote(0, 12, 60, 24), ScoreNote(1, 0, 64, 48)), 73)
    kit = ScorePart("Kit", DRUMS, (ScoreNote(0, 0, 36, 6), ScoreNote(1, 24, 38, 6)))
    score = Score((lead, kit), (Metre(4, 4), Metre(6, 8)), ((0, 90.0), (96, 60.0)), ((0, Key(9, True)),), ((1, "B"),))
    path = score.write(tmp_path / "a.mid")
    file = mido.MidiFile(path)
    first = {m.type: m for m in reversed(file.tracks[0])}
    assert (first["key_signature"].key, first["marker"].text, first["set_tempo"].tempo) == ("Am", "B", 666667)
    assert [(m.numerator, m.denominator) for m in file.tracks[0] if m.type == "time_signature"] == [(4, 4), (6, 8)]
    down = {}
    for m in file.tracks[1]:
        if m.type == "note_on":
            assert not down.get(m.note)
            down[m.note] = True
        elif m.type == "note_off":
            assert down[m.note]
            down[m.note] = False
    assert not any(down.values())
    song = read_midi(path)
    assert [(p.name, p.program) for p in song.parts] == [("Lead", 73)]
    assert [p.channel for p in song.drums] == [9]
    assert song.bars == pytest.approx([0, 4 / 1.5])
    with pytest.raises(AntiphonError, match="exists"):
        score.write(path)


def test_played_notes_move_to_the_nearer_grid(tmp_path):
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    dice, now, ons = random.Random(1), 0, []
    straight = [480 * beat + 120 * i for beat in range(8) for i in range(4)]
    triplets = [480 * beat + 160 * i for beat in range(8, 16) for i in range(3)]
    for at in straight + triplets:
        ons.append(at + dice.randint(-18, 18) * (at > 0))
    for at in ons:
        track.append(mido.Message("note_on", note=60, velocity=70, time=at - now))
        track.append(mido.Message("note_off", note=60, time=60))
        now = at + 60
    file.tracks.append(track)
    file.save(tmp_path / "played.mid")
    score = read_score(tmp_path / "played.mid")
    onsets = [score.onset(note) for note in score.parts[0].notes]
    assert onsets == [at * STEPS // 480 for at in straight + triplets]
    assert 0.01 < score.off_grid < 0.04


@pytest.mark.parametrize("damage", range(60))
def test_damaged_files_are_read_or_refused(damage, tmp_path):
    dice = random.Random(damage)
    part = ScorePart("x", MELODY, tuple(ScoreNote(i // 4, i % 4 * 24, 60 + i % 12, 24) for i in range(64)))
    body = bytearray(Score((part,), (Metre(),) * 16, keys=((0, Key(2)),), markers=((3, "A"),)).encode())
    for _ in range(dice.randint(1, 12)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    path = tmp_path / "damaged.mid"
    path.write_bytes(body[: dice.randint(10, len(body))])
    try:
        score = read_score(path)
    except AntiphonError as error:
        said = str(error)
    else:
        said = ""
        (tmp_path / "again.mid").write_bytes(score.encode())
        again = read_score(tmp_path / "again.mid")
        assert sum(len(p.notes) for p in again.parts) <= sum(len(p.notes) for p in score.parts)
    assert "\n" not in said


def cadence(tonic: int = 0, minor: bool = False) -> Score:
    """I IV V7 I, two bars each, in three voices and a bass."""
    third = 3 if minor else 4
    tones = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14, 17), (0, third, 7)]
    notes, bass = [], []
    for i, chord in enumerate(tones):
        for bar in (2 * i, 2 * i + 1):
            notes += [ScoreNote(bar, 48 * half, 60 + tonic + t, 48) for half in (0, 1) for t in chord]
            bass.append(ScoreNote(bar, 0, 36 + tonic + chord[0], 96))
    return Score((ScorePart("p", CHORDS, tuple(notes)), ScorePart("b", BASS, tuple(bass), 32)), (Metre(),) * 8)


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", range(12))
def test_key_and_chords_of_a_cadence(tonic, minor):
    score = cadence(tonic, minor)
    assert estimate_key(score) == Key(tonic, minor)
    moved = score.transposed(home(Key(tonic, minor)))
    assert estimate_key(moved) == Key(9, True) if minor else Key(0)
    names = [chord_name(c) for c in chords(moved)]
    assert names[::4] == (["Am", "Dm", "E7", "Am"] if minor else ["C", "F", "G7", "C"])
    assert names[1::2] == names[::2]


def test_keys_and_metres_are_read_as_people_write_them():
    for text, key in {
        "C": Key(0),
        "Am": Key(9, True),
        "f# minor": Key(6, True),
        "Bbmaj": Key(10),
        "Cb": Key(11),
    }.items():
        assert Key.parse(text) == key
    assert [Key.parse(str(Key(t, m))) for t in range(12) for m in (False, True)] == [
        Key(t, m) for t in range(12) for m in (False, True)
    ]
    assert Metre.parse("6/8").steps == 72
    for wrong in ("", "H", "Amm"):
        with pytest.raises(AntiphonError):
            Key.parse(wrong)
    for wrong in ("", "4", "4/3", "0/4", "99/1"):
        with pytest.raises(AntiphonError):
            Metre.parse(wrong)


def test_roles():
    def part(pitches, program=0, role=MELODY):
        return ScorePart("", role, tuple(ScoreNote(i, 0, p, 24) for i, ps in enumerate(pitches) for p in ps), program)

    tune, bass, pad = part([[72], [74]]), part([[40], [43]]), part([[60, 64, 67]] * 2)
    assert roles_of([pad, bass, tune, part([[36]], role=DRUMS)]) == ["chords", "bass", "melody", "drums"]
    assert roles_of([tune]) == ["melody"]
    assert roles_of([pad]) == ["chords"]
    assert roles_of([part([[62]]), tune, part([[64]]), bass]) == ["inner", "melody", "inner", "bass"]


def test_bars_are_cut_out():
    score = replace(cadence(), keys=((0, Key(0)), (4, Key(7))), tempos=((0, 120.0), (288, 60.0)))
    piece = score.cut(4, 6)
    assert (piece.bars, piece.key, piece.tempos) == (2, Key(7), ((0, 60.0),))
    assert [n.bar for n in piece.parts[1].notes] == [0, 1]
    assert np.isclose(score.seconds(), 6 + (8 * 4 - 12))
