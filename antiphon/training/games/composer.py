"""The game of composing: a generator that writes pieces, note by note, and a critic that judges their bars.

First the generator learns by likelihood alone. Then, while the ramp rises, it also plays: it composes pieces as it
does for a person, several to each sketch, and the critic compares their bars with those of real pieces, by what can
be measured of them [data/bar_measures.py].

    L_D = softplus(D(fake) - D(real)) + R1                       relativistic pairs, by bar
    L_G = -log p(real) - ramp * w * sum_t A(t) log p(written_t)  A: how much better the bars from t on are judged than
                                                                 those that it wrote to the same sketch the other times

Notes are not differentiable, so that the second term is a policy gradient, as in SeqGAN (Yu 2017), with the mean of its
siblings as each piece's baseline (Kool 2019); likelihood first and all along, as in Transformer-GAN (Muhamed 2021). The
critic is saved with the voice, and chooses among phrases when it composes [voices/choosing.py]."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from antiphon.core.errors import AntiphonError
from antiphon.data.bar_measures import bar_measures
from antiphon.data.phrases import END, Piece, Window, window
from antiphon.data.prepared_scores import Scores
from antiphon.metrics.plots.png import write_png
from antiphon.metrics.plots.roll import draw_roll
from antiphon.networks.composer import ComposerModel
from antiphon.networks.discriminators.measured import MeasuredCritic
from antiphon.training.batches.phrases import PHRASE, Context, Phrases, collated
from antiphon.training.contract import Examined, Game, Judged, StepContext, take_over
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.games.optimisers import OptimiserConfig
from antiphon.training.losses.adversarial import rule_called
from antiphon.training.losses.decisions import surprises
from antiphon.voices.capabilities import ComposesMusic
from antiphon.voices.composer import ComposerVoice
from antiphon.voices.voice import Voice, VoiceInfo
from antiphon.voices.writing import Draft, Taste, Writer
from antiphon.voices.writing_many import together

BARS = 32  # of a piece that is composed: as many as a person gets who does not say how many
BEFORE = 2  # bars before a phrase from which on the network is asked how likely it was
LONGEST = 512  # tokens of a phrase and what comes before it
UNSURE = 0.5  # standard deviation of verdicts below which they count for less
FADING = 0.5  # how much less each further bar's verdict counts for a decision
SHOWN = 16  # bars of a preview, of each style


@dataclass(frozen=True)
class ComposerOptimiser(OptimiserConfig):
    name: str = "adamw"
    rate: float = 1.5e-3
    critic_rate: float = 3e-3
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.01

    def critic(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Of a shorter memory, since the generator moves."""
        return replace(self, beta1=0.5, beta2=0.9, weight_decay=0.0)._make(parameters, self.critic_rate)


@dataclass(frozen=True, kw_only=True)
class ComposerGameConfig(AdversaryConfig):
    """begin: the share of a run after which the critic plays: never, as it is not worth its time yet
    [docs/composer-figures.md]; rising: the share over which its weight rises. weight: of the policy gradient; at 0 only
    the critic learns from what is composed. siblings: pieces that are written to each sketch for the policy gradient; a
    batch holds whole sets. critic_steps: moves of the critic for each of the generator, on the same pieces, which cost
    most. half: the transformer in bfloat16."""

    rule: str = "relativistic"
    r1: float = 0.02
    every: int = 4
    finite: bool = True
    optimiser: OptimiserConfig = field(default_factory=ComposerOptimiser)
    begin: float = 1.0
    rising: float = 0.02
    weight: float = 0.0
    siblings: int = 3
    critic_steps: int = 4
    half: bool = True

    def check(self) -> None:
        super().check()
        if self.spectral:
            raise AntiphonError("game.spectral cannot work here: the critic is kept with the voice, as it is")


