"""A GAN of the literature, ready to play: a generator of images and the conversion of its images to sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import choose, registry
from antiphon.networks.discriminators.usual import UsualDiscriminator
from antiphon.networks.image_gan import Conditions, ImageCritic, ImageGenerator
from antiphon.networks.model import LabelTable
from antiphon.representations.contract import Representation
from antiphon.representations.standardised import Standardised
from antiphon.voices.views import representations


@dataclass(frozen=True)
class ViewConfig:
    """A representation and its settings; 0 for a setting that it does not have. standardised: normalise each bin over
    the training sounds."""

    name: str
    window: int = 0
    hop: int = 0
    bands: int = 0
    standardised: bool = False

    def build(self, samples: int) -> Representation:
        told = {name: value for name in ("window", "hop", "bands") if (value := getattr(self, name))}
        try:
            view: Representation = choose(representations(), "representation", self.name)(**told)
        except TypeError:
            raise AntiphonError(
                f"the representation {self.name} does not take {', '.join(told)}: set them to 0"
            ) from None
        return Standardised(view, samples) if self.standardised else view


@dataclass(frozen=True)
class ImageConfig:
    """network: the configuration of one of networks/generators. samples: length of every sound it draws."""

    network: Any
    view: ViewConfig
    samples: int

    @property
    def generator(self) -> str:
        """The name of the network to which the configuration belongs."""
        return next(name for name, (config, _) in generators().items() if config is type(self.network))

    def new_view(self) -> Representation:
        """The representation. Raises AntiphonError if the network draws images of a different size."""
        view = self.view.build(self.samples)
        drawn, seen = tuple(self.network.shape), tuple(view.shape(self.samples))
        if drawn != seen:
            sizes = [" x ".join(map(str, shape)) for shape in (drawn, seen)]
            raise AntiphonError(
                f"{self.generator} draws {sizes[0]}, but {self.samples} samples are {sizes[1]} in {self.view.name}: "
                "change network.* or view.* until they agree"
            )
        return view

    def new_generator(self) -> ImageGenerator:
        generator: ImageGenerator = generators()[self.generator][1](self.network)
        return generator

    def new_critic(self) -> ImageCritic:
        """The critic registered under the generator's name, in a file of discriminators/ or in the generator's own; if
        there is none, a critic for any image."""
        own, apart = (
            registry(f"antiphon.networks.{folder}", "DISCRIMINATORS") for folder in ("generators", "discriminators")
        )
        critic: ImageCritic = (own | apart).get(self.generator, UsualDiscriminator)(self.network)
        return critic


def generators() -> dict[str, tuple[type, type[ImageGenerator]]]:
    """Every generator of images by name, with its configuration's class."""
    return registry("antiphon.networks.generators", "GENERATORS")


class ImageModel(nn.Module):
    """Noise and labels -> image -> sound."""

    def __init__(self, config: ImageConfig, labels: LabelTable):
        super().__init__()
        self.config, self.labels = config, labels
        self.view, self.generator = config.new_view(), config.new_generator()

    @property
    def conditions(self) -> Conditions:
        conditions: Conditions = self.config.network.conditions
        return conditions

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """z (batch, noise), condition (batch, conditions.size) -> (batch, samples)"""
        return self.view.decode(self.generator(z, condition), self.config.samples)
