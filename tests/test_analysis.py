"""Measuring notes: every quantity against a sound designed to have it."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.data.analysis import descriptors as analysis
from antiphon.data.analysis.partials import free_centres, stretched


def tone(hz: float, seconds: float = 1.0, ratios=range(1, 13), slope: float = 1.0, decay: float = 0.0) -> np.ndarray:
    """A sum of sines at ratios * hz, amplitude 1 / n ** slope, with fixed odd phases."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sines = (
        np.sin(2 * np.pi * r * hz * t + 1.7 * n) / (n + 1) ** slope
        for n, r in enumerate(ratios)
        if r * hz < 0.45 * SAMPLE_RATE
    )
    return (0.1 * sum(sines) * np.exp(-decay * t)).astype(np.float32)


def swaying(hz: float, depth: float, rate: float, seconds: float = 2.0, harmonics: int = 10) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(hz * 2 ** (depth / 1200 * np.sin(2 * np.pi * rate * t))) / SAMPLE_RATE
    ks = [k for k in range(1, harmonics + 1) if k * hz < 18000]
    return (0.1 * sum(np.sin(k * phase + k) / k for k in ks)).astype(np.float32)


# --- edges


@pytest.mark.parametrize("delay", [0, 1, 500, 4410, 30000])
@pytest.mark.parametrize("noise", [0.0, 1e-5])
def test_onset_of_a_sharp_attack(delay: int, noise: float) -> None:
    audio = np.concatenate([np.zeros(delay, np.float32), tone(440, 0.5, decay=3)])
    audio += noise * np.random.default_rng(0).standard_normal(len(audio)).astype(np.float32)
    assert -16 <= analysis.find_onset(audio) - delay <= 16


def test_onset_of_a_slow_attack_is_early() -> None:
    audio = tone(220, 1.0) * np.clip(np.arange(SAMPLE_RATE) / (0.4 * SAMPLE_RATE), 0, 1).astype(np.float32)
    audio = np.concatenate([np.zeros(10000, np.float32), audio])
    assert 10000 - 200 <= analysis.find_onset(audio) <= 10000 + 0.03 * SAMPLE_RATE


@pytest.mark.parametrize("decay", [0.0, 3.0])
@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.7])  # from the release to -60 dB
@pytest.mark.parametrize("tremolo", [0.0, 0.4])
def test_release_of_a_note(decay: float, seconds: float, tremolo: float) -> None:
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    let_go = 10 ** (-3 * np.clip(t - 1, 0, None) / seconds) * (1 - tremolo * np.sin(2 * np.pi * 6 * t) ** 2)
    audio = analysis.cut_and_fade_tail((tone(330, 2.0, decay=decay) * let_go).astype(np.float32))
    assert abs(analysis.find_release(audio) - SAMPLE_RATE) < 0.05 * SAMPLE_RATE


@pytest.mark.parametrize("noise", [-60, -50, -40])  # dB
@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_a_release_into_noise(noise: float, seconds: float) -> None:
    t = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    audio = tone(330, 3.0) * 10 ** (-3 * np.clip(t - 1, 0, None) / seconds)
    audio += 10 ** (noise / 20) * audio[:SAMPLE_RATE].std() * np.random.default_rng(0).standard_normal(len(t))
    assert abs(analysis.find_release(audio.astype(np.float32)) - SAMPLE_RATE) < 0.05 * SAMPLE_RATE


@pytest.mark.parametrize(("level", "seconds"), [(-30, 1.0), (-40, 2.0)])
def test_a_release_in_a_room(level: float, seconds: float) -> None:
    after = np.clip(np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE - 1, 0, None)
    audio = tone(330, 3.0) * (10 ** (-3 * after / 0.05) + 10 ** (level / 20 - 3 * after / seconds))
    assert (
        abs(analysis.find_release(analysis.cut_and_fade_tail(audio.astype(np.float32))) - SAMPLE_RATE)
        < 0.05 * SAMPLE_RATE
    )


@pytest.mark.parametrize("decay", [0.0, 3.0])
def test_a_note_that_ends_at_once_was_let_go(decay: float) -> None:
    audio = np.append(tone(330, 2.0, decay=decay)[:SAMPLE_RATE], np.zeros(SAMPLE_RATE, np.float32))
    assert abs(analysis.find_release(analysis.cut_and_fade_tail(audio)) - SAMPLE_RATE) < 0.05 * SAMPLE_RATE


def test_a_decay_that_slows_down_is_no_release() -> None:
    """As in a piano: strings beat against each other and then ring on."""
    audio = 0.9 * tone(330, 6.0, decay=9) + 0.1 * tone(330, 6.0, decay=1.5)
    assert analysis.find_release(analysis.cut_and_fade_tail(audio)) == -1
    assert analysis.find_release(np.zeros(0, np.float32)) == -1


