"""Songs with the bundled voice: what the sines of the other tests cannot show."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tunes import RATE, cc, cut, instantaneous, level, note, off, on, pitch, program, rpn, save, wheel

import antiphon
from antiphon.music.casting import cast
from antiphon.music.midi import read_midi
from antiphon.music.player import MIX, stream
from antiphon.verbs.play import SONGS, _drummer, from_file_to_file
from antiphon.voices.expression import character

pytestmark = pytest.mark.skipif("gm" not in antiphon.bundled(), reason="the voice gm is not in this checkout")


@pytest.fixture(scope="module")
def gm():
    return antiphon.load("gm")


def players_of(path, voice, **how):
    return cast(read_midi(path), lambda name, seed: character(voice, name, seed=seed), **how)


def played(path, voice, **how) -> np.ndarray:
    return np.concatenate([block[MIX] for block in stream(players_of(path, voice, **how), voice)])


@pytest.mark.filterwarnings("error")
def test_real_songs_of_thousands_of_notes_need_no_warning(gm):
    dense = Path(__file__).parent.parent / "benchmarks/songs/dense.mid"
    for path, notes in ((SONGS / "antiphon.mid", 698), (dense, 4852)):
        song = read_midi(path)
        players = players_of(path, gm, drummer=_drummer({}))
        assert song.warnings == ()
        assert sum(len(player.part.notes) for player in players) == notes
        assert all(player.note(0).instrument in gm.instruments for player in players[: len(song.parts)])


@pytest.fixture
def busy(tmp_path):
    """Sixty notes of three instruments in four seconds, with controllers."""
    draw = np.random.default_rng(3)
    tracks = []
    for channel, instrument in enumerate((0, 40, 73)):
        events = [
            program(instrument, channel=channel),
            cc(10, 40 * channel, channel=channel),
            cc(1, 40, channel=channel),
        ]
        for key in draw.integers(50, 85, 20).tolist():
            events += [
                on(key, 60, int(draw.integers(40, 127)), channel),
                off(key, int(draw.integers(60, 200)), channel),
            ]
        tracks.append(events)
    return save(tmp_path / "busy.mid", *tracks)


def test_a_song_is_the_sum_of_its_notes_one_by_one(gm, busy):
    """To a thousandth, -60 dB: rounding differs slightly between batches and single notes."""
    mix = played(busy, gm)
    alone = np.zeros_like(mix)
    for player in players_of(busy, gm):
        for index, written in enumerate(player.part.notes):
            (sound,) = gm.notes([player.note(index)], player.w(index)[None])
            at = round(written.onset * RATE)
            angle = (player.part.pan[-1][1] + 1) * np.pi / 4
            sides = 0.25 * player.part.gain[-1][1] * np.array([np.cos(angle), np.sin(angle)])
            room = alone[at : at + len(sound)]
            room += (sound[:, None] * sides)[: len(room)]
    assert np.abs(mix - alone).max() < 1e-3 * np.abs(mix).max()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here")
def test_the_same_bytes_on_one_processor_and_on_all(gm, busy, tmp_path):
    mine = os.sched_getaffinity(0)
    how = {"seed": 4, "room": 0.3, "stems": True, "force": True}
    from_file_to_file(busy, tmp_path / "all.wav", gm, **how)
    try:
        os.sched_setaffinity(0, {min(mine)})
        from_file_to_file(busy, tmp_path / "one.wav", gm, **how)
    finally:
        os.sched_setaffinity(0, mine)
    every = {f.name.removeprefix("all"): f.read_bytes() for f in tmp_path.glob("all*.wav")}
    assert {f.name.removeprefix("one"): f.read_bytes() for f in tmp_path.glob("one*.wav")} == every
    assert len(every) == 5  # the mix, three stems, the room
    from_file_to_file(busy, tmp_path / "other.wav", gm, **{**how, "seed": 5})
    assert (tmp_path / "other.wav").read_bytes() != every[".wav"]


def test_partials_and_noise_are_the_sound(gm, busy):
    whole = played(busy, gm)
    parts = list(stream(players_of(busy, gm), gm, parts=True))
    partials, noise = (np.concatenate([block[name] for block in parts]) for name in ("partials", "noise"))
    assert np.abs(partials + noise - whole).max() < 1e-5
    assert 0.01 < np.abs(noise).max() / np.abs(partials).max() < 1


def test_onsets_within_3_ms(gm, tmp_path):
    """Struck instruments, each alone: silence before the onset, and the rise where the note's own attack has it."""
    path = save(tmp_path / "a.mid", [program(9), on(72, 480), off(72, 96), program(0), on(60, 4704), off(60, 96),
                                     program(13), on(67, 4704), off(67, 96)])  # fmt: skip
    sound = np.abs(played(path, gm)).max(axis=1)
    for player, onset in zip(players_of(path, gm), (0.5, 5.5, 10.5), strict=True):
        at = round(onset * RATE)
        assert sound[at - 100 : at].max() == 0
        (alone,) = gm.notes([player.note(0)], player.w(0)[None])
        rises = [np.flatnonzero(x[:2205] > 0.1 * x[:2205].max())[0] for x in (sound[at:], np.abs(alone))]
        assert abs(rises[0] - rises[1]) <= 0.003 * RATE
        assert rises[0] <= 0.01 * RATE  # struck instruments sound at once


def test_pitch_wheel_range_and_tuning(gm, tmp_path):
    """A flute: the wheel's octave, coarse and fine tuning, each to ten cents."""
    flute = [program(73), *note(72), *rpn(0, 12), wheel(8191), *note(60), wheel(0), *rpn(2, 67), *note(69)]
    sound = played(save(tmp_path / "a.mid", [*flute, *rpn(2, 64), *rpn(1, 96, 0), *note(72)]), gm)
    found = [pitch(sound, 0.5 * i + 0.15, 0.5 * i + 0.48) for i in range(4)]
    assert found == pytest.approx([72, 72, 72, 72.5], abs=0.1)


