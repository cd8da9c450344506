"""One small MIDI file for each thing that files in the wild do, and what it must sound like.

A note of velocity 127 at the default volume, in the centre, has the amplitude LOUD when both channels are added.
"""

import struct

import numpy as np
import pytest
from mido import Message, MetaMessage
from tunes import (
    FULL,
    RATE,
    SineVoice,
    cc,
    heard,
    instantaneous,
    level,
    mixed,
    note,
    off,
    on,
    pitch,
    program,
    raw,
    rpn,
    save,
    sounding,
    tone,
    wheel,
)

from antiphon.music.midi import read_midi

LOUD = FULL * 2 * 0.5**0.5
MS3 = 0.003


@pytest.fixture
def hear(tmp_path):
    """The mix of a file of these tracks, before the master."""
    return lambda *tracks, release=0.0, **how: heard(save(tmp_path / "song.mid", *tracks, **how), SineVoice(release))


@pytest.fixture
def hear_raw(tmp_path):
    return lambda *bodies, **how: heard(raw(tmp_path / "raw.mid", *bodies, **how))


def spans(sound):
    return [pytest.approx(span, abs=MS3) for span in sounding(sound)]


# ---- files and time --------------------------------------------------------------------------------------------------


def test_type_0_with_several_channels(hear):
    sound = hear([*note(69, channel=0), *note(76, channel=1), *note(81, channel=2)], kind=0)
    assert [pitch(sound, 0.5 * i, 0.5 * i + 0.5) for i in range(3)] == pytest.approx([69, 76, 81], abs=0.03)


def test_type_1_tracks_side_by_side(hear):
    sound = hear([*note(60, 960)], [on(72, 480, channel=1), off(72, 480, channel=1)])
    assert tone(sound, 60, 0.05, 0.95) == pytest.approx(LOUD, rel=0.02)
    assert tone(sound, 72, 0.05, 0.45) < 0.01 * LOUD
    assert tone(sound, 72, 0.55, 0.95) == pytest.approx(LOUD, rel=0.02)


def test_type_2_patterns_one_after_another(hear):
    """Each pattern has its own tempo and begins with controllers at rest."""
    fast = MetaMessage("set_tempo", tempo=250_000)
    sound = hear([fast, wheel(8191), *note(60), on(60), off(60, 480)], [*note(72, 960)], [fast, *note(64)], kind=2)
    found = [pitch(sound, *span) for span in [(0, 0.25), (0.55, 1.45), (1.5, 1.75)]]
    assert found == pytest.approx([62, 72, 64], abs=0.06)
    assert sounding(sound)[0] == pytest.approx((0, 1.75), abs=MS3)


def test_running_status(hear_raw):
    body = b"\0\x90\x45\x7f\x83\x60\x45\0\0\x48\x7f\x83\x60\x48\0\0\xff\x2f\0"  # one status byte, four events
    sound = hear_raw(body)
    assert (pitch(sound, 0, 0.5), pitch(sound, 0.5, 1)) == pytest.approx((69, 72), abs=0.03)


def test_running_status_goes_on_after_meta_events_and_sysex(hear_raw):
    between = b"\0\xff\x01\x03abc" + b"\0\xf0\x05\x7e\x7f\x09\x01\xf7"
    sound = hear_raw(
        b"\0\x90\x45\x7f" + between + b"\x83\x60\x45\0\0\x48\x7f" + between + b"\x83\x60\x48\0\0\xff\x2f\0"
    )
    assert spans(sound) == [(0, 1)]
    assert pitch(sound, 0.5, 1) == pytest.approx(72, abs=0.03)


@pytest.mark.parametrize(("frames", "rate"), [(24, 24), (25, 25), (29, 30 / 1.001), (30, 30)])
def test_smpte_time(hear_raw, frames, rate):
    """Ticks are 1/40 of a frame, and tempo is ignored."""
    body = b"\0\xff\x51\x03\x0f\x42\x40" + b"\x87\x68\x90\x45\x7f\x83\x74\x80\x45\0\0\xff\x2f\0"  # 1000 ticks, 500
    sound = hear_raw(body, division=(256 - frames) << 8 | 40)
    assert spans(sound) == [(1000 / 40 / rate, 1500 / 40 / rate)]


