"""Repairs: damages that chance does, the network whole and in blocks, what is heard, what is mended, and the verb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import antiphon
from antiphon.audio.files import read_audio, write_audio
from antiphon.audio.mending.clicks import Declicker
from antiphon.audio.mending.clipping import Declipper
from antiphon.audio.mending.hum import Dehummer
from antiphon.core.errors import AntiphonError
from antiphon.data.analysis.wear import Faults, Listener
from antiphon.data.damage.bandwidth import RESAMPLED
from antiphon.data.damage.clipping import limited
from antiphon.data.damage.damage import damages, filtered, inflict, told_of
from antiphon.data.damage.draw import damaged
from antiphon.data.recordings import Recordings, prepare_recordings
from antiphon.networks.generators.repair import Repair, RepairConfig
from antiphon.networks.model import LabelTable
from antiphon.recipes.lookup import recipe
from antiphon.training.loop import new_game
from antiphon.training.recipe import Recipe
from antiphon.verbs.repair import _instead, from_audio
from antiphon.voices.checkpoint import save_voice
from antiphon.voices.mending import Mending, chosen
from antiphon.voices.repair import RepairVoice
from antiphon.voices.repair_stream import LATENCY, RepairStream
from antiphon.voices.voice import VoiceInfo

RATE = 44100
NAMES = tuple(damages())


def music(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """(samples, 1): notes of decaying harmonics, up to 20 kHz, one after another."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros(len(t))
    for begin in range(0, len(t), 10_000):
        f0, since = float(220 * 2 ** (rng.integers(24) / 12)), t[: len(t) - begin][:30_000]
        shape = np.exp(-5 * since) * np.clip(since / 0.004, 0, 1) * np.clip((0.68 - since) / 0.05, 0, 1)
        note = sum(np.sin(2 * np.pi * k * f0 * since + k) / k for k in range(1, int(20_000 / f0)))
        out[begin : begin + len(since)] += shape * note + 1e-3 * shape * rng.standard_normal(len(since))
    return (0.4 * out / np.abs(out).max()).astype(np.float32)[:, None]


def distance(made: np.ndarray, clean: np.ndarray) -> float:
    """dB from a sound down to the error."""
    return 10 * float(np.log10(np.square(clean).sum() / max(np.square(made - clean).sum(), 1e-12)))


def heard(sound: np.ndarray) -> Faults:
    listener = Listener()
    for start in range(0, len(sound), 30_000):
        listener(sound[start : start + 30_000])
    return listener.heard()


def run(stage, sound: np.ndarray, block: int = 7000) -> np.ndarray:
    parts = [stage(sound[start : start + block]) for start in range(0, len(sound), block)]
    return np.concatenate([*parts, stage.finish()])


@pytest.fixture(scope="module")
def model() -> Repair:
    """A network that changes much."""
    torch.manual_seed(0)
    made = Repair(RepairConfig(16, 32, 3), LabelTable(NAMES, ())).eval().requires_grad_(False)
    torch.nn.init.normal_(made.head.weight, std=0.1)
    return made


