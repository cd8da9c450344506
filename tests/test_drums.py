"""Drums: their names, what is measured of a hit, the recipe and its voice, and a song's channel 10 played on a kit."""

import io
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console

import antiphon
from antiphon.audio.files import write_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.data.analysis.modes import AUDIBLE_DB, SLOTS, measure_modes
from antiphon.data.labelling.drums import AS_RECORDED, CHOKED, DRUMS, KEYS, drum_of, stand_in, velocity_of
from antiphon.data.labelling.inspect import summary
from antiphon.data.labelling.manifest import scan
from antiphon.data.prepared import Prepared
from antiphon.metrics import bootstrap
from antiphon.metrics.lists import choose_split, draw_reference, draw_rows
from antiphon.music.drums import Drummer, kit_style
from antiphon.music.song import Part, SongNote
from antiphon.networks.generators.one_shot import SIZES, OneShotGenerator, gliding
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override
from antiphon.training.batches.drum_crops import StrokeSource
from antiphon.training.loop import new_game
from antiphon.verbs.data import prepare
from antiphon.voices.checkpoint import read_tensors

RATE = 44_100
TINY = {"batch": 2, "samples": 8192, "game.imagined": 1, "game.bank": 64, "health": 0}


def struck(hz=60.0, octaves=0.0, seconds=0.03, *, noise=0.0, length=0.4, level=0.5, seed=0):
    """A hit: a mode at `hz` and another 1.6 times as high, which glide down together, and shorter noise."""
    t = np.arange(round(length * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(np.exp2(octaves * np.exp(-t / seconds))) / RATE
    hiss = np.random.default_rng(seed).standard_normal(len(t)) * np.exp(-t / 0.04)
    rings = np.sin(hz * phase) * np.exp(-t / 0.12) + 0.3 * np.sin(1.6 * hz * phase) * np.exp(-t / 0.06)
    return (level * ((1 - noise) * rings + 0.4 * noise * hiss)).astype(np.float32)


@pytest.fixture(scope="module")
def hits(tmp_path_factory):
    """A folder of hits with the usual kinds of names, one of which names no drum."""
    folder = tmp_path_factory.mktemp("hits")
    for force, level in (("soft", 0.2), ("hard", 0.8)):
        write_audio(folder / f"BD_{force}.wav", struck(55, 1.2, 0.02, level=level))
        write_audio(folder / "Snares" / f"big {force}.wav", struck(180, noise=0.7, level=level))
        write_audio(folder / f"HH Closed {force}.wav", struck(noise=1.0, length=0.1, level=level))
        write_audio(folder / f"OHH_{force}.wav", struck(noise=1.0, length=0.5, level=level, seed=1))
    write_audio(folder / "thing.wav", struck())
    return folder


@pytest.fixture(scope="module")
def prepared(hits, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "hits.safetensors"
    return Prepared(prepare(hits, out, one_shots=True, licence="CC0", quiet=True))


@pytest.fixture(scope="module")
def kit(hits, tmp_path_factory):
    """The run folder of a kit trained for a few steps."""
    out = tmp_path_factory.mktemp("runs") / "kit"
    how = {"recipe": "drums", "size": "tiny", "steps": 6, "settings": TINY, "threads": 1, "quiet": True}
    antiphon.train(hits, out, from_scratch=True, licence="CC0", **how)
    return out


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "drum"),
    [
        ("OHH 2", "open hat"),
        ("Closed HH", "closed hat"),
        ("HiHatPedal", "pedal hat"),
        ("drum_cymbal_closed", "closed hat"),
        ("hats", "closed hat"),
        ("Bass Drum_ff", "kick"),
        ("bd_808", "kick"),
        ("Snare Rock 03", "snare"),
        ("SideStick", "rim"),
        ("Hand Clap", "clap"),
        ("FloorTom", "low tom"),
        ("tom_hi_03", "high tom"),
        ("Toms", "tom"),
        ("crash1", "crash"),
        ("Ride Bell", "ride bell"),
        ("ride", "ride"),
        ("Cymbals", "cymbal"),
        ("808-cowbell", "cowbell"),
        ("tambourine", "tambourine"),
        ("Percussion", "percussion"),
        ("violin", None),
        ("kickstarter", None),
    ],
)
def test_names_tell_drums(name, drum):
    assert drum_of(name) == drum


def test_names_tell_the_force():
    assert [velocity_of(name) for name in ("snare soft", "kick_v100", "tom ff", "kick")] == [50, 100, 110, None]


def test_every_drum_key_of_general_midi_means_a_drum():
    assert set(range(35, 82)) <= KEYS.keys()
    assert all(stroke.drum in DRUMS and drum_of(stroke.drum) == stroke.drum for stroke in KEYS.values())
    order = ("low tom", "mid tom", "high tom")
    toms = [(order.index(KEYS[key].drum), KEYS[key].semitones) for key in (41, 43, 45, 47, 48, 50)]
    assert toms == sorted(set(toms))
    assert all(choked <= KEYS.keys() for choked in CHOKED)


def test_a_kit_without_a_drum_plays_the_nearest_of_its_kin():
    known = ["kick", "snare", "closed hat", "mid tom", "ride"]
    asked = ("kick", "low tom", "pedal hat", "crash", "clap", "cowbell")
    assert [stand_in(drum, known) for drum in asked] == ["kick", "mid tom", "closed hat", "ride", "snare", None]


# ---- measuring -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hz", "octaves", "seconds"), [(55, 0.0, 0.03), (55, 1.2, 0.02), (50, 2.3, 0.04), (90, 0.5, 0.04)]
)
def test_modes_and_their_glide_are_found(hz, octaves, seconds):
    modes = measure_modes(struck(hz, octaves, seconds, noise=0.02))
    assert modes.glide[0] == pytest.approx(octaves, abs=0.35)
    first, second = sorted(modes.hz[np.argsort(modes.level)[-2:]])
    assert first == pytest.approx(hz, rel=0.08)
    assert second == pytest.approx(1.6 * hz, rel=0.08)


