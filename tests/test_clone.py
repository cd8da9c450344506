"""Cloning: what is heard in a recording, what is refused and how, and that a clone is a voice like any other."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RATE, tone

import antiphon
from antiphon.audio.files import read_audio, write_audio
from antiphon.audio.mel import fit_length, mel_distance
from antiphon.data.analysis.pitch import measure_f0
from antiphon.data.analysis.recording import OneNote, chord_tone, octave_of, one_note, second_attack, without_noise
from antiphon.metrics import takes
from antiphon.music.room import Room
from antiphon.networks.encoders.note import on_sphere
from antiphon.training import invert
from antiphon.training.batches.excerpts import ExcerptSource
from antiphon.verbs import clone
from antiphon.voices.instrument import InstrumentVoice

SILENCE = np.zeros(RATE // 8, np.float32)
NEVER = np.random.default_rng(3).standard_normal(RATE).astype(np.float32)


def recorded(*notes: np.ndarray) -> np.ndarray:
    return np.concatenate([SILENCE, *notes, SILENCE])


@pytest.fixture
def quick(monkeypatch):
    """Make learning short, and the choice among takes small."""
    how = invert.Inversion(pivot_steps=2, steps=2, batch=2)
    monkeypatch.setattr(invert, "Inversion", lambda: how)
    monkeypatch.setattr(takes, "ALTOGETHER", 16)


@pytest.fixture
def sample(tmp_path) -> Path:
    return write_audio(tmp_path / "my kalimba.wav", recorded(tone(57, 0.6)))


# ---- what is heard -------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [45, 57, 69, 81])
def test_pitch_and_onset_are_found(pitch):
    note = one_note(recorded(tone(pitch + 0.2, 0.6)), "x")
    assert note.pitch == pitch
    assert not note.remarks
    assert np.abs(note.audio[:400]).max() > 1e-3  # it begins at once


def test_vibrato_is_one_note():
    t = np.arange(RATE) / RATE
    phase = 2 * np.pi * np.cumsum(440 * 2 ** (0.4 * np.sin(2 * np.pi * 6 * t) / 12)) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 6)) * 0.2 * np.minimum(t / 0.05, 1)
    assert one_note(recorded(sound.astype(np.float32)), "x").pitch == 69


@pytest.mark.parametrize("size", [0.2, 1.0])
def test_a_note_in_a_room_is_one_note(size):
    dry = recorded(tone(57, 0.6), np.zeros(2 * RATE, np.float32))
    wet = dry + Room(size, RATE)(np.repeat(dry[:, None], 2, 1)).mean(1)
    note = one_note(wet, "x")
    assert note.pitch == 57
    assert len(note.audio) > 0.6 * RATE  # the room is part of it
    assert np.abs(note.audio[:400]).max() > 1e-3


def test_steady_noise_is_taken_out():
    clean = recorded(tone(57, 0.6))
    noisy = clean + 0.004 * NEVER[: len(clean)]
    quieter, remarks = without_noise(noisy, "x")
    assert "noise" in remarks[0]
    before, after = (np.square(x - clean).sum() for x in (noisy, quieter))
    assert after < 0.3 * before
    same, remarks = without_noise(clean, "x")
    assert not remarks
    np.testing.assert_array_equal(same, clean)


def coloured(kind: str, size: int) -> np.ndarray:
    """Steady noise as loud as `tone`: hiss, a room's rumble, or the mains."""
    t, draw = np.arange(size) / RATE, np.random.default_rng(7)
    if kind == "hum":
        noise = sum(np.sin(2 * np.pi * 50 * k * t + k) / k for k in (1, 2, 3))
    else:
        spectrum = np.fft.rfft(draw.standard_normal(size))
        hz = np.fft.rfftfreq(size, 1 / RATE)
        noise = np.fft.irfft(spectrum if kind == "white" else spectrum * (hz > 20) / np.maximum(hz, 20), size)
    return (tone(61, 1.0).std() * noise / noise.std()).astype(np.float32)