@pytest.fixture(scope="module")
def voice(model: Repair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "any.safetensors"
    save_voice(path, model, VoiceInfo("any"))
    return path


@pytest.fixture(scope="module")
def clean_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    for i in range(3):
        write_audio(folder / f"{i}.wav", np.repeat(music(1.2, i), 1 + i % 2, 1))
    write_audio(folder / "noise" / "rain.wav", 0.1 * np.random.default_rng(0).standard_normal(30_000))
    (folder / "bad.wav").write_bytes(b"RIFF")
    return folder


# ---- damages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_damage_is_worse_when_severe_and_the_same_each_time(name: str):
    clean, damage = np.repeat(music(1.0), 2, 1), damages()[name]

    def once(amount: float) -> np.ndarray:
        return inflict(clean, {name: amount}, np.random.default_rng(3))

    mild, severe = once(damage.mild), once(damage.severe)
    np.testing.assert_array_equal(severe, once(damage.severe))
    assert mild.shape == severe.shape == clean.shape
    assert severe.dtype == np.float32
    assert distance(mild, clean) > distance(severe, clean)
    assert distance(severe, clean) < 25
    silence = np.zeros_like(clean)
    assert np.isfinite(inflict(silence, {name: damage.severe}, np.random.default_rng(3))).all()
    severities = [damage.severity(x) for x in (damage.mild, (damage.mild + damage.severe) / 2, damage.severe)]
    assert 0 < severities[0] < severities[1] < severities[2] == 1


def test_damages_are_a_function_of_seed_and_index():
    clean = music(0.5)
    first = [damaged(clean, 1, i) for i in range(12)]
    again = damaged(clean, 1, 7)
    np.testing.assert_array_equal(first[7].damaged, again.damaged)
    assert first[7].amounts == again.amounts
    assert len({tuple(x.amounts) for x in first}) > 4
    assert {} in [x.amounts for x in first] or {} in [damaged(clean, 2, i).amounts for i in range(40)]
    with pytest.raises(AntiphonError, match="no damage named 'rust'"):
        inflict(clean, {"rust": 1.0}, np.random.default_rng(0))


def test_codecs_are_in_step():
    from antiphon.data.damage.codec import CODECS, through

    clean = music(0.7)
    for name, codec in CODECS.items():
        for kilobits in (codec.least + 5, 120.0):
            assert distance(through(clean, name, kilobits), clean) > 4, (name, kilobits)


# ---- data and training -----------------------------------------------------------------------------------------------


def test_recordings_are_prepared_and_read(clean_folder: Path, tmp_path: Path):
    taken, refused = prepare_recordings(clean_folder, tmp_path / "p.safetensors", "CC0")
    assert (len(taken), [path.name for path, _ in refused]) == (4, ["bad.wav"])
    data = Recordings(tmp_path / "p.safetensors")
    assert data.channels.tolist() == [1, 2, 1, 1]
    assert len(data.where("train")) == 3
    assert data.where("train", noise=True).tolist() == [3]
    np.testing.assert_allclose(data.audio(1, 100, 400)[:, 1], read_audio(taken[1])[100:400], atol=1e-4)
    assert not data.audio(0, data.samples(0), data.samples(0) + 50).any()
    (tmp_path / "bad.safetensors").write_bytes((tmp_path / "p.safetensors").read_bytes()[:900])
    with pytest.raises(AntiphonError, match="prepare the folder again"):
        Recordings(tmp_path / "bad.safetensors")
    with pytest.raises(AntiphonError, match="no clean recordings"):
        prepare_recordings(tmp_path, tmp_path / "x.safetensors")


def test_a_run_rehearses_and_plays_and_repairs(antiphon_line, clean_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("antiphon.training.games.repair.SHOWN_SAMPLES", 20_000)
    few = ["batch=2", "samples=8192", "rehearsal=0.5", "game.seen=8192"]
    said = antiphon_line("train", clean_folder, "-o", tmp_path / "run", "--recipe", "repair", "--size", "tiny",
                         "--steps", 4, "--threads", 1, "--from-scratch", "--set", *few)  # fmt: skip
    assert said.status == 0, said.err
    assert (tmp_path / "run" / "sheets" / "step-000004.png").exists()
    assert isinstance(antiphon.load(tmp_path / "run"), RepairVoice)
    assert not (tmp_path / "run" / "skipped.txt").exists()


def test_pairs_are_a_function_of_seed_and_index_and_moves_are_finite(clean_folder: Path, tmp_path: Path):
    prepare_recordings(clean_folder, tmp_path / "p.safetensors")
    made: Recipe = recipe("repair", "tiny")
    data = Recordings(tmp_path / "p.safetensors")
    source, game = made.source(data), new_game(data, made)
    one, other = source.batch(4, 2), source.batch(5, 1)
    assert torch.equal(one.damaged[1], other.damaged[0])
    assert torch.equal(one.told[1], other.told[0])
    for step in (0, 99):
        moved = game.step(one, made.at(step, 100), torch.Generator().manual_seed(0))
        assert all(torch.isfinite(value) for value in moved.values())
    assert "critic" in moved


# ---- the network -----------------------------------------------------------------------------------------------------


def test_it_begins_as_the_identity_and_every_weight_learns():
    made = Repair(RepairConfig(16, 32, 2), LabelTable(NAMES, ())).eval()
    sound = torch.from_numpy(music(0.5).T)
    told = torch.rand(1, 2 * len(NAMES))
    change = made.difference(sound, torch.zeros_like(told)).detach()
    assert float(change.norm() / sound.norm()) < 1e-3  # -60 dB: the noise that Wiener's rule starts from
    torch.nn.init.normal_(made.head.weight, std=0.01)
    for block in made.trunk:
        torch.nn.init.normal_(block.film.weight, std=0.01)
    made.difference(sound, told).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in made.parameters())


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 9000), st.integers(1, 5000))
def test_streamed_equals_whole(model: Repair, samples: int, block: int):
    rng = np.random.default_rng(samples)
    sound = rng.normal(0, 0.1, (samples, 1)).astype(np.float32)
    told = torch.from_numpy(rng.uniform(0, 1, 2 * len(NAMES)).astype(np.float32))
    with torch.inference_mode():
        whole = sound + model.difference(torch.from_numpy(sound.T), told.unsqueeze(0))[0, :, None].numpy()
    made = run(RepairStream(model, told, 1), sound, block)
    assert made.shape == sound.shape
    np.testing.assert_allclose(made, whole, atol=2e-5 * max(1, float(np.abs(whole).max())))


