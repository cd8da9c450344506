"""The rehearsal of a scene's game: without sound and without critics, places learn what levels they have.

What a place's noise is expected to measure follows from its gains: the power of white noise in a band, times the square
of the gain; its logarithm is lower by a constant, and spread by another, both of the band alone. So a step compares the
gains at a few moments with statistics that were measured once, and costs a tenth of one with sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.scenes import Scenes
from antiphon.networks.chance import FAST_PULSE, SLOW_PULSE, Chance, pulse, pulse_features
from antiphon.networks.generators.scene import SceneGenerator
from antiphon.networks.place import REGULAR, SceneModel
from antiphon.networks.texture import (
    DESCRIPTORS,
    FLOOR,
    LONG,
    SHORT,
    SHORT_BANDS,
    SHORT_HOP,
    SILENT_SIDE,
    WIDEST_SIDE,
    TextureView,
    parted,
)

MOMENTS, SPACING = 3000, 0.37  # moments of chance to choose from, and seconds between them
GLIMPSES = 10  # moments of each place
PHASES = 64  # of a period of a pulse, at which levels are measured
FOLDED, PERIODS = 8.0, 6  # seconds of a recording that are folded, in windows of so many periods
TICKING, ASKED = 8, 24  # places whose pulse is rehearsed, and phases of each
PULSE = 4.0  # weight of that
WEIGHTS = {
    "long mean": 1.0, "long deviation": 1.0, "short mean": 0.7, "short deviation": 0.8, "fine": 1.0, "side": 1.5,
    "long crest": 0.4, "short crest": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Bank:
    """What was measured of the recordings to train on. found: (recordings, stretches, statistics); told: (recordings,
    stretches, descriptors); instrument, rate, strength, share (recordings,), the last how often each is drawn;
    profile: (recordings, PHASES, SHORT_BANDS) mean levels at phases of the pulse, of those that have one."""

    found: Tensor
    told: Tensor
    instrument: Tensor
    rate: Tensor
    strength: Tensor
    share: Tensor
    profile: Tensor

    @classmethod
    def of(cls, data: Scenes) -> Bank:
        chosen = data.where("train")
        measured, label = data.measured[chosen].float(), data.instrument[chosen]
        weight = torch.tensor([data.samples(i) for i in chosen.tolist()]).float().sqrt()
        each = torch.zeros(len(data.labels.instruments)).index_add(0, label, weight)
        told, found = measured.split([len(DESCRIPTORS), measured.shape[2] - len(DESCRIPTORS)], 2)
        rate, strength = data.pulse[chosen].unbind(1)
        view = TextureView()
        flat = torch.zeros(PHASES, SHORT_BANDS)
        profile = [
            folded(
                view, torch.from_numpy(data.audio(i, 0, min(data.samples(i), round(FOLDED * SAMPLE_RATE)))), float(r)
            )
            if s > REGULAR
            else flat
            for i, r, s in zip(chosen.tolist(), rate, strength, strict=True)
        ]
        return cls(found, told, label, rate, strength.clamp_min(0), weight / each[label], torch.stack(profile))


@torch.no_grad()
def folded(view: TextureView, sound: Tensor, rate: float) -> Tensor:
    """(PHASES, SHORT_BANDS) mean levels of a sound (2, samples) at phases of its pulse, which begins where it is
    loudest. Windows of a few periods are shifted onto each other, since no pulse is quite regular."""
    levels = view(sound.unsqueeze(0)).short[0].T  # (frames, bands)
    frames = rate * SHORT_HOP / SAMPLE_RATE  # periods a frame
    size, total = max(round(PERIODS / frames), 8), torch.zeros(PHASES, SHORT_BANDS)
    for start in range(0, max(len(levels) - size // 2, 1), size):
        window = levels[start : start + size]
        at = ((torch.arange(len(window)) * frames) % 1 * PHASES).long().clamp(max=PHASES - 1)
        count = torch.zeros(PHASES).index_add(0, at, torch.ones(len(window)))
        sums = torch.zeros(PHASES, SHORT_BANDS).index_add(0, at, window)
        known = count > 0
        near = (torch.arange(PHASES)[:, None] - torch.nonzero(known).T).abs()
        nearest = torch.nonzero(known).flatten()[torch.minimum(near, PHASES - near).argmin(1)]
        one = sums[nearest] / count[nearest].unsqueeze(1)
        loud, so_far = one.mean(1) - one.mean(), total.mean(1) - total.mean()
        wave = so_far if so_far.any() else torch.nn.functional.one_hot(torch.tensor(0), PHASES).float()
        like = torch.fft.irfft(torch.fft.rfft(wave) * torch.fft.rfft(loud).conj(), n=PHASES)
        total = total + torch.roll(one, int(like.argmax()), 0) * (len(window) / len(levels))
    return torch.roll(total, -int(total.mean(1).argmax()), 0)


class Rehearsal(nn.Module):
    """Compares expected with measured statistics."""

    def __init__(self, bank: Bank):
        super().__init__()
        self.bank = bank
        chance, times = Chance(11), 20 + SPACING * np.arange(MOMENTS)
        still = np.zeros(MOMENTS), np.ones(MOMENTS), np.zeros(MOMENTS)
        self.knots = chance.knots(times, *still)[:, : -pulse_features(SLOW_PULSE)]
        self.moments = chance.moments(times, *still)[:, : -pulse_features(FAST_PULSE)]
        self.view = TextureView()
        white = torch.randn(1, 2, 20 * 65_536, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            seen = self.view(white)
        self.usual = {  # of white noise: mean and deviation of a band's level, and the level of its mean power
            name: (x.mean(-1), x.std(-1), 0.5 * torch.log(torch.exp(2 * x).mean(-1)))
            for name, x in (("long", seen.long[0, 0]), ("short", seen.short[0]))
        }

    def draw(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Recordings, and two different stretches of each."""
        at = torch.multinomial(self.bank.share, count, replacement=True, generator=rng)
        stretches = self.bank.found.shape[1]
        one = torch.randint(stretches, (count,), generator=rng)
        return at, one, (one + 1 + torch.randint(stretches - 1, (count,), generator=rng)) % stretches

    def forward(self, model: SceneModel, at: Tensor, w: Tensor, stretch: Tensor, rng: torch.Generator) -> Tensor:
        """The loss of places w (batch, style), as far as they are to be like these stretches."""
        bank = self.bank
        real, condition = parted(bank.found[at, stretch]), model.generator.condition(w, bank.told[at, stretch])
        fake = self.expected(model.generator, condition, bank.rate[at], bank.strength[at], rng)
        real["side"] = real["side"].clamp(SILENT_SIDE, WIDEST_SIDE)
        apart = [weight * (fake[name] - real[name]).abs().mean() for name, weight in WEIGHTS.items()]
        ticking = torch.nonzero(bank.strength[at] > REGULAR).flatten()[:TICKING]
        if len(ticking):
            apart.append(PULSE * self.ticks(model.generator, condition[ticking], at[ticking], rng))
        return torch.stack(apart).sum()

    def ticks(self, g: SceneGenerator, condition: Tensor, at: Tensor, rng: torch.Generator) -> Tensor:
        """How far levels at phases of the pulse are from those measured there, the mean of two moments each. No
        statistic of a crop asks for it: what is sudden at random has the same."""
        bank, count = self.bank, len(at)
        even = torch.randint(PHASES, (count, ASKED // 2), generator=rng)
        soon = (ASKED * torch.rand(count, ASKED // 2, generator=rng).pow(3) / 2).long() % PHASES  # after a tick
        phase = torch.cat([even, soon], 1)
        within = torch.rand(count, 2 * ASKED, generator=rng, dtype=torch.float64)
        turn = (torch.cat([phase, phase], 1) + within) / PHASES
        knot_chance, fast_chance = self._chance(bank.rate[at], bank.strength[at], rng, turn)
        knots = g.knots(condition, knot_chance)
        moments = g.moments(condition, knots.drive, fast_chance)
        long = (
            g.long_gains(condition, knots.level)[:, :, 0].square()[..., 1:].unflatten(-1, (-1, LONG // SHORT)).mean(-1)
        )
        short = g.short_gains(condition, knots.level, moments)[:, :, 0].square()[..., 1:]
        power = F.pad(long + short, (1, 0)) @ self.view.short_filters.T
        level = 0.5 * torch.log(power + FLOOR * SHORT / 6) + self.usual["short"][0]
        level = (level[:, :ASKED] + level[:, ASKED:]) / 2
        return (level - bank.profile[at].gather(1, phase.unsqueeze(-1).expand(-1, -1, SHORT_BANDS))).abs().mean()

    def expected(
        self, g: SceneGenerator, condition: Tensor, rate: Tensor, strength: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Statistics by name, (batch, n)."""
        knot_chance, fast_chance = self._chance(rate, strength, rng)
        knots = g.knots(condition, knot_chance)
        moments = g.moments(condition, knots.drive, fast_chance)
        long = g.long_gains(condition, knots.level).square()  # (batch, t, 2, bins)
        short = g.short_gains(condition, knots.level, moments).square()
        power = long + F.pad(short[..., 1:].repeat_interleave(LONG // SHORT, -1), (1, 0))
        narrow = power[..., 1:].unflatten(-1, (-1, LONG // SHORT)).mean(-1)
        found = self._levels("long", power[:, :, 0] @ self.view.long_filters.T)
        found |= self._levels("short", F.pad(narrow[:, :, 0], (1, 0)) @ self.view.short_filters.T)
        bins = 6 / LONG * power[:, :, 0].mean(1)
        points = torch.lerp(bins[:, self.view.low], bins[:, self.view.low + 1], self.view.share)
        found["fine"] = 0.5 * torch.log(points + 0.1 * FLOOR)
        mid, side = ((power[:, :, k].mean(1) @ self.view.long_filters.T) for k in (0, 1))
        found["side"] = 0.5 * torch.log((side + 1e-12) / (mid + 1e-12)).clamp(2 * SILENT_SIDE, 2 * WIDEST_SIDE)
        return found

    def _levels(self, name: str, power: Tensor) -> dict[str, Tensor]:
        """Mean and deviation in time of levels from expected power (batch, t, bands), in units of white noise's."""
        mean, spread, loud = self.usual[name]
        size = LONG if name == "long" else SHORT
        level = 0.5 * torch.log(power + FLOOR * size / 6)
        deviation = (level.var(1, correction=1) + spread.square() + 1e-3).sqrt()
        crest = 0.5 * torch.log(power.mean(1) + FLOOR * size / 6) - level.mean(1)
        return {
            f"{name} mean": level.mean(1) + mean,
            f"{name} deviation": deviation,
            f"{name} crest": crest + loud - mean,
        }

    def _chance(
        self, rate: Tensor, strength: Tensor, rng: torch.Generator, turn: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(batch, moments, features) of GLIMPSES moments drawn independently; turn: (batch, moments) their phases."""
        count = len(rate)
        if turn is None:
            turn = torch.rand(count, GLIMPSES, generator=rng, dtype=torch.float64)
        each = turn.shape[1]
        rows = torch.randint(MOMENTS, (count, each), generator=rng).numpy()
        rates, regular = (x.double().repeat_interleave(each).numpy() for x in (rate, strength))

        def with_pulse(chance: np.ndarray, plan: tuple[int, float, tuple[float, ...]]) -> Tensor:
            ticks = pulse(plan, turn.flatten().numpy(), rates, regular).reshape(count, each, -1)
            return torch.from_numpy(np.concatenate([chance[rows], ticks], 2))

        return with_pulse(self.knots, SLOW_PULSE), with_pulse(self.moments, FAST_PULSE)
