"""What a musician tries in the first hour: any voice in the band, a part alone, a few bars, another tempo, several
pitches, sounds that have a place, and words that say what happened."""

from __future__ import annotations

import json
import runpy
import warnings
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from conftest import RATE, TINY, tone
from tunes import SineVoice, band

import antiphon
from antiphon.audio.files import write_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import renamed
from antiphon.data.labelling.drums import DRUMS
from antiphon.data.labelling.resolve import resolve_instrument
from antiphon.data.labelling.several_pitches import parse_pitches
from antiphon.data.prepared import Prepared
from antiphon.metrics.renderers import _known_as
from antiphon.music import stage
from antiphon.music.arrange import paced, stretch, transposed, until
from antiphon.music.casting import cast, heard
from antiphon.music.midi import read_midi
from antiphon.music.player import stream
from antiphon.music.song import Part, Song, SongNote
from antiphon.networks.generators.instrument import TOLD, time_features
from antiphon.training.reports.sheet import choose_notes
from antiphon.verbs.data import prepare
from antiphon.voices.hiring import hired

SONG = Path(antiphon.__file__).parent / "music" / "songs" / "antiphon.mid"


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """A voice of one instrument, an oboe."""
    folder = tmp_path_factory.mktemp("sounds") / "oboe"
    for pitch in range(60, 73, 3):
        write_audio(folder / "oboe" / f"oboe_{pitch}.wav", tone(pitch))
    run = tmp_path_factory.mktemp("runs") / "oboe"
    how = {"size": "tiny", "steps": 1, "settings": TINY, "from_scratch": True, "quiet": True, "threads": 1}
    antiphon.train(folder, run, **how)
    return run


@pytest.fixture(scope="module")
def tune(tmp_path_factory) -> Path:
    """Two bars of 4/4 at 120, one of 3/4: a flute, a violin and a drum, a note a beat."""
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    time = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=4, denominator=4)])
    time.append(mido.MetaMessage("time_signature", numerator=3, denominator=4, time=480 * 8))
    file.tracks.append(time)
    for name, channel, program, key in (("Flute", 0, 73, 64), ("Violin", 1, 40, 60), ("Beat", 9, 0, 38)):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        track.append(mido.Message("program_change", channel=channel, program=program))
        for beat in range(11):
            track.append(mido.Message("note_on", channel=channel, note=key + beat % 3, velocity=90))
            track.append(mido.Message("note_off", channel=channel, note=key + beat % 3, time=480))
        file.tracks.append(track)
    path = tmp_path_factory.mktemp("tunes") / "tune.mid"
    file.save(path)
    return path


def refused(said, *words: str) -> str:
    """The one line on stderr of a refused command line."""
    assert said.status == 2, said
    assert said.out == []
    for word in words:
        assert word in said.err[-1]
    return said.err[-1]


# ---- 1: any voice can join the band ----------------------------------------------------------------------------------


