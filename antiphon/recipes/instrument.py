"""The recipe of `antiphon train`: a playable instrument from a prepared file of notes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from antiphon.core.errors import AntiphonError
from antiphon.networks.generators.instrument import SIZES, InstrumentConfig
from antiphon.recipes.sounds import SoundsRecipe
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.instrument import GameConfig, InstrumentGame
from antiphon.training.games.styled import LIMITS as GAME_LIMITS
from antiphon.voices.instrument import LIMITS as NETWORK_LIMITS

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared
    from antiphon.training.batches.excerpts import ExcerptSource
    from antiphon.voices.voice import Voice


@dataclass(frozen=True)
class InstrumentRecipe(SoundsRecipe):
    """All settings of a run: everything a result depends on except the data."""

    network: InstrumentConfig = field(default_factory=InstrumentConfig)
    game: GameConfig = field(default_factory=GameConfig)
    batch: int = 16  # excerpts per step; under torchrun, per step and process
    samples: int = 32_768  # of a crop: 0.74 s
    transposed: float = (
        0.3  # largest share of excerpts that fill gaps between a preset's recorded keys [training/batches/transpose.py]
    )
    hear: float = 0.0  # how likely a reference gets each of what recordings have [training/batches/hearing.py]
    rehearsal: float = 0.4  # share of the steps that learn from expected spectra, before the game begins
    rehearsal_batch: int = 64  # excerpts per rehearsal step, which takes less time than one with sound
    rehearsal_rate: float = 3.0  # learning rate of the rehearsal, as a multiple of the game's
    seed: int = 0
    average: float = 0.9985  # decay of the average of the weights
    cool_down: float = 0.3  # share of the steps, at the end, over which the learning rate falls

    shown: ClassVar = {"sound": "log", "tuning": "tuning", "critic": "critic"}
    usual_start: ClassVar = "gm"
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        **GAME_LIMITS,
        "batch": (1, 4096),
        "samples": (8192, 1 << 20),
        "seed": (0, (1 << 31) - 1),
        "transposed": (0, 1),
        "hear": (0, 1),
        "rehearsal": (0, 1),
        "rehearsal_batch": (1, 4096),
        "rehearsal_rate": (0, 100),
        "average": (0, 0.999999),
        "cool_down": (0, 1),
    }

    def check(self) -> None:
        check_crop(self.samples)
        self.game.check()

    def fits(self, data: Prepared) -> None:
        if not data.labels.pitched:
            what, other = ("hits", "drums") if data.labels.one_shots else ("sounds", "wavegan")
            raise AntiphonError(
                f"{data.path} contains {what} without pitch, but an instrument needs notes: use --recipe {other}"
            )

    def like(self, voice: Voice) -> InstrumentRecipe:
        config = voice.model.config
        if not isinstance(config, InstrumentConfig):
            raise AntiphonError(
                f"{voice.info.name} is not an instrument voice: start from another one, or use --from-scratch"
            )
        size = next((name for name, known in SIZES.items() if known == config), "base")
        return replace(instrument(size, self.seed), network=config)

    def shared(self, count: int) -> InstrumentRecipe:
        parts = {name: -(-getattr(self, name) // count) for name in ("batch", "rehearsal_batch")}
        return replace(self, game=replace(self.game, imagined=-(-self.game.imagined // count)), **parts)

    def at(self, step: int, total: int) -> StepContext:
        """The rehearsal's larger batches allow a higher rate."""
        if step < self.rehearsal * total:
            rate = rise_and_fall(step, total, self.cool_down, self.rehearsal_rate)
            return StepContext(step, rate, self.rehearsal_batch, 0.0, rehearsal=True)
        ramp = adversary_rises(step, total, self.rehearsal * total, self.game)
        return StepContext(step, rise_and_fall(step, total, self.cool_down), self.batch, ramp)

    def source(self, data: Prepared) -> ExcerptSource:
        from antiphon.training.batches.excerpts import ExcerptSource

        return ExcerptSource(data, self.samples, self.seed, transposed=self.transposed, hear=self.hear)

    def new_game(self, data: Prepared) -> InstrumentGame:
        from antiphon.networks.model import InstrumentModel, LabelTable

        labels = LabelTable(data.labels.instruments, data.labels.styles)
        return InstrumentGame(InstrumentModel(self.network, labels), len(data.labels.presets), self.game)


def check_crop(samples: int) -> None:
    """Raises AntiphonError for crops that are not whole frames."""
    if samples % 512:
        raise AntiphonError(f"samples={samples} cannot work: use a multiple of 512")


def adversary_rises(step: int, total: int, before: float, game: GameConfig) -> float:
    """The adversary's share of its weight, which rises without jumps: from 0 to 1 within the first fifth of a game that
    begins after `before` steps, or sooner."""
    shorter = min((total - before) / (5 * (game.warm_up + game.ramp)), 1.0) if total else 1.0
    return min(max((step - before - game.warm_up * shorter) / max(game.ramp * shorter, 1), 0.0), 1.0)


def instrument(size: str = "base", seed: int = 0) -> InstrumentRecipe:
    """The recipe at one of the sizes tiny, small, base, large."""
    critic = {"tiny": 8, "small": 16, "base": 16, "large": 32}[size]
    return InstrumentRecipe(network=SIZES[size], game=GameConfig(critic_channels=critic), seed=seed)


RECIPES = {"instrument": instrument}
