"""A song's files: the mix, stems, parts and the room; complete or not at all, in memory that does not grow."""

import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly
from tunes import RATE, SineVoice, band, cc, level, mixed, note, off, on, program, save

from antiphon.core.errors import AntiphonError
from antiphon.music.bounce import bounce
from antiphon.music.convolve import Convolver
from antiphon.music.master import CEILING, TruePeak
from antiphon.music.midi import read_midi
from antiphon.music.player import in_room, stream
from antiphon.music.room import room_response
from antiphon.music.song import Part, Song, SongNote


@pytest.fixture
def duo(tmp_path) -> Song:
    """Two tracks, left and right; one of them changes its program, and so has an octave beside its sines."""
    tracks = [cc(10, 0), *note(60), program(127), *note(64)], [cc(10, 127, channel=1), *note(67, 960, channel=1)]
    return read_midi(save(tmp_path / "duo.mid", *tracks))


def bounced(song: Song, out: Path, room=0.0, **how) -> dict[str, np.ndarray]:
    """The files that bounce wrote, by what their names add to the mix's."""
    bounce(in_room(stream(band(song), SineVoice(), **how), RATE, room), out, RATE)
    files = sorted(out.parent.glob(f"{out.stem}*{out.suffix}"))
    return {f.stem[len(out.stem) + 1 :]: soundfile.read(f, dtype="float32")[0] for f in files}


def below_11_khz(sound: np.ndarray) -> np.ndarray:
    """The master removes what is above 19.5 kHz, of which abrupt starts of sines have plenty, the first most."""
    return resample_poly(sound.astype(np.float64), 1, 2)[50:]


def test_stems_sum_to_the_mix(duo, tmp_path):
    found = bounced(duo, tmp_path / "duo out.wav", stems=True)
    assert sorted(found) == ["", "01-01", "02-02"]
    left, right = found["01-01"], found["02-02"]
    mix = mixed(duo)
    gain = np.vdot(left + right, mix) / np.vdot(mix, mix)
    assert np.abs(left + right - gain * mix).max() < 1e-6
    assert [np.abs(left[:, 1]).max(), np.abs(right[:, 0]).max()] == pytest.approx([0, 0], abs=1e-6)
    assert np.abs(below_11_khz(found[""] - left - right)).max() < 2e-3  # nothing to limit here


def test_partials_and_noise_sum_to_the_mix(duo, tmp_path):
    found = bounced(duo, tmp_path / "out.wav", parts=True)
    assert sorted(found) == ["", "noise", "partials"]
    assert np.abs(below_11_khz(found["noise"] + found["partials"] - found[""])).max() < 2e-3
    assert level(found["noise"], 0.05, 0.45).sum() < 1e-6  # the octave is the second program's
    assert level(found["noise"], 0.55, 0.95) == pytest.approx(level(found["partials"], 0.55, 0.95) * [1, 0], abs=1e-3)


def test_the_room_is_a_stem_of_its_own(duo, tmp_path):
    found = bounced(duo, tmp_path / "out.wav", room=0.5, stems=True)
    assert sorted(found) == ["", "01-01", "02-02", "room"]
    whole = sum(sound for name, sound in found.items() if name)
    assert np.abs(below_11_khz(whole - found[""])).max() < 2e-3
    assert 0.01 < level(found["room"], 1.1, 1.2).min() < 0.3  # it continues after the song


def test_a_stem_that_would_clip_lowers_all_stems(tmp_path):
    """Two tracks that nearly cancel: each alone is far louder than the mix."""

    class Opposed(SineVoice):
        def note(self, note, octave=0.0, parts=False):
            return super().note(note) * (1 if note.instrument == "program 0" else -0.97)

    song = Song(tuple(Part(i, i, i, "", (SongNote(0, 3, 69, 127),)) for i in (0, 1)))
    bounce(stream(band(song), Opposed(), stems=True), tmp_path / "a.wav", RATE)
    stems = [soundfile.read(f, dtype="float32")[0] for f in sorted(tmp_path.glob("a-*.wav"))]
    assert 0.9 * CEILING < max(true_peak(stem) for stem in stems) <= CEILING
    assert np.abs(stems[1] + 0.97 * stems[0]).max() < 1e-5


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff"])
def test_formats(duo, tmp_path, suffix):
    found = bounced(duo, tmp_path / f"out{suffix}", stems=True)
    assert len(found) == 3
    rate = 48000 if suffix == ".opus" else RATE
    assert len(found[""]) / rate == pytest.approx(1, abs=0.06)
    assert np.abs(found[""][: len(found[""]) // 2, 0]).max() > 0.1


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".opus"])
def test_the_files_true_peak(suffix, tmp_path):
    """Chords struck hard, then a long quiet passage: the limiter works, in the file as well."""
    notes = [SongNote(4 * i, 0.2, 40 + 3 * j, 127) for i in range(3) for j in range(24)]
    out = bounced(Song((Part(0, 0, 0, "", tuple(notes)),)), tmp_path / f"loud{suffix}")[""]
    assert 0.7 * CEILING < true_peak(out) <= CEILING