def test_any_voice_plays_a_part(antiphon_line, run_folder, other, tune, tmp_path):
    line = ["play", tune, "--voice", run_folder, "--dry-run", "--map"]
    for name in (other, other / "weights.safetensors", f"{other}:oboe"):
        said = antiphon_line(*line, f"Flute={name},2=harp")
        assert said.status == 0, said
        assert said.out[0] == "02-01 Flute: oboe of oboe, 11 notes, E4 to F#4"
        assert said.out[1] == "03-02 Violin: harp, 11 notes, C4 to D4"
        assert said.out[2] == "04-10 Beat: kit, 11 notes"
    out = tmp_path / "band.wav"
    assert antiphon_line(*line[:-2], "-o", out, "--map", f"1={other}", "--only", "1", "--to", "0.5").status == 0
    alone = antiphon.load(other).note(64, seconds=0.5, instrument="oboe")
    heard = soundfile.read(out)[0].mean(1)
    assert np.abs(np.fft.rfft(heard[: RATE // 4])).argmax() > 0
    assert abs(len(heard) - len(alone)) < RATE


def test_an_instrument_of_another_voice_is_as_it_sounds_there(voice, other):
    """The part that is hired sounds as its voice plays it, and the other parts as before."""
    part = Part(0, 0, 40, "a", (SongNote(0.0, 0.4, 62, 90),))
    second = Part(1, 1, 46, "b", (SongNote(0.0, 0.4, 60, 90),))
    from antiphon.verbs import play

    both = Song((part, second), seconds=0.4)
    oboe = antiphon.load(other)
    how = {"width": 0.0, "gain": 0.0}
    hired_only = play.from_song(both, voice, mapping={"1": str(other)}, only=["1"], **how)
    as_voice = play.from_song(both, oboe, mapping={"1": "oboe"}, only=["1"], **how)
    np.testing.assert_allclose(hired_only, as_voice, atol=1e-4)


def test_names_of_voices_in_an_expression(voice, other, run_folder):
    assert hired(voice, "violin") == (None, "violin")
    assert hired(voice, "violin:0.6,harp:0.4") == (None, "violin:0.6,harp:0.4")
    found, rest = hired(voice, str(other))
    assert (found.instruments, rest) == (("oboe",), "oboe")
    assert hired(voice, f"{other}:oboe")[1] == "oboe"
    with pytest.raises(AntiphonError, match=r"2 instruments .*harp, violin.*name one"):
        hired(voice, str(run_folder))
    if "kit" in antiphon.bundled():
        with pytest.raises(AntiphonError, match=r"drum kit.*--kit kit"):
            hired(voice, "kit")


def test_what_a_voice_lacks_is_refused_or_said(antiphon_line, run_folder, other, tune):
    said = antiphon_line("play", tune, "--voice", other, "--dry-run", "--map", "Violin=violin")
    assert said.status == 0
    assert "note: there is no violin here: oboe stands in for it" in said.err
    refused(antiphon_line("play", tune, "--voice", run_folder, "--map", f"1={other}:kazoo"), "kazoo")
    refused(antiphon_line("play", tune, "--voice", run_folder, "--map", f"1={run_folder}"), "name one")
    refused(antiphon_line("play", tune, "--voice", run_folder, "--map", "1=nowhere.safetensors"), "nowhere")


# ---- 4 and the table: everyday options -------------------------------------------------------------------------------


def test_parts_alone_and_left_out(antiphon_line, run_folder, tune):
    line = ["play", tune, "--voice", run_folder, "--dry-run"]
    names = {
        ("--only", "Flute"): ["02-01"],
        ("--only", "2", "t2"): ["02-01", "03-02"],
        ("--mute", "drums"): ["02-01", "03-02"],
        ("--mute", "10,1"): ["03-02"],
        ("--only", "drums"): ["04-10"],
        ("--only", "1", "--only", "2", "--mute", "Violin"): ["02-01"],
    }
    for options, stems in names.items():
        assert [text.split()[0] for text in antiphon_line(*line, *options).out] == stems, options
    refused(antiphon_line(*line, "--only", "Oboe"), "no part matches 'Oboe'", "Flute")
    refused(antiphon_line(*line, "--mute", "1", "2", "drums"), "nothing is left")
    late = ["play", "--voice", run_folder, "--dry-run", "--bars", "1-2"]
    stems = [text.split()[0] for text in antiphon_line(*late, "--map", "Glockenspiel=harp", "--mute", "Flute").out]
    assert stems == ["02-01", "08-07"], "parts that come in later may be named"
    refused(antiphon_line(*late, "--only", "Flute"), "begins in this stretch")
    refused(antiphon_line(*line, "--map", "10=none"), "--mute 10")
    refused(antiphon_line(*line, "--kit", "none"), "--mute drums")


def test_a_part_sounds_the_same_alone(voice, tune):
    from antiphon.verbs import play

    how = {"mute": ["drums"], "lufs": -40.0, "width": 0.5}
    song = read_midi(tune)
    gains = {}
    with play._played(song, voice, how, True, "play") as whole:
        both = np.concatenate([block["mix"] for block in stream(whole.players, voice)])
    for name in ("Flute", "Violin"):
        with play._played(song, voice, how | {"only": [name]}, True, "play") as alone:
            gains[name] = np.concatenate([block["mix"] for block in stream(alone.players, voice)])
    longest = max(map(len, [both, *gains.values()]))
    padded = [np.pad(x, ((0, longest - len(x)), (0, 0))) for x in (both, *gains.values())]
    np.testing.assert_allclose(padded[0], padded[1] + padded[2], atol=1e-5)


def test_bars_begin_where_the_meter_says(tune):
    song = read_midi(tune)
    assert song.bars[:3] == (0.0, 2.0, 4.0)
    assert stretch(song, "2") == (2.0, 4.0)
    assert stretch(song, "1-2") == (0.0, 4.0)
    assert stretch(song, "3-") == (4.0, None)
    assert stretch(song, None, "0:01.5", 3) == (1.5, 3)
    assert paced(song, 2.0).bars[:3] == (0.0, 1.0, 2.0)
    for bars in ("0", "9-2", "x", "2-1", "99"):
        with pytest.raises(AntiphonError, match="bar"):
            stretch(song, bars)
    with pytest.raises(AntiphonError, match="either --bars or"):
        stretch(song, "2", 1)
    with pytest.raises(AntiphonError, match="not a time"):
        stretch(song, None, "soon")
    with pytest.raises(AntiphonError, match="ends at"):
        stretch(song, None, 60)


def test_bars_follow_tempo_changes_and_broken_bars(tmp_path):
    file = mido.MidiFile(type=1, ticks_per_beat=100)
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=6, denominator=8)])
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=300))
    track.append(mido.MetaMessage("time_signature", numerator=2, denominator=4, time=100))  # within the second bar
    track.append(mido.Message("note_on", note=60, velocity=60))
    track.append(mido.Message("note_off", note=60, time=600))
    file.tracks.append(track)
    file.save(tmp_path / "m.mid")
    song = read_midi(tmp_path / "m.mid")
    np.testing.assert_allclose(song.bars[:5], [0.0, 1.5, 2.5, 4.5, 6.5])


