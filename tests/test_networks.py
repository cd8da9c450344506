"""Contracts of the instrument's parts: shapes, causality of the sound, gradients, determinism, independence of the
batch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.data.analysis.partials import stretched as measured_stretch
from antiphon.networks.discriminators.logmel import Discriminators
from antiphon.networks.generators.instrument import SIZES
from antiphon.networks.gesture import Gesture, Tuning
from antiphon.networks.layers import bounded
from antiphon.networks.model import InstrumentModel, LabelTable
from antiphon.networks.oscillators import block_count
from antiphon.networks.physics import midi_to_hz, stretched
from antiphon.networks.timegrid import SPARSEST, knots, pad_knots
from antiphon.representations.mel import hat_weights
from antiphon.voices.known import _last_sounding, _release_gate

LABELS = LabelTable(("flute", "piano", "violin"), ("bright", "struck"))


@pytest.fixture(scope="module")
def model() -> InstrumentModel:
    torch.manual_seed(0)
    return InstrumentModel(SIZES["tiny"], LABELS).eval()


def gesture(pitches: list[float], start: int = 0, samples: int = 8192, hold: int = 5000) -> Gesture:
    n = len(pitches)
    pitch = torch.tensor(pitches)
    return Gesture(
        pitch=pitch,
        velocity=torch.full((n,), 0.7),
        release=torch.full((n,), float(hold)),
        start=torch.full((n,), start),
        samples=samples,
        knots=pad_knots([knots(start, start + samples, hold)] * n),
        f0=midi_to_hz(pitch).unsqueeze(-1).expand(-1, block_count(samples)).contiguous(),
        take=torch.arange(n),
    )


def play(model: InstrumentModel, g: Gesture) -> torch.Tensor:
    w = torch.ones(len(g.pitch), model.config.style)
    tuning = model.generator.tuning(w, g.pitch, g.velocity)
    return model.generator(w, g, tuning)


def test_sound_has_the_shape_asked_for_and_is_finite(model: InstrumentModel) -> None:
    sound = play(model, gesture([21.0, 60.5, 108.0]))
    assert sound.shape == (3, 8192)
    assert sound.isfinite().all()
    assert (sound.abs().amax(1) > 1e-4).all()


def test_a_note_sounds_the_same_in_any_batch(model: InstrumentModel) -> None:
    g = gesture([40.0, 60.0, 80.0])
    together = play(model, g)
    for i in range(3):
        torch.testing.assert_close(play(model, g[i : i + 1])[0], together[i], atol=1e-4, rtol=1e-3)


def test_same_take_same_bytes_other_take_other_noise(model: InstrumentModel) -> None:
    g = gesture([60.0])
    assert torch.equal(play(model, g), play(model, g))
    assert not torch.equal(play(model, g), play(model, replace(g, take=g.take + 1)))


def test_every_parameter_of_the_generator_gets_a_finite_gradient(model: InstrumentModel) -> None:
    g = gesture([50.0, 70.0])
    w = torch.randn(2, model.config.style)
    curves = model.generator.curves(w, g)
    tuning = model.generator.tuning(w, g.pitch, g.velocity)
    loss = model.generator.synthesise(curves, g, tuning).square().mean() + curves.drift.square().mean()
    loss = loss + tuning.ratios.mean() + tuning.free.mean() + tuning.cents.mean() + tuning.vibrato.mean()
    loss.backward()
    for name, p in model.generator.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
    model.zero_grad()


def test_partials_are_in_tune(model: InstrumentModel) -> None:
    """The strongest line of a harmonic tone is at a multiple of f0, between the keys too."""
    g = gesture([61.37], samples=32_768, hold=40_000)
    n = 1
    k = torch.arange(1, 65).float().expand(n, -1)
    still = Tuning(k, torch.zeros(n), torch.full((n, 24), 0.5), torch.zeros(n, 24), torch.zeros(n), torch.zeros(n, 3))
    with torch.no_grad():
        curves = model.generator.curves(torch.ones(1, model.config.style), g)
        quiet = replace(curves, noise=curves.noise - 20, strike=curves.strike - 20, ensemble=curves.ensemble * 0)
        sound = model.generator.synthesise(quiet, g, still)[0].numpy()
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    peak = np.argmax(spectrum) * 44_100 / (1 << 19)
    ratio = peak / float(midi_to_hz(g.pitch[0]))
    assert 1200 * abs(math.log2(ratio / round(ratio))) < 1


def test_crops_continue_each_other(model: InstrumentModel) -> None:
    """A later crop is of the same note: the trunk's output does not depend on where the crop begins."""
    whole, later = gesture([60.0], samples=16_384, hold=30_000), gesture([60.0], 8192, 8192, 30_000)
    w = torch.ones(1, model.config.style)
    with torch.no_grad():
        a, b = model.generator.curves(w, whole), model.generator.curves(w, later)
    at = torch.tensor([[9000.0, 12_000.0, 15_000.0]])
    torch.testing.assert_close(
        hat_weights(at, whole.knots) @ a.envelope, hat_weights(at, later.knots) @ b.envelope, atol=1e-3, rtol=1e-3
    )