def test_tempo_changes_in_another_track_and_within_a_note(hear):
    slow, fast = MetaMessage("set_tempo", tempo=1_000_000), MetaMessage("set_tempo", tempo=250_000, time=960)
    sound = hear([on(69, 480), off(69, 960), on(72, 480), off(72, 480)], [slow, fast])
    assert spans(sound) == [(1.0, 2.25), (2.5, 2.75)]


def test_a_slowing_down_of_many_tempi(hear):
    tempi = [MetaMessage("set_tempo", tempo=500_000 + 5000 * i, time=48 if i else 0) for i in range(100)]
    sound = hear(tempi, [on(69, 4800), off(69, 480)])
    start = 4800 / 480 * 0.5 + 48 / 480 * 0.005 * sum(range(100))
    assert sounding(sound)[0][0] == pytest.approx(start, abs=MS3)


def test_meta_events_anywhere(hear):
    odd = [MetaMessage("lyrics", text="la"), MetaMessage("marker", text="B"), MetaMessage("time_signature"),
           MetaMessage("key_signature", key="C"), MetaMessage("sequencer_specific", data=(1, 2)),
           MetaMessage("smpte_offset"), MetaMessage("copyright", text="\xa9")]  # fmt: skip
    sound = hear([*odd, on(69), *odd, off(69, 480), *odd, on(72, 240), MetaMessage("text", text="", time=240), off(72)])
    assert spans(sound) == [(0, 0.5), (0.75, 1.0)]


def test_a_track_without_its_end(hear_raw):
    sound = hear_raw(b"\0\x90\x45\x7f\x83\x60\x80\x45\0")
    assert spans(sound) == [(0, 0.5)]


def test_a_track_cut_in_the_middle_of_an_event(tmp_path):
    path = raw(tmp_path / "cut.mid", b"\0\x90\x45\x7f\x83\x60\x80\x45\0\0\x90\x48\x7f\x83\x60\x80")
    song = read_midi(path)
    assert any("track 1" in text and "cut short" in text for text in song.warnings)
    assert pitch(mixed(song), 0, 0.5) == pytest.approx(69, abs=0.03)


def test_a_riff_wrapper_alien_chunks_and_a_wrong_track_count(tmp_path):
    data = save(tmp_path / "a.mid", note(69)).read_bytes()
    odd = data[:10] + b"\0\7" + data[12:14] + b"XFIH\0\0\0\3abc" + data[14:]
    wrapped = b"RIFF" + struct.pack("<L", len(odd) + 12) + b"RMIDdata" + struct.pack("<L", len(odd)) + odd
    (tmp_path / "odd.mid").write_bytes(wrapped)
    assert spans(heard(tmp_path / "odd.mid")) == [(0, 0.5)]


def test_a_long_silence(hear):
    sound = hear([*note(69), on(72, 480 * 100), off(72, 480)])
    assert spans(sound) == [(0, 0.5), (50.5, 51.0)]


# ---- notes -----------------------------------------------------------------------------------------------------------


def test_velocity_is_loudness(hear):
    sound = hear([*note(velocity=127), *note(velocity=64), *note(velocity=1)])
    levels = [tone(sound, 69, 0.5 * i, 0.5 * i + 0.5) for i in range(3)]
    assert levels == pytest.approx([LOUD, LOUD * 64 / 127, LOUD / 127], rel=0.02)


def test_a_note_on_of_velocity_nought_is_a_note_off(hear):
    assert spans(hear([on(), on(69, 480, 0), on(72, 480), off(72, 480)])) == [(0, 0.5), (1, 1.5)]


def test_a_note_of_no_length_is_heard(hear):
    assert spans(hear([on(69, 480), off(69), on(72, 480), off(72, 480)])) == [(0.5, 0.52), (1.0, 1.5)]


def test_overlapping_notes_of_one_key(hear):
    """First in, first out: 0-1 s and 0.5-1.5 s."""
    sound = hear([on(), on(69, 480), off(69, 480), off(69, 480)])
    levels = [tone(sound, 69, start, start + 0.4) for start in (0.05, 0.55, 1.05)]
    assert levels == pytest.approx([LOUD, 2 * LOUD, LOUD], rel=0.02)
    assert spans(sound) == [(0, 1.5)]


def test_two_tracks_on_one_channel_release_their_own_notes(hear):
    sound = hear([on(), off(69, 960)], [on(69, 240), off(69, 240)])
    assert spans(sound) == [(0, 1.0)]
    assert tone(sound, 69, 0.3, 0.45) == pytest.approx(2 * LOUD, rel=0.02)


