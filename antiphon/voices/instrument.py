"""Playable instruments: any pitch, length and loudness, with bends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.parallel import parallel_map
from antiphon.networks.generators.instrument import FREE_SLOTS, InstrumentConfig, InstrumentGenerator
from antiphon.networks.model import InstrumentModel
from antiphon.networks.shaping import KNOBS
from antiphon.voices.capabilities import Streams
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers, write_config
from antiphon.voices.streams import NoteStream
from antiphon.voices.styled import StyledVoice
from antiphon.voices.synthesis import HALF, perform

BATCH, BATCH_SECONDS = 16, 128.0  # most notes per pass of the trunk, and most seconds held in total


class InstrumentVoice(StyledVoice, Streams):
    """The instrument of networks/generators/instrument.py: any pitch, length and loudness, with bends."""

    kind = "instrument"
    model: InstrumentModel
    knobs = KNOBS

    def describe(self) -> str:
        return "notes of any pitch, length and loudness"

    @cached_property
    def _player(self) -> InstrumentGenerator:
        """The generator as it plays here."""
        return self.model.generator.halved() if HALF else self.model.generator

    @torch.inference_mode()
    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        w, generator = self._given(notes, w), self._player
        notes = self._shaped(notes)
        batches = _batches([n.seconds for n in notes])

        def play(batch: list[int]) -> list[np.ndarray]:
            own = [notes[i] for i in batch]
            return perform(generator, own, w[batch], in_tune, parts, self.info.takes)

        sounds = parallel_map(lambda k: play(batches[k]), len(batches), threads)
        out: list[np.ndarray] = [np.zeros(0, np.float32)] * len(notes)
        for batch, made in zip(batches, sounds, strict=True):
            for i, sound in zip(batch, made, strict=True):
                out[i] = sound
        return out

    @torch.inference_mode()
    def stream(self, note: Note, w: Tensor | None = None) -> NoteStream:
        w = self._given([note], None if w is None else w.unsqueeze(0))[0]
        return NoteStream(self._player, self._shaped([note])[0], w, takes=self.info.takes)


def _batches(seconds: Sequence[float]) -> list[list[int]]:
    """Indices of notes, the longest first, in batches that take a bounded amount of memory."""
    order = sorted(range(len(seconds)), key=lambda i: -seconds[i])
    batches = []
    while order:
        size = min(max(int(BATCH_SECONDS / seconds[order[0]]), 1), BATCH)
        batches.append(order[:size])
        order = order[size:]
    return batches


# ---- on disk ---------------------------------------------------------------------------------------------------------

LIMITS = {  # lowest and highest allowed value of each width
    "style": (4, 1024),
    "width": (8, 4096),
    "hidden": (8, 8192),
    "blocks": (1, 64),
    "condition": (8, 4096),
    "bands": (8, 512),
    "free_harmonics": (1, 256),
    "noise_bands": (8, 512),
    "strike_bands": (8, 128),
}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> InstrumentModel:
    c, labels = read_numbers(InstrumentConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    claims = {
        "generator.enter.weight": (c.width, None),
        f"generator.trunk.{c.blocks - 1}.up.weight": (2 * c.hidden, c.width),
        f"generator.trunk.{c.blocks - 1}.film.weight": (3 * c.width, c.condition),
        "generator.heads.bias": (c.bands + c.free_harmonics + c.noise_bands + c.strike_bands + FREE_SLOTS + 2,),
        "generator.conditioner.0.weight": (c.condition, c.style + 10),
        "mapping.label.weight": (len(labels.instruments), None),
    }
    check_sizes(claims, tensors)
    return InstrumentModel(c, labels)


KINDS = {"instrument": Kind(InstrumentModel, InstrumentVoice, write_config, read)}