def test_noise_has_neither_modes_nor_glide():
    for seed in range(5):
        modes = measure_modes(struck(noise=1.0, seed=seed))
        assert (modes.level > AUDIBLE_DB).sum() <= 1
        assert np.isfinite(modes.hz).all()
    assert measure_modes(np.zeros(100, np.float32)).glide[0] == 0.0


def test_a_folder_of_hits_is_prepared_without_a_pitch(hits, prepared):
    manifest = scan(hits, one_shots=True)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(summary(manifest))
    assert "8 hits of 4 drums" in console.export_text()
    assert [item.path.name for item in manifest.refused] == ["thing.wav"]
    assert "contains no drum" in manifest.refused[0].reason
    assert prepared.labels.one_shots
    assert prepared.labels.instruments == ("closed hat", "kick", "open hat", "snare")
    assert len(prepared.labels.presets) == 4  # soft and hard hits are of one drum
    assert sorted(prepared.velocity.tolist()) == [50.0] * 4 + [115.0] * 4
    assert set(prepared.pitch.tolist()) == {AS_RECORDED}
    assert prepared.modes.shape == (8, SLOTS, 2)
    kick = prepared.glide[prepared.instrument == 1]
    assert float(kick[:, 0].min()) > 0.8
    loud = prepared.loudness[prepared.velocity > 100] - prepared.loudness[prepared.velocity < 100]
    assert loud.tolist() == pytest.approx([12.0] * 4, abs=0.5)


def test_recipes_refuse_the_other_kind_of_sounds(prepared, notes, tmp_path):
    with pytest.raises(AntiphonError, match="use --recipe drums"):
        recipe("instrument").fits(prepared)
    other = Prepared(prepare(notes, tmp_path / "notes.safetensors", quiet=True))
    with pytest.raises(AntiphonError, match="one-shots"):
        recipe("drums").fits(other)


def test_batches_are_functions_of_seed_and_index(prepared):
    source = StrokeSource(prepared, 8192, 3, moved=1.0)
    whole, part = source.batch(0, 6), StrokeSource(prepared, 8192, 3, moved=1.0).batch(4, 2)
    assert torch.equal(whole.audio[4:], part.audio)
    assert torch.equal(whole.tuning.ratios[4:], part.tuning.ratios)
    still = StrokeSource(prepared, 8192, 3, moved=0.0).batch(0, 6)
    moved = torch.log2(whole.tuning.ratios / still.tuning.ratios) * 12
    assert 0.1 < float(moved.abs().max()) <= 4.01
    assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-3)


def test_a_hit_and_its_reference_are_reshaped_alike(prepared):
    how = {"moved": 0.0, "same_note": 1.0}
    batch = StrokeSource(prepared, 8192, 3, reshaped=1.0, **how).batch(0, 12)
    plain = StrokeSource(prepared, 8192, 3, reshaped=0.0, **how).batch(0, 12)
    begun = batch.gesture.start == 0
    torch.testing.assert_close(batch.audio[begun], batch.reference[begun, :8192], atol=2e-3, rtol=0)
    apart = (batch.audio - plain.audio).abs().amax(1) / plain.audio.abs().amax(1)
    assert (apart > 0.02).all()
    assert torch.equal(batch.tuning.ratios, plain.tuning.ratios)


