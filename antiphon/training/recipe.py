"""What every recipe provides: a frozen dataclass of all settings of a run, which builds what the run needs.

A recipe is one file in antiphon/recipes, with a dictionary `RECIPES` of functions (size, seed) -> Recipe. It knows its
own kind of data: how a folder becomes a prepared file, how that is opened, and where batches come from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sized
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from antiphon.training.contract import Game, Source, StepContext
    from antiphon.voices.voice import Voice, VoiceInfo


class Data(Protocol):
    """An opened data set, as far as a run itself needs to know it: items, each of one split."""

    @property
    def path(self) -> Path:
        """The prepared file."""

    @property
    def extent(self) -> str:
        """How much there is to train on, in words: "12 minutes", "40 songs"."""

    def where(self, split: str) -> Sized:
        """The items of a split: "train", or one that nobody trains on ("valid", ...); none if there is no such
        split."""

    def training_on(self, split: str) -> Any:
        """The same data with a held-out split and the training split exchanged."""


class Reporter(Protocol):
    """Tells a person what is going on."""

    def say(self, text: str) -> None: ...

    def bar(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A progress bar while the block lasts, moved by calling (done, total)."""


D = TypeVar("D", bound=Data)
R = TypeVar("R", bound="Recipe[Any]")


@dataclass(frozen=True, kw_only=True)
class Care:
    """health: steps between two checks of how a run is doing [training/health/findings.py], 0 for none. answers:
    permitted interventions [training/health/interventions.py]: all, none, or some of r1,augment,return."""

    health: int = 50
    answers: str = "all"


class Recipe(Care, ABC, Generic[D]):
    """Everything a result depends on except the data, which are a D. Nested dataclasses and dicts of numbers, strings
    and booleans, so that --set, run.json and config.json can hold it."""

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}  # lowest and highest values, by the settings' dotted names
    shown: ClassVar[Mapping[str, str]] = {}  # word in the progress line -> name of the scalar
    usual_start: ClassVar[str | None] = None  # the bundled voice that runs begin from
    suffixes: ClassVar[frozenset[str]]  # lower-case suffixes of the files in a folder that are learned from

    network: Any  # the generator's configuration
    batch: int  # excerpts per step; under torchrun, per step and process
    seed: int
    average: float  # decay of the average of the weights

    def check(self) -> None:
        """Raises AntiphonError, naming the setting, for what no limit can express."""
        return None

    # ---- the data ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def prepare(
        self, source: Path, target: Path, report: Reporter, *, workers: int = 1, licence: str = "", label: str = ""
    ) -> None:
        """Turn a folder into the prepared file `target`, reporting what is learned from and what was left out. workers:
        processes that do it. licence: of the data, to be noted. label: what to call all of it, if not by its names.
        Raises AntiphonError if nothing can be learned."""

    @abstractmethod
    def open(self, path: Path) -> D:
        """A prepared file, checked. Raises AntiphonError for any other file."""

    def fits(self, data: D) -> None:
        """Raises AntiphonError, saying what to do, for data that this recipe cannot learn from."""
        return None

    def misfits(self, data: D) -> list[str]:
        """What a voice of these data will lack, one line for each reason, to be shown before training."""
        return []

    @abstractmethod
    def describe(self, data: D, name: str) -> VoiceInfo:
        """What a voice called `name` will say about itself, as far as the data tell. `training` may hold how many items
        were trained on, under their name."""

    @abstractmethod
    def source(self, data: D) -> Source: ...

    # ---- the run -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def like(self: R, voice: Voice) -> R:
        """The same with a voice's network, to begin from it. Raises AntiphonError for a voice of another kind."""

    @abstractmethod
    def shared(self: R, count: int) -> R:
        """The recipe of each of `count` processes that share the batch."""

    @abstractmethod
    def at(self, step: int, total: int) -> StepContext:
        """Learning rate, batch and the like at a step of a run of `total` steps (0: not known yet)."""

    @abstractmethod
    def new_game(self, data: D) -> Game:
        """Untrained players; their weights come from torch's own random numbers, which the loop has seeded."""


USUAL = "instrument"


SIZES = ("tiny", "small", "base", "large")
