"""Finding a voice's controls by listening: which way w must go for a sound to become brighter and nothing else.

1. Sounds are listened to: imagined ones of every label, whose 10th and 90th percentile are its span, and the same
   moved at random, w (+) e with e ~ N(0, C), C the spread of w within all labels. What is measured: describers/.
2. An ear learns to predict what would be measured, traits f(w, pitch), a small network: all labels teach it, since a
   generator knows of a label only by w.
3. For each label, directions d_i are found under which the ear hears what is asked and nothing else, and others by
   regressing the label's own w on its traits,

       min  mean_{w, t} | (f(w (+) t d_i) - f(w)) / s - t e_i |^2 + mu |d_i|^2_C      t in -1 .. 1, s half of the span

4. They are played, the better are kept, and what they did, M, corrects them (Newton): d <- M^+ d, twice.

Supervised directions of a GAN's latent space as in Shen et al. 2020 (InterFaceGAN), of many labels, on a sphere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from antiphon.core.parallel import in_order
from antiphon.metrics.describers.describer import Describer, describer
from antiphon.metrics.turns import fit_turns, scales
from antiphon.networks.optimisers import Adam, AdamW
from antiphon.voices.capabilities import Imagines
from antiphon.voices.controls import Controls

SEED = 1 << 24  # of the sounds that are listened to: far from those that people ask for
MOVED = 0.2, 0.9  # shares of the spread within labels by which sounds are moved
CROWD = 32  # imagined style vectors of each label from which that spread is known
LEAST_EFFECT = 0.2  # halves of a span that +1 must move, for a control to count
FARTHEST = 0.9  # as a share of w's length (radians on a sphere), that +1 may move
DAMPED = 0.3  # of the inverse of M, squared
SHRUNK = 0.001  # mu
RIDGE = 0.1  # of the regression on traits, in units of their variance
OUTLYING = 3.0  # halves of a span, beyond which a sound counts no more
AMOUNTS = (-1.0, -0.5, 0.5, 1.0)


@dataclass(frozen=True)
class Listening:
    """How many imagined sounds of a label are measured, how many moved ones, from how many each direction is tried and
    how many times it is corrected; and for how many steps the ear and then the directions learn."""

    sounds: int = 16
    moved: int = 40
    tried: int = 1
    rounds: int = 2
    lessons: int = 1500
    turns: int = 60


@dataclass(frozen=True)
class Heard:
    """Of one label: (n, style) style vectors, of which the first `sounds` were imagined and not moved, the (n, traits)
    that were measured of their sounds, and the MIDI pitch."""

    w: Tensor
    traits: np.ndarray
    sounds: int
    pitch: float


def fit_controls(
    voice: Any,
    labels: Sequence[str] | None = None,
    listening: Listening = Listening(),
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> Controls:
    """The controls of a voice that imagines, for some of its labels (default: all; others get none). Those of a voice
    with knobs turn these [turns.py]."""
    if voice.able(Imagines, "imagine sounds").knobs:
        return fit_turns(voice, labels, progress, processes)
    chosen, steps = list(labels or voice.instruments), (listening.moved + listening.sounds) // 24
    heard = listen(voice, chosen, listening, lambda i, n: progress(steps * i, (steps + 2) * n), processes)
    ahead = steps * len(chosen)
    return fit_to(voice, chosen, heard, listening, lambda i, n: progress(ahead + 2 * i, ahead + 2 * n), processes)


# ---- listening -------------------------------------------------------------------------------------------------------


def listen(
    voice: Any,
    labels: Sequence[str],
    listening: Listening,
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> list[Heard]:
    """Sounds of each label, imagined and moved, and what is measured of them."""
    voice.able(Imagines, "imagine sounds")
    how, spread = describer(voice), spread_within(voice)

    def one(i: int) -> np.ndarray:
        return how.heard(voice, labels[i], _moved(voice, labels[i], spread, listening))

    found = []
    for i, traits in enumerate(in_order(one, len(labels), processes)):
        w = _moved(voice, labels[i], spread, listening)
        found.append(Heard(w, traits, listening.sounds, how.pitch(voice, labels[i])))
        progress(i + 1, len(labels))
    return found


def _moved(voice: Any, label: str, spread: np.ndarray, listening: Listening) -> Tensor:
    """(sounds + moved, style): imagined style vectors of a label, then the same moved at random."""
    plain = [voice.imagine(label, (), SEED + i) for i in range(listening.sounds)]
    rng = np.random.default_rng(zlib.crc32(label.encode()))
    steps = rng.standard_normal((listening.moved, len(spread))) @ spread
    steps *= rng.uniform(*MOVED, (listening.moved, 1))
    moved = [voice.stepped(plain[i % len(plain)], torch.from_numpy(s).float()) for i, s in enumerate(steps)]
    return torch.stack(plain + moved)


def spread_within(voice: Any) -> np.ndarray:
    """(style, style) a root of the covariance of imagined style vectors about their label's mean."""
    crowds = [[voice.imagine(label, (), SEED + i) for i in range(CROWD)] for label in voice.instruments]
    within = torch.cat([crowd - crowd.mean(0) for crowd in map(torch.stack, crowds)]).double().numpy()
    values, vectors = np.linalg.eigh(within.T @ within / len(within))
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0))).T
    return root


