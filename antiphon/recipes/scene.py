"""The recipe `scene`: imagined places that sound for any time, in stereo, from a folder of long recordings.

Texture statistics (McDermott & Simoncelli 2011) as one teacher and log-mel critics by relativistic pairs (Huang 2025)
as the other, of a generator of shaped noise that streams. Related: Catch-A-Waveform (Greshler 2021), a GAN of one clip;
Musika (Pasini 2022), a latent GAN of any length; TexStat (Gutierrez 2025), texture statistics as a loss.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from antiphon.audio.files import SUFFIXES
from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import REFUSED
from antiphon.core.words import counted
from antiphon.data.controls import RARE, Scale
from antiphon.data.labelling.recordings import find_recordings
from antiphon.data.scenes import STRETCHES, Scenes, prepare_scenes
from antiphon.networks.generators.scene import SIZES, SceneConfig
from antiphon.networks.model import LabelTable
from antiphon.networks.texture import DESCRIPTORS, LONG_HOP, MEASURED
from antiphon.recipes.instrument import adversary_rises
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.scene import SceneGame, SceneGameConfig
from antiphon.training.games.styled import LIMITS as GAME_LIMITS
from antiphon.training.recipe import Recipe, Reporter
from antiphon.voices.scene import LIMITS as NETWORK_LIMITS
from antiphon.voices.voice import VoiceInfo

if TYPE_CHECKING:
    from antiphon.training.batches.places import PlaceSource
    from antiphon.voices.voice import Voice

WINDOW = 65_536  # samples of a stretch that is measured
FEW = 60.0  # seconds of a label below which its places are few
NAMED = 3  # refused files that are shown


@dataclass(frozen=True)
class SceneRecipe(Recipe[Scenes]):
    """All settings of a run."""

    network: SceneConfig = field(default_factory=SceneConfig)
    game: SceneGameConfig = field(default_factory=SceneGameConfig)
    batch: int = 8  # stretches per step, two of a recording; under torchrun, per step and process
    samples: int = 65_536  # of a stretch: 1.49 s
    moved: float = 0.5  # share of the pairs that are played faster or slower by up to three semitones
    rehearsal: float = 0.6  # share of the steps that learn from expected levels, before the game begins
    seed: int = 0
    average: float = 0.998
    cool_down: float = 0.3

    suffixes: ClassVar = frozenset({*SUFFIXES, ".csv"})
    usual_start: ClassVar = "ambience"
    shown: ClassVar = {"texture": "texture", "levels": "expected", "critic": "critic"}
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        **GAME_LIMITS,
        "batch": (1, 4096),
        "samples": (32_768, 1 << 20),
        "moved": (0, 1),
        "rehearsal": (0, 1),
        "seed": (0, (1 << 31) - 1),
        "average": (0, 0.999999),
        "cool_down": (0, 1),
        "game.rehearsed": (1, 4096),
        "game.style_moves": (1, 64),
    }

    def check(self) -> None:
        if self.samples % LONG_HOP:
            raise AntiphonError(f"samples={self.samples} cannot work: use a multiple of {LONG_HOP}")
        self.game.check()

    # ---- the data ----------------------------------------------------------------------------------------------------

    def prepare(
        self, source: Path, target: Path, report: Reporter, *, workers: int = 1, licence: str = "", label: str = ""
    ) -> None:
        with report.bar("listening") as advance:
            found = find_recordings(source, label=label, progress=advance)
        with report.bar("measuring") as advance:
            how = {"licence": licence, "progress": advance}
            taken = prepare_scenes(found, target, measure=Measured(), descriptors=DESCRIPTORS, **how)  # type: ignore[arg-type]
        minutes = sum(taken.seconds.values()) / 60
        many = f"{counted(taken.recordings, 'recording')} of {counted(len(taken.seconds), 'place')}"
        report.say(f"learning from {many} ({minutes:.1f} minutes of sound)")
        if taken.refused:
            lines = [f"{path.relative_to(source)}: {why}" for path, why in taken.refused]
            file = target.with_name(REFUSED)
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
            report.say(f"{counted(len(lines), 'file')} refused; {file} lists them all:")
            for line in lines[:NAMED]:
                report.say(f"  {line}")

    def open(self, path: Path) -> Scenes:
        return Scenes(path)

    def fits(self, data: Scenes) -> None:
        if not isinstance(data, Scenes):
            raise AntiphonError(f"{data.path} contains no recordings of places: prepare the folder with --recipe scene")
        if data.measured.shape[2] != MEASURED:
            raise AntiphonError(f"{data.path} was measured by another version: prepare the folder again")
        if not len(data.where("train")):
            raise AntiphonError(f"{data.path} has no recordings to train on")

    def misfits(self, data: Scenes) -> list[str]:
        seconds = _seconds(data)
        few = [name for name, length in seconds.items() if length < FEW]
        if not few:
            return []
        return [f"under a minute of {', '.join(few[:6])}{' ...' if len(few) > 6 else ''}: their places will be alike"]

    def describe(self, data: Scenes, name: str) -> VoiceInfo:
        labels = data.labels
        return VoiceInfo(
            name=name,
            styles_of={label: [((), 1)] for label in labels.instruments},
            training={"recordings": len(data.where("train"))},
            licence=getattr(labels, "licence", "") or "unknown",
            sources=tuple(getattr(labels, "sources", ())),
        )

    def source(self, data: Scenes) -> PlaceSource:
        from antiphon.training.batches.places import PlaceSource

        return PlaceSource(data, self.samples, self.seed, self.moved)

    # ---- the run -----------------------------------------------------------------------------------------------------

    def like(self, voice: Voice) -> SceneRecipe:
        config = voice.model.config
        if not isinstance(config, SceneConfig):
            raise AntiphonError(f"{voice.info.name} imagines no scenes: start from another one, or use --from-scratch")
        size = next((name for name, known in SIZES.items() if known == config), "base")
        return replace(scene(size, self.seed), network=config)

    def shared(self, count: int) -> SceneRecipe:
        game = replace(self.game, imagined=-(-self.game.imagined // count))
        return replace(self, game=game, batch=2 * -(-self.batch // (2 * count)))

    def at(self, step: int, total: int) -> StepContext:
        """In a rehearsal the game draws its own batches, of what was measured: two stretches are for show."""
        if step < self.rehearsal * total:
            return StepContext(step, rise_and_fall(step, total, self.cool_down), 2, 0.0, rehearsal=True)
        ramp = adversary_rises(step, total, self.rehearsal * total, self.game)  # type: ignore[arg-type]
        return StepContext(step, rise_and_fall(step, total, self.cool_down), self.batch, ramp)

    def new_game(self, data: Scenes) -> SceneGame:
        from antiphon.networks.place import SceneModel
        from antiphon.training.games.scene_rehearsal import Bank

        names = data.labels.instruments
        if not isinstance(data, Scenes):  # to count what it costs
            return SceneGame(SceneModel(self.network, LabelTable(names, ())), self.game)
        model, bank = SceneModel(self.network, LabelTable(names, (), spans(data))), Bank.of(data)
        model.standardise(bank.found)
        return SceneGame(model, self.game, bank)


class Measured:
    """The descriptors of some stretches of a recording and the statistics of their texture [networks/texture.py]."""

    def __init__(self) -> None:
        from antiphon.networks.texture import TextureView

        self.view = TextureView()

    def __call__(self, audio: np.ndarray) -> np.ndarray:
        """audio: (2, samples) mid and side -> (STRETCHES, MEASURED)"""
        import torch

        from antiphon.networks.texture import measured

        while audio.shape[1] < WINDOW:
            audio = np.concatenate([audio, audio], 1)
        starts = np.linspace(0, audio.shape[1] - WINDOW, STRETCHES).astype(int)
        cut = np.stack([audio[:, start : start + WINDOW] for start in starts]).astype(np.float32)
        with torch.inference_mode():
            return measured(self.view(torch.from_numpy(cut))).numpy()


def spans(data: Scenes) -> tuple[Scale, ...]:
    """What the training recordings span of each descriptor: all of them together, and each label's own."""
    chosen, found = data.where("train"), []
    for i, name in enumerate(data.labels.descriptors):
        values = data.measured[chosen, :, i].double()
        low, high = torch.quantile(values.flatten(), torch.tensor([RARE, 1 - RARE], dtype=torch.float64)).tolist()
        if high - low < 1e-6:
            continue
        usual = []
        for label in range(len(data.labels.instruments)):
            own = ((values[data.instrument[chosen] == label].flatten() - low) / (high - low)).clamp(0, 1)
            usual.append((float(own.mean()), float(own.std(correction=0))) if len(own) else (0.5, 0.0))
        found.append(Scale(name, low, high, tuple(usual)))
    return tuple(found)


def _seconds(data: Scenes) -> Counter[str]:
    """Seconds to train on, by label."""
    from antiphon.core.units import SAMPLE_RATE

    found: Counter[str] = Counter()
    for i in data.where("train").tolist():
        found[data.labels.instruments[int(data.instrument[i])]] += data.samples(i) / SAMPLE_RATE  # type: ignore[assignment]
    return found


def scene(size: str = "base", seed: int = 0) -> SceneRecipe:
    """The recipe at one of the sizes tiny, small, base, large."""
    critic = {"tiny": 4, "small": 12, "base": 16, "large": 32}[size]
    return SceneRecipe(network=SIZES[size], game=SceneGameConfig(critic_channels=critic), seed=seed)


RECIPES = {"scene": scene}
