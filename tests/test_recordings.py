"""Folders of long recordings: labels, what belongs together, and what is wrong inside, with times."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePath

import numpy as np
import pytest
from conftest import RATE

from antiphon.audio.files import audio_blocks, write_audio
from antiphon.core.errors import AntiphonError
from antiphon.data.analysis.faults import Fault, find_faults, usable
from antiphon.data.labelling.recordings import find_recordings, looks_like_recordings, read_stretches, recording_of

RNG = np.random.default_rng(0)


def noise(seconds: float, level: float = 0.05, channels: int = 2) -> np.ndarray:
    """Pink-ish noise, (samples, channels) float32."""
    white = np.random.default_rng(1).standard_normal((round(seconds * RATE), channels))
    spectrum = np.fft.rfft(white, axis=0)
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(len(white), 1 / RATE), 20.0))[:, None]
    pink = np.fft.irfft(spectrum, len(white), axis=0)
    return (level * pink / pink.std()).astype(np.float32)


def low(seconds: float, alike: bool) -> np.ndarray:
    """A burst below 80 Hz, (samples, 2): of a gust on two capsules, or of thunder, which reaches both alike."""
    hz = np.fft.rfftfreq(round(seconds * RATE), 1 / RATE)
    draws = np.random.default_rng(3).standard_normal((len(hz), 2)) + 1j * np.random.default_rng(4).standard_normal(
        (len(hz), 2)
    )
    if alike:
        draws[:, 1] = draws[:, 0]
    wave = np.fft.irfft(draws * ((hz > 20) & (hz < 80))[:, None], round(seconds * RATE), axis=0)
    return (0.5 * wave / np.abs(wave).max() * np.hanning(len(wave))[:, None]).astype(np.float32)


def voice(seconds: float) -> np.ndarray:
    """Syllables, four a second: (samples,) pulses of 120 Hz through three formants."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(115 + 15 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    wave = sum(np.cos(k * phase) / (1 + ((k * 118 - f) / 150) ** 2) for f in (600, 1200, 2500) for k in range(1, 30))
    return (0.3 * wave / np.abs(wave).max() * np.clip(np.sin(2 * np.pi * 4 * t), 0, 1) ** 0.5).astype(np.float32)


def faults_of(audio: np.ndarray, rate: int = RATE) -> list[Fault]:
    """Heard in blocks that nothing is aligned with."""
    return find_faults((audio[i : i + 33_333] for i in range(0, len(audio), 33_333)), rate)


def kinds(audio: np.ndarray, rate: int = RATE) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for fault in faults_of(audio, rate):
        found.setdefault(fault.kind, []).append((fault.start, fault.stop))
    return found


# ---- faults ----------------------------------------------------------------------------------------------------------


def put(audio: np.ndarray, at: float, what: np.ndarray) -> np.ndarray:
    first = round(at * RATE)
    audio[first : first + len(what)] += what
    return audio


def test_a_clean_recording_has_no_faults():
    assert kinds(noise(8)) == {}
    assert kinds(noise(8, channels=1)) == {}


def test_silence_is_seen_where_it_is():
    audio = noise(6)
    audio[2 * RATE : round(3.5 * RATE)] = 0
    audio[round(4.5 * RATE) : round(4.8 * RATE)] = 0  # too short to matter
    (span,) = kinds(audio)["silence"]
    assert span == pytest.approx((2.1, 3.4), abs=0.11)


def test_clipping_is_seen_where_it_is():
    audio = noise(6, 0.1)
    audio[3 * RATE : 3 * RATE + 20_000] *= 12
    for made in (np.clip(audio, -1, 1), 0.4 * np.clip(audio, -1, 1)):  # turned down afterwards, it is clipped still
        (span,) = kinds(made)["clipping"]
        assert span == pytest.approx((3, 3.45), abs=0.15)


def test_gusts_are_told_from_thunder():
    gust, thunder = (put(noise(8, 0.02), 4, low(1.2, alike)) for alike in (False, True))
    ((start, stop),) = kinds(gust)["wind bump"]
    assert 3.8 <= start < 4.5 < stop < 5.4
    assert "wind bump" not in kinds(thunder)
    assert "wind bump" in kinds(gust[:, :1])


@pytest.mark.parametrize("hz", [50, 60])
def test_mains_hum_is_told_by_its_frequency(hz):
    t = np.arange(12 * RATE) / RATE
    hum = sum(0.02 / k * np.sin(2 * np.pi * hz * k * t) for k in (1, 2, 3, 5))
    (fault,) = faults_of(noise(12) + hum[:, None].astype(np.float32))
    assert fault.kind == "mains hum"
    assert fault.detail.startswith(f"{hz} Hz")


