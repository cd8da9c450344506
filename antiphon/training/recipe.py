"""What every recipe promises: a frozen dataclass of all settings of a run, which builds what the run needs.

A recipe is one file here, with a dictionary `RECIPES` of functions (size, seed) -> Recipe.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared
    from antiphon.training.contract import Game, Moment, Source
    from antiphon.voices.voice import Voice

R = TypeVar("R", bound="Recipe")


@dataclass(frozen=True, kw_only=True)
class Care:
    """health: steps between two looks at how a run is doing [training/health/findings.py], 0 for none. answers: to what
    is seen [training/health/interventions.py]: all, none, or some of r1,augment,return."""

    health: int = 50
    answers: str = "all"


class Recipe(Care, ABC):
    """Everything a result depends on, but for the data. Nested dataclasses and dicts of numbers, words and truths, so
    that --set, run.json and config.json can hold it."""

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}  # lowest and highest of settings, by their dotted names
    shown: ClassVar[Mapping[str, str]] = {}  # word in the progress line -> name of the scalar
    usual_start: ClassVar[str | None] = None  # the bundled voice that runs begin from
    one_shots: ClassVar[bool] = False  # whether a folder given to it holds hits [data/labelling/hits.py] and no notes

    network: Any  # the generator's configuration
    batch: int  # excerpts a step; under torchrun each process has as many
    seed: int
    average: float  # decay of the average of the weights

    def check(self) -> None:
        """Raises AntiphonError, naming the setting, for what no limit can say."""
        return None

    def fits(self, data: Prepared) -> None:
        """Raises AntiphonError, saying what to do, for data that this recipe cannot learn from."""
        return None

    @property
    def needs_pitch(self) -> str:
        """Whether it can learn from a folder's sounds of unknown pitch, a word of data/labelling/manifest.py's
        UNHEARD."""
        return "yes"

    @abstractmethod
    def like(self: R, voice: Voice) -> R:
        """The same with the network of a voice, to begin from it. Raises AntiphonError for a voice of another kind."""

    @abstractmethod
    def shared(self: R, count: int) -> R:
        """The recipe of each of `count` processes that share the batch."""

    @abstractmethod
    def at(self, step: int, total: int) -> Moment:
        """Learning rate, batch and the like at a step of a run of `total` (0: not known yet)."""

    @abstractmethod
    def source(self, data: Prepared) -> Source: ...

    @abstractmethod
    def new_game(self, data: Prepared) -> Game:
        """Players that know nothing yet; their weights are drawn by torch's own dice, which the loop has seeded."""


USUAL = "instrument"


SIZES = ("tiny", "small", "base", "large")