def test_it_does_not_know_what_comes_later(model: Repair):
    told, sound = torch.zeros(2 * len(NAMES)), music(0.5)
    other = np.array(sound)
    other[15_000:] = 0.3
    one, two = (run(RepairStream(model, told, 1), x) for x in (sound, other))
    np.testing.assert_array_equal(one[: 15_000 - LATENCY], two[: 15_000 - LATENCY])
    stream, out = RepairStream(model, told, 1), 0
    for start in range(0, 20_000, 256):
        out += len(stream(sound[start : start + 256]))
        assert start + 256 - out <= LATENCY + 512 + 256


def test_sound_is_repaired_on_one_thread(model, threads_of):
    met = threads_of(RepairStream, "_correct")
    run(RepairStream(model, torch.zeros(2 * len(NAMES)), 1), music(0.2), 4_000)
    assert met == {1}


def test_channels_are_changed_alike(model: Repair):
    told, mono = torch.zeros(2 * len(NAMES)), music(0.3)
    panned = mono * np.array([[0.9, 0.3, 0.0]], np.float32)
    made = run(RepairStream(model, told, 3), panned)
    np.testing.assert_allclose(made[:, 1], made[:, 0] / 3, atol=1e-4)
    assert not made[:, 2].any()


def test_treble_is_added_and_what_is_below_stays_as_it_is():
    faults, clean = Faults({"bandwidth": 6000.0}, peak=0.4), music(0.6)
    sound = filtered(clean, lambda hz: (hz < 6000).astype(float))
    made = run(Mending(None, faults, chosen("auto", faults), 1), sound)
    treble = [filtered(x, lambda hz: (hz > 7000).astype(float)) for x in (clean, made)]
    assert 0.02 < float(treble[1].std() / treble[0].std()) < 1.5
    spectra = [np.abs(np.fft.rfft(x[:, 0] * np.hanning(len(x)))) for x in (sound, made - sound)]
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    assert spectra[1][hz > 6500].max() > 0.1 * spectra[0][hz > 6500].max()
    assert spectra[1][hz < 5000].max() < 1e-3 * spectra[0][hz < 5000].max()
    soft = np.float32(1e-4) * sound  # what is hardly to be heard gets no hiss above
    assert (run(Mending(None, faults, chosen("auto", faults), 1), soft) - soft).std() < 0.1 * soft.std()


# ---- listening -------------------------------------------------------------------------------------------------------