def test_a_stretch_is_cut_out_of_the_whole():
    notes = tuple(SongNote(0.5 * k, 0.4, 60 + k, 80) for k in range(12))
    song = Song((Part(0, 0, 0, "", notes),), seconds=6.0)
    voice = SineVoice(0.1)
    whole = np.concatenate([block["mix"] for block in stream(band(song), voice)])
    some = np.concatenate([block["mix"] for block in stream(band(song), voice, start=2.2)])
    first = round(2.2 * RATE)
    fade = round(0.005 * RATE)
    np.testing.assert_allclose(some[fade:], whole[first + fade :][: len(some) - fade], atol=1e-6)
    assert len(some) == len(whole) - first
    assert np.abs(some[0]).max() == 0
    short = until(song, 3.2)
    assert len(short.parts[0].notes) == 7
    assert short.parts[0].notes[6].seconds == pytest.approx(0.2)
    assert len(until(song, 0.0).parts[0].notes) == 0


def test_tempo_and_transposition():
    part = Part(0, 0, 0, "", (SongNote(1.0, 2.0, 126, 80),), gain=((0.0, 1.0), (2.0, 0.5)), cuts=(3.0,))
    drum = Part(1, 9, 0, "", (SongNote(1.0, 1.0, 38, 80),))
    song = Song((part,), (drum,), seconds=3.0)
    fast = paced(song, 2.0)
    assert fast.parts[0].notes[0] == SongNote(0.5, 1.0, 126, 80)
    assert list(fast.parts[0].gain) == [(0.0, 1.0), (1.0, 0.5)]
    assert (fast.parts[0].cuts, fast.seconds, fast.drums[0].notes[0].onset) == ((1.5,), 1.5, 0.5)
    up = transposed(song, 3)
    assert up.parts[0].notes[0].pitch == 117, "129 is no key: an octave down"
    assert up.drums[0].notes[0].pitch == 38
    assert transposed(song, -2).parts[0].notes[0].pitch == 124
    assert paced(song, 1.0) is song
    for tempo in (0.0, -1.0, 99.0, float("nan")):
        with pytest.raises(AntiphonError, match="tempo"):
            paced(song, tempo)
    with pytest.raises(AntiphonError, match="transpose"):
        transposed(song, 99)


