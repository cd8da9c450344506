"""The recipe `drums`: one-shots of up to 1.49 s, distinguished by their names, from a folder of hits.

The instrument's game with a drum's sources: gliding modes and noise at two resolutions. Related models generate
spectrograms (DrumGAN, Nistal 2020: 1 s at 16 kHz) or samples (NeuroDrum, Ramires 2020), conditioned on numbers for the
timbre; this one encodes a hit or imagines one, and its attacks are exact to the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from antiphon.core.errors import AntiphonError
from antiphon.networks.generators.one_shot import SIZES, OneShotConfig
from antiphon.recipes.instrument import InstrumentRecipe, adversary_rises, check_crop
from antiphon.recipes.sounds import SoundsRecipe
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.drums import DrumsGame
from antiphon.training.games.instrument import GameConfig
from antiphon.training.games.optimisers import ReconstructionOptimiser
from antiphon.voices.drums import LIMITS as NETWORK_LIMITS

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared
    from antiphon.training.batches.drum_crops import StrokeSource
    from antiphon.voices.voice import Voice

WEIGHTS = {
    "log": 1.0, "linear": 0.5, "mel": 1.0, "partials": 0.5, "adversarial": 0.2, "features": 0.6, "imagined": 0.2,
    "identity": 0.3, "tuning": 0.3,
}  # fmt: skip


@dataclass(frozen=True)
class DrumsRecipe(SoundsRecipe):
    """All settings of a run."""

    network: OneShotConfig = field(default_factory=OneShotConfig)
    game: GameConfig = field(default_factory=lambda: GameConfig(weights=dict(WEIGHTS)))
    batch: int = 16  # hits per step; under torchrun, per step and process
    samples: int = 32_768  # of a crop: 0.74 s
    moved: float = 0.5  # share of the hits that are moved by up to four semitones [training/batches/drum_crops.py]
    reshaped: float = 0.5  # share of the hits that are damped, made brighter or darker [training/batches/reshape.py]
    seed: int = 0
    average: float = 0.9985  # decay of the average of the weights
    cool_down: float = 0.3  # share of the steps, at the end, over which the learning rate falls

    one_shots: ClassVar = True
    usual_start: ClassVar = "kit"
    shown: ClassVar = {"sound": "log", "modes": "tuning", "critic": "critic"}
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        **{name: limits for name, limits in InstrumentRecipe.limits.items() if name.startswith("game.")},
        **{name: InstrumentRecipe.limits[name] for name in ("batch", "samples", "seed", "average", "cool_down")},
        "moved": (0, 1),
        "reshaped": (0, 1),
    }

    def check(self) -> None:
        check_crop(self.samples)
        self.game.check()

    def fits(self, data: Prepared) -> None:
        if not data.labels.one_shots:
            raise AntiphonError(f"{data.path} contains notes, not hits: prepare the folder again with --one-shots")
        if not len(data.where("train")):
            raise AntiphonError(f"{data.path} has no hits to train on: give some of them the split 'train'")

    def like(self, voice: Voice) -> DrumsRecipe:
        config = voice.model.config
        if not isinstance(config, OneShotConfig):
            raise AntiphonError(f"{voice.info.name} is not a drum voice: start from another one, or use --from-scratch")
        size = next((name for name, known in SIZES.items() if known == config), "base")
        return replace(drums(size, self.seed), network=config)

    def shared(self, count: int) -> DrumsRecipe:
        game = replace(self.game, imagined=-(-self.game.imagined // count))
        return replace(self, game=game, batch=-(-self.batch // count))

    def at(self, step: int, total: int) -> StepContext:
        ramp = adversary_rises(step, total, 0, self.game)
        return StepContext(step, rise_and_fall(step, total, self.cool_down), self.batch, ramp)

    def source(self, data: Prepared) -> StrokeSource:
        from antiphon.training.batches.drum_crops import StrokeSource

        return StrokeSource(data, self.samples, self.seed, moved=self.moved, reshaped=self.reshaped)

    def new_game(self, data: Prepared) -> DrumsGame:
        from antiphon.networks.model import DrumsModel, LabelTable

        labels = LabelTable(data.labels.instruments, data.labels.styles)
        return DrumsGame(DrumsModel(self.network, labels), len(data.labels.presets), self.game)


def drums(size: str = "base", seed: int = 0) -> DrumsRecipe:
    """The recipe at one of the sizes tiny, small, base, large."""
    critic = {"tiny": 8, "small": 16, "base": 16, "large": 32}[size]
    optimiser = ReconstructionOptimiser(rate=8e-4, critic_rate=8e-4)
    game = GameConfig(weights=dict(WEIGHTS), critic_channels=critic, bank=1024, optimiser=optimiser)
    return DrumsRecipe(network=SIZES[size], game=game, seed=seed)


RECIPES = {"drums": drums}
