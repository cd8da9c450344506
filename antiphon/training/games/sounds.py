"""What games of sounds show of themselves: spectrogram sheets and sounds for a person, levels for a run's health."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.data.prepared import Prepared
from antiphon.representations.spectral import LogMel
from antiphon.training.contract import Examined, Game
from antiphon.training.reports.sheet import write_sheet
from antiphon.voices.voice import Voice

HEARD = 4  # generated sounds whose loudness is measured: turning an image into a sound takes time


class SoundGame(Game):
    """A game whose voice plays."""

    def preview(self, voice: Voice, data: Prepared, folder: Path, step: int) -> Path:
        return write_sheet(folder, voice, data, step)


class ExaminedSoundGame(SoundGame, Examined):
    """One whose health is checked. D sees waveforms (batch, samples) or images (batch, channels, bins, frames)."""

    def __init__(self) -> None:
        super().__init__()
        self.summary = Summary()

    def embed(self, view: Tensor) -> Tensor:
        found: Tensor = self.summary(view)
        return found

    def sound(self, view: Tensor) -> Tensor:
        """(batch, samples) the sound of what D sees."""
        return view.flatten(1)

    def measured(self, batch: Any, view: Tensor) -> dict[str, float]:
        """loudness: dB re the batch's sounds. offset: DC over RMS."""
        real, made = batch.audio[:HEARD].float(), self.sound(view[:HEARD]).float()
        levels = [sound.square().mean().sqrt().clamp_min(1e-6) for sound in (real, made)]
        offset = made.mean(-1).abs().mean() / levels[1]
        return {"loudness": float(20 * torch.log10(levels[1] / levels[0])), "offset": float(offset)}


class Summary(nn.Module):
    """A small embedding without training: a view's levels in 40 bands over 8 stretches of time, (batch, 320). It has no
    state, so none is saved with a game."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = LogMel(2048, 1024, 40)

    def forward(self, view: Tensor) -> Tensor:
        if view.ndim < 4:
            view = self.mel(view.flatten(1)).unsqueeze(1)
        return F.adaptive_avg_pool2d(view[:, :1].float(), (40, 8)).flatten(1)