# ---- the generator ---------------------------------------------------------------------------------------------------


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return OneShotGenerator(SIZES["tiny"]).eval()


def test_generator_has_shape_gradient_and_the_same_answer_twice(generator, prepared):
    batch = StrokeSource(prepared, 8192, 0).batch(0, 3)
    w = torch.randn(3, 32, requires_grad=True)
    sound = generator(w, batch.gesture, batch.tuning)
    assert sound.shape == (3, 8192)
    sound.square().mean().backward()
    grads = [w.grad, *(p.grad for n, p in generator.named_parameters() if not n.startswith("ringer"))]
    assert all(g is not None and bool(torch.isfinite(g).all()) for g in grads)
    with torch.no_grad():
        assert torch.equal(sound, generator(w, batch.gesture, batch.tuning))
        alone = generator(w[1:2], batch.gesture[1:2], replace_rows(batch.tuning, 1))
    assert torch.allclose(alone[0], sound[1].detach(), atol=1e-5)


def replace_rows(tuning, i):
    return type(tuning)(**{k: v[i : i + 1] for k, v in vars(tuning).items()})


def test_modes_sound_where_they_are_and_glide(generator, prepared):
    """A mode alone, at 120 Hz after a fall of an octave; it starts at once, with nothing before it."""
    batch = StrokeSource(prepared, 16_384, 0, moved=0.0).batch(0, 1)
    ratios, active = batch.tuning.ratios.clone(), torch.zeros(1, SLOTS)
    slot = int((ratios[0] * 261.63 - 120).abs().argmin())
    ratios[0, slot], active[0, slot] = 120 / 261.6256, 1.0
    glide = torch.tensor([[1.0, 0.02]])
    g = replace(batch.gesture, start=torch.zeros(1, dtype=torch.long))
    g = replace(g, f0=gliding(glide, g.pitch, g.start, g.samples))
    ringing = type(batch.tuning)(ratios, active, glide)
    with torch.no_grad():
        tone = generator.tones(generator.all_partials(generator.curves(torch.zeros(1, 32), g), g, ringing), g)[0]
    crossings = torch.nonzero((tone[:-1] < 0) & (tone[1:] >= 0)).flatten().double()
    period = crossings.diff()
    assert float(RATE / period[-3:].mean()) == pytest.approx(120, abs=1)
    assert float(RATE / period[0]) > 165
    assert abs(float(tone[0])) < 0.15 * float(tone[:512].abs().max())  # it starts from rest


# ---- the voice -------------------------------------------------------------------------------------------------------


def test_a_trained_kit_is_loaded_and_plays(kit):
    voice = antiphon.load(kit)
    assert voice.kind == "drums"
    assert not voice.pitched
    notes = [Note(AS_RECORDED, 0.1, instrument=name, seed=3) for name in voice.instruments]
    sounds = voice.notes(notes)
    assert all(0 < len(s) <= 65_536 and np.isfinite(s).all() and np.abs(s).max() > 1e-4 for s in sounds)
    again = voice.notes(notes[1:2])[0]
    assert np.allclose(again, sounds[1], atol=1e-5)
    apart = voice.notes(notes[:2], parts=True)
    assert np.allclose(apart[1].sum(1), sounds[1], atol=1e-5)
    other = voice.notes([replace(notes[1], take=5)])[0]
    length = min(len(other), len(again))
    assert not np.allclose(other[:length], again[:length], atol=1e-3)
    higher = voice.notes([replace(notes[1], pitch=67.0)])[0]
    assert np.isfinite(higher).all()


def test_sixteen_snares_differ(kit, tmp_path, antiphon_line):
    said = antiphon_line("generate", kit, "-o", tmp_path / "out", "--instrument", "snare", "-n", 16)
    assert said.status == 0, said.err
    sounds = [soundfile.read(path)[0] for path in sorted((tmp_path / "out").glob("*.wav"))]
    assert len(sounds) == 16
    assert len({sound.tobytes() for sound in sounds}) == 16