def test_a_tone_is_no_hum():
    t = np.arange(12 * RATE) / RATE
    assert kinds(noise(12) + 0.05 * np.sin(2 * np.pi * 123 * t)[:, None].astype(np.float32)) == {}


def test_a_slate_is_heard_at_either_end():
    place, said = noise(30, 0.02, 1)[::4], voice(4)[::4, None]
    talk = np.resize(said, place.shape)
    first, last, always = put(place.copy(), 0.125, said), put(place.copy(), 6.375, said), place + talk
    slates = [kinds(audio, RATE // 4).get("spoken slate") for audio in (first, last, always)]
    assert slates[0] == [pytest.approx((0, 4.8), abs=0.6)]
    assert slates[1] == [pytest.approx((25.2, 30), abs=0.6)]
    assert slates[2] is None  # a place where people talk


def test_faults_do_not_depend_on_blocks():
    audio = put(noise(8, 0.02), 4, low(1.2, False))
    audio[RATE : 2 * RATE] = 0
    assert find_faults([audio], RATE) == faults_of(audio)


def test_usable_is_what_remains():
    faults = [Fault("silence", 2, 3), Fault("clipping", 2.5, 4), Fault("mains hum", 0, 10), Fault("clipping", 9.9, 10)]
    assert usable(faults, 10) == [(0, 2), (4, 9.9)]


# ---- names, tables, splits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1-17367-A.ogg", "1-17367-B.ogg", True),
        ("1-17367-A.ogg", "1-17368-A.ogg", False),
        ("street_01a.wav", "street_01b.wav", True),
        ("street_01a.wav", "street_02a.wav", False),
        ("street part 2.wav", "street.wav", True),
        ("ZOOM0001-0001.wav", "ZOOM0001-0002.wav", True),
        ("ZOOM0001_LR.WAV", "ZOOM0001_Tr1.WAV", True),
        ("20240512_001.wav", "20240512_002.wav", False),
        ("harbour-1of3.wav", "harbour-2of3.wav", True),
        ("part1.wav", "part2.wav", True),
        ("night_L.wav", "night_R.wav", True),
        ("beach.wav", "bea.wav", False),
        ("rain 1.wav", "rain 2.wav", False),
    ],
)
def test_parts_of_one_take(one, other, same):
    assert (recording_of(PurePath(one), "x") == recording_of(PurePath(other), "x")) is same


@pytest.fixture
def folder(tmp_path) -> Callable[..., PurePath]:
    def make(*names: str, seconds: float = 0.6):
        for number, name in enumerate(names):
            write_audio(tmp_path / "places" / name, noise(seconds) * (1 - number / 100))
        return tmp_path / "places"

    return make


def test_labels_from_folders_and_names(folder):
    found = find_recordings(folder("rain/a.wav", "Old Town/x/b.wav", "stream_01.wav", "ZOOM0003.wav"), listen=False)
    assert {row.path.name: (row.label, row.label_from) for row in found} == {
        "a.wav": ("rain", "folder"),
        "b.wav": ("old town", "folder"),
        "stream_01.wav": ("stream", "name"),
        "ZOOM0003.wav": ("places", "folder"),
    }
    assert find_recordings(found.folder, listen=False, label="home").labels == ("home",)


def test_folders_that_only_hold_others(folder):
    found = find_recordings(folder("recordings/rain/a.wav", "recordings/sea/b.wav"), listen=False)
    assert found.labels == ("rain", "sea")


def test_a_table_labels_and_splits(folder):
    root = folder("a/1.wav", "a/2.wav", "brook.wav")
    (root / "list.csv").write_text("File,Class,recording,split,license\na/1.wav,Sea,t1,valid,CC0\na/2.wav,Wind,t1,,\n")
    found = find_recordings(root, listen=False)
    assert [(row.label, row.label_from, row.split) for row in found] == [
        ("sea", "table", "valid"), ("wind", "table", "train"), ("brook", "name", "train"),
    ]  # fmt: skip
    assert found.rows[0].recording == found.rows[1].recording == "t1"
    assert found.rows[0].licence == "CC0"
    assert "sound files that the table does not list: 1" in found.remarks


def test_splits_keep_parts_together(folder):
    names = [f"rain/take{n}_{part}.wav" for n in range(10, 18) for part in "LR"]
    found = find_recordings(folder(*names), listen=False)
    split = {row.recording: {r.split for r in found if r.recording == row.recording} for row in found}
    assert len(split) == 8
    assert all(len(sides) == 1 for sides in split.values())
    assert {"valid", "train"} == set.union(*split.values())


