"""The method, on one screen: two ways to make a sound, judged by the same critics, in alternation.

    w = E(recording of one note)              G plays ANOTHER note of the same preset: reconstruction + adversary
    w = M(noise, labels)                      G plays the same gesture: adversary only
    L_D = rule_D(D(x), D(G(w))) + penalties   pairs of one gesture [losses/adversarial.py, games/adversary.py]
    L_G = sum of weights * terms              [the recipe's dict; its keys are the log's names]

Reconstruction prevents mode collapse, the adversary removes the blur. M plays a game of its own in the space of w
[training/games/style.py], and its sounds are judged as well. Before the game G and E rehearse: without sound and
critics they learn what spectra notes have, several times faster [training/losses/expected.py]."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.discriminators.logmel import Discriminators, LogMelDiscriminator
from antiphon.networks.gesture import Curves, Gesture
from antiphon.networks.mapping import NOISE
from antiphon.networks.model import StyledModel
from antiphon.networks.precision import mixed
from antiphon.training.augment import shown
from antiphon.training.batches.excerpts import Excerpts
from antiphon.training.contract import Judged, StepContext
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.games.optimisers import ReconstructionOptimiser
from antiphon.training.games.style import StyleGame
from antiphon.training.games.styled import StyledGame
from antiphon.training.losses.adversarial import feature_matching, rule_called
from antiphon.training.losses.expected import ExpectedLoss
from antiphon.training.losses.movement import movement_loss
from antiphon.training.losses.partials import partials_loss
from antiphon.training.losses.spectral import SpectralLoss
from antiphon.training.losses.tuning import tuning_losses

Verdicts = tuple[list[Tensor], list[list[Tensor]]]  # logits and features of each critic


@dataclass(frozen=True)
class GameConfig(AdversaryConfig):
    """How the game is played. `weights`: of each term of the generator's loss; 0 leaves it out."""

    rule: str = "relativistic"  # copy and original share a gesture, so D need only find what distinguishes them
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "log": 1.0,
            "linear": 0.5,
            "mel": 1.0,
            "partials": 0.5,
            "movement": 0.4,
            "adversarial": 0.2,
            "features": 0.6,
            "imagined": 0.2,
            "identity": 0.3,
            "tuning": 0.3,
        }
    )
    critic_channels: int = 16
    dropout: float = 0.0  # of the critics' units
    optimiser: ReconstructionOptimiser = field(default_factory=ReconstructionOptimiser)
    warm_up: int = 300  # steps before the adversary's weight starts to rise
    ramp: int = 700  # steps it takes to rise; both shrink in a short run
    imagined: int = 4  # imagined notes per batch
    style_noise: float = 0.1
    bank: int = 2048  # styles remembered for the mapping's own game
    gamma: float = 0.1  # R1 + R2 of the style critic


