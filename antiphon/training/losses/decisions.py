"""How likely a composer's network finds what a window of a real piece decides: one figure for each kind of decision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.data.phrases import FLAT
from antiphon.networks.composer import ComposerModel
from antiphon.networks.precision import mixed
from antiphon.training.batches.phrases import Phrases

KINDS = ("first", "second", "like", "before", "count", "place", "length", "pitch", "velocity")


def surprises(model: ComposerModel, batch: Phrases, half: bool = False) -> dict[str, Tensor]:
    """Nats of every decision, (n,) of each kind, in the order of the batch's tables. half: the transformer computes in
    bfloat16."""
    with mixed(batch.tokens.device, half):
        states = model(batch.tokens)
    states = states.float().flatten(0, 1)
    return {**_of_bars(model, batch, states), **_of_blocks(model, batch, states), **_of_notes(model, batch, states)}


def _of_bars(model: ComposerModel, batch: Phrases, states: Tensor) -> dict[str, Tensor]:
    told, (one, two) = model.embedded(batch.bar_rows), batch.bar_chords.long().unbind(1)
    first, second = model.bar(states[batch.bar_at], told, batch.bar_hints, one)
    return {"first": nats(first, one), "second": nats(second, two)}


def _of_blocks(model: ComposerModel, batch: Phrases, states: Tensor) -> dict[str, Tensor]:
    hidden = model.block.enters(states[batch.block_at], model.embedded(batch.block_rows), batch.block_hints)
    answers = batch.block_answers
    return {
        name: nats(model.block.logits(hidden, answers, i), answers[:, i])
        for i, name in enumerate(("like", "before", "count"))
    }


def _of_notes(model: ComposerModel, batch: Phrases, states: Tensor) -> dict[str, Tensor]:
    block = batch.place_block
    places = model.place(states[batch.place_at], batch.maps[block], batch.sizes[block], batch.place_now)
    state, (length, key, velocity) = states[batch.note_at], batch.answers.unbind(1)
    drums = key >= 128
    pitches = model.note.pitches(state, batch.small, batch.classes, batch.keys, length, drums)
    last = model.last_velocity(batch.tokens).flatten()[batch.note_at]
    loud = model.note.velocities(state, length, key, last)
    told = velocity < FLAT
    return {
        "place": nats(places, batch.places),
        "length": nats(model.note.lengths(state, batch.small), length),
        "pitch": nats(pitches, key),
        "velocity": torch.where(told, nats(loud, velocity.clamp(max=FLAT - 1)), 0.0),
    }


def nats(logits: Tensor, answer: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), answer, reduction="none")
