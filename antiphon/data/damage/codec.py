"""Lossy codecs, the real ones that libsndfile brings: MP3, Opus and Vorbis."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np

from antiphon.core.stopping import held
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.damage.damage import Damage, Field

EDGE = 4096  # samples before and after a sound that are coded with it: codecs need a run-up
LAG = 2400  # samples by which a decoder may be late, at most


class Codec(NamedTuple):
    """form, subtype: libsndfile's names. least: kbit/s of a channel at compression level 1, most: at 0."""

    form: str
    subtype: str
    rate: int
    least: float
    most: float


CODECS = {
    "mp3": Codec("MP3", "MPEG_LAYER_III", SAMPLE_RATE, 34.0, 320.0),
    "opus": Codec("OGG", "OPUS", 48000, 8.0, 256.0),
    "vorbis": Codec("OGG", "VORBIS", SAMPLE_RATE, 65.0, 254.0),
}


def coded(sound: np.ndarray, kilobits: float, rng: np.random.Generator, field: Field | None) -> np.ndarray:
    """kilobits: a second and channel. Which codec is chance, among those that go so low."""
    able = [name for name, codec in CODECS.items() if kilobits >= codec.least + 4]
    return through(sound, str(rng.choice(able or ["opus"])), kilobits)


def through(sound: np.ndarray, name: str, kilobits: float) -> np.ndarray:
    """(samples, channels), coded and decoded by a codec of CODECS, in step with the original."""
    import soundfile
    import soxr

    codec = CODECS[name]
    ready = np.clip(np.pad(sound, ((EDGE, EDGE), (0, 0))), -1, 1)
    if codec.rate != SAMPLE_RATE:
        ready = soxr.resample(ready, SAMPLE_RATE, codec.rate)
    how = {"compression_level": min(max((codec.most - kilobits) / (codec.most - codec.least), 0.0), 0.99)}
    if name == "mp3":
        how["bitrate_mode"] = "CONSTANT"  # type: ignore[assignment]
    file = io.BytesIO()
    with held():  # libsndfile calls the file's methods, which could not pass a stop on
        soundfile.write(file, ready, codec.rate, format=codec.form, subtype=codec.subtype, **how)
        file.seek(0)
        out, rate = soundfile.read(file, dtype="float32", always_2d=True)
    out = soxr.resample(out, rate, SAMPLE_RATE) if rate != SAMPLE_RATE else out
    return _in_step(out, sound)


def _in_step(out: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """What was decoded, moved to where it matches best, and without the edges."""
    padded = np.pad(out, ((0, max(len(sound) + 2 * EDGE + LAG - len(out), 0)), (0, 0)))
    size = 1 << (len(padded) + EDGE).bit_length()
    cross = np.fft.irfft(np.fft.rfft(padded.sum(1), size) * np.fft.rfft(sound.sum(1), size).conj(), size)
    lags = np.arange(EDGE - 16, EDGE + LAG)
    best = int(lags[np.argmax(cross[lags])])
    start = best if abs(best - EDGE) > 8 else EDGE  # less than that may be the music's doing
    return padded[start : start + len(sound)]


DAMAGES = {"codec": Damage(70, "kbit/s a channel", 96.0, 12.0, coded, ratio=True)}