# ---- the ear ---------------------------------------------------------------------------------------------------------


class Ear(nn.Module):
    """Predicts what would be measured: w (batch, style) and pitch (batch,) MIDI -> (batch, traits)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, style: int, traits: np.ndarray, width: int = 160):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(style + 1, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, traits.shape[1]),
        )
        self.register_buffer("mean", torch.from_numpy(traits.mean(0)).float())
        self.register_buffer("deviation", torch.from_numpy(traits.std(0) + 1e-6).float())

    def forward(self, w: Tensor, pitch: Tensor) -> Tensor:
        x: Tensor = self.net(torch.cat([w, (pitch.unsqueeze(-1) - 60) / 24], -1))
        return x * self.deviation + self.mean


def taught(heard: Sequence[Heard], listening: Listening) -> tuple[Ear, np.ndarray]:
    """An ear that has heard them, and the share of each trait's variance within a label that it explains, (traits,), of
    every eighth sound, which it was not taught."""
    w = torch.cat([h.w for h in heard])
    y = torch.from_numpy(np.concatenate([h.traits for h in heard])).float()
    pitch = torch.cat([torch.full((len(h.w),), h.pitch) for h in heard])
    group = torch.cat([torch.full((len(h.w),), i) for i, h in enumerate(heard)])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ear = Ear(w.shape[1], y.numpy())
    unseen = torch.arange(len(w)) % 8 == 7
    known = torch.nonzero(~unseen).flatten()
    optimiser = AdamW(ear.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=listening.lessons)
    rng = np.random.default_rng(0)
    for _ in range(listening.lessons):
        at = known[torch.from_numpy(rng.integers(len(known), size=256))]
        error = (ear(w[at], pitch[at]) - y[at]) / ear.deviation
        loss = torch.nn.functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.5)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    ear.requires_grad_(False)
    return ear, _explained(ear(w, pitch)[unseen], y[unseen], group[unseen])


def _explained(said: Tensor, y: Tensor, group: Tensor) -> np.ndarray:
    """(traits,) share of the variance about each group's mean that predictions explain."""
    left, total = torch.zeros(y.shape[1]), torch.zeros(y.shape[1]) + 1e-9
    for g in group.unique():
        own = y[group == g]
        left += (own - said[group == g]).square().sum(0)
        total += (own - own.mean(0)).square().sum(0)
    return (1 - left / total).numpy()


# ---- directions ------------------------------------------------------------------------------------------------------