def test_forms_of_files(antiphon_line, run_folder, tune, tmp_path):
    line = ["play", tune, "--voice", run_folder, "--bars", "1", "--mute", "drums", "-q", "-o"]
    said = antiphon_line(*line, tmp_path / "a.wav", "--rate", "48000", "--bits", "16", "--mono", "--lufs", "-30")
    assert (said.status, said.err) == (0, [])
    found = soundfile.info(tmp_path / "a.wav")
    assert (found.samplerate, found.subtype, found.channels) == (48000, "PCM_16", 1)
    assert antiphon_line(*line, tmp_path / "b.wav", "--bits", "32", "--lufs", "-36").status == 0
    assert antiphon_line(*line, tmp_path / "c.wav", "--lufs", "-30", "--gain", "-6").status == 0
    assert soundfile.info(tmp_path / "b.wav").subtype == "FLOAT"
    b, c = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in "bc")
    np.testing.assert_allclose(b, c, atol=1e-4)
    a = soundfile.read(tmp_path / "a.wav")[0]
    assert 20 * np.log10(np.std(a) / np.std(c.mean(1))) == pytest.approx(6, abs=0.2)
    assert abs(len(a) / 48000 - len(b) / 44100) < 0.01
    refused(antiphon_line(*line, tmp_path / "d.ogg", "--bits", "16"), ".ogg", "--bits")
    refused(antiphon_line(*line, tmp_path / "d.wav", "--rate", "44000"), "44000", "48000")
    refused(antiphon_line(*line, tmp_path / "d.wav", "--lufs", "3"), "LUFS")
    refused(antiphon_line(*line, tmp_path / "d.wav", "--width", "2"), "width")


def test_a_folder_that_is_new(antiphon_line, run_folder, song, tmp_path):
    said = antiphon_line("play", song, "--voice", run_folder, "-o", f"{tmp_path}/new/", "-q")
    assert (said.status, said.err) == (0, [])
    assert said.out == [str(tmp_path / "new" / "song.wav")]


# ---- 13: who plays ---------------------------------------------------------------------------------------------------


def test_play_says_who_plays_and_what_nobody_taught_them(antiphon_line, run_folder, tmp_path, tune):
    said = antiphon_line("play", tune, "--voice", run_folder, "--bars", "1", "-o", tmp_path / "x.wav")
    assert "03-02 Violin: violin, 4 notes, C4 to D4" in said.err
    said = antiphon_line("play", tune, "--voice", run_folder, "--transpose", "-24", "--dry-run")
    far = [text for text in said.err if "guesses" in text]
    assert far
    assert "violin was trained on G3 to " in far[-1]
    assert "11 of 11 notes (C2 to D2) of 03-02 Violin" in far[-1]
    assert not list(tmp_path.glob("*.mid"))


# ---- 14: a stage -----------------------------------------------------------------------------------------------------


def sides(*notes: SongNote, width: float, pan=((0.0, 0.0),), program=0) -> np.ndarray:
    song = Song((Part(0, 0, program, "", notes, pan=pan),), seconds=4.0)
    players = cast(song, lambda name, seed: _Somebody(), width=width)
    return np.concatenate([block["mix"] for block in stream(players, SineVoice(0.2))])


class _Somebody:
    def label(self, seconds: float = 0.0) -> str:
        return "somebody"

    def w(self, seconds: float = 0.0) -> np.ndarray:
        return np.zeros(1, np.float32)

    def shaping(self, seconds: float = 0.0) -> tuple[float, ...]:
        return ()


def test_width_gives_every_sound_a_place():
    low, high = SongNote(0, 1, 40, 80), SongNote(1, 1, 80, 80)
    still = sides(low, width=0.0)
    assert np.array_equal(still[:, 0], still[:, 1])
    chord = [SongNote(0, 1, key, 80) for key in (40, 47, 56, 63, 71)]
    assert np.corrcoef(sides(*chord, width=0.5).T)[0, 1] < 0.985
    for width, better in ((1.0, 1), (-1.0, 0)):
        bells = (sides(low, high, width=width, program=14) ** 2).mean(0)
        assert bells[better] > 1.3 * bells[1 - better], "on the right, and from behind on the left"
    song = Song((Part(0, 0, 0, "", (low, high)),), seconds=2.0)
    (player,) = cast(song, lambda name, seed: _Somebody(), width=1.0)
    assert player.place(0) < player.place(1), "low keys lie left of high ones"


