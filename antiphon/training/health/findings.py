"""How a run is doing: every few steps both players are examined, without either of them learning from it.

What D thinks of real items, of real ones it has never seen, and of generated ones; how varied and how near to the real
ones the generated ones are, and whether they are copies. What an item is, a sound or anything else, only the game
knows. Items and random numbers depend on the seed and the step alone, so that a resumed run finds what an uninterrupted
one would have; what a run's state has to hold is `state()`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.training.contract import Examined, Judged, Source
from antiphon.training.health.diagnostics import Finding, Sign, signs
from antiphon.training.losses.adversarial import Rule

ITEMS = 16  # of each kind, examined together
KNOWN = 128  # training items with which generated ones are compared to find copies
KEPT = 256  # findings
COPY_QUANTILE = 0.05
TOLD = ("critic", "adversarial", "log", "penalty", "critic_norm", "generator_norm")  # by the game, at every step
SEED = 7_919  # of the items examined; a run learns from others


# ---- reading D -------------------------------------------------------------------------------------------------------


def beliefs(rule: Rule, real: Tensor, generated: Tensor, held_out: Tensor | None = None) -> dict[str, float]:
    """How real D takes items to be, from their logits (n,): {"real", "generated", "held_out", "certainty"} in 0..1.

    certainty: real - generated, 0 where D cannot tell them apart (Pasini 2022, Musika, where it steers R1). Rules of
    pairs give the probability that a real item wins against the generated one in its place, and generated 0.5; one
    whose critic is meant to win every time gives no certainty (nan)."""
    base = generated if rule.pairs else torch.zeros_like(generated)
    thought = {"real": real - base, "generated": generated - base}
    thought |= {} if held_out is None else {"held_out": held_out - base}
    found = {name: float(rule.belief(logits).mean()) for name, logits in thought.items()}
    apart = (found["real"] - found["generated"]) * (2 if rule.pairs else 1)
    return found | {"certainty": max(apart, 0.0) if rule.in_doubt else math.nan}


# ---- comparing -------------------------------------------------------------------------------------------------------


def spread(a: Tensor) -> Tensor:
    """Mean distance between two different rows of (n, d)."""
    return torch.pdist(a).mean()


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Energy distance of two distributions, from paired samples (n, d) of each, over the spread of b: 0 for the same
    distribution (Szekely 2013). The two of a pair share their conditions, so that pairs are left out."""
    between = torch.cdist(a, b)
    between = between[~torch.eye(len(a), dtype=torch.bool, device=a.device)].mean()
    return float((2 * between - spread(a) - spread(b)) / spread(b).clamp_min(1e-9))


def nearest(a: Tensor, known: Tensor) -> Tensor:
    """(n,) distance of each row of (n, d) to the nearest of (m, d)."""
    return torch.cdist(a, known).amin(1)


# ---- the examination -------------------------------------------------------------------------------------------------


