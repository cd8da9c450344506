"""The GANs of the literature as players of one game: a generator of images, a critic of images, one step of play.

    L_D = rule_D(D(x), D(G(z))) + r1/2 R1 + r2/2 R2 + lipschitz GP + drift E[D(x)^2] + keys H(key heard in x)
    L_G = rule_G(D(x), D(G(z)))                                                       + keys H(key heard in G(z))

Every critic's move sees new sounds. Penalties are taken in one move of `every` and count for all of them (Karras 2020,
appendix B). The networks run in bfloat16, what they draw and say is float32. The sounds that the critic has just heard
in its last move are those by which the generator moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.audio.augment import shown
from antiphon.data.onsets import Sounds
from antiphon.image_model import ImageModel
from antiphon.losses.adversarial import (
    finite_difference_penalty,
    gradient_penalty,
    lazily,
    lipschitz_penalty,
    rule_called,
)
from antiphon.networks.image_gan import ImageCritic, Judgement
from antiphon.networks.spectral_norm import spectrally_normed
from antiphon.training.contract import Game, Moment
from antiphon.training.health import Examined, Judged
from antiphon.training.optimisers import OptimiserConfig


@dataclass(frozen=True)
class ImageGameConfig:
    """How the game is played; every weight may be 0, which leaves its term out."""

    rule: str = "non-saturating"  # one of losses.adversarial.rules()
    r1: float = 0.0
    r2: float = 0.0
    lipschitz: float = 0.0  # WGAN-GP's lambda, 10 in its paper
    drift: float = 0.0  # keeps a Wasserstein critic near 0: 0.001 in Karras 2018, appendix A.1
    every: int = 1  # penalties once in that many moves
    finite: bool = False  # R1 and R2 without a second backward pass
    spectral: bool = False  # spectral norm in the critic
    keys: float = 10.0  # of the cross-entropy of the key heard, where the critic is asked (GANSynth)
    critic_steps: int = 1  # moves of the critic for one of the generator: 5 in WGAN-GP's paper
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)


class ImageGame(Game, Examined):
    """Generator and critic of images, their optimisers, and one step of play."""

    clip: ClassVar[float] = math.inf  # as in the papers

    def __init__(self, model: ImageModel, critic: ImageCritic, config: ImageGameConfig):
        super().__init__()
        self.model, self.config, self.rule = model, config, config.rule
        self.says = rule_called(config.rule)
        self.critics = spectrally_normed(critic) if config.spectral else critic
        o = config.optimiser
        self.take_seats(
            {"generator": o.generator(model.generator.parameters()), "critics": o.critic(critic.parameters())}
        )

    def step(self, batch: Sounds, moment: Moment, rng: torch.Generator) -> dict[str, Tensor]:
        """One move of the generator after `critic_steps` of the critic, who share the batch. -> scalars by name"""
        self.set_rates(moment.rate)
        log: dict[str, Tensor] = {}
        moves, each = self.config.critic_steps, len(batch.audio) // self.config.critic_steps
        for i in range(moves):
            some = batch[i * each : (i + 1) * each]
            condition, keys = self._told(some)
            with torch.set_grad_enabled(i == moves - 1):
                drawn = self._draw(condition, rng)
            with torch.no_grad():
                real = self.model.view.encode(some.audio)
            show = shown(moment.augment, each, rng)
            real, fake = show(real), show(drawn)
            judged = self._judge(real, condition)
            r1 = self.config.r1 + moment.r1
            log |= self._critic_moves(judged, real, fake.detach(), condition, keys, r1, moment.step * moves + i, rng)
        log |= self._generator_moves(judged.logits.detach(), fake, condition, keys)
        return {k: v.detach() for k, v in log.items()}

    def _told(self, batch: Sounds) -> tuple[Tensor, Tensor]:
        """The batch's labels: (batch, conditions) and the index of its key (batch,), zeros where keys are not told."""
        c = self.model.conditions
        scales = self.model.labels.scales
        placed = [scale.place(measured) for scale, measured in zip(scales, batch.descriptors.unbind(1), strict=True)]
        numbers = torch.stack(placed, 1) if placed else batch.descriptors
        vector = c.vector(batch.pitch, batch.instrument, batch.style, numbers)
        return vector, c.key(batch.pitch) if c.keys else torch.zeros_like(batch.instrument)

    def _draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        z = self.model.generator.draw(len(condition), rng).to(condition.device, non_blocking=True)
        with self._autocast(z):
            image: Tensor = self.model.generator(z, condition)
        return image.float()

    def _judge(self, image: Tensor, condition: Tensor, exact: bool = False) -> Judgement:
        """exact: in float32, for differences so small that bfloat16 has no digits for them."""
        with self._autocast(image, not exact):
            verdict: Judgement = self.critics(image, condition)
        return verdict

    @staticmethod
    def _autocast(like: Tensor, enabled: bool = True) -> torch.autocast:
        return torch.autocast(like.device.type, torch.bfloat16, enabled=enabled)

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
        loss, asked = self.says.discriminator(true, false), self._keys(judged, keys)
        penalty = c.drift * true.square().mean() + self._penalties(real, fake, condition, r1, move, rng)
        log = {"critic": loss, "real": torch.sigmoid(true).mean(), "fake": torch.sigmoid(false).mean()}
        log |= {"gap": (true - false).mean(), "penalty": penalty}
        log |= {} if judged.keys is None else {"real_keys": asked}
        return log | {"critic_norm": self.update("critics", loss + penalty + c.keys * asked)}

    def _penalties(
        self, real: Tensor, fake: Tensor, condition: Tensor, r1: float, move: int, rng: torch.Generator
    ) -> Tensor:
        c, often = self.config, lazily(move, self.config.every)
        total = real.new_zeros(())
        if not often:
            return total

        def score(x: Tensor) -> Tensor:
            return self._judge(x, condition, exact=c.finite).logits

        def slope(x: Tensor) -> Tensor:
            return finite_difference_penalty(score, x, rng) if c.finite else gradient_penalty(score, x)

        if r1:
            total = total + r1 / 2 * slope(real)
        if c.r2:
            total = total + c.r2 / 2 * slope(fake)
        if c.lipschitz:
            total = total + c.lipschitz * lipschitz_penalty(score, real, fake, rng)
        return often * total

    # ---- the generator's move ----------------------------------------------------------------------------------------

    def _generator_moves(self, real: Tensor, fake: Tensor, condition: Tensor, keys: Tensor) -> dict[str, Tensor]:
        """real: (batch,) what the critic has just said of the real sounds. fake: sounds it has heard, with gradients to
        the generator."""
        self.critics.requires_grad_(False)
        heard = self._judge(fake, condition)
        self.critics.requires_grad_(True)
        loss, asked = self.says.generator(real, heard.logits), self._keys(heard, keys)
        norm = self.update("generator", loss + self.config.keys * asked)
        return {"adversarial": loss, "generator_norm": norm} | ({"fake_keys": asked} if heard.keys is not None else {})

    def _keys(self, judged: Judgement, keys: Tensor) -> Tensor:
        """Cross-entropy of the keys that the critic hears; 0 where it is not asked."""
        return judged.logits.new_zeros(()) if judged.keys is None else F.cross_entropy(judged.keys, keys)

    # ---- to be looked at ---------------------------------------------------------------------------------------------

    def judge_real(self, batch: Sounds) -> Judged:
        return self._judged(self.model.view.encode(batch.audio), batch)

    def judge_generated(self, batch: Sounds, rng: torch.Generator) -> Judged:
        return self._judged(self._draw(self._told(batch)[0], rng), batch)

    def sound(self, view: Tensor) -> Tensor:
        audio: Tensor = self.model.view.decode(view, self.model.config.samples)
        return audio

    def _judged(self, image: Tensor, batch: Sounds) -> Judged:
        return Judged(image, self._judge(image, self._told(batch)[0]).logits)