def test_air_is_gone_in_mono_and_the_songs_own_places_stay():
    note = SongNote(0, 1, 60, 80)
    panned = ((0.0, -0.5),)
    plain, wide = (sides(note, width=width, pan=panned) for width in (0.0, 0.8))
    assert np.corrcoef(wide.T)[0, 1] < 0.98
    mono = np.zeros_like(wide)
    mono[: len(plain)] = plain
    np.testing.assert_allclose(wide.sum(1), mono.sum(1), atol=2e-5)


def test_every_drum_has_a_place():
    places = {drum: stage.drum_place(drum) for drum in DRUMS}
    assert places["closed hat"] > 0.3
    assert places["low tom"] < places["mid tom"] < places["high tom"]
    assert places["kick"] == 0
    assert {stage.drum_place(drum) for drum in ("ride", "crash")} == {-0.45, 0.6}
    assert all(-1 <= stage.seat(program) <= 1 for program in range(128))


def test_a_seat_is_a_parts_own():
    notes = (SongNote(0, 1, 60, 80),)
    parts = [Part(k, k, program, "", notes) for k, program in enumerate((0, 40, 73))]
    all_three = cast(Song(tuple(parts), seconds=1.0), lambda name, seed: _Somebody(), width=0.5)
    for k, part in enumerate(parts):
        (alone,) = cast(Song((part,), seconds=1.0), lambda name, seed: _Somebody(), width=0.5)
        assert alone.place(0) == all_three[k].place(0)
    assert len({player.place(0) for player in all_three}) == 3
    assert len(heard(all_three, Song(tuple(parts)), ["2"], [])) == 1


def test_every_part_of_the_example_song_is_heard():
    """While it plays, no melodic part lies more than 26 dB below the loudest of them, from 32 s on, when all of
    them play."""
    levels = {}
    for player in band(read_midi(SONG)):
        sound = np.concatenate([block["mix"] for block in stream([player], SineVoice(0.3), start=32.0)])
        levels[player.part.name] = 20 * np.log10(np.sqrt((sound[np.abs(sound).max(1) > 1e-5] ** 2).mean()))
    assert len(levels) == 9
    assert min(levels.values()) > max(levels.values()) - 26, levels


# ---- 7: Python -------------------------------------------------------------------------------------------------------


def test_misspelt_keywords_are_errors(voice, song, tmp_path):
    for wrong, right in (("temp", "tempo"), ("instrumnet", "instrument"), ("zzz", "it knows")):
        with pytest.raises(TypeError, match=f"{wrong}.*{right}"):
            antiphon.play(song, tmp_path / "x.wav", voice, quiet=True, **{wrong: 1})
    with pytest.raises(TypeError, match="velocity"):
        voice.note(60, velocty=3)
    with pytest.raises(TypeError, match="did you mean 'seed'"):
        antiphon.evaluate(voice, tmp_path, tmp_path / "x.html", sed=3)
    assert list(tmp_path.iterdir()) == []


def test_a_note_by_name_and_a_file_of_it(voice, tmp_path):
    sound = voice.note("C4", instrument="harp", seconds=0.1)
    np.testing.assert_array_equal(sound, voice.note(60, instrument="harp", seconds=0.1))
    with pytest.raises(AntiphonError, match="not a pitch"):
        voice.note("H9z")
    path = antiphon.save(tmp_path / "c4.wav", sound)
    np.testing.assert_allclose(soundfile.read(path)[0], np.clip(sound, -1, 1), atol=2e-7)
    with pytest.raises(AntiphonError, match="exists"):
        antiphon.save(path, sound)
    assert antiphon.save(path, sound, rate=48000, bits=16, force=True) == path
    assert soundfile.info(path).samplerate == 48000


# ---- 8: names --------------------------------------------------------------------------------------------------------

GM = ("violin", "nylon guitar", "steel guitar", "alto sax", "soprano sax", "tubular bells", "accordion", "dulcimer")
KIT = ("kick", "snare", "closed hat", "high tom", "crash")


@pytest.mark.parametrize(
    ("name", "labels", "found", "remarked"),
    [
        ("ukulele", GM, "nylon guitar", True),
        ("Alto", GM, "alto sax", False),
        ("saxophone", GM, "alto sax", False),
        ("hihat", KIT, "closed hat", False),
        ("Hi-Hat", KIT, "closed hat", False),
        ("bass drum", KIT, "kick", False),
        ("clap", KIT, "snare", True),
        ("cello", GM, "violin", True),
        ("40", GM, "violin", False),
        ("oboe", ("my oboe", "harp"), "my oboe", False),
        (66, ("violin", "oboe"), "oboe", False),
    ],
)
def test_names_find_their_instrument(name, labels, found, remarked):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert resolve_instrument(name, labels) == found
    assert bool(said) == remarked


