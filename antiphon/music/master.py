"""The last step of a mix: a level that is the same from song to song, and a limiter, so that nothing clips."""

import numpy as np

TARGET_LUFS = -16.0
CEILING = 10 ** (-1 / 20)  # -1 dBFS
MOST_LIMITING = 4.0  # dB: a song with higher peaks is left quieter rather than squeezed
BLOCK = 32  # samples between points of the limiter's gain
ATTACK, RELEASE = 0.005, 0.080  # seconds; the attack lies before the peak
TAPS = 24  # of each interpolator that looks between the samples


def master(mix: np.ndarray, sample_rate: int) -> np.ndarray:
    """Level and limit: (samples, 2) float32 -> the same shape, about TARGET_LUFS, true peak at most -1 dBFS.

    The level is one constant for the whole song; the limiter works only where that would pass the ceiling.
    """
    loud, peak = loudness(mix, sample_rate), float(np.abs(mix).max(initial=0.0))
    if peak == 0.0 or not np.isfinite(loud):
        return mix
    gain = min(10 ** ((TARGET_LUFS - loud) / 20), CEILING * 10 ** (MOST_LIMITING / 20) / peak)
    return limit(mix * np.float32(gain), sample_rate)


def loudness(audio: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness (ITU-R BS.1770-4) of (samples, channels), in LUFS; -inf for silence.

    The K weighting is applied to the blocks' spectra; blocks are 0.4 s long and overlap by half.
    """
    size = min(round(0.4 * sample_rate), len(audio))
    if size < 2:
        return -np.inf
    weight = _k_weighting(np.fft.rfftfreq(size, 1 / sample_rate)) * (2 / size**2)
    starts = range(0, len(audio) - size + 1, max(size // 2, 1))
    power = np.array([(np.abs(np.fft.rfft(audio[s : s + size], axis=0)) ** 2 * weight[:, None]).sum() for s in starts])
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    if not len(power):
        return -np.inf
    return float(10 * np.log10(power[power > power.mean() / 10].mean()) - 0.691)


def _k_weighting(frequency: np.ndarray) -> np.ndarray:
    """Power response of BS.1770's two filters (published for 48 kHz, evaluated at the true frequency in Hz)."""
    z = np.exp(-2j * np.pi * np.minimum(frequency, 24000) / 48000)
    shelf = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], z)
    shelf /= np.polyval([0.73248077421585, -1.69065929318241, 1.0], z)
    low = (1 - z) ** 2 / np.polyval([0.99007225036621, -1.99004745483398, 1.0], z)
    return np.abs(shelf * low) ** 2


def limit(audio: np.ndarray, sample_rate: int, ceiling: float = CEILING) -> np.ndarray:
    """A look-ahead peak limiter: (samples, 2) float32 in, the same out, unchanged where nothing passes the ceiling.

    Peaks are judged between the samples too (four times oversampled); both channels get the same gain.
    """
    peaks = _block_peaks(audio, ceiling)
    if peaks.max(initial=0.0) <= ceiling:
        return audio
    # A hair below the ceiling: a moving gain shifts the peaks between samples a little.
    needed = np.minimum(1.0, ceiling * 10 ** (-0.1 / 20) / np.maximum(peaks, 1e-9))
    gain = _eased(needed, np.exp(-BLOCK / (RELEASE * sample_rate)))
    gain = _eased(gain[::-1], np.exp(-3 * BLOCK / (ATTACK * sample_rate)))[::-1]
    # Straight lines between block edges, each edge the lower of its neighbours: never above what a block needs.
    edges = np.minimum(np.append(1.0, gain), np.append(gain, 1.0)).astype(np.float32)
    position = np.arange(BLOCK, dtype=np.float32) / BLOCK
    curve = edges[:-1, None] + (edges[1:] - edges[:-1])[:, None] * position
    return audio * curve.reshape(-1)[: len(audio), None]


def _eased(needed: np.ndarray, keep: float) -> np.ndarray:
    """A gain that falls at once to what is needed and then rises to 1 exponentially."""
    eased, gain = np.ones(len(needed)), 1.0
    busy = np.flatnonzero(needed < 1)
    for index in range(busy[0] if len(busy) else len(needed), len(needed)):
        gain = min(needed[index], 1 - (1 - gain) * keep)
        eased[index] = gain
    return eased


def _block_peaks(audio: np.ndarray, ceiling: float) -> np.ndarray:
    """True peak of each block of BLOCK samples over both channels: (blocks,). Quiet stretches show sample peaks only,
    where even the interpolated ones are far below the ceiling."""
    blocks = -(-len(audio) // BLOCK)
    peaks = np.zeros(blocks)
    chunk = 1024 * BLOCK
    for start in range(0, len(audio), chunk):
        around = np.zeros((chunk + 2 * TAPS, audio.shape[1]), np.float32)
        a, b = max(start - TAPS, 0), min(start + chunk + TAPS, len(audio))
        around[a - start + TAPS : b - start + TAPS] = audio[a:b]
        level = np.abs(around).max(axis=1)
        if level.max() > ceiling / 2:
            for channel in around.T:
                for fraction in (0.25, 0.5, 0.75):
                    level = np.maximum(level, np.abs(np.convolve(channel, _interpolator(fraction), "same")))
        inside = level[TAPS : TAPS + chunk].reshape(-1, BLOCK).max(axis=1)
        peaks[start // BLOCK : start // BLOCK + len(inside)] = inside[: blocks - start // BLOCK]
    return peaks


def _interpolator(fraction: float) -> np.ndarray:
    """A windowed sinc that reads a signal `fraction` of a sample away: (TAPS,) float32."""
    at = np.arange(TAPS) - TAPS // 2 + fraction
    taps = np.sinc(at) * np.cos(np.pi * at / (TAPS + 2)) ** 2
    return (taps / taps.sum()).astype(np.float32)
