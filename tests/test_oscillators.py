"""Block oscillators and noise against direct sums, slow but reliable."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.noise import frame_centres, shape_noise, white_spectra
from antiphon.networks.oscillators import (
    BLOCK,
    HOP,
    block_count,
    cycles_at_blocks,
    oscillate,
    oscillate_near,
    oscillate_steady,
    overlap_add,
)
from antiphon.networks.physics import carrier, chorus, spin, unison_modulation

SAMPLES = 44_032


def direct_vibrato(hz: float, at: torch.Tensor) -> torch.Tensor:
    """Frequency in Hz under 50 cents of 6 Hz vibrato."""
    return hz * 2 ** (50 * torch.sin(2 * math.pi * 6 * at) / 1200)


@pytest.mark.parametrize(("hz", "least"), [(1_000, 54), (3_000, 44), (10_000, 34)])
def test_vibrato_against_direct_sines(hz: float, least: float) -> None:
    over = 8
    fine = (torch.arange(SAMPLES * over, dtype=torch.float64) + 0.5) / (SAMPLE_RATE * over)
    phase = torch.cumsum(direct_vibrato(hz, fine) / (SAMPLE_RATE * over), 0)
    reference = torch.cos(2 * math.pi * torch.cat([phase.new_zeros(1), phase])[::over][:SAMPLES])
    cycles = (
        direct_vibrato(hz, torch.arange(block_count(SAMPLES), dtype=torch.float64) * HOP / SAMPLE_RATE) / SAMPLE_RATE
    )
    coefficient = carrier(cycles, torch.ones(1, dtype=torch.float64), torch.zeros(1))
    sound = oscillate(coefficient, cycles.float().unsqueeze(-1), SAMPLES)
    error = (sound - reference)[BLOCK:-BLOCK]
    assert 10 * math.log10(float(reference.square().mean() / error.square().mean())) > least


def direct_blocks(amplitude: torch.Tensor, cycles: torch.Tensor, samples: int) -> torch.Tensor:
    n = torch.arange(-HOP, HOP)
    waves = torch.polar(torch.ones(*cycles.shape, BLOCK), 2 * math.pi * cycles.unsqueeze(-1) * n)
    return overlap_add((amplitude.unsqueeze(-1) * waves).real.sum(-2), samples)


def test_matrix_form_and_gradient_equal_the_direct_sum() -> None:
    rng = torch.Generator().manual_seed(0)
    amplitude = torch.randn(9, 5, dtype=torch.complex64, generator=rng)
    cycles = torch.rand(9, 5, generator=rng) * 0.4
    grads = []
    for synth in (oscillate, direct_blocks):
        a = amplitude.clone().requires_grad_()
        sound = synth(a, cycles, 1024)
        grads.append(torch.autograd.grad(sound.pow(3).sum(), a)[0])
    torch.testing.assert_close(
        oscillate(amplitude, cycles, 1024), direct_blocks(amplitude, cycles, 1024), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(grads[0], grads[1], atol=0.02, rtol=1e-4)


def test_steady_form_equals_the_general_one() -> None:
    rng = torch.Generator().manual_seed(1)
    amplitude = torch.randn(17, 6, dtype=torch.complex64, generator=rng)
    cycles = torch.rand(6, generator=rng) * 0.45
    general = oscillate(amplitude, cycles.expand(17, -1), 2048)
    torch.testing.assert_close(oscillate_steady(amplitude, cycles, 2048), general, atol=2e-4, rtol=0)


@pytest.mark.parametrize(("hz", "least"), [(1_000, 45), (3_000, 36), (10_000, 27)])
def test_blocks_of_near_pitch_share_a_frequency(hz: float, least: float) -> None:
    times = torch.arange(block_count(SAMPLES), dtype=torch.float64) * HOP / SAMPLE_RATE
    cycles = direct_vibrato(hz, times) / SAMPLE_RATE
    coefficient = carrier(cycles, torch.ones(1, dtype=torch.float64), torch.zeros(1))
    exact = oscillate(coefficient, cycles.float().unsqueeze(-1), SAMPLES)
    error = oscillate_near(coefficient, cycles.float(), torch.ones(1), 1.5, hz / SAMPLE_RATE) - exact
    assert 10 * math.log10(float(exact.square().mean() / error.square().mean())) > least


def test_near_form_equals_the_general_one_where_pitch_steps() -> None:
    rng = torch.Generator().manual_seed(4)
    amplitude = torch.randn(17, 6, dtype=torch.complex64, generator=rng)
    ratios = torch.arange(1, 7) + torch.rand(6, generator=rng)
    cycles = torch.tensor([0.02, 0.02 * 2 ** (166 / 1200), 0.02]).repeat_interleave(torch.tensor([5, 8, 4]))
    general = oscillate(amplitude, cycles.unsqueeze(-1) * ratios, 2048)
    torch.testing.assert_close(oscillate_near(amplitude, cycles, ratios, 1.0, 0.02), general, atol=2e-4, rtol=0)


def test_chunks_change_nothing() -> None:
    amplitude = torch.randn(33, 7, dtype=torch.complex64)
    cycles = torch.rand(33, 7) * 0.4
    chunked = oscillate(amplitude, cycles, 4096, chunk=7)
    torch.testing.assert_close(chunked, oscillate(amplitude, cycles, 4096), atol=1e-4, rtol=0)


@settings(max_examples=30, deadline=None)
@given(st.floats(20, 18_000), st.integers(1, 700))
def test_phase_of_a_constant_pitch_is_exact(hz: float, blocks: int) -> None:
    cycles = torch.full((blocks + 1,), hz / SAMPLE_RATE, dtype=torch.float64)
    expected = np.arange(blocks + 1) * (HOP * hz / SAMPLE_RATE)
    np.testing.assert_allclose(cycles_at_blocks(cycles).numpy(), expected, atol=1e-6)


def test_spin_and_carrier_agree_with_the_slow_way() -> None:
    cycles = torch.full((100,), 440 / SAMPLE_RATE)
    ratios, phase = torch.tensor([1.0, 2.76, 9.1]), torch.tensor([0.1, 0.4, 0.9], dtype=torch.float64)
    turns = torch.arange(100).unsqueeze(-1) * HOP * cycles[0].double() * ratios.double() + phase
    slow = torch.polar(torch.ones_like(turns), 2 * math.pi * turns).to(torch.complex64)
    torch.testing.assert_close(carrier(cycles, ratios, phase), slow, atol=2e-5, rtol=0)
    one = spin(torch.tensor([[0.013]], dtype=torch.float64), torch.tensor([[0.2]], dtype=torch.float64), 50)
    assert one.shape == (50, 1)
    torch.testing.assert_close(one.abs(), torch.ones(50, 1))


def test_unison_copies_keep_the_power() -> None:
    rng = torch.Generator().manual_seed(3)
    copies = torch.stack([torch.rand(4, 40, generator=rng), torch.randn(4, 40, generator=rng)])
    wave = unison_modulation(copies, torch.tensor(9.0), torch.linspace(200, 8000, 40), torch.tensor(0), 3000)
    assert 0.8 < float(wave.abs().square().mean()) < 1.2


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_an_ensemble_is_as_loud_as_one(share: float) -> None:
    """However much of a partial is its copies', its mean power is 1: movement does not change loudness."""
    rng = torch.Generator().manual_seed(4)
    wave = torch.polar(torch.full((200_000,), 1.0), 2 * math.pi * torch.rand(200_000, generator=rng))
    power = float(chorus(wave, torch.tensor(share)).abs().square().mean())
    assert power == pytest.approx(1.0, abs=0.01)


def test_noise_is_white_and_of_unit_variance() -> None:
    for window, hop in ((2048, 512), (256, 64)):
        frames = len(frame_centres(65_536, window, hop))
        white = white_spectra(0, (frames, window))[0].unsqueeze(0)
        sound = shape_noise(torch.ones(1, frames, window // 2 + 1), white, window, hop)
        assert sound.shape[-1] >= 65_536
        assert float(sound.var()) == pytest.approx(1.0, abs=0.05)
        assert abs(float((sound[0, 1:] * sound[0, :-1]).mean())) < 0.03


def test_noise_frames_lie_where_they_say() -> None:
    window, hop, samples = 2048, 512, 16_384
    centres = frame_centres(samples, window, hop)
    gains = torch.zeros(1, len(centres), window // 2 + 1)
    loud = int((centres == 5120).nonzero())
    gains[:, loud] = 1
    sound = shape_noise(gains, white_spectra(2, (len(centres), window))[0].unsqueeze(0), window, hop)
    energy = sound[0, :samples].square()
    middle = float((energy * torch.arange(samples)).sum() / energy.sum())
    assert middle == pytest.approx(5120, abs=150)
