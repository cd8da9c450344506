"""read_midi: what a MIDI file means, and that no file breaks it."""

import struct
import time
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mido import MetaMessage
from tunes import cc, off, on, program, raw, save, wheel

from antiphon.core.errors import AntiphonError
from antiphon.music.midi import read_midi
from antiphon.music.smf import TEMPO, read_smf
from antiphon.music.song import Curve, Notes, Song, SongNote

ROOT = Path(__file__).resolve().parent.parent
SONG = ROOT / "antiphon/music/songs/antiphon.mid"


def song(tmp_path: Path, *tracks, **how) -> Song:
    """The song made of these tracks of messages; 480 ticks are half a second."""
    return read_midi(save(tmp_path / "song.mid", *tracks, **how))


def only(song: Song) -> SongNote:
    (part,) = song.parts
    (note,) = part.notes
    return note


def holds(song: Song) -> list[tuple[float, float]]:
    """(onset, seconds) of all notes of a song of one part, to the millisecond."""
    (part,) = song.parts
    return [(round(note.onset, 3), round(note.seconds, 3)) for note in part.notes]


@given(
    st.lists(st.tuples(st.floats(0, 7200), st.floats(0.02, 120), st.floats(0, 127), st.integers(1, 127)), max_size=9)
)
def test_a_table_of_notes_is_the_notes(fields):
    notes, table = [SongNote(*each) for each in fields], Notes(fields)
    assert list(table) == notes
    assert [table[i - len(notes)] for i in range(len(notes))] == notes
    assert list(table[1:-1]) == notes[1:-1]
    assert bool(table) == bool(notes)
    with pytest.raises(IndexError):
        table[len(notes)]


# ---- bytes to events -------------------------------------------------------------------------------------------------