def test_stems_keep_the_true_peak_too(tmp_path):
    """A sine at a quarter of the sample rate, struck between its peaks: its samples never reach them."""

    class Between(SineVoice):
        def note(self, note, octave=0.0, parts=False):
            at = np.arange(round(note.seconds * RATE))
            sign = 1 if note.instrument == "program 0" else -0.97
            return (sign * np.cos(np.pi / 2 * at + np.pi / 4) * np.hanning(len(at))).astype(np.float32)

    song = Song(tuple(Part(i, i, i, "", (SongNote(0, 3, 69, 127),)) for i in (0, 1)))
    bounce(stream(band(song), Between(), stems=True), tmp_path / "a.wav", RATE)
    peaks = [true_peak(soundfile.read(f, dtype="float32")[0]) for f in tmp_path.glob("a-*.wav")]
    assert 0.9 * CEILING < max(peaks) <= CEILING


def test_the_true_peak_of_blocks_is_that_of_the_whole():
    draw = np.random.default_rng(5)
    for size in (1, 40, 3000):
        sound = draw.standard_normal((size, 2)).astype(np.float32)
        found = []
        for cuts in ([size], sorted(draw.integers(0, size, 9).tolist())):
            meter = TruePeak()
            for block in np.split(sound, cuts):
                meter.add(block)
            found.append(meter.end())
        assert found[0] == pytest.approx(found[1], rel=1e-6)
        assert found[0] >= np.abs(sound).max() * 0.999


def true_peak(sound: np.ndarray) -> float:
    return max(np.abs(resample_poly(channel.astype(np.float64), 16, 1)).max() for channel in sound.T)


