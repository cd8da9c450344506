"""Log-mel spectrograms, the distance between two of them at several resolutions, and the cut at -60 dB."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from antiphon.core.units import MEL, MEL_CORNER, SAMPLE_RATE

SCALES = ((512, 128, 32), (2_048, 512, 80), (8_192, 2_048, 128))  # window, hop (samples), mel bands: attack to partials
FLOOR_DB = -60.0  # below the loudest band of the pair, nothing is compared


def mel_of(hz: float | np.ndarray) -> np.ndarray:
    """Mel of a frequency in Hz."""
    return MEL * np.log10(1 + np.asarray(hz) / MEL_CORNER)


@lru_cache(maxsize=32)
def mel_bands(sample_rate: int, size: int, bands: int, low: float = 0.0, high: float | None = None) -> np.ndarray:
    """Triangles on the mel axis, each summing to 1: (bands, size // 2 + 1) float32. A band without a bin gets one.

    Their sides are straight in mel, as the embeddings that judge were trained on (Essentia's). Those that voices are
    trained on (`representations.spectral.mel_filters`) are straight in Hz: same edges, weights up to 0.01 apart. Both
    stay, since weights on disk and published figures hang on either."""
    edges = np.linspace(mel_of(low), mel_of(high or sample_rate / 2), bands + 2)
    bins = mel_of(np.fft.rfftfreq(size, 1 / sample_rate))
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    weights = np.maximum(np.minimum(rise, fall), 0)
    empty = np.flatnonzero(weights.sum(1) == 0)
    weights[empty, np.abs(bins - edges[1:-1][empty, None]).argmin(1)] = 1
    bank = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    bank.flags.writeable = False  # callers share it
    return bank


def frames(audio: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Windows (n, size) of audio (samples,), centred on 0, hop, 2 hop ... up to its end; zeros outside."""
    count = max(-(-len(audio) // hop), 1)
    padded = np.zeros((count - 1) * hop + size, np.float32)
    part = audio[: len(padded) - size // 2]
    padded[size // 2 : size // 2 + len(part)] = part
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]


def mel_power(audio: np.ndarray, sample_rate: int, size: int, hop: int, bands: int) -> np.ndarray:
    """Mel power spectrogram (n, bands) float32 of audio (samples,) with a Hann window; <= 1 for a full-scale sine."""
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(frames(audio, size, hop) * (window * (2 / window.sum())), axis=1)
    return (np.abs(spectrum).astype(np.float32) ** 2) @ mel_bands(sample_rate, size, bands).T


def log_mels(audio: np.ndarray, *, sample_rate: int = SAMPLE_RATE) -> list[np.ndarray]:
    """Power in dB of a sound (samples,) at each of SCALES: (n, bands) float32; -140 for silence."""
    sound = np.asarray(audio, np.float32)
    return [10 * np.log10(mel_power(sound, sample_rate, *scale) + 1e-14) for scale in SCALES]


def log_mel_distance(one: list[np.ndarray], target: list[np.ndarray]) -> float:
    """mel_distance of two sounds of equal length, from their log_mels."""
    total = 0.0
    for a, b in zip(one, target, strict=True):
        floor = b.max() + FLOOR_DB
        x, y = np.maximum(a, floor), np.maximum(b, floor)
        heard = (x > floor) | (y > floor)
        total += float(np.abs(x - y)[heard].mean()) if heard.any() else 0.0
    return total / len(SCALES)


def mel_distance(audio: np.ndarray, target: np.ndarray, *, sample_rate: int = SAMPLE_RATE) -> float:
    """Mean |difference| in dB of two sounds' log-mel spectrograms, over three resolutions; 0 for equal sounds.

    audio, target: (samples,); the shorter is padded with silence. Both are clamped 60 dB below the target's loudest
    band, and cells where both are clamped are left out, so that silence neither helps nor harms.
    """
    length = max(len(audio), len(target), 1)
    one, other = (np.pad(x, (0, length - len(x))) for x in (audio, target))
    return log_mel_distance(log_mels(one, sample_rate=sample_rate), log_mels(other, sample_rate=sample_rate))


def cut_tail(audio: np.ndarray, *, below_db: float = 60.0, block: int = 441) -> np.ndarray:
    """`audio` (samples,) cut after its last block of 10 ms that is not `below_db` below its loudest block (a view)."""
    if len(audio) < block:
        return audio
    count = len(audio) // block
    level = np.square(audio[: count * block].reshape(count, block), dtype=np.float64).mean(1)
    heard = np.flatnonzero(level > level.max() * 10 ** (-below_db / 10))
    return audio[: (heard[-1] + 1) * block] if len(heard) else audio[:block]


def fit_length(audio: np.ndarray, length: int, *, fade: int = 220) -> np.ndarray:
    """`audio` (samples,) padded with silence or cut to `length` samples; a cut is faded over `fade` samples."""
    if len(audio) <= length:
        return np.pad(audio, (0, length - len(audio)))
    out = np.array(audio[:length])
    fade = min(fade, length)
    out[length - fade :] *= np.linspace(1, 0, fade, dtype=out.dtype)
    return out
