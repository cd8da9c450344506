"""The game of piano rolls: both players, one step of play, and how it shows what it does."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import torch
from torch import Tensor

from antiphon.data.rolls import Rolls
from antiphon.metrics.plots.png import write_png
from antiphon.networks.rolls import RollCritic, RollModel
from antiphon.training.batches.rolls import Bars
from antiphon.training.contract import Examined, Game, Judged, StepContext
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.losses.adversarial import rule_called
from antiphon.voices.rolls import RollVoice

SHOWN = 4  # bars in a preview


class RollGame(Game, Examined):
    def __init__(self, model: RollModel, config: AdversaryConfig):
        super().__init__()
        self.model, self.config, self.rule = model, config, rule_called(config.rule)
        self.critics = config.normed(RollCritic(model.config.hidden))
        o = config.optimiser
        self.set_optimizers(
            {"generator": o.generator(model.parameters()), "critics": o.critic(self.critics.parameters())}
        )

    def step(self, batch: Bars, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        self.set_rates(moment.rate)
        real, fake = batch.rolls, self._draw(len(batch.rolls), rng)
        true, false = self.critics(real), self.critics(fake.detach())
        loss, seen = self.rule.discriminator(true, false), [Seen(self.critics, real, fake.detach())]
        penalty = self.config.penalty([true], lambda: seen, moment.r1, moment.step, rng)
        log = {"critic": loss, "penalty": penalty, "critic_norm": self.update("critics", loss + penalty)}
        verdict = self.rule.generator(true.detach(), self.critics(fake))
        log |= {"adversarial": verdict, "generator_norm": self.update("generator", verdict)}
        return {name: value.detach() for name, value in log.items()}

    def _draw(self, count: int, rng: torch.Generator) -> Tensor:
        z = torch.randn(count, self.model.config.noise, generator=rng)
        return self.model(z.to(next(self.model.parameters()).device))

    # ---- to be looked at: by the run's health --------------------------------------------------------------------

    def judge_real(self, batch: Bars) -> Judged:
        return Judged(batch.rolls, self.critics(batch.rolls))

    def judge_generated(self, batch: Bars, rng: torch.Generator) -> Judged:
        drawn = self._draw(len(batch.rolls), rng)
        return Judged(drawn, self.critics(drawn))

    def embed(self, view: Tensor) -> Tensor:
        """How many keys sound at each step, and how often each key does."""
        return torch.cat([view.sum(1), view.sum(2)], 1)

    # ---- and by a person -----------------------------------------------------------------------------------------

    def preview(self, voice: RollVoice, data: Rolls, folder: Path, step: int) -> Path:
        """A picture, real bars above generated ones, and a MIDI file of the latter."""
        real = data.rolls[data.where("train")[:SHOWN]].numpy()
        made = np.stack([voice.compose(seed) for seed in range(SHOWN)])
        rows = np.concatenate([np.concatenate([*bars[:, ::-1]], 1) for bars in (real, made)]).astype(np.uint8)
        pixels = np.repeat(255 * rows.repeat(4, 0).repeat(4, 1)[..., None], 3, 2)
        picture, song = (folder / part / f"step-{step:06d}" for part in ("sheets", "sounds"))
        write_png(picture.with_suffix(".png"), pixels)
        song.parent.mkdir(exist_ok=True)
        _as_midi(np.concatenate([*made], 1)).save(song.with_suffix(".mid"))
        return picture.with_suffix(".png")


def _as_midi(roll: np.ndarray) -> mido.MidiFile:
    """roll: (keys, steps), a sixteenth each."""
    track = mido.MidiTrack()
    for keys in roll.T:
        sounding = [60 + int(key) for key in np.flatnonzero(keys)]
        track += [mido.Message("note_on", note=key) for key in sounding]
        track.append(mido.Message("note_off", note=0, time=120))
        track += [mido.Message("note_off", note=key) for key in sounding]
    return mido.MidiFile(tracks=[track])
