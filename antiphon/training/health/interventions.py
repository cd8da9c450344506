"""What a run does about its signs, and says in words that a musician understands.

    the critic is too sure of itself       R1 holds it back, doubled at every finding until it is in doubt
                                           (Pasini 2022, Musika: a certainty of 0.9)
    it knows the sounds by heart, or, with
    none held out, is very sure of them    it is shown altered ones, more and more often (Karras 2020)
    training diverged, swings, or has
    collapsed                              back to the last healthy state, at a fraction of the learning rate

Nothing is done where no sign asks for it: the dials of a healthy run stay at rest, and its bytes are those of a run
without interventions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from antiphon.core.errors import AntiphonError
from antiphon.training.augment import MOST
from antiphon.training.health.diagnostics import SURE, Finding, Sign, asked_unseen, overfitting, recent

KINDS = ("r1", "augment", "return")
ANSWERED = {"r1": "sure", "augment": "memorising"}  # signs that an intervention's own words already mention
R1_FIRST, R1_MOST = 0.01, 100.0  # smallest and largest weight, which is doubled and halved
DOUBT = 0.75  # D's certainty below which the weight is halved; between this and SURE it stays
AUGMENT_STEP = 0.05  # of p, at every finding
HEART, RELAXED = 0.5, 0.4  # overfitting sign: above the first p rises, below the second it falls
SLOWER = 0.25  # factor of the learning rates at every return
RETURNS = 6


@dataclass(frozen=True)
class Dials:
    """What the interventions have set. rate: factor of the learning rates. r1: weight of R1, beyond the recipe's own.
    augment: probability p of each kind of augmentation."""

    rate: float = 1.0
    r1: float = 0.0
    augment: float = 0.0


class Intervention(NamedTuple):
    """kind: one of KINDS, or "told". words: for a person; "" for a dial that just moves on."""

    kind: str
    words: str


def chosen(setting: str) -> tuple[str, ...]:
    """What a recipe's word stands for: "all", "none", or some of KINDS between commas. Raises AntiphonError."""
    kinds = {"all": KINDS, "none": ()}.get(setting, tuple(word.strip() for word in setting.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            raise AntiphonError(f"answers={setting} cannot work: use all, none, or some of {','.join(KINDS)}")
    return kinds


class Interventions:
    """Turns dials. kinds: which interventions are allowed. in_doubt: whether the critic ought to be
    [training/losses/adversarial.py: Rule]; only then is R1 one. extent: how much is trained on, in words."""

    def __init__(self, kinds: Sequence[str], in_doubt: bool, extent: str):
        self.kinds = [k for k in kinds if k != "r1" or in_doubt]
        self.extent = extent
        self.dials = Dials()
        self.returns = 0
        self.told: list[str] = []

    def decide(self, findings: Sequence[Finding], signs: Sequence[Sign]) -> list[Intervention]:
        """Turn the dials. -> what was done; kind "return" asks the caller to go back to the last healthy state"""
        grave = next((sign for sign in signs if sign.grave), None)
        if grave is not None and "return" in self.kinds:
            return self._return(grave)
        found = self._hold_back(findings) + self._alter(findings)
        seen = {sign.name for sign in signs} - {ANSWERED.get(kind) for kind in self.kinds} - set(self.told)
        return found + [self._once(sign.name, sign.words) for sign in signs if sign.name in seen and not sign.grave]

    def _return(self, sign: Sign) -> list[Intervention]:
        if self.returns == RETURNS:
            words = f"{sign.words}; {RETURNS} slower attempts did not help: try a smaller learning rate or more sounds"
            return [self._once("given up", words)] if "given up" not in self.told else []
        self.returns += 1
        self.dials = replace(self.dials, rate=self.dials.rate * SLOWER)
        words = f"{sign.words}; going back to the last good state, with {self.dials.rate:.2g} of the learning rate"
        return [Intervention("return", words)]

    def _hold_back(self, findings: Sequence[Finding]) -> list[Intervention]:
        if "r1" not in self.kinds:
            return []
        before, certainty = self.dials.r1, recent(findings, "certainty", 3)
        if certainty > SURE:
            now = min(max(2 * before, R1_FIRST), R1_MOST)
        else:
            now = before / 2 if certainty < DOUBT else before
        now = now if now >= R1_FIRST else 0.0
        self.dials = replace(self.dials, r1=now)
        if now and not before:
            return [Intervention("r1", f"the critic is too sure of itself ({certainty:.2f}); holding it back (R1)")]
        if before and not now:
            return [Intervention("r1", "the critic is in doubt again; no longer holding it back")]
        return [Intervention("r1", "")] if now != before else []

    def _alter(self, findings: Sequence[Finding]) -> list[Intervention]:
        if "augment" not in self.kinds:
            return []
        before, share = self.dials.augment, overfitting(findings)
        move = AUGMENT_STEP if share >= HEART else -AUGMENT_STEP if share < RELAXED else 0.0
        now = round(min(max(before + move, 0.0), MOST), 6)
        self.dials = replace(self.dials, augment=now)
        if now == before:
            return []
        if now > before and (not before or int(now / 0.2 + 1e-6) > int(before / 0.2 + 1e-6)):
            more = "" if now < MOST else ", the maximum: more recordings would help"
            seen = "has memorised" if asked_unseen(findings) else "is very sure of"
            return [Intervention("augment", f"the critic {seen} your {self.extent}; augmenting at {now:.2g}{more}")]
        if not now:
            seen = "judges held-out sounds as it does yours" if asked_unseen(findings) else "is in doubt about yours"
            return [Intervention("augment", f"the critic {seen} again; no longer augmenting")]
        return [Intervention("augment", "")]

    def _once(self, name: str, words: str) -> Intervention:
        self.told.append(name)
        return Intervention("told", words)

    def state(self) -> dict[str, Any]:
        return {"dials": asdict(self.dials), "returns": self.returns, "told": self.told}

    def load(self, state: Mapping[str, Any]) -> None:
        try:
            self.dials = Dials(**{name: float(value) for name, value in state["dials"].items()})
            self.returns, self.told = int(state["returns"]), [str(name) for name in state["told"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise AntiphonError("this run's interventions are damaged on disk: start again in another folder") from None