def test_loud_is_not_soft_with_more_gain(model: InstrumentModel) -> None:
    """How hard a note is played reaches the trunk, which says how its sound changes."""
    g, w = gesture([60.0]), torch.ones(1, model.config.style)
    with torch.no_grad():
        soft, loud = (model.generator.curves(w, replace(g, velocity=torch.tensor([v]))) for v in (0.2, 1.0))
    for name in ("envelope", "harmonics", "noise", "strike"):
        apart = getattr(loud, name) - getattr(soft, name)
        assert apart.std() > 1e-3, name


def test_a_note_does_not_know_when_it_will_be_let_go(model: InstrumentModel) -> None:
    """Or it could not be played while a key is down. From its release on it does know."""
    g, w = gesture([60.0], samples=16_384), torch.ones(1, model.config.style)
    with torch.no_grad():
        early, late = (
            model.generator.curves(w, replace(g, release=torch.tensor([at]), knots=g.knots)) for at in (5000.0, 9000.0)
        )
    held = g.knots[0] < 5000
    for name in ("envelope", "harmonics", "free", "noise", "strike", "ensemble", "drift"):
        one, other = getattr(early, name)[0], getattr(late, name)[0]
        torch.testing.assert_close(one[held], other[held], atol=1e-4, rtol=1e-3)
        assert (one[~held] - other[~held]).abs().max() > 1e-3, name


def test_partials_of_a_stiff_string_lie_where_physics_says() -> None:
    """f_k = k f0 sqrt(1 + B k^2), as measured, to the first (Fletcher 1964)."""
    b, k = 4e-4, np.arange(1, 80)
    wanted = k * np.sqrt(1 + b * k**2) / np.sqrt(1 + b)
    np.testing.assert_allclose(stretched(torch.from_numpy(k), torch.tensor(b)).numpy(), wanted, rtol=1e-6)
    np.testing.assert_allclose(measured_stretch(k, b) / measured_stretch(1, b), wanted, rtol=1e-6)


def test_the_ear_is_told_the_pitch_and_when_a_note_was_let_go(model: InstrumentModel) -> None:
    sound = 0.1 * torch.randn(1, 65_536, generator=torch.Generator().manual_seed(1))

    def heard(pitch: float, release: float) -> torch.Tensor:
        with torch.no_grad():
            w: torch.Tensor = model.encoder(sound, torch.tensor([pitch]), torch.tensor([release]))
        return w

    once = heard(60.0, 2e4)
    assert torch.equal(once, heard(60.0, 2e4))
    assert (once - heard(72.0, 2e4)).abs().max() > 1e-3
    assert (once - heard(60.0, 4e4)).abs().max() > 1e-4
    torch.testing.assert_close(heard(60.0, 1e6), heard(60.0, math.inf))  # after what is heard it is all the same


def test_encoder_and_mapping_give_points_on_the_sphere(model: InstrumentModel) -> None:
    w = model.encoder(torch.randn(2, 65_536) * 0.1, torch.tensor([60.0, 70.0]), torch.tensor([1e4, math.inf]))
    m = model.mapping(torch.randn(2, 32), torch.tensor([0, 2]), torch.zeros(2, 2))
    for x in (w, m):
        assert x.shape == (2, model.config.style)
        torch.testing.assert_close(x.square().mean(-1), torch.ones(2), atol=1e-3, rtol=0)


