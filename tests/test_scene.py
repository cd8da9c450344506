"""Scenes: what a script or a --sound says is what sounds, and what cannot be understood is one clear line. The voice is
one without networks (tests/scene_voice.py), so that levels, times, fades and places can be measured."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_voice import HZ, LABELS, NOISE, RATE, FakeScenes, FakeStream

import antiphon
from antiphon.audio.files import read_audio, write_audio
from antiphon.core.errors import AntiphonError
from antiphon.music import scenery
from antiphon.music.master import Meter
from antiphon.verbs import scene as verb
from antiphon.verbs import scene_events
from antiphon.verbs.scene import from_script, from_sound
from antiphon.verbs.scene_events import loudest, one_shot, times
from antiphon.verbs.scene_script import CONTROLS, EVENTS, HEADINGS, LAYERS, WORDS, Event, parse_script, read_script
from antiphon.voices.places import Places
from antiphon.voices.scene import Scene
from antiphon.voices.voice import VoiceInfo

VOICE = FakeScenes()
WINDOW = 2205  # samples over which a tone's level is measured: whole periods of the differences of all tones


@pytest.fixture(scope="module", autouse=True)
def hasty() -> Iterator[None]:
    """Levels are set and events found in less time than they usually are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb, "PROBED", 1.0)
        patch.setattr(scene_events, "SEARCHED", 2.5)
        yield


def loudness(sound: np.ndarray) -> float:
    meter = Meter(RATE)
    meter.add(sound)
    return meter.loudness()


def envelope(sound: np.ndarray, hz: float) -> np.ndarray:
    """(samples, 2): the amplitude of a tone in each channel, averaged over WINDOW."""
    wave = np.exp(-2j * np.pi * hz * np.arange(len(sound)) / RATE)[:, None] * sound
    return 2 * np.abs(smoothed(smoothed(wave)))