def fit_to(
    voice: Any,
    labels: Sequence[str],
    heard: Sequence[Heard],
    listening: Listening,
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> Controls:
    """The controls that follow from what was heard of some labels."""
    how, (ear, _) = describer(voice), taught(heard, listening)
    spans = np.stack([np.percentile(h.traits[: h.sounds], (10, 50, 90), axis=0).T for h in heard])
    scale, spread = scales(spans, how), spread_within(voice)

    def learn(i: int) -> tuple[np.ndarray, np.ndarray]:
        starts = [imagined(voice, ear, heard[i], scale[i], spread, listening), regressed(heard[i], scale[i])]
        return tried(voice, how, labels[i], heard[i].w[: heard[i].sounds], starts, scale[i], listening)

    style, count = heard[0].w.shape[1], len(how.traits)
    shapes = {"directions": (count, style), "spans": (count, 3), "effects": (count, count)}
    made = {name: np.zeros((len(voice.instruments), *shape)) for name, shape in shapes.items()}
    for i, (directions, effects) in enumerate(in_order(learn, len(labels), processes)):
        at = voice.instruments.index(labels[i])
        made["directions"][at], made["effects"][at], made["spans"][at] = directions, effects, spans[i]
        progress(i + 1, len(labels))
    meanings = tuple(f"{trait.more} ({trait.unit})" for trait in how.traits)
    tensors = {name: torch.from_numpy(table).float() for name, table in made.items()}
    turns = torch.zeros(len(voice.instruments), count, 2, len(voice.knobs))
    return Controls(how.names, meanings, tuple(voice.instruments), **tensors, turns=turns)


def imagined(
    voice: Any, ear: Ear, heard: Heard, scale: np.ndarray, spread: np.ndarray, listening: Listening
) -> np.ndarray:
    """(controls, style) a label's directions, by what the ear makes of them."""
    bases = heard.w[: heard.sounds : max(heard.sounds // 8, 1)].float()
    count, unit = len(scale), torch.from_numpy(scale).float()
    root = torch.from_numpy(spread).float() + 0.05 * float(np.abs(np.diag(spread)).mean()) * torch.eye(len(spread))
    inner = torch.zeros(count, len(spread), requires_grad=True)  # in units of the spread within labels
    amounts = torch.tensor(AMOUNTS).view(-1, 1, 1, 1)
    target = amounts * torch.eye(count).view(1, count, 1, count)
    before, pitch = ear(bases, torch.full((len(bases),), heard.pitch)), heard.pitch
    optimiser = Adam([inner], 0.03)
    for turn in range(listening.turns):
        for group in optimiser.param_groups:
            group["lr"] = 0.06 * (1 - turn / listening.turns) + 1e-3
        moved = voice.stepped(bases, amounts * (inner @ root).unsqueeze(1))  # (amounts, controls, bases, style)
        flat = moved.reshape(-1, moved.shape[-1])
        change = (ear(flat, torch.full((len(flat),), pitch)).view(*moved.shape[:-1], count) - before) / unit
        loss = (change - target).square().mean() * count + SHRUNK * inner.square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found: np.ndarray = (inner @ root).detach().double().numpy()
    return _limited(found, bases)


def tried(
    voice: Any,
    how: Describer,
    label: str,
    w: Tensor,
    starts: Sequence[np.ndarray],
    scale: np.ndarray,
    listening: Listening,
) -> tuple[np.ndarray, np.ndarray]:
    """The best of some directions, as corrected by what they were heard to do, and what they then do: (controls, style)
    and (controls, controls)."""
    bases = w[:: max(len(w) // listening.tried, 1)][: listening.tried]
    d = np.zeros_like(starts[0])
    effects = np.zeros((len(d), len(d)))
    for turn in range(len(starts) + listening.rounds):
        other = _limited(starts[turn] if turn < len(starts) else corrected(d, effects), bases)
        found = played(voice, how, label, bases, other, scale)
        better = (_worth(found) > _worth(effects))[:, None]
        d, effects = np.where(better, other, d), np.where(better, found, effects)
    own = np.diag(effects)
    gain, keep = np.clip(1 / np.maximum(own, 1e-6), 0.5, 1.5), own > LEAST_EFFECT
    return _limited(d * gain[:, None], bases) * keep[:, None], effects * gain[:, None] * keep[:, None]


def _worth(effects: np.ndarray) -> np.ndarray:
    """(controls,) how far each moves what it names, up to all that was asked, less what it moves most besides."""
    own, side = np.diag(effects), np.abs(effects - np.diag(np.diag(effects))).max(1)
    worth: np.ndarray = np.minimum(own, 1) - side / 2
    return worth


def regressed(heard: Heard, scale: np.ndarray) -> np.ndarray:
    """(controls, style) coefficients of w on all traits at once, of one label's sounds alone, by ridge regression."""
    z = np.clip((heard.traits - np.median(heard.traits, axis=0)) / scale, -OUTLYING, OUTLYING)
    z, w = z - z.mean(0), heard.w.double().numpy() - heard.w.double().numpy().mean(0)
    found: np.ndarray = np.linalg.solve(z.T @ z + RIDGE * len(z) * np.eye(z.shape[1]), z.T @ w)
    return found


def corrected(d: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Directions that do to each trait what they should: A d with A effects = 1, damped where a trait hardly moves."""
    inverse = effects.T @ np.linalg.inv(effects @ effects.T + DAMPED**2 * np.eye(len(effects)))
    moved: np.ndarray = (1 + DAMPED**2) * inverse @ d
    return moved


def played(voice: Any, how: Describer, label: str, bases: Tensor, d: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(controls, traits) what +1 of each direction did to each trait, half of what lies between +1 and -1, on average
    over some sounds."""
    steps = torch.from_numpy(d).float()
    ws = torch.stack([voice.stepped(base, sign * step) for step in steps for sign in (1, -1) for base in bases])
    heard = (how.heard(voice, label, ws) / scale).reshape(len(d), 2, len(bases), -1)
    mean: np.ndarray = np.clip((heard[:, 0] - heard[:, 1]) / 2, -OUTLYING, OUTLYING).mean(1)
    return mean


def _limited(d: np.ndarray, w: Tensor) -> np.ndarray:
    """Directions no longer than FARTHEST of w."""
    length, most = np.linalg.norm(d, axis=1, keepdims=True), FARTHEST * float(w.norm(dim=1).mean())
    return d * np.minimum(1, most / np.maximum(length, 1e-12))
