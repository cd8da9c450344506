"""Levels only; decoding estimates the phases. The images of SpecGAN (Donahue 2019, section 3.2)."""

from __future__ import annotations

from functools import partial
from math import inf

import torch
from torch import Tensor

from antiphon.core.registry import choose
from antiphon.representations.contract import Exactness, Representation, check_audio, check_image
from antiphon.representations.level import level_of, power_of, root
from antiphon.representations.phase_retrieval import PHASES
from antiphon.representations.stft import check_window, frame_count, istft, stft


class LogMagnitude(Representation):
    """(batch, samples) <-> (batch, 1, window/2, frames): the level of every bin but the last.

    `phases`: how they are estimated, one of `phase_retrieval.PHASES`.
    """

    units = "level (-1 the floor, 1 full scale)"
    promise = Exactness(-inf, 20.0)

    def __init__(self, window: int = 2048, hop: int = 512, floor_db: float = -100.0, phases: str = "pghi+griffin-lim"):
        super().__init__()
        check_window(window, hop)
        self.window, self.hop, self.floor_db = window, hop, floor_db
        self.phases = choose(PHASES, "phase retrieval", phases)

    def shape(self, samples: int) -> tuple[int, ...]:
        return (1, self.window // 2, frame_count(samples, self.hop))

    def encode(self, audio: Tensor) -> Tensor:
        check_audio(audio)
        spectrum = stft(audio, self.window, self.hop)[:, :-1]
        return level_of(spectrum.real.square() + spectrum.imag.square(), self.floor_db).unsqueeze(1)

    def decode(self, image: Tensor, samples: int) -> Tensor:
        check_image(image, self.shape(samples))
        power = power_of(image.float().squeeze(1), self.floor_db)
        return self.with_phases(torch.cat([power, torch.zeros_like(power[:, :1])], 1), samples)

    def with_phases(self, power: Tensor, samples: int) -> Tensor:
        """(batch, window/2+1, frames) power of every bin -> (batch, samples)"""
        magnitude = root(power)
        phases = self.phases(magnitude.detach(), self.window, self.hop, samples)
        return istft(torch.polar(magnitude, phases), self.window, self.hop, samples)


REPRESENTATIONS = {"log-magnitude": LogMagnitude} | {
    f"log-magnitude/{name}": partial(LogMagnitude, phases=name) for name in ("griffin-lim", "pghi")
}
