"""The vocoder's game: a generator conditioned on a log-mel spectrogram, and critics of the sound it makes of it.

    L_D = rule_D(D(x), D(G(mel x))) + penalties  [training/games/adversary.py]
    L_G = sum of weights * terms                 [the recipe's dict; its keys are the log's names]

Before the game the generator rehearses: without sound and without critics it learns levels and phase turns
[training/losses/phase_derivatives.py]. These remain among its terms, since it cannot learn phases from sound.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from antiphon.networks.discriminators.spectrogram import SpectrogramDiscriminator, SpectrogramDiscriminators
from antiphon.networks.generators.vocoder import Vocoder
from antiphon.networks.precision import mixed
from antiphon.representations.stft import stft
from antiphon.training.batches.random_crops import RandomCrops
from antiphon.training.contract import StepContext
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.games.optimisers import ReconstructionOptimiser
from antiphon.training.games.sounds import SoundGame
from antiphon.training.losses.adversarial import feature_matching, rule_called
from antiphon.training.losses.phase_derivatives import phase_derivative_losses
from antiphon.training.losses.spectral import SpectralLoss

SCALED = ("adversarial", "features")


@dataclass(frozen=True)
class VocoderGameConfig(AdversaryConfig):
    """How the game is played. `weights`: of each term of the generator's loss; 0 leaves it out."""

    rule: str = "relativistic"  # a sound and its imitation, patch by patch: they differ by little
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "level": 1.0,
            "advance": 1.0,
            "lock": 1.0,
            "log": 1.0,
            "linear": 0.5,
            "mel": 1.0,
            "adversarial": 0.2,
            "features": 0.6,
        }
    )
    critic_channels: int = 12
    dropout: float = 0.0  # of the critics' units
    optimiser: ReconstructionOptimiser = field(
        default_factory=lambda: ReconstructionOptimiser(rate=1e-3, critic_rate=1e-3)
    )


class VocoderGame(SoundGame):
    """Generator, critics, their optimisers and one step of play.

    Its health is not checked [training/health/findings.py]: a vocoder imagines nothing, and copying is its task."""

    def __init__(self, model: Vocoder, config: VocoderGameConfig):
        super().__init__()
        self.model, self.config, self.rule = model, config, rule_called(config.rule)
        self.critics = config.normed(SpectrogramDiscriminators(config.critic_channels, config.dropout))
        self.spectral = SpectralLoss()
        o = config.optimiser
        self.set_optimizers(
            {"generator": o.generator(model.parameters()), "critics": o.critic(self.critics.parameters())}
        )

    def step(self, batch: RandomCrops, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update of every player; in rehearsal of the generator alone. -> scalars by name"""
        self.set_rates(moment.rate)
        view, real = self.model.view, batch.audio
        with mixed(real.device):
            spectra = self.model(view.encode(real))
        terms, log = phase_derivative_losses(spectra, stft(real, view.window, view.hop)), {}
        if not moment.rehearsal:
            fake = self.model.sound(spectra, real.shape[-1])
            log = self._critics_move(real, fake.detach(), moment, rng)
            terms |= self.spectral(fake, real) | self._verdict(real, fake)
        play = self.config.weights
        total = torch.stack([play[k] * (moment.ramp if k in SCALED else 1.0) * v for k, v in terms.items()]).sum()
        log |= terms | {"loss": total, "generator_norm": self.update("generator", total)}
        return {k: v.detach() for k, v in log.items()}

    def _critics_move(self, real: Tensor, fake: Tensor, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        with mixed(real.device):
            true, false = ([x.float() for x in self.critics(audio)[0]] for audio in (real, fake))
        loss = torch.stack([self.rule.discriminator(r, f) for r, f in zip(true, false, strict=True)]).mean()
        gap = torch.stack([r.mean() - f.mean() for r, f in zip(true, false, strict=True)]).mean()
        penalty = self.config.penalty(true, lambda: self._seen(real, fake), moment.r1, moment.step, rng)
        log = {"critic": loss, "gap": gap, "penalty": penalty}
        return log | {"critic_norm": self.update("critics", loss + penalty)}

    def _seen(self, real: Tensor, fake: Tensor) -> list[Seen]:
        """The spectrograms that the critics see."""

        def seen(critic: SpectrogramDiscriminator) -> Seen:
            return Seen(lambda x: critic.judge(x)[0].mean(1), critic.picture(real), critic.picture(fake))

        return [seen(critic) for critic in self.critics.children()]  # type: ignore[arg-type]

    def _verdict(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The critics' verdicts on both, after their move."""
        self.critics.requires_grad_(False)
        with mixed(real.device):
            with torch.no_grad():
                true, known = self.critics(real)
            false, features = self.critics(fake)
        self.critics.requires_grad_(True)
        verdicts = [self.rule.generator(r.float(), f.float()) for r, f in zip(true, false, strict=True)]
        return {"adversarial": torch.stack(verdicts).mean(), "features": feature_matching(known, features)}
