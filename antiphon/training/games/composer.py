"""The game of composing: a generator that writes phrases, note by note, and a critic that judges their bars.

First the generator learns by likelihood alone. Then, while the ramp rises, it also plays: it goes on from places in
real pieces, several times from each, and the critic compares every bar that it writes with the real one in its place.

    L_D = softplus(D(fake) - D(real)) + R1                       relativistic pairs, by bar
    L_G = -log p(real) - ramp * w * sum_t A(t) log p(written_t)  A: how much better the bars from t on are judged than
                                                                 those that it wrote in the same place the other times

Notes are not differentiable, so that the second term is a policy gradient, as in SeqGAN (Yu 2017), with the mean of its
siblings as each phrase's baseline (Kool 2019); likelihood first and all along, as in Transformer-GAN (Muhamed 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from antiphon.core.errors import AntiphonError
from antiphon.data.bar_measures import bar_measures
from antiphon.data.phrases import END, KEYS, Piece, Reading, Window, window
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
from antiphon.voices.writing import Blocks, Draft, Taste, Writer
from antiphon.voices.writing_many import together

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

BEFORE = 2  # bars before a phrase that the critic sees
LONGEST = 512  # tokens of a phrase and what comes before it
UNSURE = 0.5  # standard deviation of verdicts below which they count for less
FADING = 0.5  # how much less each further bar's verdict counts for a decision
SHOWN = 16  # bars of a preview, of each style


@dataclass(frozen=True)
class ComposerOptimiser(OptimiserConfig):
    name: str = "adamw"
    rate: float = 1.5e-3
    critic_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.01

    def critic(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Of a shorter memory, since the generator moves."""
        return replace(self, beta1=0.5, beta2=0.9, weight_decay=0.0)._make(parameters, self.critic_rate)


