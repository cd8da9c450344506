"""How a run is doing: every some steps both players are looked at, without either of them learning from it.

What D thinks of real items, of real ones it has never met, and of generated ones; how varied and how near to the real
what is generated is, and whether it is a copy. What items are, a sound or anything else, only the game knows. Items and
dice are given by the seed and the step, so that a run that goes on sees what it would have seen; what a run's state has
to hold is `state()`.
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

ITEMS = 16  # of each kind, looked at together
KNOWN = 128  # training items that copies are looked for among
KEPT = 256  # findings
COPY_QUANTILE = 0.05
TOLD = ("critic", "adversarial", "log", "penalty", "critic_norm", "generator_norm")  # by the game, at every step
SEED = 7_919  # of what is looked at; a run learns from other draws


# ---- reading D -------------------------------------------------------------------------------------------------------


def beliefs(rule: Rule, real: Tensor, generated: Tensor, held_out: Tensor | None = None) -> dict[str, float]:
    """How real D takes items to be, from their logits (n,): {"real", "generated", "held_out", "certainty"} in 0..1.

    certainty: real - generated, 0 where D cannot tell them apart (Pasini 2022, Musika, where it steers R1). Rules of
    pairs give the chance of a real item to win against the generated one at its place, and generated 0.5; and one
    whose critic is meant to win every time no certainty (nan)."""
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
    """Energy distance of two crowds (n, d), drawn in pairs, over the spread of b: 0 for the same crowd (Szekely 2013).
    Pairs are made under like conditions and are left out."""
    between = torch.cdist(a, b)
    between = between[~torch.eye(len(a), dtype=torch.bool, device=a.device)].mean()
    return float((2 * between - spread(a) - spread(b)) / spread(b).clamp_min(1e-9))


def nearest(a: Tensor, known: Tensor) -> Tensor:
    """(n,) distance of each row of (n, d) to the nearest of (m, d)."""
    return torch.cdist(a, known).amin(1)


# ---- the examination -------------------------------------------------------------------------------------------------


class Health:
    """Keeps a run's findings.

    game: what is looked at. training, held_out: where examined items come from, the latter None where all are trained
    on. every: steps between two looks."""

    def __init__(self, game: Examined, training: Source, held_out: Source | None, every: int, device: torch.device):
        self.game, self.training, self.held_out, self.every, self.device = game, training, held_out, every, device
        self.rule = game.rule
        self.findings: list[Finding] = []
        self.since: dict[str, list[float]] = {}
        self.steps, self.broken, self.attempt = 0, 0, 0
        self._known: tuple[Tensor, float] | None = None

    def observe(self, scalars: Mapping[str, float], broken: bool) -> None:
        """One step's losses and norms. Costs nothing."""
        self.steps += 1
        self.broken += broken
        for name in TOLD:
            if name in scalars and math.isfinite(scalars[name]):
                self.since.setdefault(name, []).append(scalars[name])

    def examine(self, step: int) -> Finding:
        """Look at the players now; the finding is kept."""
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
        return {
            **self._verdicts(real, made, *self._unseen(first, rng)),
            **self._distribution(real.view, made.view),
            **self.game.measured(batch, made.view),
        }

    def _unseen(self, first: int, rng: torch.Generator) -> tuple[Tensor | None, Tensor | float]:
        """Verdicts on held-out items, and on those generated under the same conditions if D can only compare."""
        if self.held_out is None:
            return None, 0.0
        batch = self.held_out.batch(first, ITEMS).to(self.device)
        rivals = self.game.judge_generated(batch, rng).verdicts.float() if self.rule.pairs else 0.0
        return self.game.judge_real(batch).verdicts.float(), rivals

    def _verdicts(self, real: Judged, made: Judged, others: Tensor | None, rivals: Tensor | float) -> dict[str, float]:
        """A critic that has only learned to compare has no scale of its own: its logits are read against those of the
        item generated in the same place."""
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
            "copies": float((nearest(a, known) < close).float().mean()),
        }

    def _copies_among(self) -> tuple[Tensor, float]:
        """Training items, and the distance that few real ones have to the nearest of them: held-out ones, or among
        themselves where none are held out. Made once, from the seed alone."""
        if self._known is None:
            known = torch.cat([self._embedded(self.training, i) for i in range(0, KNOWN, ITEMS)])
            if self.held_out is not None:
                apart = nearest(torch.cat([self._embedded(self.held_out, i) for i in (0, ITEMS)]), known)
            else:
                table = torch.cdist(known, known)
                apart = table.masked_fill(table < 1e-4, torch.inf).amin(1)  # the same item, drawn twice, is none
            self._known = known, float(apart.quantile(COPY_QUANTILE))
        return self._known

    def _embedded(self, source: Source, first: int) -> Tensor:
        return self.game.embed(self.game.judge_real(source.batch(first, ITEMS).to(self.device)).view)

    # ---- a run that goes on ------------------------------------------------------------------------------------------

    def forget_after(self, step: int) -> None:
        """A run has returned to what it was at `step`."""
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
            raise AntiphonError("this run's record of its health is damaged: begin anew in another folder") from None


def _middle(name: str, values: list[float]) -> float:
    """Norms have outliers, of which clipping takes care."""
    if name.endswith("norm"):
        return float(torch.tensor(values).median())
    return sum(values) / len(values)


@contextmanager
def _looking(game: Any, step: int) -> Any:
    """Neither gradients, nor dropout, nor dice of torch's own are touched."""
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
