"""Scenes from the inside: chance as a function of time, loops that close, statistics, prepared recordings, the game and
the recipe. What verbs make of them is in test_scene.py."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import antiphon
from antiphon.audio.files import write_audio
from antiphon.core.errors import AntiphonError
from antiphon.data.analysis.pulse import find_pulse
from antiphon.data.scenes import Scenes
from antiphon.networks.chance import FAST_FEATURES, KNOT_FEATURES, Chance
from antiphon.networks.generators.scene import SIZES, SceneGenerator
from antiphon.networks.grain import Grain
from antiphon.networks.mapping import NOISE
from antiphon.networks.model import LabelTable
from antiphon.networks.noise import shape_noise
from antiphon.networks.optimisers import Adam
from antiphon.networks.place import RATES, SceneModel, Teller
from antiphon.networks.texture import FINE_POINTS, STATISTICS, TextureView, descriptors, joined, power, statistics
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override
from antiphon.representations.spectral import magnitude
from antiphon.training.loop import new_game
from antiphon.voices.kind import voice_of
from antiphon.voices.scene import Point, Scene, SceneVoice
from antiphon.voices.voice import VoiceInfo

RATE = 44_100
TINY = {"batch": 2, "samples": 32_768, "game.imagined": 1, "game.bank": 64, "health": 5}


@pytest.fixture(scope="module")
def voice() -> SceneVoice:
    """One of random weights, whose pulse ticks."""
    torch.manual_seed(3)
    model = SceneModel(SIZES["tiny"], LabelTable(("rain", "clock"), ()))
    with torch.no_grad():
        model.teller.net.last.bias[RATES] = 4.0
    return voice_of(model, VoiceInfo())  # type: ignore[return-value]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two places, in stereo and in mono, of four recordings each."""
    place, rng = tmp_path_factory.mktemp("places"), np.random.default_rng(0)
    t = np.arange(3 * RATE) / RATE
    for i in range(4):
        rain = 0.1 * rng.standard_normal((len(t), 2)) * [1, 0.8]
        clock = 0.02 * rng.standard_normal(len(t)) + (np.modf(2 * t)[0] < 0.01) * 0.3 * rng.standard_normal(len(t))
        write_audio(place / f"rain/shower {i}.wav", rain.astype(np.float32))
        write_audio(place / f"clock/hall {i}.wav", clock.astype(np.float32))
    return place


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "places"
    return train(folder, out).parent


def train(folder: Path, out: Path, **how) -> Path:
    how = {"recipe": "scene", "size": "tiny", "steps": 5, "threads": 1, "from_scratch": True, "quiet": True} | how
    return antiphon.train(folder, out, settings=TINY, **how)


# ---- chance ----------------------------------------------------------------------------------------------------------


def test_chance_is_a_function_of_the_time():
    """Any moments alone are as among others, and as random as they say."""
    chance, times = Chance(5), np.arange(4000) / 86
    x = chance.smooth(8.0, 6, times, 0)
    np.testing.assert_allclose(x[700:800], chance.smooth(8.0, 6, times[700:800], 0), atol=1e-6)
    assert abs(float(x.std()) - 1) < 0.1
    assert abs(float(x.mean())) < 0.1
    assert np.abs(np.diff(x, axis=0)).max() < 1
    assert np.abs(np.corrcoef(x.T) - np.eye(6)).max() < 0.35
    ages, all_marks = chance.events(2.0, 2, times, 9)
    age, marks = ages[:, 1], all_marks[:, 1]
    assert 0 <= age.min() <= age.max() <= 1.0
    starts = np.flatnonzero(np.diff(age) < 0)
    assert 80 < len(starts) < 105
    assert all(len(np.unique(marks[a + 1 : b + 1, 0])) == 1 for a, b in pairwise(starts))


@given(st.floats(0.5, 40), st.floats(0, 1000), st.integers(0, 2**60))
@settings(max_examples=20, deadline=None)
def test_chance_on_a_circle_comes_back(period: float, begin: float, seed: int):
    chance, times = Chance(seed, period), begin + np.array([0.0, 0.1, 0.37])
    for t in (times, times + period):
        pulse = np.zeros(3), np.ones(3), np.zeros(3)
        first, again = (f(x, *pulse) for x in (times, t) for f in (chance.knots,))
        np.testing.assert_allclose(first, again, atol=2e-3)
    assert first.shape == (3, KNOT_FEATURES)
    assert chance.moments(times, np.zeros(3), np.ones(3), np.zeros(3)).shape == (3, FAST_FEATURES)