def test_silence_is_encoded_without_harm(model: InstrumentModel) -> None:
    assert model.encoder(torch.zeros(1, 65_536), torch.tensor([60.0]), torch.tensor([math.inf])).isfinite().all()


def test_discriminators_judge_each_sound_for_itself() -> None:
    torch.manual_seed(0)
    critics = Discriminators(3, 8)
    g = gesture([50.0, 70.0], samples=32_768)
    sound, label = torch.randn(2, 32_768) * 0.1, torch.tensor([0, 1])
    logits, features = critics(sound, g, label)
    assert len(logits) == len(features) == 2
    alone, _ = critics(sound[:1], g[:1], label[:1])
    torch.testing.assert_close(alone[0], logits[0][:1], atol=1e-5, rtol=1e-4)
    told_otherwise, _ = critics(sound, g, label.flip(0))
    assert not torch.allclose(told_otherwise[0], logits[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300_000), st.integers(512, 200_000), st.one_of(st.none(), st.integers(1, 400_000)))
def test_knots_cover_what_is_asked(start: int, length: int, release: int | None) -> None:
    grid = knots(start, start + length, release)
    assert grid[0] <= start
    assert grid[-1] >= start + length
    steps = np.diff(grid)
    assert steps.min() > 0
    assert steps.max() <= 2 * SPARSEST
    assert steps[grid[1:] < (release or np.inf)].max(initial=0) <= SPARSEST
    if release is not None and start <= release < start + length:
        assert release in grid


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.integers(2, 12))
def test_hat_weights_interpolate_like_numpy(points: list[float], count: int) -> None:
    at = torch.tensor(points, dtype=torch.float64)
    grid = torch.linspace(-20, 20, count, dtype=torch.float64)
    values = torch.sin(grid)
    expected = np.interp(at.numpy(), grid.numpy(), values.numpy())
    np.testing.assert_allclose((hat_weights(at, grid) @ values).numpy(), expected, atol=1e-9)


def test_bounded_is_bounded_and_straight_in_the_middle() -> None:
    x = torch.tensor([-1e4, 0.0, 1e4])
    torch.testing.assert_close(bounded(x, -14, 2), torch.tensor([-14.0, -6.0, 2.0]))


def test_a_released_note_that_fell_silent_stays_silent() -> None:
    loud = torch.tensor([[-2.0, -3.0, -9.5, -12.0, -4.0, -12.0]]).expand(3, -1)
    times = 100.0 * torch.arange(6).expand(3, -1)
    released = torch.tensor([250.0, 50.0, math.inf])
    peak = loud.amax(1)
    # each dies at -8.9 nepers, 60 dB below the peak
    died = _last_sounding(loud + _release_gate(loud, times, released, peak), times, peak)
    torch.testing.assert_close(died, torch.tensor([190.8, 190.8, 461.2]), atol=0.1, rtol=0)


def test_a_note_that_nearly_fell_silent_hardly_swells_again() -> None:
    lowest = torch.linspace(-12.0, -2.0, 201)  # of notes that come back to -4 nepers
    loud = torch.stack([torch.full_like(lowest, -2.0), lowest, torch.full_like(lowest, -4.0)], 1)
    hush = _release_gate(loud, torch.arange(3.0).expand(201, -1), torch.full((201,), 0.5), torch.full((201,), -2.0))
    again = (loud + hush)[:, 2]
    assert not hush[:, :2].any()
    assert (again.diff().abs() < 0.16).all()  # no jump
    assert again[0] < -8.9
    torch.testing.assert_close(again[lowest > -5], torch.full_like(again[lowest > -5], -4.0))


def test_only_released_notes_are_hushed() -> None:
    loud = torch.tensor([[-2.0, -20.0, -2.0]])
    assert not _release_gate(loud, torch.arange(3.0).unsqueeze(0), torch.tensor([5.0]), torch.tensor([-2.0])).any()
