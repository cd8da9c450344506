"""The vocoder's game: a generator that is told a log-mel spectrogram, and critics of the sound it makes of it.

    L_D = rule_D(D(x), D(G(mel x)))
    L_G = sum of weights * terms                 [the recipe's dict; its keys are the log's names]

Before the game the generator rehearses: without sound and without critics it learns levels and turns
[losses/turns.py]. Those stay among its terms, for sound teaches it no phases.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from antiphon.data.stretches import Stretches
from antiphon.losses.adversarial import feature_matching, rule_called
from antiphon.losses.spectral import SpectralLoss
from antiphon.losses.turns import turn_losses
from antiphon.networks.discriminators.spectrogram import SpectrogramDiscriminators
from antiphon.networks.generators.vocoder import Vocoder
from antiphon.representations.stft import stft
from antiphon.training.contract import Game, Moment

SCALED = ("adversarial", "features")


@dataclass(frozen=True)
class VocoderGameConfig:
    """How the game is played. `weights`: what each term of the generator's loss counts; 0 leaves it out."""

    rule: str = "relativistic"  # a sound and its imitation, patch by patch: what differs is small beside what is played
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
    learning_rate: float = 1e-3
    critic_rate: float = 1e-3


class VocoderGame(Game):
    """Generator, critics, their optimisers and one step of play.

    Its health is not looked at [training/health.py]: a vocoder imagines nothing, and copying is its task."""

    def __init__(self, model: Vocoder, config: VocoderGameConfig):
        super().__init__()
        self.model, self.config, self.says = model, config, rule_called(config.rule)
        self.critics = SpectrogramDiscriminators(config.critic_channels)
        self.spectral = SpectralLoss()
        self.take_seats(
            {
                "generator": torch.optim.AdamW(
                    model.parameters(), config.learning_rate, (0.8, 0.99), weight_decay=1e-4
                ),
                "critics": torch.optim.Adam(self.critics.parameters(), config.critic_rate, (0.5, 0.99)),
            }
        )

    def step(self, batch: Stretches, moment: Moment, rng: torch.Generator) -> dict[str, Tensor]:
        """One update of every player; in rehearsal of the generator alone. -> scalars by name"""
        self.set_rates(moment.rate)
        view, real = self.model.view, batch.audio
        with torch.autocast(real.device.type, torch.bfloat16):
            spectra = self.model(view.encode(real))
        terms, log = turn_losses(spectra, stft(real, view.window, view.hop)), {}
        if not moment.rehearsal:
            fake = self.model.sound(spectra, real.shape[-1])
            log = self._critics_move(real, fake.detach())
            terms |= self.spectral(fake, real) | self._verdict(real, fake)
        play = self.config.weights
        total = torch.stack([play[k] * (moment.ramp if k in SCALED else 1.0) * v for k, v in terms.items()]).sum()
        log |= terms | {"loss": total, "generator_norm": self.update("generator", total)}
        return {k: v.detach() for k, v in log.items()}

    def _critics_move(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        with torch.autocast(real.device.type, torch.bfloat16):
            true, false = self.critics(real)[0], self.critics(fake)[0]
        loss = torch.stack(
            [self.says.discriminator(r.float(), f.float()) for r, f in zip(true, false, strict=True)]
        ).mean()
        gap = torch.stack([r.mean() - f.mean() for r, f in zip(true, false, strict=True)]).mean()
        return {"critic": loss, "gap": gap, "critic_norm": self.update("critics", loss)}

    def _verdict(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """What the critics, having moved, say of both."""
        self.critics.requires_grad_(False)
        with torch.autocast(real.device.type, torch.bfloat16):
            with torch.no_grad():
                true, known = self.critics(real)
            false, features = self.critics(fake)
        self.critics.requires_grad_(True)
        verdicts = [self.says.generator(r.float(), f.float()) for r, f in zip(true, false, strict=True)]
        return {"adversarial": torch.stack(verdicts).mean(), "features": feature_matching(known, features)}
