"""The vocoder: propagated phases, the losses that train them, the recipe, and what its voice can do."""

import json
import math

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file
from torch import Tensor

import antiphon
from antiphon.audio.files import write_audio
from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.networks.discriminators.spectrogram import SpectrogramDiscriminators
from antiphon.networks.generators.vocoder import Spectra, Vocoder, VocoderConfig
from antiphon.recipes.lookup import recipe
from antiphon.representations.contract import exactness
from antiphon.representations.phase_propagation import gaussian_turns, propagate
from antiphon.representations.stft import istft, stft
from antiphon.training.batches.random_crops import RandomCropSource
from antiphon.training.losses.phase_derivatives import phase_derivative_losses
from antiphon.voices.checkpoint import KEY, read_tensors
from antiphon.voices.vocoder import VocodedLogMel

RATE = 44_100
STEPS = 30
TINY = {"batch": 2, "rehearsal_batch": 4, "samples": 8192, "rehearsal": 0.5}


def note(hz: float = 220.0, samples: int = 12_000) -> Tensor:
    """(1, samples): a plucked string."""
    t = torch.arange(samples).double() / RATE
    partials = [torch.sin(2 * math.pi * k * hz * t + k) * torch.exp(-2.5 * k * t) / k for k in range(1, 60)]
    return (0.3 * sum(p for k, p in enumerate(partials, 1) if k * hz < 20_000)).float().unsqueeze(0)