def test_what_is_wrong_is_heard():
    sound, rng = music(5), np.random.default_rng(0)
    t = np.arange(len(sound))[:, None] / RATE
    assert heard(sound).amounts == {}
    assert heard(sound).words == "nothing found"
    white = float(sound.std()) * rng.standard_normal(sound.shape).astype(np.float32)
    for distance, surely in (
        (0, True),
        (20, False),
    ):  # 20 dB below it, five seconds of lively music are too few to know
        noise = heard(sound + 10 ** (-distance / 20) * white)
        assert noise.suspected.keys() == {"noise"}
        assert noise.suspected["noise"] == pytest.approx(distance, abs=3)
        assert ("noise" in noise.amounts) == surely
    hum = heard(sound + (0.01 * sum(np.sin(2 * np.pi * 50.04 * k * t) / k for k in (1, 2, 3, 5, 7))).astype(np.float32))
    assert hum.amounts.keys() == {"hum"}
    assert hum.lines[-1] / round(hum.lines[-1] / 50) == pytest.approx(50.04, abs=0.06)
    level = float(np.quantile(np.abs(sound), 0.97))
    clipped = heard(np.clip(sound, -level, level))
    assert clipped.amounts.keys() == {"clipping"}
    assert clipped.ceiling == pytest.approx(level, rel=0.01)
    spectrum = np.fft.rfft(sound[:, 0])
    spectrum[np.fft.rfftfreq(len(sound), 1 / RATE) > 5000] = 0
    band = heard(np.fft.irfft(spectrum, len(sound))[:, None].astype(np.float32))
    assert band.amounts.keys() == {"bandwidth"}
    assert band.amounts["bandwidth"] == pytest.approx(5000, rel=0.1)
    scratched = heard(inflict(sound, {"clicks": 20.0}, rng))
    assert scratched.amounts.keys() == {"clicks"}
    assert "cut off at 5.0 kHz" in band.words


def test_gentle_damages_are_heard():
    sound, rng = np.repeat(music(6), 2, 1), np.random.default_rng(0)
    hiss = heard(sound + 0.1 * float(sound.std()) * rng.standard_normal(sound.shape).astype(np.float32))
    assert hiss.dominant == "noise"
    assert hiss.suspected["noise"] == pytest.approx(20, abs=2)  # of a mono mix it would be 23
    gentle = heard(filtered(sound, lambda hz: 1 / np.sqrt(1 + (hz / 5000) ** 16)))
    assert gentle.suspected.keys() == {"bandwidth"}
    assert gentle.suspected["bandwidth"] == pytest.approx(5000, rel=0.15)
    t = np.arange(len(sound))[:, None] / RATE
    hum = sum(np.sin(2 * np.pi * 60 * k * t) / k for k in (1, 2, 3, 4)).astype(np.float32)
    assert heard(sound + 0.05 * float(sound.std()) * hum).dominant == "hum"
    lively = np.interp(t, np.arange(7), [1, 0.1, 0.9, 0.05, 1, 0.2, 0.1]).astype(np.float32)  # notes of these pitches
    assert "hum" not in heard(sound + 0.05 * float(sound.std()) * hum * lively).amounts
    bent = limited(sound, 0.2 * float(np.abs(sound).max()), 2.5)
    assert heard(bent).dominant == "clipping"
    assert heard(bent).words == "softly clipped"
    assert not chosen("auto", heard(bent))  # and nobody claims to mend that
    dull = heard(filtered(sound, lambda hz: (hz < 2500).astype(float)))
    assert dull.doubtful["bandwidth"] == pytest.approx(2500, rel=0.1)  # as a low note is
    images = RESAMPLED[-1](sound, 6000)
    assert heard(images).amounts["bandwidth"] == pytest.approx(6000, rel=0.05)
    assert heard(sound).dominant is None


