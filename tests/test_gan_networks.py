"""Contracts of the literature's GANs, checked for all of them: shapes, seeds, labels, gradients, cost."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass, replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import registry
from antiphon.networks.discriminators.usual import UsualDiscriminator
from antiphon.networks.discriminators.wavegan import PhaseShuffle
from antiphon.networks.equalised import EqualConv2d, pixel_norm
from antiphon.networks.generators.dcgan import DCGANConfig, DCGANGenerator
from antiphon.networks.generators.gansynth import SIZES as GANSYNTH_SIZES
from antiphon.networks.generators.gansynth import GANSynthConfig
from antiphon.networks.generators.specgan import SIZES as SPECGAN_SIZES
from antiphon.networks.generators.specgan import SpecGANConfig
from antiphon.networks.generators.wavegan import SIZES as WAVEGAN_SIZES
from antiphon.networks.generators.wavegan import WaveGANConfig, WaveGANGenerator
from antiphon.networks.image_gan import Conditions, ImageCritic, ImageGenerator, limits_of
from antiphon.networks.optimisers import Adam
from antiphon.networks.spectral_norm import spectrally_normed
from antiphon.representations.instantaneous_frequency import MagnitudeIF, MelMagnitudeIF
from antiphon.representations.log_magnitude import LogMagnitude
from antiphon.representations.log_mel import LogMelSpectrogram
from antiphon.training.losses.adversarial import (
    finite_difference_penalty,
    gradient_penalty,
    lipschitz_penalty,
    rule_called,
)
from antiphon.voices.cost import multiply_adds, parameter_count
from antiphon.voices.image_model import ImageConfig, ViewConfig

GENERATORS = registry("antiphon.networks.generators", "GENERATORS")
CRITICS = registry("antiphon.networks.discriminators", "DISCRIMINATORS")
NAMES = sorted(GENERATORS)
TOLD = Conditions(keys=25, lowest=48, instruments=3, styles=2)


def build(name: str, conditions: Conditions = TOLD, **settings: Any) -> tuple[ImageGenerator, ImageCritic]:
    sizes = import_module(f"antiphon.networks.generators.{name}").SIZES
    config = replace(sizes["tiny"], conditions=conditions, **settings)
    torch.manual_seed(0)
    return GENERATORS[name][1](config), ImageConfig(config, ViewConfig("waveform"), 0).new_critic()


def labels(count: int = 3, conditions: Conditions = TOLD) -> Tensor:
    pitch = torch.tensor([48.0, 60.4, 72.0])[:count]
    return conditions.vector(pitch, torch.arange(count), torch.tensor([[1, 0], [0, 1], [1, 1]])[:count])


def noise(generator: ImageGenerator, count: int = 3, seed: int = 5) -> Tensor:
    return generator.draw(count, torch.Generator().manual_seed(seed))


def test_the_papers_generators_have_their_critics() -> None:
    assert {"dcgan", "wavegan", "specgan", "gansynth"} <= set(NAMES)
    assert set(CRITICS) <= set(NAMES)
    for name in {"dcgan", "wavegan", "specgan", "gansynth"}:
        view = ViewConfig("waveform")
        network = import_module(f"antiphon.networks.generators.{name}").SIZES["tiny"]
        assert type(ImageConfig(network, view, 0).new_critic()) is CRITICS[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("conditions", [TOLD, Conditions()])
def test_shapes_and_ranges(name: str, conditions: Conditions) -> None:
    generator, critic = build(name, conditions)
    condition = labels(conditions=conditions)
    image = generator(noise(generator), condition)
    assert image.shape == (3, *generator.shape)
    assert image.abs().max() <= 1
    verdict = critic(image, condition)
    assert verdict.logits.shape == (3,)
    assert verdict.logits.isfinite().all()
    assert len(verdict.features) >= 2
    assert verdict.keys is None or verdict.keys.shape == (3, conditions.keys)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_a_sound_and_a_label_matters(name: str) -> None:
    generator, critic = build(name)
    generator.eval(), critic.eval()
    z, condition = noise(generator), labels()
    image = generator(z, condition)
    assert torch.equal(image, generator(noise(generator), condition))
    assert not torch.allclose(image, generator(noise(generator, seed=6), condition))
    assert not torch.allclose(image, generator(z, condition.roll(1, 0)))
    assert not torch.allclose(critic(image, condition).logits, critic(image, condition.roll(1, 0)).logits)


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_does_not_depend_on_the_batch(name: str) -> None:
    generator, critic = build(name)
    generator.eval(), critic.eval()
    z, condition = noise(generator), labels()
    image = generator(z, condition)
    torch.testing.assert_close(generator(z[1:2], condition[1:2]), image[1:2], atol=1e-5, rtol=1e-4)
    if name != "gansynth":  # whose critic is shown how much a batch's sounds differ
        alone, together = critic(image[1:2], condition[1:2]), critic(image, condition)
        torch.testing.assert_close(alone.logits, together.logits[1:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_everything(name: str) -> None:
    generator, critic = build(name)
    verdict = critic(generator(noise(generator), labels()), labels())
    loss = verdict.logits.square().sum() + (0 if verdict.keys is None else verdict.keys.square().sum())
    loss.backward()
    for part in (generator, critic):
        for label, p in part.named_parameters():
            assert p.grad is not None, label
            assert p.grad.isfinite().all(), label
    assert sum(float(p.grad.abs().sum()) for p in generator.parameters() if p.grad is not None) > 0


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_the_seeds_and_can_be_saved(name: str) -> None:
    first, second = build(name)[0], build(name)[0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    torch.manual_seed(1)
    other = type(first)(replace(import_module(f"antiphon.networks.generators.{name}").SIZES["tiny"], conditions=TOLD))
    other.load_state_dict(first.state_dict())
    z = noise(first)
    assert torch.equal(first.eval()(z, labels()), other.eval()(z, labels()))


@pytest.mark.parametrize("name", NAMES)
def test_the_critic_learns_in_a_few_steps(name: str) -> None:
    """It distinguishes a pattern from the generator's output."""
    generator, critic = build(name, Conditions())
    none = torch.zeros(3, 0)
    real = torch.sin(torch.arange(generator.shape[-1]) / 2).expand(3, *generator.shape) * 0.7
    fake = generator(noise(generator), none).detach()
    rate = 2e-2 if name == "gansynth" else 2e-3  # equalised weights are ten times larger
    optimiser = Adam(critic.parameters(), rate)
    losses = []
    for _ in range(20):
        loss = rule_called("relativistic").discriminator(critic(real, none).logits, critic(fake, none).logits)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_penalty_can_be_taken_of_every_critic(name: str) -> None:
    generator, critic = build(name)
    real, fake, rng = torch.rand(3, *generator.shape), torch.rand(3, *generator.shape), torch.Generator().manual_seed(0)

    def score(x: Tensor) -> Tensor:
        return critic(x, labels()).logits

    for penalty in (
        gradient_penalty(score, real),
        finite_difference_penalty(score, fake, rng),
        lipschitz_penalty(score, real, fake, rng),
    ):
        critic.zero_grad()
        penalty.backward()
        grads = [p.grad for p in critic.parameters() if p.grad is not None]
        assert all(g.isfinite().all() for g in grads)
        assert sum(float(g.abs().sum()) for g in grads) > 0


