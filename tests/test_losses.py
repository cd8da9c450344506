"""Losses against their closed forms, and the property that makes each worth having."""

import math

import pytest
import torch
import torch.nn.functional as F

from antiphon.losses.adversarial import RULES, feature_matching, gradient_penalty
from antiphon.losses.spectral import SpectralLoss
from antiphon.representations.spectral import LogMel, magnitude, mel_filters

REAL, FAKE = torch.tensor([0.3, 1.5]), torch.tensor([-0.2, 0.8])

CLOSED = {
    "lsgan": (((REAL - 1) ** 2 + FAKE**2).mean() / 2, ((FAKE - 1) ** 2).mean() / 2),
    "hinge": ((torch.relu(1 - REAL) + torch.relu(1 + FAKE)).mean(), -FAKE.mean()),
    "non-saturating": (
        -(torch.log(torch.sigmoid(REAL)) + torch.log(1 - torch.sigmoid(FAKE))).mean(),
        -torch.log(torch.sigmoid(FAKE)).mean(),
    ),
    "relativistic": (
        -torch.log(torch.sigmoid(REAL - FAKE)).mean(),
        -torch.log(torch.sigmoid(FAKE - REAL)).mean(),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_rules_equal_their_closed_forms(name: str) -> None:
    rule = RULES[name]
    torch.testing.assert_close(rule.discriminator(REAL, FAKE), CLOSED[name][0])
    torch.testing.assert_close(rule.generator(REAL, FAKE), CLOSED[name][1])


@pytest.mark.parametrize("name", RULES)
def test_each_side_gains_by_moving_its_own_way(name: str) -> None:
    rule = RULES[name]
    assert rule.discriminator(REAL + 0.1, FAKE - 0.1) < rule.discriminator(REAL, FAKE)
    assert rule.generator(REAL, FAKE + 0.1) < rule.generator(REAL, FAKE)


def test_gradient_penalty_of_a_linear_score_is_its_squared_slope() -> None:
    slope = torch.tensor([3.0, -4.0])
    penalty = gradient_penalty(lambda x: x @ slope, torch.randn(5, 2))
    assert float(penalty) == pytest.approx(25.0)


def test_feature_matching_is_zero_for_equals_and_grows() -> None:
    features = [[torch.randn(2, 3, 4)], [torch.randn(2, 5)]]
    near = [[f + 0.1 for f in fs] for fs in features]
    far = [[f + 1.0 for f in fs] for fs in features]
    assert float(feature_matching(features, features)) == 0
    assert 0 < float(feature_matching(features, near)) < float(feature_matching(features, far))


def sine(hz: float, amplitude: float = 0.5) -> torch.Tensor:
    return (amplitude * torch.sin(2 * math.pi * hz * torch.arange(32_768) / 44_100)).unsqueeze(0)


def test_magnitude_reads_a_sine_at_its_amplitude() -> None:
    spectrum = magnitude(sine(44_100 * 100 / 2048), 2048, 512)
    assert float(spectrum[0, 100, 30]) == pytest.approx(0.5, rel=1e-3)


def test_magnitude_agrees_with_torch_stft() -> None:
    x = torch.randn(2, 8192)
    window = torch.hann_window(1024)
    reference = torch.stft(x, 1024, 256, window=window, center=True, pad_mode="constant", return_complex=True).abs()
    torch.testing.assert_close(magnitude(x, 1024, 256), reference * 4 / 1024, atol=1e-5, rtol=1e-4)


def test_mel_filters_sum_to_one_and_miss_no_band() -> None:
    for window, bands in ((2048, 128), (512, 64), (512, 48)):
        filters = mel_filters(window, bands)
        torch.testing.assert_close(filters.sum(1), torch.ones(bands))


def test_log_mel_of_silence_is_zero_and_of_full_scale_near_one() -> None:
    mel = LogMel(2048, 512, 64)
    assert mel(torch.zeros(1, 8192)).abs().max() < 1e-3
    assert 0.8 < float(mel(sine(1000, 1.0)).max()) <= 1.0


def test_spectral_loss_orders_damage_and_forgives_phase() -> None:
    loss = SpectralLoss()
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 32_768, generator=rng)
    clean = sine(500)

    def total(x: torch.Tensor) -> float:
        return sum(float(v) for v in loss(x, clean).values())

    inverted = total(-clean)
    assert inverted < 1e-3
    assert inverted < total(clean + 0.0003 * noise) < total(clean + 0.01 * noise) < total(sine(700))


def test_gradient_of_silence_is_finite() -> None:
    x = torch.zeros(1, 32_768, requires_grad=True)
    sum(SpectralLoss()(x, sine(300)).values()).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert float(F.relu(x.grad.abs()).max()) < 1e6
