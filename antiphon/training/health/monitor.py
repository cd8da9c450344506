"""Keeps an eye on a run: examines its health, intervenes where a sign asks for it, and says which state was healthy.

The loop asks for each step's context with the interventions in it, reports every step, and does what is returned. What
a monitor has to remember is `state()`: a run that was killed anywhere goes on the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from enum import Enum
from typing import Any

import torch

from antiphon.core.errors import AntiphonError
from antiphon.training.contract import Examined, Game, Source, StepContext
from antiphon.training.health.diagnostics import is_healthy
from antiphon.training.health.findings import SEED, TOLD, Health
from antiphon.training.health.interventions import Dials, Interventions, chosen
from antiphon.training.parallel import of_the_first
from antiphon.training.recipe import Data, Recipe
from antiphon.training.reports.page import Outlook

REMEMBER = 5  # findings between two healthy states
HELD_OUT = ("valid", "block", "preset")  # splits that nobody trains on, those most like the training items first
ENOUGH = 4  # items of one of them that are needed
ILL = {"diverging", "collapsed", "silent", "loud", "swinging", "beaten"}
UNMEASURED = ("step", "attempt", *TOLD)  # of a finding: what the log has already
GO_BY = "Judge it by the losses, and by what you see and hear."
NONE_HELD_OUT = (
    f"Whether the critic knows your sounds by heart cannot be told: fewer than {ENOUGH} are held out (split 'valid')."
)


class Action(Enum):
    """What the loop is to do: go on, keep this state as a healthy one, or go back to the last of them."""

    GO_ON = 0
    REMEMBER = 1
    RETURN = 2


class Monitor:
    """One run's. Only the first process examines it; its decisions are sent to the others.

    Of the last step: figures, scalars for the log; news, sentences for a person. word: how the run is doing.
    remembered: the step of the last healthy state."""

    def __init__(self, game: Game, recipe: Recipe[Any], data: Data, device: torch.device, rank: int):
        self.rank, self.device, self.every = rank, device, recipe.health
        self.health, self.why_not = None, ""
        if not isinstance(game, Examined):
            self.why_not = "This run's health is not checked: its recipe imitates sounds and imagines none. "
        elif not self.every:
            self.why_not = "This run's health is not checked, because health=0. "
        else:
            self.health = Health(game, *_sources(recipe, data), self.every, device)
        in_doubt = self.health is not None and self.health.rule.in_doubt
        self.answers = Interventions(chosen(recipe.answers), in_doubt, data.extent)
        self.remembered: int | None = None
        self.word, self.news, self.figures = "", list[str](), dict[str, float]()

    def outlook(self) -> Outlook:
        """How much is known, for the run's page."""
        if self.health is None:
            return Outlook(0, self.why_not + GO_BY)
        looks = len(self.health.findings)
        if not looks:
            return Outlook(0, f"This run's health has not been checked yet: it is every {self.every} steps.")
        return Outlook(looks, "" if self.health.held_out else NONE_HELD_OUT)

    def adjusted(self, moment: StepContext) -> StepContext:
        """The step's context with the interventions in it."""
        dials = self.answers.dials
        return replace(moment, rate=moment.rate * dials.rate, r1=dials.r1, augment=dials.augment)

    def before(self, step: int) -> Action:
        """Called before the first step. -> what to do: a run can return to wherever it began."""
        return self._settled(Action.REMEMBER if self._remembers and self.remembered is None else Action.GO_ON, step)

    def after(self, step: int, scalars: Mapping[str, float], broken: bool) -> Action:
        """Called after every step, `step` of them being done; broken: its update was not finite. -> what to do"""
        self.news, self.figures = [], {}
        if self.health is None:
            return Action.GO_ON
        if self.rank == 0:
            self.health.observe(scalars, broken)
        if step % self.every:
            return Action.GO_ON
        return self._settled(self._agreed(self._look(self.health, step) if self.rank == 0 else Action.GO_ON), step)

    @property
    def _remembers(self) -> bool:
        """Whether healthy states are wanted at all."""
        return self.health is not None and "return" in self.answers.kinds

    def _look(self, health: Health, step: int) -> Action:
        finding, signs = health.examine(step), health.signs()
        answers = self.answers.decide(health.findings, signs)
        self.news = [answer.words for answer in answers if answer.words]
        self.word = " ".join(sign.name for sign in signs[:2]) or "healthy"
        new = {k: v for k, v in asdict(finding).items() if k not in UNMEASURED and math.isfinite(v)}
        self.figures = {f"health.{k}": v for k, v in new.items()}
        self.figures |= {f"answer.{k}": v for k, v in asdict(self.answers.dials).items()}
        if any(answer.kind == "return" for answer in answers):
            return Action.RETURN
        due = self._remembers and step % (REMEMBER * self.every) == 0
        healthy = due and is_healthy(finding) and not any(sign.name in ILL for sign in signs)
        return Action.REMEMBER if healthy else Action.GO_ON

    def _agreed(self, action: Action) -> Action:
        """The first process's decision and dials, in every process."""
        mine = [action.value, *asdict(self.answers.dials).values()]
        number, *dials = of_the_first([float(v) for v in mine], self.device)
        self.answers.dials = Dials(*dials)
        return Action(int(number))

    def _settled(self, action: Action, step: int) -> Action:
        """The action, which the loop will take: this state becomes the healthy one, or the run what it was then."""
        if action is Action.REMEMBER:
            self.remembered = step
        elif action is Action.RETURN and self.health is not None:
            self.health.forget_after(self.remembered or 0)
        return action

    # ---- a resumed run -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on, as JSON."""
        found = {"answers": self.answers.state(), "remembered": self.remembered, "word": self.word}
        return found | ({} if self.health is None else {"health": self.health.state()})

    def load(self, state: Mapping[str, Any] | None) -> None:
        """Go on from a state; None: as a new run. Raises AntiphonError for one that is damaged."""
        if not state:
            return
        try:
            self.answers.load(state["answers"])
            self.remembered, self.word = state["remembered"], str(state["word"])
            if self.health is not None and "health" in state:
                self.health.load(state["health"])
        except (KeyError, TypeError):
            raise AntiphonError("this run's record of its health is damaged: start again in another folder") from None


def _sources(recipe: Recipe[Any], data: Data) -> tuple[Source, Source | None]:
    """Where examined items come from: training items in other crops than those of training, and held-out items."""
    other = replace(recipe, seed=(recipe.seed + SEED) % (1 << 31))  # type: ignore[call-arg]  # each has one
    held_out = next((name for name in HELD_OUT if len(data.where(name)) >= ENOUGH), None)
    return other.source(data), None if held_out is None else other.source(data.training_on(held_out))
