"""Notes that are played before anybody knows how long they are held: the same sound as a note that was known whole."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

import antiphon
from antiphon.core.note import Note
from antiphon.networks.generators.instrument import SIZES
from antiphon.networks.model import InstrumentModel, LabelTable
from antiphon.networks.timegrid import held_count, held_knots, knots, released_knots
from antiphon.voices.capabilities import Stream, Streams
from antiphon.voices.drums import DrumsVoice
from antiphon.voices.instrument import InstrumentVoice
from antiphon.voices.known import AHEAD, death, peaks
from antiphon.voices.pitch_track import Drift, Pitches, let_go_at
from antiphon.voices.streams import NoteStream
from antiphon.voices.voice import VoiceInfo

RATE = 44_100
LEAST = 80.0  # dB, between a sound and what its stream has otherwise
NOTES = [
    Note(60, 1.0, 90, "acoustic grand piano"),
    Note(21, 0.4, 30, "acoustic grand piano", take=2),
    Note(60, 0.001, 90, "acoustic grand piano"),  # let go in its attack
    Note(90, 4.0, 80, "xylophone"),  # dies away while it is held
    Note(72, 0.8, 90, "flute", seed=3),
    Note(67, 2.2, 70, "violin", seed=1, take=1),  # vibrato and drift
    Note(55, 1.5, 90, "string ensemble 1", seed=3),
    Note(84, 0.5, 90, "glockenspiel"),
    Note(48, 0.7, 90, "drawbar organ"),
    Note(45, 0.3, 110, "timpani"),
    Note(33, 1.1, 90, "electric bass (finger)", seed=2),
    Note(62, 1.7, 100, "trumpet", bend=((0.0, 0.0), (0.5, 2.0), (1.6, 0.0))),
    Note(64, 0.06, 100, "violin", bend=((0.0, -1.0), (0.05, 1.0))),
    Note(46, 0.9, 60, "choir aahs"),
]


@pytest.fixture(scope="module")
def gm() -> antiphon.Voice:
    return antiphon.load("gm")


@pytest.fixture(scope="module")
def tiny() -> InstrumentVoice:
    torch.manual_seed(3)
    return InstrumentVoice(InstrumentModel(SIZES["tiny"], LabelTable(("flute", "piano"), ())), VoiceInfo())


def samples_of(note: Note) -> int:
    """For how many it is held."""
    return max(round(note.seconds * RATE), 1)


def played(stream: Stream, held: int, block: int, longest: int = 20 * RATE) -> np.ndarray:
    """All that a stream says when it is let go after `held` samples, read in blocks."""
    parts = [stream.read(min(block, held - at)) for at in range(0, held, block)]
    stream.release()
    while not stream.done:
        assert sum(map(len, parts)) < longest
        parts.append(stream.read(block))
    return np.concatenate(parts)


def likeness(sound: np.ndarray, other: np.ndarray) -> float:
    """dB between a sound and its difference from another, whose end may be padded with zeros."""
    assert not other[len(sound) :].any()
    difference = np.pad(other, (0, max(len(sound) - len(other), 0)))[: len(sound)] - sound
    return 10 * math.log10(float(np.square(sound).sum()) / max(float(np.square(difference).sum()), 1e-30))


@pytest.mark.parametrize("note", NOTES, ids=lambda n: f"{n.instrument}-{n.pitch:g}-{n.seconds:g}s")
def test_a_streamed_note_is_the_whole_note(gm: InstrumentVoice, note: Note) -> None:
    streamed = played(gm.stream(note), samples_of(note), 128)
    (whole,) = gm.notes([note])
    assert len(whole) <= len(streamed) < max(len(whole), samples_of(note) + 1) + 128
    assert likeness(whole, streamed) > LEAST


@pytest.mark.parametrize("in_tune", [True, False])
def test_a_streamed_note_is_as_far_off_its_key(gm: InstrumentVoice, in_tune: bool) -> None:
    note, w = NOTES[4], gm.imagine("flute", seed=3)
    streamed = played(NoteStream(gm.model.generator, note, w, in_tune), samples_of(note), 512)
    (whole,) = gm.notes([note], w=w.unsqueeze(0), in_tune=in_tune)
    assert likeness(whole, streamed) > LEAST


@pytest.mark.parametrize("pitch", [30.0, 61.3, 100.0])
def test_a_voice_that_has_learned_nothing_streams_as_well(tiny: InstrumentVoice, pitch: float) -> None:
    note = Note(pitch, 0.7, 100, "piano", bend=((0.0, 0.0), (0.3, 1.0)))
    assert likeness(tiny.notes([note])[0], played(tiny.stream(note), samples_of(note), 333)) > LEAST


@pytest.mark.parametrize("block", [3, 128, 512, 1000, 1024, 1031, 30_000])
def test_how_a_stream_is_cut_changes_nothing(gm: InstrumentVoice, block: int) -> None:
    note = Note(67, 0.05 if block == 3 else 0.6, 70, "violin", seed=1)
    expected = played(gm.stream(note), samples_of(note), samples_of(note))
    found = played(gm.stream(note), samples_of(note), block)
    np.testing.assert_array_equal(found[: len(expected)], expected[: len(found)])


def test_what_was_read_does_not_depend_on_the_release(gm: InstrumentVoice) -> None:
    note = NOTES[6]
    never = gm.stream(note).read(3 * RATE)
    for held in (1, 700, 1023, 1024, 40_000, 100_001):
        sound = played(gm.stream(note), held, 512)
        np.testing.assert_array_equal(sound[:held], never[:held])
        assert np.abs(sound[held : held + 2048] - never[held : held + 2048]).max() > 0


def test_a_note_is_let_go_without_a_click(gm: InstrumentVoice) -> None:
    """A release within a steady tone: it steps no further from sample to sample than the tone itself does."""
    note = Note(60, 1.0, 90, "drawbar organ")
    for held in (20_000, 20_001, 20_479, 20_480):
        sound = played(gm.stream(note), held, 512)
        steps = np.abs(np.diff(sound))
        assert steps[held - 2 : held + 600].max() < 1.2 * steps[held - 8000 : held - 2].max()


def test_a_stream_of_a_note_that_is_never_let_go(gm: InstrumentVoice) -> None:
    organ, xylophone = (gm.stream(Note(48, 1.0, 90, name)) for name in ("drawbar organ", "xylophone"))
    assert np.abs(organ.read(20 * RATE)[-RATE:]).max() > 0.01
    assert not organ.done
    sound = xylophone.read(20 * RATE)
    assert xylophone.done  # it died away by itself
    assert np.abs(sound[: RATE // 4]).max() > 0.01
    assert not sound[-RATE:].any()
    xylophone.release()
    assert not xylophone.read(100).any()


def test_a_held_note_keeps_no_more_than_it_needs(gm: InstrumentVoice) -> None:
    stream = gm.stream(Note(55, 1.0, 90, "string ensemble 1"))
    stream.read(6 * RATE)
    kept = [len(stream._known.held[0]), len(stream._tracks)]
    tracemalloc.start()
    stream.read(12 * RATE).sum()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(stream._known.held[0]) <= kept[0] + 4
    assert len(stream._tracks) == kept[1]
    assert grown < 200_000


def test_a_note_is_let_go_when_it_has_nearly_died_away(gm: InstrumentVoice) -> None:
    note, never = Note(90, 1.0, 80, "xylophone"), gm.stream(Note(90, 1.0, 80, "xylophone"))
    while not never.done:
        never.read(1)
    for held in (-700, -500, -200, -1, 0, 300):
        seconds = (never._at + held) / RATE
        (whole,) = gm.notes([replace(note, seconds=seconds)])
        streamed = played(gm.stream(note), round(seconds * RATE), 100)
        assert len(whole) <= len(streamed) < len(whole) + 400
        assert likeness(whole, streamed) > LEAST


def test_letting_go_twice_is_letting_go_once(gm: InstrumentVoice) -> None:
    note = NOTES[0]
    once, twice = gm.stream(note), gm.stream(note)
    for stream in (once, twice):
        stream.read(5000)
        stream.release()
    twice.read(3000)
    twice.release()
    once.read(3000)
    np.testing.assert_array_equal(once.read(9000), twice.read(9000))


def test_a_stream_takes_a_style_vector(gm: InstrumentVoice) -> None:
    note, w = Note(60, 0.3), gm.imagine("oboe", seed=5)
    assert likeness(gm.notes([note], w=w.unsqueeze(0))[0], played(gm.stream(note, w), samples_of(note), 512)) > LEAST


def test_a_hit_streams_too() -> None:
    kit = antiphon.load("kit")
    assert isinstance(kit, DrumsVoice)
    note = Note(60, 0.1, 100, kit.instruments[0])
    np.testing.assert_allclose(
        np.trim_zeros(played(kit.stream(note), 100, 128), "b"), np.trim_zeros(kit.notes([note])[0], "b")
    )


def test_who_can_stream(gm: InstrumentVoice, tiny: InstrumentVoice) -> None:
    kit = antiphon.load("kit")
    for voice in (gm, tiny, kit):
        assert isinstance(voice, Streams)
        assert isinstance(voice.stream(Note(60, 1.0, instrument=voice.instruments[0])), Stream)
    assert not isinstance(antiphon.load("vocoder"), Streams)


def test_knots_of_a_held_note_are_those_of_one_that_is_never_let_go() -> None:
    expected = knots(0, 200_000, None)
    np.testing.assert_array_equal(held_knots(0, len(expected)), expected)
    np.testing.assert_array_equal(held_knots(20, 30), expected[20:50])
    far = held_knots(10_000, 3)
    assert (np.diff(far) == 2048).all()
    for stop in (0, 1, 128, 5000, 100_000, 13_000_000):
        count = held_count(stop)
        assert held_knots(count - 1, 1)[0] >= stop
        assert count == 1 or held_knots(count - 2, 1)[0] < stop
    assert released_knots(4 * RATE)[-1] >= 4 * RATE


# ---- rules that must not look ahead ----------------------------------------------------------------------------------


def test_the_peak_so_far_is_that_of_the_whole_as_far_as_it_goes() -> None:
    """A note that swells late: what comes later does not change what was heard before."""
    loud = torch.linspace(-12, -1, 96).unsqueeze(0) + torch.sin(torch.arange(96.0))
    whole = peaks(loud)
    for cut in (AHEAD, 32, 64):
        first = peaks(loud[:, :cut])
        torch.testing.assert_close(whole[:, :cut], first)
        torch.testing.assert_close(whole[:, cut:], peaks(loud[:, cut:], first[:, -1:]))
    assert float(whole[0, 40]) < float(whole[0, -1]) - 3


def test_a_held_note_dies_when_it_has_been_silent_for_long() -> None:
    times = torch.arange(0.0, 60_000, 1000).unsqueeze(0)
    loud = torch.where(times < 10_000, -2.0, -12.0)
    loud[:, 18] = -3.0  # it comes back within the time allowed, and never after
    peak, begin = peaks(loud), torch.zeros(1)
    died, last = death(loud, peak, times, begin)
    assert float(last) == 18_000
    assert float(died) == 30_000  # the first knot 11,025 samples later
    before, last = death(loud[:, :25], peak[:, :25], times[:, :25], begin)
    assert math.isinf(float(before))
    assert death(loud[:, 25:], peak[:, 25:], times[:, 25:], last)[0] == died


def test_the_pitch_of_a_held_note_knows_nothing_of_its_release(gm: InstrumentVoice) -> None:
    """Drift leaps by 50 cents where the note is let go."""
    at = 128.0 * np.arange(0, 200, 20)
    drift = Drift(at, 10 * np.sin(at / 3000), 5000 + at, np.full(len(at), 50.0))
    tuning = gm.model.generator.tuning(torch.zeros(1, 64), torch.tensor([60.0]), torch.tensor([0.5]))[0]
    held = Pitches(Note(60, 1.0), tuning, replace(drift, after=at[:0], after_cents=at[:0]), math.inf, True)
    released = Pitches(Note(60, 1.0), tuning, drift, 5000.0, True)
    never, whole = held.track(0, 101), released.track(0, 101)
    known = int(let_go_at(5000.0))
    np.testing.assert_array_equal(whole.cycles[:known], never.cycles[:known])
    torch.testing.assert_close(whole.gone[:known], never.gone[:known], atol=1e-9, rtol=0)
    assert abs(1200 * np.log2(whole.cycles[known] / whole.cycles[known - 1])) > 20
    before, gone = None, []
    for first in range(0, 100, 10):
        before = released.track(first, 11, before)
        gone.append(before.gone[:10])
    torch.testing.assert_close(torch.cat(gone), whole.gone[:100], atol=1e-9, rtol=0)
