"""The game of drums: the instrument's [training/game.py], whose hits are given their modes and their glide.

w = E(a hit of a drum)             G strikes the drum again: reconstruction + adversary, modes and glide as measured
w = M(noise, labels)               G strikes as it predicts modes and glide: adversary only
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.data.strokes import Hits
from antiphon.losses.ringing import ringing_loss
from antiphon.networks.generators.instrument import Gesture
from antiphon.networks.generators.one_shot import HitCurves, gliding
from antiphon.networks.mapping import NOISE
from antiphon.training.game import InstrumentGame


class KitGame(InstrumentGame):
    """Both sides of the game of drums, and one step of it."""

    of_notes: ClassVar[bool] = False

    def _what_was_played(self, w: Tensor, curves: HitCurves, g: Gesture, batch: Hits) -> dict[str, Tensor]:  # type: ignore[override]
        predicted = self.model.generator.tuning(w, g.pitch, g.velocity)
        return {
            "tuning": ringing_loss(predicted, batch.tuning, batch.levels),
            "identity": F.cross_entropy(self.preset_head(w), batch.preset),
        }

    def _imagine(self, batch: Hits, some: slice, rng: torch.Generator) -> Tensor:  # type: ignore[override]
        g = batch.gesture[some]
        z = torch.randn(len(g.pitch), NOISE, generator=rng).to(batch.audio.device, non_blocking=True)
        with self._autocast(batch.audio):
            w = self.model.mapping(z, batch.instrument[some], batch.style[some])
            with torch.no_grad():
                ringing = self.model.generator.tuning(w, g.pitch, g.velocity)
            curves = self.model.generator.curves(w, g)
        g = replace(g, f0=gliding(ringing.glide, g.pitch, g.start, g.samples))
        sound: Tensor = self.model.generator.synthesise(curves, g, ringing)
        return sound
