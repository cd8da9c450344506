"""What the recipes of the literature share: a generator and a critic of images of sounds, told whatever labels the data
has. Each recipe is a function in a file of its own that sets these to its paper's."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from antiphon.errors import AntiphonError
from antiphon.image_model import ImageConfig, ImageModel, ViewConfig
from antiphon.kinds.image import LIMITS as NETWORK_LIMITS
from antiphon.losses.adversarial import rule_called
from antiphon.model import LabelTable
from antiphon.networks.image_gan import Conditions
from antiphon.parts import part, parts
from antiphon.recipes.contract import Recipe
from antiphon.representations.standardised import Standardised
from antiphon.scales import scales
from antiphon.training.contract import Moment, rise_and_fall
from antiphon.training.image_game import ImageGame, ImageGameConfig
from antiphon.training.optimisers import OPTIMISERS

if TYPE_CHECKING:
    from antiphon.data.onsets import OnsetSource
    from antiphon.data.prepared import Prepared
    from antiphon.voice import Voice

SAMPLE_RATE = 44_100
FITTED = 16, 32  # batches and sounds in each, by which a standardised view is fitted
ANSWERS = ("auto", "yes", "no")
UNNAMED = "sound"  # the label of sounds whose instruments are not told apart


@dataclass(frozen=True)
class ImageRecipe(Recipe):
    """A complete setting of a run. pitch, instrument, style: whether both players are told; auto where the data has
    more than one of it. descriptors: names of what is measured of a sound and told too, such as brightness,attack."""

    network: Any  # a generator's configuration; its conditions are the data's
    view: ViewConfig
    game: ImageGameConfig
    samples: int
    batch: int = 16  # of each move of a player; under torchrun each process has as many
    pitch: str = "auto"
    instrument: str = "auto"
    style: str = "auto"
    descriptors: str = ""
    transposed: float = 0.0  # sounds, at most, that fill gaps between a preset's recorded keys [data/transpose.py]
    seed: int = 0
    average: float = 0.999  # of the weights
    cool_down: float = 0.0  # share of the steps over which the learning rate falls to nothing

    shown: ClassVar = {"critic": "critic", "generator": "adversarial", "gap": "gap"}
    limits: ClassVar = {
        **{f"network.{name}": limits for name, limits in NETWORK_LIMITS.items()},
        "samples": NETWORK_LIMITS["samples"],
        "batch": (2, 4096),  # a batch norm's least
        "transposed": (0, 1),
        "seed": (0, (1 << 31) - 1),
        "average": (0, 0.999999),
        "cool_down": (0, 1),
        **{f"game.{name}": (0, 1e6) for name in ("r1", "r2", "lipschitz", "drift", "keys")},
        "game.every": (1, 10_000),
        "game.critic_steps": (1, 100),
        "game.optimiser.rate": (1e-12, 1),
        "game.optimiser.critic_rate": (1e-12, 1),
        "game.optimiser.beta1": (0, 0.999999),
        "game.optimiser.beta2": (0, 0.999999),
        "game.optimiser.weight_decay": (0, 1),
    }

    def check(self) -> None:
        for name in ("pitch", "instrument", "style"):
            if getattr(self, name) not in ANSWERS:
                raise AntiphonError(f"{name}={getattr(self, name)} is no answer: use {', '.join(ANSWERS)}")
        g = self.game
        rule_called(g.rule), part(OPTIMISERS, "optimiser", g.optimiser.name)
        if g.rule == "wasserstein" and not g.lipschitz:
            raise AntiphonError(
                "game.rule=wasserstein needs its penalty, or the critic has no bound: add game.lipschitz=10"
            )
        if self.network.conditions != Conditions():
            raise AntiphonError(
                "network.conditions are read off the data: use pitch, instrument and style=yes, no or auto"
            )
        ImageModel(ImageConfig(self._small(), self.view, self.samples), LabelTable((UNNAMED,), ()))  # its sizes agree

    def _small(self) -> Any:
        """The network at its narrowest: its images have the same shape."""
        narrow = {"channels": 1, "width": NETWORK_LIMITS["width"][0]}
        return replace(self.network, **{f.name: narrow[f.name] for f in fields(self.network) if f.name in narrow})

    # ---- what the data says ------------------------------------------------------------------------------------------

    def fits(self, data: Prepared) -> None:
        self.labels(data)
        notes = data.where("train")
        if not len(notes):
            raise AntiphonError(f"{data.path} has no notes to train on: label some of them 'train'")
        usual = float(data.start.diff()[notes].float().median())
        if usual < self.samples / 4:
            raise AntiphonError(
                f"half of these notes are shorter than {usual / SAMPLE_RATE:.2f} s, and this recipe draws "
                f"{self.samples / SAMPLE_RATE:.2f} s: it would learn silence. Give longer notes, or use --recipe "
                "wavegan (0.37 s) or instrument"
            )

    def conditions(self, data: Prepared) -> Conditions:
        """What the players are told. Raises AntiphonError, saying what to do, where the data lacks what is asked."""
        keys = data.pitch[data.where("train")].round().long().tolist() or [0]
        pitch = self._answer("pitch", 0 if data.labels.one_shots else len(set(keys)), "keys")
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
                f"{name}=yes needs notes of several {what}, and these have no more than one: label them (see `antiphon "
                f"data inspect`), or say --set {name}=no"
            )
        return bool(asked != "no" and classes > 1)

    def labels(self, data: Prepared) -> LabelTable:
        told, names = self.conditions(data), data.labels.instruments
        apart = told.instruments or len(names) == 1
        return LabelTable(
            names if apart else (UNNAMED,),
            data.labels.styles if told.styles else (),
            scales(data, self._measured(), together=not apart),
        )

    def _measured(self) -> list[str]:
        """The names among `descriptors`."""
        return [name.strip() for name in self.descriptors.split(",") if name.strip()]

    # ---- what a run needs --------------------------------------------------------------------------------------------

    def like(self, voice: Voice) -> ImageRecipe:
        config = voice.model.config
        if not isinstance(config, ImageConfig) or type(config.network) is not type(self.network):
            raise AntiphonError(
                f"{voice.info.name} was made by another recipe: begin from one of this, or from nothing"
            )
        return replace(
            self, network=replace(config.network, conditions=Conditions()), view=config.view, samples=config.samples
        )

    def shared(self, count: int) -> ImageRecipe:
        return replace(self, batch=-(-self.batch // count))

    def at(self, step: int, total: int) -> Moment:
        return Moment(step, rise_and_fall(step, total, self.cool_down), self.batch * self.game.critic_steps)

    def source(self, data: Prepared) -> OnsetSource:
        from antiphon.data.onsets import OnsetSource

        return OnsetSource(data, self.samples, self.seed, transposed=self.transposed, descriptors=self._measured())

    def new_game(self, data: Prepared) -> ImageGame:
        network = replace(self.network, conditions=self.conditions(data))
        model = ImageModel(ImageConfig(network, self.view, self.samples), self.labels(data))
        if isinstance(model.view, Standardised):
            source, (batches, count) = self.source(data), FITTED
            model.view.fit(source.batch(i * count, count).audio for i in range(batches))
        critic = parts("antiphon.networks.discriminators", "DISCRIMINATORS")[model.config.generator](network)
        return ImageGame(model, critic, self.game)
