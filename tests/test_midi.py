"""read_midi: what a MIDI file means, and that no file breaks it."""

import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mido import Message, MetaMessage, MidiFile, MidiTrack

from antiphon.errors import AntiphonError
from antiphon.music.midi import Song, SongNote, ramped, read_midi

ROOT = Path(__file__).resolve().parent.parent
SONG = ROOT / "antiphon/songs/antiphon.mid"


def on(note=60, time=0, velocity=80, channel=0):
    return Message("note_on", note=note, velocity=velocity, time=time, channel=channel)


def off(note=60, time=0, channel=0):
    return Message("note_off", note=note, time=time, channel=channel)


def cc(control, value, time=0, channel=0):
    return Message("control_change", control=control, value=value, time=time, channel=channel)


def program(number, time=0, channel=0):
    return Message("program_change", program=number, time=time, channel=channel)


def wheel(pitch, time=0):
    return Message("pitchwheel", pitch=pitch, time=time)


def song(tmp_path: Path, *tracks, kind=1, ticks=480) -> Song:
    """The song that these tracks of messages make; 480 ticks are half a second."""
    path = tmp_path / "song.mid"
    MidiFile(type=kind, ticks_per_beat=ticks, tracks=[MidiTrack(track) for track in tracks]).save(path)
    return read_midi(path)


def only(song: Song) -> SongNote:
    (part,) = song.parts
    (note,) = part.notes
    return note


def holds(song: Song) -> list[tuple[float, float]]:
    """(onset, seconds) of all notes of a song of one part, to the millisecond."""
    (part,) = song.parts
    return [(round(note.onset, 3), round(note.seconds, 3)) for note in part.notes]


def test_plain_note(tmp_path):
    track = [MetaMessage("track_name", name="  Flute \n solo "), program(73), on(64, 480, 99), off(64, 960)]
    made = song(tmp_path, track, kind=0)
    assert only(made) == SongNote(0.5, 1.0, 64, 99)
    assert (made.parts[0].program, made.parts[0].name, made.seconds, made.warnings) == (73, "Flute solo", 1.5, ())


def test_tempo_map_from_any_track(tmp_path):
    tempi = [MetaMessage("set_tempo", tempo=1_000_000), MetaMessage("set_tempo", tempo=250_000, time=960)]
    made = song(tmp_path, [on(60, 480), off(60, 960), on(62), off(62, 480)], tempi)
    # A beat at 60, a note over the change (one beat at 60, one at 240), one at 240.
    assert holds(made) == [(1.0, 1.25), (2.25, 0.25)]


def test_smpte_time(tmp_path):
    path = tmp_path / "smpte.mid"
    song(tmp_path, [MetaMessage("set_tempo", tempo=1_000_000), on(60, 1000), off(60, 500)])
    data = bytearray((tmp_path / "song.mid").read_bytes())
    data[12:14] = struct.pack(">bB", -25, 40)  # milliseconds; the tempo means nothing
    path.write_bytes(data)
    assert only(read_midi(path)) == SongNote(1.0, 0.5, 60, 80)


def test_pedal(tmp_path):
    made = song(tmp_path, [cc(64, 127), on(60), off(60, 480), on(62), cc(64, 0, 480), off(62, 480)])
    assert holds(made) == [(0.0, 1.0), (0.5, 1.0)]  # the second outlasts the pedal: its key is still down


def test_pedal_and_the_same_key_again(tmp_path):
    made = song(tmp_path, [cc(64, 127), on(), off(60, 240), on(60, 240), off(60, 240), cc(64, 0, 480)])
    assert holds(made) == [(0.0, 0.5), (0.5, 0.75)]


def test_overlapping_notes_of_one_pitch_in_turn(tmp_path):
    made = song(tmp_path, [on(), on(60, 480), off(60, 480), off(60, 480)])
    assert holds(made) == [(0.0, 1.0), (0.5, 1.0)]


def test_each_track_releases_its_own_notes(tmp_path):
    made = song(tmp_path, [on(), off(60, 960)], [on(60, 240), off(60, 240)])
    assert [[round(n.seconds, 3) for n in part.notes] for part in made.parts] == [[1.0], [0.25]]


def test_note_on_of_velocity_nought_and_notes_of_no_length(tmp_path):
    made = song(tmp_path, [on(), on(60, 480, 0), on(62), off(62), on(64, 48), off(64, 480)])
    assert holds(made) == [(0.0, 0.5), (0.5, 0.02), (0.55, 0.5)]


def test_notes_without_end_stop_with_the_song(tmp_path):
    made = song(tmp_path, [on(), on(62, 480), off(62, 480)])
    assert holds(made) == [(0.0, 1.0), (0.5, 0.5)]
    assert "never released" in made.warnings[0]


