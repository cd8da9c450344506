"""Keeps an eye on a run: looks at its health, answers its signs, and remembers where it was well.

The loop asks for the moment as the answers have it, tells of every step, and does what it hears back. The last healthy
state is a second name of the run's own state file, and the record says of which step, so that a run that was killed
anywhere goes on the same.
"""

from __future__ import annotations

import copy
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import Any

import torch

from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import SAMPLE_RATE, Prepared
from antiphon.training.contract import Game, Moment
from antiphon.training.health.diagnostics import well
from antiphon.training.health.findings import SEED, TOLD, Examined, Health
from antiphon.training.health.interventions import Answers, Dials, chosen
from antiphon.training.parallel import of_the_first
from antiphon.training.recipe import Recipe
from antiphon.training.reports.page import Outlook
from antiphon.voices.checkpoint import read_metadata

STATE, HEALTHY = "state.safetensors", "healthy.safetensors"
REMEMBER = 5  # looks between two healthy states
HELD_OUT = ("valid", "block", "preset")  # splits that nobody trains on, those most like what is trained on first
ENOUGH = 4  # sounds of one of them, at least, to be worth asking about


class Do(Enum):
    """What the loop is to do: go on, keep this state as a healthy one, or go back to the last of them."""

    GO_ON = 0
    REMEMBER = 1
    RETURN = 2


class Watch:
    """One run's. Only the first process looks; what it decides is told to the others."""

    def __init__(self, game: Game, recipe: Recipe, data: Prepared, device: torch.device, rank: int):
        self.rank, self.device = rank, device
        self.every = recipe.health if isinstance(game, Examined) else 0
        self.health = Health(game, *_sources(recipe, data), self.every, device) if isinstance(game, Examined) else None
        in_doubt = self.health is not None and self.health.rule.in_doubt
        self.answers = Answers(chosen(recipe.answers), in_doubt, _minutes(data))
        self.remembered: int | None = None  # the step of the last healthy state
        self.word, self.news = "", list[str]()

    def outlook(self) -> Outlook:
        """How much is known, for the run's page."""
        if self.health is None:
            return Outlook(0, "Nothing is looked at: this recipe imitates sounds and imagines none. " + GO_BY)
        if not self.every:
            return Outlook(0, "Nothing is looked at, as health=0 says. " + GO_BY)
        looks = len(self.health.findings)
        if not looks:
            return Outlook(0, f"Nothing has been looked at yet: that is done every {self.every} steps.")
        return Outlook(looks, "" if self.health.held_out else NONE_HELD_OUT)

    @property
    def remembers(self) -> bool:
        """Whether healthy states are wanted at all."""
        return bool(self.every) and "return" in self.answers.kinds

    def adjusted(self, moment: Moment) -> Moment:
        """The moment as the answers have it."""
        dials = self.answers.dials
        return replace(moment, rate=moment.rate * dials.rate, r1=dials.r1, augment=dials.augment)

    def after(self, step: int, scalars: Mapping[str, float], broken: bool) -> tuple[Do, dict[str, float]]:
        """Told of every step, `step` of them being done. -> what to do, and scalars for the log"""
        if self.health is None or not self.every:
            return Do.GO_ON, {}
        self.health.observe(scalars, broken)
        if step % self.every:
            return Do.GO_ON, {}
        do, figures = self._look(step) if self.rank == 0 else (Do.GO_ON, {})
        return self._agreed(do), figures

    def _look(self, step: int) -> tuple[Do, dict[str, float]]:
        assert self.health is not None
        finding, signs = self.health.examine(step), self.health.signs()
        answers = self.answers.decide(self.health.findings, signs)
        self.news += [answer.words for answer in answers if answer.words]
        self.word = " ".join(sign.name for sign in signs[:2]) or "healthy"
        new = {k: v for k, v in asdict(finding).items() if k not in ("step", "attempt", *TOLD) and math.isfinite(v)}
        figures = {f"health.{k}": v for k, v in new.items()}
        figures |= {f"answer.{k}": v for k, v in asdict(self.answers.dials).items()}
        if any(answer.kind == "return" for answer in answers):
            return Do.RETURN, figures
        due = self.remembers and step % (REMEMBER * self.every) == 0
        healthy = due and well(finding) and not any(sign.name in ILL for sign in signs)
        return Do.REMEMBER if healthy else Do.GO_ON, figures

    def _agreed(self, do: Do) -> Do:
        """The first process's decision and dials, in every process."""
        mine = [do.value, *asdict(self.answers.dials).values()]
        number, *dials = of_the_first([float(v) for v in mine], self.device)
        self.answers.dials = Dials(*dials)
        return Do(int(number))

    # ---- healthy states ----------------------------------------------------------------------------------------------

    def keep(self, folder: Path) -> None:
        """The state file, just written, is a healthy one: give it a second name."""
        new = folder / f".{HEALTHY}"
        new.unlink(missing_ok=True)
        try:
            os.link(folder / STATE, new)
        except OSError:  # a file system without links
            shutil.copyfile(folder / STATE, new)
        os.replace(new, folder / HEALTHY)

    def went_back(self) -> None:
        """The run is what it was when it was last well."""
        if self.health is not None:
            self.health.forget_after(self.remembered or 0)

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on, as JSON."""
        found = {"answers": self.answers.state(), "remembered": self.remembered, "word": self.word}
        return found | ({} if self.health is None else {"health": self.health.state()})

    def load(self, state: Mapping[str, Any] | None, step: int, folder: Path) -> None:
        """Go on with a run of `step` steps. A state saved as healthy whose second name a kill prevented gets it now."""
        if not state:
            return
        try:
            self.answers.load(state["answers"])
            self.remembered, self.word = state["remembered"], str(state["word"])
            if self.health is not None and "health" in state:
                self.health.load(state["health"])
        except (KeyError, TypeError):
            raise AntiphonError(f"{folder} has a damaged record of its health: begin anew in another folder") from None
        if self.rank == 0 and self.remembered == step and _step_of(folder / HEALTHY) != step:
            self.keep(folder)


GO_BY = "Go by the losses, and by what you see and hear."
NONE_HELD_OUT = (
    f"Whether the critic knows your sounds by heart cannot be told: fewer than {ENOUGH} are held out (split 'valid')."
)
ILL = {"diverging", "collapsed", "silent", "loud", "swinging", "beaten"}


def _sources(recipe: Recipe, data: Prepared) -> tuple[Any, Any]:
    """Where examined sounds come from: draws of training sounds that training does not make, and held-out sounds."""
    other = replace(recipe, seed=(recipe.seed + SEED) % (1 << 31))  # type: ignore[call-arg]  # each has one
    held_out = next((name for name in HELD_OUT if len(data.where(name)) >= ENOUGH), None)
    return other.source(data), None if held_out is None else other.source(_swapped(data, held_out))


def _swapped(data: Prepared, held_out: str) -> Prepared:
    """The same sounds, those of a split held out taken for those to train on."""
    train, unseen = (data.labels.splits.index(name) for name in ("train", held_out))
    other = copy.copy(data)
    other.split = torch.where(data.split == unseen, train, torch.where(data.split == train, unseen, data.split))
    return other


def _minutes(data: Prepared) -> float:
    return sum(data.samples(i) for i in data.where("train").tolist()) / SAMPLE_RATE / 60


def _step_of(path: Path) -> int | None:
    return int(read_metadata(path)["step"]) if path.exists() else None