def test_controllers_as_they_are_heard(gm, tmp_path):
    """Four times the same flute's note, two seconds each: as it is, to the left, at half the volume, with the wheel."""
    moves = [[], [cc(10, 0)], [cc(10, 64), cc(7, 50)], [cc(7, 100), cc(1, 127)]]
    flute = [program(73), *(m for move in moves for m in (*move, on(72), off(72, 1440), cc(1, 0, 480)))]
    sound = played(save(tmp_path / "a.mid", flute), gm)
    plain, left, soft, waving = (level(sound, 2 * i + 0.3, 2 * i + 1.3) for i in range(4))
    assert plain[0] == pytest.approx(plain[1], rel=0.01)
    assert left[1] < 1e-3 * left[0]
    assert 20 * np.log10(left[0] / plain[0]) == pytest.approx(3, abs=1)  # of equal power; another variant
    assert 20 * np.log10(soft[0] / plain[0]) == pytest.approx(-12, abs=1)
    assert waving[0] == pytest.approx(plain[0], rel=0.2)
    swings = [_vibrato(sound, 2 * i + 0.3, 2 * i + 1.3) for i in (0, 3)]
    assert swings[0] < 12
    assert swings[1] == pytest.approx(50, abs=10)  # cents: the default depth


def _vibrato(sound: np.ndarray, start: float, stop: float) -> float:
    """Cents either side of a flute's fundamental."""
    spectrum = np.fft.rfft(cut(sound, start - 0.2, stop + 0.2))
    hz = np.fft.rfftfreq(len(cut(sound, start - 0.2, stop + 0.2)), 1 / RATE)
    alone = np.fft.irfft(spectrum * (np.abs(hz - 523.25) < 120))
    cents = 100 * instantaneous(np.stack([alone, alone], 1))[round(0.2 * RATE) : -round(0.2 * RATE)]
    return float(np.ptp(np.quantile(cents, [0.05, 0.95]))) / 2


def test_the_pedal_and_a_change_of_program_as_they_are_heard(gm, tmp_path):
    """An organ's key, down for half a second: it sounds on while the pedal is down. Then a glockenspiel plays."""
    keys = [program(19), cc(64, 127), on(60), off(60, 480), cc(64, 0, 960), program(9, 960), on(84), off(84, 480)]
    path = save(tmp_path / "a.mid", keys)
    sound = played(path, gm)
    first, held, after, bell = (level(sound, t, t + 0.2).sum() for t in (0.25, 1.1, 2.2, 2.5))
    assert held > 0.5 * first
    assert after < 0.05 * first
    assert bell > 5 * after
    organ, glockenspiel = players_of(path, gm)
    for player, start in ((organ, 0.0), (glockenspiel, 2.5)):
        (alone,) = gm.notes([player.note(0)], player.w(0)[None])
        part = cut(sound, start + 0.05, start + 0.4)
        assert np.corrcoef(part, alone[round(0.05 * RATE) :][: len(part)])[0, 1] > 0.99


def test_strokes_of_one_key_are_alike_and_not_the_same(gm, tmp_path):
    strokes = [message for _ in range(2) for message in (on(60, 240, 90), off(60, 240))]
    sound = played(save(tmp_path / "a.mid", [program(11), *strokes]), gm)
    first, second = (cut(sound, 0.25 + 0.5 * i, 0.4 + 0.5 * i) for i in (0, 1))
    spectra = [np.log(np.abs(np.fft.rfft(part * np.hanning(len(part))))[:600] + 0.01) for part in (first, second)]
    assert np.corrcoef(spectra)[0, 1] > 0.9
    assert np.abs(first - second).max() > 0.05 * np.abs(first).max()


def test_a_morph_within_a_song(gm, tmp_path):
    """At its ends it is the flute and the cello that the song would have without the morph."""
    path = save(tmp_path / "a.mid", [m for _ in range(4) for m in (on(60, 240), off(60, 240))])
    names = ("flute>cello@0:01-0:01.5", "flute", "cello")
    morph, flute, cello = (cut(played(path, gm, instrument=name), 0, 2) for name in names)
    early, late = slice(0, int(0.7 * RATE)), slice(int(1.75 * RATE), 2 * RATE)
    assert np.abs(morph[early] - flute[early]).max() < 1e-3
    assert np.abs(morph[late] - cello[late]).max() < 0.05 * np.abs(cello[late]).max()


@pytest.mark.skipif("kit" not in antiphon.bundled(), reason="the voice kit is not in this checkout")
def test_a_part_is_made_drums_and_drums_are_made_a_part(gm, tmp_path):
    """--map 11=kit,10=piano: what is struck is loud at once, and the kit's part has the pitch of its keys."""
    strokes = [m for key in (36, 38) for m in note(key, 480, channel=10)]
    path = save(tmp_path / "a.mid", strokes, [m for key in (64, 64) for m in note(key, 480, channel=9)])
    from_file_to_file(path, tmp_path / "a.wav", gm, stems=True, mapping={"11": "kit", "10": "piano"})
    stems = {f.name: soundfile.read(f)[0] for f in tmp_path.glob("a-*.wav")}
    assert set(stems) == {"a-01-11-drums.wav", "a-02-10.wav"}
    assert np.abs(stems["a-01-11-drums.wav"][: RATE // 10]).max() > 1e-3
    assert pitch(stems["a-02-10.wav"], 0.1, 0.45) % 12 == pytest.approx(4, abs=0.1)  # an E, or its octave