class InstrumentGame(StyledGame):
    """Generator's side (model), critics' side, optimisers and one step of play."""

    of_notes: ClassVar[bool] = True  # notes move while they last and can be rehearsed; drums do not

    def __init__(self, model: StyledModel, presets: int, config: GameConfig):
        super().__init__()
        self.config, self.model, self.rule = config, model, rule_called(config.rule)
        c, labels = model.config, model.labels
        self.critics = config.normed(Discriminators(len(labels.instruments), config.critic_channels, config.dropout))
        self.styles = StyleGame(c.style, len(labels.instruments), len(labels.styles), config.bank, config.gamma)
        self.preset_head = nn.Linear(c.style, presets)
        self.spectral = SpectralLoss()
        if self.of_notes:
            self.expected = ExpectedLoss(c)
        sound = [*model.generator.parameters(), *model.encoder.parameters(), *self.preset_head.parameters()]
        self.set_players(sound, config.optimiser)

    def step(self, batch: Excerpts, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update of every player. -> scalars by name."""
        self.set_rates(moment.rate)
        if moment.rehearsal:
            return self._rehearse(batch, moment, rng)
        g, tuning, some = batch.gesture, batch.tuning, slice(0, self.config.imagined)

        w, curves = self._copy(batch, g, rng)
        partials = self.model.generator.all_partials(curves, g, tuning)
        fake = self.model.generator.sound(partials, curves, g)
        self.styles.remember(w, batch.instrument, batch.style, moment.step)
        imagined = self._imagine(batch, some, rng)
        show = shown(moment.augment, len(batch.audio), rng)

        # the critics' move
        play, log = self.config.weights, dict[str, Tensor]()
        if play["adversarial"] or play["features"]:
            heard, copied, dreamt = show(batch.audio), show(fake.detach()), show(imagined.detach())
            real, log = self._critics_move(batch, heard, copied, dreamt, moment, rng)
        log |= self._style_critic_moves(rng)

        # the generator's move
        terms = self.spectral(fake, batch.audio)
        terms["partials"] = partials_loss(partials, g, batch.audio)
        if self.of_notes:
            terms["movement"] = movement_loss(fake, batch.audio, g, tuning.ratios)
        terms |= self._what_was_played(w, curves, g, batch)
        if moment.ramp and (play["adversarial"] or play["features"]):
            with mixed(batch.audio.device):
                terms |= self._adversarial_terms(batch, real, show(fake), show(imagined), some)
        return log | self._generator_moves(terms, moment.ramp, rng)

    def _rehearse(self, batch: Excerpts, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update without sound and without critics: the notes' expected spectra are compared with the recordings'
        at a few instants [training/losses/expected.py], and M plays its own game. -> scalars by name."""
        g = replace(batch.gesture, knots=self.expected.instants(batch.gesture, rng))
        w, curves = self._copy(batch, g, rng)
        self.styles.remember(w, batch.instrument, batch.style, moment.step)
        log = self._style_critic_moves(rng)
        bank = self.model.generator.all_partials(curves, g, batch.tuning)
        terms = self.expected(bank, curves, g, batch.audio) | self._what_was_played(w, curves, g, batch)
        return log | self._generator_moves(terms, 1.0, rng)

    def _copy(self, batch: Excerpts, g: Gesture, rng: torch.Generator) -> tuple[Tensor, Curves]:
        """Encode the reference, and play the gesture in its style."""
        with mixed(batch.audio.device):
            w = self.model.encoder(batch.reference, batch.reference_pitch, batch.reference_release)
            noisy = w + self.config.style_noise * torch.randn(w.shape, generator=rng).to(w.device, non_blocking=True)
            return w, self.model.generator.curves(noisy, g)

    def _what_was_played(self, w: Tensor, curves: Curves, g: Gesture, batch: Excerpts) -> dict[str, Tensor]:
        """The terms that need neither sound nor spectrum."""
        predicted = self.model.generator.tuning(w, g.pitch, g.velocity)
        return {
            "tuning": tuning_losses(predicted, curves, g.knots, batch),
            "identity": F.cross_entropy(self.preset_head(w), batch.preset),
        }

    # ---- the two ways ------------------------------------------------------------------------------------------------

    def _imagine(self, batch: Excerpts, some: slice, rng: torch.Generator) -> Tensor:
        """Play some of the batch's gestures with imagined styles, tuned by the tuner as at play time."""
        g = batch.gesture[some]
        z = torch.randn(len(g.pitch), NOISE, generator=rng).to(batch.audio.device, non_blocking=True)
        with mixed(batch.audio.device):
            w = self.model.mapping(z, batch.instrument[some], batch.style[some])
            with torch.no_grad():  # the tuner learns nothing from sound (see training/losses/tuning.py)
                tuning = self.model.generator.tuning(w, g.pitch, g.velocity)
            curves = self.model.generator.curves(w, g)
        sound: Tensor = self.model.generator.synthesise(curves, self._as_tuned(g, tuning), tuning)
        return sound

    def _as_tuned(self, g: Gesture, tuning: Any) -> Gesture:
        """A gesture as it is played with the model's own tuning: a note's stays as it is."""
        return g

    def _critics_move(
        self, batch: Excerpts, audio: Tensor, fake: Tensor, imagined: Tensor, moment: StepContext, rng: torch.Generator
    ) -> tuple[Verdicts, dict[str, Tensor]]:
        """Their verdicts on the real notes, before they move, and scalars. audio, fake, imagined: as they are shown."""
        generated = torch.cat([imagined, fake[len(imagined) :]])  # a sound of either kind for every gesture
        with mixed(audio.device):
            real: Verdicts = self.critics(audio, batch.gesture, batch.instrument)
            loss = self._critic_loss(batch, real[0], fake, imagined)
        penalty = self.config.penalty(real[0], lambda: self._seen(batch, audio, generated), moment.r1, moment.step, rng)
        log = {"critic": loss.detach(), "penalty": penalty.detach()}
        return real, log | {"critic_norm": self.update("critics", loss + penalty)}

    def _critic_loss(self, batch: Excerpts, real: list[Tensor], fake: Tensor, imagined: Tensor) -> Tensor:
        rule, some = self.rule, slice(len(imagined))
        copied = self.critics(fake, batch.gesture, batch.instrument)[0]
        dreamt = self.critics(imagined, batch.gesture[some], batch.instrument[some])[0]
        verdicts = [
            rule.discriminator(r, f) + rule.discriminator(r[some], d)
            for r, f, d in zip(real, copied, dreamt, strict=True)
        ]
        return torch.stack(verdicts).mean() / 2

    def _seen(self, batch: Excerpts, audio: Tensor, generated: Tensor) -> list[Seen]:
        """The spectrograms that the critics see."""

        def seen(critic: LogMelDiscriminator) -> Seen:
            def score(x: Tensor) -> Tensor:
                return critic.judge(x, batch.gesture, batch.instrument)[0].mean(1)

            return Seen(score, critic.mel(audio), critic.mel(generated))

        return [seen(critic) for critic in self.critics.children()]  # type: ignore[arg-type]

    def _adversarial_terms(
        self, batch: Excerpts, heard: Verdicts, fake: Tensor, imagined: Tensor, some: slice
    ) -> dict[str, Tensor]:
        """The critics' verdicts on both, after their move; for the real notes those from just before it will do."""
        rule, real = self.rule, [logits.detach() for logits in heard[0]]
        self.critics.requires_grad_(False)
        copied, features = self.critics(fake, batch.gesture, batch.instrument)
        dreamt, _ = self.critics(imagined, batch.gesture[some], batch.instrument[some])
        self.critics.requires_grad_(True)
        return {
            "adversarial": torch.stack([rule.generator(r, f) for r, f in zip(real, copied, strict=True)]).mean(),
            "features": feature_matching(heard[1], features),
            "imagined": torch.stack([rule.generator(r[some], d) for r, d in zip(real, dreamt, strict=True)]).mean(),
        }

    # ---- for a run's health ------------------------------------------------------------------------------------------

    def judge_real(self, batch: Excerpts) -> Judged:
        return self._judged(batch.audio, batch)

    def judge_generated(self, batch: Excerpts, rng: torch.Generator) -> Judged:
        return self._judged(self._imagine(batch, slice(None), rng), batch)

    def _judged(self, audio: Tensor, batch: Excerpts) -> Judged:
        with mixed(audio.device):
            logits = self.critics(audio, batch.gesture, batch.instrument)[0]
        return Judged(audio, torch.stack([x.float().mean(1) for x in logits]).mean(0))
