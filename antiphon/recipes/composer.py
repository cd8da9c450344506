"""The recipe `composer`: music, from a folder of MIDI files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch

from antiphon.core.errors import AntiphonError
from antiphon.data.prepared_scores import Scores, counted
from antiphon.networks.composer import SETTINGS, ComposerConfig, ComposerModel
from antiphon.networks.model import LabelTable
from antiphon.training.batches.phrases import PhraseSource
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.composer import ComposerGame, ComposerGameConfig
from antiphon.training.recipe import Recipe, Reporter
from antiphon.voices.composer import LIMITS as NETWORK_LIMITS
from antiphon.voices.voice import Voice, VoiceInfo

SIZES = {
    "tiny": ComposerConfig(64, 1, 2),
    "small": ComposerConfig(128, 2, 4),
    "base": ComposerConfig(192, 3, 6),
    "large": ComposerConfig(384, 6, 6),
}


@dataclass(frozen=True)
class ComposerRecipe(Recipe[Scores]):
    network: ComposerConfig = field(default_factory=ComposerConfig)
    game: ComposerGameConfig = field(default_factory=ComposerGameConfig)
    batch: int = 12
    tokens: int = 256
    seed: int = 0
    average: float = 0.998
    cool_down: float = 0.4

    suffixes: ClassVar = frozenset({".mid", ".midi", ".kar", ".rmi"})
    shown: ClassVar = {"nats": "nats", "pitch": "pitch"}
    limits: ClassVar = {**{f"network.{n}": lim for n, lim in NETWORK_LIMITS.items()}, "batch": (1, 4096)}

    def prepare(
        self, source: Path, target: Path, report: Reporter, *, workers: int = 1, licence: str = "", label: str = ""
    ) -> None:
        raise AntiphonError("not yet")

    def open(self, path: Path) -> Scores:
        return Scores(path)

    def describe(self, data: Scores, name: str) -> VoiceInfo:
        said = data.said
        return VoiceInfo(name, training={"pieces": len(data.where("train"))}, licence=said["licence"] or "unknown",
                         sources=tuple(said["sources"]))  # fmt: skip

    def source(self, data: Scores) -> PhraseSource:
        return PhraseSource(data, self.tokens, self.seed)

    def like(self, voice: Voice) -> ComposerRecipe:
        if not isinstance(voice.model.config, ComposerConfig):
            raise AntiphonError(f"{voice.info.name} does not compose: start from another voice, or use --from-scratch")
        return replace(self, network=voice.model.config)

    def shared(self, count: int) -> ComposerRecipe:
        return replace(self, batch=-(-self.batch // count))

    def at(self, step: int, total: int) -> StepContext:
        return StepContext(step, rise_and_fall(step, total, self.cool_down), self.batch)

    def new_game(self, data: Scores) -> ComposerGame:
        model = ComposerModel(self.network, LabelTable(data.styles, ()))
        for name, table in counted(data, SETTINGS).items():
            getattr(model, name).copy_(torch.from_numpy(table))
        return ComposerGame(model, self.game)


def composer(size: str = "base", seed: int = 0) -> ComposerRecipe:
    return ComposerRecipe(network=SIZES[size], seed=seed)


RECIPES = {"composer": composer}
