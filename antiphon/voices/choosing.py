"""The critic while composing: of several ways to write a phrase it keeps the one that it finds most real.

Rejection sampling by the critic of a trained GAN (Azadi 2019), phrase by phrase: what a phrase goes on from was chosen
too, so that a piece does not drift away from what the critic knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from antiphon.data.bar_measures import BACK, bar_measures
from antiphon.networks.composer import ComposerModel
from antiphon.voices.writing import Draft
from antiphon.voices.writing_many import Judge

CANDIDATES, PHRASE = 3, 4  # ways to write a phrase; bars of a phrase


def phrases(draft: Draft) -> list[tuple[int, int]]:
    """(first, stop) of the bars to be written."""
    stop = draft.stop or draft.piece.bars
    return [(first, min(first + PHRASE, stop)) for first in range(draft.begin, stop, PHRASE)]


def judge_of(model: ComposerModel, style: int) -> Judge | None:
    """What chooses among drafts by their bars first to stop - 1; none if the voice has no critic, or an untaught
    one."""
    critic = model.judge
    if critic is None or not int(critic.moves):
        return None

    @torch.inference_mode()
    def judge(drafts: Sequence[Draft], first: int, stop: int) -> int:
        pieces = [draft.excerpt(first - max(BACK), stop) for draft in drafts]
        measures = torch.from_numpy(np.stack([bar_measures(piece, first, stop) for piece in pieces]))
        return int(critic(measures, torch.full((len(drafts),), style)).sum(1).argmax())

    return judge
