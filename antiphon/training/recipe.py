"""What every recipe promises: a frozen dataclass of all settings of a run, which builds what the run needs.

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
        """The same data, a held-out split taken for the training split, and the other way round."""


class Reporter(Protocol):
    """Tells a person what happens."""

    def say(self, text: str) -> None: ...

    def bar(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A progress bar while the block lasts, moved by calling (done, total)."""


D = TypeVar("D", bound=Data)
R = TypeVar("R", bound="Recipe[Any]")


@dataclass(frozen=True, kw_only=True)
class Care:
    """health: steps between two looks at how a run is doing [training/health/findings.py], 0 for none. answers: to what
    is seen [training/health/interventions.py]: all, none, or some of r1,augment,return."""

    health: int = 50
    answers: str = "all"


class Recipe(Care, ABC, Generic[D]):
    """Everything a result depends on, but for the data, which are a D. Nested dataclasses and dicts of numbers, words
    and truths, so that --set, run.json and config.json can hold it."""

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}  # lowest and highest of settings, by their dotted names
    shown: ClassVar[Mapping[str, str]] = {}  # word in the progress line -> name of the scalar
    usual_start: ClassVar[str | None] = None  # the bundled voice that runs begin from
    suffixes: ClassVar[frozenset[str]]  # endings, in lower case, of a folder's files that are learned from

    network: Any  # the generator's configuration
    batch: int  # excerpts a step; under torchrun each process has as many
    seed: int
    average: float  # decay of the average of the weights

    def check(self) -> None:
        """Raises AntiphonError, naming the setting, for what no limit can say."""
        return None

    # ---- the data ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def prepare(
        self, source: Path, target: Path, report: Reporter, *, workers: int = 1, licence: str = "", label: str = ""
    ) -> None:
        """Turn a folder into the prepared file `target`, saying what is learned from and what was refused. workers:
        processes that do it. licence: of the data, to be noted. label: what to call all of it, if not by its names.
        Raises AntiphonError where nothing can be learned."""

    @abstractmethod
    def open(self, path: Path) -> D:
        """A prepared file, checked. Raises AntiphonError for what is none."""

    def fits(self, data: D) -> None:
        """Raises AntiphonError, saying what to do, for data that this recipe cannot learn from."""
        return None

    def misfits(self, data: D) -> list[str]:
        """What a voice of these data will lack, a line for each reason, to be said before training."""
        return []

    @abstractmethod
    def describe(self, data: D, name: str) -> VoiceInfo:
        """What a voice called `name` will say of itself, as far as the data know. `training` may hold how many items
        were trained on, under their name."""

    @abstractmethod
    def source(self, data: D) -> Source: ...

    # ---- the run -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def like(self: R, voice: Voice) -> R:
        """The same with the network of a voice, to begin from it. Raises AntiphonError for a voice of another kind."""

    @abstractmethod
    def shared(self: R, count: int) -> R:
        """The recipe of each of `count` processes that share the batch."""

    @abstractmethod
    def at(self, step: int, total: int) -> StepContext:
        """Learning rate, batch and the like at a step of a run of `total` (0: not known yet)."""

    @abstractmethod
    def new_game(self, data: D) -> Game:
        """Players that know nothing yet; their weights are drawn by torch's own dice, which the loop has seeded."""


USUAL = "instrument"


SIZES = ("tiny", "small", "base", "large")
