"""The GANs of the literature as players of one game: a generator of images, a critic of images, one step of play.

    L_D = rule_D(D(x), D(G(z))) + penalties + keys H(key heard in x)         [training/games/adversary.py]
    L_G = rule_G(D(x), D(G(z)))             + keys H(key heard in G(z))

Every move of the critic sees new sounds. The networks run in mixed precision, their outputs are float32. The generator
moves by the same sounds that the critic has just judged in its last move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.networks.image_gan import ImageCritic, Judgement
from antiphon.networks.precision import mixed
from antiphon.training.augment import shown
from antiphon.training.batches.onset_crops import Sounds
from antiphon.training.contract import Judged, StepContext, take_over
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.games.sounds import ExaminedSoundGame
from antiphon.training.games.warm_start import axes, conditioning, new_labels, take_over_conditioned
from antiphon.training.losses.adversarial import rule_called
from antiphon.voices.image_model import ImageConfig, ImageModel

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice


@dataclass(frozen=True)
class ImageGameConfig(AdversaryConfig):
    """How the game is played; every weight may be 0, which leaves its term out."""

    keys: float = 10.0  # weight of the cross-entropy of the key heard, if the critic classifies it (GANSynth)
    critic_steps: int = 1  # moves of the critic for each of the generator: 5 in WGAN-GP's paper


class ImageGame(ExaminedSoundGame):
    """Generator and critic of images, their optimisers, and one step of play."""

    clip: ClassVar[float] = math.inf  # as in the papers

    def __init__(self, model: ImageModel, critic: ImageCritic, config: ImageGameConfig):
        super().__init__()
        self.model, self.config, self.rule = model, config, rule_called(config.rule)
        self.critics = config.normed(critic)
        o = config.optimiser
        self.set_optimizers(
            {"generator": o.generator(model.generator.parameters()), "critics": o.critic(critic.parameters())}
        )

    def begin_from(self, voice: Voice, critic_weights: Mapping[str, Tensor]) -> list[str]:
        """As in any game, but labels are matched by their names and keys by their pitch. -> also the new labels"""
        mine, theirs = self.model, voice.model
        left = self._take(mine.generator, theirs, ImageConfig.new_generator, theirs.generator.state_dict())
        if critic_weights:
            left += self._take(self.critics, theirs, lambda c: self.config.normed(c.new_critic()), critic_weights)
        return (
            left + take_over(mine.view, theirs.view.state_dict()) + new_labels(conditioning(mine), conditioning(theirs))
        )

    def _take(self, module: nn.Module, model: ImageModel, build: Any, weights: Mapping[str, Tensor]) -> list[str]:
        return take_over_conditioned(module, axes(self.model, build), weights, axes(model, build))

    def step(self, batch: Sounds, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One move of the generator after `critic_steps` of the critic, which share the batch. -> scalars by name"""
        self.set_rates(moment.rate)
        log: dict[str, Tensor] = {}
        moves, each = self.config.critic_steps, len(batch.audio) // self.config.critic_steps
        for i in range(moves):
            some = batch[i * each : (i + 1) * each]
            condition, keys = self._told(some)
            with torch.set_grad_enabled(i == moves - 1):
                generated = self._draw(condition, rng)
            with torch.no_grad():
                real = self.model.view.encode(some.audio)
            show = shown(moment.augment, each, rng)
            real, fake = show(real), show(generated)
            judged = self._judge(real, condition)
            move = moment.step * moves + i
            log |= self._critic_moves(judged, real, fake.detach(), condition, keys, moment.r1, move, rng)
        log |= self._generator_moves(judged.logits.detach(), fake, condition, keys)
        return {k: v.detach() for k, v in log.items()}

    def _told(self, batch: Sounds) -> tuple[Tensor, Tensor]:
        """The batch's labels: (batch, conditions), and the index of its key (batch,), zeros if keys are not among
        them."""
        c = self.model.conditions
        scales = self.model.labels.scales
        placed = [scale.place(measured) for scale, measured in zip(scales, batch.descriptors.unbind(1), strict=True)]
        numbers = torch.stack(placed, 1) if placed else batch.descriptors
        vector = c.vector(batch.pitch, batch.instrument, batch.style, numbers)
        return vector, c.key(batch.pitch) if c.keys else torch.zeros_like(batch.instrument)

    def _draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        z = self.model.generator.draw(len(condition), rng).to(condition.device, non_blocking=True)
        with mixed(z.device):
            image: Tensor = self.model.generator(z, condition)
        return image.float()

    def _judge(self, image: Tensor, condition: Tensor, exact: bool = False) -> Judgement:
        """exact: in float32, for differences too small for bfloat16."""
        with mixed(image.device, not exact):
            verdict: Judgement = self.critics(image, condition)
        return verdict

    # ---- the critic's move -------------------------------------------------------------------------------------------

    def _critic_moves(
        self,
        judged: Judgement,
        real: Tensor,
        fake: Tensor,
        condition: Tensor,
        keys: Tensor,
        r1: float,
        move: int,
        rng: torch.Generator,
    ) -> dict[str, Tensor]:
        c, true, false = self.config, judged.logits, self._judge(fake, condition).logits
        loss, asked = self.rule.discriminator(true, false), self._keys(judged, keys)
        penalty = c.penalty([true], lambda: [self._seen(real, fake, condition)], r1, move, rng)
        log = {"critic": loss, "real": torch.sigmoid(true).mean(), "fake": torch.sigmoid(false).mean()}
        log |= {"gap": (true - false).mean(), "penalty": penalty}
        log |= {} if judged.keys is None else {"real_keys": asked}
        return log | {"critic_norm": self.update("critics", loss + penalty + c.keys * asked)}

    def _seen(self, real: Tensor, fake: Tensor, condition: Tensor) -> Seen:
        return Seen(lambda x: self._judge(x, condition, exact=self.config.finite).logits, real, fake)

    # ---- the generator's move ----------------------------------------------------------------------------------------

    def _generator_moves(self, real: Tensor, fake: Tensor, condition: Tensor, keys: Tensor) -> dict[str, Tensor]:
        """real: (batch,) the critic's logits of the real sounds, from just before. fake: sounds it has judged, with
        gradients to the generator."""
        self.critics.requires_grad_(False)
        heard = self._judge(fake, condition)
        self.critics.requires_grad_(True)
        loss, asked = self.rule.generator(real, heard.logits), self._keys(heard, keys)
        norm = self.update("generator", loss + self.config.keys * asked)
        return {"adversarial": loss, "generator_norm": norm} | ({"fake_keys": asked} if heard.keys is not None else {})

    def _keys(self, judged: Judgement, keys: Tensor) -> Tensor:
        """Cross-entropy of the keys that the critic hears; 0 if it does not classify them."""
        return judged.logits.new_zeros(()) if judged.keys is None else F.cross_entropy(judged.keys, keys)

    # ---- for a run's health ------------------------------------------------------------------------------------------

    def judge_real(self, batch: Sounds) -> Judged:
        return self._judged(self.model.view.encode(batch.audio), batch)

    def judge_generated(self, batch: Sounds, rng: torch.Generator) -> Judged:
        return self._judged(self._draw(self._told(batch)[0], rng), batch)

    def sound(self, view: Tensor) -> Tensor:
        audio: Tensor = self.model.view.decode(view, self.model.config.samples)
        return audio

    def _judged(self, image: Tensor, batch: Sounds) -> Judged:
        return Judged(image, self._judge(image, self._told(batch)[0]).logits)