@pytest.mark.parametrize("tilt", [0.0, -1.0, 0.7])
def test_noise_that_plays_notes_is_music(tilt: float):
    """Noise of a recording is steady, or swells slowly; a flute's begins and ends with its notes."""
    rng = np.random.default_rng(1)
    t = np.arange(6 * RATE)[:, None] / RATE
    tone = sum(np.sin(2 * np.pi * 880 * k * t) / k**2 for k in range(1, 9))
    air = filtered(rng.standard_normal((len(t), 1)).astype(np.float32), lambda hz: (np.maximum(hz, 50) / 2000) ** tilt)
    breath = tone + air
    slowly = 2 ** np.interp(t, np.arange(7), [0, 1, -0.8, 0.9, -0.5, 0.8, 0])
    blown = np.interp(t % 0.6, [0, 0.1, 0.5, 0.6], [0.3, 1, 0.7, 0.3])
    steady, swelling, played = (heard((0.1 * x).astype(np.float32)) for x in (breath, slowly * breath, blown * breath))
    assert "noise" in steady.amounts
    assert "noise" in swelling.amounts
    assert "noise" not in played.amounts
    assert "noise" in played.doubtful
    assert played.words.startswith("perhaps noise")
    assert "noise" not in chosen("auto", played)
    assert chosen("noise", played) == {"noise": played.doubtful["noise"]}


def test_noise_is_heard_between_loud_notes():
    t = np.arange(8 * RATE)[:, None] / RATE
    notes = (t % 1 < 0.6) * sum(np.sin(2 * np.pi * 350 * k * t + k) for k in range(1, 55))
    hiss = np.random.default_rng(1).standard_normal((len(t), 1))
    assert "noise" in heard((0.01 * (0.5 * notes + hiss)).astype(np.float32)).amounts


def test_what_hums_has_noise():
    t = np.arange(6 * RATE)[:, None] / RATE
    air = np.random.default_rng(1).standard_normal((len(t), 1))
    blown = np.interp(t % 0.6, [0, 0.1, 0.5, 0.6], [0.3, 1, 0.7, 0.3]) * (np.sin(5000 * t) + air)
    hum = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in range(1, 8))
    assert "noise" in heard((0.1 * blown).astype(np.float32)).doubtful
    assert "noise" in heard((0.1 * (blown + 0.5 * hum)).astype(np.float32)).amounts


@pytest.mark.parametrize(
    "sound", [np.zeros((30_000, 2)), np.full((30_000, 1), 0.5), np.zeros((1, 1)), np.zeros((0, 1))]
)
def test_nothing_is_heard_in_nothing(sound: np.ndarray):
    assert not heard(sound.astype(np.float32)).amounts.keys() - {"clipping"}


# ---- mending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [997, 40_000])
def test_what_was_clipped_is_put_back_and_the_rest_kept(block: int):
    clean = music(1)
    level = float(np.quantile(np.abs(clean), 0.95))
    cut = np.clip(clean, -level, level)
    made = run(Declipper(1, level), cut, block)
    assert distance(made, clean) > distance(cut, clean) + 3
    kept = np.abs(cut) < 0.97 * level
    np.testing.assert_array_equal(made[kept], cut[kept])
    assert (np.abs(made[~kept]) > 0.95 * level).all()


@pytest.mark.parametrize("block", [997, 40_000])
def test_clicks_are_filled_in_and_the_rest_kept(block: int):
    clean = np.repeat(music(1), 2, 1)
    clean[:, 1] *= 0.5
    scratched = inflict(clean, {"clicks": 15.0}, np.random.default_rng(2))
    made = run(Declicker(2), scratched, block)
    assert made.shape == clean.shape
    assert distance(made, clean) > distance(scratched, clean) + 6
    assert (made != scratched).mean() < 0.05
    np.testing.assert_array_equal(run(Declicker(2), clean, block)[:1000], clean[:1000])


def test_hum_is_taken_out():
    clean, t = music(8), np.arange(8 * RATE)[:, None] / RATE
    hum = (0.02 * np.sin(2 * np.pi * 50 * t) + 0.01 * np.sin(2 * np.pi * 150 * t + 1)).astype(np.float32)
    made = run(Dehummer(1, [50.0, 150.0]), clean + hum, 30_000)
    assert made.shape == clean.shape
    assert distance(made, clean) > distance(clean + hum, clean) + 12


@pytest.mark.parametrize("what", ["auto", "hum,clicks,clipping", "noise", "codec,bandwidth"])
def test_strength_0_and_nothing_wrong_are_the_identity(what: str, model: Repair):
    voice, sound = RepairVoice(model, VoiceInfo("any")), np.repeat(music(0.4), 2, 1)
    np.testing.assert_array_equal(voice.transform(sound, RATE, what, 0.0), sound)
    np.testing.assert_array_equal(voice.transform(sound, RATE), sound)