# ---- a stream --------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=8), st.booleans())
@settings(max_examples=3, deadline=None)
def test_blocks_of_any_size_are_the_same_sound(voice: SceneVoice, sizes: list[int], loop: bool):
    how = {"seed": 3, "seconds": 1.2, "loop": loop}
    whole = voice.scene(((0.0, {"rain": 1.0}),), **how).read(10**6)
    assert whole.shape == (round(1.2 * RATE), 2)
    assert whole.dtype == np.float32
    stream, at = voice.scene(((0.0, {"rain": 1.0}),), **how), 0
    for size in sizes:
        np.testing.assert_array_equal(stream.read(size), whole[at : at + size])
        at += size


def test_a_scene_is_its_seeds_and_goes_on(voice: SceneVoice):
    place = (0.0, {"clock": 1.0})
    one, again, other = (voice.scene((place,), seed=seed).read(30_000) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.3 * np.abs(one).max()
    short = voice.scene((place,), seed=1, seconds=0.5)
    np.testing.assert_array_equal(short.read(10**6), one[: short.length])
    assert short.read(5).shape == (0, 2)
    assert np.abs(one[:, 0] - one[:, 1]).max() > 0.1 * np.abs(one).max()  # stereo


@pytest.mark.parametrize("seconds", [0.5, 1.2347, 2.0])
def test_a_loop_closes_exactly(voice: SceneVoice, seconds: float):
    """Going on beyond its end is beginning again: there is no seam. So too where the place changes and comes back."""
    for sound in (((0.0, {"clock": 1.0}),), ((0.0, {"rain": 1.0}), (0.2, {"clock": 1.0}), (0.4, {"rain": 1.0}))):
        loop = voice.scene(sound, seconds=seconds, loop=True, seed=4)
        samples = loop.length
        assert samples == round(seconds * RATE)
        loop.length = None
        twice = loop.read(2 * samples)
        np.testing.assert_allclose(twice[:samples], twice[samples:], atol=1e-6 * np.abs(twice).max())
        assert np.abs(twice[: samples // 2] - twice[samples // 2 : samples // 2 * 2]).max() > 0.1 * np.abs(twice).max()


def test_a_place_becomes_another_on_the_way(voice: SceneVoice):
    """Before it begins and after it has ended, all is as in either place alone."""
    a, b = (voice.imagine(name, (), 7).numpy() for name in ("rain", "clock"))
    path = voice.scene(((3.0, a), (4.0, b)), seed=1).read(6 * RATE)
    alone = [voice.scene(((0.0, w),), seed=1).read(6 * RATE) for w in (a, b)]
    np.testing.assert_allclose(path[: 2 * RATE], alone[0][: 2 * RATE], atol=1e-5)
    loud = [np.abs(np.fft.rfft(x[5 * RATE :, 0])).mean() for x in (path, *alone)]
    assert loud[0] == pytest.approx(loud[2], rel=0.1)


def test_what_cannot_be_is_refused(voice: SceneVoice):
    rain = (0.0, {"rain": 1.0})
    for wrong in (
        lambda: voice.scene(()),
        lambda: voice.scene((rain, (-1.0, {"clock": 1.0}))),
        lambda: voice.scene((rain,), seconds=-1),
        lambda: voice.scene((rain,), loop=True),
        lambda: voice.scene((rain, (1.0, {"clock": 1.0})), loop=True, seconds=3),
        lambda: voice.scene((rain,), density=1.5),
        lambda: voice.scene(((0.0, {"rain": 0.0}),)),
        lambda: voice.scene(((0.0, {"no such thing": 1.0}),)),
        lambda: voice.scene(((0.0, np.zeros(3, np.float32)),)),
        lambda: voice.hear(np.zeros(RATE, np.float32), RATE),
    ):
        with pytest.raises(AntiphonError):
            wrong()


def test_a_recording_has_a_place(voice: SceneVoice):
    noise = np.random.default_rng(0).standard_normal((RATE, 2)).astype(np.float32)
    w = voice.hear(0.1 * noise, RATE)
    assert w.shape == voice.imagine("rain").shape
    np.testing.assert_array_equal(w, voice.hear(0.1 * noise, RATE))
    np.testing.assert_allclose(w, voice.hear(0.01 * noise, RATE), atol=1e-3)  # its level is no part of it
    assert voice.scene(((0.0, w),), seconds=0.2).read(10**5).shape == (8820, 2)


@pytest.mark.skipif("ambience" not in antiphon.bundled(), reason="the voice ambience is not in this checkout")
def test_a_recording_that_ticks_is_heard_to_tick_at_its_rate():
    """Whatever the network made of it."""
    voice = antiphon.load("ambience")
    t, rng = np.arange(4 * RATE) / RATE, np.random.default_rng(2)
    for hz in (1.7, 9.0):
        ticks = (np.modf(hz * t)[0] < 0.006) * rng.standard_normal(len(t)) + 0.002 * rng.standard_normal(len(t))
        point = voice.scene(((0.0, voice.hear(0.3 * ticks.astype(np.float32), RATE)),)).points[0]
        assert point.rate == pytest.approx(hz, rel=0.05)
        assert point.strength > 0.25


# ---- networks --------------------------------------------------------------------------------------------------------


def test_power_and_its_gradient_are_those_of_the_spectrogram():
    x = torch.randn(2, 8192, requires_grad=True)
    for window, hop in ((2048, 512), (256, 128)):
        one, other = power(x, window, hop), magnitude(x, window, hop).square().transpose(1, 2)
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
        weight = torch.randn_like(one)
        ours, theirs = (torch.autograd.grad((p * weight).sum(), x)[0] for p in (one, other))
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_noise_and_its_gradient_are_those_of_shaped_noise():
    generator = SceneGenerator(SIZES["tiny"])
    gains = torch.rand(1, 2, 9, 129, requires_grad=True)
    ours = generator._noise(gains, generator.white_short, 256, 64, torch.Generator().manual_seed(0))
    rows = torch.randint(len(generator.white_short), (1, 2, 9), generator=torch.Generator().manual_seed(0))
    theirs = shape_noise(gains[0], generator.white_short[rows[0]], 256, 64)
    torch.testing.assert_close(ours[0], theirs)
    one, other = (torch.autograd.grad(x.square().sum(), gains, retain_graph=True)[0] for x in (ours, theirs))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_statistics_have_the_sizes_they_say_and_tell_what_they_name():
    view = TextureView()
    rng = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(3, 2, 32_768, generator=rng)
    noise[1, 1] = 0  # mono
    noise[2] = torch.cumsum(noise[2], -1) / 20  # dark
    seen = view(noise)
    found = statistics(seen)
    assert {name: x.shape[1] for name, x in found.items()} == dict(STATISTICS)
    _, bright, _, width = descriptors(seen, found).unbind(1)
    assert width[1] == 0 < 0.5 < width[0]
    assert bright[2] < bright[0]
    gated = noise[:1] * (torch.arange(32_768) % 8192 < 2048)
    other = view(gated)
    assert descriptors(other, statistics(other))[0, 0] < descriptors(seen, found)[0, 0]


def test_a_teller_learns_a_rate():
    torch.manual_seed(0)
    teller, w = Teller(16), torch.randn(8, 16)
    rate, strength = torch.logspace(0, 1.8, 8), torch.tensor([0.9] * 7 + [0.0])
    optimiser = Adam(teller.parameters(), 1e-2)
    for _ in range(100):
        optimiser.zero_grad()
        teller.loss(w, rate, strength, torch.zeros(8, 4)).backward()
        optimiser.step()
    heard, regular = teller.pulse(w)
    torch.testing.assert_close(heard[:7], rate[:7], rtol=0.02, atol=0)
    assert regular[7] == 0 < regular[:7].min()


# ---- recordings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [1.3, 11.0, 40.0])
def test_a_pulse_is_measured(hz: float):
    t, rng = np.arange(4 * RATE) / RATE, np.random.default_rng(1)
    ticks = (np.modf(hz * t)[0] < 0.006 * min(hz, 20) / 2) * rng.standard_normal(len(t))
    rate, strength = find_pulse((0.3 * ticks + 0.003 * rng.standard_normal(len(t))).astype(np.float32))
    assert rate == pytest.approx(hz, rel=0.02)
    assert strength > 0.4
    assert find_pulse(rng.standard_normal(4 * RATE).astype(np.float32)).strength < 0.25


def test_a_prepared_file_is_checked(run: Path, tmp_path: Path):
    path = run / "prepared.safetensors"
    data = Scenes(path)
    assert data.labels.instruments == ("clock", "rain")
    assert {int(c) for c in data.channels} == {1, 2}
    assert len(data.where("valid")) == 2
    assert data.audio(0).shape == (2, data.samples(0))
    clock = data.pulse[data.instrument == 0]
    assert float((clock[:, 0] - 2).abs().max()) < 0.05
    raw = path.read_bytes()
    damaged = raw.replace(b"rain", b"ra\xffn"), raw.replace(b"I64", b"F64")
    for wrong in (raw[:1000], raw[: len(raw) - 100], b"", *damaged):
        (tmp_path / "wrong.safetensors").write_bytes(wrong)
        with pytest.raises(AntiphonError, match="not a usable prepared file"):
            Scenes(tmp_path / "wrong.safetensors")


# ---- a run -----------------------------------------------------------------------------------------------------------


def test_it_trains_and_imagines(run: Path):
    voice = antiphon.load(run)
    assert voice.instruments == ("clock", "rain")
    assert voice.info.training["recordings"] == 6
    assert {scale.name for scale in voice.model.labels.scales} >= {"brightness", "width"}
    assert (run / "sheets" / "step-000005.png").exists()
    for name in ("density", "brightness", "motion", "width"):
        assert voice.scene(((0.0, {"rain": 1.0}),), seconds=0.1, **{name: 1.0}).read(10**5).shape == (4410, 2)
    assert not (run / "skipped.txt").exists()


def test_stopped_and_gone_on_with_it_comes_to_the_same_bytes(folder: Path, run: Path, tmp_path: Path, stop_at):
    stop_at(3)
    with pytest.raises(KeyboardInterrupt, match="saved at step 3"):
        train(folder, tmp_path / "run")
    stop_at()
    assert train(folder, tmp_path / "run").read_bytes() == (run / "weights.safetensors").read_bytes()


def test_a_stretch_is_played_from_what_was_heard_in_the_other(run: Path, monkeypatch):
    method = override(recipe("scene", "tiny"), {"game.style_noise": 0.0, "rehearsal": 0.0, "batch": 4})
    data = Scenes(run / "prepared.safetensors")
    game, batch = new_game(data, method), method.source(data).batch(0, 4)
    played, sound = [], game.model.generator.sound
    monkeypatch.setattr(game.model.generator, "sound", lambda w, *rest: played.append(w.detach()) or sound(w, *rest))
    heard = game.model.encoder(joined(statistics(game.view(batch.audio))), batch.rate, batch.strength).detach()
    game.step(batch, method.at(5, 10), torch.Generator().manual_seed(0))
    torch.testing.assert_close(played[0], heard[[1, 0, 3, 2]])
    assert not torch.allclose(heard[0], heard[1])


def test_a_run_that_begins_from_a_voice_knows_its_labels_by_name(run: Path):
    voice, data = antiphon.load(run), Scenes(run / "prepared.safetensors")
    data.labels = replace(data.labels, instruments=("bells", "clock"))
    game = new_game(data, recipe("scene", "tiny"))
    critics = new_game(Scenes(data.path), recipe("scene", "tiny")).critics.state_dict()
    assert game.begin_from(voice, critics) == []
    heard, told = game.model.mapping.label.weight, game.critics[0].label.weight
    for mine, theirs in ((heard, voice.model.mapping.label.weight), (told, critics["0.label.weight"])):
        torch.testing.assert_close(mine[1], theirs[0])
        torch.testing.assert_close(mine[0], theirs.mean(0))  # a new label begins as all known ones together


def test_notes_are_no_scenes(prepared: Path, run: Path, tmp_path: Path):
    with pytest.raises(AntiphonError, match="not a usable prepared file of scenes"):
        antiphon.train(prepared, tmp_path / "run", recipe="scene", steps=1, quiet=True)
    source = run / "prepared.safetensors"
    with pytest.raises(AntiphonError, match="imagines no scenes"):
        antiphon.train(source, tmp_path / "run", recipe="scene", steps=1, start_from="gm", quiet=True)


def test_a_scene_streams_from_its_own_state_only(voice: SceneVoice):
    """Two streams read in turns are each as if alone."""
    point = voice.scene(((0.0, {"rain": 1.0}),), seed=5).points[0]
    a, b, alone = (Scene(voice.model.generator, [(0.0, point)], seed, None, False) for seed in (1, 2, 1))
    mixed = [s.read(20_000) for s in (a, b, a, b)]
    np.testing.assert_array_equal(np.concatenate([mixed[0], mixed[2]]), alone.read(40_000))


def test_the_grain_is_what_bands_do_not_say():
    """Lines of places come back from a few numbers, and the numbers of unknown ones as well as axes allow; what is
    smooth has no grain."""
    rng = torch.Generator().manual_seed(3)
    lines = torch.zeros(12, FINE_POINTS)
    lines[torch.arange(12), 40 + 30 * torch.arange(12)] = 1.0
    grain = Grain(16)
    grain.learn(lines)
    numbers = grain.heard(lines + torch.linspace(-2, 1, FINE_POINTS))  # a slope is the bands' matter
    drawn = grain.drawn(numbers)
    peaks = drawn[torch.arange(12), 40 + 30 * torch.arange(12)]
    assert (drawn.argmax(1) == 40 + 30 * torch.arange(12)).all()
    assert ((peaks > 0.75) & (peaks < 1)).all()
    assert (numbers[:, 11:] == 0).all()  # twelve places differ along eleven axes
    assert float(grain.drawn(torch.zeros(1, 16)).abs().max()) < 0.12  # the mean of them all
    assert torch.isfinite(grain.heard(torch.randn(3, FINE_POINTS, generator=rng))).all()
    grain.learn(torch.zeros(2, FINE_POINTS))  # all the same: nothing to tell
    assert float(grain.drawn(grain.heard(lines)).abs().max()) == 0


def test_lasting_and_short_noise_share_the_level_of_a_band(voice: SceneVoice):
    g = voice.model.generator
    condition = g.condition(torch.randn(5, g.config.style), torch.rand(5, 4))
    long, short = g.shared(condition)
    torch.testing.assert_close(torch.exp(2 * long) + torch.exp(2 * short), torch.ones_like(long), atol=1e-4, rtol=0)
    assert (torch.exp(2 * short)[:, g.sudden == 0] < 1e-5).all()  # its windows are too short for low bands


def test_a_copy_is_told_from_what_is_alike(run: Path):
    """Health looks at how levels move: another stretch of a noise is none of its copies."""
    game = new_game(Scenes(run / "prepared.safetensors"), recipe("scene", "tiny"))
    noise = torch.randn(2, 65_536, generator=torch.Generator().manual_seed(1)) * 0.1
    quieter = 0.5 * noise[:1].roll(300, -1)
    apart = torch.cdist(game.course(noise), game.course(torch.cat([quieter, noise[1:]])))
    assert apart[0, 0] < 0.6
    assert apart[0, 1] > 1


def test_health_sees_that_each_label_has_one_place_only(run: Path):
    """However different labels are from each other."""
    game = new_game(Scenes(run / "prepared.safetensors"), recipe("scene", "tiny"))
    rng, style = torch.Generator().manual_seed(2), game.model.config.style
    label = torch.arange(1024) % 2
    w = torch.randn(1024, style, generator=rng) + 4 * label.unsqueeze(1)
    game.styles.remember(w, label, torch.zeros(1024, 0), 0)
    assert game.styles.variety(game.model.mapping, rng) > 0.05
    with torch.no_grad():
        next(game.model.mapping.net.parameters())[:, :NOISE] = 0
    assert game.styles.variety(game.model.mapping, rng) < 1e-4
    batch = recipe("scene", "tiny").source(Scenes(run / "prepared.safetensors")).batch(0, 2)
    assert game.measured(batch, batch.audio[:, 0])["variety"] < 1e-4


def test_a_scene_sounds_as_it_was_trained_to(voice: SceneVoice):
    """Streamed and in crops a place has the same levels and the same lines; and the grain is among them."""
    g, line = SceneGenerator(SIZES["tiny"]), 90
    g.load_state_dict(voice.model.generator.state_dict())
    g.grain.axes[0, line], g.grain.spread[0] = 1.0, 2.0
    w = torch.zeros(1, g.config.style)
    w[0, -g.config.axes] = 1.0
    told, samples, view = torch.full((1, 4), 0.5), 512 * 86 * 6, TextureView()
    scene = Scene(g, [(0.0, Point(w[0], told[0], 1.0, 0.0))], 5, samples, False)
    streamed = scene.read(samples)
    both = np.stack([streamed.mean(1), (streamed[:, 0] - streamed[:, 1]) / 2])[None]

    def times(hop: int) -> tuple[np.ndarray, ...]:
        since = (np.arange(samples // hop + 3) - 1) * hop / RATE
        return since, 0 * since, 0 * since + 1, 0 * since

    knots, fast = scene.chance.knots(*times(512)), scene.chance.moments(*times(64))
    with torch.no_grad():
        crop = g.sound(w, told, *(torch.from_numpy(x)[None] for x in (knots, fast)), torch.Generator().manual_seed(1))
        one, other = view(crop), view(torch.from_numpy(both))
    torch.testing.assert_close(one.long.mean(-1), other.long.mean(-1), atol=0.15, rtol=0)
    for seen in (one.fine[0], other.fine[0]):
        assert seen[line] - seen[line - 3 : line + 4].median() > 0.7
