"""The player, with a voice whose every sample is known: cosines that start and stop at once."""

from pathlib import Path

import numpy as np
import pytest

from antiphon.errors import AntiphonError
from antiphon.music.master import CEILING, limit, loudness, master
from antiphon.music.midi import Part, Song, SongNote, read_midi
from antiphon.music.player import HEADROOM, render, stream
from antiphon.notes import Note

RATE = 44100


class SineVoice:
    """A cosine at the note's pitch and bend, amplitude velocity / 127, with a release of `release` s; no randomness."""

    sample_rate = RATE

    def __init__(self, release: float = 0.0):
        self.release = release
        self.asked: list[list[Note]] = []

    def resolve(self, name):
        if isinstance(name, str) and name != "sine":
            raise AntiphonError(f"no instrument is called {name!r}")
        return f"sine {name}"

    def notes(self, notes):
        self.asked.append(list(notes))
        return [self.note(note) for note in notes]

    def note(self, note):
        seconds = np.arange(round((note.seconds + self.release) * RATE)) / RATE
        bend = np.interp(seconds, *np.array(note.bend).T) if note.bend else 0.0
        cycles = np.cumsum(440 * 2 ** ((note.pitch + bend - 69) / 12) * np.ones(len(seconds))) / RATE
        tail = np.minimum(1, (note.seconds + self.release - seconds) / max(self.release, 1e-9))
        return (note.velocity / 127 * tail * np.cos(2 * np.pi * (cycles - cycles[:1]))).astype(np.float32)


def part(*notes, track=0, channel=0, program=0, gain=((0.0, 1.0),), pan=((0.0, -1.0),)):
    return Part(track, channel, program, "", tuple(notes), gain, pan)


def mix(*parts, voice=None, **options):
    """The mix before the master, the left channel of parts on the left: amplitude 1 is velocity 127."""
    return np.concatenate(list(stream(Song(parts), voice or SineVoice(), **options))) / HEADROOM