class Health:
    """Keeps a run's findings.

    game: what is examined. training, held_out: where the examined items come from, the latter None if all are trained
    on. every: steps between two findings."""

    def __init__(self, game: Examined, training: Source, held_out: Source | None, every: int, device: torch.device):
        self.game, self.training, self.held_out, self.every, self.device = game, training, held_out, every, device
        self.rule = game.rule
        self.findings: list[Finding] = []
        self.since: dict[str, list[float]] = {}
        self.steps, self.broken, self.attempt = 0, 0, 0
        self._known: tuple[Tensor, float] | None = None

    def observe(self, scalars: Mapping[str, float], broken: bool) -> None:
        """Take note of one step's losses and norms. Costs nothing."""
        self.steps += 1
        self.broken += broken
        for name in TOLD:
            if name in scalars and math.isfinite(scalars[name]):
                self.since.setdefault(name, []).append(scalars[name])

    def examine(self, step: int) -> Finding:
        """Examine the players now; the finding is kept."""
        known: dict[str, Any] = {name: _middle(name, values) for name, values in self.since.items()}
        known["broken"] = self.broken / max(self.steps, 1)
        self.since, self.steps, self.broken = {}, 0, 0
        with _looking(self.game, step):
            finding = Finding(step=step, attempt=self.attempt, **known, **self._look(step))
        self.findings = [*self.findings, finding][-KEPT:]
        return finding

    def signs(self) -> list[Sign]:
        return signs(self.findings)

    def _look(self, step: int) -> dict[str, float]:
        first, rng = step // self.every * ITEMS, torch.Generator().manual_seed(SEED * 1_000_003 + step)
        batch = self.training.batch(first, ITEMS).to(self.device)
        real = self.game.judge_real(batch)
        made = self.game.judge_generated(batch, rng)
        found = self._verdicts(real, made, *self._unseen(first, rng)) | self._distribution(real.view, made.view)
        found |= self.game.measured(batch, made.view)
        return found | {"spread": min(found["spread"], found.pop("variety", math.inf))}

    def _unseen(self, first: int, rng: torch.Generator) -> tuple[Tensor | None, Tensor | float]:
        """Logits of held-out items, and of those generated under the same conditions if D can only compare."""
        if self.held_out is None:
            return None, 0.0
        batch = self.held_out.batch(first, ITEMS).to(self.device)
        rivals = self.game.judge_generated(batch, rng).verdicts.float() if self.rule.pairs else 0.0
        return self.game.judge_real(batch).verdicts.float(), rivals

    def _verdicts(self, real: Judged, made: Judged, others: Tensor | None, rivals: Tensor | float) -> dict[str, float]:
        """A critic that has only learned to compare has no scale of its own: its logits are read relative to those of
        the item generated in the same place."""
        known, played = real.verdicts.float(), made.verdicts.float()
        if self.rule.pairs:
            known, played = known - played, torch.zeros_like(played)
        others = None if others is None else others - rivals
        found = {"logit_real": float(known.mean()), "logit_generated": float(played.mean())}
        found |= {} if others is None else {"logit_held_out": float(others.mean())}
        return found | beliefs(self.rule, known, played, others)

    def _distribution(self, real: Tensor, made: Tensor) -> dict[str, float]:
        a, b = self.game.embed(made), self.game.embed(real)[: len(made)]
        known, close = self._copies_among()
        return {
            "spread": float(spread(a) / spread(b).clamp_min(1e-9)),
            "distance": energy_distance(a, b),
            "copies": float((nearest(self.game.course(made), known) < close).float().mean()),
        }

    def _copies_among(self) -> tuple[Tensor, float]:
        """Training items, and a distance to the nearest of them below which few real ones are: held-out ones, or, if
        there are none, the training items among themselves. Computed once, from the seed alone."""
        if self._known is None:
            known = torch.cat([self._course(self.training, i) for i in range(0, KNOWN, ITEMS)])
            if self.held_out is not None:
                apart = nearest(torch.cat([self._course(self.held_out, i) for i in (0, ITEMS)]), known)
            else:
                table = torch.cdist(known, known)
                apart = table.masked_fill(table < 1e-4, torch.inf).amin(1)  # an item drawn twice does not count
            self._known = known, float(apart.quantile(COPY_QUANTILE))
        return self._known

    def _course(self, source: Source, first: int) -> Tensor:
        return self.game.course(self.game.judge_real(source.batch(first, ITEMS).to(self.device)).view)

    # ---- a resumed run -----------------------------------------------------------------------------------------------

    def forget_after(self, step: int) -> None:
        """The run has returned to its state at `step`."""
        self.findings = [f for f in self.findings if f.step <= step]
        self.since, self.steps, self.broken = {}, 0, 0
        self.attempt += 1

    def state(self) -> dict[str, Any]:
        """All that the next findings depend on, as JSON."""
        findings = [[None if math.isnan(v) else v for v in asdict(f).values()] for f in self.findings]
        return {
            "findings": findings,
            "since": self.since,
            "steps": self.steps,
            "broken": self.broken,
            "attempt": self.attempt,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        names = [f.name for f in fields(Finding)]
        try:
            rows: list[list[Any]] = [[math.nan if v is None else v for v in row] for row in state["findings"]]
            self.findings = [Finding(**dict(zip(names, row, strict=True))) for row in rows]
            self.since = {str(k): [float(v) for v in values] for k, values in state["since"].items()}
            self.steps, self.broken, self.attempt = (int(state[name]) for name in ("steps", "broken", "attempt"))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise AntiphonError("this run's record of its health is damaged: start again in another folder") from None


def _middle(name: str, values: list[float]) -> float:
    """The mean, or the median of norms, whose outliers are clipped anyway."""
    if name.endswith("norm"):
        return float(torch.tensor(values).median())
    return sum(values) / len(values)


@contextmanager
def _looking(game: Any, step: int) -> Any:
    """Leaves gradients, dropout and torch's own random numbers untouched."""
    training = game.training
    game.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(_cards()):
            torch.manual_seed(SEED + step)
            yield
    finally:
        game.train(training)


def _cards() -> list[int]:
    return [torch.cuda.current_device()] if torch.cuda.is_available() else []
