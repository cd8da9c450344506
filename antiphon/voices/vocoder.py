"""A vocoder as a voice: log-mel spectrograms, or the sounds they are made from, in; sounds out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.audio.ops import resample
from antiphon.core.errors import AntiphonError
from antiphon.networks.generators.vocoder import Vocoder, VocoderConfig
from antiphon.representations.contract import check_image
from antiphon.representations.log_mel import LogMelSpectrogram
from antiphon.voices.capabilities import Transforms
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers, write_config


class VocoderVoice(Transforms):
    """It plays no notes. It turns images of sounds into sounds: `from_image`; and, to judge how well, it resynthesises
    sounds from their own images: `from_audio`, `from_file`, `from_file_to_file`."""

    kind = "vocoder"
    model: Vocoder

    def describe(self) -> str:
        return "no notes: it turns log-mel spectrograms into sound"

    @torch.inference_mode()
    def from_image(self, image: Tensor, samples: int) -> Tensor:
        """(batch, 1, bands, frames) as drawn by the representation log-mel -> (batch, samples)."""
        return self.model.sound(self.model(image), samples)

    def from_audio(self, audio: np.ndarray) -> np.ndarray:
        """(samples,) float at 44.1 kHz -> (samples,) float32: the sound after log-mel and back."""
        sound = torch.from_numpy(np.ascontiguousarray(audio, np.float32)).unsqueeze(0)
        return self.from_image(self.model.view.encode(sound), sound.shape[-1])[0].numpy()

    def transform(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """A sound after log-mel and back, each channel by itself."""
        sound = resample(np.asarray(audio, np.float32), sample_rate, self.sample_rate)
        return self.from_audio(sound) if sound.ndim == 1 else np.stack([self.from_audio(x) for x in sound.T], 1)

    def cannot(self, what: str) -> AntiphonError:
        return AntiphonError(
            f"{self.info.name} is a vocoder and cannot {what}: it turns log-mel spectrograms into sound (in Python: "
            "antiphon.load(V).from_file_to_file('in.wav', 'out.wav'))"
        )


class VocodedLogMel(LogMelSpectrogram):
    """Log-mel with its default settings, inverted by a vocoder (networks/generators/vocoder.py), by default the bundled
    one. The vocoder's weights are not the representation's: training does not change them."""

    def __init__(self, vocoder: Vocoder | None = None):
        super().__init__()
        self.borrowed = (vocoder or _bundled(),)  # in a tuple, lest it become a submodule

    def decode(self, image: Tensor, samples: int) -> Tensor:
        check_image(image, self.shape(samples))
        vocoder = self.borrowed[0].to(image.device)
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            return vocoder.sound(vocoder(image), samples)


def _bundled() -> Vocoder:
    from antiphon.voices.find import load

    found: Vocoder = load("vocoder").model
    return found


REPRESENTATIONS = {"log-mel/vocoder": VocodedLogMel}


# ---- on disk ---------------------------------------------------------------------------------------------------------

LIMITS = {"width": (8, 4096), "hidden": (8, 8192), "blocks": (1, 64)}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Vocoder:
    c, labels = read_numbers(VocoderConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    last = f"trunk.{c.blocks - 1}"
    check_sizes({"head.weight": (None, c.width), f"{last}.up.weight": (c.hidden, c.width)}, tensors)
    return Vocoder(c, labels)


KINDS = {"vocoder": Kind(Vocoder, VocoderVoice, write_config, read)}