def frequency(sound):
    """Frequency of a sine, Hz, by the phase of two halves of a windowed spectrum's peak."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    return np.argmax(spectrum) * RATE / (1 << 19)


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


def test_pitch_and_bend_in_the_sound():
    bend = ((0.0, 0.0), (0.98, 0.0), (1.0, 2.0), (2.0, 2.0))
    left = mix(part(SongNote(0, 2, 69, 127, bend)))[:, 0]
    assert frequency(left[: int(0.9 * RATE)]) == pytest.approx(440, rel=3e-4)
    assert frequency(left[int(1.1 * RATE) :]) == pytest.approx(440 * 2 ** (2 / 12), rel=3e-4)


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


def test_programs_become_instruments_and_characters_last():
    voice = SineVoice()
    first, second = (
        part(*[SongNote(i, 0.1, 60, 80) for i in range(15)], program=40),
        part(SongNote(1, 1, 60, 80), program=73),
    )
    mix(first, second, voice=voice)
    asked = [note for batch in voice.asked for note in batch]
    assert {note.instrument for note in asked} == {"sine 40", "sine 73"}
    assert len({note.seed for note in asked if note.instrument == "sine 40"}) == 1
    assert len({note.seed for note in asked}) == 2
    assert len({note.take for note in asked}) == 16
    alone = SineVoice()
    mix(second, voice=alone)  # another part beside it changes nothing
    assert alone.asked[0][0] in asked
    other = SineVoice()
    mix(second, voice=other, seed=1)
    assert other.asked[0][0].seed != alone.asked[0][0].seed


def test_one_instrument_for_all_and_unknown_ones():
    voice = SineVoice()
    mix(part(SongNote(0, 1, 60, 80), program=40), voice=voice, instrument="sine")
    assert voice.asked[0][0].instrument == "sine sine"
    with pytest.raises(AntiphonError, match="kazoo"):
        mix(part(SongNote(0, 1, 60, 80)), instrument="kazoo")


def test_batches_are_large_and_bounded():
    voice = SineVoice()
    mix(part(*[SongNote(i * 0.1, 0.1, 60, 80) for i in range(100)]), voice=voice)
    assert [len(batch) for batch in voice.asked] == [100]
    voice = SineVoice()
    voice.note = lambda note: np.zeros(1, np.float32)  # what it sounds like is not asked here
    mix(part(*[SongNote(0, 100, 60, 80) for _ in range(25)]), voice=voice)
    assert [len(batch) for batch in voice.asked] == [11, 11, 3]


def test_drums_are_skipped_with_one_warning():
    drums = (part(SongNote(0, 1, 36, 80), channel=9), part(SongNote(0, 1, 38, 80), channel=9, track=1))
    with pytest.warns(UserWarning, match="channel 10") as caught:
        sound = render(Song((part(SongNote(0, 1, 60, 80)),), drums), SineVoice())
    assert len(caught) == 1
    assert len(sound) == RATE
    with pytest.warns(UserWarning, match="channel 10"), pytest.raises(AntiphonError, match="drums only"):
        render(Song((), drums), SineVoice())


def test_progress_and_the_same_samples_again():
    song = Song((part(*[SongNote(i * 0.7, 0.5, 60 + i, 80) for i in range(40)]),))
    seen: list[tuple[int, int]] = []
    first = render(song, SineVoice(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (40, 40)
    assert seen == sorted(seen)
    assert first.dtype == np.float32
    assert np.array_equal(first, render(song, SineVoice()))


def true_peak(sound):
    """By scipy, sixteen times oversampled."""
    from scipy.signal import resample_poly

    return max(np.abs(resample_poly(channel.astype(np.float64), 16, 1)).max() for channel in sound.T)


def test_loud_songs_do_not_clip():
    notes = [SongNote(i * 0.25, 0.2, 36 + 7 * j, 127) for i in range(16) for j in range(8 if i % 4 == 0 else 1)]
    sound = render(Song((part(*notes), part(*notes, pan=((0.0, 0.5),), channel=1))), SineVoice(0.1))
    assert true_peak(sound) <= CEILING * 1.002
    assert np.abs(sound).max() > 0.8  # and they are not quiet


def test_the_limiter_between_the_samples():
    """Full-scale noise and a sine at a quarter of the rate, whose samples miss its peaks by 3 dB."""
    noise = np.random.default_rng(0).uniform(-2, 2, (RATE, 2)).astype(np.float32)
    quarter = np.repeat(np.cos(np.pi / 2 * np.arange(RATE) + np.pi / 4)[:, None], 2, axis=1).astype(np.float32) * 1.2
    quarter *= np.hanning(RATE)[:, None].astype(np.float32) ** 0.25
    assert CEILING * 0.98 < true_peak(limit(quarter, RATE)) <= CEILING * 1.001
    limited = limit(noise, RATE)
    assert np.abs(limited).max() <= CEILING
    assert true_peak(limited) <= CEILING * 1.02


def test_the_limiter_leaves_be_what_fits():
    sound = (0.8 * np.sin(np.arange(2 * RATE)[:, None] * [0.05, 0.07])).astype(np.float32)
    assert limit(sound, RATE) is sound
    burst = sound.copy()
    burst[RATE] = 1.5
    limited = limit(burst, RATE)
    assert np.array_equal(limited[: RATE - 2000], burst[: RATE - 2000])
    assert np.abs(limited[-100:] - burst[-100:]).max() < 1e-3
    assert np.abs(limited).max() <= CEILING


def test_loudness_by_the_standards_own_case():
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * RATE) / RATE)
    assert loudness(np.stack([sine, 0 * sine], axis=1), RATE) == pytest.approx(-3.01, abs=0.05)
    assert loudness(np.zeros((RATE, 2)), RATE) == -np.inf
    half = np.concatenate([0.1 * sine, 0 * sine])  # silence does not count
    assert loudness(half[:, None], RATE) == pytest.approx(-23.01, abs=0.3)


def test_levels_are_alike_from_song_to_song():
    for velocity in (10, 127):
        sound = render(Song((part(SongNote(0, 3, 69, velocity), pan=((0.0, 0.0),)),)), SineVoice())
        assert loudness(sound, RATE) == pytest.approx(-16, abs=0.2)
    silence = np.zeros((1000, 2), np.float32)
    assert np.array_equal(master(silence, RATE), silence)


def test_a_file_end_to_end():
    """The bundled song, in stereo, of the length it should have, whole and safe."""
    song = read_midi(Path(__file__).resolve().parent.parent / "antiphon/songs/antiphon.mid")
    sound = render(song, SineVoice(0.3))
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
