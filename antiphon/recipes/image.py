"""What the recipes of the literature share: a generator and a critic of images of sounds, conditioned on the labels
that the data has. Each recipe is a function in a file of its own, with its paper's settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.controls import scales
from antiphon.networks.image_gan import Conditions, limits_of
from antiphon.networks.model import LabelTable
from antiphon.recipes.sounds import SoundsRecipe
from antiphon.representations.standardised import Standardised
from antiphon.training.contract import StepContext, rise_and_fall
from antiphon.training.games.adversary import LIMITS as GAME_LIMITS
from antiphon.training.games.image import ImageGame, ImageGameConfig
from antiphon.voices.image import SAMPLES
from antiphon.voices.image_model import ImageConfig, ImageModel, ViewConfig

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared
    from antiphon.training.batches.onset_crops import OnsetCropSource
    from antiphon.voices.voice import Voice

SHORTEST = 16_384  # samples that wavegan generates
FITTED = 16, 32  # batches, and sounds in each, to which a standardised view is fitted
ANSWERS = ("auto", "yes", "no")
UNNAMED = "sound"  # the label of sounds whose instruments are not distinguished


@dataclass(frozen=True)
class ImageRecipe(SoundsRecipe):
    """All settings of a run. pitch, instrument, style: whether both players are conditioned on it; auto: if the data
    has more than one. descriptors: names of measurements of a sound to be conditioned on too, such as
    brightness,attack."""

    network: Any  # a generator's configuration; its conditions are the data's
    view: ViewConfig
    game: ImageGameConfig
    samples: int
    batch: int = 16  # per move of a player; under torchrun, per move and process
    pitch: str = "auto"
    instrument: str = "auto"
    style: str = "auto"
    descriptors: str = ""
    transposed: float = (
        0.0  # largest share of sounds that fill gaps between a preset's recorded keys [training/batches/transpose.py]
    )
    seed: int = 0
    average: float = 0.999  # decay of the average of the weights
    cool_down: float = 0.0  # share of the steps, at the end, over which the learning rate falls

    shown: ClassVar = {"critic": "critic", "generator": "adversarial", "gap": "gap"}
    limits: ClassVar = {
        "samples": SAMPLES,
        "batch": (2, 4096),  # a batch norm needs two
        "transposed": (0, 1),
        "seed": (0, (1 << 31) - 1),
        "average": (0, 0.999999),
        "cool_down": (0, 1),
        **GAME_LIMITS,
        "game.keys": (0, 1e6),
        "game.critic_steps": (1, 100),
    }

    def check(self) -> None:
        for name in ("pitch", "instrument", "style"):
            if getattr(self, name) not in ANSWERS:
                raise AntiphonError(f"{name}={getattr(self, name)} cannot work: use {', '.join(ANSWERS)}")
        self.game.check()
        if self.network.conditions != Conditions():
            raise AntiphonError(
                "network.conditions are read from the data: set pitch, instrument and style to yes, no or auto"
            )
        for name, (low, high) in limits_of(type(self.network)).items():
            value = getattr(self.network, name)
            if type(value) is not type(low) or not low <= value <= high:
                raise AntiphonError(f"network.{name}={value} cannot work: use {low!r} to {high!r}")
        config = ImageConfig(self.network, self.view, self.samples)
        config.new_view()  # checks that its sizes agree
        with torch.device("meta"):  # and that players of these sizes can be built, here without memory
            config.new_generator(), config.new_critic()

    @property
    def needs_pitch(self) -> str:
        return "auto" if self.pitch == "no" and self.transposed else self.pitch

    # ---- what the data says ------------------------------------------------------------------------------------------

    def fits(self, data: Prepared) -> None:
        self.labels(data)
        notes = data.where("train")
        if not len(notes):
            raise AntiphonError(f"{data.path} has no notes to train on: give some of them the split 'train'")
        usual = float(data.start.diff()[notes].float().median())
        if usual < self.samples / 4:
            others = ["wavegan (0.37 s)"] if self.samples > SHORTEST else []
            others += ["instrument" if data.labels.pitched else "drums"]
            raise AntiphonError(
                f"half of these notes are shorter than {usual / SAMPLE_RATE:.2f} s, but this recipe generates "
                f"{self.samples / SAMPLE_RATE:.2f} s and would learn silence: give longer notes, or use --recipe "
                f"{' or '.join(others)}"
            )

    def conditions(self, data: Prepared) -> Conditions:
        """What the players are conditioned on. Raises AntiphonError, saying what to do, if the data lacks a label that
        is asked for."""
        keys = data.pitch[data.where("train")].round().long().tolist() or [0]
        pitch = self._answer("pitch", len(set(keys)) if data.labels.pitched else 0, "keys")
        instrument = self._answer("instrument", len(data.labels.instruments), "instruments")
        style = self._answer("style", len(data.labels.styles) + 1, "styles")
        return Conditions(
            keys=max(keys) - min(keys) + 1 if pitch else 0,
            lowest=min(keys) if pitch else Conditions.lowest,
            instruments=len(data.labels.instruments) if instrument else 0,
            styles=len(data.labels.styles) if style else 0,
            descriptors=len(self._measured()),
        )

    def _answer(self, name: str, classes: int, what: str) -> bool:
        asked = getattr(self, name)
        if asked == "yes" and classes < 2:
            raise AntiphonError(
                f"{name}=yes needs notes of several {what}, but these have at most one: label them (see `antiphon data "
                f"inspect`), or use --set {name}=no"
            )
        return bool(asked != "no" and classes > 1)

    def labels(self, data: Prepared) -> LabelTable:
        conditions, names = self.conditions(data), data.labels.instruments
        distinguished = conditions.instruments or len(names) == 1
        return LabelTable(
            names if distinguished else (UNNAMED,),
            data.labels.styles if conditions.styles else (),
            scales(data, self._measured(), together=not distinguished),
        )

    def _measured(self) -> list[str]:
        """The names among `descriptors`."""
        return [name.strip() for name in self.descriptors.split(",") if name.strip()]

    # ---- what a run needs --------------------------------------------------------------------------------------------

    def like(self, voice: Voice) -> ImageRecipe:
        config = voice.model.config
        if not isinstance(config, ImageConfig) or type(config.network) is not type(self.network):
            raise AntiphonError(
                f"{voice.info.name} was made by another recipe: start from a voice of this one, or use --from-scratch"
            )
        return replace(
            self, network=replace(config.network, conditions=Conditions()), view=config.view, samples=config.samples
        )

    def shared(self, count: int) -> ImageRecipe:
        return replace(self, batch=-(-self.batch // count))

    def at(self, step: int, total: int) -> StepContext:
        return StepContext(step, rise_and_fall(step, total, self.cool_down), self.batch * self.game.critic_steps)

    def source(self, data: Prepared) -> OnsetCropSource:
        from antiphon.training.batches.onset_crops import OnsetCropSource

        return OnsetCropSource(data, self.samples, self.seed, transposed=self.transposed, descriptors=self._measured())

    def new_game(self, data: Prepared) -> ImageGame:
        network = replace(self.network, conditions=self.conditions(data))
        model = ImageModel(ImageConfig(network, self.view, self.samples), self.labels(data))
        if isinstance(model.view, Standardised):
            source, (batches, count) = self.source(data), FITTED
            model.view.fit(source.batch(i * count, count).audio for i in range(batches))
        return ImageGame(model, model.config.new_critic(), self.game)