def test_a_note_never_released_stops_with_the_song(tmp_path):
    song = read_midi(save(tmp_path / "a.mid", [on(), on(72, 480), off(72, 480), MetaMessage("end_of_track", time=480)]))
    assert any("never released" in text for text in song.warnings)
    assert spans(mixed(song)) == [(0, 1.5)]


def test_the_lowest_and_the_highest_key(hear):
    sound = hear([*note(21, 960), *note(108, 960), *note(127, 960), *note(0, 960)])
    found = [pitch(sound, i, i + 1) for i in range(4)]
    assert found == pytest.approx([21, 108, 127, 0], abs=0.2)


# ---- pedals ----------------------------------------------------------------------------------------------------------


def test_sustain(hear):
    """The first note lasts until the pedal is lifted, the second until its own key is."""
    sound = hear([cc(64, 127), on(60), off(60, 480), on(72), cc(64, 0, 480), off(72, 480)])
    assert tone(sound, 60, 0.55, 0.95) == pytest.approx(LOUD, rel=0.02)
    assert tone(sound, 60, 1.05, 1.45) < 0.01 * LOUD
    assert spans(sound) == [(0, 1.5)]


def test_a_key_struck_again_on_the_pedal_ends_its_old_note(hear):
    sound = hear([cc(64, 64), on(), off(69, 240), on(69, 240), off(69, 240), cc(64, 63, 480)])
    assert tone(sound, 69, 0.55, 1.2) == pytest.approx(LOUD, rel=0.02)
    assert spans(sound) == [(0, 1.25)]


def test_sostenuto_holds_only_the_keys_that_were_down(hear):
    sound = hear([on(60), cc(66, 127, 240), off(60, 240), on(72), off(72, 480), cc(66, 0, 480)])
    assert tone(sound, 60, 0.55, 1.45) == pytest.approx(LOUD, rel=0.02)
    assert tone(sound, 72, 1.05, 1.45) < 0.01 * LOUD
    assert spans(sound) == [(0, 1.5)]


def test_sostenuto_below_sustain(hear):
    """Both pedals: sustain goes up at 1 s and leaves what sostenuto caught, which ends at 1.5 s."""
    sound = hear([on(60), cc(66, 127), cc(64, 127), off(60, 240), on(72), off(72, 240), cc(64, 0, 480), cc(66, 0, 480)])
    assert tone(sound, 72, 0.55, 0.95) == pytest.approx(LOUD, rel=0.02)
    assert tone(sound, 72, 1.05, 1.45) < 0.01 * LOUD
    assert spans(sound) == [(0, 1.5)]


def test_the_soft_pedal(hear):
    sound = hear([*note(), cc(67, 127), *note(), cc(67, 0), *note()])
    levels = [tone(sound, 69, 0.5 * i, 0.5 * i + 0.5) / LOUD for i in range(3)]
    assert levels == pytest.approx([1, 85 / 127, 1], rel=0.02)


# ---- pitch -----------------------------------------------------------------------------------------------------------


def test_the_wheel_reaches_two_semitones(hear):
    sound = hear([wheel(8191), *note(), wheel(-8192), *note(), wheel(4096), *note(), wheel(0), *note()])
    found = [pitch(sound, 0.5 * i + 0.05, 0.5 * i + 0.45) for i in range(4)]
    assert found == pytest.approx([71, 67, 70, 69], abs=0.03)


def test_a_bend_within_a_note(hear):
    glide = [wheel(round(8191 * i / 48), 10) for i in range(49)]  # half a second
    found = instantaneous(hear([on(), *glide, off(69, 480)]))
    at = np.linspace(0.05, 0.45, 20)
    assert found[(at * RATE).astype(int)] == pytest.approx(69 + 2 * at / 0.5, abs=0.06)
    assert found[int(0.7 * RATE)] == pytest.approx(71, abs=0.01)


def test_the_wheels_range_by_rpn(hear):
    sound = hear([*rpn(0, 12, 50), wheel(8191), *note()])
    assert pitch(sound, 0.05, 0.45) == pytest.approx(81.5, abs=0.03)


def test_the_range_changes_while_the_wheel_is_turned(hear):
    sound = hear([wheel(8191), on(), *[cc(101, 0, 480), cc(100, 0), cc(6, 7)], off(69, 480)])
    assert (pitch(sound, 0, 0.45), pitch(sound, 0.55, 1)) == pytest.approx((71, 76), abs=0.03)