def test_the_same_sound_twice_is_one_recording(folder):
    root = folder("rain/a.wav", "rain/b.wav")
    (root / "rain" / "c.wav").write_bytes((root / "rain" / "a.wav").read_bytes())
    rows = {row.path.name: row for row in find_recordings(root, listen=False)}
    assert rows["c.wav"].recording == rows["a.wav"].recording != rows["b.wav"].recording
    assert "the same sound as a.wav" in rows["c.wav"].remarks[0]


def test_what_is_unusable_is_left_out_and_said(tmp_path):
    audio = noise(6)
    audio[2 * RATE : 4 * RATE] = 0
    write_audio(tmp_path / "rain.wav", audio)
    write_audio(tmp_path / "dead.wav", 0 * audio)
    found = find_recordings(tmp_path)
    (row,) = found
    assert row.remarks == ("silence 0:02.1-0:03.9: 1.8 s left out",)
    assert sum(len(sound) for sound in read_stretches(row)) == pytest.approx(4.2 * RATE, abs=0.25 * RATE)
    assert [(item.path.name, item.reason) for item in found.refused] == [
        ("dead.wav", "nothing of it can be used: silence")
    ]


def test_stretches_are_read_at_the_rate_asked_for(tmp_path):
    write_audio(tmp_path / "a.wav", noise(2), sample_rate=48000)
    (row,) = find_recordings(tmp_path, listen=False)
    (sound,) = read_stretches(row)
    assert sound.shape == pytest.approx((2 * RATE * RATE // 48000, 2), abs=2)
    assert sound.dtype == np.float32


def test_blocks_are_the_file(tmp_path):
    audio = noise(1.7)
    write_audio(tmp_path / "a.wav", audio)
    blocks = [*audio_blocks(tmp_path / "a.wav", 0.25)]
    assert np.abs(np.concatenate(blocks) - audio).max() < 1e-6
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:100_000])
    with pytest.raises(AntiphonError, match="truncated"):
        list(audio_blocks(tmp_path / "a.wav"))


# ---- data inspect ----------------------------------------------------------------------------------------------------


def test_recordings_are_told_from_notes(folder, notes):
    assert not looks_like_recordings(notes)
    root = folder("a.wav", "b.wav")
    assert not looks_like_recordings(root)
    (root / "labels.csv").write_text("path,label\na.wav,rain\n")
    assert looks_like_recordings(root)


@pytest.fixture
def places(tmp_path):
    """Rain; and a clock that ticks twice a second, with a second of silence in it."""
    ticks = 0.002 * noise(8)
    for at in np.arange(0, 8, 0.5):
        put(ticks, at, 0.3 * noise(0.02) * np.hanning(round(0.02 * RATE))[:, None].astype(np.float32) * 20)
    ticks[5 * RATE : 6 * RATE] = 0
    write_audio(tmp_path / "p" / "clock" / "one.wav", ticks[:, :1].repeat(2, axis=1))
    write_audio(tmp_path / "p" / "rain" / "a.wav", noise(4, 0.1))
    return tmp_path / "p"


def test_inspect_says_how_places_sound(antiphon_line, places, tmp_path):
    said = antiphon_line("data", "inspect", str(places), "--scenes")
    assert said.status == 0
    clock, rain = (next(line for line in said.out if line.split()[1:2] == [name]) for name in ("clock", "rain"))
    assert "2.0 Hz" in clock
    assert " 0.00 " in clock
    assert "Hz" not in rain
    assert any("silence 0:05" in line for line in said.out)


def test_inspect_for_scripts_and_as_a_page(antiphon_line, places, tmp_path):
    said = antiphon_line("data", "inspect", str(places), "--scenes", "--json")
    facts = json.loads("\n".join(said.out))
    clock = facts["labels"]["clock"]
    assert clock["rate_hz"] == pytest.approx(2, abs=0.05)
    assert clock["events_a_minute"] == pytest.approx(120, rel=0.2)
    assert clock["width"] == pytest.approx(0, abs=0.01)
    assert facts["labels"]["rain"]["width"] == pytest.approx(1, abs=0.05)
    assert facts["labels"]["rain"]["minutes"] == pytest.approx(4 / 60, abs=0.01)
    (row,) = [row for row in facts["rows"] if row["label"] == "clock"]
    assert row["path"] == "clock/one.wav"
    assert row["faults"][0]["kind"] == "silence"
    page = tmp_path / "page.html"
    assert antiphon_line("data", "inspect", str(places), "--scenes", "--picture", str(page)).status == 0
    text = page.read_text()
    assert "clock/one.wav" in text
    assert "silence 0:05" in text
    assert text.count("<svg") >= 2