@pytest.mark.parametrize("level", [1.0, 2e-3])
def test_strength_is_how_far_it_goes_at_any_level(model: Repair, level: float):
    voice, sound = RepairVoice(model, VoiceInfo("any")), level * np.repeat(music(0.4), 2, 1)
    whole, part = (voice.transform(sound, RATE, "noise", strength) for strength in (1.0, 0.25))
    assert np.abs(whole - sound).max() > 0.05 * level
    np.testing.assert_allclose(part, sound + 0.25 * (whole - sound), atol=1e-6 * level)


def test_soft_sounds_are_amplified_for_the_network_only():
    torch.manual_seed(0)
    nothing = Repair(RepairConfig(16, 32, 3), LabelTable(NAMES, ())).eval()  # as it begins
    sound = 2e-3 * np.repeat(music(0.4), 2, 1)
    made = RepairVoice(nothing, VoiceInfo("any")).transform(sound, RATE, "noise")
    np.testing.assert_allclose(made, sound, atol=0.02 * np.abs(sound).max())


def test_told_of():
    told = told_of(("noise", "hum", "codec"), {"noise": 45.0, "codec": None})
    np.testing.assert_allclose(told, [[0.05, 1], [0, 1], [0, 0]])


# ---- the verb --------------------------------------------------------------------------------------------------------


def test_a_file_becomes_a_file(antiphon_line, voice: Path, tmp_path: Path):
    sound = inflict(np.repeat(music(1.5), 2, 1), {"clicks": 12.0}, np.random.default_rng(0))
    write_audio(tmp_path / "in.wav", sound, sample_rate=48000)
    line = ["repair", tmp_path / "in.wav", "-o", tmp_path / "out.flac", "--voice", voice]
    said = antiphon_line(*line, "--removed", tmp_path / "gone.wav", "--picture")
    assert (said.status, said.out) == (0, [str(tmp_path / "out.flac")])
    assert any("clicks a second" in words for words in said.err)
    given, made, gone = (soundfile.read(tmp_path / name)[0] for name in ("in.wav", "out.flac", "gone.wav"))
    assert soundfile.info(tmp_path / "out.flac").samplerate == 48000
    assert made.shape == given.shape == gone.shape
    np.testing.assert_allclose(np.clip(given - made, -1, 1), gone, atol=1e-5)
    assert np.abs(gone).max() > 0.05
    assert (tmp_path / "out.png").exists()
    assert antiphon_line(*line).err[0].endswith("add --force to replace it")


def test_a_folder_becomes_a_folder_and_what_cannot_be_read_is_left_out(antiphon_line, voice: Path, tmp_path: Path):
    (tmp_path / "in" / "more").mkdir(parents=True)
    write_audio(tmp_path / "in" / "a.wav", music(0.3)[:, 0])
    soundfile.write(tmp_path / "in" / "more" / "b.caf", music(0.3), RATE)
    (tmp_path / "in" / "bad.flac").write_bytes(b"fLaC")
    said = antiphon_line("repair", tmp_path / "in", "-o", tmp_path / "out", "--voice", voice)
    assert said.status == 0
    assert "2 files repaired, 1 left out" in said.err
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == ["a.wav", "b.wav"]
    heard_ = antiphon_line("repair", tmp_path / "in" / "a.wav", "--listen")
    assert heard_.out == [f"{tmp_path / 'in' / 'a.wav'}: nothing found"]


def test_before_and_after_on_a_page(antiphon_line, voice: Path, tmp_path: Path):
    write_audio(tmp_path / "in.wav", music(0.4)[:, 0])
    said = antiphon_line("repair", tmp_path / "in.wav", "-o", tmp_path / "o.html", "--what", "noise", "--voice", voice)
    assert said.status == 0, said.err
    page = (tmp_path / "o.html").read_text()
    assert page.count("<audio") == page.count("<img") == 3
    assert "Repaired: noise" in page