@pytest.mark.parametrize("said", [None, 61.0])
@pytest.mark.parametrize(("kind", "below"), [("white", 20), ("white", 15), ("brown", 20), ("brown", 30),
                                             ("hum", 20), ("hum", 30)])  # fmt: skip
def test_noise_before_a_note_is_not_the_note(kind, below, said):
    run_up = np.zeros(RATE // 2, np.float32)
    clean = np.concatenate([run_up, tone(61, 1.0), run_up])
    made = one_note(clean + coloured(kind, len(clean)) * np.float32(10 ** (-below / 20)), "x", said)
    assert made.pitch == 61
    assert len(made.remarks) == 1
    assert "noise" in made.remarks[0]
    alone = tone(61, 1.0)
    at = int(np.flatnonzero(np.abs(made.audio) > 0.2)[0]) - int(np.flatnonzero(np.abs(alone) > 0.2)[0])
    assert -64 <= at < 0.03 * RATE  # it begins where the note does
    rest = made.audio[at + 2048 : at + len(alone) - 2048] - alone[2048:-2048]
    assert np.square(rest).mean() < 0.03 * np.square(alone).mean()


def test_what_rings_or_swells_is_not_noise():
    t = np.arange(2 * RATE) / RATE
    bell = sum(level * np.sin(2 * np.pi * 440 * ratio * t) * np.exp(-t * rate)
               for ratio, level, rate in ((1, 0.05, 1), (2.756, 0.2, 5), (5.404, 0.4, 9)))  # fmt: skip
    swell = np.sin(2 * np.pi * 440 * t) * 10 ** (-(2 - t) * 15 / 20)
    for sound in (bell, swell):
        same, remarks = without_noise(sound.astype(np.float32), "x")
        assert not remarks
        np.testing.assert_array_equal(same, sound.astype(np.float32))


def test_a_touch_before_the_note_is_left_out():
    note = one_note(recorded(0.03 * tone(74, 0.4), tone(57, 0.6)), "x")
    assert note.pitch == 57
    assert 0.55 * RATE < len(note.audio) < 0.8 * RATE
    assert "begins at 0.5" in note.remarks[0]


def test_only_the_first_of_two_attacks_is_used():
    struck = tone(57, 0.5, plucked=True)
    assert second_attack(struck) is None
    at = second_attack(np.concatenate([struck, struck]))
    assert at is not None
    assert abs(at - len(struck)) < RATE // 20
    note = one_note(recorded(struck, struck), "x")
    assert "another attack" in note.remarks[0]
    assert len(note.audio) < 0.6 * RATE


@pytest.mark.parametrize("interval", [4, 5, 7])
def test_a_second_tone_is_heard(interval):
    both = tone(57, 0.6) + tone(57 + interval, 0.6)
    found = [chord_tone(both, 57), chord_tone(both, 57 + interval)]
    assert any(f is not None for f in found)
    assert chord_tone(tone(57, 0.6), 57) is None


def test_above_the_trackers_range_octaves_are_mended():
    assert octave_of(tone(100, 0.4), 88) == 100
    assert octave_of(tone(57, 0.4), 57) == 57


def test_a_bell_is_heard_by_its_lowest_partial_and_believed_by_name():
    """The tracker hears an octave below the loudest, which is the third."""
    files = sorted((Path(__file__).parent.parent / "examples/notes/glockenspiel").glob("0[67]*.flac"))[::3]
    assert len(files) > 3
    for file in files:
        sound, key = read_audio(file), float(file.name[:3])
        named = one_note(sound, "x", hint=key)
        assert (named.pitch, named.remarks) == (key, ())
        with contextlib.suppress(antiphon.AntiphonError):  # faint ones are refused
            assert one_note(sound, "x").pitch == key


def test_an_organ_is_heard_by_its_lowest_stop():
    file = Path(__file__).parent.parent / "examples/notes/church-organ/041-v106.flac"
    assert one_note(read_audio(file), "x").pitch == 41


def test_where_ear_and_claim_disagree_you_are_told():
    sound = recorded(tone(64, 0.8))
    named = one_note(sound, "flute_A4.wav", hint=69)
    assert (named.pitch, len(named.remarks)) == (64, 1)
    assert "it sounds like E4, which is used, not A4" in named.remarks[0]
    octave = one_note(sound, "x", hint=76)
    assert octave.pitch == 64
    assert "it sounds like E4, which is used, not E5" in octave.remarks[0]
    said = one_note(sound, "x", 76)
    assert said.pitch == 76
    assert "E5 is used as given, though it sounds like E4" in said.remarks[0]
    with pytest.raises(antiphon.AntiphonError, match="sounds like E4, not G4"):
        one_note(sound, "x", 67)


def test_the_way_to_say_a_pitch_is_the_callers():
    t = np.arange(RATE) / RATE
    slide = np.sin(2 * np.pi * np.cumsum(300 * 4**t) / RATE).astype(np.float32)
    with pytest.raises(antiphon.AntiphonError, match=r"no steady pitch .*: put it into the name"):
        one_note(recorded(slide), "x", say="put it into the name")


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (recorded(tone(57, 0.6) + tone(61, 0.6)), "record a single note"),
        (recorded(tone(57, 0.6) + tone(61, 0.6) + tone(64, 0.6)), "A3 and C#4 at once"),
        (recorded(tone(57, 0.8), tone(64, 0.8)), "A3 and then E4"),
        (recorded(tone(57, 0.6)) + 0.2 * NEVER[: len(recorded(tone(57, 0.6)))], "closer or louder"),
        (0.2 * NEVER, "closer or louder"),
        (0 * NEVER, "silent"),
        (NEVER[:500], "too short"),
    ],
)
def test_what_is_no_note_is_refused_in_words(sound, words, voice):
    with pytest.raises(antiphon.AntiphonError, match=words):
        clone.from_audio([sound], voice, names=["mine.wav"])


