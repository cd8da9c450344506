"""A vocoder as it is used: log-mel spectrograms, or the sounds they are of, in; sounds out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from antiphon.errors import AntiphonError
from antiphon.networks.generators.vocoder import Vocoder
from antiphon.notes import Note
from antiphon.voice import Voice


class VocoderVoice(Voice):
    """It plays no notes. It turns images of sounds into sounds: `from_image`; and to hear how well, sounds into the
    sounds that their images become: `from_audio`, `from_file`, `from_file_to_file`."""

    kind = "vocoder"
    plays = False
    pitched = False
    blends = False
    model: Vocoder

    @torch.inference_mode()
    def from_image(self, image: Tensor, samples: int) -> Tensor:
        """(batch, 1, bands, frames) as the representation log-mel draws it -> (batch, samples)."""
        return self.model.sound(self.model(image), samples)

    def from_audio(self, audio: np.ndarray) -> np.ndarray:
        """(samples,) float at 44.1 kHz -> (samples,) float32: what is left of it after log-mel and back."""
        sound = torch.from_numpy(np.ascontiguousarray(audio, np.float32)).unsqueeze(0)
        return self.from_image(self.model.view.encode(sound), sound.shape[-1])[0].numpy()

    def from_file(self, path: str | Path) -> np.ndarray:
        """As from_audio, of a sound file, mixed down to mono."""
        from antiphon.audio.files import read_audio

        return self.from_audio(read_audio(path))

    def from_file_to_file(self, path: str | Path, out: str | Path, *, force: bool = False) -> Path:
        """As from_file, into a file (wav, flac, ogg, mp3, opus, aiff). -> its path"""
        from antiphon.audio.files import check_target, write_audio

        check_target(out, force=force)
        return write_audio(out, self.from_file(path), force=force)

    def cannot(self, what: str) -> AntiphonError:
        return AntiphonError(
            f"{self.info.name} is a vocoder and cannot {what}: it turns log-mel spectrograms into sound (in Python: "
            "antiphon.load(V).from_file_to_file('in.wav', 'out.wav'))"
        )

    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0, variation: float = 1.0) -> Tensor:
        raise self.cannot("imagine sounds")

    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        raise self.cannot("play notes")
