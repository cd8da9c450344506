"""The expected spectrum against real ones, and the amount of movement."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import SIZES, InstrumentGenerator
from antiphon.networks.gesture import Curves, Gesture
from antiphon.networks.oscillators import HOP, block_count
from antiphon.networks.partials import Bank
from antiphon.networks.physics import at_blocks, midi_to_hz
from antiphon.representations.spectral import magnitude
from antiphon.training.losses.expected import VIEWS, ExpectedLoss, lobes
from antiphon.training.losses.movement import movement_loss
from antiphon.training.losses.zones import ZoneLoss

SAMPLES = 32_768


def gesture(pitches, start=0) -> Gesture:
    pitch = torch.tensor(pitches, dtype=torch.float32)
    n = len(pitches)
    return Gesture(
        pitch=pitch,
        velocity=torch.full((n,), 0.7),
        release=torch.full((n,), torch.inf),
        start=torch.full((n,), start),
        samples=SAMPLES,
        knots=torch.linspace(start, start + SAMPLES, 60).expand(n, -1).contiguous(),
        f0=midi_to_hz(pitch).unsqueeze(-1).expand(-1, block_count(SAMPLES)).contiguous(),
        take=torch.arange(n),
    )


@pytest.fixture(scope="module")
def generator() -> InstrumentGenerator:
    torch.manual_seed(0)
    return InstrumentGenerator(SIZES["tiny"]).eval()


@pytest.mark.parametrize("hz", [440.0, 1003.7, 9_876.5])
def test_a_sines_lobe_is_what_the_fft_shows(hz: float) -> None:
    window = 1024
    sine = 0.5 * torch.sin(2 * torch.pi * hz / SAMPLE_RATE * torch.arange(8 * window))
    real = magnitude(sine[None], window, window)[0, :, 4].square()
    level = torch.log(torch.tensor(0.5)).expand(1, 1, 1)
    drawn = lobes(torch.full((1, 1, 1), hz), level, window)[0, 0]
    near = real > real.max() * 1e-5  # the lobe is cut beyond four bins, at -50 dB
    assert (10 * torch.log10(drawn[near] / real[near])).abs().max() < 0.3


def test_the_expected_spectrum_is_the_played_ones(generator: InstrumentGenerator) -> None:
    """On average over many notes, for every window, with tones and noise at once."""
    g = gesture([40 + 2 * i for i in range(24)], start=8192)
    w = torch.randn(len(g.pitch), generator.config.style)
    loss = ExpectedLoss(generator.config)
    with torch.no_grad():
        tuning = generator.tuning(w, g.pitch, g.velocity)
        sound = generator(w, g, tuning)
        at = replace(g, knots=loss.instants(g, torch.Generator().manual_seed(1)))
        curves = generator.curves(w, at)
        bank = generator.all_partials(curves, at, tuning)
        f0, first = at_blocks(at.f0, (at.knots - at.start.unsqueeze(-1)) / HOP), 0
        for view in VIEWS:
            look = slice(first, first + view.instants)
            first += view.instants
            hz = f0[:, look].unsqueeze(-1) * bank.ratios.unsqueeze(1)
            expected = lobes(hz, bank.level[:, look], view.window) + loss._noise(view.window, look, curves, at)
            centres = (at.knots[:, look] - at.start.unsqueeze(-1)).long()
            seen = torch.stack(
                [magnitude(sound[i : i + 1, c - view.window // 2 : c + view.window // 2], view.window, view.window // 2)
                 [0, :, 1] for i in range(len(sound)) for c in centres[i].tolist()]
            ).square()  # fmt: skip
            assert float(seen.sum() / expected.sum()) == pytest.approx(1, abs=0.08)


def test_it_teaches(generator: InstrumentGenerator) -> None:
    g = gesture([60, 67])
    loss = ExpectedLoss(generator.config)
    at = replace(g, knots=loss.instants(g, torch.Generator().manual_seed(0)))
    w = torch.randn(2, generator.config.style, requires_grad=True)
    bank_curves = generator.curves(w, at)
    bank = generator.all_partials(bank_curves, at, generator.tuning(w, g.pitch, g.velocity))
    silent_and_loud = torch.stack([torch.zeros(SAMPLES), 0.1 * torch.randn(SAMPLES)])
    terms = loss(bank, bank_curves, at, silent_and_loud)
    assert set(terms) == {"log", "linear", "mel", "partials"}
    sum(terms.values()).backward()
    assert torch.isfinite(w.grad).all()
    assert (w.grad != 0).any()


def test_movement_is_heard_and_taught(generator: InstrumentGenerator) -> None:
    """A still sound beside a moving one: the loss falls as the ensemble's share rises to the moving one's."""
    g = gesture([60, 64, 67, 72], start=16384)
    w = torch.randn(4, generator.config.style)
    ratios = torch.arange(1, 65).float().expand(4, -1)
    with torch.no_grad():
        tuning = generator.tuning(w, g.pitch, g.velocity)
        curves = generator.curves(w, g)
        curves = replace(curves, noise=curves.noise - 6, strike=curves.strike - 6)
        share = torch.full_like(curves.ensemble, 0.6)
        other = replace(g, take=g.take + 100)  # other phases: the comparison does not depend on chance
        moving = generator.synthesise(replace(curves, ensemble=share), other, tuning)
        losses = [
            float(
                movement_loss(generator.synthesise(replace(curves, ensemble=d * share), g, tuning), moving, g, ratios)
            )
            for d in (0.0, 0.3, 1.0)
        ]
    assert losses[0] > losses[1] > losses[2]
    assert float(movement_loss(moving, moving, g, ratios)) == 0
    share.requires_grad_()
    still = generator.synthesise(replace(curves, ensemble=0.1 * share), g, tuning)
    movement_loss(still, moving, g, ratios).backward()
    assert float(share.grad.sum()) < 0  # more of it would be better


# ---- zones


def _seen(generator: InstrumentGenerator, loss: ZoneLoss, g: Gesture, w: torch.Tensor) -> tuple[Bank, Curves]:
    """The generator's output for takes of a note, where the loss looks."""
    at = replace(g, knots=loss.knots.expand(len(g.pitch), -1))
    curves = generator.curves(w, at)
    return generator.all_partials(curves, at, generator.tuning(w, g.pitch, g.velocity)), curves