def test_a_recording_of_nothing_is_silent():
    with pytest.raises(antiphon.AntiphonError, match="silent"):
        one_note(np.zeros(0, np.float32), "mine.wav")


# ---- what is learned -----------------------------------------------------------------------------


def test_inversion_comes_nearer_than_the_encoder(voice, monkeypatch):
    how = invert.Inversion(pivot_steps=20, steps=50, batch=4, head_rate=2e-3)
    monkeypatch.setattr(invert, "Inversion", lambda: how)
    monkeypatch.setattr(takes, "ALTOGETHER", 8)  # they are chosen afterwards
    sound = tone(57, 0.6, level=0.2)
    w = voice.encode([sound], [57.0], [0.55])
    made = clone.from_audio([recorded(sound)], voice, pitches=[57.0])
    sounds = voice.notes([antiphon.Note(57, 0.55)], w=w)[0], made.note(57, seconds=0.55)
    plain, learned = (fit_length(s, len(sound)) for s in sounds)
    levelled = [s * (np.abs(sound).max() / np.abs(s).max()) for s in (plain, learned)]
    assert mel_distance(levelled[1], sound) < 0.7 * mel_distance(levelled[0], sound)


def learning(voice, sound: np.ndarray, folder: Path, **how) -> invert._Learning:
    data = clone._measured([OneNote(sound, 57.0)], ["x"], [100], "clone", folder)
    source = ExcerptSource(data, clone.CROP, 0)
    return invert._Learning(voice.model.generator, source, invert.Inversion(**how), lambda done, total: None)


def test_a_clone_begins_where_it_sounds_nearest(voice, tmp_path):
    """Of several starts the ear chooses the one that the recording was made with, wherever it stands."""
    harp = voice.imagine("harp")
    others = on_sphere(torch.randn(3, len(harp), generator=torch.Generator().manual_seed(1)))
    sound = voice.notes([antiphon.Note(57, 0.6, 100)], w=harp.unsqueeze(0))[0]
    for at in range(4):
        known = torch.cat([others[:at], harp.unsqueeze(0), others[at:]])
        start, home = learning(voice, sound, tmp_path / f"{at}", near=1.0)._choice(others[0], known)
        assert torch.equal(start, harp)
        assert torch.equal(home, harp)