@pytest.mark.parametrize("decay", [1.0, 4.0, 15.0])
def test_a_natural_decay_has_no_release(decay: float) -> None:
    assert analysis.find_release(analysis.cut_and_fade_tail(tone(330, 8 / decay, decay=decay))) == -1


def test_release_hint() -> None:
    audio = tone(330, 2.0, decay=1)
    assert analysis.find_release(audio, 30000) == 30000
    assert analysis.find_release(audio, len(audio) + 5) == -1
    assert analysis.find_release(tone(330, 2.0, decay=20), int(1.5 * SAMPLE_RATE)) == -1  # silent by then


def test_cut_and_fade_tail() -> None:
    audio = np.concatenate([tone(440, 0.5), 1e-6 * np.ones(20000, np.float32)])
    cut = analysis.cut_and_fade_tail(audio)
    assert 0.5 * SAMPLE_RATE - 10 <= len(cut) <= 0.54 * SAMPLE_RATE
    assert abs(cut[-1]) < 1e-6
    np.testing.assert_array_equal(cut[:20000], audio[:20000])
    assert len(analysis.cut_and_fade_tail(np.zeros(100, np.float32))) == 1


def test_without_dc() -> None:
    clean = tone(440)
    moved = analysis.without_dc(clean + 0.2)
    assert abs(moved[8000:].mean()) < 1e-4
    assert analysis.without_dc(clean) is clean


# --- pitch


@pytest.mark.parametrize("pitch", [28, 40, 52.5, 64, 76, 88, 100, 107])
@pytest.mark.parametrize("detune", [-31.0, 0.0, 13.0])
def test_f0_of_a_steady_tone(pitch: float, detune: float) -> None:
    cents, tuning = analysis.measure_f0(tone(midi_to_hz(pitch + detune / 100), decay=1), pitch)
    assert cents.shape == (analysis.frames_of(SAMPLE_RATE),)
    assert cents.dtype == np.float32
    assert abs(tuning - detune) < 0.5
    assert np.abs(cents - detune)[4:-8].max() < 1.0


@pytest.mark.parametrize("pitch", [52, 60, 72, 84, 96])
def test_f0_follows_vibrato(pitch: int) -> None:
    cents, tuning = analysis.measure_f0(swaying(midi_to_hz(pitch), 50, 6), pitch)
    true = 50 * np.sin(2 * np.pi * 6 * np.arange(len(cents)) * analysis.FRAME / SAMPLE_RATE)
    assert np.sqrt(np.mean((cents - true)[8:-8] ** 2)) < 5
    assert abs(tuning) < 4


def test_f0_of_a_stretched_string_is_its_first_partial() -> None:
    ratios = stretched(np.arange(1, 11), 4e-4)
    _, tuning = analysis.measure_f0(tone(midi_to_hz(60), ratios=ratios), 60)
    assert abs(tuning) < 2


def test_a_timpani_is_in_tune_with_its_loudest_mode() -> None:
    """The modes of a membrane are not harmonics, and those that happen to be near one say nothing about the pitch."""
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    modes = {1.0: 0.0, 1.5: -8, 1.98: -10, 2.44: -12, 2.94: -8, 3.9: -14, 5.05: -16}
    sound = sum(10 ** (db / 20) * np.exp(-t / 0.4) * np.sin(2 * np.pi * 111 * r * t + r) for r, db in modes.items())
    nominal = 110.0
    off = 1200 * np.log2(111 / nominal)
    cents, tuning = analysis.measure_f0(sound.astype(np.float32), 69 + 12 * np.log2(nominal / 440))
    assert abs(tuning - off) < 2
    assert np.abs(cents - off).max() < 2


@pytest.mark.parametrize("pitch", [28, 40])
@pytest.mark.parametrize("stiff", [6e-4, 2e-3])
@pytest.mark.parametrize("loudest", [4, 6])
def test_a_stiff_string_is_in_tune_with_its_fundamental_whichever_partial_is_loudest(pitch, stiff, loudest) -> None:
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    levels = [-25.0, -20, -15, -12, -12, -12]
    levels[loudest - 1] = 0.0
    ratios = stretched(np.arange(1, 7), stiff)
    sines = (
        10 ** (db / 20) * np.sin(2 * np.pi * midi_to_hz(pitch) * r * t + r)
        for db, r in zip(levels, ratios, strict=True)
    )
    _, tuning = analysis.measure_f0((0.1 * sum(sines) * np.exp(-t)).astype(np.float32), pitch)
    assert abs(tuning) < 3


