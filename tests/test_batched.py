"""A batch of notes must sound and learn as each note alone does, however many are worked on at once."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.networks import partials
from antiphon.networks.generators.instrument import SIZES
from antiphon.networks.gesture import Curves, Gesture, Tuning
from antiphon.networks.model import InstrumentModel, LabelTable
from antiphon.networks.oscillators import HOP, block_count, oscillate_near
from antiphon.networks.partials import Bank
from antiphon.networks.physics import midi_to_hz
from antiphon.networks.timegrid import knots, pad_knots
from antiphon.training.losses.partials import partials_loss
from antiphon.training.prefetch import Prefetcher
from antiphon.voices import synthesis
from antiphon.voices.instrument import InstrumentVoice
from antiphon.voices.voice import VoiceInfo

SAMPLES = 8192
PITCHES = (22.0, 47.3, 60.0, 71.0, 104.0)  # the lowest has 256 harmonics, the highest 4
STARTS = (0, 4096, 0, 20_480, 0)
HOLDS = (5000, 3000, None, 9000, 100)


@pytest.fixture(scope="module")
def model() -> InstrumentModel:
    torch.manual_seed(3)
    return InstrumentModel(SIZES["tiny"], LabelTable(("flute", "piano"), ("bright",)))


def notes() -> Gesture:
    """Two notes of steady pitch, three with vibrato or glides."""
    t = HOP * torch.arange(block_count(SAMPLES)) / 44_100
    shake = torch.sin(2 * math.pi * 6 * t)
    semitones = torch.stack([0 * t, 0.5 * shake, 0.05 * shake, 3 * t, 0 * t])
    pitch = torch.tensor(PITCHES)
    return Gesture(
        pitch=pitch,
        velocity=torch.linspace(0.3, 0.9, len(PITCHES)),
        release=torch.tensor([math.inf if h is None else float(h) for h in HOLDS]),
        start=torch.tensor(STARTS),
        samples=SAMPLES,
        knots=pad_knots([knots(s, s + SAMPLES, h) for s, h in zip(STARTS, HOLDS, strict=True)]),
        f0=midi_to_hz(pitch.unsqueeze(-1) + semitones),
        take=torch.arange(len(PITCHES)) * 31,
    )


def played(model: InstrumentModel) -> tuple[Curves, Gesture, Tuning]:
    g = notes()
    w = torch.randn(len(g.pitch), model.config.style, generator=torch.Generator().manual_seed(1))
    tuning = model.generator.tuning(w, g.pitch, g.velocity)
    still = Tuning(**{k: v.detach() for k, v in vars(tuning).items()})
    curves = model.generator.curves(w, g)
    uneven = 3 * torch.sin(torch.arange(curves.harmonics.shape[-1]))
    return replace(curves, envelope=curves.envelope + 5, harmonics=curves.harmonics + uneven), g, still


def each_alone(
    model: InstrumentModel, curves: Curves, g: Gesture, tuning: Tuning
) -> list[tuple[Bank, Curves, Gesture]]:
    """The notes of a batch, one by one, with the partials that each has of its own."""
    alone = []
    for i in range(len(g.pitch)):
        at = slice(i, i + 1)
        own = Curves(**{k: v[at] for k, v in vars(curves).items()})
        alone.append((model.generator.all_partials(own, g[at], tuning[at]), own, g[at]))
    return alone


def sounds_alone(model: InstrumentModel, curves: Curves, g: Gesture, tuning: Tuning) -> Tensor:
    return torch.cat([model.generator.sound(*note) for note in each_alone(model, curves, g, tuning)])


def sounds_together(model: InstrumentModel, curves: Curves, g: Gesture, tuning: Tuning) -> Tensor:
    return model.generator.sound(model.generator.all_partials(curves, g, tuning), curves, g)


@pytest.fixture(params=[0, 1 << 13, 1 << 30], ids=["one by one", "few", "all"])
def _lots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is worked on at once: a processor takes a note or a few, a graphics card all."""
    monkeypatch.setattr(partials, "TOGETHER", request.param)