def test_a_clone_stays_near_what_the_voice_imagines(voice, tmp_path):
    start, kin = voice.known("harp")[0], voice.known("harp")[1:2]
    apart = []
    for near in (0.0, 100.0):
        w = learning(voice, tone(57, 0.6), tmp_path / f"{near}", pivot_steps=30, batch=2, near=near).pivot(start, kin)
        apart.append(float((w - kin[0]).square().mean()))
    assert apart[1] < 0.8 * apart[0]


def test_a_clone_may_begin_halfway_and_where_it_was_heard(voice, tmp_path):
    """Where nothing known sounds right; it then stays near what it begins halfway to, or is most alike."""
    heard = voice.known("harp")[0]
    known = on_sphere(torch.randn(4, len(heard), generator=torch.Generator().manual_seed(2)))
    halfway = on_sphere(heard + known[2])
    for at, (w, home) in enumerate([(halfway, known[2]), (heard, known[int((known @ heard).argmax())])]):
        sound = voice.notes([antiphon.Note(57, 0.6, 100)], w=w.unsqueeze(0))[0]
        begun = learning(voice, sound, tmp_path / f"{at}", near=0.0)._choice(heard, known)
        assert torch.equal(begun[0], w)
        assert torch.equal(begun[1], home)


def test_what_a_clone_stays_near(voice):
    w = voice.known("harp")[3]
    assert torch.equal(clone._known(voice, w, None), w[None])
    assert torch.equal(clone._known(voice, w, voice.instruments[-1]), voice.known(voice.instruments[-1]))


def test_told_what_it_is_a_clone_begins_there(voice, quick):
    sound = [recorded(tone(57, 0.6))]
    plain, told = (clone.from_audio(sound, voice, as_=label).imagine("clone") for label in (None, voice.instruments[0]))
    assert not torch.equal(plain, told)
    with pytest.raises(antiphon.AntiphonError, match="no instrument named 'ophicleide'"):
        clone.from_audio(sound, voice, as_="ophicleide")


def test_what_goes_wrong_in_the_second_thread_is_raised(voice, quick, monkeypatch):
    def fail(*args):
        raise RuntimeError("no attack")

    monkeypatch.setattr(invert._Learning, "_onset", fail)
    with pytest.raises(RuntimeError, match="no attack"):
        clone.from_audio([recorded(tone(57, 0.6))], voice, pitches=[57.0])


def test_the_voice_it_began_from_is_left_alone(voice, quick):
    before = {k: v.clone() for k, v in voice.model.state_dict().items()}
    made = clone.from_audio([recorded(tone(57))], voice, label="mine")
    assert made.instruments == ("mine",)
    assert all(torch.equal(v, voice.model.state_dict()[k]) for k, v in before.items())
    assert not torch.equal(made.model.generator.heads.weight, voice.model.generator.heads.weight)


def test_a_clone_has_one_character(voice, quick):
    made = clone.from_audio([recorded(tone(57)), recorded(tone(64))], voice)
    w = [made.imagine("clone", seed=seed) for seed in (0, 1, 99)]
    assert torch.equal(w[0], w[1])
    assert torch.equal(w[0], w[2])
    assert made.info.range_of["clone"] == (45.0, 76.0)


def test_a_clone_of_a_mistuned_note_plays_on_the_key(voice, quick):
    made = clone.from_audio([recorded(tone(57.3, 0.6))], voice)
    assert abs(measure_f0(made.note(69, seconds=0.5), 69)[1]) < 5


