"""Pivotal tuning (Roich 2021): what must change in a model so that it plays a recording it has never heard.

    pivot       w, from E(recording), moves to the w near it whose sound is nearest      G stays as it is
    residual    G's heads and its tuner's last layer learn what w cannot express         w stays as it is

E may mishear what it has never met, and one pitch does not tell how a w sounds at others. Where it is known what was
recorded, w begins at what sounds nearest of what M imagines of it, or halfway there, and stays near. One pitch is
recorded but every pitch will be played, so the residual is constrained where nothing was recorded: there the curves
must change by most of what they change at the recorded pitch,

    L = L_sound + follow |(G'(w, p') - G(w, p')) - share (G'(w, p) - G(w, p))|    p' drawn within two octaves

and the envelope over frequency must not change at all. One pitch shows it only at its own partials; between them the
loss would push it down, and another pitch's partials would fall into the gaps. The sound is compared by the spectra it
would have [training/losses/expected.py], which costs a hundredth of rendering it. Their windows are too long for an
attack, so the first fifth of a second is rendered as well, in several takes [training/losses/onset.py]; and too short
to separate close partials, which one window over most of the note does [training/losses/zones.py]."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from antiphon.core import units
from antiphon.networks.encoders.note import on_sphere
from antiphon.networks.generators.instrument import InstrumentGenerator
from antiphon.networks.gesture import Curves, Gesture, Tuning
from antiphon.networks.model import InstrumentModel, LabelTable
from antiphon.networks.optimisers import Adam
from antiphon.networks.oscillators import block_count
from antiphon.networks.physics import midi_to_hz
from antiphon.networks.precision import mixed, multiplies_bfloat16
from antiphon.networks.timegrid import knots
from antiphon.training.batches.excerpts import Excerpts, ExcerptSource, measured_release, measured_tuning
from antiphon.training.losses import onset
from antiphon.training.losses.expected import ExpectedLoss
from antiphon.training.losses.tuning import tuning_losses
from antiphon.training.losses.zones import ZoneLoss

FOLLOWERS = ("harmonics", "free", "noise", "strike")  # the curves that change alike at all pitches
REACH = 24.0  # semitones
TAKES = 6  # of a note, for losses on their mean
FEW = 8  # known w, of those that sound nearest, from which and from halfway to which w may begin
INAUDIBLE = -8.5  # nepers (-74 dB) below the loudest, where a partial of an attack is left out
LOWEST, HIGHEST = 24.0, 105.0  # MIDI, between which other pitches are drawn

States = tuple[Tensor, Tensor]  # of `InstrumentGenerator.states`


@dataclass(frozen=True)
class Inversion:
    """How a recording is learned: steps, rates, and (log .. zones) the weight of each term of the loss."""

    pivot_steps: int = 50
    steps: int = 250
    batch: int = 8
    style_rate: float = 0.02
    head_rate: float = 3e-4
    bias_rate: float = 3e-3  # of the heads' biases: a partial that the voice hardly played must rise by 20 dB
    tuner_rate: float = 0.02
    log: float = 1.0
    linear: float = 0.5
    mel: float = 1.0
    partials: float = 0.5
    tuning: float = 0.3
    near: float = 1.0  # mean square distance of w from the known one that it stays near
    follow: float = 1.0
    share: float = 0.85  # of what was learned at one pitch that applies to others
    onset: float = 6.0
    zones: float = 0.5  # only in the residual, like onset


def invert(
    model: InstrumentModel,
    source: ExcerptSource,
    heard: Tensor,
    known: Tensor,
    how: Inversion | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[InstrumentGenerator, Tensor]:
    """A generator and a w that play the recordings of `source`. heard: (style,) w from the encoder; known: (n, style),
    those near one of which it stays. The model is left unchanged. -> the generator, and w (style,)

    Two threads share the work, each operation on one (callers set torch's threads), so that the result is the same to
    the byte wherever it runs."""
    learning = _Learning(model.generator, source, how or Inversion(), progress)
    w = learning.pivot(heard, known)
    return learning.residual(w), w


def anchored(model: InstrumentModel, generator: InstrumentGenerator, w: Tensor, label: str) -> InstrumentModel:
    """A model of one instrument, called `label`, whose mapping knows one character: whatever the noise, it gives w."""
    clone = InstrumentModel(model.config, LabelTable((label,), ()))
    clone.generator.load_state_dict(generator.state_dict())
    clone.encoder.load_state_dict(model.encoder.state_dict())
    with torch.no_grad():
        for weights in clone.mapping.parameters():
            weights.zero_()
        clone.mapping.net.last.bias.copy_(w)
    return clone


@dataclass(frozen=True)
class _Seen:
    """A recording seen through its long window, and its note as it is played there: the same at every step."""

    loss: ZoneLoss
    gesture: Gesture
    tuning: Tuning
    states: States


class _Learning:
    """The two stages, with one progress bar for both."""

    def __init__(
        self,
        generator: InstrumentGenerator,
        source: ExcerptSource,
        how: Inversion,
        progress: Callable[[int, int], None],
    ):
        self.base, self.source, self.how, self.progress = generator, source, how, progress
        self.trunk = copy.deepcopy(generator).requires_grad_(False)
        if multiplies_bfloat16(next(self.trunk.parameters()).device.type):
            self.trunk.bfloat16()  # casts its weights once
        self.expected = ExpectedLoss(generator.config)
        self.step = 0
        self.seen: dict[int, _Seen] = {}
        self.rng = torch.Generator().manual_seed(source.seed)

    def pivot(self, heard: Tensor, known: Tensor) -> Tensor:
        """The w that sounds most like the recording, near one of `known`. heard: (style,); known: (n, style)"""
        start, home = self._choice(heard, known)
        how, moving = self.how, start.clone().requires_grad_(True)
        optimiser = Adam([moving], how.style_rate, betas=(0.8, 0.99))
        for left in range(how.pivot_steps, 0, -1):
            w, batch = on_sphere(moving), self._batch()
            loss = self._sound_loss(self.base, w, batch, self._states(w, batch.gesture))
            (loss + how.near * (w - home).square().mean()).backward()
            self._advance(optimiser, left / how.pivot_steps)
        return on_sphere(moving).detach()

    @torch.no_grad()
    def _choice(self, heard: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Where w begins, and the known w that it stays near: the ear chooses, by what the pivot goes by, among what
        the encoder heard, the known ones that sound nearest, and halfway to them. With one known it begins as heard."""
        if len(known) == 1:
            return heard, known[0]
        batch = self._batch()

        def apart(ws: Tensor) -> Tensor:
            return torch.stack([self._sound_loss(self.base, w, batch, self._states(w, batch.gesture)) for w in ws])

        sounds = apart(known)
        few = sounds.argsort(stable=True)[:FEW]
        kin, halfway = known[few], on_sphere(heard + known[few])
        akin = known[int((known @ heard).argmax())]
        starts, homes = torch.cat([kin, halfway, heard[None]]), torch.cat([kin, kin, akin[None]])
        losses = torch.cat([sounds[few], apart(torch.cat([halfway, heard[None]]))])
        best = int((losses + self.how.near * (starts - homes).square().mean(-1)).argmin())
        return starts[best], homes[best]

    def residual(self, w: Tensor) -> InstrumentGenerator:
        """A copy of the generator whose heads, except the envelope's rows, and tuner add what w cannot express."""
        how, own = self.how, copy.deepcopy(self.base).requires_grad_(False)
        heads, tuner = own.heads.requires_grad_(True), own.tuner.last.bias.requires_grad_(True)
        rates = {heads.weight: how.head_rate, heads.bias: how.bias_rate, tuner: how.tuner_rate}
        groups = [{"params": [weights], "lr": rate} for weights, rate in rates.items()]
        optimiser = Adam(groups, betas=(0.8, 0.99))
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as helper:
            for left in range(how.steps, 0, -1):
                batch = self._batch()
                states, takes, other = self._states(w, batch.gesture), self._takes(), self._pitches(batch.gesture.pitch)
                more = helper.submit(self._gradients, own, w, batch, states, takes, other)
                loss = self._sound_loss(own, w, batch, states)
                (loss + how.zones * self._beside(own, w)).backward()
                for weights, gradient in zip(heads.parameters(), more.result(), strict=True):
                    assert weights.grad is not None
                    weights.grad = (weights.grad + gradient).index_fill(0, torch.arange(own.config.bands), 0.0)
                self._advance(optimiser, left / how.steps)
        return own.requires_grad_(False)

    # ---- terms -------------------------------------------------------------------------------------------------------

    def _sound_loss(self, generator: InstrumentGenerator, w: Tensor, batch: Excerpts, states: States) -> Tensor:
        """How far the expected sound is from the recording."""
        g, how = batch.gesture, self.how
        curves = _read(generator, states)
        bank = generator.all_partials(curves, g, batch.tuning)
        terms = self.expected(bank, curves, g, batch.audio)
        predicted = generator.tuning(w.expand(len(g.pitch), -1), g.pitch, g.velocity)
        terms["tuning"] = tuning_losses(predicted, curves, g.knots, batch)
        return sum((getattr(how, name) * term for name, term in terms.items()), torch.zeros(()))

    def _gradients(
        self, own: InstrumentGenerator, w: Tensor, batch: Excerpts, states: States, takes: Tensor, other: Tensor
    ) -> list[Tensor]:
        """Gradients of the heads' weights, for the right onset and for other pitches to follow: half of a step's work,
        for a thread of its own."""
        astray = self.how.follow * self._astray(own, w, batch.gesture, states, other)
        loss = astray + self.how.onset * self._onset(own, w, batch, takes)
        return list(torch.autograd.grad(loss, list(own.heads.parameters())))

    def _takes(self) -> Tensor:
        """(TAKES,) random seeds."""
        return torch.randint(1 << 31, (TAKES,), generator=self.rng)

    def _pitches(self, pitch: Tensor) -> Tensor:
        """(batch,) other pitches, at random."""
        return (pitch + REACH * (2 * torch.rand(len(pitch), generator=self.rng) - 1)).clamp(LOWEST, HIGHEST)

    def _astray(self, own: InstrumentGenerator, w: Tensor, g: Gesture, states: States, other: Tensor) -> Tensor:
        """Nepers by which the curves change differently at `other` pitches than at the recording's own."""
        far = replace(g, pitch=other, f0=g.f0 * torch.exp2((other - g.pitch) / 12).unsqueeze(-1))
        here, there = self._change(own, states), self._change(own, self._states(w, far))
        share = self.how.share
        return torch.stack([(b - share * a.detach()).abs().mean() for a, b in zip(here, there, strict=True)]).mean()

    def _change(self, own: InstrumentGenerator, states: States) -> list[Tensor]:
        """Nepers by which each of FOLLOWERS has changed."""
        after, before = _read(own, states), _read(self.base, states)
        return [getattr(after, name) - getattr(before, name) for name in FOLLOWERS]

    def _onset(self, own: InstrumentGenerator, w: Tensor, batch: Excerpts, takes: Tensor) -> Tensor:
        """How differently a note of the batch begins, in the mean of its takes; 0 if no crop has an onset."""
        begun = (batch.gesture.start == 0).nonzero().flatten()
        if not len(begun):
            return w.new_zeros(())
        g, rows = batch.gesture, begun[:1].expand(len(takes))
        release = float(g.release[begun[0]])
        instants = knots(0, onset.SAMPLES, None if math.isinf(release) else int(release))
        attack = Gesture(
            pitch=g.pitch[rows],
            velocity=g.velocity[rows],
            release=g.release[rows],
            start=g.start[rows],
            samples=onset.SAMPLES,
            knots=torch.from_numpy(instants).float().expand(len(takes), -1),
            f0=g.f0[rows, : block_count(onset.SAMPLES)],
            take=takes,
        )
        curves = _read(own, self._states(w, attack))
        bank = own.all_partials(curves, attack, batch.tuning[rows])
        bank = bank.only(bank.audible(bank.level.detach().amax((1, 2)) + INAUDIBLE))
        return onset.onset_loss(own.sound(bank, curves, attack), batch.audio[begun[0], : onset.SAMPLES])

    def _beside(self, own: InstrumentGenerator, w: Tensor) -> Tensor:
        """How much more or less energy lies at and beside harmonics than in a recording, one recording at a time."""
        note = self.step % len(self.source.data)
        if note not in self.seen:
            self.seen[note] = self._see(w, note)
        seen = self.seen[note]
        curves = _read(own, seen.states)
        return seen.loss(own.all_partials(curves, seen.gesture, seen.tuning), curves)

    def _see(self, w: Tensor, note: int) -> _Seen:
        """The note as it is played: on its key, while the excerpts of a batch are as far off it as the recording."""
        data, rows = self.source.data, torch.full((TAKES,), note)
        pitch, unmoved = data.pitch[rows], torch.zeros(TAKES)
        f0 = units.midi_to_hz(float(pitch[0])) * 2 ** (data.f0_cents(note) / 1200)
        loss = ZoneLoss(data.audio(note), f0, self.base.config)
        gesture = Gesture(
            pitch=pitch,
            velocity=data.velocity[rows] / 127,
            release=measured_release(data.hold[rows], unmoved),
            start=torch.zeros_like(rows),
            samples=data.samples(note),
            knots=loss.knots.expand(TAKES, -1),
            f0=midi_to_hz(pitch).unsqueeze(-1).expand(-1, block_count(data.samples(note))),
            take=torch.arange(TAKES),
        )
        return _Seen(loss, gesture, measured_tuning(data, rows, unmoved), self._states(w, gesture))

    def _states(self, w: Tensor, g: Gesture) -> States:
        """The trunk's output, which no stage changes. w: (style,)"""
        with mixed(w.device):
            return self.trunk.states(w.expand(len(g.pitch), -1), g)

    # ---- steps -------------------------------------------------------------------------------------------------------

    def _batch(self) -> Excerpts:
        """The next excerpts, with knots where the expected loss wants them."""
        batch = self.source.batch(self.step * self.how.batch, self.how.batch)
        return replace(batch, gesture=replace(batch.gesture, knots=self.expected.instants(batch.gesture, self.rng)))

    def _advance(self, optimiser: torch.optim.Optimizer, left: float) -> None:
        """One step along the gradients; rates fall to 0 over the second half of a stage. left: share of it, 1 .. 0."""
        for group in optimiser.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * min(1.0, 2 * left)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.progress(self.step, self.how.pivot_steps + self.how.steps)


def _read(generator: InstrumentGenerator, states: States) -> Curves:
    with mixed(states[0].device, cache_weights=False):
        curves = generator.read(*states)
    return Curves(**{f.name: getattr(curves, f.name).float() for f in fields(Curves)})