def test_increments_of_a_parameter_in_hand(hear):
    """RP-018: a cent each for the bend range, a semitone for the coarse tuning."""
    cents = [cc(101, 0), cc(100, 0), *[cc(96, 0)] * 50, cc(97, 127)]
    assert pitch(hear([*cents, wheel(8191), *note()]), 0.05, 0.45) == pytest.approx(71.49, abs=0.01)
    semitones = [cc(101, 0), cc(100, 2), *[cc(97, 0)] * 3]
    assert pitch(hear([*semitones, *note()]), 0.05, 0.45) == pytest.approx(66, abs=0.01)
    assert pitch(hear([cc(101, 127), cc(100, 127), cc(96, 0), *note()]), 0.05, 0.45) == pytest.approx(69, abs=0.01)


def test_each_port_has_sixteen_channels_of_its_own(hear):
    """Two tracks on channel 1 of two ports: the program, volume and pedal of one do not touch the other."""
    port = MetaMessage("midi_port", port=1)
    sound = hear(
        [program(0), cc(7, 100), *note(69)],
        [port, program(40), cc(7, 20), cc(64, 127), wheel(8191), on(50, 960), off(50, 480)],
    )
    assert pitch(sound, 0.05, 0.45) == pytest.approx(69, abs=0.01)
    assert level(sound, 0.1, 0.4).sum() == pytest.approx(LOUD, rel=0.02)
    assert sounding(sound)[0][1] < 0.6


def test_unregistered_parameters_leave_the_range_alone(hear):
    sound = hear([cc(101, 0), cc(100, 0), cc(99, 1), cc(98, 8), cc(6, 12), wheel(8191), *note()])
    assert pitch(sound, 0.05, 0.45) == pytest.approx(71, abs=0.03)


def test_fine_and_coarse_tuning(hear):
    sound = hear([*rpn(1, 96, 0), *note(), *rpn(2, 61), *note(), *rpn(1, 64, 0), *note()])
    found = [pitch(sound, 0.5 * i, 0.5 * i + 0.5) for i in range(3)]
    assert found == pytest.approx([69.5, 66.5, 66], abs=0.03)


def vibrato(sound, start, stop):
    """(depth in semitones, Hz, mean) of a single tone's pitch."""
    found = instantaneous(sound)[round(start * RATE) : round(stop * RATE)]
    spectrum = np.abs(np.fft.rfft((found - found.mean()) * np.hanning(len(found)), 1 << 20))
    return np.ptp(found) / 2, np.argmax(spectrum) * RATE / (1 << 20), found.mean()


def test_modulation_is_vibrato(hear):
    sound = hear([cc(1, 127), *note(time=1920), cc(1, 64), *note(time=1920), cc(1, 0), *note(time=480)])
    assert vibrato(sound, 0.2, 1.8) == pytest.approx((0.5, 5.5, 69), rel=0.06, abs=0.03)
    assert vibrato(sound, 2.2, 3.8) == pytest.approx((0.25, 5.5, 69), rel=0.06, abs=0.03)
    assert vibrato(sound, 4.05, 4.45)[0] < 0.005


def test_modulation_comes_within_a_note(hear):
    sound = hear([on(), cc(1, 127, 960), off(69, 1920)])
    assert vibrato(sound, 0.1, 0.9)[0] < 0.005
    assert vibrato(sound, 1.2, 2.8)[0] == pytest.approx(0.5, rel=0.06)


def test_modulation_depth_by_rpn(hear):
    sound = hear([*rpn(5, 1, 0), cc(1, 127), *note(time=1920)])
    assert vibrato(sound, 0.2, 1.8)[0] == pytest.approx(1, rel=0.06)


# ---- level and place -------------------------------------------------------------------------------------------------


def test_volume(hear):
    sound = hear([*note(), cc(7, 127), *note(), cc(7, 50), *note(), cc(7, 0), *note()])
    levels = [tone(sound, 69, 0.5 * i + 0.02, 0.5 * i + 0.48) / LOUD for i in range(4)]
    assert levels == pytest.approx([1, (127 / 100) ** 2, 0.25, 0], rel=0.02, abs=1e-4)


