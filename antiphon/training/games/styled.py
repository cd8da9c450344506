"""What the games of sounds with a style share: w is heard in recordings, or comes out of noise by a mapping network,
which plays a game of its own in the space of w [training/games/style.py] beside its sounds' being judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from antiphon.training.games.adversary import LIMITS as ADVERSARY_LIMITS
from antiphon.training.games.optimisers import ReconstructionOptimiser
from antiphon.training.games.sounds import ExaminedSoundGame
from antiphon.training.games.style import StyleGame
from antiphon.training.games.warm_start import take_over_labelled

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice


LIMITS = {  # lowest and highest values of settings that every game of this kind has
    **ADVERSARY_LIMITS,
    "game.critic_channels": (1, 512),
    "game.warm_up": (0, 1e9),
    "game.ramp": (1, 1e9),
    "game.imagined": (1, 4096),
    "game.bank": (1, 1 << 20),
}


class StyledGame(ExaminedSoundGame):
    """model: with a mapping. config.weights: of the terms of the generator's loss, of which those in RISING are the
    adversary's: they come in as its weight rises."""

    RISING: ClassVar = frozenset({"adversarial", "features", "imagined"})
    config: Any
    styles: StyleGame

    def set_players(self, sound: Iterable[nn.Parameter], optimiser: ReconstructionOptimiser) -> None:
        """The optimisers of both sides; sound: what learns from how the generator sounds, all but the mapping."""
        self.set_optimizers(
            {
                "generator": optimiser.generator(sound),
                "mapping": optimiser.player_of_styles(self.model.mapping.parameters()),
                "critics": optimiser.critic(self.critics.parameters()),
                "style_critic": optimiser.player_of_styles(self.styles.parameters()),
            }
        )

    def begin_from(self, voice: Voice, critic_weights: Mapping[str, Tensor]) -> list[str]:
        """Take over weights, those of a label by its name."""
        return take_over_labelled(self.model, self.critics, voice, critic_weights)

    def _generator_moves(self, terms: dict[str, Tensor], ramp: float, rng: torch.Generator) -> dict[str, Tensor]:
        """Generator and mapping follow the weighted sum of the terms. -> scalars by name"""
        weights = self.config.weights
        weighted = [weights[k] * (ramp if k in self.RISING else 1.0) * v for k, v in terms.items()]
        total = torch.stack(weighted).sum()
        mapping_loss = self.styles.mapping_loss(self.model.mapping, rng)
        log = terms | {"loss": total, "mapping": mapping_loss}
        for player in ("generator", "mapping"):
            self.optimisers[player].zero_grad(set_to_none=True)
        (total + mapping_loss).backward()
        log["generator_norm"] = self.advance("generator")
        log["mapping_norm"] = self.advance("mapping")
        return {k: v.detach() for k, v in log.items()}

    def _style_critic_moves(self, rng: torch.Generator) -> dict[str, Tensor]:
        loss = self.styles.critic_loss(self.model.mapping, rng)
        return {"style_critic": loss.detach(), "style_critic_norm": self.update("style_critic", loss)}