def test_very_long_notes_are_cut(tmp_path):
    made = song(tmp_path, [on(), off(60, 480 * 600)])
    assert only(made).seconds == 120
    assert "longer than 120 s" in made.warnings[0]


@pytest.mark.parametrize(("control", "end"), [(120, 0.5), (121, 1.5), (123, 1.0)])
def test_all_off(tmp_path, control, end):
    """On the pedal: sound off ends all; notes off waits for the pedal; a reset lifts the pedal, not the key."""
    made = song(tmp_path, [cc(64, 127), on(), cc(control, 0, 480), cc(64, 0, 480), off(60, 480)])
    assert holds(made) == [(0.0, end)]


def test_program_changes_make_parts(tmp_path):
    made = song(
        tmp_path, [program(40), on(), off(60, 480), program(73), on(62), off(62, 480), program(40), on(), off(60, 480)]
    )
    assert [(part.program, len(part.notes)) for part in made.parts] == [(40, 2), (73, 1)]


def test_a_later_track_may_set_the_program(tmp_path):
    assert song(tmp_path, [on(), off(60, 480)], [program(19)]).parts[0].program == 19


def test_drums_apart(tmp_path):
    made = song(tmp_path, [on(), off(60, 480), on(36, channel=9), off(36, 480, channel=9)])
    assert [part.channel for part in made.parts] == [0]
    assert [part.channel for part in made.drums] == [9]


def test_bend_at_and_after_the_onset(tmp_path):
    made = song(
        tmp_path, [wheel(8191), on(), wheel(0, 480), wheel(-8192, 480), off(60, 480), wheel(4000), on(62), off(62, 480)]
    )
    first, second = made.parts[0].notes
    times, values = np.array(first.bend).T
    assert np.interp([0, 0.25, 0.5, 0.75, 1.0, 1.2], times, values) == pytest.approx([2, 2, 0, 0, -2, -2], abs=1e-9)
    assert second.bend == ((0.0, pytest.approx(2 * 4000 / 8191)),)


def test_dense_bends_are_a_line(tmp_path):
    glide = [wheel(round(8191 * i / 100), 9) for i in range(1, 101)]  # 0.94 s
    bend = np.array(only(song(tmp_path, [on(), *glide, off(60, 480)])).bend)
    at = np.linspace(0, 0.9, 50)
    assert np.interp(at, *bend.T) == pytest.approx(2 * at / 0.9375, abs=0.03)


def test_bend_range_by_rpn(tmp_path):
    twelve = [cc(101, 0), cc(100, 0), cc(6, 12), cc(38, 50), cc(101, 127), cc(100, 127), cc(6, 1)]
    assert only(song(tmp_path, [*twelve, wheel(8191), on(), off(60, 480)])).bend == ((0.0, 12.5),)
    other = [cc(101, 0), cc(100, 0), cc(99, 1), cc(6, 12)]  # an unregistered parameter came between
    assert only(song(tmp_path, [*other, wheel(8191), on(), off(60, 480)])).bend == ((0.0, 2.0),)


def test_no_bend_is_no_points(tmp_path):
    assert only(song(tmp_path, [wheel(0), on(), wheel(0, 240), off(60, 240)])).bend == ()


def test_gain_and_pan_steps(tmp_path):
    made = song(tmp_path, [cc(7, 127), cc(10, 0), on(), cc(11, 64, 480), cc(10, 127), off(60, 480)])
    (part,) = made.parts
    assert part.gain[1] == (0.0, 1.0)
    seconds, gain = part.gain[-1]
    assert (seconds, 20 * np.log10(gain)) == pytest.approx((0.5, 40 * np.log10(64 / 127)))
    assert part.pan == ((0.0, 0.0), (0.0, -1.0), (0.5, 1.0))


def test_ramps_end_on_their_steps():
    times, values = ramped(((0.0, 1.0), (1.0, 2.0), (1.002, 3.0)), 0.005)
    assert np.interp([0.5, 0.995, 0.9975, 1.0, 1.002, 2], times, values) == pytest.approx([1, 1, 1.5, 2, 3, 3])


def test_odd_but_common_files(tmp_path):
    """A RIFF wrapper, an alien chunk, a wrong track count, a key signature of eight flats: none of them matters."""
    song(tmp_path, [MetaMessage("key_signature", key="C"), on(), off(60, 480)])
    data = (tmp_path / "song.mid").read_bytes().replace(b"\xff\x59\x02\0\0", b"\xff\x59\x02\xf8\0")
    header, track = data[:10] + b"\0\7" + data[12:14], data[14:]
    odd = header + b"XFIH\0\0\0\3abc" + track
    (tmp_path / "odd.mid").write_bytes(
        b"RIFF" + struct.pack("<L", len(odd) + 12) + b"RMIDdata" + struct.pack("<L", len(odd)) + odd
    )
    assert only(read_midi(tmp_path / "odd.mid")).seconds == 0.5


