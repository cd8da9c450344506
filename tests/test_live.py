"""Playing live: the sound of notes that nobody knew beforehand, without a device; the process around it; the verb."""

from __future__ import annotations

import math
import multiprocessing as mp
import random
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import RATE

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.music.casting import VARIANTS
from antiphon.music.channel import BEND_RANGE
from antiphon.music.player import HEADROOM
from antiphon.verbs.live import devices, process, session
from antiphon.verbs.live.engine import FADE, Live
from antiphon.verbs.live.keyboard import Piano
from antiphon.verbs.live.process import BLOCK, LiveProcess
from antiphon.verbs.live.processes import LiveProcesses, limited

LEAST = 80.0  # dB, between a sound and what differs from it
MIDDLE = HEADROOM * math.cos(math.pi / 4)  # a note's gain on either side


@pytest.fixture(scope="module")
def gm():
    return antiphon.load("gm")


def on(key: int, velocity: int = 100, channel: int = 0) -> tuple[int, int, int]:
    return 0x90 + channel, key, velocity


def off(key: int, channel: int = 0) -> tuple[int, int, int]:
    return 0x80 + channel, key, 0


def control(number: int, value: int, channel: int = 0) -> tuple[int, int, int]:
    return 0xB0 + channel, number, value


def played(live: Live, events: list, frames: int, block: int = 512) -> np.ndarray:
    """(frames, 2) the sound of messages at frames since the beginning, in blocks."""
    parts = []
    for begin in range(0, frames, block):
        size = min(block, frames - begin)
        parts.append(live.process([(at - begin, m) for at, m in events if begin <= at < begin + size], size))
    return np.concatenate(parts)


def likeness(sound: np.ndarray, other: np.ndarray) -> float:
    error = np.square(sound - other, dtype=np.float64).sum()
    return 10 * math.log10(np.square(sound, dtype=np.float64).sum() / max(error, 1e-30))


def loud(sound: np.ndarray) -> float:
    return float(np.abs(sound).max(initial=0))


CHORD = [(100, on(60, 90)), (1_500, on(64, 50)), (20_000, off(60)), (31_001, off(64)), (33_000, on(60, 90))]


def test_what_is_played_live_is_what_the_voice_plays(gm):
    sound = played(Live(gm, instrument="oboe"), CHORD, 70_000)
    notes = [(100, 19_900, 60, 90, 0), (1_500, 29_501, 64, 50, 0), (33_000, 200_000, 60, 90, 1)]
    expected = np.zeros(70_000)
    for at, held, key, velocity, stroke in notes:
        note = Note(key, held / RATE, velocity, "oboe", take=100 * key * VARIANTS + stroke)
        whole = gm.notes([note], w=gm.imagine("oboe").unsqueeze(0))[0][: 70_000 - at]
        expected[at : at + len(whole)] += MIDDLE * whole
    assert likeness(expected, sound[:, 0]) > LEAST
    np.testing.assert_array_equal(sound[:, 0], sound[:, 1])


EVERYTHING = [
    *CHORD,
    (5, control(1, 90)),
    (700, (0xE0, 0, 100)),
    (2_345, on(38, 100, 9)),
    (9_000, control(64, 127)),
    (12_000, (0xC0, 73)),
    (12_001, on(72)),
    (13_000, off(72)),
    (25_000, control(64, 0)),
    (26_000, control(7, 60)),
]


@pytest.mark.parametrize("block", [128, 333])
def test_how_the_sound_is_cut_changes_nothing(gm, block):
    expected = played(Live(gm), EVERYTHING, 40_000, 512)
    assert loud(expected) > 0.01
    found = played(Live(gm), EVERYTHING, 40_000, block)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("wheels", "least"), [(False, 110), (True, 30)])
