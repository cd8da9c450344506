"""Finding how far a voice's knobs must be turned for a sound to become brighter and nothing else, by listening.

A knob changes one thing of the synthesis, and what is measured of a sound changes by more than that: fewer even
partials are less bright as well. So for each label

1. imagined sounds are measured, whose 10th and 90th percentile are its span;
2. each knob is turned a little, up and down, on a few of them: J, what it changes of each trait;
3. for each trait and side (-1, +1) the knobs are turned so that it changes by half a span and the others stay,

       min_k | (J^T k - e) |^2 + DAMPED^2 |k|^2         e: +-1 at the trait, 0 elsewhere

4. that is played, and what is missing or too much corrects it; the better of what was heard is kept, and nothing where
   a control does not move what it names in each of those sounds, or moves something else as far.

Knobs are measured in the small turns from which J is known; the trait's own one costs less than others, so that these
only make up for what it does besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from antiphon.core.parallel import in_order
from antiphon.metrics.describers.describer import Describer, describer
from antiphon.voices.controls import Controls

SEED = 1 << 24  # of the sounds that are listened to: far from those that people ask for
SOUNDS = 10  # of each label whose span is measured
TRIED = 2  # of them on which knobs are turned
ROUNDS = 2  # in which turns are played; those that are not good yet are corrected between them
WIDEST = 2.0  # times what is plainly heard (Trait.least), beyond which +1 does not reach
LEAST_EFFECT = 0.2  # of a half span that a side must move, to count
DAMPED = 0.15  # of the inverse
OTHERS = 3.0  # times more that turning a knob costs which is not the trait's own
DEAF = 0.02  # half spans, by which no knob moves a trait that cannot go further one way
OUTLYING = 3.0  # half spans, beyond which a change counts no more
GOOD = 0.3  # half spans that may be missing or too much, all in all, without another correction


def fit_turns(
    voice: Any,
    labels: Sequence[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> Controls:
    """The controls of a voice with knobs, for some of its labels (default: all; others get none)."""
    how, chosen = describer(voice), list(labels or voice.instruments)
    count, knobs = len(how.traits), len(voice.knobs)
    shapes = {"spans": (count, 3), "effects": (count, count), "turns": (count, 2, knobs)}
    made = {name: np.zeros((len(voice.instruments), *shape)) for name, shape in shapes.items()}

    def one(i: int) -> dict[str, np.ndarray]:
        return _Fit(voice, how, chosen[i]).found()

    for i, found in enumerate(in_order(one, len(chosen), processes)):
        for name, table in found.items():
            made[name][voice.instruments.index(chosen[i])] = table
        progress(i + 1, len(chosen))
    tensors = {name: torch.from_numpy(table).float() for name, table in made.items()}
    meanings = tuple(f"{trait.more} ({trait.unit})" for trait in how.traits)
    style = int(voice.imagine(chosen[0], (), SEED).shape[-1])
    none = torch.zeros(len(voice.instruments), count, style)
    return Controls(how.names, meanings, tuple(voice.instruments), directions=none, **tensors)


def scales(spans: np.ndarray, how: Describer) -> np.ndarray:
    """(labels, traits) what +1 of a control is to change: half of the label's span, (labels, traits, 3), but no less
    than what is plainly heard and no more than a few times that."""
    least = np.array([trait.least for trait in how.traits])
    found: np.ndarray = np.clip((spans[..., 2] - spans[..., 0]) / 2, least, WIDEST * least)
    return found


class _Fit:
    """One label's controls."""

    def __init__(self, voice: Any, how: Describer, label: str):
        self.voice, self.how, self.label = voice, how, label
        w = torch.stack([voice.imagine(label, (), SEED + i) for i in range(SOUNDS)])
        traits = how.heard(voice, label, w)
        self.spans = np.percentile(traits, (10, 50, 90), axis=0).T
        self.scale = scales(self.spans[None], how)[0]
        at = _spread_out(traits / self.scale, TRIED)
        self.w, self.before = w[at], traits[at]
        self.first, self.least, self.most = (
            np.array([getattr(knob, name) for knob in voice.knobs]) for name in ("first", "least", "most")
        )

    def found(self) -> dict[str, np.ndarray]:
        """Its spans, the effects of each control, and how far each turns the knobs."""
        count, knobs = len(self.how.traits), len(self.first)
        up, other = np.eye(knobs), np.array([not knob.alike for knob in self.voice.knobs])
        turned = np.median(self.changes(np.concatenate([up, -up[other]])), axis=1)
        jacobian = np.stack([turned[:knobs]] * 2)  # (sides, knobs, traits)
        jacobian[0][other] = -turned[knobs:]
        best, heard = self._corrected(jacobian)
        middle = np.median(heard, axis=2)  # (sides, traits, traits)
        there = self._there(heard, middle)
        effects = (there[1, :, None] * middle[1] - there[0, :, None] * middle[0]) / np.maximum(there.sum(0), 1)[:, None]
        turns = (best * self.first * there[..., None]).transpose(1, 0, 2)
        assert turns.shape == (count, 2, knobs)
        return {"spans": self.spans, "effects": effects, "turns": turns}

    def _corrected(self, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(sides, traits, knobs) turns, in first steps, and what they were heard to change of each sound tried,
        (sides, traits, sounds, traits)."""
        count = len(self.how.traits)
        sides, traits = np.divmod(np.arange(2 * count), count)
        target = np.concatenate([-np.eye(count), np.eye(count)])
        best = np.stack([self._asked(jacobian, *of) for of in zip(target, traits, sides, strict=True)])
        turns, heard = best.copy(), np.zeros((len(best), len(self.w), count))
        worth, todo = np.full(len(best), -np.inf), np.flatnonzero(np.abs(jacobian).max(1).ravel() > DEAF)
        for _ in range(ROUNDS):
            done = self.changes(turns[todo])
            now = _worth(np.median(done, axis=1), target[todo], traits[todo])
            better = now > worth[todo]
            at = todo[better]
            best[at], heard[at], worth[at] = turns[at], done[better], now[better]
            todo = np.flatnonzero(worth < -GOOD)
            if not len(todo):
                break
            off = target - np.median(heard, axis=1)
            for i in todo:
                turns[i] = best[i] + self._asked(jacobian, off[i], traits[i], sides[i])
            turns = np.clip(turns, self.least / self.first, self.most / self.first)
        return best.reshape(2, count, -1), heard.reshape(2, count, len(self.w), count)

    def changes(self, turns: np.ndarray) -> np.ndarray:
        """(n, sounds, traits) half spans by which (n, knobs) turns change the traits of each sound tried."""
        played: list[tuple[float, ...]] = [tuple(row) for row in np.repeat(turns * self.first, len(self.w), 0).tolist()]
        heard = self.how.heard(self.voice, self.label, self.w.repeat(len(turns), 1), played)
        change = (heard.reshape(len(turns), len(self.w), -1) - self.before) / self.scale
        return np.asarray(np.clip(change, -OUTLYING, OUTLYING))

    def _asked(self, jacobian: np.ndarray, wanted: np.ndarray, trait: int, side: int) -> np.ndarray:
        """(knobs,) turns that change the traits as wanted, (traits,), mostly by the trait's own knob."""
        own = int(np.abs(jacobian[side][:, trait]).argmax())
        cost = np.where(np.arange(len(self.first)) == own, 1.0, OTHERS) * DAMPED
        j = jacobian.mean(0)
        j[own] = jacobian[side][own]
        turns: np.ndarray = np.linalg.solve(j @ j.T + np.diag(cost**2), j @ np.clip(wanted, -1, 1))
        return turns

    @staticmethod
    def _there(heard: np.ndarray, middle: np.ndarray) -> np.ndarray:
        """(sides, traits) whether a control is worth having: it moves what it names, in every sound that was tried, and
        nothing else as far."""
        at, sign = np.arange(middle.shape[1]), np.array([-1.0, 1.0])
        own = middle[:, at, at] * sign[:, None]
        every = (heard[:, at, :, at].transpose(1, 0, 2) * sign[:, None, None]).min(2)
        there = (own > LEAST_EFFECT) & (every > LEAST_EFFECT / 4)
        side = np.where(np.eye(len(at), dtype=bool), 0, np.abs(middle)).max(2)
        clear: np.ndarray = there & (own > side)
        return clear


def _worth(done: np.ndarray, target: np.ndarray, traits: np.ndarray) -> np.ndarray:
    """(n,) how near what was heard, (n, traits), is to what was asked: 0 at best, less for what is missing of the trait
    itself and for the largest side effect."""
    own, rows = np.abs(done - target)[np.arange(len(done)), traits], np.abs(done)
    side = np.where(np.arange(done.shape[1]) == traits[:, None], 0, rows).max(1)
    return np.asarray(-own - side)


def _spread_out(traits: np.ndarray, count: int) -> list[int]:
    """Indices of sounds, (n, traits): the most usual one, and others as far from it and from one another as half of all
    are, so that what is found does not hold of one sort only."""
    apart = np.linalg.norm(np.clip(traits[:, None] - traits[None], -OUTLYING, OUTLYING), axis=2)
    at = [int(apart.sum(1).argmin())]
    while len(at) < min(count, len(traits)):
        near = apart[:, at].min(1)
        usual = near <= np.percentile(near, 75)  # those far from all others are of no sort
        at.append(int(np.where(usual, near, -1).argmax()))
    return at