@pytest.mark.parametrize(
    ("samples", "rate", "channels", "subtype"),
    [(1, 44100, 1, "PCM_16"), (300, 8000, 2, "PCM_U8"), (9000, 192_000, 1, "FLOAT"), (5000, 44100, 6, "PCM_24"),
     (5001, 22050, 1, "PCM_16")],
)  # fmt: skip
def test_any_format_comes_back_as_long(antiphon_line, voice, tmp_path, samples, rate, channels, subtype):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (samples, channels))
    soundfile.write(tmp_path / "in.wav", sound, rate, subtype=subtype)
    line = ["repair", tmp_path / "in.wav", "-o", tmp_path / "out.wav", "--voice", voice, "--what", "noise"]
    said = antiphon_line(*line)
    assert said.status == 0, said.err
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.frames, info.samplerate, info.channels) == (samples, rate, channels)
    made, _ = soundfile.read(tmp_path / "out.wav")
    assert np.isfinite(made).all()
    assert antiphon_line(*line, "--strength", 0, "--force").status == 0
    assert np.abs(soundfile.read(tmp_path / "out.wav")[0] - soundfile.read(tmp_path / "in.wav")[0]).max() < 1e-6


def test_treble_that_has_no_room_makes_the_rate_higher(voice: Path):
    made = from_audio(music(0.5)[::2, 0], 22050, what="bandwidth", voice=voice)
    assert made.shape == (22050,)
    assert from_audio(music(0.5)[::2, 0], 22050, what="noise", voice=voice).shape == (11025,)


def test_restored_peaks_fit_with_a_word(antiphon_line, tmp_path: Path):
    loud = music(1)
    loud = np.clip(loud * (1.0 / float(np.quantile(np.abs(loud), 0.97))), -0.999, 0.999)
    write_audio(tmp_path / "in.wav", loud)
    said = antiphon_line("repair", tmp_path / "in.wav", "-o", tmp_path / "out.wav")
    assert said.status == 0
    assert any("softer as a whole" in words for words in said.err)
    assert 0.99 < np.abs(read_audio(tmp_path / "out.wav")).max() < 1


def test_what_may_be_music_is_kept_with_a_word(antiphon_line, tmp_path: Path):
    t = np.arange(5 * RATE)[:, None] / RATE
    air = np.random.default_rng(1).standard_normal((len(t), 1))
    blown = 0.1 * np.interp(t % 0.6, [0, 0.1, 0.5, 0.6], [0.3, 1, 0.7, 0.3]) * (np.sin(5000 * t) + air)
    write_audio(tmp_path / "flute.wav", blown.astype(np.float32))
    said = antiphon_line("repair", tmp_path / "flute.wav", "-o", tmp_path / "out.wav")
    assert said.status == 0
    assert any("perhaps noise" in words and "--what noise repairs it" in words for words in said.err)
    high = Faults({"hum": 20.0}, {"bandwidth": 12_000.0, "noise": 15.0})
    assert "--what hum,noise repairs" in _instead("auto", chosen("auto", high), high)  # treble up there nothing adds
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "flute.wav").read_bytes()


@pytest.mark.parametrize(
    ("words", "why"),
    [(["nowhere.wav", "-o", "x.wav"], "does not exist"),
     (["{in}", "-o", "x.wav", "--what", "rust"], "cannot repair 'rust'"),
     (["{in}", "-o", "x.wav", "--strength", "2"], "use 0 to 1"),
     (["{in}"], "give -o OUT.wav"),
     (["{in}", "{in}", "-o", "x.wav"], "give a folder"),
     (["{nan}", "-o", "x.wav"], "NaN"),
     (["{in}", "-o", "x.xyz"], "use a name that ends"),
     (["{in}", "-o", "x.html", "--removed", "y.wav"], "leave --removed out")],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(antiphon_line, tmp_path, monkeypatch, words, why):
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "in.wav", music(0.1)[:, 0])
    soundfile.write(tmp_path / "nan.wav", np.full(2000, np.nan, np.float32), RATE, subtype="FLOAT")
    named = {"{in}": "in.wav", "{nan}": "nan.wav"}
    said = antiphon_line("repair", *[named.get(word, word) for word in words])
    assert said.status == 2
    assert why in said.err[-1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.wav", "nan.wav"]
