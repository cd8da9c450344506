"""The game of scenes: hear one stretch of a recording, play another.

    w = E(one stretch)                 G plays another stretch of the recording: statistics + adversary
    w = M(noise, label)                G plays what T says of w: adversary only
    L_D = rule_D(D(x), D(G(w)))        pairs of one place, each told the label and w

What two stretches of one recording share is the place; all else is chance, so that a waveform or a spectrogram cannot
be compared, but statistics can [losses/texture.py]. They draw what is typical, the adversary what statistics leave out;
it is held back, or it would spoil what they taught. M plays its own game in the space of w [training/games/style.py].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.networks.discriminators.scene import PictureCritic, SceneCritics, pictures
from antiphon.networks.mapping import NOISE
from antiphon.networks.place import SceneModel
from antiphon.networks.texture import TextureView, descriptors, joined, statistics
from antiphon.training.batches.places import Places
from antiphon.training.contract import Judged, StepContext
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.games.optimisers import ReconstructionOptimiser
from antiphon.training.games.scene_rehearsal import Bank, Rehearsal
from antiphon.training.games.style import StyleGame
from antiphon.training.games.styled import StyledGame
from antiphon.training.losses.adversarial import rule_called
from antiphon.training.losses.texture import FarLoss, texture_loss
from antiphon.training.reports.scene_sheet import write_scene_sheet
from antiphon.voices.voice import Voice


@dataclass(frozen=True)
class SceneGameConfig(AdversaryConfig):
    """How the game is played. `weights`: of each term of the generator's loss; 0 leaves it out."""

    rule: str = "relativistic"
    r1: float = 0.2
    r2: float = 0.2
    every: int = 4
    finite: bool = True
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "texture": 1.0,
            "expected": 0.7,
            "far": 0.5,
            "told": 2.0,
            "teller": 0.5,
            "adversarial": 0.15,
            "imagined": 0.15,
        }
    )
    critic_channels: int = 16
    dropout: float = 0.0
    optimiser: ReconstructionOptimiser = field(
        default_factory=lambda: ReconstructionOptimiser(rate=1.5e-3, critic_rate=4e-4)
    )
    warm_up: int = 300  # steps before the adversary's weight starts to rise
    ramp: int = 600  # steps it takes to rise; both shrink in a short run
    imagined: int = 2  # imagined stretches per batch
    style_noise: float = 0.1
    bank: int = 1024
    rehearsed: int = 32  # places of a step of the rehearsal, and during the game
    style_moves: int = 4  # of the mapping and its critic per step: they are small
    gamma: float = 10.0  # with 0.1 the mapping forgets two of three recordings of a label


