"""The sound itself: nothing is lost, nothing has to be estimated."""

from __future__ import annotations

from torch import Tensor

from antiphon.representations.contract import Exactness, Representation, check_audio, check_image


class Waveform(Representation):
    """(batch, samples) <-> (batch, 1, samples): a channel axis for convolutions."""

    units = "amplitude, full scale 1"
    promise = Exactness(200.0, 200.0)

    def shape(self, samples: int) -> tuple[int, ...]:
        return (1, samples)

    def encode(self, audio: Tensor) -> Tensor:
        check_audio(audio)
        return audio.float().unsqueeze(1)

    def decode(self, image: Tensor, samples: int) -> Tensor:
        check_image(image, self.shape(samples))
        return image.float().squeeze(1)


REPRESENTATIONS = {"waveform": Waveform}