class ComposerGame(Game, Examined):
    clip: ClassVar[float] = 1.0
    model: ComposerModel

    def __init__(self, model: ComposerModel, config: ComposerGameConfig):
        super().__init__()
        self.model, self.config, self.rule = model, config, rule_called(config.rule)
        mine = [weight for name, weight in model.named_parameters() if not name.startswith("judge.")]
        o = config.optimiser
        self.set_optimizers({"generator": o.generator(mine), "critics": o.critic(self.critics.parameters())})

    @property
    def critics(self) -> MeasuredCritic:  # type: ignore[override]
        """Saved with the voice, since it chooses among phrases when the voice composes."""
        assert self.model.judge is not None
        return self.model.judge

    @torch.no_grad()
    def begin_from(self, voice: Voice, critic_weights: Mapping[str, Tensor]) -> list[str]:
        """Take over weights; styles by their names, a new one from the mean of the voice's. What was counted is this
        run's own. -> names of what does not fit, and new styles"""
        theirs = dict(voice.model.named_parameters())
        left = []
        for name, mine in self.model.named_parameters():
            rest = slice(None)
            if name.startswith("judge."):
                continue
            if name == "embed.weight":
                left += self._take_styles(mine, theirs[name], voice.instruments)
                rest = slice(len(self.model.labels.instruments), None)
                theirs[name] = theirs[name][len(voice.instruments) :]
            if name in theirs and theirs[name].shape == mine[rest].shape:
                mine[rest] = theirs[name]
            else:
                left.append(name)
        if voice.model.judge is not None and voice.instruments == self.model.labels.instruments:
            left += take_over(self.critics, voice.model.judge.state_dict())
        return left + (take_over(self.critics, critic_weights) if critic_weights else [])

    def _take_styles(self, mine: Tensor, theirs: Tensor, known: Sequence[str]) -> list[str]:
        """Rows of the table of embeddings. -> styles that are new"""
        if mine.shape[1] != theirs.shape[1]:
            return []
        for row, style in enumerate(self.model.labels.instruments):
            mine[row] = theirs[known.index(style)] if style in known else theirs[: len(known)].mean(0)
        return [style for style in self.model.labels.instruments if style not in known]

    def step(self, batch: Phrases, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        self.set_rates(moment.rate)
        self.optimisers["critics"].param_groups[0]["lr"] = self.rates["critics"]  # it begins when others cool down
        found = surprises(self.model, batch, self.config.half)
        log = {name: nats.mean() for name, nats in found.items()}
        log["nats"] = total = torch.stack([nats.sum() for nats in found.values()]).sum() / max(len(batch.places), 1)
        if moment.ramp > 0:
            played, seen = self._play(batch.contexts, moment, rng)
            log |= seen
            total = total + moment.ramp * self.config.weight * played
        log["generator_norm"] = self.update("generator", total)
        return {name: value.detach() for name, value in log.items()}

    # ---- the adversary -------------------------------------------------------------------------------------------

    def _play(
        self, contexts: Sequence[Context], moment: StepContext, rng: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compose pieces, teach the critic, and -> the generator's loss."""
        drafts = self._written(contexts, rng)
        written = [draft.written() for draft in drafts]
        true, false = _styles([c.piece for c in contexts]), _styles(written)
        real, fake = self._views(contexts), _measured(written)
        for _ in range(self.config.critic_steps):
            log = self._teach((real, true), (fake, false), moment, rng)
        with torch.no_grad():
            verdicts = self.critics(fake, false)
            log["judged"] = (self.critics(real, true) - verdicts).mean()
        if not self.config.weight:
            return torch.zeros(()), log
        return self._gradient(written, drafts, advantages(verdicts, self.config.siblings)), log

    def _teach(
        self, real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor], moment: StepContext, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """real, fake: views and styles."""
        true, false = self.critics(*real), self.critics(*fake)
        loss = self.rule.discriminator(true, false)

        def score(x: Tensor) -> Tensor:
            return self.critics(x, real[1]).mean(1)

        penalty = self.config.penalty([true], lambda: [Seen(score, real[0], fake[0])], moment.r1, moment.step, rng)
        norm = self.update("critics", loss + penalty)
        self.critics.moves += 1
        return {"critic": loss, "penalty": penalty, "critic_norm": norm}

    def _views(self, contexts: Sequence[Context]) -> Tensor:
        """(n, BARS, measures) of real pieces from their contexts on, as if they began there; short ones are gone
        through again."""
        found = []
        for c in contexts:
            begin = max(min(c.begin, c.piece.bars - BARS), 0)
            bars = bar_measures(c.piece, begin, min(begin + BARS, c.piece.bars), begin)
            found.append(bars[np.arange(BARS) % len(bars)])
        return torch.from_numpy(np.stack(found))

    def _written(self, contexts: Sequence[Context], rng: torch.Generator) -> list[Draft]:
        """As many pieces as there are contexts, in the style of every first one of `siblings`, who are written to one
        sketch."""
        voice = ComposerVoice(copy.deepcopy(self.model), VoiceInfo(""))  # a voice freezes its model
        own = self.config.siblings if self.config.weight else 1
        seeds = torch.randint(1 << 31, (len(contexts),), generator=rng).tolist()
        drafts: list[Draft] = []
        for i, context in enumerate(contexts):
            known = drafts[i - i % own].copy() if i % own else None
            drafts.append(known or voice.sketch(BARS, voice.styles[context.piece.style], seeds[i]))
        writers = [Writer(d, Taste(), np.random.default_rng(seed)) for d, seed in zip(drafts, seeds, strict=True)]
        self.model.eval()
        together(self.model, [writer.write() for writer in writers])
        self.model.train()
        return drafts

    def _gradient(self, written: Sequence[Piece], drafts: Sequence[Draft], advantage: Tensor) -> Tensor:
        """How surprising the pieces' decisions are, each times its advantage, per note. advantage: (n, BARS)."""
        phrases = [
            Context(piece, begin, tuple(draft.order))
            for piece, draft in zip(written, drafts, strict=True)
            for begin in range(0, BARS, PHRASE)
        ]
        firsts = [max(c.begin - BEFORE, 0) for c in phrases]
        windows = [
            window(c.piece, first, c.order, LONGEST, stop=c.begin + PHRASE)
            for c, first in zip(phrases, firsts, strict=True)
        ]
        batch = collated(windows)
        weights = _weights(windows, phrases, firsts, advantage.reshape(len(phrases), PHRASE))
        total = torch.zeros(())
        for name, nats in surprises(self.model, batch, self.config.half).items():
            total = total + (nats * weights[DECIDED[name]]).sum()
        return total / max(len(batch.places), 1)

    # ---- to be looked at -----------------------------------------------------------------------------------------

    def judge_real(self, batch: Phrases) -> Judged:
        views = self._views(batch.contexts)
        return Judged(views, self.critics(views, _styles([c.piece for c in batch.contexts])).mean(1))

    def judge_generated(self, batch: Phrases, rng: torch.Generator) -> Judged:
        written = [draft.written() for draft in self._written(batch.contexts, rng)]
        views = _measured(written)
        return Judged(views, self.critics(views, _styles(written)).mean(1))

    def embed(self, view: Tensor) -> Tensor:
        """Measures in standard deviations of real bars."""
        return ((view - self.critics.mean) / self.critics.spread).flatten(1)

    def know(self, contexts: Sequence[Context]) -> None:
        """Take the critic's scale from real phrases."""
        self.critics.know(self._views(contexts).flatten(0, 1))

    def preview(self, voice: Voice, data: Scores, folder: Path, step: int) -> Path:
        """A piano roll of a short piece in each style, and their MIDI files."""
        composer = voice.able(ComposesMusic, "compose")
        scores = [composer.bars(SHOWN, style=style, seed=7) for style in voice.styles[:6]]
        pixels = np.concatenate([draw_roll(score).pixels for score in scores])
        picture = folder / "sheets" / f"step-{step:06d}.png"
        write_png(picture, pixels, "; ".join(voice.styles))
        (folder / "sounds").mkdir(exist_ok=True)
        for style, score in zip(voice.styles, scores, strict=False):
            name = "".join(c if c.isalnum() else "-" for c in style)
            score.write(folder / "sounds" / f"step-{step:06d}-{name}.mid", force=True)
        return picture


DECIDED = {"first": "bar", "second": "bar", "like": "block", "before": "block", "count": "block", "place": "place",
           "length": "note", "pitch": "note", "velocity": "note"}  # fmt: skip


def advantages(verdicts: Tensor, siblings: int) -> Tensor:
    """(n, bars) how much better the bars from each one on are judged than its siblings', in standard deviations, or
    less where the critic hardly tells them apart: then it has nothing to teach. verdicts: (n, bars) logits, siblings
    one after another."""
    ahead = torch.zeros_like(verdicts)
    later = torch.zeros_like(verdicts[:, 0])
    for bar in reversed(range(verdicts.shape[1])):
        later = verdicts[:, bar] + FADING * later
        ahead[:, bar] = later
    groups = ahead.unflatten(0, (-1, siblings))
    apart = (groups - groups.mean(1, keepdim=True)) * siblings / max(siblings - 1, 1)
    return (apart / apart.std().clamp_min(UNSURE)).flatten(0, 1).clamp(-3, 3)


def _measured(pieces: Sequence[Piece]) -> Tensor:
    return torch.from_numpy(np.stack([bar_measures(piece, 0, piece.bars) for piece in pieces]))


def _styles(pieces: Sequence[Piece]) -> Tensor:
    return torch.tensor([piece.style for piece in pieces])


def _weights(
    windows: Sequence[Window], contexts: Sequence[Context], firsts: Sequence[int], advantage: Tensor
) -> dict[str, Tensor]:
    """The advantage of every decision of windows, by the table that it is in; 0 for those before the phrase."""
    found: dict[str, list[Tensor]] = {name: [] for name in ("bar", "block", "place", "note")}
    for w, context, first, row in zip(windows, contexts, firsts, advantage, strict=True):
        bars = torch.arange(len(w.bar_at)) + first - context.begin
        of_bar = torch.where(bars >= 0, row[bars.clamp(0, PHRASE - 1)], 0.0)
        of_block = of_bar.repeat_interleave(len(context.order))[: len(w.block_at)]
        of_place = of_block[torch.from_numpy(w.place_block)]
        found["bar"].append(of_bar)
        found["block"].append(of_block)
        found["place"].append(of_place)
        found["note"].append(of_place[torch.from_numpy(w.places != END)])
    return {name: torch.cat(rows) for name, rows in found.items()}