def test_an_expression_swell(hear):
    """40 log10 of the controller, in steps of 10 ms that are heard as a line."""
    rise = [cc(11, i, 5 if i else 0) for i in range(128)]
    sound = hear([cc(11, 0), on(), *rise, off(69, 960)])
    for value in (32, 64, 96, 127):
        middle = value * 5 / 960
        expected = LOUD * (value / 127) ** 2
        assert level(sound, middle - 0.005, middle + 0.005).sum() / 2**0.5 == pytest.approx(expected / 2**0.5, rel=0.1)
    steps = np.abs(np.diff(sound[: int(1.0 * RATE)], axis=0)).max()
    assert steps < 1.2 * LOUD * 2 * np.pi * 440 / RATE  # no clicks


def test_pan(hear):
    sound = hear([cc(10, 0), *note(), cc(10, 64), *note(), cc(10, 127), *note(), cc(10, 96), *note()])
    found = [level(sound, 0.5 * i + 0.02, 0.5 * i + 0.48) / FULL for i in range(4)]
    angle = (32 / 63 + 1) * np.pi / 4
    expected = [(1, 0), (0.5**0.5, 0.5**0.5), (0, 1), (np.cos(angle), np.sin(angle))]
    assert np.array(found) == pytest.approx(np.array(expected), abs=0.01)


def test_pan_moves_within_a_note(hear):
    sound = hear([cc(10, 0), on(), cc(10, 127, 480), off(69, 480)])
    assert np.array([level(sound, 0.05, 0.45), level(sound, 0.51, 0.95)]) / FULL == pytest.approx(np.eye(2), abs=0.01)


# ---- channel modes, programs, what is ignored ------------------------------------------------------------------------


def test_all_notes_off_waits_for_the_pedal(hear):
    assert spans(hear([on(), cc(123, 0, 480), off(69, 480)])) == [(0, 0.5)]
    assert spans(hear([cc(64, 127), on(), cc(123, 0, 480), cc(64, 0, 480)])) == [(0, 1.0)]


def test_all_sound_off_silences_releases_too(hear):
    sound = hear([cc(64, 127), *note(60), on(), cc(120, 0, 480), on(72, 480), off(72, 480)], release=2.0)
    assert spans(sound) == [(0, 1.005), (1.5, 4.0)]


def test_reset_all_controllers(hear):
    """Wheel, modulation, expression and pedals return; volume and pan stay (RP-015)."""
    moved = [cc(7, 50), cc(10, 127), cc(11, 64), cc(1, 127), cc(64, 127), wheel(8191)]
    sound = hear([*moved, *note(60), cc(121, 0), *note(69, 960)])
    assert tone(sound, 62, 0.55, 1.4) < 0.01 * LOUD
    assert instantaneous(sound)[int(0.6 * RATE) : int(1.4 * RATE)] == pytest.approx(69, abs=0.02)
    assert level(sound, 0.55, 1.4) / FULL == pytest.approx([0, 0.25], abs=0.01)


def test_program_changes_mid_track(hear):
    """The octave above is as loud as the program says, of the note's own program."""
    sound = hear([program(127), *note(69), program(64), on(69), program(0), off(69, 480), *note(69)])
    octaves = [tone(sound, 81, 0.5 * i, 0.5 * i + 0.5) / LOUD for i in range(3)]
    assert octaves == pytest.approx([1, 64 / 127, 0], rel=0.02, abs=0.01)


def test_a_later_track_may_set_the_program(hear):
    assert tone(hear(note(), [program(127)]), 81, 0, 0.5) == pytest.approx(LOUD, rel=0.02)


def test_banks_aftertouch_and_effects_are_ignored_and_named(tmp_path):
    odd = [cc(0, 121), cc(32, 3), program(10), Message("aftertouch", value=100), Message("polytouch", note=69, value=9),
           cc(91, 127), cc(93, 127), cc(74, 20), cc(5, 60), cc(65, 127), cc(84, 50), cc(126, 1)]  # fmt: skip
    song = read_midi(save(tmp_path / "odd.mid", [*odd, on(), *odd[3:-1], off(69, 480)]))
    plain = read_midi(save(tmp_path / "plain.mid", [program(10), *note()]))
    (remark,) = song.warnings
    assert remark.startswith("not played as written: ")
    assert "4 portamento messages" in remark
    assert "4 aftertouch messages" in remark
    assert not plain.warnings
    assert np.array_equal(mixed(song), mixed(plain))


def test_channel_10_is_skipped(hear):
    with pytest.warns(UserWarning, match="channel 10") as caught:
        sound = hear([*note(69), on(36, channel=9), off(36, 480, channel=9)])
    assert len(caught) == 1
    assert spans(sound) == [(0, 0.5)]
