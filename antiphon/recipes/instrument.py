"""The recipe of `antiphon train`: a playable instrument from a prepared file of notes."""

from __future__ import annotations

from dataclasses import dataclass, field

from antiphon.networks.generators.instrument import SIZES, InstrumentConfig
from antiphon.training.game import GameConfig


@dataclass(frozen=True)
class Recipe:
    """A complete setting of a run. Everything a result depends on, but for the data, is in here."""

    network: InstrumentConfig = field(default_factory=InstrumentConfig)
    game: GameConfig = field(default_factory=GameConfig)
    batch: int = 16  # excerpts a step; under torchrun each process has as many
    samples: int = 32_768  # of a crop: 0.74 s
    rehearsal: float = 0.4  # share of the steps that learn from expected spectra, before the game begins
    rehearsal_batch: int = 64  # excerpts a step meanwhile; such a step takes less time than one of sound
    rehearsal_rate: float = 3.0  # learning rate of the rehearsal, times the game's
    seed: int = 0
    average: float = 0.9985  # of the weights
    cool_down: float = 0.3  # share of the steps over which the learning rate falls to nothing


def instrument(size: str = "base", seed: int = 0) -> Recipe:
    """The recipe at one of the sizes tiny, small, base, large."""
    critic = {"tiny": 8, "small": 16, "base": 16, "large": 32}[size]
    return Recipe(network=SIZES[size], game=GameConfig(critic_channels=critic), seed=seed)