def test_whole_or_not_at_all(duo, tmp_path):
    folder = tmp_path / "new"

    def failing():
        yield from stream(band(duo), SineVoice(), stems=True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bounce(failing(), folder / "a.wav", RATE)
    assert not folder.exists()
    bounce(stream(band(duo), SineVoice(), stems=True), folder / "a.wav", RATE)
    before = {f: f.read_bytes() for f in folder.iterdir()}
    assert len(before) == 3
    (folder / "a.wav").unlink()
    with pytest.raises(AntiphonError, match=r"01-01.wav exists"):
        bounce(stream(band(duo), SineVoice(), stems=True), folder / "a.wav", RATE)
    assert len(list(folder.iterdir())) == 2
    bounce(stream(band(duo), SineVoice(), stems=True), folder / "a.wav", RATE, force=True)
    assert {f: f.read_bytes() for f in folder.iterdir()} == before  # the same song, the same bytes


def test_names_that_are_hard_to_write(duo, tmp_path):
    long = tmp_path / ("song 🎻 " + "x" * 238 + ".wav")
    bounce(stream(band(duo), SineVoice()), long, RATE)
    assert long.is_file()
    deep = tmp_path / ("d" * 120) / ("e" * 120) / "song.wav"
    bounce(stream(band(duo), SineVoice()), deep, RATE)
    assert deep.is_file()
    track = save(tmp_path / "odd.mid", [*note()])
    song = read_midi(track)
    named = Song((Part(0, 0, 0, "a/b: ..\\ü 🎹", song.parts[0].notes),))
    assert sorted(bounced(named, tmp_path / "odd.wav", stems=True)) == ["", "01-01-a-b-ü"]


@pytest.mark.parametrize("letter", ["x", "🎻"])
def test_the_longest_name_has_stems_and_parts(duo, tmp_path, letter):
    name = letter * ((255 - 4) // len(letter.encode()))
    bounce(stream(band(duo), SineVoice(), stems=True, parts=True), tmp_path / f"{name}.wav", RATE)
    files = list(tmp_path.glob("*.wav"))
    assert len(files) == 5
    assert all(len(file.name.encode()) <= 255 and file.name.startswith(letter * 9) for file in files)


def test_another_instrument_replaces_the_same_stems(duo, tmp_path):
    for how in ({}, {"mapping": {"2": "sine"}}, {"instrument": "sine"}):
        bounce(stream(band(duo, **how), SineVoice(), stems=True), tmp_path / "a.wav", RATE, force=True)
        assert sorted(f.name for f in tmp_path.glob("a*.wav")) == ["a-01-01.wav", "a-02-02.wav", "a.wav"]


def test_too_many_stems(tmp_path):
    song = Song(tuple(Part(i, 0, 0, "", (SongNote(0, 0.1, 69, 127),)) for i in range(101)))
    with pytest.raises(AntiphonError, match="101 tracks"):
        bounced(song, tmp_path / "a.wav", stems=True)


def test_memory_does_not_grow_with_length(tmp_path):
    """Twenty seconds and eighty: the peak of all that Python and numpy hold, beside the song itself."""

    def peak(seconds: int) -> int:
        notes = tuple(SongNote(i, 0.1, 69, 100) for i in range(seconds))
        players = band(Song((Part(0, 0, 0, "", notes),)))
        tracemalloc.start()
        bounce(in_room(stream(players, SineVoice()), RATE, 0.3), tmp_path / f"{seconds}.wav", RATE)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert soundfile.info(tmp_path / f"{seconds}.wav").duration > 0.95 * seconds
        return held

    assert peak(80) < 1.1 * peak(20)


# ---- the room --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.2, 1.0])
def test_a_room_dies_away_as_it_should(size):
    """Schroeder's backward integral: the time from -5 to -35 dB, doubled."""
    response = room_response(size, RATE)
    left = np.cumsum(response[::-1, 0].astype(np.float64) ** 2)[::-1]
    decibels = 10 * np.log10(left / left[0])
    seconds = 2 * (np.argmax(decibels < -35) - np.argmax(decibels < -5)) / RATE
    assert seconds == pytest.approx(0.3 + 2.2 * size, rel=0.2)
    correlation = np.corrcoef(response.T)[0, 1]
    assert abs(correlation) < 0.1
    assert (response**2).sum(axis=0) == pytest.approx([1, 1], rel=1e-3)


def test_rooms_are_seeded_and_none_changes_nothing(duo):
    assert np.array_equal(room_response(0.5, RATE, 3), room_response(0.5, RATE, 3))
    assert not np.array_equal(room_response(0.5, RATE, 3), room_response(0.5, RATE, 4))
    blocks = list(stream(band(duo), SineVoice()))
    assert all(a is b for a, b in zip(in_room(blocks, RATE, 0.0), blocks, strict=True))


@pytest.mark.parametrize("taps", [1, 65, 3000])
def test_the_convolver_against_numpy(taps):
    draw = np.random.default_rng(taps)
    kernel, sound = draw.standard_normal(taps), draw.standard_normal((20_000, 2)).astype(np.float32)
    convolve = Convolver(kernel)
    cuts = np.cumsum([0, 1, 4000, 9000, 6999])
    found = np.concatenate([convolve(sound[a:b]) for a, b in pairwise(cuts)])
    expected = np.stack([np.convolve(channel, kernel)[:20_000] for channel in sound.T], axis=1)
    assert found == pytest.approx(expected, abs=2e-4 * taps**0.5)


# ---- a dense song ----------------------------------------------------------------------------------------------------


def test_every_note_of_a_dense_polyphonic_file(tmp_path):
    """600 notes on eight channels, up to dozens at once: what is left of the mix when all other notes, each rendered
    by itself at the time that mido finds for it, are taken away is that very note: its onset, its pitch, its level."""
    import mido

    draw = np.random.default_rng(7)
    tracks = []
    for channel in range(8):
        events = []
        for _ in range(75):
            start, key = int(draw.integers(0, 7_000)), int(draw.integers(36, 97))
            events += [(start, 1, on(key, 0, int(draw.integers(20, 128)), channel))]
            events += [(start + int(draw.integers(60, 1500)), 0, off(key, 0, channel))]
        events.sort(key=lambda event: event[:2])
        gaps = np.diff([0, *(tick for tick, _, _ in events)]).tolist()
        tracks.append([m.copy(time=gap) for gap, (_, _, m) in zip(gaps, events, strict=True)])
    tracks[3].insert(100, mido.MetaMessage("set_tempo", tempo=400_000, time=0))
    path = save(tmp_path / "dense.mid", *tracks)
    mix = mixed(read_midi(path)).sum(axis=1)

    now, down, notes = 0.0, {}, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on":
            down.setdefault((message.channel, message.note), []).append((now, message.velocity))
        elif message.type == "note_off":
            began, velocity = down[message.channel, message.note].pop(0)
            notes.append((began, max(now - began, 0.02), message.note, velocity))
    assert len(notes) == 600

    def alone(began, seconds, key, velocity):
        wave = np.cos(2 * np.pi * 440 * 2 ** ((key - 69) / 12) * np.arange(round(seconds * RATE)) / RATE)
        return round(began * RATE), wave * (velocity / 127 * 0.25 * (100 / 127) ** 2 * 2**0.5)

    everything = np.zeros(len(mix) + RATE)
    for one in notes:
        at, wave = alone(*one)
        everything[at : at + len(wave)] += wave
    rest = np.append(mix, np.zeros(RATE)) - everything  # nothing, if every note is where it should be
    for one in notes:
        at, wave = alone(*one)
        found = rest[at - 200 if at > 200 else 0 : at + len(wave) + 200].copy()
        lead = min(at, 200)
        found[lead : lead + len(wave)] += wave
        loud = np.flatnonzero(np.abs(found) > 0.05 * np.abs(wave).max())
        assert abs(loud[0] - lead) <= 0.003 * RATE
        assert abs(_cents(found[lead : lead + len(wave)], one[2])) < 1
        assert np.abs(found[lead : lead + len(wave)] - wave).max() < 1e-3


def _cents(sound: np.ndarray, key: int) -> float:
    """How far a lone cosine is off its key: the least-squares fit of it and of its derivative by frequency."""
    hertz, at = 440 * 2 ** ((key - 69) / 12), np.arange(len(sound)) / RATE
    phase = 2 * np.pi * hertz * at
    size, moved = np.linalg.lstsq(np.stack([np.cos(phase), -2 * np.pi * at * np.sin(phase)], 1), sound, rcond=None)[0]
    return 1200 * np.log2(1 + moved / size / hertz)
