"""Three networks in one model: training and playing call the same forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from antiphon.data.controls import Scale
from antiphon.networks.encoders.note import NoteEncoder
from antiphon.networks.generators.instrument import InstrumentConfig, InstrumentGenerator
from antiphon.networks.generators.one_shot import OneShotConfig, OneShotGenerator
from antiphon.networks.mapping import Mapping


@dataclass(frozen=True)
class LabelTable:
    """The names of the instruments and style words a model knows, in the order of their indices, and the scales of the
    descriptors it is conditioned on."""

    instruments: tuple[str, ...]
    styles: tuple[str, ...]
    scales: tuple[Scale, ...] = ()


class StyledModel(nn.Module):
    """encoder: recording -> w. mapping: noise and labels -> w. generator: w and a gesture -> sound."""

    def __init__(self, config: Any, labels: LabelTable, generator: nn.Module):
        super().__init__()
        self.config, self.labels = config, labels
        self.generator: Any = generator
        self.encoder = NoteEncoder(config.style, channels=max(config.width, 64) * 6 // 7 // 8 * 8)
        self.mapping = Mapping(config.style, len(labels.instruments), len(labels.styles))


class InstrumentModel(StyledModel):
    """A model of pitched notes."""

    def __init__(self, config: InstrumentConfig, labels: LabelTable):
        super().__init__(config, labels, InstrumentGenerator(config))


class DrumsModel(StyledModel):
    """A model of drums."""

    def __init__(self, config: OneShotConfig, labels: LabelTable):
        super().__init__(config, labels, OneShotGenerator(config))