def test_suggestions_do_not_mislead():
    for name, labels, right, wrong in (
        ("kick", GM, "the voice kit has it", "accordion"),
        ("snare", GM, "snare is a drum", "did you mean"),
        ("violin", KIT, "the voice gm has instruments", "high tom"),
        ("violni", GM, "violin", "kit"),
    ):
        with pytest.raises(AntiphonError) as raised:
            resolve_instrument(name, labels)
        assert right in str(raised.value)
        assert wrong not in str(raised.value)


# ---- 6: labels across voices -----------------------------------------------------------------------------------------


def test_labels_across_voices():
    assert _known_as("alto", GM) == "alto sax"
    assert _known_as("violin", GM) == "violin"
    assert _known_as("cello", GM) is None, "nothing stands in for what is judged"
    assert _known_as("strings", GM) is None
    assert _known_as("40", GM) is None
    assert _known_as("samples", GM) is None
    assert _known_as("anything", None) == "anything"


def test_another_name_for_a_folder(antiphon_line, tmp_path):
    for pitch in range(60, 70, 2):
        write_audio(tmp_path / "alto" / f"alto_{pitch}.wav", tone(pitch))
    text = "\n".join(antiphon_line("data", "inspect", tmp_path / "alto", "--as", "alto sax").out)
    assert "alto sax" in text
    assert "5 notes of 1 instrument in" in text
    line = ["train", tmp_path / "alto", "-o", tmp_path / "run", "--size", "tiny", "--steps", "1", "--threads", "1"]
    line += ["--from-scratch", "--set", *(f"{k}={v}" for k, v in TINY.items())]
    assert antiphon_line(*line, "--as", "alto sax").status == 0
    assert antiphon.load(tmp_path / "run").instruments == ("alto sax",)
    refused(antiphon_line(*line, "--as", "oboe"), "prepared as alto sax", "--force")
    made = prepare(tmp_path / "alto", tmp_path / "p.safetensors", label="alto sax", quiet=True)  # its older name
    assert Prepared(made).labels.instruments == ("alto sax",)


def test_older_names_of_keywords():
    @renamed(label="as_")
    def called(as_=""):
        return as_

    assert called(label="oboe") == called(as_="oboe") == "oboe"
    with pytest.raises(TypeError, match="both 'as_' and 'label'"):
        called(as_="oboe", label="oboe")


def test_more_and_less_is_said(antiphon_line, run_folder, tmp_path):
    line = ["generate", run_folder, "--seconds", "0.1", "-n", "1"]
    usual, less, more = (antiphon_line(*line, *how, "-o", tmp_path / name).err for name, how in
                         (("a", []), ("b", ["-q"]), ("c", ["-v"])))  # fmt: skip
    assert less == []
    assert [text for text in more if not text.startswith("  ")] == usual
    said = "\n".join(more)
    assert f"voice {run_folder}: " in said
    assert f"wrote {tmp_path / 'c'}" in said
    assert "of which the processor worked" in said
    refused(antiphon_line(*line, "-q", "-v", "-o", tmp_path / "d"), "--quiet and --verbose exclude each other")
    assert antiphon_line("list", "-q").out == antiphon_line("list").out


# ---- 11: generate ----------------------------------------------------------------------------------------------------


def test_several_pitches():
    assert parse_pitches("C4 E4 G4") == [60, 64, 67]
    assert parse_pitches(["C3..C4", "every", "3"]) == [48, 51, 54, 57, 60]
    assert parse_pitches("C4..E4, G4") == [60, 61, 62, 63, 64, 67]
    assert parse_pitches("60.5") == parse_pitches(60.5) == [60.5]
    assert parse_pitches("C4..D4 every 0.5") == [60, 60.5, 61, 61.5, 62]
    assert parse_pitches(None) == []
    for wrong in ("C4..", "C4 every", "C4..C3", "C3..C6 every 0", "C3..C6 every x", "", "every 3"):
        with pytest.raises(AntiphonError):
            parse_pitches(wrong)


