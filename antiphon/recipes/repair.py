"""The recipe `repair`: mending recordings, learned from clean ones that are damaged on the fly.

Magnitudes and phases corrected by a causal ConvNeXt as in Vocos and AP-BWE [networks/generators/repair.py], against
critics of pairs of spectrograms [networks/discriminators/pairs.py]."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from antiphon.audio.files import SUFFIXES
from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import REFUSED
from antiphon.core.units import SAMPLE_RATE
from antiphon.core.words import counted
from antiphon.data.recordings import Recordings, prepare_recordings
from antiphon.networks.generators.repair import Repair, RepairConfig
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.adversary import LIMITS as GAME_LIMITS
from antiphon.training.games.repair import RepairGame, RepairGameConfig
from antiphon.training.recipe import Recipe, Reporter
from antiphon.voices.repair import LIMITS as NETWORK_LIMITS
from antiphon.voices.voice import VoiceInfo

if TYPE_CHECKING:
    from antiphon.training.batches.repairs import RepairSource
    from antiphon.voices.voice import Voice

SIZES = {
    "tiny": RepairConfig(16, 32, 1),
    "small": RepairConfig(128, 384, 5),
    "base": RepairConfig(192, 576, 6),
    "large": RepairConfig(320, 1024, 8),
}
FEW = 5 * 60.0  # seconds of music


@dataclass(frozen=True)
class RepairRecipe(Recipe[Recordings]):
    """All settings of a run."""

    network: RepairConfig = field(default_factory=RepairConfig)
    game: RepairGameConfig = field(default_factory=RepairGameConfig)
    batch: int = 4  # excerpts per step; under torchrun, per step and process
    samples: int = 65_536  # of an excerpt: 1.5 s
    rehearsal: float = 0.7  # share of the steps without critics, before the game begins
    seed: int = 0
    average: float = 0.998  # decay of the average of the weights
    cool_down: float = 0.4  # share of the steps, at the end, over which the learning rate falls

    suffixes: ClassVar = frozenset(SUFFIXES)
    usual_start: ClassVar = "repair"
    shown: ClassVar = {"levels": "mel", "distance": "distance", "critic": "critic"}
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        **GAME_LIMITS,
        "batch": (1, 4096),
        "samples": (8192, 1 << 20),
        "rehearsal": (0, 1),
        "seed": (0, (1 << 31) - 1),
        "average": (0, 0.999999),
        "cool_down": (0, 1),
        "game.critic_channels": (1, 512),
        "game.seen": (4096, 1 << 20),
    }

    def check(self) -> None:
        self.game.check()

    def prepare(
        self, source: Path, target: Path, report: Reporter, *, workers: int = 1, licence: str = "", label: str = ""
    ) -> None:
        if label:
            raise AntiphonError("repairs have no label: leave --as out")
        with report.bar("reading") as advance:
            taken, refused = prepare_recordings(source, target, licence, advance)
        report.say(f"learning from {counted(len(taken), 'recording')}")
        if refused:
            listed = target.with_name(REFUSED)
            text = "".join(f"{path.relative_to(source)}: {why}\n" for path, why in refused)
            listed.write_text(text, encoding="utf-8", errors="surrogateescape")
            report.say(f"{len(refused)} files were refused; {listed} lists them all")

    def open(self, path: Path) -> Recordings:
        return Recordings(path)

    def fits(self, data: Recordings) -> None:
        if not isinstance(data, Recordings):
            raise AntiphonError(f"{data.path} contains no clean recordings: prepare the folder with --recipe repair")
        if not len(data.where("train")):
            raise AntiphonError(f"{data.path} has no recordings to train on: give more than one file")

    def misfits(self, data: Recordings) -> list[str]:
        found = []
        if sum(data.samples(int(i)) for i in data.where("train")) < FEW * SAMPLE_RATE:
            found.append("there are less than five minutes of music to learn from: it will mend little else")
        if not len(data.where("train", noise=True)):
            found.append("there is no folder `noise` among the recordings: it will know synthetic noise only")
        return found

    def describe(self, data: Recordings, name: str) -> VoiceInfo:
        said, count = data.said, len(data.where("train"))
        sources = tuple(str(s) for s in said.get("sources", ()))
        return VoiceInfo(
            name, training={"recordings": count}, licence=str(said.get("licence") or "unknown"), sources=sources
        )

    def like(self, voice: Voice) -> RepairRecipe:
        config = voice.model.config
        if not isinstance(config, RepairConfig):
            raise AntiphonError(f"{voice.info.name} does not repair: start from a voice that does, or --from-scratch")
        return replace(self, network=config)

    def shared(self, count: int) -> RepairRecipe:
        return replace(self, batch=-(-self.batch // count))

    def at(self, step: int, total: int) -> StepContext:
        """The adversary's weight rises over the first fifth of the game."""
        before, rate = self.rehearsal * total, rise_and_fall(step, total, self.cool_down)
        if step < before or (not total and self.rehearsal):
            return StepContext(step, rate, self.batch, 0.0, rehearsal=True)
        ramp = min(5 * (step - before) / max(total - before, 1), 1.0) if total else 1.0
        return StepContext(step, rate, self.batch, ramp)

    def source(self, data: Recordings) -> RepairSource:
        from antiphon.training.batches.repairs import RepairSource

        return RepairSource(data, self.samples, self.seed, damage_names())

    def new_game(self, data: Recordings) -> RepairGame:
        from antiphon.networks.model import LabelTable

        return RepairGame(Repair(self.network, LabelTable(damage_names(), ())), self.game)


def damage_names() -> tuple[str, ...]:
    """Of every damage, in the order of a recording's life."""
    from antiphon.data.damage.damage import damages

    return tuple(damages())


def repair(size: str = "base", seed: int = 0) -> RepairRecipe:
    """The recipe at one of the sizes tiny, small, base, large."""
    game = RepairGameConfig(critic_channels={"tiny": 2, "small": 8, "base": 8, "large": 16}[size])
    return RepairRecipe(network=SIZES[size], game=game, seed=seed)


RECIPES = {"repair": repair}