@pytest.mark.parametrize("name", NAMES)
def test_critics_can_be_held_to_a_slope_of_one(name: str) -> None:
    _, critic = build(name, Conditions())
    spectrally_normed(critic)
    x = torch.rand(2, *build(name)[0].shape)
    for _ in range(30):  # each pass is one more round of the power iteration
        critic(x, torch.zeros(2, 0))
    for layer in critic.modules():
        if hasattr(layer, "parametrizations"):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
    assert name == "gansynth" or any(hasattr(layer, "parametrizations") for layer in critic.modules())


# ---- generators of one's own -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_usual_critic_looks_at_any_image(name: str) -> None:
    generator, _ = build(name)
    config = replace(import_module(f"antiphon.networks.generators.{name}").SIZES["tiny"], conditions=TOLD)
    critic, image = UsualDiscriminator(config), torch.rand(3, *generator.shape)
    verdict = critic(image, labels())
    assert verdict.logits.shape == (3,)
    assert not torch.allclose(verdict.logits, critic(image, labels().roll(1, 0)).logits)
    verdict.logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.parameters())


def test_an_image_that_no_critic_can_look_at_is_refused() -> None:
    with pytest.raises(AntiphonError, match="define one for the generator"):
        UsualDiscriminator(SimpleNamespace(shape=(1, 2, 3, 4), conditions=Conditions()))


