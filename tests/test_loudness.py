"""The meters of a mix by the standards' own cases: EBU Tech 3341 (table 1) and ITU-R BS.1770."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from antiphon.music.master import Meter, TruePeak

RATES = (44_100, 48_000)
CASES = {  # of Tech 3341: (seconds, dBFS) of a 1 kHz sine in both channels, one after another
    1: [(20, -23.0)],
    2: [(20, -33.0)],
    3: [(10, -36.0), (60, -23.0), (10, -36.0)],
    4: [(10, -72.0), (10, -36.0), (60, -23.0), (10, -36.0), (10, -72.0)],
    5: [(20, -26.0), (20.1, -20.0), (20, -26.0)],
}
# Of Tech 3341: divisor of the sample rate, phase in degrees, amplitude; what lies between samples is up to 3 dB higher.
PEAKS = {15: (4, 0, 0.5), 16: (4, 45, 0.5), 17: (6, 60, 0.5), 18: (8, 67.5, 0.5), 19: (4, 45, 1.41)}


def sines(parts, rate):
    """(samples, 2) of sines whose phase goes on where the level changes."""
    levels = np.concatenate([np.full(round(seconds * rate), 10 ** (db / 20)) for seconds, db in parts])
    sine = levels * np.sin(2 * np.pi * 1000 * np.arange(len(levels)) / rate)
    return np.stack([sine, sine], axis=1).astype(np.float32)


def loudness(sound, rate):
    meter = Meter(rate)
    for start in range(0, len(sound), 65_537):
        meter.add(sound[start : start + 65_537])
    return meter.loudness()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("case", CASES)
def test_integrated_loudness_by_tech_3341(case, rate):
    wanted = -33.0 if case == 2 else -23.0
    assert loudness(sines(CASES[case], rate), rate) == pytest.approx(wanted, abs=0.1)


def test_what_lies_below_70_lufs_does_not_count():
    """The absolute gate: less than 10 LU apart, the relative one alone would let the quiet part in."""
    assert loudness(sines([(20, -64.0), (200, -72.0)], RATES[0]), RATES[0]) == pytest.approx(-64.0, abs=0.1)
    assert loudness(np.zeros((RATES[0], 2)), RATES[0]) == -np.inf


@pytest.mark.parametrize("rate", RATES)
def test_full_scale_in_one_channel_by_bs_1770(rate):
    """0 dBFS at 997 Hz in one channel reads -3.01 LKFS."""
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * rate) / rate)
    for channels in ([sine, 0 * sine], [0 * sine, sine]):
        assert loudness(np.stack(channels, axis=1), rate) == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize("hz", [25, 60, 200, 500, 2_000, 5_000, 12_000])
def test_the_weighting_is_that_of_the_published_filters(hz):
    """Both biquads of BS.1770, run over the samples at the rate that they are published for."""
    rate = 48_000
    sound = 0.1 * np.sin(2 * np.pi * hz * np.arange(4 * rate) / rate)
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]
    heard = lfilter(*high_pass, lfilter(*shelf, sound))[rate:]
    wanted = 10 * np.log10(np.square(heard).mean()) - 0.691
    assert loudness(sound[:, None], rate) == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("case", PEAKS)
def test_true_peaks_by_tech_3341(case):
    """Within +0.2 and -0.4 dB, whatever the sample rate: all is said in parts of it."""
    divisor, degrees, amplitude = PEAKS[case]
    count = 48_000
    sine = amplitude * np.sin(2 * np.pi * np.arange(count) / divisor + np.radians(degrees))
    ramp = np.clip(np.minimum(np.arange(count), np.arange(count)[::-1]) / 480, 0, 1)  # a jump has peaks of its own
    sound = np.stack([sine * ramp] * 2, axis=1).astype(np.float32)
    meter = TruePeak()
    for start in range(0, count, 10_001):
        meter.add(sound[start : start + 10_001])
    assert -0.4 < 20 * np.log10(meter.end() / amplitude) < 0.2