def test_generate_plays_several_pitches(antiphon_line, run_folder, tmp_path):
    line = ["generate", run_folder, "-i", "violin", "--seconds", "0.1"]
    said = antiphon_line(*line, "-o", tmp_path / "g", "--pitch", "C4..C5", "every", "6")
    assert said.status == 0, said
    names = sorted(path.name for path in (tmp_path / "g").iterdir())
    assert names == ["001_violin_C4_v100_s0.wav", "002_violin_F#4_v100_s0.wav", "003_violin_C5_v100_s0.wav"]
    assert antiphon_line(*line, "-o", tmp_path / "h", "--pitch", "C4", "E4", "-n", "2", "--room", "0.2").status == 0
    assert len(list((tmp_path / "h").iterdir())) == 4
    assert {soundfile.info(path).channels for path in (tmp_path / "h").iterdir()} == {2}


def test_generate_into_one_file(antiphon_line, run_folder, tmp_path):
    line = ["generate", run_folder, "-i", "violin", "--seconds", "0.1", "-o", tmp_path / "x.wav"]
    assert antiphon_line(*line, "--lufs", "-30", "--rate", "48000").out == [str(tmp_path / "x.wav")]
    assert (tmp_path / "x.wav").is_file()
    assert soundfile.info(tmp_path / "x.wav").samplerate == 48000
    refused(antiphon_line(*line, "-n", "3", "--force"), "3 sounds", "folder")


def test_blends_have_one_pitch_and_their_own_name(antiphon_line, run_folder, tmp_path):
    line = ["generate", run_folder, "-n", "3", "-i", "violin:0.6,harp:0.4", "--seconds", "0.1", "-o", tmp_path / "b"]
    assert antiphon_line(*line).status == 0
    names = [path.name for path in (tmp_path / "b").iterdir()]
    assert all("_violin-0.6-harp-0.4_G4_" in name for name in names), names


def test_a_second_word_is_understood(antiphon_line):
    refused(antiphon_line("generate", "gm", "flute"), "for 'flute' write --instrument flute")


# ---- 12: finding things ----------------------------------------------------------------------------------------------


def test_list_help_and_filters(antiphon_line, run_folder):
    assert antiphon_line("list").out == antiphon.bundled()
    assert antiphon_line("list", run_folder.parent).out == [*antiphon.bundled(), str(run_folder)]
    assert str(run_folder / "weights.safetensors") in antiphon_line("list", run_folder).out
    refused(antiphon_line("list", "nowhere"), "nowhere")
    assert antiphon_line("help", "play").out == antiphon_line("play", "--help").out
    assert any("antiphon data inspect" in text for text in antiphon_line("help", "data").out)
    text = "\n".join(antiphon_line("info", run_folder, "harp").out)
    assert "harp" in text
    assert "violin" not in text
    rows = json.loads("\n".join(antiphon_line("info", run_folder, "bowed", "--json").out))["instruments"]
    assert [row["label"] for row in rows] == ["violin"]
    refused(antiphon_line("info", run_folder, "kazooo"), "kazooo")
    refused(antiphon_line("help", "plya"), "did you mean `antiphon play`")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(antiphon_line, shell):
    text = "\n".join(antiphon_line("--completion", shell).out)
    for word in ("generate", "inspect", "variation", "dry-run"):
        assert word in text
    refused(antiphon_line("--completion", "tcsh"), "bash, zsh, fish")


# ---- 5: the sheet of one instrument ----------------------------------------------------------------------------------


def test_one_instrument_shows_its_range(tmp_path):
    lines = ["path,pitch,instrument,preset,velocity"]
    for pitch in range(50, 80, 3):
        for velocity in (30, 110):
            path = f"{pitch}_{velocity}.wav"
            write_audio(tmp_path / "one" / path, tone(pitch, level=velocity / 254))
            lines.append(f"{path},{pitch},oboe,oboe,{velocity}")
    (tmp_path / "one" / "notes.csv").write_text("\n".join(lines) + "\n")
    data = Prepared(prepare(tmp_path / "one", tmp_path / "one.safetensors", quiet=True))
    shown = [(float(data.pitch[n]), round(float(data.velocity[n]))) for n, _ in choose_notes(data)]
    assert len(shown) == 6
    assert {velocity for _, velocity in shown} == {30, 110}
    low, middle, high = sorted({pitch for pitch, _ in shown})
    assert low <= 53
    assert 59 <= middle <= 68
    assert high >= 74
    assert all(note != other for note, other in choose_notes(data))