class SceneGame(StyledGame):
    """Generator's side (model), critics' side, optimisers and one step of play."""

    def __init__(self, model: SceneModel, config: SceneGameConfig, bank: Bank | None = None):
        super().__init__()
        self.rehearsal = Rehearsal(bank) if bank else None
        self.config, self.model, self.rule = config, model, rule_called(config.rule)
        labels, style = model.labels, model.config.style
        count = len(labels.instruments)
        self.critics = config.normed(SceneCritics(count, style, config.critic_channels, config.dropout))
        self.styles = StyleGame(style, count, len(labels.styles), config.bank, config.gamma)
        self.view, self.far = TextureView(), FarLoss()
        sound = [p for part in (model.generator, model.encoder, model.teller) for p in part.parameters()]
        self.set_players(sound, config.optimiser)

    def preview(self, voice: Voice, data: Any, folder: Path, step: int) -> Path:
        return write_scene_sheet(folder, voice, data, step)

    def set_rates(self, rate: float) -> None:
        """The mapping still learns while the places that it learns come to rest: it is slower to slow down."""
        super().set_rates(rate)
        for name in ("mapping", "style_critic"):
            self.optimisers[name].param_groups[0]["lr"] = self.rates[name] * rate**0.25

    def step(self, batch: Places, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update of every player. -> scalars by name."""
        self.set_rates(moment.rate)
        if moment.rehearsal and self.rehearsal is not None:
            return self._rehearse(moment, rng)
        play, some = self.config.weights, slice(0, self.config.imagined)
        with torch.no_grad():
            real = self.view(batch.audio)
            heard = statistics(real)
            told = descriptors(real, heard)
        w = self.model.encoder(joined(heard), batch.rate, batch.strength)
        terms, log = self._rehearsed(batch, w, moment, rng)
        noise = torch.randn(w.shape, generator=rng).to(w.device, non_blocking=True)
        other = _other(w) + self.config.style_noise * noise
        fake = self.view(self.model.generator.sound(other, told, batch.knots, batch.moments, rng))
        dreamt = self.view(self._imagine(batch, some, rng)) if play["imagined"] and moment.ramp else None

        if (play["adversarial"] or play["imagined"]) and moment.ramp:
            log |= self._critics_move(batch, real, fake, dreamt, w.detach(), some, moment, rng)

        made = statistics(fake)
        terms |= {
            "texture": texture_loss(made, heard),
            "told": (descriptors(fake, made) - told).abs().mean(),
            "teller": (terms.get("teller", 0) + self.model.teller.loss(w, batch.rate, batch.strength, told)) / 2,
            "far": self.far(
                self.far.expected(
                    self.model.generator, w[:1], told[:1], batch.far_knots, batch.far_moments, len(batch.levels)
                ),
                batch.levels,
            ),
        }
        if moment.ramp:
            terms |= self._adversarial_terms(batch, real, fake, dreamt, w.detach(), some)
        log |= self._generator_moves(terms, moment.ramp, rng)
        return log | {"log": (made["long mean"] - heard["long mean"]).abs().mean().detach()}

    def _rehearse(self, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update without sound and without critics [training/games/scene_rehearsal.py]."""
        terms, log = self._rehearsed(None, None, moment, rng)
        return log | self._generator_moves(terms, 0.0, rng)

    def _rehearsed(
        self, batch: Places | None, w: Tensor | None, moment: StepContext, rng: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The terms of a step of the rehearsal, if there is something to rehearse; and the log of the game in the space
        of w, with places heard in it, or else in the batch, which comes before anything is imagined."""
        terms = dict[str, Tensor]()
        if self.rehearsal is not None:
            play, bank = self.rehearsal, self.rehearsal.bank
            at, one, other = play.draw(self.config.rehearsed, rng)
            rate, strength = bank.rate[at], bank.strength[at]
            known = self.model.encoder(bank.found[at, one], rate, strength)
            noisy = known + self.config.style_noise * torch.randn(known.shape, generator=rng)
            terms["expected"] = play(self.model, at, noisy, other, rng)
            terms["teller"] = self.model.teller.loss(known, rate, strength, bank.told[at, one])
            self.styles.remember(known, bank.instrument[at], torch.zeros(len(known), 0), moment.step)
        elif batch is not None and w is not None:
            self.styles.remember(w, batch.instrument, batch.style, moment.step)
        for _ in range(self.config.style_moves - 1):
            self._style_critic_moves(rng)
            self.update("mapping", self.styles.mapping_loss(self.model.mapping, rng))
        return terms, self._style_critic_moves(rng)

    def _imagine(self, batch: Places, some: slice, rng: torch.Generator) -> Tensor:
        """Stretches of imagined places of the batch's labels."""
        label = batch.instrument[some]
        z = torch.randn(len(label), NOISE, generator=rng).to(batch.audio.device, non_blocking=True)
        w = self.model.mapping(z, label, batch.style[some])
        told = self.model.teller(w.detach())[2].detach()
        sound: Tensor = self.model.generator.sound(w, told, batch.knots[some], batch.moments[some], rng)
        return sound

    # ---- the adversary -----------------------------------------------------------------------------------------------

    def _critics_move(
        self, batch: Places, real: Any, fake: Any, dreamt: Any, w: Tensor, some: slice, moment: StepContext,
        rng: torch.Generator,
    ) -> dict[str, Tensor]:  # fmt: skip
        """One update of the critics, who compare each real stretch with the imagined one of the same place."""
        seen, made = pictures(real), tuple(x.detach() for x in pictures(fake))
        label, heard = batch.instrument, self.critics(seen, batch.instrument, w)
        copied = self.critics(made, label, w)
        pairs = list(zip(heard, copied, strict=True))
        if dreamt is not None:
            dreams = self.critics(tuple(x.detach() for x in pictures(dreamt)), label[some], w[some])
            pairs += [(h[some], d) for h, d in zip(heard, dreams, strict=True)]
        verdict = torch.stack([self.rule.discriminator(h, c) for h, c in pairs]).mean()

        def score(critic: PictureCritic) -> Callable[[Tensor], Tensor]:
            return lambda picture: critic(picture, label, w).mean(1)

        def look() -> list[Seen]:
            return [Seen(score(c), a, b) for c, a, b in zip(self.critics, seen, made, strict=True)]  # type: ignore[call-overload]

        penalty = self.config.penalty(heard, look, moment.r1, moment.step, rng)
        norm = self.update("critics", verdict + penalty)
        return {"critic": verdict.detach(), "penalty": penalty.detach(), "critic_norm": norm}

    def _adversarial_terms(
        self, batch: Places, real: Any, fake: Any, dreamt: Any, w: Tensor, some: slice
    ) -> dict[str, Tensor]:
        label, play = batch.instrument, self.config.weights
        found = dict[str, Tensor]()
        self.critics.requires_grad_(False)
        with torch.no_grad():
            heard = self.critics(pictures(real), label, w)
        if play["adversarial"]:
            copied = self.critics(pictures(fake), label, w)
            found["adversarial"] = torch.stack(
                [self.rule.generator(h, c) for h, c in zip(heard, copied, strict=True)]
            ).mean()
        if dreamt is not None:
            dreams = self.critics(pictures(dreamt), label[some], w[some])
            found["imagined"] = torch.stack(
                [self.rule.generator(h[some], d) for h, d in zip(heard, dreams, strict=True)]
            ).mean()
        self.critics.requires_grad_(True)
        return found

    # ---- for a run's health ------------------------------------------------------------------------------------------

    def judge_real(self, batch: Places) -> Judged:
        return self._judged(batch.audio, batch)

    def judge_generated(self, batch: Places, rng: torch.Generator) -> Judged:
        return self._judged(self._imagine(batch, slice(None), rng), batch)

    def _judged(self, audio: Tensor, batch: Places) -> Judged:
        heard = statistics(self.view(batch.audio))
        w = self.model.encoder(joined(heard), batch.rate, batch.strength)
        logits = self.critics(pictures(self.view(audio)), batch.instrument, w)
        return Judged(audio[:, 0], torch.stack([x.float().mean(1) for x in logits]).mean(0))

    def course(self, view: Tensor) -> Tensor:
        """How levels move, without what is typical of the place: textures of one kind are alike, and no copies."""
        levels = F.avg_pool2d(self.view(view.unsqueeze(1).expand(-1, 2, -1)).long[:, 0], (4, 2))
        moves = levels - levels.mean(2, keepdim=True)
        return F.normalize(moves.flatten(1), dim=1)

    def measured(self, batch: Places, view: Tensor) -> dict[str, float]:
        """variety: of the places of a label, beside those it was shown; all of them together hide one that is alike."""
        mid = Places(**(vars(batch) | {"audio": batch.audio[:, 0]}))
        variety = self.styles.variety(self.model.mapping, torch.Generator().manual_seed(0))
        return super().measured(mid, view) | {"variety": variety}


def _other(w: Tensor) -> Tensor:
    """Each stretch's w as heard in the other one of its pair; a stretch without another has its own."""
    at = torch.arange(len(w), device=w.device) ^ 1
    return w[torch.where(at < len(w), at, at - 1)]
