"""Reading and writing audio: every rate and width, and every way a file can be broken."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from antiphon.audio import ops
from antiphon.audio.files import check_sound, find_audio, probe, read_audio, write_audio
from antiphon.core.errors import AntiphonError


def tone(seconds=0.5, rate=44100, frequency=440.0):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus"])
def test_round_trip(tmp_path, suffix):
    path = write_audio(tmp_path / f"a{suffix}", tone())
    audio = read_audio(path)
    assert audio.dtype == np.float32
    assert abs(len(audio) - 22050) < 3000
    assert abs(np.sqrt(np.mean(audio[4000:16000] ** 2)) - 0.5 / np.sqrt(2)) < 0.02
    if suffix in (".wav", ".flac", ".aiff"):
        np.testing.assert_allclose(audio, tone(), atol=2e-7)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_any_rate_and_width(tmp_path, rate, subtype):
    soundfile.write(tmp_path / "a.wav", tone(rate=rate), rate, subtype=subtype)
    audio = read_audio(tmp_path / "a.wav")
    assert len(audio) == 22050
    np.testing.assert_allclose(audio[2000:-2000], tone()[2000:-2000], atol=0.01)


def test_resampling_agrees_with_scipy():
    source = tone(rate=32000)
    ours, theirs = ops.resample(source, 32000, 48000), resample_poly(source, 3, 2)
    np.testing.assert_allclose(ours[1000:-1000], theirs[1000:-1000], atol=2e-3)


def test_stereo_is_averaged_only_where_it_agrees(tmp_path):
    left = tone()
    noise = np.random.default_rng(0).normal(size=len(left)).astype(np.float32) * 0.1
    np.testing.assert_allclose(ops.to_mono(np.stack([left, 0.6 * left], 1)), 0.8 * left, atol=1e-6)
    np.testing.assert_array_equal(ops.to_mono(np.stack([left, -left * 0.9], 1)), left)
    np.testing.assert_array_equal(ops.to_mono(np.stack([noise, left], 1)), left)
    np.testing.assert_array_equal(ops.to_mono(np.stack([0 * left, left], 1)), left)
    write_audio(tmp_path / "s.wav", np.stack([left, noise], 1))
    assert read_audio(tmp_path / "s.wav", mono=False).shape == (22050, 2)
    assert read_audio(tmp_path / "s.wav", max_seconds=0.1).shape == (4410,)


def test_broken_files_are_one_clear_line(tmp_path):
    good = write_audio(tmp_path / "good.wav", tone()).read_bytes()
    flac = write_audio(tmp_path / "good.flac", tone()).read_bytes()
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("these are words, not sound")
    (tmp_path / "cut.wav").write_bytes(good[: len(good) // 2])
    (tmp_path / "cut.flac").write_bytes(flac[: len(flac) // 2])
    (tmp_path / "header.wav").write_bytes(good[:44])
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), 44100)
    nan = tone()
    nan[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", nan, 44100, subtype="FLOAT")
    for name in ("empty.wav", "text.wav", "cut.wav", "cut.flac", "header.wav", "none.wav", "nan.wav", "missing.wav"):
        with pytest.raises(AntiphonError) as caught:
            read_audio(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_check_sound():
    check_sound(tone(), "x")
    for bad in (tone()[:1], np.zeros(44100, np.float32), np.zeros(0, np.float32)):
        with pytest.raises(AntiphonError):
            check_sound(bad, "x")


def test_one_sample_file_is_read(tmp_path):
    soundfile.write(tmp_path / "one.wav", np.array([0.5], np.float32), 44100)
    assert probe(tmp_path / "one.wav").frames == 1
    assert read_audio(tmp_path / "one.wav").shape == (1,)


def test_nothing_is_overwritten_without_force(tmp_path):
    path = write_audio(tmp_path / "new" / "a.wav", tone())
    before = path.read_bytes()
    with pytest.raises(AntiphonError, match="exists"):
        write_audio(path, 0.1 * tone())
    assert path.read_bytes() == before
    write_audio(path, 0.1 * tone(), force=True)
    assert path.read_bytes() != before
    with pytest.raises(AntiphonError, match=r"\.wav"):
        write_audio(tmp_path / "a.xyz", tone())
    with pytest.raises(AntiphonError, match="NaN"):
        write_audio(tmp_path / "b.wav", np.array([np.nan]))
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.wav"]


def test_find_audio(tmp_path):
    for name in ("b.wav", "sub/a.FLAC", ".hidden.wav", "._a.wav", ".git/x.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [str(p.relative_to(tmp_path)) for p in find_audio(tmp_path)] == ["b.wav", "sub/a.FLAC"]
    with pytest.raises(AntiphonError):
        find_audio(tmp_path / "nowhere")


@given(st.lists(st.floats(-1, 1, width=32), max_size=300), st.floats(-90, -10))
def test_cut_tail_by_peak_keeps_what_is_loud(samples, floor):
    audio = np.array(samples, np.float32)
    kept = ops.cut_tail_by_peak(audio, floor, fade=0)
    np.testing.assert_array_equal(kept, audio[: len(kept)])
    rest = audio[len(kept) :]
    assert rest.size == 0 or np.abs(rest).max() <= np.abs(audio).max() * 10 ** (floor / 20) * (1 + 1e-6)
