"""Losses against their closed forms, and the property for which each was chosen."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.networks.gesture import Gesture
from antiphon.networks.oscillators import block_count
from antiphon.networks.partials import Bank
from antiphon.representations.spectral import LogMel, magnitude, mel_filters
from antiphon.training.batches.excerpts import ExcerptSource
from antiphon.training.games.optimisers import OPTIMISERS, OptimiserConfig, OptimisticAdam
from antiphon.training.losses.adversarial import (
    feature_matching,
    finite_difference_penalty,
    gradient_penalty,
    lazily,
    lipschitz_penalty,
    rules,
)
from antiphon.training.losses.onset import SAMPLES, onset_loss
from antiphon.training.losses.partials import partials_loss
from antiphon.training.losses.spectral import SpectralLoss
from antiphon.training.losses.tuning import tuning_losses

REAL, FAKE = torch.tensor([0.3, 1.5]), torch.tensor([-0.2, 0.8])

RULES = rules()
CLOSED = {
    "lsgan": (((REAL - 1) ** 2 + FAKE**2).mean() / 2, ((FAKE - 1) ** 2).mean() / 2),
    "hinge": ((torch.relu(1 - REAL) + torch.relu(1 + FAKE)).mean(), -FAKE.mean()),
    "non-saturating": (
        -(torch.log(torch.sigmoid(REAL)) + torch.log(1 - torch.sigmoid(FAKE))).mean(),
        -torch.log(torch.sigmoid(FAKE)).mean(),
    ),
    "minimax": (
        -(torch.log(torch.sigmoid(REAL)) + torch.log(1 - torch.sigmoid(FAKE))).mean(),
        torch.log(1 - torch.sigmoid(FAKE)).mean(),
    ),
    "wasserstein": (FAKE.mean() - REAL.mean(), -FAKE.mean()),
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


def test_minimax_teaches_nothing_to_a_generator_that_loses() -> None:
    """Why the textbook loss stalls, and the non-saturating one does not (Goodfellow 2014, section 3)."""
    slopes = {}
    for name in ("minimax", "non-saturating"):
        hopeless = torch.tensor([-12.0], requires_grad=True)
        RULES[name].generator(REAL, hopeless).backward()
        assert hopeless.grad is not None
        slopes[name] = -float(hopeless.grad)
    assert slopes["minimax"] == pytest.approx(1 / (1 + math.exp(12)), rel=1e-3)
    assert slopes["non-saturating"] == pytest.approx(1, rel=1e-3)


def test_rules_hold_out_against_certainty() -> None:
    """Logits of a critic that is quite sure give finite losses and gradients, where log(0) would not."""
    for rule in RULES.values():
        logits = torch.tensor([-300.0, 300.0], requires_grad=True)
        (rule.discriminator(logits, logits.flip(0)) + rule.generator(logits, logits.flip(0))).backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def critic() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))


def test_finite_differences_estimate_the_gradient_penalty() -> None:
    score = critic()
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(2)
    looks = [float(finite_difference_penalty(score, x, rng, 1e-3).detach()) for _ in range(200)]
    assert sum(looks) / 200 == pytest.approx(float(gradient_penalty(score, x).detach()), rel=0.05)


def test_finite_differences_of_a_line_are_exact_at_any_step() -> None:
    slope = torch.tensor([3.0, -4.0])
    x = torch.randn(5, 2, dtype=torch.float64)
    found = finite_difference_penalty(lambda v: v @ slope.double(), x, torch.Generator().manual_seed(3), 0.5)
    moved = torch.randn(x.shape, generator=torch.Generator().manual_seed(3)).double() @ slope.double()
    assert float(found) == pytest.approx(float(moved.square().mean()), rel=1e-5)


def test_dropout_is_no_slope() -> None:
    flat = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(6, 1))
    torch.nn.init.zeros_(flat[1].weight)
    rng = torch.Generator().manual_seed(0)
    assert float(finite_difference_penalty(flat, torch.randn(8, 6), rng).detach()) == 0
    torch.nn.init.ones_(flat[1].weight)
    looks = [float(finite_difference_penalty(flat, torch.randn(64, 6), rng).detach()) for _ in range(50)]
    assert sum(looks) / 50 == pytest.approx(6 * 0.5 * 4, rel=0.2)  # of 6 inputs, half are there, at twice the weight


def test_penalties_teach_the_critic_and_not_the_generator() -> None:
    rng = torch.Generator().manual_seed(0)
    for penalty in (
        lambda score, x: gradient_penalty(score, x),
        lambda score, x: finite_difference_penalty(score, x, rng),
        lambda score, x: lipschitz_penalty(score, x, x + 1, rng),
    ):
        score, x = critic(), torch.randn(4, 6, requires_grad=True)
        penalty(score, x).backward()
        assert x.grad is None
        assert all(p.grad is not None and p.grad.isfinite().all() for p in list(score.parameters())[:-1])


@pytest.mark.parametrize("length", [0.0, 1.0, 3.0])
def test_lipschitz_penalty_wants_slopes_of_one(length: float) -> None:
    slope = length * torch.tensor([0.6, 0.8])
    rng = torch.Generator().manual_seed(0)
    penalty = lipschitz_penalty(lambda x: x @ slope, torch.randn(5, 2), torch.randn(5, 2), rng)
    assert float(penalty) == pytest.approx((length - 1) ** 2, abs=1e-5)


def test_lipschitz_penalty_looks_between_the_pairs() -> None:
    seen = []

    def score(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return x.square().sum((1, 2))

    real, fake = torch.zeros(64, 1, 3), torch.ones(64, 1, 3)
    lipschitz_penalty(score, real, fake, torch.Generator().manual_seed(0))
    shares = seen[0][:, 0]
    assert torch.equal(shares[:, 0], shares[:, 2])  # one share a pair
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares.std() > 0.2


def test_a_lazy_penalty_counts_as_much() -> None:
    assert [lazily(step, 4) for step in range(5)] == [4, 0, 0, 0, 4]
    assert sum(lazily(step, 16) for step in range(64)) == 64


def bilinear_game(name: str, steps: int = 700) -> list[float]:
    """min over x, max over y of x y, both moving at once: distances from the equilibrium (0, 0)."""
    x, y = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    config = OptimiserConfig(name, 0.05, 0.05, beta1=0.0, beta2=0.999)
    players = config.generator([x]), config.critic([y])
    distances = []
    for _ in range(steps):
        x.grad, y.grad = y.detach().clone(), -x.detach().clone()
        for player in players:
            player.step()
        distances.append(math.hypot(x.item(), y.item()))
    return distances


def test_optimism_ends_the_circling() -> None:
    plain, optimistic = bilinear_game("adam"), bilinear_game("optimistic-adam")
    assert min(plain) > 0.9
    assert plain[-1] > plain[len(plain) // 2]
    assert optimistic[-1] < 0.3
    assert optimistic[-1] < 0.6 * optimistic[len(optimistic) // 2]


def test_optimistic_adam_is_its_printed_rule() -> None:
    rate, beta1, beta2, eps = 0.1, 0.5, 0.9, 1e-8
    p = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimiser = OptimisticAdam([p], lr=rate, betas=(beta1, beta2), eps=eps)
    x, m, v, last = 1.0, 0.0, 0.0, 0.0
    for t, g in enumerate([0.3, -1.0, 2.0, 0.1], 1):
        p.grad = torch.tensor([g], dtype=torch.float64)
        optimiser.step()
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        update = rate * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)
        x, last = x - 2 * update + last, update
        assert p.item() == pytest.approx(x, rel=1e-9)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_learn_and_go_on_where_they_stopped(name: str) -> None:
    def run(stop: int | None) -> torch.Tensor:
        p = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
        config = OptimiserConfig(name, rate=0.02)
        optimiser = config.generator([p])
        for step in range(150):
            if step == stop:
                state, optimiser = optimiser.state_dict(), config.generator([p])
                optimiser.load_state_dict(state)
            p.grad = 2 * p.detach()
            optimiser.step()
        return p.detach()

    assert run(None).norm() < 2.5
    assert torch.equal(run(None), run(70))


def test_two_time_scales_are_two_rates() -> None:
    p = torch.nn.Parameter(torch.zeros(1))
    config = OptimiserConfig("adam", rate=1e-4, critic_rate=4e-4)
    assert config.generator([p]).param_groups[0]["lr"] == 1e-4
    assert config.critic([p]).param_groups[0]["lr"] == 4e-4
    with pytest.raises(AntiphonError, match="rmsprop"):
        OptimiserConfig("adm").generator([p])
    with pytest.raises(AntiphonError, match="beta"):
        OptimiserConfig(beta1=1.0).generator([p])


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


def test_each_sound_of_a_batch_counts_alike() -> None:
    """A loud one does not outweigh the others: a batch's loss is the mean of what its sounds' are alone."""
    rng = torch.Generator().manual_seed(3)
    real = torch.cat([sine(300, 0.5), sine(900, 0.005), sine(2000, 0.05)])
    fake = real + torch.tensor([[0.01], [0.002], [0.02]]) * torch.randn(real.shape, generator=rng)
    loss = SpectralLoss()
    together = loss(fake, real)
    alone = [loss(f.unsqueeze(0), r.unsqueeze(0)) for f, r in zip(fake, real, strict=True)]
    for name, value in together.items():
        torch.testing.assert_close(value, torch.stack([one[name] for one in alone]).mean(), rtol=1e-4, atol=1e-6)


def test_features_of_the_real_sound_stay_where_they_are() -> None:
    real, fake = ([[torch.randn(2, 8, requires_grad=True)]] for _ in range(2))
    feature_matching(real, fake).backward()
    assert real[0][0].grad is None
    assert fake[0][0].grad is not None
    assert fake[0][0].grad.abs().max() > 0


# --- levels of partials


def test_partials_are_compared_where_a_window_shows_the_note_alone() -> None:
    """Before half a window has gone by it shows the silence before the onset, too, and reads low."""
    times = torch.arange(0.0, 9.0) * 1024
    g = Gesture(
        pitch=torch.tensor([69.0]), velocity=torch.ones(1), release=torch.tensor([math.inf]), start=torch.tensor([0]),
        samples=8192, knots=times.unsqueeze(0), f0=torch.full((1, block_count(8192)), 440.0), take=torch.tensor([0]),
    )  # fmt: skip
    level = torch.full((9, 3), -2.0, requires_grad=True)
    own = torch.arange(3).unsqueeze(0)
    bank = Bank(torch.tensor([[1.0, 2.0, 3.0]]), level.unsqueeze(0), torch.ones(1, 3, dtype=torch.bool), (3,), own)
    loss = partials_loss(bank, g, sine(440, 0.4)[:, :8192])
    loss.backward()
    assert level.grad is not None
    moved = level.grad.abs().amax(1)
    assert moved[0] == 0
    assert (moved[1:] > 0).all()


# --- tuning


def test_the_tuner_is_at_rest_where_it_says_what_was_measured(prepared) -> None:
    """And each thing that it says otherwise costs something."""
    batch = ExcerptSource(Prepared(prepared), 8192, 1).batch(0, 4)
    off = replace(batch.tuning, cents=torch.tensor([20.0, -30.0, 5.0, 0.0]))  # a recording may be out of tune
    batch = replace(batch, tuning=off, cents=off.cents.unsqueeze(-1).expand(-1, batch.cents.shape[1]))
    knots = batch.gesture.knots

    def loss(drift: float = 0.0, **changes: torch.Tensor) -> float:
        curves = SimpleNamespace(drift=torch.full(knots.shape, drift))
        return float(tuning_losses(replace(off, **changes), curves, knots, batch))  # type: ignore[arg-type]

    at_rest = loss()
    assert at_rest < 1e-2
    assert loss(drift=20.0) - at_rest == pytest.approx(1.0, abs=1e-3)  # in units of 20 cents
    assert loss(cents=off.cents + 20) - at_rest == pytest.approx(1.0, abs=1e-3)
    sharp = loss(ratios=off.ratios * 2 ** (20 / 1200))
    assert sharp - at_rest == pytest.approx(1.0, abs=1e-2)
    assert loss(active=1 - off.active) > at_rest + 1
    assert loss(vibrato=off.vibrato + torch.tensor([0.0, 10.0, 0.0])) > at_rest + 0.1


# --- onsets


def risen(seconds: float, phase: float = 0.0) -> torch.Tensor:
    """(SAMPLES,) a tone that rises linearly within that many seconds."""
    t = torch.arange(SAMPLES) / 44_100
    return 0.5 * torch.sin(2 * math.pi * 440 * t + phase) * (t / seconds).clamp(max=1)


def test_onset_loss_forgives_phase_and_orders_attacks() -> None:
    target = risen(0.03)
    takes = {
        s: torch.stack([risen(s, phase) for phase in (0.0, 0.7, 1.9, 2.8)]) for s in (0.02, 0.029, 0.03, 0.04, 0.08)
    }
    loss = {seconds: float(onset_loss(made, target)) for seconds, made in takes.items()}
    assert loss[0.03] < 0.01 < loss[0.02] < 0.2
    assert loss[0.029] < loss[0.02]
    assert loss[0.03] < loss[0.04] < loss[0.08] < 1
    assert float(onset_loss(torch.zeros(3, SAMPLES), target)) > 0.5


def test_onset_loss_knows_no_level_of_its_own_and_stands_silence() -> None:
    takes, target = risen(0.05).expand(2, -1), risen(0.02)
    assert float(onset_loss(takes / 100, target / 100)) == pytest.approx(float(onset_loss(takes, target)), rel=1e-3)
    silent = torch.zeros(2, SAMPLES, requires_grad=True)
    for recording in (target, torch.zeros(SAMPLES)):
        (slope,) = torch.autograd.grad(onset_loss(silent, recording), silent)
        assert bool(torch.isfinite(slope).all())
