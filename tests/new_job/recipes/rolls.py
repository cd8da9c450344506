"""The recipe `rolls`: what a run of this job is, from the folder to the game."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from antiphon.core.errors import AntiphonError
from antiphon.data.rolls import Rolls, prepare_rolls
from antiphon.networks.model import LabelTable
from antiphon.networks.rolls import RollConfig, RollModel
from antiphon.training.batches.rolls import RollSource
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.adversary import LIMITS as GAME_LIMITS
from antiphon.training.games.adversary import AdversaryConfig
from antiphon.training.games.rolls import RollGame
from antiphon.training.recipe import Recipe, Reporter
from antiphon.voices.rolls import LIMITS as NETWORK_LIMITS
from antiphon.voices.voice import Voice, VoiceInfo

SIZES = {"tiny": 16, "small": 32, "base": 64, "large": 256}
FEW = 8  # bars


@dataclass(frozen=True)
class RollsRecipe(Recipe[Rolls]):
    network: RollConfig = field(default_factory=RollConfig)
    game: AdversaryConfig = field(default_factory=AdversaryConfig)
    batch: int = 16
    seed: int = 0
    average: float = 0.99
    cool_down: float = 0.3
    answers: str = field(default="r1,return", kw_only=True)  # bars are not augmented

    suffixes: ClassVar = frozenset({".csv"})
    shown: ClassVar = {"critic": "critic"}
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        **GAME_LIMITS,
        "batch": (1, 4096),
    }

    def check(self) -> None:
        self.game.check()

    def prepare(self, source: Path, target: Path, report: Reporter, *, workers: int = 1, licence: str = "") -> None:
        taken, refused = prepare_rolls(source, target, licence)
        report.say(f"learning from {taken} bars; {refused} files were refused")

    def open(self, path: Path) -> Rolls:
        return Rolls(path)

    def fits(self, data: Rolls) -> None:
        if not len(data.where("train")):
            raise AntiphonError(f"{data.path} has no bars to train on")

    def misfits(self, data: Rolls) -> list[str]:
        return ["there are few bars to learn from: give more"] if len(data.where("train")) < FEW else []

    def describe(self, data: Rolls, name: str) -> VoiceInfo:
        training = {"bars": len(data.where("train"))}
        return VoiceInfo(name, training=training, licence=data.said["licence"], sources=tuple(data.said["sources"]))

    def source(self, data: Rolls) -> RollSource:
        return RollSource(data, self.seed)

    def like(self, voice: Voice) -> RollsRecipe:
        if not isinstance(voice.model.config, RollConfig):
            raise AntiphonError(f"{voice.info.name} does not compose: start from another voice, or use --from-scratch")
        return replace(self, network=voice.model.config)

    def shared(self, count: int) -> RollsRecipe:
        return replace(self, batch=-(-self.batch // count))

    def at(self, step: int, total: int) -> StepContext:
        return StepContext(step, rise_and_fall(step, total, self.cool_down), self.batch)

    def new_game(self, data: Rolls) -> RollGame:
        return RollGame(RollModel(self.network, LabelTable(("bar",), ())), self.game)


def rolls(size: str = "base", seed: int = 0) -> RollsRecipe:
    return RollsRecipe(RollConfig(hidden=SIZES[size]), seed=seed)


RECIPES = {"rolls": rolls}