def test_the_take_that_was_recorded_is_found(voice, tmp_path, quick):
    made = clone.from_audio([recorded(tone(57))], voice)
    assert list(made.info.takes) == [57.0]
    made.info = replace(made.info, takes={})
    recording = np.float32(0.5) * made.note(57, seconds=2, velocity=90, seed=11)[: 2 * RATE]
    data = clone._measured([OneNote(recording, 57.0)], ["x"], [90], "clone", tmp_path)
    nearest = takes.nearest_takes(made, data, tried=16, kept=3)[57.0]
    assert nearest[0] == 11
    assert len(set(nearest)) == 3


def test_at_a_recorded_key_its_takes_are_played_by_turns(voice):
    w = np.repeat(voice.imagine("harp").numpy()[None], 4, 0)
    chosen = InstrumentVoice(voice.model, replace(voice.info, takes={57.0: (7, 3)}))
    for key, seeds in ((57, (7, 3, 7, 3)), (58, (0, 1, 2, 3))):
        usual = voice.notes([antiphon.Note(key, 0.3, seed=seed) for seed in seeds], w)
        sounds = chosen.notes([antiphon.Note(key, 0.3, seed=seed) for seed in range(4)], w)
        assert all(len(a) == len(b) and np.allclose(a, b, atol=1e-5) for a, b in zip(usual, sounds, strict=True))
        assert not np.allclose(sounds[0], sounds[1], atol=1e-5)


# ---- the verb ------------------------------------------------------------------------------------


def test_a_clone_is_a_file_that_plays(sample, run_folder, song, tmp_path, quick):
    out = antiphon.clone(run_folder, sample, tmp_path / "kalimba", quiet=True)
    assert out == tmp_path / "kalimba.safetensors"
    made = antiphon.load(tmp_path / "kalimba")
    assert made.instruments == ("kalimba",)
    assert {key: len(takes) for key, takes in made.info.takes.items()} == {57.0: 8}
    assert antiphon.play(song, tmp_path / "song.wav", out, quiet=True).exists()
    assert len(list(antiphon.generate(out, tmp_path / "notes", 2, seconds=0.1, quiet=True).iterdir())) == 2


def test_the_same_seed_makes_the_same_bytes(sample, run_folder, tmp_path, quick):
    files = [antiphon.clone(run_folder, sample, tmp_path / f"{i}", seed=i // 2, quiet=True) for i in range(3)]
    first, again, other = (f.read_bytes() for f in files)
    assert first == again
    assert first != other


def test_nothing_is_overwritten(sample, run_folder, tmp_path, quick):
    (tmp_path / "mine.safetensors").write_text("precious")
    with pytest.raises(antiphon.AntiphonError, match="exists"):
        antiphon.clone(run_folder, sample, tmp_path / "mine", quiet=True)
    assert (tmp_path / "mine.safetensors").read_text() == "precious"
    antiphon.clone(run_folder, sample, tmp_path / "mine", force=True, quiet=True)
    assert antiphon.load(tmp_path / "mine").info.training["cloned_from"] == antiphon.load(run_folder).info.name


def test_the_command_line(sample, run_folder, tmp_path, antiphon_line, quick):
    said = antiphon_line("clone", run_folder, sample, "--pitch", "A3", "--name", "my thing", "-o", tmp_path / "mine")
    assert (said.status, said.out) == (0, [str(tmp_path / "mine.safetensors")])
    assert "my thing" in "\n".join(antiphon_line("info", tmp_path / "mine.safetensors").out)
    said = antiphon_line("clone", run_folder, sample, "--as", "ophicleide", "-o", tmp_path / "other")
    assert (said.status, len(said.err)) == (2, 1)
    assert "no instrument named 'ophicleide'" in said.err[0]
    said = antiphon_line("clone", run_folder, sample, "--pitch", "A3", "B3", "-o", tmp_path / "other")
    assert (said.status, len(said.err)) == (2, 1)
    assert "one for each" in said.err[0]
    said = antiphon_line("clone", run_folder, tmp_path / "none.wav", "-o", tmp_path / "other")
    assert (said.status, len(said.err)) == (2, 1)
    assert not (tmp_path / "other.safetensors").exists()
