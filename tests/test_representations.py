"""One contract for all representations, and the numerics below them against scipy and closed forms."""

import heapq
import math
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.core.registry import registry
from antiphon.representations.contract import exactness
from antiphon.representations.griffin_lim import griffin_lim
from antiphon.representations.heap_integration import Edges, _gradients, _potentials, heap_integration
from antiphon.representations.instantaneous_frequency import MagnitudeIF, MelMagnitudeIF, phase_of, turns_of
from antiphon.representations.level import level_of, power_of
from antiphon.representations.log_magnitude import LogMagnitude
from antiphon.representations.log_mel import LogMelSpectrogram
from antiphon.representations.spectral import LogMel, magnitude
from antiphon.representations.standardised import Standardised
from antiphon.representations.stft import ComplexSTFT, istft, stft
from antiphon.voices.views import representation, representations

RATE = 44_100
NAMES = sorted(representations())


@lru_cache
def note(hz: float = 220.0, samples: int = 12_000) -> Tensor:
    """(1, samples): a plucked string of up to 59 partials."""
    t = torch.arange(samples).double() / RATE
    partials = [torch.sin(2 * math.pi * k * hz * t + k) * torch.exp(-2.5 * k * t) / k for k in range(1, 60)]
    return (0.3 * sum(p for k, p in enumerate(partials, 1) if k * hz < 20_000)).float().unsqueeze(0)


def chirp(samples: int = 44_100, low: float = 200.0, rise: float = 8000.0) -> Tensor:
    t = torch.arange(samples).double() / RATE
    return (0.5 * torch.sin(2 * math.pi * (low * t + rise / 2 * t.square()))).float().unsqueeze(0)


# ---- the contract ----------------------------------------------------------------------------------------------------


def test_the_usual_representations_are_there() -> None:
    for name in ("waveform", "stft", "if", "mel-if", "log-magnitude", "log-mel", "log-mel/griffin-lim", "log-mel/pghi"):
        assert name in NAMES
    with pytest.raises(AntiphonError, match="waveform"):
        representation("wavefrom")


