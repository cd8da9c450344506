"""The game of drums: the instrument's [training/game.py], whose hits are given their modes and their glide.

w = E(a hit of a drum)             G strikes the drum again: reconstruction + adversary, modes and glide as measured
w = M(noise, labels)               G strikes as it predicts modes and glide: adversary only
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from antiphon.data.strokes import Hits
from antiphon.losses.ringing import ringing_loss
from antiphon.networks.generators.one_shot import HitCurves, Ringing, gliding
from antiphon.networks.gesture import Gesture
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

    def _as_tuned(self, g: Gesture, tuning: Ringing) -> Gesture:
        """Its modes glide as the model predicts."""
        return replace(g, f0=gliding(tuning.glide, g.pitch, g.start, g.samples))
