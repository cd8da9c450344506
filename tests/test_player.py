"""The player, with a voice whose every sample is known: cosines that start and stop abruptly."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tunes import RATE, Character, SineVoice, band, casting, mixed, pitch

from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.music.casting import VARIANTS, cast, parse_mapping
from antiphon.music.master import CEILING, Meter, limit, limited, master
from antiphon.music.midi import read_midi
from antiphon.music.player import HEADROOM, WINDOW, render
from antiphon.music.song import Part, Song, SongNote


def part(*notes, track=0, channel=0, program=0, name="", pan=((0.0, -1.0),), **moves):
    return Part(track, channel, program, name, tuple(notes), pan=pan, **moves)


def mix(*parts, voice=None):
    """The mix before the master, the left channel of parts on the left: amplitude 1 is velocity 127."""
    return mixed(Song(parts), voice) / HEADROOM


def test_onsets_to_the_sample_in_and_across_windows():
    onsets = [0.0, 0.3, 1.23456, 9.9999, 10.0, 25.5]
    left = mix(part(*(SongNote(onset, 0.1, 60, 127) for onset in onsets)))[:, 0]
    expected = np.zeros(len(left))
    tone = SineVoice().note(Note(60, 0.1, 127))
    for onset in onsets:
        expected[round(onset * RATE) : round(onset * RATE) + len(tone)] += tone
    assert np.abs(left - expected).max() < 1e-6
    assert len(left) == round(25.6 * RATE)


def test_a_dense_song_is_the_sum_of_its_notes():
    draw = np.random.default_rng(0)
    parts = [
        part(*(SongNote(on, draw.uniform(0.05, 3), int(draw.integers(30, 90)), int(draw.integers(1, 128)))
               for on in sorted(draw.uniform(0, 21, 60))), track=track)
        for track in range(3)
    ]  # fmt: skip
    left = mix(*parts, voice=SineVoice(0.2))[:, 0]
    expected = np.zeros(len(left) + RATE)
    for note in (note for one in parts for note in one.notes):
        tone = SineVoice(0.2).note(Note(note.pitch, note.seconds, note.velocity))
        expected[round(note.onset * RATE) : round(note.onset * RATE) + len(tone)] += tone
    assert np.abs(left - expected[: len(left)]).max() < 1e-4


def test_a_bend_follows_the_song_until_the_key_is_up():
    """The wheel turns at 1 s, within the first note, and back at 2.2 s, in the release of the second."""
    moved = part(SongNote(0, 1.5, 69, 127), SongNote(1.5, 0.5, 69, 127), bend=((0.0, 0.0), (1.0, 2.0), (2.2, 0.0)))
    left = mix(moved, voice=SineVoice(1.0))[:, 0]
    found = [pitch(left, *span) for span in ((0, 0.9), (1.05, 1.45), (2.5, 3.0))]
    assert found == pytest.approx([69, 71, 71], abs=0.03)


def test_bends_leave_no_note_out_of_range():
    voice = SineVoice()
    mix(part(SongNote(0, 1, 125, 127), bend=((0.0, 12.0),), vibrato=((0.0, 12.0),)), voice=voice)
    (asked,) = voice.asked[0]
    assert max(asked.pitch + semitones for _, semitones in asked.bend) == 127


def test_pan_keeps_the_power():
    for pan, left, right in [(-1.0, 1, 0), (0.0, 0.5**0.5, 0.5**0.5), (1.0, 0, 1)]:
        sound = mix(part(SongNote(0, 0.5, 60, 127), pan=((0.0, pan),)))
        assert np.abs(sound).max(axis=0) == pytest.approx([left, right], abs=1e-3)


def test_volume_and_pan_move_without_clicks_and_on_time():
    moved = part(SongNote(0, 2, 81, 127), gain=((0.0, 1.0), (1.0, 0.25)), pan=((0.0, -1.0), (1.5, 1.0)))
    sound = mix(moved)
    level = [np.abs(sound[int(a * RATE) : int(b * RATE)]).max(axis=0) for a, b in [(0, 0.99), (1, 1.49), (1.5, 2)]]
    assert np.array(level) == pytest.approx(np.array([[1, 0], [0.25, 0], [0, 0.25]]), abs=1e-3)
    steady = 2 * np.pi * 880 / RATE  # the sine's own steepest step
    assert np.abs(np.diff(sound[: 2 * RATE], axis=0)).max() < 1.05 * steady + 1 / (0.005 * RATE)


def test_the_automation_counts_from_the_songs_start():
    sound = mix(part(SongNote(11.0, 1, 60, 127), gain=((0.0, 1.0), (11.5, 0.5))))[:, 0]
    assert np.abs(sound[int(11.6 * RATE) :]).max() == pytest.approx(0.5, abs=1e-3)


def asked(*parts, **how):
    """The notes requested of a voice, in order of time."""
    voice = SineVoice()
    for player in cast(Song(parts), casting, **how):
        voice.asked.append([player.note(i) for i in range(len(player.part.notes))])
    return [note for notes in voice.asked for note in notes]


def test_a_part_keeps_its_character_whatever_else_plays():
    first = part(*[SongNote(i, 0.1, 60, 80) for i in range(15)], program=40)
    second = part(SongNote(1, 1, 60, 80), program=73, track=1)
    both = asked(first, second)
    assert {note.instrument for note in both} == {"program 40", "program 73"}
    assert len({note.seed for note in both[:15]}) == 1
    assert len({note.seed for note in both}) == 2
    assert asked(second) == both[15:]
    assert asked(second, seed=1)[0].seed != both[15].seed


def test_strokes_of_a_key_take_variants_in_turn():
    notes = [SongNote(i, 0.1, 60 + i % 2, 80) for i in range(4 * VARIANTS)]
    takes = [note.take for note in asked(part(*notes))]
    low, high = takes[::2], takes[1::2]
    assert all(a != b for a, b in pairwise(low))  # no machine-gun effect
    assert len(set(low)) == len(set(high)) == VARIANTS
    assert not set(low) & set(high)  # chords have noises of their own
    assert low[:VARIANTS] == low[VARIANTS:]
    assert [note.take for note in asked(part(*notes), seed=5)] != takes


def test_a_character_that_moves_is_asked_at_every_onset():
    class Moving(Character):
        def label(self, seconds=0.0):
            return "early" if seconds < 5 else "late"

        def w(self, seconds=0.0):
            return np.array([seconds / 10])

    (player,) = cast(Song((part(SongNote(1, 1, 60, 80), SongNote(9, 1, 60, 80)),)), lambda name, seed: Moving("", 0))
    assert [player.note(i).instrument for i in (0, 1)] == ["early", "late"]
    assert [float(player.w(i)[0]) for i in (0, 1)] == pytest.approx([0.1, 0.9])


def named(*parts, **how):
    return [player.character.name for player in cast(Song(parts), casting, **how)]


def test_instruments_for_all_and_for_some():
    parts = [part(SongNote(0, 1, 60, 80), track=i + 1, channel=2 * i, program=10 * i, name=name)
             for i, name in enumerate(["Strings I", "Strings II", "Bass"])]  # fmt: skip
    assert named(*parts) == ["program 0", "program 10", "program 20"]
    assert named(*parts, instrument="sine") == ["program 0"] * 3
    assert named(*parts, mapping={3: 7, "t4": 8}) == ["program 0", "program 7", "program 8"]
    assert named(*parts, mapping={"strings": 7, "strings ii": 9}, instrument=5) == [
        "program 7",
        "program 9",
        "program 5",
    ]
    with pytest.raises(AntiphonError, match="kazoo"):
        named(*parts, instrument="kazoo")
    with pytest.raises(AntiphonError, match=r"no part matches '9': .* t2 \(Strings I\) on channel 1"):
        named(*parts, mapping={"9": 1})


def test_a_mapped_track_keeps_its_player_through_program_changes():
    parts = [part(SongNote(i, 1, 60, 80), program=program) for i, program in enumerate((3, 4))]
    assert len({note.seed for note in asked(*parts, mapping={1: 7})}) == 1
    assert len({note.seed for note in asked(*parts)}) == 2


def test_mappings_as_they_are_written():
    assert parse_mapping(["2=violin,3=church organ", "Bass = flute:0.6,strings:0.4,t9=a>b@0:30-1:00"]) == {
        "2": "violin", "3": "church organ", "Bass": "flute:0.6,strings:0.4", "t9": "a>b@0:30-1:00",
    }  # fmt: skip
    for wrong in ("violin", "=violin", "2=", "2=violin,3="):
        with pytest.raises(AntiphonError, match="is not a mapping"):
            parse_mapping([wrong])


def test_batches_are_large_and_bounded():
    voice = SineVoice()
    mix(part(*[SongNote(i * WINDOW / 100, 0.1, 60, 80) for i in range(100)]), voice=voice)
    assert [len(batch) for batch in voice.asked] == [100]
    voice = SineVoice()
    voice.note = lambda *_: np.zeros(1, np.float32)  # what it sounds like is not asked here
    mix(part(*[SongNote(0, 100, 60, 80) for _ in range(25)]), voice=voice)
    assert [len(batch) for batch in voice.asked] == [5, 5, 5, 5, 5]


def test_drums_are_skipped_with_one_warning():
    drums = (part(SongNote(0, 1, 36, 80), channel=9), part(SongNote(0, 1, 38, 80), channel=9, track=1))
    with pytest.warns(UserWarning, match="channel 10") as caught:
        players = band(Song((part(SongNote(0, 1, 60, 80)),), drums))
    assert (len(caught), len(players)) == (1, 1)
    with pytest.warns(UserWarning, match="channel 10"), pytest.raises(AntiphonError, match="only drums"):
        band(Song((), drums))


def test_progress_and_the_same_samples_again():
    players = band(Song((part(*[SongNote(i * 0.7, 0.5, 60 + i, 80) for i in range(40)]),)))
    seen: list[tuple[int, int]] = []
    first = render(players, SineVoice(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (40, 40)
    assert seen == sorted(seen)
    assert first.dtype == np.float32
    assert np.array_equal(first, render(players, SineVoice()))


# ---- the master ------------------------------------------------------------------------------------------------------


def true_peak(sound):
    """By scipy, sixteen times oversampled."""
    from scipy.signal import resample_poly

    return max(np.abs(resample_poly(channel.astype(np.float64), 16, 1)).max() for channel in sound.T)


def test_loud_songs_do_not_clip():
    notes = [SongNote(i * 0.25, 0.2, 36 + 7 * j, 127) for i in range(16) for j in range(8 if i % 4 == 0 else 1)]
    song = Song((part(*notes), part(*notes, pan=((0.0, 0.5),), channel=1)))
    sound = render(band(song), SineVoice(0.1))
    assert true_peak(sound) <= CEILING
    assert np.abs(sound).max() > 0.8  # and they are not quiet


@pytest.mark.parametrize("kind", ["uniform", "normal", "signs", "clicks", "quarter"])
def test_the_true_peak_of_what_is_hard_on_limiters(kind):
    draw = np.random.default_rng(0)
    sound = {
        "uniform": lambda: draw.uniform(-2, 2, (RATE, 2)),
        "normal": lambda: draw.standard_normal((RATE, 2)),
        "signs": lambda: np.sign(draw.standard_normal((RATE, 2))),
        "clicks": lambda: draw.uniform(-4, 4, (RATE, 2)) * (draw.random((RATE, 1)) < 0.001),
        "quarter": lambda: np.repeat(np.cos(np.pi / 2 * np.arange(RATE) + np.pi / 4)[:, None], 2, axis=1),
    }[kind]().astype(np.float32)
    sound *= np.minimum(1, np.minimum(np.arange(RATE), np.arange(RATE)[::-1]) / 1000)[:, None].astype(np.float32)
    for gain in (1, 8):
        mastered = master(sound * gain, RATE)
        assert mastered.shape == sound.shape
        assert true_peak(mastered) <= CEILING


def test_the_limiter_leaves_be_what_fits():
    sound = (0.8 * np.sin(np.arange(2 * RATE)[:, None] * [0.05, 0.07])).astype(np.float32)
    assert np.array_equal(limit(sound, RATE), sound)
    burst = sound.copy()
    burst[RATE] = 1.5
    limited = limit(burst, RATE)
    assert np.array_equal(limited[: RATE - 2000], burst[: RATE - 2000])
    assert np.abs(limited[-100:] - burst[-100:]).max() < 1e-3
    assert np.abs(limited).max() <= CEILING


@pytest.mark.parametrize("size", [1, 31, 777, 30_000])
def test_the_limiter_does_not_mind_how_sound_is_cut(size):
    sound = np.random.default_rng(1).standard_normal((2000 if size == 1 else 50_000, 2)).astype(np.float32)
    blocks = [sound[i : i + size] for i in range(0, len(sound), size)]
    assert np.concatenate(list(limited(blocks, RATE))) == pytest.approx(limit(sound, RATE), abs=1e-5)


def test_the_limiter_takes_minutes_at_once():
    """Powers of its release once underflowed in blocks of more than a minute."""
    sound = np.zeros((130 * RATE, 2), np.float32)
    sound[::RATE] = 2.0
    limited_at_once = np.concatenate(list(limited([sound], RATE)))
    assert np.isfinite(limited_at_once).all()
    np.testing.assert_allclose(limited_at_once, limit(sound, RATE), rtol=0, atol=1e-5)


def test_the_limiter_moves_gently():
    """A peak of twice the ceiling within a tone: the gain comes down over milliseconds and returns over tenths of a
    second."""
    sound = np.full((RATE, 2), 0.5, np.float32)
    sound[RATE // 2] = 2 * CEILING
    gain = limit(sound, RATE)[:, 0] / sound[:, 0]
    assert gain[RATE // 2] == pytest.approx(0.5, abs=0.05)
    assert gain[RATE // 2 - 400] == 1
    assert np.abs(np.diff(gain)).max() < 0.005
    assert gain[RATE // 2 + int(0.08 * RATE)] == pytest.approx(1 - 0.5 * np.exp(-1), abs=0.03)


def loudness(sound, rate):
    meter = Meter(rate)
    for start in range(0, len(sound), 10_001):
        meter.add(sound[start : start + 10_001])
    return meter.loudness()


def test_levels_are_alike_from_song_to_song():
    for velocity in (10, 127):
        sound = render(band(Song((part(SongNote(0, 3, 69, velocity), pan=((0.0, 0.0),)),))), SineVoice())
        assert loudness(sound, RATE) == pytest.approx(-16, abs=0.2)
    silence = np.zeros((1000, 2), np.float32)
    assert np.array_equal(master(silence, RATE), silence)


def test_a_file_end_to_end():
    """The bundled song, in stereo, of the right length, finite and without clipping."""
    song = read_midi(Path(__file__).resolve().parent.parent / "antiphon/music/songs/antiphon.mid")
    sound = render(band(song), SineVoice(0.3))
    assert sound.shape[1] == 2
    assert len(sound) / RATE == pytest.approx(song.seconds + 0.3, abs=0.01)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= CEILING
    # The strings call from the left, the brass answer from the right.
    call, answer = sound[2 * RATE : 9 * RATE], sound[14 * RATE : 20 * RATE]
    assert (call[:, 0] ** 2).mean() > 1.5 * (call[:, 1] ** 2).mean()
    assert (answer[:, 1] ** 2).mean() > 1.5 * (answer[:, 0] ** 2).mean()


@pytest.mark.parametrize(
    "values",
    [
        {"pitch": float("nan")}, {"pitch": 200.0}, {"pitch": -5.0}, {"seconds": 0.0}, {"seconds": float("inf")},
        {"velocity": 0.0}, {"velocity": 128.0}, {"bend": ((1.0, 0.0), (0.5, 1.0))}, {"bend": ((0.0, float("nan")),)},
    ],
)  # fmt: skip
def test_notes_that_make_no_sense(values):
    with pytest.raises(AntiphonError) as caught:
        Note(**{"pitch": 60.0, "seconds": 1.0, **values})
    assert "\n" not in str(caught.value)