def test_a_new_file_is_a_new_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("WARES = {'nail': 1}")
    (package / "b.py").write_text("OTHER = {'saw': 2}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry("shop", "WARES") == {"nail": 1}
    (package / "c.py").write_text("WARES = {'screw': 3}")
    assert registry("shop", "WARES") == {"nail": 1, "screw": 3}
    for module in [m for m in sys.modules if m.split(".")[0] == "shop"]:
        monkeypatch.delitem(sys.modules, module)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_units_and_range(name: str) -> None:
    view = representation(name)
    sounds = torch.cat([note(samples=6000), chirp(6000)])
    image = view(sounds)
    assert image.shape == (2, *view.shape(6000))
    assert image.dtype == torch.float32
    assert view.units
    assert image.abs().max() <= 1.05  # a network's tanh can draw it
    sound = view.decode(image, 6000)
    assert sound.shape == (2, 6000)
    assert sound.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_round_trip_keeps_what_is_promised(name: str) -> None:
    view = representation(name)
    kept = exactness(view, note())
    assert kept.waveform >= view.promise.waveform
    assert kept.magnitude >= view.promise.magnitude


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_and_there(name: str) -> None:
    view = representation(name)
    sounds = torch.cat([note(samples=4096), torch.zeros(1, 4096)]).requires_grad_(True)
    image = view.encode(sounds)
    towards = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    (image * towards).sum().backward()
    assert sounds.grad is not None
    assert sounds.grad.isfinite().all()
    assert sounds.grad[0].abs().max() > 0
    drawn = image.detach().requires_grad_(True)
    (view.decode(drawn, 4096) - chirp(4096)).square().mean().backward()
    assert drawn.grad is not None
    assert drawn.grad.isfinite().all()
    assert drawn.grad[0].abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_does_not_depend_on_its_neighbours(name: str) -> None:
    view = representation(name)
    sounds = torch.cat([note(samples=6000), chirp(6000), note(330.0, 6000)])
    image = view.encode(sounds)
    torch.testing.assert_close(view.encode(sounds[1:2]), image[1:2], atol=1e-4, rtol=1e-4)
    together, alone = view.decode(image, 6000)[1], view.decode(image[1:2], 6000)[0]
    assert (alone - together).norm() < 1e-3 * together.norm()  # 64 iterations enlarge the last bits of an FFT


@pytest.mark.parametrize("name", NAMES)
def test_odd_lengths(name: str) -> None:
    view = representation(name)
    for samples in (1, 7, 511, 512, 513, 3001):
        sounds = note(samples=3001)[:, :samples]
        image = view.encode(sounds)
        assert image.shape == (1, *view.shape(samples))
        back = view.decode(image, samples)
        assert back.shape == sounds.shape
        assert back.isfinite().all()
        if view.promise.waveform > 100:
            torch.testing.assert_close(back, sounds, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_silence_stays_silent(name: str) -> None:
    view = representation(name)
    assert view.decode(view.encode(torch.zeros(2, 5000)), 5000).abs().max() < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_network_draws_can_be_heard(name: str) -> None:
    view = representation(name)
    wild = torch.randn(2, *view.shape(3001), generator=torch.Generator().manual_seed(1))
    assert view.decode(wild, 3001).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_autocast_changes_nothing(name: str) -> None:
    view = representation(name)
    sounds = note(samples=3001)
    image = view.encode(sounds)
    sound = view.decode(image, 3001)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(view.encode(sounds), image)
        torch.testing.assert_close(view.decode(image, 3001), sound)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_shape_is_named(name: str) -> None:
    view = representation(name)
    with pytest.raises(AntiphonError, match="samples"):
        view.encode(torch.zeros(4096))
    with pytest.raises(AntiphonError, match="samples"):
        view.encode(torch.zeros(1, 0))
    with pytest.raises(AntiphonError, match="image"):
        view.decode(view.encode(note(samples=4096)), 8192)


def test_windows_that_cannot_be_inverted_are_refused() -> None:
    with pytest.raises(AntiphonError, match="hop"):
        ComplexSTFT(256, 128)


# ---- transforms ------------------------------------------------------------------------------------------------------


def test_stft_is_scipys_with_phases_at_the_middle() -> None:
    x = torch.randn(1, 8192, generator=torch.Generator().manual_seed(0))
    _, _, reference = scipy.signal.stft(x[0].double().numpy(), window="hann", nperseg=1024, noverlap=768)
    turned = reference * (-1.0) ** np.arange(513)[:, None]
    ours = stft(x, 1024, 256)[0].numpy()
    np.testing.assert_allclose(ours, 2 * turned[:, : ours.shape[1]], atol=1e-5)


def test_istft_of_any_spectrogram_is_scipys_least_squares() -> None:
    rng = torch.Generator().manual_seed(0)
    s = torch.complex(torch.randn(1, 513, 20, generator=rng), torch.randn(1, 513, 20, generator=rng))
    s[:, [0, -1]] = s[:, [0, -1]].real + 0j
    turned = s[0].numpy() * (-1.0) ** np.arange(513)[:, None] / 2
    _, reference = scipy.signal.istft(turned, window="hann", nperseg=1024, noverlap=768)
    np.testing.assert_allclose(istft(s, 1024, 256, 4800)[0].numpy(), reference[:4800], atol=1e-4)


def test_levels_are_those_that_training_sees() -> None:
    x = note()
    np.testing.assert_allclose(
        stft(x, 2048, 512).abs().numpy(), magnitude(x, 2048, 512)[..., :24].numpy(), atol=2e-7, rtol=1e-4
    )
    ours, theirs = LogMelSpectrogram().encode(x)[:, 0], LogMel(2048, 512, 128)(x)[..., :24]
    torch.testing.assert_close(ours, 2 * theirs - 1, atol=1e-4, rtol=0)


@settings(max_examples=60, deadline=None)
@given(st.floats(-100, 0), st.sampled_from([-80.0, -100.0, -120.0]))
def test_levels_invert(decibels: float, floor: float) -> None:
    power = torch.tensor(10 ** (decibels / 10))
    back = float(power_of(level_of(power, floor), floor))
    assert abs(math.sqrt(back) - math.sqrt(float(power))) < 1e-5 * math.sqrt(float(power)) + 0.05 * 10 ** (floor / 20)


# ---- instantaneous frequency -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [97.0, 440.0, 5001.0, 15_000.0])
def test_a_sines_frequency_is_read_in_every_bin_that_hears_it(hz: float) -> None:
    sine = 0.5 * torch.sin(2 * math.pi * hz * torch.arange(20_000).double() / RATE).float().unsqueeze(0)
    level, turns = MagnitudeIF().encode(sine)[0]
    expected = 2 * hz * 512 / RATE
    peak = round(hz * 2048 / RATE)
    heard = turns[peak - 1 : peak + 2, 4:35]  # frames whose windows lie inside the sound
    off = heard - expected
    assert (off - 2 * torch.round(off / 2)).abs().max() < 2e-3
    assert level[peak, 20] == pytest.approx(1 + 20 * math.log10(0.5) / 50, abs=0.03)  # up to 1.4 dB between two bins


def test_a_chirps_frequency_rises_with_it() -> None:
    """Slowly: a bin's reading lags behind a chirp that crosses it within a window."""
    _, turns = MagnitudeIF().encode(chirp(rise=500.0))[0]
    frames = torch.arange(5, 80)
    hz = 200 + 500 * (frames - 0.5) * 512 / RATE  # halfway between two frames
    heard = turns[(hz * 2048 / RATE).round().long(), frames]
    off = heard - 2 * hz * 512 / RATE
    assert (off - 2 * torch.round(off / 2)).abs().max() < 0.012


def test_mel_bands_read_the_same_frequency() -> None:
    view = MelMagnitudeIF()
    sine = 0.5 * torch.sin(2 * math.pi * 9000 * torch.arange(20_000).double() / RATE).float().unsqueeze(0)
    level, turns = view.encode(sine)[0]
    off = turns[level[:, 20].argmax(), 4:35] - 2 * 9000 * 512 / RATE
    assert (off - 2 * torch.round(off / 2)).abs().max() < 2e-3


def test_phases_do_not_drift_in_a_minute() -> None:
    phase = 2 * math.pi * torch.rand(1, 5200, generator=torch.Generator().manual_seed(0)) - math.pi
    assert (torch.polar(torch.ones(()), phase_of(turns_of(phase)) - phase) - 1).abs().max() < 1e-3


def test_all_that_if_leaves_out_is_the_highest_bin() -> None:
    noise = torch.randn(1, 20_000, generator=torch.Generator().manual_seed(0)) * 0.1
    muffled = torch.from_numpy(scipy.signal.sosfilt(scipy.signal.butter(12, 18_000, fs=RATE, output="sos"), noise))
    assert exactness(MagnitudeIF(), noise).waveform > 30
    assert exactness(MagnitudeIF(), muffled.float()).waveform > 75


# ---- phases from levels ----------------------------------------------------------------------------------------------


def agreement(spectrum: Tensor, phases: Tensor, samples: int) -> float:
    """dB by which the magnitudes of the sound with those phases agree with those given."""
    back = stft(istft(torch.polar(spectrum, phases), 2048, 512, samples), 2048, 512).abs()
    return float(10 * torch.log10(spectrum.square().sum() / (back - spectrum).square().sum()))


def by_a_heap(spectrum: np.ndarray, along: np.ndarray, across: np.ndarray, floor: float) -> np.ndarray:
    """Algorithm 1 of Prusa 2017 as printed: phases spread from the loudest bin through a heap."""
    phase, todo = np.zeros(spectrum.shape), spectrum >= floor
    while todo.any():
        first = np.unravel_index(np.argmax(np.where(todo, spectrum, -1)), spectrum.shape)
        todo[first] = False
        heap = [(-spectrum[first], *first)]
        while heap:
            _, m, j = heapq.heappop(heap)
            for dm, dj in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                to = (m + dm, j + dj)
                if 0 <= to[0] < spectrum.shape[0] and 0 <= to[1] < spectrum.shape[1] and todo[to]:
                    slope = along if dj else across
                    phase[to] = phase[m, j] + (dm + dj) * (slope[m, j] + slope[to]) / 2
                    todo[to] = False
                    heapq.heappush(heap, (-spectrum[to], *to))
    return phase


def test_whole_array_integration_is_as_good_as_the_heap() -> None:
    x = chirp(10_000)
    spectrum = stft(x, 2048, 512).abs()
    along, across = (g[0].numpy() for g in _gradients(spectrum, 2048, 512, 1e-6))
    reference = torch.from_numpy(by_a_heap(spectrum[0].numpy(), along, across, 1e-6)).float().unsqueeze(0)
    ours = agreement(spectrum, heap_integration(spectrum, 2048, 512), 10_000)
    assert ours > 15
    assert ours > agreement(spectrum, reference, 10_000) - 1.0


def test_phases_follow_the_maximum_spanning_tree() -> None:
    """Phase differences outside the tree (scipy's) may be anything: no path uses them."""
    rng = np.random.default_rng(0)
    high, wide = 12, 17
    nodes = np.arange(high * wide).reshape(high, wide)
    left = np.concatenate([nodes[:, :-1].ravel(), nodes[:-1].ravel()])
    right = np.concatenate([nodes[:, 1:].ravel(), nodes[1:].ravel()])
    rank = rng.permutation(len(left)) + 1
    truth = rng.uniform(-9, 9, high * wide)
    tree = minimum_spanning_tree(coo_array((-rank.astype(float), (left, right)), shape=(high * wide,) * 2)).tocoo()
    in_tree = set(zip(tree.row.tolist(), tree.col.tolist(), strict=True))
    turn = [
        truth[a] - truth[b] if (a, b) in in_tree else rng.uniform(-99, 99) for a, b in zip(left, right, strict=True)
    ]
    found = _potentials(Edges(*map(torch.from_numpy, (left, right, rank)), torch.tensor(turn)), high * wide).numpy()
    np.testing.assert_allclose(found - found[0], truth - truth[0], atol=1e-9)


def test_phase_gradients_of_a_sine_and_of_a_click() -> None:
    hz, at = 1234.5, 5200
    sine = torch.sin(2 * math.pi * hz * torch.arange(20_000).double() / RATE).float().unsqueeze(0)
    along, _ = _gradients(stft(sine, 2048, 512).abs(), 2048, 512, 1e-6)
    assert float(along[0, round(hz * 2048 / RATE), 20]) == pytest.approx(2 * math.pi * hz * 512 / RATE, abs=0.05)
    click = torch.zeros(1, 20_000)
    click[0, at] = 1.0
    _, across = _gradients(stft(click, 2048, 512).abs(), 2048, 512, 1e-6)
    assert float(across[0, 300, 10]) == pytest.approx(-2 * math.pi / 2048 * (at - 10 * 512), abs=0.02)


def test_heap_integration_against_griffin_lim() -> None:
    """Alone it equals 32 iterations; as a starting point it beats twice as many by far."""
    for x in (note(samples=20_000), chirp(20_000)):
        spectrum = stft(x, 2048, 512).abs()
        samples = x.shape[1]
        pghi = heap_integration(spectrum, 2048, 512)
        alone = agreement(spectrum, pghi, samples)
        iterated = [
            agreement(spectrum, griffin_lim(spectrum, 2048, 512, samples, iterations=n), samples) for n in (32, 64)
        ]
        both = agreement(spectrum, griffin_lim(spectrum, 2048, 512, samples, pghi, iterations=32), samples)
        assert alone > iterated[0]
        assert both > iterated[1] + 4


def test_griffin_lim_gets_nearer_and_is_repeatable() -> None:
    spectrum = stft(note(), 2048, 512).abs()
    far, near = (griffin_lim(spectrum, 2048, 512, 12_000, iterations=n) for n in (2, 32))
    assert agreement(spectrum, near, 12_000) > agreement(spectrum, far, 12_000) + 5
    assert torch.equal(near, griffin_lim(spectrum, 2048, 512, 12_000, iterations=32))


def test_bins_of_mel_bands_agree_with_the_bands() -> None:
    view = LogMelSpectrogram()
    power = stft(note(), 2048, 512).abs().square()
    bands = view.filters @ power
    bins = view.bins_of(bands)
    assert bins.min() >= 0
    assert (view.filters @ bins - bands).abs().sum() < 0.01 * bands.sum()
    interpolated = view.spread @ bands
    assert (bins.sqrt() - power.sqrt()).norm() < 0.5 * (interpolated.sqrt() - power.sqrt()).norm()


# ---- on the scale of the sounds --------------------------------------------------------------------------------------


def test_standardised_bins_have_mean_0_and_deviation_a_third() -> None:
    noise = torch.randn(4, 16_384, generator=torch.Generator().manual_seed(0)) * 0.1
    view = Standardised(LogMagnitude(512, 128), 16_384).fit([noise[:2], noise[2:]])
    image = view.encode(noise)
    assert image.shape == (4, 1, 256, 128)
    assert image.abs().max() <= 1
    assert image.mean((0, 1, 3)).abs().max() < 0.03
    assert (image.std((0, 1, 3)) - 1 / 3).abs().max() < 0.05
    assert exactness(view, noise).magnitude > 10
    again = Standardised(LogMagnitude(512, 128), 16_384)
    again.load_state_dict(view.state_dict())
    assert torch.equal(again.encode(noise), image)
    with pytest.raises(AntiphonError, match="no sounds"):
        view.fit([])
