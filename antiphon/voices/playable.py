"""The base of voices that imagine sounds and play them as notes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.voices.capabilities import Imagines, PlaysNotes


class PlayableVoice(PlaysNotes, Imagines):
    """Notes without a style vector of their own are played with an imagined one."""

    def _imagine_all(self, notes: Sequence[Note]) -> Tensor:
        known = {
            key: self.imagine(self.resolve(key[0], key[2]), self.resolve_style(key[1]), key[2])
            for key in {(n.instrument, n.style, n.seed) for n in notes}
        }
        return torch.stack([known[n.instrument, n.style, n.seed] for n in notes])

    def _given(self, notes: Sequence[Note], w: np.ndarray | Tensor | None) -> Tensor:
        """(n, style) the style vectors to play with: w, or imagined ones."""
        if w is None:
            return self._imagine_all(notes) if notes else torch.zeros(0)
        return torch.as_tensor(w, dtype=torch.float32)