def test_the_same_run_again_gives_the_same_bytes(hits, kit, tmp_path):
    how = {"recipe": "drums", "size": "tiny", "settings": TINY, "threads": 1, "quiet": True, "from_scratch": True}
    antiphon.train(hits, tmp_path / "again", steps=6, licence="CC0", **how)
    ours, theirs = (antiphon.load(folder).model.state_dict() for folder in (kit, tmp_path / "again"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_stopped_and_gone_on_with_it_comes_to_the_same_bytes(hits, kit, tmp_path, stop_at):
    how = {"recipe": "drums", "size": "tiny", "settings": TINY, "threads": 1, "quiet": True, "from_scratch": True}
    stop_at(2)
    with pytest.raises(KeyboardInterrupt, match="saved at step 2"):
        antiphon.train(hits, tmp_path / "run", steps=6, licence="CC0", **how)
    stop_at()
    torch.manual_seed(99)  # whatever a person did in between
    antiphon.train(hits, tmp_path / "run", steps=6, licence="CC0", **how)
    ours, theirs = (read_tensors(folder / "state.safetensors")[0] for folder in (tmp_path / "run", kit))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == (kit / "weights.safetensors").read_bytes()


def test_the_smallest_learns_with_its_critics_at_work(prepared):
    """The same hits again and again; also with another rule and with penalties."""
    usual = {"batch": 2, "samples": 8192, "game.imagined": 1, "cool_down": 0, "game.optimiser.rate": 1e-2}
    for wish in ({}, {"game.rule": "hinge", "game.r1": 0.1, "game.spectral": True, "game.dropout": 0.2}):
        method = override(recipe("drums", "tiny"), usual | wish)
        game, batch, said = new_game(prepared, method), method.source(prepared).batch(0, 2), []
        for k in range(12):
            said.append(game.step(batch, method.at(k, 12), torch.Generator().manual_seed(k)))
        assert all(torch.isfinite(value) for step in said for value in step.values())
        assert {"critic", "adversarial", "features", "imagined"} <= said[-1].keys()
        assert all(said[-1][term] < 0.8 * said[0][term] for term in ("log", "mel", "loss"))


def test_a_kit_cannot_clone_nor_play_a_melody(kit, song, notes, tmp_path):
    for attempt in (
        lambda: antiphon.clone(kit, [notes / "harp" / "059.wav"], tmp_path / "clone", pitch=["B3"]),
        lambda: antiphon.play(song, tmp_path / "x.wav", kit),
    ):
        with pytest.raises(AntiphonError, match="cannot"):
            attempt()


# ---- judging ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drums(tmp_path_factory):
    """A folder of twenty kicks and twenty snares, half of them struck twice."""
    folder = tmp_path_factory.mktemp("drums")
    for i in range(20):
        for force, level in (("soft", 0.2), ("hard", 0.8))[: 1 + i % 2]:
            kick, snare = struck(45 + 2 * i, 1.0, length=0.15), struck(170 + 5 * i, noise=0.7, length=0.15, seed=i)
            write_audio(folder / f"kick {i} {force}.wav", level * kick)
            write_audio(folder / f"snare {i} {force}.wav", level * snare)
    return folder


def test_hits_are_judged_by_drums_of_their_name(drums, tmp_path):
    prepared = Prepared(prepare(drums, tmp_path / "drums.safetensors", one_shots=True, quiet=True))
    drum, label = prepared.preset, prepared.instrument
    prepared.split[:] = prepared.labels.splits.index("train")
    assert choose_split(prepared) == "train"
    rows = draw_rows(prepared, split="train")
    assert len(rows) == 2 * 5  # of ten pairs of drums a label
    judged = [hit for row in rows for hit in (row.real, row.other)]
    assert len(drum[judged].unique()) == len(judged)
    known = draw_reference(prepared, judged=judged).tolist()
    assert not set(drum[judged].tolist()) & set(drum[known].tolist())  # a louder stroke would be a copy
    for row in rows:
        assert len(label[[row.real, row.other, row.naive]].unique()) == 1
        assert row.naive in known
        assert row.source == row.other
    struck_twice = drum.bincount()[drum] == 2
    first = torch.tensor([int(drum[:i].eq(drum[i]).sum()) == 0 for i in range(len(prepared))])
    prepared.split[struck_twice & first] = prepared.labels.splits.index("valid")
    with pytest.raises(AntiphonError, match="0 pairs"):  # of each of these drums a stroke was learned from
        draw_rows(prepared, split="valid")
    prepared.split[struck_twice] = prepared.labels.splits.index("valid")
    assert len(draw_rows(prepared, split="valid")) == 2 * 5


def test_a_kit_is_judged_by_a_folder_of_hits(kit, drums, tmp_path, antiphon_line, monkeypatch):
    monkeypatch.setattr(bootstrap, "DISTANCE_DRAWS", 2)
    monkeypatch.setattr(bootstrap, "DRAWS", 20)
    page, how = tmp_path / "kit.html", ("--embeddings", "mel", "--threads", 1, "--cache", tmp_path / "cache")
    said = antiphon_line("evaluate", kit, drums, "-o", page, "--split", "train", *how)
    assert said.status == 0, said.err
    assert any("training notes" in line for line in said.err)
    assert not any("pitch" in line for line in said.err)
    figures = json.loads(page.with_suffix(".json").read_text())
    rows = figures["rows"]
    assert list(rows) == ["real", "floor", "naive", "untrained", "gaussian", "imagined", "encoded"]
    assert all("pitch" not in row for row in rows.values())
    assert rows["naive"]["copies"] > 0.5 > rows["imagined"]["copies"]
    assert rows["imagined"]["mel"]["kernel"] > rows["floor"]["mel"]["kernel"]
    assert set(figures["labels"]) == {"kick", "snare"}
    assert "kick, velocity" in page.read_text()


def test_a_run_named_like_a_bundled_voice_is_told_apart(antiphon_line, hits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = ["train", hits, "-o", "kit", "--recipe", "drums", "--size", "tiny", "--steps", 1, "--from-scratch", "--set"]
    said = antiphon_line(*line, *(f"{name}={value}" for name, value in TINY.items()))
    assert said.status == 0
    assert any("antiphon play --kit ./kit" in line for line in said.err)
    assert any("antiphon generate ./kit" in line for line in said.err)


# ---- channel 10 ------------------------------------------------------------------------------------------------------


class Same:
    """A drum's character."""

    def label(self, seconds=0.0):
        return "drum"

    def w(self, seconds=0.0):
        return np.zeros(4, np.float32)

    def shaping(self, seconds=0.0):
        return ()


def drummer(*notes, known=("kick", "snare", "closed hat", "open hat", "low tom"), **moves):
    part = Part(0, 9, 0, "", tuple(notes), **moves)
    return Drummer(part, object(), lambda drum: Same(), 7, known)


def test_keys_strike_drums_each_time_another_variant():
    player = drummer(SongNote(0, 0.1, 36, 90), SongNote(1, 0.1, 36, 90), SongNote(2, 0.1, 43, 64))
    notes = [player.note(i) for i in range(3)]
    assert [note.instrument for note in notes] == ["kick", "kick", "low tom"]
    assert notes[0].take != notes[1].take
    assert notes[2].pitch == AS_RECORDED + 1.5
    assert notes[2].velocity == 64
    assert player.level(0) == 1.0 < player.level(2)


def test_a_closed_hat_silences_an_open_one():
    closed, pedal, opened, kick = 42, 44, 46, 36
    keys = [(0.0, opened), (0.1, kick), (0.5, closed), (1.0, opened), (2.0, opened), (2.5, pedal)]
    player = drummer(*(SongNote(at, 0.1, key, 90) for at, key in keys), cuts=(3.0,))
    assert [player.cut(i) for i in range(6)] == [0.5, 3.0, 1.0, 2.5, 2.5, 3.0]


def test_what_no_drum_can_stand_in_for_is_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="2 of 3 strokes"):
        player = drummer(*(SongNote(i, 0.1, key, 90) for i, key in enumerate((56, 38, 5))))
    assert [note.pitch for note in player.part.notes] == [38]


def test_a_program_chooses_drums_of_its_kind():
    met = [(("electric",), 3), (("acoustic",), 1), (("acoustic", "brushed"), 5)]
    assert [kit_style(program, met) for program in (0, 25, 40)] == [("acoustic", "brushed"), ("electric",), met[2][0]]
    assert kit_style(25, [(("acoustic",), 2)]) == ()


def test_a_song_has_its_drums(kit, voice, song, run_folder, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = antiphon.play(song, tmp_path / "with.wav", voice, kit=kit, stems=True)
    assert [path.name for path in sorted(tmp_path.glob("with-*10*"))] == ["with-01-10-drums.wav"]
    drums = soundfile.read(tmp_path / "with-01-10-drums.wav")[0]
    assert np.abs(drums).max() > 1e-5
    again = antiphon.play(song, tmp_path / "again.wav", voice, kit=str(kit))
    assert out.read_bytes() == again.read_bytes()
    with pytest.raises(AntiphonError, match="not a drum kit"):
        antiphon.play(song, tmp_path / "no.wav", voice, kit=run_folder)


def test_play_takes_a_kit_on_the_command_line(kit, run_folder, song, tmp_path, antiphon_line):
    said = antiphon_line("play", song, "-o", tmp_path / "x.wav", "--voice", run_folder, "--kit", kit)
    assert said.status == 0, said.err
    assert not any("skipped" in line for line in said.err)
    said = antiphon_line("play", song, "-o", tmp_path / "y.wav", "--voice", run_folder, "--kit", "nowhere")
    assert said.status == 2