def turns_of(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Advance and lock as they are."""
    unit = spectrum / spectrum.abs().clamp_min(1e-20)
    advance = torch.cat([unit[..., :1], unit[..., 1:] * unit[..., :-1].conj()], -1)
    return advance, unit[:, 1:] * unit[:, :-1].conj()


def decibels(truth: Tensor, found: Tensor) -> float:
    return float(10 * torch.log10(truth.square().sum() / (truth - found).square().sum()))


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    """A finished run of a few steps; do not change it."""
    folder = tmp_path_factory.mktemp("vocoder") / "run"
    train(prepared, folder)
    return folder


def train(prepared, folder, **how):
    options = {"recipe": "vocoder", "size": "tiny", "steps": STEPS, "settings": TINY, "threads": 1, "quiet": True}
    return antiphon.train(prepared, folder, **(options | {"from_scratch": True} | how))


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return Vocoder(VocoderConfig(32, 64, 1), None).eval().requires_grad_(False)


# ---- phases ----------------------------------------------------------------------------------------------------------


def test_true_turns_lead_to_the_true_magnitudes():
    x = torch.cat(
        [torch.zeros(1, 3000), note(), note(330.0)], 1
    )  # silence, an onset, and one in the sound of the other
    spectrum = stft(x, 2048, 512)
    found = istft(spectrum.abs() * propagate(spectrum.abs(), *turns_of(spectrum)), 2048, 512, x.shape[-1])
    assert decibels(spectrum.abs(), stft(found, 2048, 512).abs()) > 30


def test_uncertain_turns_are_outvoted_by_their_neighbours():
    spectrum, samples = stft(note(samples=30_000), 2048, 512), 30_000
    advance, lock = turns_of(spectrum)
    wrong = torch.rand(advance.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    turned = torch.where(wrong, -advance, advance)

    def gap(advance: Tensor) -> float:
        back = istft(spectrum.abs() * propagate(spectrum.abs(), advance, lock), 2048, 512, samples)
        return decibels(spectrum.abs(), stft(back, 2048, 512).abs())

    assert gap(torch.where(wrong, 0.01, 1.0) * turned) > gap(turned) + 3  # short where they are wrong


def test_a_steady_tone_of_any_frequency_stays_one_tone():
    """Phase differences that are the same in every frame: the output of a network that knows only the level."""
    t = torch.arange(60_000).double() / RATE
    sine = (0.3 * torch.sin(2 * math.pi * 1234.5 * t)).float().unsqueeze(0)
    size = stft(sine, 2048, 512)[..., 40:41].abs().expand(-1, -1, 118)
    step = torch.full(size.shape, 2 * math.pi * 1234.5 * 512 / RATE)
    phase = propagate(size, torch.polar(torch.ones(()), step), torch.ones(1, 1024, 118, dtype=torch.complex64))
    middle = istft(size * phase, 2048, 512, 60_000)[0, 8000:52_000].double() * torch.hann_window(44_000).double()
    power = torch.fft.rfft(middle).abs().square()
    peak = int(power.argmax())
    assert abs(peak * RATE / 44_000 - 1234.5) < 1.1
    assert power[peak - 3 : peak + 4].sum() > 0.999 * power.sum()


def test_silence_has_no_phase():
    size = torch.zeros(1, 1025, 5)
    assert not propagate(size, torch.zeros(1, 1025, 5) + 0j, torch.zeros(1, 1024, 5) + 0j).any()


def test_levels_imply_the_turns_of_a_sine_and_of_a_click():
    hz, at = 1234.5, 5200
    sine = torch.sin(2 * math.pi * hz * torch.arange(20_000).double() / RATE).float().unsqueeze(0)
    advance, _ = gaussian_turns(stft(sine, 2048, 512).abs(), 2048, 512)
    expected = torch.polar(torch.ones(()), torch.tensor(2 * math.pi * hz * 512 / RATE))
    assert abs(complex(advance[0, round(hz * 2048 / RATE), 20]) - complex(expected)) < 0.05
    click = torch.zeros(1, 20_000)
    click[0, at] = 1.0
    _, lock = gaussian_turns(stft(click, 2048, 512).abs(), 2048, 512)
    expected = torch.polar(torch.ones(()), torch.tensor(-2 * math.pi / 2048 * (at - 10 * 512)))
    assert abs(complex(lock[0, 300, 10]) - complex(expected)) < 0.02


# ---- losses ----------------------------------------------------------------------------------------------------------


def test_turn_losses_are_least_where_the_turns_are_true():
    spectrum = stft(torch.randn(2, 12_000, generator=torch.Generator().manual_seed(0)), 2048, 512)
    advance, lock = turns_of(spectrum)
    true = phase_derivative_losses(Spectra(spectrum.abs(), advance, lock), spectrum)
    assert all(abs(float(v)) < 1e-6 for v in true.values())
    worse = phase_derivative_losses(Spectra(2 * spectrum.abs(), -advance, 0 * lock), spectrum)
    assert float(worse["level"]) == pytest.approx(math.log(2), abs=0.01)
    assert float(worse["advance"]) == pytest.approx(4, abs=1e-3)
    assert float(worse["lock"]) == pytest.approx(1, abs=1e-3)


def test_what_an_image_cannot_show_counts_nothing():
    quiet = 1e-6 * stft(torch.randn(1, 12_000, generator=torch.Generator().manual_seed(0)), 2048, 512)
    advance, lock = turns_of(quiet)
    found = phase_derivative_losses(Spectra(quiet.abs(), -advance, -lock), quiet)
    assert found["advance"] == found["lock"] == 0


def test_critics_hear_the_difference_and_teach_it():
    critics = SpectrogramDiscriminators(4)
    sound = note(samples=8192).requires_grad_(True)
    logits, features = critics(sound)
    assert len(logits) == len(features) == 3
    torch.stack([x.mean() for x in logits]).sum().backward()
    assert sound.grad.isfinite().all()
    assert sound.grad.abs().max() > 0


# ---- what it learns from ---------------------------------------------------------------------------------------------


def test_stretches_come_from_anywhere_at_any_level(prepared):
    source = RandomCropSource(Prepared(prepared), 8192, 3, 20.0)
    sounds = source.batch(5, 40).audio
    assert sounds.shape == (40, 8192)
    assert sounds.abs().max() <= 0.98
    assert torch.equal(source.batch(12, 2).audio, sounds[7:9])
    assert any((sound[:1000] == 0).all() and sound.abs().max() > 0 for sound in sounds)  # an onset within
    peaks = 20 * torch.log10(sounds.abs().amax(1))
    assert peaks.max() - peaks.min() > 20


# ---- training --------------------------------------------------------------------------------------------------------


def test_it_trains(run):
    lines = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert all(np.isfinite(value) for line in lines for value in line.values())
    assert lines[1]["level"] < lines[0]["level"]
    assert lines[1]["advance"] < lines[0]["advance"]
    assert "critic" not in lines[0]  # a rehearsal
    assert {"critic", "adversarial", "features"} <= lines[2].keys()
    assert not (run / "skipped.txt").exists()


def test_stopped_and_gone_on_with_it_comes_to_the_same_bytes(prepared, run, tmp_path, stop_at):
    stop_at(18)
    with pytest.raises(KeyboardInterrupt, match="saved at step 18"):
        train(prepared, tmp_path / "run")
    stop_at()
    torch.manual_seed(99)
    train(prepared, tmp_path / "run")
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == (run / "weights.safetensors").read_bytes()


def test_it_goes_on_from_a_vocoder_and_from_nothing_else(prepared, run, voice, tmp_path):
    train(prepared, tmp_path / "run", size=None, from_scratch=False, start_from=run, steps=1)
    assert antiphon.load(tmp_path / "run").info.training["start_from"] == str(run)
    with pytest.raises(AntiphonError, match="is not a vocoder"):
        recipe("vocoder").like(voice)


# ---- its voice -------------------------------------------------------------------------------------------------------


def test_a_round_trip_of_any_length(run):
    vocoder = antiphon.load(run)
    for samples in (1, 511, 9000):
        back = vocoder.from_audio(note(samples=9000)[0, :samples].numpy())
        assert back.shape == (samples,)
        assert back.dtype == np.float32
        assert np.isfinite(back).all()
    assert np.abs(vocoder.from_audio(np.zeros(5000))).max() < 1e-6


def test_a_file_becomes_a_file(run, tmp_path):
    vocoder, sound = antiphon.load(run), note()[0].numpy()
    write_audio(tmp_path / "in.wav", np.stack([sound, sound], 1))
    assert vocoder.from_file_to_file(tmp_path / "in.wav", tmp_path / "out.flac") == tmp_path / "out.flac"
    written = soundfile.read(tmp_path / "out.flac", dtype="float32")[0]
    np.testing.assert_allclose(written, vocoder.from_file(tmp_path / "in.wav"), atol=1e-6)
    assert written.shape == (12_000,)
    with pytest.raises(AntiphonError, match="exists"):
        vocoder.from_file_to_file(tmp_path / "in.wav", tmp_path / "out.flac")
    with pytest.raises(AntiphonError, match="does not exist"):
        vocoder.from_file_to_file(tmp_path / "no.wav", tmp_path / "other.flac")


def test_it_is_a_way_back_from_log_mel(untrained):
    view = VocodedLogMel(untrained)
    assert not list(view.parameters())  # nothing that learns through it changes it
    assert exactness(view, note()).magnitude > 5  # what the bands alone say
    image = view.encode(note()).requires_grad_(True)
    (view.decode(image, 12_000) - note(330.0)).square().mean().backward()
    assert image.grad.isfinite().all()
    assert image.grad.abs().max() > 0


def test_what_it_says_and_what_it_cannot_do(antiphon_line, run, song, tmp_path):
    text = "\n".join(antiphon_line("info", run).out)
    assert "turns log-mel spectrograms into sound" in text
    assert json.loads("\n".join(antiphon_line("info", run, "--json").out))["kind"] == "vocoder"
    for line in (
        ("generate", run, "-o", tmp_path / "out"),
        ("play", song, "-o", tmp_path / "out.wav", "--voice", run),
        ("morph", run, "--from", "sound", "--to", "sound", "-o", tmp_path / "out.wav"),
    ):
        said = antiphon_line(*line)
        assert said.status == 2, line
        assert "is a vocoder and cannot" in said.err[-1], line
        assert "from_file_to_file" in said.err[-1], line
    assert not list(tmp_path.iterdir())


LIES = {
    "another width": lambda meta: meta["config"].__setitem__("width", 64),
    "an enormous width": lambda meta: meta["config"].__setitem__("hidden", 1 << 40),
    "more blocks": lambda meta: meta["config"].__setitem__("blocks", 3),
    "a field more": lambda meta: meta["config"].__setitem__("surprise", 1),
    "another kind": lambda meta: meta.__setitem__("kind", "instrument"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(lie, run, tmp_path):
    tensors, meta = read_tensors(run / "weights.safetensors")
    LIES[lie](meta)
    save_file(tensors, tmp_path / "lie.safetensors", {KEY: json.dumps(meta)})
    with pytest.raises(AntiphonError, match="is not a voice Antiphon can play"):
        antiphon.load(tmp_path / "lie.safetensors")
