"""Reading and writing audio: every rate and width, and every way a file can be broken."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from antiphon.audio import headers, ops
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


# ---- headers that do not say how much there is -----------------------------------------------------------------------


def id3(size):
    """An ID3v2 tag with `size` bytes of, say, a picture."""
    return b"ID3\x04\x00\x00" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)


def mp3(path, mode, rate=44100, channels=1, seconds=4.0):
    """The bytes of an mp3, and where its second frame begins: the first is the encoder's own, which counts frames."""
    loud = tone(seconds, rate)
    loud[: len(loud) // 2] *= 0.01  # of variable rate: the beginning says nothing about the rest
    loud[len(loud) // 2 :] += 0.2 * np.random.default_rng(0).standard_normal(len(loud) - len(loud) // 2)
    audio = loud if channels == 1 else np.stack([loud, loud], 1)
    soundfile.write(path, audio, rate, format="MP3", bitrate_mode=mode, compression_level=0.4)
    frames = headers._frames(path.read_bytes())
    assert len(frames) > 50
    return path.read_bytes(), frames[1].start


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize(("rate", "channels"), [(44100, 1), (44100, 2), (22050, 1), (8000, 2)])
def test_an_mp3_is_read_to_its_end_whatever_its_header(tmp_path, mode, rate, channels):
    whole, second = mp3(tmp_path / "whole.mp3", mode, rate, channels)
    tag = whole.find(b"Info" if mode == "CONSTANT" else b"Xing")
    kinds = {f"id3-{size}": id3(size) + whole[second:] for size in (0, 10, 5000, 300_000)}
    kinds["tail"] = whole[second:] + b"TAG" + b"x" * 125
    kinds["between"] = whole[second:] + id3(2000) + b"\xff\xfb garbage" * 3
    for name, count in (("few", 20), ("many", 5000)):
        kinds[name] = whole[: tag + 8] + count.to_bytes(4, "big") + whole[tag + 12 :]
    for name, data in kinds.items():
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(data)
        audio = read_audio(path)
        assert 4.0 <= len(audio) / 44100 < 4.3, name
        assert np.abs(audio[int(3.9 * 44100) :]).max() > 0.3, name
        assert abs(probe(path).seconds - len(audio) / 44100) < 0.01, name


def test_an_mp3_cut_off_is_read_as_far_as_it_goes(tmp_path):
    whole, _ = mp3(tmp_path / "whole.mp3", "CONSTANT")
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    assert 1.9 < len(read_audio(tmp_path / "cut.mp3")) / 44100 < 2.1


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_a_wav_that_was_never_finished_is_read(tmp_path, length, subtype, form):
    path = tmp_path / "died.wav"
    soundfile.write(path, np.stack([tone(), tone()], 1), 44100, subtype=subtype, format=form)
    data = bytearray(path.read_bytes())
    at = data.find(b"data")
    data[4:8] = bytes(4)
    data[at + 4 : at + 8] = length.to_bytes(4, "little")
    path.write_bytes(data[:-3])  # in the middle of a frame
    assert 22040 < len(read_audio(path)) < 22050 + 10
    np.testing.assert_allclose(read_audio(path)[:22000], tone()[:22000], atol=1e-4)


def test_a_wav_without_samples_stays_one(tmp_path):
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0, np.float32), 44100)
    path.write_bytes(path.read_bytes() + b"LIST\x04\x00\x00\x00INFO")
    with pytest.raises(AntiphonError, match="no samples"):
        read_audio(path)


def test_a_stream_of_flac_without_a_count_is_read(tmp_path):
    data = bytearray(write_audio(tmp_path / "a.flac", tone()).read_bytes())
    data[21] &= 0xF0  # the 36 bits of total samples
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert len(read_audio(tmp_path / "a.flac")) == 22050