def smoothed(x: np.ndarray) -> np.ndarray:
    summed = np.cumsum(np.pad(x, ((WINDOW // 2 + 1, WINDOW // 2), (0, 0))), axis=0)
    return (summed[WINDOW:] - summed[:-WINDOW]) / WINDOW


def shift_between(measured: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The seconds by which one envelope, (samples,), is late, and what is left of the difference, of its maximum: an
    event's beginning is in all bands."""
    step = RATE // 500
    a, b = measured[::step], expected[::step]
    errors = {k: np.sqrt(np.square(np.roll(a, -k) - b)[20:-20].mean()) / b.max() for k in range(-15, 16)}
    best = min(errors, key=errors.__getitem__)
    return best * step / RATE, errors[best]


# ---- thirty scenes, checked in the sound -----------------------------------------------------------------------------


def drawn_scene(number: int) -> tuple[str, list[dict]]:
    """A script of layers of tones and of events, and what it says."""
    dice = random.Random(number)
    length, cues, lines = 4.0, [], ["length 4"]
    for sound in dice.sample(["hum", "beep"], dice.choice([1, 2])):
        start, stop = dice.uniform(0, 1), dice.uniform(2.5, 4)
        rise, fall = dice.uniform(0.05, 0.7), dice.uniform(0.05, 0.7)
        cue = {"sound": sound, "start": start, "stop": stop, "rise": rise, "fall": fall}
        cue |= {"level": dice.uniform(-12, 3), "pan": dice.choice([0, dice.uniform(-1, 1)])}
        lines += [f"layer {sound}", f"  from {start:.3f} to 0:{stop:.3f}, fade in {rise:.3f} s out {fall:.3f}"]
        lines += [f"  level {cue['level']:+.3f} dB, pan {cue['pan']:.3f}  # as measured"]
        cues.append(cue)
    if dice.random() < 0.7:
        at = sorted(dice.sample(range(3), dice.choice([1, 2, 3])))
        cue = {"sound": "dog", "at": [t + dice.uniform(0, 0.4) for t in at], "level": dice.uniform(-12, 0), "pan": 0.0}
        said = ", ".join(f"{t:.3f}" for t in cue["at"])
        lines.append(f"event dog at {said} level {cue['level']:.2f}")
        cues.append(cue)
    dice.shuffle(cues)
    return "\n".join(lines), [cue | {"length": length} for cue in cues]


def expected_layer(cue: dict) -> np.ndarray:
    """(samples,) the factor that a layer's fades make."""
    t = np.arange(round(cue["length"] * RATE)) / RATE
    rise, fall = (t - cue["start"]) / cue["rise"], (cue["stop"] - t) / cue["fall"]
    return np.sin(np.clip(rise, 0, 1) * np.pi / 2) * np.sin(np.clip(fall, 0, 1) * np.pi / 2)


@pytest.mark.parametrize("number", range(30))
def test_levels_times_and_fades_are_in_the_sound(number):
    text, cues = drawn_scene(number)
    sound = from_script(text, VOICE)
    assert len(sound) == 4 * RATE
    for cue in cues:
        heard = envelope(sound, HZ[cue["sound"]])
        power = np.sqrt((heard**2).sum(axis=1) / 2)
        if "at" in cue:
            for t in cue["at"]:
                first = max(round((t - 0.1) * RATE), 0)
                around = power[first : first + 8820]
                assert (first + np.argmax(around > around.max() / 2)) / RATE == pytest.approx(t, abs=0.02), text
            alone = from_script(f"length 1.5\nevent dog at 0.2 level {cue['level']}", VOICE)
            assert loudest(alone) == pytest.approx(-23 + cue["level"], abs=0.3)
        else:
            shape = smoothed(smoothed(expected_layer(cue)[:, None]))[:, 0]
            size = (power @ shape) / (shape @ shape)
            late, left = shift_between(power, size * shape)
            assert abs(late) <= 0.02, text
            assert left < 0.02, text
            tone = size * np.sin(2 * np.pi * HZ[cue["sound"]] * np.arange(RATE) / RATE)
            assert loudness(np.stack([tone, tone], 1)) == pytest.approx(-23 + cue["level"], abs=0.3), text
            balance = heard[round(1.8 * RATE) : 2 * RATE].mean(axis=0)
            assert np.arctan2(balance[1], balance[0]) * 4 / np.pi - 1 == pytest.approx(cue["pan"], abs=0.02)


def test_distance_is_softer_darker_and_more_of_the_room():
    dry = [from_script(f"length 0.5\nroom 0\nlayer rain distance {d}\n fade 0", VOICE)[4410:] for d in (0, 0.5, 1)]
    spectra = [np.abs(np.fft.rfft(sound[:, 0])) ** 2 for sound in dry]
    levels = [10 * np.log10(power[80:320].mean()) for power in spectra]
    assert np.diff(levels) == pytest.approx([-9, -9], abs=1.5)
    bright = [power[3200:].mean() / power[:400].mean() for power in spectra]
    assert bright[0] > 2 * bright[1] > 4 * bright[2]
    near, far = (from_script(f"length 2\nroom 0.2\nlayer rain to 1 distance {d}\n fade 0.02", VOICE) for d in (0, 1))
    share = [np.square(sound[53_000:61_000]).mean() / np.square(sound[22_050:40_000]).mean() for sound in (near, far)]
    assert share[1] > 10 * share[0] > 0


def test_a_change_takes_the_time_it_says():
    for text in ("", " from 1"):  # by the scene's clock, whenever the layer begins
        sound = from_script(f"length 6\nlayer hum>beep@0:02-0:04{text}\n fade 0.01", VOICE)
        hum, beep = (envelope(sound, HZ[name])[:, 0] for name in ("hum", "beep"))
        share = (beep / (hum + beep + 1e-9))[round(1.2 * RATE) :]
        times = [1.2 + np.argmax(share > part) / RATE for part in (0.25, 0.5, 0.75)]
        assert times == pytest.approx([2.5, 3, 3.5], abs=0.03)


def test_every_place_of_a_change_has_the_level():
    for sound in (from_sound("rain>storm@1-2", VOICE, seconds=3), from_script("length 3\nlayer rain>storm@1-2", VOICE)):
        first, last = (loudness(sound[round(t * RATE) :][: round(0.8 * RATE)]) for t in (0.1, 2.1))
        assert first == pytest.approx(last, abs=0.5)


def test_panning_keeps_the_power():
    sounds = [from_script(f"length 2\nlayer hum pan {p}", VOICE)[RATE : RATE + 4410] for p in (-1, -0.5, 0, 0.7, 1)]
    powers = [np.square(sound).sum() for sound in sounds]
    assert powers == pytest.approx([powers[2]] * 5, rel=0.01)
    assert not sounds[0][:, 1].any()
    assert np.abs(sounds[-1][:, 0]).max() < 1e-6


def test_fades_that_cross_keep_the_power():
    text = "length 4\nlayer rain to 3 fade in 0.1 out 2\nlayer storm from 1 fade in 2 out 0.1"
    sound = from_script(text, VOICE)
    level = [10 * np.log10(np.square(sound[round(t * RATE) : round(t * RATE) + 8820]).mean()) for t in (0.5, 1.9, 3.2)]
    assert max(level) - min(level) < 1.5


def test_the_mix_does_not_depend_on_its_blocks(monkeypatch):
    text = "length 1\nroom 0\nlayer rain distance 0.5 pan 0.3\nevent dog at 0.1, 0.6 distance 0.2"
    whole = from_script(text, VOICE)
    monkeypatch.setattr(scenery, "BLOCK", 1777)
    assert np.abs(from_script(text, VOICE) - whole).max() < 1e-5


def test_another_line_changes_no_other_sound():
    one = from_script("length 3\nevent dog now and then seed 4\nlayer rain", VOICE)
    more = from_script("length 3\nlayer nothing\nevent dog now and then seed 4\nlayer rain", VOICE)
    assert np.abs(one - more).max() < 1e-6


def test_events_come_by_chance_and_evenly():
    chance = Event(1, "dog", every=10.0, chance=True)
    found = list(times(chance, 3600, 5))
    assert found == list(times(chance, 3600, 5)) != list(times(chance, 3600, 6))
    gaps = np.diff(found)
    assert 8 < gaps.mean() < 12
    assert gaps.min() >= 3
    assert gaps.std() > 3
    assert list(times(Event(1, "dog", start=5.0, stop=20.0, every=5.0), 60, 0)) == [5, 10, 15]


def test_an_event_is_the_clearest_sound_of_a_place():
    sound = 1e-4 * NOISE[: 4 * RATE // 2]
    bark = 0.3 * np.sin(2 * np.pi * 500 * np.arange(RATE // 5) / RATE).astype(np.float32)
    sound[RATE : RATE + len(bark)] += bark[:, None]
    found = one_shot(sound)
    assert 0.19 < len(found) / RATE < 0.4
    assert np.abs(found[: RATE // 50]).max() > 0.2
    assert len(one_shot(sound, 0.1)) == RATE // 10
    steady = one_shot(NOISE[:131072], 2.0)
    assert len(steady) == 2 * RATE
    assert np.abs(steady[-10:]).max() < 0.01 * np.abs(steady).max()


# ---- scripts that cannot be understood -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layer", "line 1: say what sounds"),
        ("length 5\nlayr rain", "line 2: 'layr' is not understood: did you mean 'layer'?"),
        ("layer rain\n  levl -3", "line 2: 'levl' is not understood: did you mean 'level'?"),
        ("layer rain levl -3", "line 1: 'levl' is not understood: did you mean 'level'?"),
        ("layer rain level loud", "level is a number from -80 to 24, not 'loud'"),
        ("layer rain level 90", "level 90 is out of range"),
        ("layer rain level -6 level -3", "'level' is said twice"),
        ("layer rain density 0.1 density 0.2", "'density' is said twice"),
        ("layer rain from 5 to 3", "it ends at 0:03, before it begins"),
        ("layer rain to 2 fade 3", "its fades take 6 s, but it lasts 2 s"),
        ("layer rain at 3", "'at' is for events: this is a layer"),
        ("event dog\n at 1\n fade 2", "line 3: 'fade' is for layers: this is an event"),
        ("event dog", "say when: at 0:20"),
        ("event dog at 1 now and then", "its times are said twice"),
        ("event dog now or then", "write 'now and then'"),
        ("event dog at noon", "an event's time is a time such as 1:30 or 90 s, not 'noon'"),
        ("event dog at 5 from 6", "one of its times is outside 'from' and 'to'"),
        ('layer "rain', "is not closed"),
        ("length 3\nlength 4", "line 2: there is a second 'length'"),
        ("length 3 4", "'4' is one word too many"),
        ("length 0", "at least 0.1 s"),
        ("length 5\nlayer rain from 6", "line 2: 0:06 is not before the scene's end, 0:05"),
        ("# nothing", "has no sound in it"),
        ("layer snow", "line 1: this voice has no sound named 'snow'"),
        ("layer rain\nlayer rian", "line 2: this voice has no sound named 'rian': did you mean rain?"),
        ("layer there.wav", "line 1: there.wav does not exist"),
        ("event rain>storm at 1", "line 1: 'rain>storm' changes with time"),
        ("event dog at 1 pitch C4", "line 1: a pitch is for notes of other voices"),
        ("layer rain>storm@x", "line 1: 'rain>storm@x': '@x' is not a time span"),
        ("event gm:kazoo at 1", "line 1: no instrument named 'kazoo'"),
        ("layer rain seed", "line 1: a seed is a number or a name"),
    ],
)  # fmt: skip
def test_what_a_script_gets_wrong_is_one_line(text, said):
    with pytest.raises(AntiphonError) as error:
        from_script(text + "\n", VOICE)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


SPOKEN = [*WORDS, *LAYERS, *EVENTS, *HEADINGS, *CONTROLS, *LABELS, "layer", "event", "in", "out", "and", "then", ",",
          "0:20", "1", "-3", "dB", "1e9", "9:99:99", "rain>storm", "@1-2", ":", "#", '"', "left", "x.wav", "∞", "\x00",
          "-", "nan", "10 s", "5min"]  # fmt: skip
LINES = st.lists(st.lists(st.sampled_from(SPOKEN) | st.text(max_size=8), max_size=9).map(" ".join), max_size=6)


def complaint(act) -> str:
    """What an AntiphonError in `act` says, "" if there is none: one line that is not too long."""
    try:
        act()
    except AntiphonError as error:
        said = str(error)
        assert said.isprintable() and len(said) < 600  # noqa: PT018
        return said
    return ""


@settings(max_examples=100, deadline=None)
@given(LINES, st.sampled_from(["", "length 4\n", "layer rain\n"]))
def test_any_text_is_a_script_or_one_clear_line(lines, beginning):
    text = beginning + "\n".join(lines) + "\n"
    said = complaint(lambda: parse_script(text, "x.txt"))
    assert not said or re.match(r"x\.txt(, line \d+:| has no sound)", said)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([*LABELS, ">", "@", "0:01-0:02", ",", ":", "0.5", "1-", "x.wav", " "]) | st.text(max_size=5)
    )
)
def test_any_sound_is_a_place_or_one_clear_line(parts):
    places = Places(VOICE)
    found: list = []
    complaint(lambda: found.extend(places.path(places.read("".join(parts)), 10.0)))
    assert np.isfinite([time for time, _ in found]).all()
    assert all(a[0] <= b[0] for a, b in pairwise(found))


def test_files_that_are_no_scripts(tmp_path):
    (tmp_path / "latin.txt").write_bytes("layer rain\nlayer bäume".encode("latin-1"))
    (tmp_path / "sound.txt").write_bytes(b"RIFF\0\0\0\0WAVE")
    (tmp_path / "huge.txt").write_bytes(b"#" * (1 << 21))
    for name, message in [("latin.txt", "line 2: not UTF-8"), ("sound.txt", "is not a script"), ("huge.txt", "is not"),
                       ("none.txt", "cannot read"), (".", "cannot read")]:  # fmt: skip
        with pytest.raises(AntiphonError, match=message):
            read_script(tmp_path / name)
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbf# first\r\nlayer rain\r\n  to 2\r\n")
    assert read_script(tmp_path / "bom.txt").cues[0].stop == 2


def test_commas_and_units_may_stand_as_they_like():
    plain = parse_script("event dog at 1 2 3 level -3 pan -0.5 distance 1\n").cues
    for text in (
        "at 1,2,3,level -3dB,pan left 0.5,distance 1",
        "at 1 s, 2s and 0:03 , level -3 dB pan left 0.5, distance 1",
    ):
        assert parse_script(f"event dog {text}\n").cues == plain
    assert parse_script("layer hum:0.5,beep:0.5,\n to 1.5 min,fade 2\n").cues[0].stop == 90


def test_the_script_of_the_documentation_is_one():
    page = (Path(__file__).parents[1] / "docs" / "scenes.md").read_text(encoding="utf-8")
    (text,) = [block for block in re.findall(r"^```\n(.*?)^```", page, re.S | re.M) if "layer" in block]
    script = parse_script(text, "park.txt")
    assert script == read_script(Path(__file__).parents[1] / "examples" / "park.txt")
    assert [cue.sound for cue in script.cues] == [
        "birds:0.7, wind:0.3", "rain > storm @ 3:00-4:30", "dog", "chimes", "gm:tubular bells",
    ]  # fmt: skip
    assert script.cues[3].stop == 180


# ---- one sound -------------------------------------------------------------------------------------------------------


def test_levels_and_lengths_of_one_sound():
    for name in ("rain", "storm", "hum"):
        assert loudness(from_sound(name, VOICE, seconds=3)) == pytest.approx(-23, abs=0.4)
    assert loudness(from_sound("rain", VOICE, seconds=3, level=-7.0)) == pytest.approx(-30, abs=0.4)
    assert len(from_sound("rain", VOICE, seconds=1.25)) == round(1.25 * RATE)
    assert len(from_sound("rain>storm@0:01-0:28", VOICE)) == round(33.6 * RATE)
    assert not from_sound("nothing", VOICE, seconds=0.5).any()


def test_controls_reach_the_voice():
    voice = FakeScenes()
    how = {"variation": 0.25, "density": 0.1, "brightness": 1.0, "motion": 0.0, "width": 0.5}
    from_sound("rain", voice, seconds=1, seed="blue", **how)
    assert all(asked.items() >= how.items() for asked in voice.asked)
    from_script("length 1\nlayer rain density 0.3, width 1\n", voice := FakeScenes())
    assert voice.asked[-1]["density"] == 0.3
    assert voice.asked[-1]["width"] == 1
    assert voice.asked[-1]["motion"] is None


def test_a_blend_may_have_a_recording_in_it(tmp_path):
    write_audio(tmp_path / "street.wav", from_sound("hum", VOICE, seconds=1))
    places = Places(VOICE)
    ((_, mixed),) = places.path(places.read(f"{tmp_path / 'street.wav'}:0.25,rain:0.75"), 5)
    assert mixed == pytest.approx(0.25 * VOICE.shares({"hum": 1}) + 0.75 * VOICE.shares({"rain": 1}))


def test_a_loop_has_no_ends(monkeypatch):
    """Its first sample is not faded, and nothing acts on one end that does not on the other."""
    loop = from_sound("hum", VOICE, seconds=1, loop=True)
    around = np.concatenate([loop[-100:], loop[:100]])[:, 0].astype(float)
    assert np.abs(np.diff(around, 2)).max() < 1.1 * np.abs(np.diff(loop[1000:2000, 0].astype(float), 2)).max()
    with pytest.raises(AntiphonError, match="a loop stays in one place"):
        from_sound("rain>storm", VOICE, seconds=2, loop=True)
    monkeypatch.setattr(FakeStream, "read", lambda self, n, own=FakeStream.read: 40 * own(self, n))
    assert np.abs(from_sound("hum", VOICE, seconds=1, loop=True, level=30.0)).max() < 1.0


# ---- as typed --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ambience(monkeypatch):
    monkeypatch.setattr(verb, "load", lambda voice: VOICE)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "opus"])
def test_every_format(antiphon_line, ambience, tmp_path, suffix):
    out = tmp_path / f"rain.{suffix}"
    said = antiphon_line("scene", "-o", str(out), "--sound", "rain", "--seconds", "1")
    assert said.status == 0
    assert said.out == [str(out)]
    found = read_audio(out, mono=False)
    assert found.shape[1] == 2
    assert abs(len(found) / RATE - 1) < 0.06
    assert loudness(found) == pytest.approx(-23, abs=1)


def test_the_command_line(antiphon_line, ambience, tmp_path):
    out = tmp_path / "a.wav"
    line = ("scene", "-o", str(out), "--sound", "rain", "--seconds", "1")
    assert antiphon_line(*line).status == 0
    first = out.read_bytes()
    assert "exists" in antiphon_line(*line).err[-1]
    assert antiphon_line(*line, "--force", "-q").err == []
    assert out.read_bytes() == first
    assert antiphon_line(*line, "--force", "--seed", "harbour").status == 0
    assert out.read_bytes() != first
    assert antiphon_line(*line, "--force", "--lufs", "-30").status == 0
    assert loudness(read_audio(out, mono=False)) == pytest.approx(-30, abs=0.3)
    assert antiphon_line(*line, "--force", "--loop", "--lufs", "-35", "--bits", "32").status == 0
    assert loudness(read_audio(out, mono=False)) == pytest.approx(-35, abs=0.3)
    assert antiphon_line(*line, "--force", "--mono", "--rate", "48000").status == 0
    assert soundfile.info(out).channels == 1
    assert soundfile.info(out).samplerate == 48000


def test_like_a_recording_is_as_loud_as_it(antiphon_line, ambience, tmp_path):
    write_audio(tmp_path / "street.wav", from_sound("rain", VOICE, seconds=3, level=-10.0))
    out = tmp_path / "more.wav"
    assert antiphon_line("scene", "-o", str(out), "--like", str(tmp_path / "street.wav"), "--seconds", "3").status == 0
    assert loudness(read_audio(out, mono=False)) == pytest.approx(-33, abs=0.6)


def test_a_script_as_typed(antiphon_line, ambience, tmp_path):
    (tmp_path / "park.txt").write_text("seed park\nlayer rain\n  to 2\nevent dog at 1\nloudness -26 LUFS\n")
    out = tmp_path / "park.flac"
    line = ("scene", "-o", str(out), "--script", str(tmp_path / "park.txt"))
    assert antiphon_line(*line).status == 0
    assert loudness(read_audio(out, mono=False)) == pytest.approx(-26, abs=0.3)
    assert soundfile.info(out).duration == pytest.approx(32)
    assert antiphon_line(*line, "--force", "--seconds", "2.5").status == 0
    assert soundfile.info(out).duration == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--sound rain --like a.wav", "give one of them"),
        ("--sound rain --seconds 3 --minutes 2", "give one of them"),
        ("--sound rain --seconds 0", "out of range"),
        ("--sound rain --minutes 1e9", "out of range"),
        ("--sound rain --seconds nan", "out of range"),
        ("--sound rain --loop --seconds 0.2", "too short"),
        ("--sound rain --density 2", "a density of 2 is out of range"),
        ("--sound rain --level 100", "out of range"),
        ("--sound rain --level nan", "out of range"),
        ("--sound snow", "this voice has no sound named 'snow'"),
        ("--like none.wav", "none.wav does not exist"),
        ("--script none.txt", "cannot read none.txt"),
        ("--script none.txt --loop", "a script has a beginning and an end"),
        ("--script none.txt --density 0.3", "write density into its layers"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(antiphon_line, ambience, tmp_path, monkeypatch, args, said):
    monkeypatch.chdir(tmp_path)
    result = antiphon_line("scene", "-o", "out.wav", *args.split())
    assert result.status == 2
    assert said in result.err[-1]
    assert not list(tmp_path.iterdir())


def test_generate_makes_places_in_stereo(antiphon_line, tmp_path, monkeypatch):
    monkeypatch.setattr("antiphon.verbs.generate.load", lambda voice: VOICE)
    line = ("generate", "ambience", "-o", str(tmp_path / "g"), "-n", "2", "--seconds", "1", "--seed", "5")
    assert antiphon_line(*line, "--instrument", "rain").status == 0
    made = sorted((tmp_path / "g").iterdir())
    assert [path.name for path in made] == ["001_rain_s5.wav", "002_rain_s6.wav"]
    assert read_audio(made[0], mono=False) == pytest.approx(from_sound("rain", VOICE, seconds=1, seed=5), abs=1e-6)
    assert "exists" in antiphon_line(*line, "--instrument", "rain").err[-1]
    assert antiphon_line("generate", "ambience", "-o", str(tmp_path / "a.flac"), "--seconds", "1").status == 0
    assert antiphon_line(*line, "--force", "--style", "density=0.3").status == 0
    assert VOICE.asked[-1]["density"] == 0.3
    assert "style 'loud' is unknown" in antiphon_line(*line, "--force", "--style", "loud").err[-1]
    assert "cannot play notes" in antiphon_line("generate", "ambience", "-o", str(tmp_path), "--pitch", "C4").err[-1]


def test_a_morph_of_places_has_no_steps(antiphon_line, tmp_path, monkeypatch):
    monkeypatch.setattr("antiphon.verbs.morph.load", lambda voice: VOICE)
    out = tmp_path / "a.wav"
    assert (
        antiphon_line("morph", "ambience", "--from", "hum", "--to", "beep", "-o", str(out), "--seconds", "0.5").status
        == 0
    )
    hum, beep = (envelope(read_audio(out, mono=False), HZ[name])[:, 0] for name in ("hum", "beep"))
    assert np.argmax(beep > hum) / RATE == pytest.approx(2, abs=0.1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A real voice of two places, untrained, as a file."""
    from antiphon.networks.generators.scene import SIZES
    from antiphon.networks.model import LabelTable
    from antiphon.networks.place import SceneModel
    from antiphon.voices.checkpoint import save_voice

    path = tmp_path_factory.mktemp("voices") / "tiny.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_voice(path, SceneModel(SIZES["tiny"], LabelTable(("rain", "night"), ())), VoiceInfo(name="tiny"))
    return path


def test_a_clone_is_a_voice_of_one_place(antiphon_line, tiny, tmp_path):
    recording, out = tmp_path / "street.wav", tmp_path / "street.safetensors"
    write_audio(recording, from_sound("rain", VOICE, seconds=2))
    assert antiphon_line("clone", str(tiny), str(recording), "-o", str(tmp_path / "street")).out == [str(out)]
    voice, base = antiphon.load(out), antiphon.load(tiny)
    assert voice.instruments == ("street",)
    heard = base.hear(read_audio(recording, mono=False), RATE)
    assert voice.imagine("street", seed=3).numpy() == pytest.approx(heard, abs=2e-3)
    how = {"seconds": 1.0, "seed": 4}
    same = from_sound("street", voice, **how), from_sound(str(recording), base, **how)
    assert np.corrcoef(*(sound.ravel() for sound in same))[0, 1] > 0.99
    refused = antiphon_line("clone", str(tiny), str(recording), "-o", str(tmp_path / "b"), "--pitch", "C4")
    assert "cannot learn notes" in refused.err[-1]


def test_a_real_voice_plays_scripts_and_loops(tiny):
    sound = from_script("length 2\nlayer rain > night\n fade 0.1, level -6\nevent night at 0.5 lasts 0.3\n", tiny)
    assert np.isfinite(sound).all()
    assert sound.any(axis=0).all()
    assert len(from_sound("rain", tiny, seconds=1.5, loop=True)) == 1.5 * RATE


def test_a_scene_is_made_on_one_thread(tiny, threads_of):
    met = threads_of(Scene, "_layers")
    from_sound("rain", tiny, seconds=0.5)
    assert met == {1}


def test_other_voices_cannot(antiphon_line, tmp_path):
    said = antiphon_line("scene", "gm", "-o", str(tmp_path / "a.wav"), "--sound", "rain")
    assert said.status == 2
    assert "gm cannot imagine scenes" in said.err[-1]
    with pytest.raises(TypeError, match="did you mean 'density'"):
        antiphon.scene(tmp_path / "a.wav", VOICE, densty=1)


def test_nothing_is_left_of_a_scene_that_fails(ambience, tmp_path, monkeypatch):
    def fail(self, frames, own=FakeStream.read):
        if self.length and self.at > RATE:
            raise AntiphonError("it broke")
        return own(self, frames)

    monkeypatch.setattr(FakeStream, "read", fail)
    for how in ({}, {"loop": True}, {"lufs": -20.0}):
        with pytest.raises(AntiphonError, match="it broke"):
            antiphon.scene(tmp_path / "a.wav", sound="rain", seconds=4, quiet=True, **how)
    assert not list(tmp_path.iterdir())