def gradients(model: InstrumentModel, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {k: p.grad.clone() for k, p in model.named_parameters() if p.grad is not None}


@pytest.mark.usefixtures("_lots")
def test_a_batch_sounds_as_its_notes_do(model: InstrumentModel) -> None:
    given = played(model)
    alone, together = sounds_alone(model, *given), sounds_together(model, *given)
    assert alone.abs().amax(1).min() > 1e-3
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_partials_that_are_not_heard_are_left_out(model: InstrumentModel) -> None:
    curves, g, tuning = played(model)
    bank = model.generator.all_partials(curves, g, tuning)
    whole = model.generator.sound(bank, curves, g)
    quiet = bank.audible(torch.full((len(PITCHES),), -6.0))
    assert quiet.sum() < bank.real.sum()
    torch.testing.assert_close(model.generator.sound(bank.only(bank.real), curves, g), whole, atol=1e-4, rtol=1e-4)
    parts = sum(model.generator.sound(bank.only(kept), curves, g) for kept in (quiet, bank.real & ~quiet))
    noise = model.generator.sound(bank.only(torch.zeros_like(quiet)), curves, g)
    torch.testing.assert_close(parts - noise, whole, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_playing_draws_what_training_draws(model: InstrumentModel) -> None:
    curves, g, tuning = played(model)
    bank = model.generator.all_partials(curves, g, tuning)
    some = torch.tensor([3, 0])  # one that glides, one of steady pitch
    own = bank[some].only(bank.real[some])
    few = Curves(**{k: v[some] for k, v in vars(curves).items()})
    drawn = partials.coefficients(own, few.ensemble, few.detune, partials.Blocks.of(g[some]))
    for i, most in enumerate((0.05, 1e-3)):
        exact = partials.play(bank, curves, g, 0.0)[some[i]]
        cycles = g.f0[some[i]] / SAMPLE_RATE
        error = oscillate_near(drawn[i], cycles, own.ratios[i], 1.5, float(cycles[0])) - exact
        assert error.norm() < most * exact.norm()


@torch.no_grad()
def test_a_note_sounds_the_same_alone_and_among_others(model: InstrumentModel) -> None:
    voice = InstrumentVoice(copy.deepcopy(model), VoiceInfo())  # a voice takes its model out of training
    bend = ((0.0, 0.0), (0.2, 1.0))
    notes = [Note(p, 0.05 + 0.07 * i, bend=bend * (i % 2), take=i) for i, p in enumerate(PITCHES * 4)]
    together = voice.notes(notes)
    for sound, again, note in zip(together, voice.notes(notes, threads=2), notes, strict=True):
        np.testing.assert_array_equal(again, sound)
        (alone,) = voice.notes([note])
        assert np.linalg.norm(alone - sound) < 1e-4 * np.linalg.norm(sound)
        (parts,) = voice.notes([note], parts=True)
        np.testing.assert_allclose(parts.sum(1), alone, atol=1e-6)


@pytest.mark.usefixtures("_lots")
def test_a_batch_learns_as_its_notes_do(model: InstrumentModel) -> None:
    target = torch.randn(len(PITCHES), SAMPLES, generator=torch.Generator().manual_seed(2)) * 0.1
    found = []
    for sounds in (sounds_alone, sounds_together):
        curves, g, tuning = played(model)
        loss = (sounds(model, curves, g, tuning) - target).square().mean() * 100
        found.append((loss.detach(), gradients(model, loss)))
    torch.testing.assert_close(found[1][0], found[0][0], atol=1e-4, rtol=1e-4)
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], gradient, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.usefixtures("_lots")
def test_the_loss_of_partials_is_that_of_each_note_alone(model: InstrumentModel) -> None:
    target = torch.randn(len(PITCHES), SAMPLES, generator=torch.Generator().manual_seed(2)) * 0.1

    def alone(curves: Curves, g: Gesture, tuning: Tuning) -> Tensor:
        notes = zip(each_alone(model, curves, g, tuning), target.split(1), strict=True)
        return torch.stack([partials_loss(bank, own, audio) for (bank, _, own), audio in notes]).mean()

    def together(curves: Curves, g: Gesture, tuning: Tuning) -> Tensor:
        return partials_loss(model.generator.all_partials(curves, g, tuning), g, target)

    losses = [loss(*played(model)) for loss in (alone, together)]
    torch.testing.assert_close(losses[1], losses[0], atol=1e-5, rtol=1e-5)
    learned = [gradients(model, loss) for loss in losses]
    assert learned[0].keys() == learned[1].keys()
    for name, gradient in learned[0].items():
        torch.testing.assert_close(learned[1][name], gradient, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.usefixtures("_lots")
def test_a_batch_of_steady_notes_and_one_of_moving_notes(model: InstrumentModel) -> None:
    curves, g, tuning = played(model)
    for f0 in (midi_to_hz(g.pitch).unsqueeze(-1).expand_as(g.f0), g.f0 * torch.linspace(1, 1.1, g.f0.shape[1])):
        moved = replace(g, f0=f0)
        alone = sounds_alone(model, curves, moved, tuning)
        torch.testing.assert_close(sounds_together(model, curves, moved, tuning), alone, atol=1e-4, rtol=1e-4)


def test_batches_made_ahead_come_in_order_and_once() -> None:
    made: list[int] = []

    def make(n: int) -> int:
        made.append(n)
        return n * n

    ahead = Prefetcher(make, depth=3)
    assert [ahead(n) for n in range(5, 12)] == [n * n for n in range(5, 12)]
    assert len(made) == len(set(made))
    assert set(range(5, 12)) <= set(made)


def test_what_fails_ahead_fails_where_it_is_used() -> None:
    def make(n: int) -> int:
        if n == 2:
            raise ValueError("no such batch")
        return n

    ahead = Prefetcher(make)
    assert ahead(1) == 1
    with pytest.raises(ValueError, match="no such batch"):
        ahead(2)


def test_playing_asks_the_trunk_for_few_shapes(model, monkeypatch):
    """oneDNN caches megabytes for each shape it has met, so that longer songs would need more memory."""
    voice, met = InstrumentVoice(model, VoiceInfo()), set()
    curves = type(model.generator).curves

    def watched(self, w, g):
        assert len(w) == len(g.pitch) == len(g.knots)
        met.add((len(w), g.knots.shape[1]))
        return curves(self, w, g)

    monkeypatch.setattr(type(model.generator), "curves", watched)
    counts, holds = (1, 16, 2, 3, 4, 5, 8, 9), (0.05, 0.3, 0.6, 0.9)  # at both ends of each power of two
    sounds = []
    for count in counts:
        if count == 2:  # the sounds of the others are not compared
            monkeypatch.setattr(synthesis, "_draw", lambda *how: (np.zeros(n, np.float32) for n in how[4]))
        sounds += [voice.notes([Note(60, hold)] * count, threads=1) for hold in holds]
    assert {rows for rows, _ in met} == {1, 2, 4, 8, 16}
    assert len(met) <= 15
    for few, more in zip(sounds[: len(holds)], sounds[len(holds) : 2 * len(holds)], strict=True):
        assert few[0] == pytest.approx(more[-1], abs=0.02 * float(np.abs(few[0]).max()))
