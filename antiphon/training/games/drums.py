"""The game of drums: the instrument's [training/games/instrument.py], for hits with modes and a glide.

w = E(a hit of a drum)             G strikes the drum again: reconstruction + adversary, modes and glide as measured
w = M(noise, labels)               G strikes as it predicts modes and glide: adversary only
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from antiphon.networks.generators.one_shot import HitCurves, Ringing, gliding
from antiphon.networks.gesture import Gesture
from antiphon.training.batches.drum_crops import Hits
from antiphon.training.games.instrument import InstrumentGame
from antiphon.training.losses.modal import modal_loss


class DrumsGame(InstrumentGame):
    """Both sides of the game of drums, and one step of it."""

    of_notes: ClassVar[bool] = False

    def _what_was_played(self, w: Tensor, curves: HitCurves, g: Gesture, batch: Hits) -> dict[str, Tensor]:  # type: ignore[override]
        predicted = self.model.generator.tuning(w, g.pitch, g.velocity)
        return {
            "tuning": modal_loss(predicted, batch.tuning, batch.levels),
            "identity": F.cross_entropy(self.preset_head(w), batch.preset),
        }

    def _as_tuned(self, g: Gesture, tuning: Ringing) -> Gesture:
        """Its modes glide as the model predicts."""
        return replace(g, f0=gliding(tuning.glide, g.pitch, g.start, g.samples))