@dataclass(frozen=True, kw_only=True)
class ComposerGameConfig(AdversaryConfig):
    """begin: the share of a run after which the critic plays; rising: the share over which its weight rises. weight: of
    the policy gradient. siblings: phrases that are written in each place. critic_steps: moves of the critic for
    each of the generator, on the same phrases, which cost most. half: the transformer in bfloat16."""

    rule: str = "relativistic"
    r1: float = 0.02
    every: int = 4
    finite: bool = True
    optimiser: OptimiserConfig = field(default_factory=ComposerOptimiser)
    begin: float = 0.7
    rising: float = 0.1
    weight: float = 0.5
    siblings: int = 4
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
        """Write phrases, teach the critic, and -> the generator's loss."""
        many = [context for context in contexts for _ in range(self.config.siblings)]
        written = self._written(many, rng)
        styles = torch.tensor([context.piece.style for context in many])
        real = self._views([context.piece for context in contexts], contexts).repeat_interleave(self.config.siblings, 0)
        fake = self._views(written, many)
        for _ in range(self.config.critic_steps):
            log = self._teach(real, fake, styles, moment, rng)
        with torch.no_grad():
            verdicts = self._verdicts(fake, styles)
        advantage = advantages(verdicts, self.config.siblings)
        log["judged"] = (self._verdicts(real, styles) - verdicts).mean()
        return self._gradient(written, many, advantage), log

    def _teach(
        self, real: Tensor, fake: Tensor, styles: Tensor, moment: StepContext, rng: torch.Generator
    ) -> dict[str, Tensor]:
        true, false = self._verdicts(real, styles), self._verdicts(fake, styles)
        loss = self.rule.discriminator(true, false)

        def score(x: Tensor) -> Tensor:
            return self._verdicts(x, styles).mean(1)

        penalty = self.config.penalty([true], lambda: [Seen(score, real, fake)], moment.r1, moment.step, rng)
        norm = self.update("critics", loss + penalty)
        self.critics.moves += 1
        return {"critic": loss, "penalty": penalty, "critic_norm": norm}

    def _verdicts(self, views: Tensor, styles: Tensor) -> Tensor:
        """(n, PHRASE) logits of the bars that were written."""
        logits: Tensor = self.critics(views, styles)
        return logits

    def _views(self, pieces: Sequence[Piece], contexts: Sequence[Context]) -> Tensor:
        """(n, PHRASE, measures)"""
        bars = [bar_measures(p, c.begin, c.begin + PHRASE) for p, c in zip(pieces, contexts, strict=True)]
        return torch.from_numpy(np.stack(bars))

    def _written(self, contexts: Sequence[Context], rng: torch.Generator) -> list[Piece]:
        """Each piece up to its phrase, and the phrase as the generator writes it."""
        drafts = [_draft(context) for context in contexts]
        seeds = torch.randint(1 << 31, (len(drafts),), generator=rng).tolist()
        taste = Taste(kept=1.0)
        writers = [Writer(d, taste, np.random.default_rng(seed)) for d, seed in zip(drafts, seeds, strict=True)]
        self.model.eval()
        together(self.model, [writer.write() for writer in writers])
        self.model.train()
        return [_with_phrase(context.piece, draft) for context, draft in zip(contexts, drafts, strict=True)]

    def _gradient(self, written: Sequence[Piece], contexts: Sequence[Context], advantage: Tensor) -> Tensor:
        """How surprising the phrases' decisions are, each times its advantage, per note. advantage: (n, PHRASE)."""
        firsts = [max(c.begin - BEFORE, 0) for c in contexts]
        windows = [
            window(piece, first, c.order, LONGEST, stop=c.begin + PHRASE)
            for piece, c, first in zip(written, contexts, firsts, strict=True)
        ]
        batch = collated(windows)
        weights, total = _weights(windows, contexts, firsts, advantage), torch.zeros(())
        for name, nats in surprises(self.model, batch, self.config.half).items():
            total = total + (nats * weights[DECIDED[name]]).sum()
        return total / max(len(batch.places), 1)

    # ---- to be looked at -----------------------------------------------------------------------------------------

    def judge_real(self, batch: Phrases) -> Judged:
        views = self._views([c.piece for c in batch.contexts], batch.contexts)
        return Judged(views, self._mean(views, batch.contexts))

    def judge_generated(self, batch: Phrases, rng: torch.Generator) -> Judged:
        views = self._views(self._written(batch.contexts, rng), batch.contexts)
        return Judged(views, self._mean(views, batch.contexts))

    def _mean(self, views: Tensor, contexts: Sequence[Context]) -> Tensor:
        return self._verdicts(views, torch.tensor([c.piece.style for c in contexts])).mean(1)

    def embed(self, view: Tensor) -> Tensor:
        """Measures in standard deviations of real bars."""
        return ((view - self.critics.mean) / self.critics.spread).flatten(1)

    def know(self, contexts: Sequence[Context]) -> None:
        """Take the critic's scale from real phrases."""
        self.critics.know(self._views([c.piece for c in contexts], contexts).flatten(0, 1))

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


def _draft(context: Context) -> Draft:
    """A piece whose phrase is to be written."""
    piece = replace(context.piece, chords=context.piece.chords.copy())
    stop = min(context.begin + PHRASE, piece.bars)
    piece.chords[context.begin : stop] = -1
    ranges = np.array([(128, KEYS - 1) if family == 16 else (0, 127) for family in piece.families])
    dynamic = bool((piece.notes[:64, 5] < 8).any())
    blocks = Blocks(Reading(context.piece))
    return Draft(piece, ranges, context.order, blocks, context.begin, stop, dynamic=dynamic, ends=False)


def _with_phrase(piece: Piece, draft: Draft) -> Piece:
    """The piece up to its phrase, and the phrase."""
    known = piece.notes[piece.notes[:, 0] < draft.begin]
    written = draft.written()
    return replace(written, notes=np.concatenate([known, written.notes]))


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