@pytest.mark.parametrize("pitch", [40, 57, 71])
def test_expected_zones_are_the_played_ones(generator: InstrumentGenerator, pitch: int) -> None:
    g = gesture([pitch] * 24)
    w = torch.randn(1, generator.config.style, generator=torch.Generator().manual_seed(pitch)).expand(24, -1)
    hz = np.full(65, float(midi_to_hz(g.pitch[0])))
    with torch.no_grad():
        takes = generator(w, g, generator.tuning(w, g.pitch, g.velocity)).numpy()
        losses = [ZoneLoss(audio, hz, generator.config) for audio in takes]
        expected = losses[0].shown(*_seen(generator, losses[0], g, w))
    played = torch.stack([loss.energy for loss in losses]).mean(0)
    heard = played > 1e-4 * played.sum()
    apart = (10 * torch.log10(expected / played))[heard].abs()
    assert heard.sum() > 10
    assert apart.median() < 0.5
    assert apart.max() < 2.5  # of 24 takes, where two partials beat


def test_zones_part_a_tone_from_the_harmonic_beside_it(generator: InstrumentGenerator) -> None:
    """116 Hz and a tone at 0.88 of it, which a window of 93 ms shows as one."""
    t = np.arange(SAMPLES) / SAMPLE_RATE
    hz = 116.5
    beside = (np.exp(-t / 0.2) * np.sin(2 * np.pi * 0.88 * hz * t)).astype(np.float32)
    at = (np.exp(-t / 0.2) * np.sin(2 * np.pi * hz * t)).astype(np.float32)
    for audio, zone in ((beside, 3), (at, 2)):
        energy = ZoneLoss(audio, np.full(65, hz), generator.config).energy
        assert energy[zone] > 0.9 * energy.sum()


def test_the_zones_loss_is_least_where_a_note_is_its_recording(generator: InstrumentGenerator) -> None:
    g, w = gesture([52]), torch.randn(1, generator.config.style, generator=torch.Generator().manual_seed(0))
    hz = np.full(65, float(midi_to_hz(g.pitch[0])))
    with torch.no_grad():
        loss = ZoneLoss(generator(w, g, generator.tuning(w, g.pitch, g.velocity))[0].numpy(), hz, generator.config)
        bank, curves = _seen(generator, loss, g, w)
        own = float(loss(bank, curves))
        hissing = float(loss(bank, replace(curves, noise=curves.noise + 6)))
        louder = float(loss(replace(bank, level=bank.level + 0.7), curves))
    assert own < 0.5
    assert min(hissing, louder) > own + 0.3


def test_zones_of_the_shortest_note(generator: InstrumentGenerator) -> None:
    """A click, and a note too high for most zones."""
    for pitch, samples in ((30, 900), (120, 2_000)):
        g, w = gesture([pitch]), torch.zeros(1, generator.config.style)
        hz = np.full(8, float(midi_to_hz(g.pitch[0])))
        sound = np.sin(np.arange(samples) * hz[0] * 2 * np.pi / SAMPLE_RATE).astype(np.float32)
        loss = ZoneLoss(sound, hz, generator.config)
        value = loss(*_seen(generator, loss, g, w))
        value.backward()
        assert torch.isfinite(value)
        assert all(torch.isfinite(p.grad).all() for p in generator.heads.parameters())


@pytest.mark.parametrize("level", [0.0, 1e-20])
def test_zones_of_silence_are_finite(generator: InstrumentGenerator, level: float) -> None:
    g, w = gesture([60]), torch.zeros(1, generator.config.style)
    hz = np.full(65, float(midi_to_hz(g.pitch[0])))
    loss = ZoneLoss((level * np.sin(np.arange(SAMPLES) * 0.04)).astype(np.float32), hz, generator.config)
    value = loss(*_seen(generator, loss, g, w))
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in generator.heads.parameters())


def test_zones_follow_a_glide(generator: InstrumentGenerator) -> None:
    """A tone that falls by a semitone lies at its harmonic, measured against its own track of f0."""
    t = np.arange(SAMPLES) / SAMPLE_RATE
    hz = 220 * 2 ** (-t / t[-1] / 12)
    glide = np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE).astype(np.float32)
    energy = ZoneLoss(glide, hz[::512], generator.config).energy
    assert energy[2] > 0.98 * energy.sum()