def test_a_broken_track_is_left_out(tmp_path):
    song(tmp_path, [on(), off(60, 480)], [on(62), off(62, 480)])
    (tmp_path / "cut.mid").write_bytes((tmp_path / "song.mid").read_bytes()[:-7])
    made = read_midi(tmp_path / "cut.mid")
    assert only(made).pitch == 60
    assert "track 2" in made.warnings[0]


def refusal(path: Path) -> str:
    with pytest.raises(AntiphonError) as caught:
        read_midi(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refusals(tmp_path):
    path = tmp_path / "x.mid"
    assert "No such file" in refusal(path)
    assert "cannot read" in refusal(tmp_path)
    for data, words in [(b"", "empty"), (b"hello" * 99, "not a MIDI file"), (b"MThd", "not a MIDI file")]:
        path.write_bytes(data)
        assert words in refusal(path)
    good = SONG.read_bytes()
    for data, words in [
        (good[:8] + b"\0\2" + good[10:], "type 2"),
        (good[:8] + b"\0\x09" + good[10:], "broken"),
        (good[:12] + b"\0\0" + good[14:], "unit of time"),
        (good[:14], "no notes"),
        (good + b"\xff" * 5000, "broken"),
        (good + b"\0" * (8 << 20), "larger than"),
    ]:
        path.write_bytes(data)
        assert words in refusal(path)


def test_limits_in_words(tmp_path):
    with pytest.raises(AntiphonError, match="longer than 2 hours"):
        song(tmp_path, [on(), off(60, 480), on(60, (1 << 28) - 1), off(60, 480)])
    body = b"\0\x90\x3c\x40" + b"\xff" * 400 + b"\x7f\x80\x3c\x40"  # a tick count beyond floats
    (tmp_path / "year.mid").write_bytes(struct.pack(">4sLHHH4sL", b"MThd", 6, 0, 1, 480, b"MTrk", len(body)) + body)
    assert "longer than 2 hours" in refusal(tmp_path / "year.mid")
    with pytest.raises(AntiphonError, match="no notes"):
        song(tmp_path, [cc(7, 100), MetaMessage("lyrics", text="la")])
    bends = [wheel(100 * (i % 2), 10) for i in range(4000)]
    with pytest.raises(AntiphonError, match="bends too many"):
        song(tmp_path, [*(on(n) for n in range(128)), *bends, off(60)])


def test_bundled_songs_are_what_the_script_writes(tmp_path, monkeypatch):
    import runpy

    made = runpy.run_path(str(ROOT / "examples/make_song.py"))
    for name, tune in [("antiphon/songs/antiphon.mid", "antiphon"), ("benchmarks/songs/dense.mid", "dense")]:
        made["save"](tmp_path / "again.mid", tune.title(), *made[tune]())
        assert (tmp_path / "again.mid").read_bytes() == (ROOT / name).read_bytes()
    example, dense = read_midi(SONG), read_midi(ROOT / "benchmarks/songs/dense.mid")
    assert example.seconds > 40
    assert len({part.program for part in example.parts}) >= 5
    assert sum(len(part.notes) for part in dense.parts) >= 4000
    assert len(dense.parts) == 8
    assert not example.warnings + dense.warnings


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 9), st.lists(st.tuples(st.integers(0, 7000), st.integers(1, 255)), max_size=30), st.integers(0, 8000)
)
def test_damaged_files(tmp_path, kind, flips, length):
    """Cut and bit-flipped files: a song within the limits, or one line."""
    data = bytearray(SONG.read_bytes())
    if kind < 5:
        data = data[:length]
    for place, flip in flips:
        data[place % max(len(data), 1) : place % max(len(data), 1) + 1] = bytes([flip])
    check(tmp_path / "damaged.mid", bytes(data))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_as_a_track(tmp_path, body):
    check(tmp_path / "any.mid", struct.pack(">4sLHHH4sL", b"MThd", 6, 1, 1, 96, b"MTrk", len(body)) + body)


def check(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    start = time.perf_counter()
    try:
        made = read_midi(path)
    except AntiphonError as error:
        assert "\n" not in str(error)  # noqa: PT017
        made = Song(())
    assert time.perf_counter() - start < 2
    assert made.seconds <= 2 * 3600 + 120
    for part in made.parts + made.drums:
        assert 0 <= part.program <= 127
        for note in part.notes:
            assert 0 < note.seconds < 120.001
            assert 0 <= note.pitch <= 127
            assert 1 <= note.velocity <= 127
            assert list(note.bend) == sorted(note.bend, key=lambda point: point[0])
