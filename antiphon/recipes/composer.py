"""The recipe `composer`: a voice that writes music, from a folder of MIDI files.

Likelihood first, then a critic of bars (training/games/composer.py). What it learns from is described in
data/phrases.py, the network in networks/composer.py. Related work: Music Transformer (Huang 2019) and the Compound
Word Transformer (Hsiao 2021) predict notes; MuseGAN (Dong 2018) generates rolls of four bars against a critic; here a
network of the first kind plays the second kind's game."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import REFUSED
from antiphon.core.words import counted as many
from antiphon.data.prepared_scores import Scores, counted
from antiphon.networks.composer import SETTINGS, ComposerConfig, ComposerModel
from antiphon.networks.model import LabelTable
from antiphon.recipes.scores import SUFFIXES, WORKS, prepare_scores
from antiphon.recipes.sounds import write_refused
from antiphon.training.batches.phrases import PhraseSource
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.adversary import LIMITS as GAME_LIMITS
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
KNOWN = 32  # real phrases from which the critic has its scale
FEW = 300  # bars of a style, fewer of which hardly teach it


@dataclass(frozen=True)
class ComposerRecipe(Recipe[Scores]):
    """All settings of a run. tokens: of a window. warm_up: steps over which the learning rate rises, up to 100."""

    network: ComposerConfig = field(default_factory=ComposerConfig)
    game: ComposerGameConfig = field(default_factory=ComposerGameConfig)
    batch: int = 6
    tokens: int = 256
    seed: int = 0
    average: float = 0.998
    warm_up: int = 100
    cool_down: float = 0.4
    health: int = field(default=200, kw_only=True)  # a look means writing phrases
    answers: str = field(default="r1,return", kw_only=True)  # phrases are not augmented

    suffixes: ClassVar = SUFFIXES | {".csv"}
    usual_start: ClassVar = "composer"
    shown: ClassVar = {"nats": "nats", "pitch": "pitch", "critic": "critic"}
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        "network.judge": (2, 1024),
        **GAME_LIMITS,
        "game.begin": (0, 1),
        "game.rising": (0, 1),
        "game.weight": (0, 1e3),
        "game.siblings": (2, 64),
        "game.critic_steps": (1, 100),
        "batch": (1, 4096),
        "tokens": (32, 1024),
        "average": (0, 0.999999),
        "warm_up": (1, 100),
        "cool_down": (0.001, 1),
    }

    def check(self) -> None:
        self.game.check()
        if self.network.width % (2 * self.network.heads):
            raise AntiphonError(f"network.width={self.network.width} cannot work: use a multiple of 2 network.heads")
        if self.game.weight and self.batch % self.game.siblings:
            raise AntiphonError(f"batch={self.batch} cannot work: use a multiple of game.siblings={self.game.siblings}")

    def prepare(
        self, source: Path, target: Path, report: Reporter, *, workers: int = 1, licence: str = "", label: str = ""
    ) -> None:
        with report.bar("reading") as advance:
            taken, refused = prepare_scores(source, target, licence, label, advance)
        styles = Counter(entry.style for entry in taken)
        report.say(f"learning from {many(len(taken), 'piece')}: " + ", ".join(f"{n} {s}" for s, n in styles.items()))
        write_refused(refused, source, target.with_name(REFUSED), report)

    def open(self, path: Path) -> Scores:
        return Scores(path)

    def fits(self, data: Scores) -> None:
        if not isinstance(data, Scores):
            raise AntiphonError("the recipe composer learns from scores, not from sounds: give a folder of MIDI files")
        if not len(data.where("train")):
            raise AntiphonError(f"{data.path} has no pieces to train on: give more, or a {WORKS} with other works")

    def misfits(self, data: Scores) -> list[str]:
        chosen = data.where("train").numpy()
        bars = np.bincount(data.tables["style"][chosen], np.diff(data.tables["bar_start"])[chosen], len(data.styles))
        return [
            f"there are only {int(count)} bars of {style}: expect it to repeat them"
            for style, count in zip(data.styles, bars, strict=True)
            if count < FEW
        ]

    def describe(self, data: Scores, name: str) -> VoiceInfo:
        training = {"pieces": len(data.where("train"))}
        return VoiceInfo(
            name,
            training=training,
            licence=data.said["licence"] or "unknown",
            sources=tuple(str(source) for source in data.said["sources"]),
        )

    def source(self, data: Scores) -> PhraseSource:
        return PhraseSource(data, self.tokens, self.seed)

    def like(self, voice: Voice) -> ComposerRecipe:
        if not isinstance(voice.model.config, ComposerConfig):
            raise AntiphonError(f"{voice.info.name} does not compose: start from another voice, or use --from-scratch")
        return replace(self, network=replace(voice.model.config, judge=self.network.judge))

    def shared(self, count: int) -> ComposerRecipe:
        own = self.game.siblings if self.game.weight else 1
        return replace(self, batch=own * -(-self.batch // (own * count)))

    def at(self, step: int, total: int) -> StepContext:
        sooner = min((step + 1) / self.warm_up, 1.0) / min((step + 1) / 100, 1.0)
        rate = rise_and_fall(step, total, self.cool_down) * sooner
        if not total or step < self.game.begin * total:
            return StepContext(step, rate, self.batch, 0.0)
        risen = (step + 1 - self.game.begin * total) / max(self.game.rising * total, 1)
        return StepContext(step, rate, self.batch, min(risen, 1.0))

    def new_game(self, data: Scores) -> ComposerGame:
        if not isinstance(data, Scores):  # players without data, to be looked at
            return ComposerGame(ComposerModel(self.network, LabelTable(("piece",), ())), self.game)
        model = ComposerModel(self.network, LabelTable(data.styles, ()))
        for name, table in counted(data, SETTINGS).items():
            getattr(model, name).copy_(torch.from_numpy(table))
        game = ComposerGame(model, self.game)
        source = self.source(data)
        game.know([source.context(i) for i in range(KNOWN)])
        return game


def composer(size: str = "base", seed: int = 0) -> ComposerRecipe:
    """The recipe at one of the sizes tiny, small, base, large."""
    return ComposerRecipe(network=SIZES[size], seed=seed)


RECIPES = {"composer": composer}
