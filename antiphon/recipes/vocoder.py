"""The recipe `vocoder`: log-mel spectrograms back into sound, learned from any prepared notes or hits.

Vocos (Siuzdak 2023, arXiv 2306.00814), predicting how phases turn instead of phases: networks/generators/vocoder.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from antiphon.core.errors import AntiphonError
from antiphon.networks.generators.vocoder import Vocoder, VocoderConfig
from antiphon.recipes.image import UNNAMED
from antiphon.recipes.sounds import SoundsRecipe
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.adversary import LIMITS as GAME_LIMITS
from antiphon.training.games.vocoder import VocoderGame, VocoderGameConfig
from antiphon.voices.vocoder import LIMITS as NETWORK_LIMITS

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared
    from antiphon.training.batches.random_crops import RandomCropSource
    from antiphon.voices.voice import Voice

SIZES = {
    "tiny": VocoderConfig(32, 64, 1),
    "small": VocoderConfig(128, 256, 4),
    "base": VocoderConfig(256, 512, 6),
    "large": VocoderConfig(384, 1152, 8),
}


@dataclass(frozen=True)
class VocoderRecipe(SoundsRecipe):
    """All settings of a run."""

    network: VocoderConfig = field(default_factory=VocoderConfig)
    game: VocoderGameConfig = field(default_factory=VocoderGameConfig)
    batch: int = 8  # crops per step; under torchrun, per step and process
    samples: int = 16_384  # of a crop: 0.37 s
    gain: float = 20.0  # dB by which a crop is made louder or softer, at most
    rehearsal: float = 0.8  # share of the steps that learn levels and phase turns, before the game begins
    rehearsal_batch: int = 32  # crops per rehearsal step, which takes about as long
    game_rate: float = 0.5  # learning rate of the game, as a multiple of the rehearsal's
    seed: int = 0
    average: float = 0.998  # decay of the average of the weights
    cool_down: float = 0.3  # share of the steps, at the end, over which the learning rate falls

    usual_start: ClassVar = "vocoder"
    shown: ClassVar = {"level": "level", "turns": "advance", "critic": "critic"}
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        **GAME_LIMITS,
        "batch": (1, 4096),
        "samples": (8192, 1 << 20),
        "gain": (0, 60),
        "rehearsal": (0, 1),
        "rehearsal_batch": (1, 4096),
        "game_rate": (0, 100),
        "seed": (0, (1 << 31) - 1),
        "average": (0, 0.999999),
        "cool_down": (0, 1),
        "game.critic_channels": (1, 512),
    }

    def check(self) -> None:
        self.game.check()

    def fits(self, data: Prepared) -> None:
        if not len(data.where("train")):
            raise AntiphonError(f"{data.path} has no sounds to train on: give some of them the split 'train'")

    @property
    def needs_pitch(self) -> str:
        return "no"

    def like(self, voice: Voice) -> VocoderRecipe:
        config = voice.model.config
        if not isinstance(config, VocoderConfig):
            raise AntiphonError(f"{voice.info.name} is not a vocoder: start from one, or use --from-scratch")
        return replace(self, network=config)

    def shared(self, count: int) -> VocoderRecipe:
        parts = {name: -(-getattr(self, name) // count) for name in ("batch", "rehearsal_batch")}
        return replace(self, **parts)

    def at(self, step: int, total: int) -> StepContext:
        """The adversary's weight rises over the first fifth of the game."""
        before = self.rehearsal * total
        rate = rise_and_fall(step, total, self.cool_down)
        if step < before:
            return StepContext(step, rate, self.rehearsal_batch, 0.0, rehearsal=True)
        ramp = min(5 * (step - before) / (total - before), 1.0) if total else 0.0
        return StepContext(step, rate * self.game_rate, self.batch, ramp)

    def source(self, data: Prepared) -> RandomCropSource:
        from antiphon.training.batches.random_crops import RandomCropSource

        return RandomCropSource(data, self.samples, self.seed, self.gain)

    def new_game(self, data: Prepared) -> VocoderGame:
        from antiphon.networks.model import LabelTable

        return VocoderGame(Vocoder(self.network, LabelTable((UNNAMED,), ())), self.game)


def vocoder(size: str = "base", seed: int = 0) -> VocoderRecipe:
    """The recipe at one of the sizes tiny, small, base, large."""
    game = VocoderGameConfig(critic_channels={"tiny": 4, "small": 8, "base": 12, "large": 24}[size])
    return VocoderRecipe(network=SIZES[size], game=game, seed=seed)


RECIPES = {"vocoder": vocoder}