def channel_messages():
    byte = st.integers(0, 127)
    two = st.tuples(st.sampled_from(["note_on", "note_off"]), st.integers(0, 15), byte, byte)
    return st.lists(st.tuples(st.integers(0, (1 << 28) - 1), two), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(channel_messages(), st.integers(1, 0xFFFFFF))
@example([(0, ("note_on", 0, 0, 0))], 1)
def test_events_are_what_mido_wrote(tmp_path, drawn, tempo):
    """mido's encoder as the reference, any numbers and channels, running status or not."""
    messages = [mido.Message(kind, time=at, channel=c, note=a, velocity=b) for at, (kind, c, a, b) in drawn]
    messages.insert(len(messages) // 2, MetaMessage("set_tempo", tempo=tempo, time=7))
    (track,) = read_smf(save(tmp_path / "a.mid", messages)).tracks
    ticks = np.cumsum([message.time for message in messages]).tolist()
    expected = [
        (tick, TEMPO, m.tempo, 0) if m.is_meta else (tick, *m.bytes()) for tick, m in zip(ticks, messages, strict=True)
    ]
    assert [tuple(event) for event in track.events] == expected
    assert (track.end, track.whole) == (ticks[-1], True)


def test_real_songs_as_mido_reads_them():
    for path in (SONG, ROOT / "benchmarks/songs/dense.mid"):
        for mine, theirs in zip(read_smf(path).tracks, mido.MidiFile(path).tracks, strict=True):
            ticks = np.cumsum([m.time for m in theirs]).tolist()
            expected = [(t, *m.bytes()) for t, m in zip(ticks, theirs, strict=True) if not m.is_meta]
            assert [(e.tick, *e[1:][: len(x) - 1]) for e, x in zip(
                [e for e in mine.events if e.status != TEMPO], expected, strict=True)] == expected  # fmt: skip
            assert mine.name == theirs.name
            assert mine.end == ticks[-1]


# ---- events to songs -------------------------------------------------------------------------------------------------


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
    assert only(read_midi(path)) == SongNote(1.0, 0.5, 60, 127)


def test_pedal(tmp_path):
    made = song(tmp_path, [cc(64, 127), on(60), off(60, 480), on(62), cc(64, 0, 480), off(62, 480)])
    assert holds(made) == [(0.0, 1.0), (0.5, 1.0)]  # the second outlasts the pedal: its key is still down


def test_pedal_and_the_same_key_again(tmp_path):
    made = song(tmp_path, [cc(64, 127), on(60), off(60, 240), on(60, 240), off(60, 240), cc(64, 0, 480)])
    assert holds(made) == [(0.0, 0.5), (0.5, 0.75)]


def test_overlapping_notes_of_one_pitch_in_turn(tmp_path):
    made = song(tmp_path, [on(60), on(60, 480), off(60, 480), off(60, 480)])
    assert holds(made) == [(0.0, 1.0), (0.5, 1.0)]


def test_each_track_releases_its_own_notes(tmp_path):
    made = song(tmp_path, [on(60), off(60, 960)], [on(60, 240), off(60, 240)])
    assert [[round(n.seconds, 3) for n in part.notes] for part in made.parts] == [[1.0], [0.25]]


def test_note_on_of_velocity_nought_and_notes_of_no_length(tmp_path):
    made = song(tmp_path, [on(60), on(60, 480, 0), on(62), off(62), on(64, 48), off(64, 480)])
    assert holds(made) == [(0.0, 0.5), (0.5, 0.02), (0.55, 0.5)]


def test_notes_without_end_stop_with_the_song(tmp_path):
    made = song(tmp_path, [on(60), on(62, 480), off(62, 480)])
    assert holds(made) == [(0.0, 1.0), (0.5, 0.5)]
    assert "never released" in made.warnings[0]


def test_a_last_chord_without_end_rings(tmp_path):
    made = song(tmp_path, [on(48), off(48, 480), on(60), on(64)])
    assert holds(made) == [(0.0, 0.5), (0.5, 1.0), (0.5, 1.0)]
    assert "never released" in made.warnings[0]


def test_very_long_notes_are_cut(tmp_path):
    made = song(tmp_path, [on(60), off(60, 480 * 600)])
    assert only(made).seconds == 120
    assert "longer than 120 s" in made.warnings[0]


@pytest.mark.parametrize(("control", "end"), [(120, 0.5), (121, 1.5), (123, 1.0)])
def test_all_off(tmp_path, control, end):
    """On the pedal: sound off ends all; notes off waits for the pedal; a reset lifts the pedal, not the key."""
    made = song(tmp_path, [cc(64, 127), on(60), cc(control, 0, 480), cc(64, 0, 480), off(60, 480)])
    assert holds(made) == [(0.0, end)]


def test_program_changes_make_parts(tmp_path):
    made = song(
        tmp_path,
        [program(40), on(60), off(60, 480), program(73), on(62), off(62, 480), program(40), on(60), off(60, 480)],
    )
    assert [(part.program, len(part.notes)) for part in made.parts] == [(40, 2), (73, 1)]


def test_a_later_track_may_set_the_program(tmp_path):
    assert song(tmp_path, [on(60), off(60, 480)], [program(19)]).parts[0].program == 19


def test_drums_apart(tmp_path):
    made = song(tmp_path, [on(60), off(60, 480), on(36, channel=9), off(36, 480, channel=9)])
    assert [part.channel for part in made.parts] == [0]
    assert [part.channel for part in made.drums] == [9]


def test_bend_range_by_rpn(tmp_path):
    twelve = [cc(101, 0), cc(100, 0), cc(6, 12), cc(38, 50), cc(101, 127), cc(100, 127), cc(6, 1)]
    made = song(tmp_path, [*twelve, wheel(8191), on(60), off(60, 480)])
    assert made.parts[0].bend[-1] == (0.0, 12.5)


def test_controllers_at_rest_are_one_step(tmp_path):
    (part,) = song(tmp_path, [wheel(0), cc(1, 0), cc(7, 100), on(60), wheel(0, 240), off(60, 240)]).parts
    assert len(part.bend) == len(part.vibrato) == len(part.gain) == 1
    assert part.cuts == ()


def test_gain_and_pan_steps(tmp_path):
    made = song(tmp_path, [cc(7, 127), cc(10, 0), on(60), cc(11, 64, 480), cc(10, 127), off(60, 480)])
    (part,) = made.parts
    assert part.gain[1] == (0.0, 1.0)
    seconds, gain = part.gain[-1]
    assert (seconds, 20 * np.log10(gain)) == pytest.approx((0.5, 40 * np.log10(64 / 127)))
    assert list(part.pan) == [(0.0, 0.0), (0.0, -1.0), (0.5, 1.0)]


def test_ramps_end_on_their_steps():
    curve = Curve(((0.0, 1.0), (1.0, 2.0), (1.002, 3.0)), 0.005)
    assert curve.at(np.array([0.5, 0.995, 0.9975, 1.0, 1.002, 2])) == pytest.approx([1, 1, 1.5, 2, 3, 3])
    assert (curve.constant(0, 0.9), curve.constant(0.9, 1.1), curve.constant(1.1, 9)) == (1, None, 3)
    assert curve.breaks(0.999, 1.1).tolist() == [1.0, 1.002]


def test_odd_but_common_files(tmp_path):
    """A RIFF wrapper, an unknown chunk, a count of fewer tracks than there are, a key signature of eight flats: none of
    them matters."""
    song(tmp_path, [MetaMessage("key_signature", key="C"), on(60), off(60, 480)])
    data = (tmp_path / "song.mid").read_bytes().replace(b"\xff\x59\x02\0\0", b"\xff\x59\x02\xf8\0")
    header, track = data[:10] + b"\0\0" + data[12:14], data[14:]
    odd = header + b"XFIH\0\0\0\3abc" + track
    (tmp_path / "odd.mid").write_bytes(
        b"RIFF" + struct.pack("<L", len(odd) + 12) + b"RMIDdata" + struct.pack("<L", len(odd)) + odd
    )
    made = read_midi(tmp_path / "odd.mid")
    assert only(made).seconds == 0.5
    assert not made.warnings


def test_a_damaged_track_is_played_as_far_as_it_goes(tmp_path):
    song(tmp_path, [on(60), off(60, 480)], [on(62), off(62, 480), on(64), off(64, 480)])
    (tmp_path / "cut.mid").write_bytes((tmp_path / "song.mid").read_bytes()[:-7])
    made = read_midi(tmp_path / "cut.mid")
    assert [[note.pitch for note in part.notes] for part in made.parts] == [[60], [62, 64]]
    assert "track 2" in made.warnings[0]
    lost = raw(tmp_path / "lost.mid", b"\0\x90\x3c\x40\x83\x60\x80\x3c\0", b"\0\x3c\x40")  # no status to run on
    assert only(read_midi(lost)).pitch == 60


def rewritten(tmp_path, sizes: dict[int, int] | None = None, between: bytes = b"") -> Path:
    """Three tracks of one note each, some with wrong lengths, and bytes between the chunks."""
    path = save(tmp_path / "three.mid", *([on(60 + n), off(60 + n, 480)] for n in range(3)))
    head, *bodies = path.read_bytes().split(b"MTrk")
    for n, size in (sizes or {}).items():
        bodies[n] = struct.pack(">L", max(len(bodies[n]) - 4 + size, 0) & 0xFFFFFFFF) + bodies[n][4:]
    path.write_bytes(head + between + between.join(b"MTrk" + body for body in bodies))
    return path


@pytest.mark.parametrize("sizes", [{0: 4}, {0: -3}, {0: 1 << 31}, {1: -99}, {n: -99 for n in range(3)}, {2: 500}])
def test_no_track_is_lost_to_a_wrong_length(tmp_path, sizes):
    made = read_midi(rewritten(tmp_path, sizes))
    assert [[note.pitch for note in part.notes] for part in made.parts] == [[60], [61], [62]]
    assert all(str(n + 1) in made.warnings[0] for n in sizes)
    assert "damaged" in made.warnings[0]


def test_bytes_between_tracks_do_no_harm(tmp_path):
    made = read_midi(rewritten(tmp_path, between=b"\0\0\0"))
    assert len(made.parts) == 3
    assert not made.warnings


def test_tracks_that_are_not_there_are_missed(tmp_path):
    data = rewritten(tmp_path).read_bytes()
    for broken in (data[: data.rindex(b"MTrk")], data[: data.rindex(b"MTrk") + 6], data.replace(b"MTrk", b"MTrx", 1)):
        (tmp_path / "less.mid").write_bytes(broken)
        made = read_midi(tmp_path / "less.mid")
        assert len(made.parts) == 2
        assert "should have 3 tracks: only 2" in made.warnings[0]


def notes_of(song: Song) -> int:
    return sum(len(part.notes) for part in song.parts + song.drums)


def test_a_file_cut_anywhere_says_so(tmp_path):
    """All notes, a note about what is lost, or a refusal."""
    long = SONG.read_bytes()
    edges = {at + k for at in range(len(long)) if long[at : at + 4] == b"MTrk" for k in range(-6, 10)}
    for path, places in ((rewritten(tmp_path), None), (SONG, sorted(edges | set(range(14, len(long), 997))))):
        data, every = path.read_bytes(), notes_of(read_midi(path))
        for place in places or range(len(data)):
            (tmp_path / "cut.mid").write_bytes(data[:place])
            try:
                made = read_midi(tmp_path / "cut.mid")
            except AntiphonError:
                continue
            assert made.warnings or notes_of(made) == every


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
        (good[:8] + b"\0\x09" + good[10:], "broken"),
        (good[:12] + b"\0\0" + good[14:], "unit of time"),
        (good[:14], "broken"),
        (good + b"\0" * (8 << 20), "larger than"),
    ]:
        path.write_bytes(data)
        assert words in refusal(path)


def test_limits_in_words(tmp_path):
    with pytest.raises(AntiphonError, match="longer than 2 hours"):
        song(tmp_path, [m for _ in range(400) for m in [on(60), off(60, 480 * 40)]])
    with pytest.raises(AntiphonError, match="no notes"):
        song(tmp_path, [cc(7, 100), MetaMessage("lyrics", text="la")])
    with pytest.raises(AntiphonError, match="broken MIDI file"):
        read_midi(raw(tmp_path / "endless.mid", b"\xff" * 5000))
    with pytest.raises(AntiphonError, match="hours of notes"):
        song(tmp_path, [m for n in range(128) for m in [on(n)] * 70] + [off(1, 480 * 2 * 119)])


def test_bundled_songs_are_what_the_script_writes(tmp_path, monkeypatch):
    import runpy

    made = runpy.run_path(str(ROOT / "examples/make_song.py"))
    for name, tune in [("antiphon/music/songs/antiphon.mid", "antiphon"), ("benchmarks/songs/dense.mid", "dense")]:
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
    start = time.process_time()
    try:
        made = read_midi(path)
    except AntiphonError as error:
        assert "\n" not in str(error)  # noqa: PT017
        made = Song(())
    assert time.process_time() - start < 2
    assert made.seconds <= 2 * 3600 + 120
    for part in made.parts + made.drums:
        assert 0 <= part.program <= 127
        for steps in (part.gain, part.pan, part.bend, part.vibrato):
            assert steps[0][0] == 0
            assert list(steps) == sorted(steps, key=lambda step: step[0])
        for note in part.notes:
            assert 0 < note.seconds < 120.001
            assert 0 <= note.pitch <= 127
            assert 1 <= note.velocity <= 127