@dataclass(frozen=True)
class Odd:
    layers: int = 2
    slope: float = 0.2
    bright: bool = True
    hidden: int = 8
    conditions: Conditions = field(default_factory=Conditions)

    limits: ClassVar = {"layers": (1, 9)}


def test_every_setting_of_a_network_has_bounds() -> None:
    """Its own if given, else those of its type: never none, which would let an untrusted file choose."""
    low, high = limits_of(Odd)["hidden"]
    assert limits_of(Odd)["layers"] == (1, 9)
    assert low == 0 < high < 1 << 20
    assert type(limits_of(Odd)["slope"][0]) is float
    assert limits_of(Odd)["bright"] == (False, True)
    assert "conditions" not in limits_of(Odd)
    for config, _ in GENERATORS.values():
        assert all(type(low) is type(high) and low < high for low, high in limits_of(config).values())


def test_a_setting_that_no_voice_could_hold_is_refused() -> None:
    wordy = make_dataclass("Wordy", [("activation", str, "relu")], frozen=True)
    with pytest.raises(AntiphonError, match=r"Wordy\.activation cannot be saved"):
        limits_of(wordy)


# ---- labels ----------------------------------------------------------------------------------------------------------


def test_conditions_are_one_hots_side_by_side() -> None:
    vector = labels()
    assert vector.shape == (3, TOLD.size) == (3, 30)
    assert vector[1].nonzero().flatten().tolist() == [12, 26, 29]  # key 60, instrument 1, style 1
    assert TOLD.key(torch.tensor([0.0, 127.0])).tolist() == [0, 24]
    assert Conditions().vector(torch.zeros(4)).shape == (4, 0)
    assert Conditions(descriptors=2).vector(torch.zeros(1), numbers=torch.tensor([[0.5, 2.0]])).tolist() == [[0.5, 2.0]]


# ---- each paper's own ------------------------------------------------------------------------------------------------


def test_the_textbooks_sizes_multiply_out() -> None:
    config = DCGANConfig()
    generator = DCGANGenerator(config)
    assert config.seed_shape == (8, 8, 8)
    assert [m.out_features for m in generator.dense if isinstance(m, nn.Linear)] == [256, 512]
    assert [(m.out_channels, m.kernel_size) for m in generator.convolutions if isinstance(m, nn.Conv2d)] == [
        (128, (3, 3)),
        (256, (3, 3)),
        (1, (3, 3)),
    ]
    assert generator.shape == (1, 64, 64)
    with pytest.raises(AntiphonError, match="multiples of 8"):
        DCGANGenerator(DCGANConfig(bands=60))


def test_images_are_those_of_the_representations() -> None:
    assert LogMelSpectrogram(2048, 512, 64).shape(32_768) == DCGANConfig().shape
    assert LogMagnitude(512, 128).shape(16_384) == SpecGANConfig().shape
    for view in (MagnitudeIF(), MelMagnitudeIF()):
        assert view.shape(65_536) == GANSynthConfig().shape


@pytest.mark.parametrize(("samples", "layers"), [(16_384, 5), (32_768, 5), (65_536, 6)])
def test_wavegans_lengths(samples: int, layers: int) -> None:
    config = WaveGANConfig(samples=samples, channels=1)
    generator = WaveGANGenerator(config)
    assert len(generator.layers) == layers
    assert generator(torch.zeros(1, 100), torch.zeros(1, 0)).shape == (1, 1, samples)
    with pytest.raises(AntiphonError, match="65536"):
        WaveGANGenerator(WaveGANConfig(samples=44_100))