def test_f0_of_nothing() -> None:
    for audio in (np.zeros(0, np.float32), np.zeros(3000, np.float32), tone(440, 0.01)):
        cents, tuning = analysis.measure_f0(audio, 30)
        assert cents.shape == (analysis.frames_of(len(audio)),)
        assert np.isfinite(cents).all()
        assert np.isfinite(tuning)


@pytest.mark.parametrize(("depth", "rate"), [(20, 5.0), (60, 6.5)])
def test_vibrato(depth: float, rate: float) -> None:
    cents, _ = analysis.measure_f0(swaying(440, depth, rate), 69)
    found_rate, found_depth, delay = analysis.measure_vibrato(cents)
    assert abs(found_rate - rate) < 0.2
    assert abs(found_depth - depth) < 0.15 * depth
    assert delay < 0.3


def test_vibrato_that_begins_late_and_none() -> None:
    frames = np.arange(260) / 86.13
    late = np.where(frames > 1.2, 20 * np.sin(2 * np.pi * 5.5 * frames), 0)
    assert 0.9 < analysis.measure_vibrato(late)[2] < 1.5
    drift = np.linspace(0, 30, 260) + np.random.default_rng(0).normal(0, 0.5, 260)
    assert analysis.measure_vibrato(drift) == (0.0, 0.0, 0.0)
    assert analysis.measure_vibrato(np.zeros(10)) == (0.0, 0.0, 0.0)


# --- partials


def free_of(partials: analysis.Partials) -> np.ndarray:
    return partials.free_ratio[partials.free_level > -120]


@pytest.mark.parametrize("pitch", [36, 48, 60, 72, 84])
def test_a_harmonic_tone_has_no_free_partials(pitch: int) -> None:
    partials = analysis.measure_partials(tone(midi_to_hz(pitch), decay=2), midi_to_hz(pitch))
    np.testing.assert_allclose(partials.ratios[:12], np.arange(1, 13), atol=2e-3)
    np.testing.assert_allclose(partials.harmonic_level[:6], -20 * np.log10(np.arange(1, 7)), atol=0.5)
    assert partials.inharmonicity < 1e-6
    assert len(free_of(partials)) == 0
    assert (partials.harmonic_level[40:] < -60).all()


@pytest.mark.parametrize(("pitch", "b"), [(45, 1e-4), (60, 3.3e-4), (72, 8e-4), (88, 4e-3)])
def test_a_stretched_string(pitch: int, b: float) -> None:
    ratios = stretched(np.arange(1, 25), b)
    partials = analysis.measure_partials(tone(midi_to_hz(pitch), ratios=ratios, slope=0.7, decay=2), midi_to_hz(pitch))
    heard = ratios * midi_to_hz(pitch) < 0.45 * SAMPLE_RATE
    np.testing.assert_allclose(partials.ratios[:24][heard], ratios[heard], rtol=2e-3)
    assert abs(partials.inharmonicity / b - 1) < 0.05
    assert len(free_of(partials)) == 0


@pytest.mark.parametrize(
    ("ratios", "free"),
    [
        ([1, 2.74, 5.31, 7.6], [2.74, 5.31, 7.6]),  # a glockenspiel
        ([1, 5.39, 7.3], [5.39, 7.3]),  # a celesta
        ([1, 0.25, 0.5, 0.75, 1.25, 2, 3], [0.25, 0.5, 0.75, 1.25]),  # drawbars below f0
    ],
)
@pytest.mark.parametrize("decay", [0.0, 5.0])
def test_free_partials(ratios: list[float], free: list[float], decay: float) -> None:
    audio = tone(midi_to_hz(72), ratios=ratios, slope=0.5, decay=decay)
    audio += 1e-5 * np.random.default_rng(0).standard_normal(len(audio)).astype(np.float32)
    partials = analysis.measure_partials(audio, midi_to_hz(72))
    np.testing.assert_allclose(np.sort(free_of(partials)), free, rtol=2e-3)
    assert partials.inharmonicity == 0
    slots = np.argmin(np.abs(np.log(free_centres() / np.array(free)[:, None])), axis=1)
    assert set(np.flatnonzero(partials.free_level > -120)) == set(slots)