# ---- 9: long notes ---------------------------------------------------------------------------------------------------


def test_a_long_note_is_told_no_more_than_was_learned():
    import torch

    after = torch.tensor([0.0, 0.2, 1.0]) * RATE
    told = []
    for held in (TOLD, 2 * TOLD, 300.0):
        release = torch.tensor([held * RATE])
        knots = torch.cat([torch.tensor([held * RATE - 4410]), release + after]).unsqueeze(0)
        told.append(time_features(knots, release))
    torch.testing.assert_close(told[1][0, 1:], told[0][0, 1:], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(told[2][0, 1:], told[1][0, 1:], atol=1e-3, rtol=1e-3)
    held = torch.tensor([[29.0, 31.0, 250.0]]) * RATE
    before = time_features(held, torch.tensor([torch.inf]))[0]
    assert not torch.allclose(before[0], before[1])
    torch.testing.assert_close(before[1], before[2])


@pytest.mark.skipif("gm" not in antiphon.bundled(), reason="the voice gm is not in this checkout")
def test_a_note_of_two_minutes_ends_as_a_short_one_does():
    """It held its level, but after its release a trumpet sounded on for four seconds."""
    sound = antiphon.load("gm").note(65, seconds=120, instrument="trumpet")
    level = [np.sqrt((sound[second * RATE : (second + 1) * RATE] ** 2).mean()) for second in (5, 118)]
    assert abs(20 * np.log10(level[1] / level[0])) < 2
    assert len(sound) < 120.5 * RATE


# ---- 3: takes --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif("gm" not in antiphon.bundled(), reason="the voice gm is not in this checkout")
def test_equal_quavers_are_about_equally_loud():
    """Beats of the unison copies made them differ by 7 dB."""
    made = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "takes.py"))
    voice = antiphon.load("gm")
    for seed in range(3):
        level, _, apart = made["unlike"](made["takes"](voice, "violin", 69, 0.25, seed))
        assert 0.3 < level < 2.5, "takes differ, but not by much"
        assert apart < 80


# ---- 15: texts -------------------------------------------------------------------------------------------------------


def test_a_clone_without_its_voice(antiphon_line, tmp_path):
    write_audio(tmp_path / "my flute.wav", tone(69, 1.0))
    refused(antiphon_line("clone", tmp_path / "my flute.wav", "-o", tmp_path / "fl"), "begin with a voice", "clone gm")


def test_numbers_have_their_words(antiphon_line, tmp_path):
    write_audio(tmp_path / "n" / "harp_A4_v90.wav", tone(69))
    text = "\n".join(antiphon_line("data", "inspect", tmp_path / "n").out)
    assert "1 note of 1 instrument in" in text
    assert "A4-A4" not in text
    assert "90-90" not in text


def test_the_page_speaks_of_bands_only_where_there_are_some(tmp_path):
    from antiphon.core.run_files import LOG
    from antiphon.training.reports.page import Outlook, write_page

    for scalar, said in (("log", False), ("health.real", True)):
        folder = tmp_path / scalar
        folder.mkdir()
        rows = [json.dumps({"step": step, scalar: 0.5}) for step in (1, 2, 3)]
        (folder / LOG).write_text("\n".join(rows) + "\n")
        text = write_page(folder, Outlook(3)).read_text()
        assert ("green bands" in text) == said


def test_tables_explain_only_what_they_show():
    from antiphon.verbs.evaluation_page import _explained

    text = _explained(["real", "floor", "gm: imagined"])
    assert "imagined: from noise and the label." in text
    assert "vocoded" not in text


def test_the_older_name_of_layers_still_works(song, run_folder, antiphon_line, tmp_path):
    assert antiphon_line("play", song, "-o", tmp_path / "a.wav", "--voice", run_folder, "--parts").status == 0
    antiphon.play(song, tmp_path / "b.wav", run_folder, parts=True, quiet=True)
    assert {p.name for p in tmp_path.iterdir()} == {f"{x}{y}.wav" for x in "ab" for y in ("", "-partials", "-noise")}