def test_rendering_ahead_changes_nothing(gm, wheels, least):
    """But that the network was asked before it could know how a wheel would move."""
    events = [e for e in EVERYTHING if wheels or not (e[1][0] == 0xE0 or e[1][:2] == (0xB0, 1))]
    expected, live, parts = played(Live(gm), events, 40_000), Live(gm), []
    for begin in range(0, 40_000, 512):
        parts.append(live.process([(at - begin, m) for at, m in events if begin <= at < begin + 512], 512))
        while live.prepare():
            pass
    assert likeness(expected, np.concatenate(parts)[:40_000]) > least


def test_a_bend_moves_the_pitch(gm):
    live = Live(gm, instrument="drawbar organ")
    played(live, [(0, on(60))], RATE)
    bent = played(live, [(0, (0xE0, 127, 127))], RATE)[RATE // 2 :, 0]
    spectrum = np.abs(np.fft.rfft(bent * np.hanning(len(bent)), 1 << 18))
    low, high = (round(261.63 * 2 ** (key / 12) * (1 << 18) / RATE) for key in (-0.5, 2.5))
    found = 12 * math.log2((low + int(spectrum[low:high].argmax())) * RATE / (1 << 18) / 261.63)
    assert found == pytest.approx(2, abs=0.1)
    live.process([(0, control(101, 0)), (0, control(100, 0)), (0, control(6, 12)), (0, (0xE0, 0, 0))], 4096)
    assert live._channels[0].state.registered[BEND_RANGE] == (12, 0)


def test_a_key_that_is_held_by_the_pedal_sounds_until_it_is_let_go(gm):
    live = Live(gm, instrument="flute")
    live.process([(0, on(72)), (10, control(64, 127)), (4_000, off(72))], 8_000)
    assert loud(live.process([], RATE)[-2_000:]) > 0.001
    live.process([(0, control(64, 0))], 2 * RATE)
    assert live.sounding == 0


def test_a_channel_means_live_what_it_means_in_a_song(gm):
    live = Live(gm)
    tuned = [(0xB0, 101, 0), (0xB0, 100, 1), (0xB0, 6, 96), (0xB0, 67, 127)]  # up by half a semitone, and softly
    live.process([(0, m) for m in [*tuned, (0x90, 60, 90), (0xB0, 66, 127), (0x90, 64, 90)]], 1)
    first, second = live._sounding
    assert (first.start, first.note.velocity) == (60.5, 60)
    live.process([(0, (0x80, key, 0)) for key in (60, 64)], 1)
    assert (first.released, second.released) == (False, True)  # sostenuto holds what was down before
    live.process([(0, (0xB0, 66, 0))], 1)
    assert first.released


def test_keys_that_are_never_lifted_are_forgotten(gm):
    live = Live(gm, polyphony=2)
    for _ in range(5):
        live.process([(0, (0x90, 60, 90)), (0, (0xE0, 0, 70)), (0, (0xB0, 10, 3))], 2 * FADE)
    state = live._channels[0].state
    assert sum(map(len, state.down.values())) == len(live._sounding) == 2
    assert len(state.notes) + len(state.bend) + len(state.pan) == 2


def test_more_keys_than_voices_take_the_place_of_the_oldest(gm):
    live = Live(gm, polyphony=3, instrument="drawbar organ")
    live.process([(i, on(60 + i)) for i in range(8)], 2_000)
    assert live.sounding == 3
    assert [s.key for s in live._sounding] == [65, 66, 67]
    live.process([(0, off(66)), (1, on(50))], 300)
    assert sorted(s.key for s in live._sounding if s.left == math.inf) == [50, 65, 67]  # the released one went
    sound = live.process([], 2_000)
    assert np.abs(np.diff(sound[:, 0])).max() < 0.05  # and nothing clicked


def test_a_program_change_is_for_the_notes_that_follow(gm):
    live = Live(gm)
    assert live.playing == "acoustic grand piano"
    live.process([(0, (0xC0, 73))], 10)
    assert live.playing == "flute"
    live.process([(0, on(70))], 10)
    assert live._channels[1].player.label() == "acoustic grand piano"


def test_channel_ten_is_a_kit_whose_hats_choke(gm):
    live = Live(gm)
    assert loud(live.process([(0, on(46, 100, 9))], 3_000)) > 0.001
    live.process([(0, on(42, 100, 9))], FADE + 1)
    assert [s.key for s in live._sounding] == [42]
    live.process([(0, on(5, 100, 9))], 100)  # a key without a drum is silent
    assert [s.key for s in live._sounding] == [42]
    assert Live("kit").playing == "kit"


@pytest.mark.parametrize("silence", [(0xFF,), control(120, 0), control(123, 0)])
def test_panic(gm, silence):
    live = Live(gm, instrument="drawbar organ")
    live.process([(0, control(64, 127)), (0, on(60)), (0, on(64))], 3_000)
    live.process([(0, control(64, 0)), (0, silence)], 3 * RATE)
    assert live.sounding == 0
    assert loud(live.process([], 1_000)) == 0


def test_nothing_that_is_sent_leaves_a_note_behind(gm):
    rng, live = random.Random(7), Live(gm, polyphony=6)
    for _ in range(60):
        events = [
            (rng.randrange(-5, 600), bytes(rng.randrange(256) for _ in range(rng.randrange(4)))),
            (rng.randrange(512), (rng.choice((0x80, 0x90, 0xB0, 0xC0, 0xE0)) + rng.choice((0, 0, 1, 9)),
                                  rng.randrange(128), rng.randrange(128))),
            (rng.randrange(512), on(rng.randrange(30, 100), rng.randrange(128), rng.choice((0, 9)))),
        ]  # fmt: skip
        sound = live.process(events, 512)
        assert np.isfinite(sound).all()
        assert sum(s.left == math.inf for s in live._sounding) <= 6
    for channel in range(16):
        live.process([(0, control(64, 0, channel)), (0, control(123, 0, channel))], 1)
    live.process([], 5 * RATE)
    assert live.sounding == 0


def test_memory_does_not_grow(gm):
    live = Live(gm, polyphony=4, instrument="violin")

    def some():
        for key in (60, 64, 67, 71, 60, 64):
            live.process([(0, on(key)), (2_000, off(key))], 3_000)

    some()
    live.process([(0, (0xFF,))], 2_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    some()
    live.process([(0, (0xFF,))], 2_000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 200_000


def test_who_cannot_be_played(gm):
    for how, said in (
        ({"voice": "vocoder"}, "vocoder is a vocoder and cannot be played live"),
        ({"voice": gm, "polyphony": 0}, "out of range: use 1 to 256"),
        ({"voice": gm, "instrument": "kazooo"}, "no instrument named"),
        ({"voice": gm, "kit": gm}, "is not a drum kit"),
    ):
        with pytest.raises(AntiphonError, match=said):
            Live(**how)


# ---- around it -------------------------------------------------------------------------------------------------------


def test_the_engine_plays_in_another_process():
    with LiveProcesses("kit") as engine:
        assert engine.start()[0] == "kit"
        engine.send(bytes(on(38, 100, 9)))
        heard, until = 0.0, time.monotonic() + 20
        while heard < 0.001 and time.monotonic() < until:
            heard = loud(engine.read(BLOCK))
            time.sleep(0.001)
        assert heard > 0.001
        assert engine.alive
    assert not engine.alive
    assert loud(engine.read(100)) == 0
    engine.close()


@pytest.mark.parametrize("instrument", ["flute", "acoustic grand piano"])
def test_a_key_is_added_to_what_was_rendered_before(gm, instrument):
    plain, live = (Live(gm, instrument=instrument) for _ in range(2))
    expected = played(plain, [(0, on(60)), (512, on(64)), (20_000, off(60))], 30_000)
    ready = [live.process([(0, on(60))], 2_048)]
    live.process([(0, on(64))], 0)
    assert live.begun() == 1
    ready[0][512:] += live.earlier(2_048 - 512)
    assert live.begun() == 0
    assert loud(live.earlier(256)) == 0
    ready.append(played(live, [(20_000 - 2_048, off(60))], 30_000 - 2_048))
    assert likeness(expected, np.concatenate(ready)) > LEAST


def test_what_two_engines_share_adds_up_to_what_one_plays(gm):
    events = [*EVERYTHING, (1_000, on(46, 90, 9)), (4_000, on(38, 90, 9)), (7_000, on(42, 90, 9))]
    expected = played(Live(gm), events, 40_000)
    parts = [played(Live(gm, share=(i, 2)), events, 40_000) for i in range(2)]
    assert min(map(loud, parts)) > 0.01
    assert likeness(expected, parts[0] + parts[1]) > LEAST
    assert [Live(gm, polyphony=5, share=(i, 2)).polyphony for i in range(2)] == [3, 3]


def test_a_key_of_a_block_that_is_being_rendered_is_not_added_twice(gm):
    live = Live(gm)
    live.process([(0, on(60)), (100, on(64))], 512)
    assert live.begun() == 0


def test_the_engine_adds_keys_to_what_is_ready_and_not_to_what_is_being_read(gm):
    live, numbers = Live(gm), np.zeros(process.NUMBERS, np.int64)
    numbers[process.READ], numbers[process.WRITTEN] = process.RING - 500, process.RING + 524
    ring = np.zeros((process.RING, 2), np.float32)
    live.process([(0, on(60))], 0)
    process._begin_now(live, numbers, ring)
    (where,) = np.nonzero(np.abs(ring[:, 0]))
    since = (where - numbers[process.READ]) % process.RING
    assert process.GUARD <= since.min() < process.GUARD + 4
    assert since.max() < 1_024
    following = live.process([], 512)[:, 0]
    whole = np.concatenate([ring[(numbers[process.READ] + np.arange(1_024)) % process.RING, 0], following])
    expected = Live(gm).process([(0, on(60))], 1_536 - process.GUARD)[:, 0]
    assert likeness(expected, whole[process.GUARD :]) > LEAST


def test_more_is_kept_ready_for_a_loudspeaker_that_reads_more_at_once(monkeypatch):
    engine, clock = object.__new__(LiveProcess), [0.0]
    monkeypatch.setattr(process.time, "monotonic", lambda: clock[0])
    engine._closed, engine._grown, engine._ring = False, -math.inf, np.zeros((process.RING, 2), np.float32)

    def reads(frames: int, ahead: int, times: int) -> int:
        """Interruptions after the first reads, twice each time and each in a spell of its own."""
        engine._numbers = np.array([0, 0, 0, 0, ahead])
        for i in range(times):
            clock[0] += 2 * process.SPELL
            engine._numbers[process.WRITTEN] = engine._numbers[process.READ] + engine.ahead
            engine.read(frames), engine.read(frames)
            if i == times // 2:
                engine._numbers[process.LATE] = 0
        return engine.late

    assert reads(264, 256, 12) == 0
    assert 2 * 264 <= engine.ahead <= 2 * 264 + BLOCK
    assert reads(100, 256, 4) == 0
    assert engine.ahead == 256
    assert reads(4233, 4096, 80) == 0
    assert engine.ahead == 2 * 4233
    engine._numbers = np.array([0, 0, 0, 0, 256])
    for _ in range(100):  # an interruption of a second
        clock[0] += process.SPELL / 50
        engine.read(256)
    assert engine.late == 100
    assert engine.ahead <= 256 + 3 * BLOCK
    for _ in range(100):  # a computer that is too slow
        clock[0] += 2 * process.SPELL
        engine.read(256)
    assert engine.ahead == process.MOST_AHEAD


def test_an_engine_that_cannot_start_says_why(monkeypatch):
    class Here:  # the other process, in this one
        def __init__(self, target, args, **_):
            self.start = lambda: target(*args)
            self.join = self.terminate = lambda *_: None
            self.is_alive = lambda: False

    context = SimpleNamespace(Pipe=mp.Pipe, Process=Here)
    monkeypatch.setattr(process.mp, "get_context", lambda _: context)
    with LiveProcess("vocoder") as engine, pytest.raises(AntiphonError, match="cannot be played live"):
        engine.start()


def test_loud_sound_stays_within_bounds():
    sound = np.linspace(-4, 4, 999, dtype=np.float32)
    found = limited(sound)
    assert loud(found) <= 1
    assert (np.diff(found) >= 0).all()
    np.testing.assert_array_equal(found[np.abs(sound) < 0.7], sound[np.abs(sound) < 0.7])


def test_the_computers_keys():
    sent = []
    piano = Piano(lambda message: sent.append(tuple(message)))
    for at, key in enumerate("z zs=z-[\x7f"):
        assert piano.typed(key, at / 10)
    assert sent[:3] == [(0x90, 48, 96), (0xB0, 64, 127), (0x90, 49, 96)]  # a key that repeats itself is one note
    assert (0x90, 60, 96) in sent
    assert sent[-2:] == [(0xC0, 127), (0xFF,)]
    piano.typed("x", 1.0)
    piano.tick(1.2)
    assert sent[-1] == (0x90, 50, 96)
    piano.tick(1.6)
    assert sent[-1] == (0x80, 50, 0)
    assert not piano.typed("\x1b", 2.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--buffer", "7"], "a buffer of 7 frames is out of range: use 64 to 4096"),
        (["--audio", "null", "--midi", "none such", "--seconds", "0"], "no MIDI ports match 'none such'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(antiphon_line, line, said):
    found = antiphon_line("live", *line)
    assert found.status == 2
    assert said in found.err[-1]


class Tone:
    """An engine that plays always the same."""

    alive, late, asked, ahead = True, 5, 0, 512

    def __init__(self, voice, **how):
        self.start = lambda: ("flute", 7.0)
        self.send = self.close = lambda *_: None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, frames):
        Tone.asked += frames
        return np.zeros((frames, 2), np.float32)


def test_a_session_with_a_loudspeaker_that_nobody_hears(antiphon_line, monkeypatch):
    pytest.importorskip("miniaudio")
    monkeypatch.setattr(session, "LiveProcesses", Tone)
    found = antiphon_line("live", "kit", "--audio", "null", "--midi", "keys", "--seconds", "0.3")
    assert found.status == 0
    assert Tone.asked > 0.1 * RATE
    assert any("flute on channel 1" in line for line in found.err)
    assert "interrupted 5 times: 12 ms are kept ready now; if it went on, try --buffer 512" in found.err[-1]
    assert any("latency: buffer 5.8 ms + engine 8.5 ms" in line for line in found.err)


def test_without_the_libraries_a_line_says_what_to_install(antiphon_line, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "miniaudio", None)
    assert "pip install 'antiphon[live]'" in antiphon_line("live", "--list").err[-1]
    monkeypatch.setitem(__import__("sys").modules, "miniaudio", SimpleNamespace(
        MiniaudioError=OSError, Devices=lambda: SimpleNamespace(get_playbacks=lambda: [{"name": "Discard all samples"}])
    ))  # fmt: skip
    assert "no loudspeaker was found: connect one" in antiphon_line("live").err[-1]
    monkeypatch.setattr(devices, "speakers", lambda: ["Built-in"])
    monkeypatch.setattr(devices, "ports", lambda: ["Keys 25", "Keys 49"])
    assert session.listing() == ["--midi 1   Keys 25", "--midi 2   Keys 49", "--audio 'Built-in'"]
    for name, which in (("2", 1), ("25", 0)):
        assert devices.chosen(name, devices.ports(), "MIDI port") == which
    with pytest.raises(AntiphonError, match="several MIDI ports match 'keys': there is 1 Keys 25, 2 Keys 49"):
        devices.chosen("keys", devices.ports(), "MIDI port")