@pytest.mark.parametrize(
    ("ratios", "free"),
    [
        ([1.14, 2.28], [1.14]),  # a drum whose key is not its tone
        ([0.96, 1, 1.045, 2, 3], [0.96, 1.045]),  # players of a section, three quarters of a tone apart
    ],
)
def test_strong_partials_close_to_a_harmonic_are_their_own(ratios: list[float], free: list[float]) -> None:
    audio = tone(midi_to_hz(46), ratios=ratios, slope=0.3, decay=3)
    found = analysis.measure_partials(audio, midi_to_hz(46))
    near_one = free_of(found)[np.abs(free_of(found) - 1) < 0.3]
    np.testing.assert_allclose(np.sort(near_one), free, rtol=5e-3)
    weak = tone(midi_to_hz(46), decay=3) + 0.02 * tone(midi_to_hz(46), ratios=[1.14], slope=0.3, decay=3)
    assert len(free_of(analysis.measure_partials(weak, midi_to_hz(46)))) == 0


def test_no_partials_in_noise() -> None:
    for seed in range(5):
        noise = 0.1 * np.random.default_rng(seed).standard_normal(SAMPLE_RATE).astype(np.float32)
        partials = analysis.measure_partials(noise, 440.0)
        assert len(free_of(partials)) == 0


def test_unison_is_one_broad_harmonic() -> None:
    audio = sum(tone(midi_to_hz(64 + cents / 100), 2.0, ratios=range(1, 20)) for cents in (-14, -5, 3, 12))
    cents, _ = analysis.measure_f0(audio, 64)
    partials = analysis.measure_partials(audio, midi_to_hz(64) * 2 ** (cents / 1200))
    assert len(free_of(partials)) == 0
    np.testing.assert_allclose(partials.ratios[:12], np.arange(1, 13), rtol=0.01)


def test_vibrato_is_warped_away() -> None:
    audio = swaying(midi_to_hz(67), 40, 5.5)
    cents, _ = analysis.measure_f0(audio, 67)
    partials = analysis.measure_partials(audio, midi_to_hz(67) * 2 ** (cents / 1200))
    np.testing.assert_allclose(partials.ratios[:8], np.arange(1, 9), atol=0.01)
    np.testing.assert_allclose(partials.harmonic_level[:8], -20 * np.log10(np.arange(1, 9)), atol=1.5)
    assert len(free_of(partials)) == 0


def test_plausible_pitch() -> None:
    audio = tone(midi_to_hz(60), ratios=range(1, 4), decay=2)
    assert analysis.plausible_pitch(audio, 60)
    assert analysis.plausible_pitch(audio, 60.5)
    assert not analysis.plausible_pitch(audio, 66)


# --- character


def describe(audio: np.ndarray, hz: float, hold: int = -1) -> dict[str, float]:
    values = analysis.descriptors(audio, hz, hold, (0.0, 0.0, 0.0))
    return dict(zip(analysis.DESCRIPTORS, map(float, values), strict=True))


def test_descriptors_say_what_they_are_called() -> None:
    bright, dark = describe(tone(220, slope=0.3), 220), describe(tone(220, slope=2), 220)
    assert bright["centroid"] > dark["centroid"] + 0.5
    assert bright["brightness"] > dark["brightness"] + 0.5
    odd = describe(tone(220, ratios=range(1, 20, 2)), 220)
    assert odd["odd_even"] > 20 > abs(dark["odd_even"]) - 40
    assert abs(describe(tone(220, decay=2), 220)["decay"] - 17.4) < 1
    noise = 0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
    assert describe(noise, 220)["noisiness"] > -6
    assert dark["noisiness"] < -40
    wide = sum(tone(midi_to_hz(57 + c / 100), 1.0) for c in (-12, 0, 12))
    assert describe(wide, 220)["width"] > describe(tone(220), 220)["width"] + 1.5
    ramp = np.clip(np.arange(SAMPLE_RATE) / (0.25 * SAMPLE_RATE), 0, 1).astype(np.float32)
    assert abs(10 ** describe(tone(220) * ramp, 220)["attack"] - 0.2) < 0.04


@pytest.mark.parametrize("seconds", [0.0, 1e-4, 0.003, 0.05])
def test_everything_is_finite_for_anything(seconds: float) -> None:
    rng = np.random.default_rng(0)
    n = int(seconds * SAMPLE_RATE) + 1
    for audio in (np.zeros(n, np.float32), rng.standard_normal(n).astype(np.float32), np.ones(n, np.float32)):
        for pitch in (0, 60, 127):
            cents, _ = analysis.measure_f0(audio, pitch)
            hz = midi_to_hz(pitch) * 2 ** (cents / 1200)
            partials = analysis.measure_partials(audio, hz)
            assert all(np.isfinite(v).all() for v in vars(partials).values())
            assert np.isfinite(analysis.descriptors(audio, hz, -1, (0, 0, 0))).all()
            analysis.plausible_pitch(audio, pitch)
            analysis.find_onset(audio)
            analysis.find_release(audio)