def test_phase_shuffle_moves_each_sound_by_its_own_few_steps() -> None:
    shuffle = PhaseShuffle(2)
    x = torch.arange(10.0).expand(200, 3, 10)
    torch.manual_seed(0)
    moved = shuffle(x)
    allowed = {
        by: torch.tensor([abs(t - by) if t - by < 10 else 18 - (t - by) for t in range(10)]).float()
        for by in range(-2, 3)
    }
    seen = []
    for sound in moved:
        by = [k for k, v in allowed.items() if torch.equal(v, sound[0])]
        assert len(by) == 1
        assert torch.equal(sound[0], sound[2])  # all channels alike
        seen += by
    assert set(seen) == {-2, -1, 0, 1, 2}
    assert min(seen.count(k) for k in allowed) > 20  # a fifth each, about
    assert torch.equal(shuffle.eval()(x), x)
    assert torch.equal(PhaseShuffle(0)(x), x)


def test_phase_shuffle_is_repeatable_and_lets_gradients_through() -> None:
    shuffle = PhaseShuffle(2)
    x = torch.randn(4, 2, 50, requires_grad=True)
    torch.manual_seed(3)
    first = shuffle(x)
    torch.manual_seed(3)
    assert torch.equal(first, shuffle(x))
    first.sum().backward()
    assert x.grad is not None
    assert float(x.grad.sum()) == pytest.approx(x.numel())


def test_gansynths_critic_hears_pitch_without_being_told() -> None:
    _, critic = build("gansynth")
    x = torch.rand(3, 2, 32, 8)
    told = labels()
    elsewhere = TOLD.vector(torch.tensor([70.0, 50.0, 49.0]), torch.arange(3), told[:, -2:])
    a, b = critic(x, told), critic(x, elsewhere)
    assert torch.equal(a.logits, b.logits)
    assert a.keys is not None
    assert b.keys is not None
    assert torch.equal(a.keys, b.keys)


def test_gansynths_critic_notices_collapse() -> None:
    _, critic = build("gansynth", Conditions())
    one = torch.rand(1, 2, 32, 8)
    alike, varied = one.expand(3, -1, -1, -1), torch.cat([one, torch.rand(2, 2, 32, 8)])
    none = torch.zeros(3, 0)
    assert (critic(alike, none).logits[0] - critic(varied, none).logits[0]).abs() > 1e-4


def test_equalised_layers_keep_the_level() -> None:
    torch.manual_seed(0)
    layer = EqualConv2d(32, 64, 3)
    x = torch.randn(4, 32, 16, 16)
    assert float(layer.weight.std()) == pytest.approx(1, abs=0.05)
    assert float(torch.relu(layer(x)).square().mean()) == pytest.approx(1, rel=0.15)  # He 2015: a ReLU halves the power
    torch.testing.assert_close(pixel_norm(7 * x).square().mean(1), torch.ones(4, 16, 16))


# ---- cost ------------------------------------------------------------------------------------------------------------


def test_cost_of_layers_is_their_closed_form() -> None:
    linear, convolution = nn.Linear(10, 20), nn.Conv2d(3, 8, 5, 2, padding=2)
    assert parameter_count(linear) == 220
    assert multiply_adds(linear, torch.zeros(1, 10)) == 200
    assert multiply_adds(linear, torch.zeros(4, 10)) == 800
    assert multiply_adds(convolution, torch.zeros(1, 3, 16, 16)) == 8 * 8 * 8 * 3 * 25
    up = nn.ConvTranspose1d(6, 4, 25, 4, padding=11, output_padding=1)
    assert multiply_adds(up, torch.zeros(1, 6, 16)) == 16 * 6 * 4 * 25


def test_the_papers_widths_are_the_large_ones() -> None:
    assert WAVEGAN_SIZES["large"].widths == [1024, 512, 256, 128, 64, 1]
    assert replace(WAVEGAN_SIZES["large"], samples=65_536).widths == [2048, 1024, 512, 256, 128, 64, 1]
    assert SPECGAN_SIZES["large"].widths == [1024, 512, 256, 128, 64, 1]
    assert GANSYNTH_SIZES["large"].widths == [256, 256, 256, 256, 128, 64, 32]
    assert GANSYNTH_SIZES["large"].seed_shape == (256, 16, 2)
