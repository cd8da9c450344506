"""The complex short-time Fourier transform and its inverse, with phases referred to the middle of each window.

    X[m, j] = (4/N) sum_l w[l] x[j hop + l] exp(-2 pi i m l / N),    l = -N/2 .. N/2 - 1,  w a Hann window

With l = 0 at the window's middle, the bins of one partial's lobe share one phase (in textbooks l = 0 is at the window's
left edge, and neighbouring bins differ by pi), so that phases can be averaged over bins. A full-scale sine peaks at 1.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.representations.contract import Exactness, Representation, check_audio, check_image
from antiphon.representations.spectral import hann_window

LONGEST_WINDOW = 8192  # samples


def frame_count(samples: int, hop: int) -> int:
    """Frames that a sound needs: frame j is at sample j hop, and none is beyond the end."""
    return max(-(-samples // hop), 1)


def stft(audio: Tensor, window: int, hop: int) -> Tensor:
    """(batch, samples) -> complex (batch, window/2+1, frames), zeros beyond both ends."""
    frames = frame_count(audio.shape[-1], hop)
    with torch.autocast(audio.device.type, enabled=False):
        missing = (frames - 1) * hop + window // 2 - audio.shape[-1]
        x = F.pad(audio.float(), (window // 2, max(missing, 0)))
        x = x.unfold(-1, window, hop)[:, :frames] * (hann_window(window, audio.device) * (4 / window))
        return (torch.fft.rfft(x) * _middle(window, audio.device)).transpose(1, 2)


def istft(spectrum: Tensor, window: int, hop: int, samples: int) -> Tensor:
    """The sound whose spectrogram is nearest in least squares (Griffin & Lim 1984, eq. 6); exact for output of `stft`.

    complex (batch, window/2+1, frames) -> (batch, samples)
    """
    frames = spectrum.shape[-1]
    with torch.autocast(spectrum.device.type, enabled=False):
        w = hann_window(window, spectrum.device)
        pieces = torch.fft.irfft(spectrum.transpose(1, 2) * _middle(window, spectrum.device), n=window)
        total = _overlap_add(pieces * (w * (window / 4)), window, hop)
        weight = _overlap_add(w.square().expand(1, frames, window), window, hop)
        kept = slice(window // 2, window // 2 + samples)  # where the weight is at least 1/4
        return total[:, kept] / weight[:, kept]


@lru_cache(maxsize=32)
def _middle(window: int, device: torch.device) -> Tensor:
    """(-1)^m: moves the phase's origin from a window's left edge to its middle, and back."""
    with torch.inference_mode(False):
        return 1 - 2 * (torch.arange(window // 2 + 1, device=device) % 2).float()


def _overlap_add(frames: Tensor, window: int, hop: int) -> Tensor:
    """(batch, frames, window) -> (batch, (frames - 1) hop + window), hop a divisor of window"""
    batch, count, _ = frames.shape
    total = frames.new_zeros(batch, count + window // hop - 1, hop)
    for first, piece in enumerate(frames.split(hop, -1)):
        total[:, first : first + count] += piece
    return total.flatten(1)


def check_window(window: int, hop: int) -> None:
    """Raises AntiphonError unless every sample is well inside some window; sizes may come from an untrusted file."""
    if window > LONGEST_WINDOW:
        raise AntiphonError(f"a window of {window} samples is too long: use at most {LONGEST_WINDOW}")
    if hop < 1 or window < 4 * hop or window % (2 * hop):
        raise AntiphonError(f"window={window} and hop={hop} cannot be inverted well: use a hop of window/4 or window/8")


class ComplexSTFT(Representation):
    """(batch, samples) <-> (batch, 2, window/2+1, frames): real and imaginary part."""

    units = "real and imaginary part, a full-scale sine has magnitude 1"
    promise = Exactness(110.0, 110.0)

    def __init__(self, window: int = 2048, hop: int = 512):
        super().__init__()
        check_window(window, hop)
        self.window, self.hop = window, hop

    def shape(self, samples: int) -> tuple[int, ...]:
        return (2, self.window // 2 + 1, frame_count(samples, self.hop))

    def encode(self, audio: Tensor) -> Tensor:
        check_audio(audio)
        return torch.view_as_real(stft(audio, self.window, self.hop)).permute(0, 3, 1, 2)

    def decode(self, image: Tensor, samples: int) -> Tensor:
        check_image(image, self.shape(samples))
        real, imaginary = image.float().unbind(1)
        return istft(torch.complex(real, imaginary), self.window, self.hop, samples)


REPRESENTATIONS = {"stft": ComplexSTFT}
