"""The judge of voices: what it compares with, that a perfect voice wins, and the margins of its figures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Labels, Prepared, write_prepared
from antiphon.metrics import bootstrap, evaluation
from antiphon.metrics.bootstrap import (
    bins_margin,
    distance_margins,
    has_scale,
    identity_margins,
    mean_margin,
    pitch_margins,
    ratio_margin,
    redrawn_distances,
)
from antiphon.metrics.embeddings import MelStatistics, load_embedding
from antiphon.metrics.evaluation import evaluate
from antiphon.metrics.gaussians import LabelGaussians
from antiphon.metrics.judge import Judge
from antiphon.metrics.lists import choose_split, draw_reference, draw_rows, load_rows, save_rows, training_notes
from antiphon.metrics.meter import Meter
from antiphon.metrics.sounds import Sounds
from antiphon.metrics.tables import grids
from antiphon.recipes.check import check
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override

RATE = 44_100
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    """The benchmark scripts import each other by name, as when one is run."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def tone(pitch: float, seconds: float = 0.6, *, partials: int = 8, decay: float = 3.0, tilt: float = 1.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    waves = [np.sin(2 * np.pi * k * f0 * t) / k**tilt for k in range(1, partials + 1) if k * f0 < 18_000]
    return (0.3 * np.sum(waves, 0) * np.exp(-decay * t)).astype(np.float32)


PRESETS = 7


def _prepared(path: Path) -> Prepared:
    """Seven presets of one instrument that differ in brightness, and one other; an octave block of each held out."""
    notes = [(preset, pitch) for preset in range(PRESETS + 1) for pitch in range(50, 74, 2)]
    sounds = [tone(pitch, 0.4, tilt=0.6 + 0.4 * preset, decay=8 * (preset == PRESETS)) for preset, pitch in notes]
    lengths = np.array([len(sound) for sound in sounds])
    preset, pitch = (np.array(column) for column in zip(*notes, strict=True))
    count, frames = len(notes), lengths // 512 + 1
    tables: dict[str, np.ndarray] = {
        "start": np.concatenate([[0], np.cumsum(lengths)]),
        "frame_start": np.concatenate([[0], np.cumsum(frames)]),
        "hold": np.full(count, int(0.4 * RATE)),
        "instrument": (preset == PRESETS).astype(np.int64),
        "preset": preset,
        "split": np.where((pitch >= 58) & (pitch < 66), 1, 0),
        "pitch": pitch.astype(np.float32),
        "velocity": np.full(count, 90.0, np.float32),
        "ratios": np.tile(np.arange(1, 65, dtype=np.float32), (count, 1)),
        "harmonic_level": np.zeros((count, 64), np.float32),
        "free_ratio": np.ones((count, 24), np.float32),
        "free_level": np.full((count, 24), -120, np.float32),
        "descriptors": np.zeros((count, 1), np.float32),
        "cents": np.zeros(int(frames.sum()), np.float16),
        "style": np.zeros((count, 1), np.uint8),
        "vibrato": np.zeros((count, 3), np.float32),
    }
    tables |= {name: np.zeros(count, np.float32) for name in ("tuning", "loudness", "inharmonicity")}
    names = [{"name": f"preset {i}", "instrument": "violin" if i < PRESETS else "celesta"} for i in range(PRESETS + 1)]
    labels = Labels(("violin", "celesta"), tuple(names), ("bright",), ("train", "block"), ("level",), {})
    write_prepared(path, labels, tables, ((sound * 32767).astype(np.int16) for sound in sounds))
    return Prepared(path)


class PerfectVoice:
    """Knows how the notes above were made: the tilt and decay are its style vector."""

    def encode(self, sounds, pitches, holds=None):
        out = []
        for sound, pitch in zip(sounds, pitches, strict=True):
            f0 = 440 * 2 ** ((pitch - 69) / 12)
            spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), RATE))
            first, second = (spectrum[round(k * f0) - 5 : round(k * f0) + 6].max() for k in (1, 2))
            early, late = (np.sqrt(np.mean(sound[at : at + 4_410] ** 2)) for at in (0, 12_000))
            out.append((np.log2(first / second), np.log(early / late) * RATE / 12_000))
        return np.array(out, np.float32)

    def notes(self, notes, w=None):
        if w is None:
            draws = [np.random.default_rng(note.seed) for note in notes]
            kinds = [note.instrument == "celesta" for note in notes]
            w = [(3.4, 8) if k else (0.6 + 0.4 * r.integers(PRESETS), 0) for r, k in zip(draws, kinds, strict=True)]
        return [tone(n.pitch, 0.4, tilt=float(t), decay=float(d)) for n, (t, d) in zip(notes, w, strict=True)]

    def untrained(self, seed=0):
        return NoiseVoice()


class NoiseVoice(PerfectVoice):
    def notes(self, notes, w=None):
        return [0.1 * np.random.default_rng(note.seed).standard_normal(20_000).astype(np.float32) for note in notes]


def test_rows_are_held_out_paired_and_frozen(tmp_path):
    prepared = _prepared(tmp_path / "p.safetensors")
    rows = draw_rows(prepared, n=100)
    assert rows == draw_rows(prepared, n=100)
    assert rows != draw_rows(prepared, n=100, seed=2)
    used = [index for row in rows for index in (row.real, row.other)]
    assert len(used) == len(set(used)) == 32  # four notes in a block, eight presets, in pairs
    train = set(prepared.where("train").tolist())
    for row in rows:
        assert {row.source, row.naive} <= train
        assert not {row.real, row.other} & train
        presets = prepared.preset[[row.real, row.other, row.source, row.naive]]
        assert len(presets.unique()) == 1
        gap = abs(float(prepared.pitch[row.naive] - prepared.pitch[row.real]))
        assert gap in (2, 4)  # the nearest key outside the block
    assert len(draw_reference(prepared, n=40)) == 40
    assert len(np.unique(prepared.preset[draw_reference(prepared, n=40)])) == PRESETS + 1
    save_rows(tmp_path / "rows.json", prepared, rows, "block")
    assert load_rows(tmp_path / "rows.json", prepared, "block") == rows
    with pytest.raises(AntiphonError, match="another prepared file"):
        load_rows(tmp_path / "rows.json", prepared, "preset")
    assert choose_split(prepared) == "block"
    with pytest.raises(AntiphonError, match="too few notes"):
        draw_rows(prepared, split="preset")


def test_where_nothing_is_held_out_half_of_the_training_notes_judge(tmp_path):
    prepared = _prepared(tmp_path / "p.safetensors")
    prepared.split[:] = 0
    assert choose_split(prepared) == "train"
    rows = draw_rows(prepared, split="train")
    assert len(rows) == (PRESETS + 1) * 3  # of six pairs a preset
    judged = [index for row in rows for index in (row.real, row.other)]
    left = set(training_notes(prepared, judged).tolist())
    assert all({row.source, row.naive} <= left for row in rows)
    assert set(draw_reference(prepared, judged=judged).tolist()) == left
    prepared.split[:] = 1
    with pytest.raises(AntiphonError, match="no training notes"):
        draw_reference(prepared)


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(bootstrap, "DISTANCE_DRAWS", 3)
    monkeypatch.setattr(bootstrap, "DRAWS", 20)


def test_a_perfect_voice_wins_and_noise_loses(benchmarks, few_draws, tmp_path):
    pytest.importorskip("swift_f0")
    import notes

    prepared = _prepared(tmp_path / "p.safetensors")
    settings = notes.Settings(
        voice="perfect", prepared=prepared.path, embeddings=("mel",), cache=tmp_path, sheet=tmp_path / "sheet.png"
    )
    result = notes.evaluate(PerfectVoice(), prepared, settings)
    rows = result["rows"]
    assert list(rows) == ["real", "floor", "naive", "untrained", "gaussian", "imagined", "encoded"]
    assert rows["encoded"]["mel"]["fad"] < 0.1 * rows["floor"]["mel"]["fad"]
    assert rows["untrained"]["mel"]["fad"] > rows["naive"]["mel"]["fad"] > rows["encoded"]["mel"]["fad"]
    for distance in ("mel_db", "spectral_db"):
        assert 5 * rows["encoded"][distance] < rows["naive"][distance] < rows["untrained"][distance]
    assert rows["encoded"]["accuracy"] == 1
    assert rows["encoded"]["pitch"]["within_50"] == rows["encoded"]["between"]["within_50"] == 1
    assert rows["encoded"]["pitch"]["median_cents"] < 5
    assert rows["encoded"]["diversity"] == pytest.approx(1, abs=0.05)
    assert rows["encoded"]["ndb"]["different"] == 0
    assert rows["untrained"]["ndb"]["different"] == rows["untrained"]["ndb"]["bins"]
    assert result["labels"]["violin"]["notes"] == 14
    assert rows["encoded"]["margins"]["accuracy"] == pytest.approx(
        0.19, abs=0.01
    )  # all 16 are right: Wilson's interval
    assert (rows["untrained"]["copies"], rows["untrained"]["margins"]["copies"]) == (0, pytest.approx(0.19, abs=0.01))
    assert {"ndb", "nearest", "between within_50", "between median_cents"} <= rows["imagined"]["margins"].keys()
    assert 0 < rows["floor"]["margins"]["within_50"] < 0.3
    assert "margins" in result["variety"]["rows"]["imagined"]
    assert result["variety"]["labels"] == {"violin": PRESETS}
    assert result["variety"]["rows"]["imagined"]["precision"] > 0.9
    assert any("fewer than the 576 numbers" in warning for warning in result["warnings"])
    assert (tmp_path / "sheet.png").exists()
    assert len(list((tmp_path / "features").glob("*.npz"))) == 4  # real, floor, naive, reference
    json.dumps(result, allow_nan=False)
    notes.print_report(result)


def test_what_cannot_be_measured_is_said_and_its_columns_are_left_out(few_draws, tmp_path, monkeypatch):
    from antiphon.metrics import judge as judges

    monkeypatch.setattr(judges, "has_scale", lambda distances: False)
    prepared = _prepared(tmp_path / "p.safetensors")
    rows = [row for row in draw_rows(prepared) if prepared.instrument[row.real] == 0][:6]
    rows += [row for row in draw_rows(prepared) if prepared.instrument[row.real] == 1]
    for row in rows[:6]:  # each of a label of its own, but for two
        prepared.instrument[row.real] = row.real
    judge = Judge(Meter(Sounds(prepared, rows), [MelStatistics()], tmp_path), draw_reference(prepared))
    table = judge.table(judge.fixed_sets())
    assert all(np.isnan(row["mel"]["fad_normalised"]) for row in table.values())
    assert np.isnan(table["floor"]["diversity"])
    shown = {"notes": 8, "split": "block", "list": "test", "embeddings": ["mel"]}
    assert "scaled" not in grids(shown | {"rows": evaluation._without_nan(table)})[0].headings
    said = " / ".join(evaluation._warnings(judge, table))
    assert "diversity is not measured" in said
    assert "no label has more than 2" in said


def test_a_hold_of_nothing_is_refused_where_a_file_is_opened(tmp_path):
    from safetensors.numpy import load_file

    path = tmp_path / "p.safetensors"
    prepared = _prepared(path)
    assert (prepared.hold > 0).all()
    raw = bytearray(path.read_bytes())
    at = raw.index(load_file(path)["hold"].tobytes())
    raw[at : at + 8] = bytes(8)
    path.write_bytes(raw)
    with pytest.raises(AntiphonError, match="hold is outside its note"):
        Prepared(path)


class Parrot:
    """A minimal voice, at its own sample rate: one sound for everything."""

    sample_rate = 22_050
    instruments = ("violin",)

    def notes(self, notes):
        assert all(note.instrument in ("violin", None) for note in notes)
        return [tone(60, 0.4)[::2] for _ in notes]


def test_other_voices_and_folders_of_sounds_have_the_rows_they_can_have(few_draws, tmp_path, monkeypatch):
    from antiphon.audio.files import write_audio
    from antiphon.metrics import meter as meters

    monkeypatch.setattr(meters, "can_track", lambda: False)
    prepared = _prepared(tmp_path / "p.safetensors")
    rows = draw_rows(prepared)
    for i, row in enumerate(rows[:10]):
        write_audio(tmp_path / "sounds" / f"{i}.wav", prepared.audio(row.real))
    judge = Judge(Meter(Sounds(prepared, rows), [MelStatistics()], tmp_path), draw_reference(prepared))
    found = evaluate(judge, {"parrot": Parrot(), "folder": tmp_path / "sounds"})
    table = found.figures["rows"]
    assert list(table) == ["real", "floor", "naive", "parrot: imagined", "folder"]
    parrot, folder = table["parrot: imagined"], table["folder"]
    assert parrot["diversity"] < 0.1 < table["floor"]["diversity"]
    assert parrot["prdc"]["recall"] == 0
    assert parrot["mel"]["kernel"] > 10 > folder["mel"]["kernel"]
    assert folder["notes"] == 10
    assert folder["prdc"]["precision"] == 1
    assert not {"accuracy", "pitch", "mel_db"} & folder.keys()
    said = " / ".join(found.warnings)
    for words in (
        "pitch is not measured",
        "parrot has no row 'untrained'",
        "parrot does not know celesta",
        "10 sounds",
    ):
        assert words in said
    body = grids({"notes": 16, "split": "block", "list": "test", "embeddings": ["mel"], **found.figures})
    assert all(len(cells) == len(grid.headings) for grid in body for _, cells in grid.rows)
    with pytest.raises(AntiphonError, match="at least 8"):
        evaluate(judge, {"folder": tmp_path / "features"})  # where no sounds are


def test_what_the_bench_trains_can_be_trained_and_draws_sounds_of_one_length(benchmarks):
    from contenders import ALIKE, SAMPLES, SETTINGS

    for name, settings in SETTINGS.items():
        for setting in settings:
            made = override(recipe(name, setting.size), ALIKE[name] | setting.changes)
            check(made)
            assert made.samples == SAMPLES


def test_the_bench_of_gans_chooses_a_setting_judges_by_other_notes_and_goes_on(
    benchmarks, few_draws, tmp_path, monkeypatch
):
    import gans

    from antiphon.training import loop

    monkeypatch.setattr(loop.Run, "_preview_if_due", lambda run, bar: None)
    monkeypatch.setattr(gans, "CALIBRATION", 4)
    monkeypatch.setitem(gans.SETTINGS, "dcgan", gans.SETTINGS["dcgan"][:2])
    prepared = _prepared(tmp_path / "p.safetensors")
    settings = gans.Settings(
        data=prepared.path, out=tmp_path / "out", minutes=1e-9, tuning_minutes=1e-9, size="tiny", threads=1,
        only=("dcgan",), embeddings=("mel",), cache=tmp_path,
    )  # fmt: skip
    jury = gans.Jury(settings, gans.notes_of(settings))
    used = [{note for row in rows for note in (row.real, row.other)} for rows in (jury.rows, jury.tuning_rows)]
    assert all(used)
    assert not used[0] & used[1]
    run = gans.contender(settings, jury, "dcgan")
    best = run["tried"][run["setting"] - 1]
    assert best["distance"] == min(one["distance"] for one in run["tried"])
    assert best["pace"] > 0
    weights = tmp_path / "out" / "dcgan" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    assert gans.contender(settings, jury, "dcgan") == run
    assert weights.stat().st_mtime_ns == before  # nothing was trained again
    found, result = gans.judged(settings, jury, {"dcgan": run})
    gans.write(settings, found, result)
    assert list(result["rows"])[:3] == ["real", "floor", "naive"]
    assert all(len(cells) == len(grid.headings) for grid in gans.tables(result) for _, cells in grid.rows)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"gans.json", "gans.md", "gans.html", "gans.png", "sounds"} <= written
    json.loads((tmp_path / "out" / "gans.json").read_text())
    assert "| floor |" in (tmp_path / "out" / "gans.md").read_text()


def test_every_fault_of_the_mutants_can_still_be_planted(benchmarks):
    """Each stands for one line of the package; code that moves or is written twice makes its line none, or two."""
    import mutants

    for mutant in mutants.MUTANTS:
        mutants.home(mutant, mutants.ROOT)


def test_the_cost_of_every_recipe_is_counted_through_what_plays(benchmarks, tmp_path):
    import recipes as bench
    import torch

    from antiphon.recipes.lookup import recipes
    from antiphon.recipes.sounds import SoundsRecipe
    from antiphon.voices.cost import multiply_adds, multiply_adds_a_second
    from antiphon.voices.kind import voice_of
    from antiphon.voices.voice import VoiceInfo

    for name in recipes():
        if isinstance(recipe(name), SoundsRecipe):
            assert len(bench.cost(recipe(name, "tiny"))) == 5
    method = recipe("dcgan", "tiny")
    model = bench.without_data(method).model
    once = multiply_adds(model.generator, torch.zeros(1, model.generator.noise), torch.zeros(1, 0))
    assert multiply_adds_a_second(voice_of(model, VoiceInfo())) * method.samples / RATE == pytest.approx(once)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.generator.modules())
    prepared = _prepared(tmp_path / "p.safetensors")
    assert float(bench.step_times(method, prepared)) > 0
    assert bench.step_times(recipe("drums", "tiny"), prepared) == "-"


def test_margins_are_those_of_the_textbook(benchmarks):
    from adversary import difference
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(7)
    right, real = rng.random(1_000) < 0.4, np.ones(1_000, bool)
    expected = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 1_000)
    assert identity_margins(right, real) == pytest.approx({"accuracy": expected, "share": expected}, rel=0.1)
    wanted = np.full(1_000, 60.0)
    margins = pitch_margins(wanted + right, wanted)
    assert margins == {"within_50": pytest.approx(expected, rel=0.1), "median_cents": 0}
    assert mean_margin(right) == pytest.approx(expected, rel=0.1)
    shifts = {"real": 0, "floor": 0, "naive": 1, "made": 2}
    sets = {name: {"mel": rng.normal(shift, 1, (200, 3))} for name, shift in shifts.items()}
    margins = distance_margins(redrawn_distances(sets, threads=1))
    assert 0.2 < margins["made"]["mel fad_normalised"] < 2
    # The distance is about |m|^2 = 12, and of m each coordinate is known to sqrt(2 / 200).
    assert margins["made"]["mel fad"] == pytest.approx(1.96 * 2 * np.sqrt(12) * np.sqrt(2 / 200), rel=0.35)
    assert 0 < margins["floor"]["mel kernel"] < margins["made"]["mel kernel"]
    assert margins["made"]["mel kernel_normalised"] > 0
    # The logarithm of a median of numbers spread evenly over 1 .. 2 is known to 1 / (2 * 1.5 * root n).
    above, below = (1 + rng.random(10_000) for _ in range(2))
    assert ratio_margin(above, below) == pytest.approx(1.96 * np.sqrt(2) / 3 / np.sqrt(10_000), rel=0.25)
    with_it, without = [1.2, 1.5, 1.1], [1.6, 1.7, 1.8]
    mean, half = difference(with_it, without)
    low, high = ttest_rel(with_it, without).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-3)


def test_rows_that_all_agree_are_not_certain():
    from scipy.stats import binomtest

    for n in (12, 674):
        none = np.zeros(n, bool)
        assert mean_margin(none) == pytest.approx(binomtest(0, n).proportion_ci(method="wilson").high, rel=1e-3)
        assert mean_margin(~none) == mean_margin(none)
        assert identity_margins(~none, ~none) == pytest.approx(dict.fromkeys(("accuracy", "share"), mean_margin(none)))
        assert pitch_margins(np.full(n, 60.0), np.full(n, 60.0))["within_50"] == pytest.approx(mean_margin(none))
    assert np.isnan(mean_margin(np.full(9, 2.5)))  # no share: nothing is known of its spread
    assert np.isnan(mean_margin(np.zeros(0)))


def test_a_scale_needs_floor_and_naive_apart():
    rng = np.random.default_rng(3)
    sets = {name: {"mel": rng.normal(shift, 1, (60, 3))} for name, shift in {"real": 0, "floor": 0, "made": 2}.items()}
    for shift, known in ((0.02, False), (1.0, True)):
        sets["naive"] = {"mel": rng.normal(shift, 1, (60, 3))}
        again = redrawn_distances(sets, threads=1)
        assert [has_scale(distances) for distances in again.values()] == [known, known]
        assert ("mel fad_normalised" in distance_margins(again)["made"]) == known


def test_the_margin_of_bins_is_that_of_their_number():
    rng = np.random.default_rng(5)
    mine, theirs = np.repeat(np.arange(4), 50), np.repeat(np.arange(4), [50, 50, 100, 0])
    assert bins_margin(mine, theirs, 4) < 0.5  # two bins differ, whatever is drawn
    near = rng.permutation(np.repeat(np.arange(4), [50, 50, 66, 34]))  # just significant
    assert 0.5 < bins_margin(rng.permutation(mine), near, 4) < 4


def test_gaussians_have_the_cloud_they_were_fitted_on():
    rng = np.random.default_rng(6)
    cloud = rng.standard_normal((400, 3)) @ np.diag([1.0, 2, 3]) + [5, 0, -5]
    drawn = np.stack([LabelGaussians(cloud, np.zeros(400)).draw(0, seed) for seed in range(2_000)])
    assert drawn.mean(0) == pytest.approx(cloud.mean(0), abs=0.25)
    assert np.cov(drawn.T) == pytest.approx(np.cov(cloud.T), abs=0.8)
    assert LabelGaussians(cloud, np.zeros(400)).draw(7, 0).shape == (3,)  # an unknown label: the whole set


def test_embeddings_without_their_packages_say_what_to_do(monkeypatch, tmp_path):
    from antiphon.metrics.networks import weights

    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    for name in ("aisfx", "musicnn"):
        with pytest.raises(AntiphonError, match=r"antiphon\[eval\].*pip install --no-deps"):
            load_embedding(name, tmp_path)
    with pytest.raises(AntiphonError, match="use one of"):
        load_embedding("vggish", tmp_path)


def test_weights_are_known_by_their_numbers(tmp_path):
    import torch

    from antiphon.metrics.networks.weights import converted, digest, package_file

    tensors = {"b": torch.arange(3.0), "a": torch.ones(2, 2)}
    expected, made = digest(tensors), []

    def convert():
        made.append(1)
        return dict(tensors)

    for _ in range(2):  # the second time from the cache
        assert digest(converted("net", tmp_path, expected, convert)) == expected
    assert len(made) == 1
    (tmp_path / "net.safetensors").write_bytes(b"something else")
    assert digest(converted("net", tmp_path, expected, convert)) == expected
    assert digest(tensors | {"b": torch.arange(3.0) + 1e-6}) != expected
    with pytest.raises(AntiphonError, match="did not convert"):
        converted("other", tmp_path, "0" * 64, convert)
    with pytest.raises(AntiphonError, match="sha256 differs"):
        package_file("numpy", "__init__.py", "0" * 64)


def test_aisfx_is_the_network_of_the_package(tmp_path):
    if importlib.util.find_spec("aisfx") is None:
        pytest.skip("aisfx is not installed")
    import torch

    from antiphon.metrics.networks.aisfx import CHECKPOINT, AiSFX
    from antiphon.metrics.networks.weights import package_file

    mine = AiSFX(tmp_path)
    # The package itself imports an old librosa: only the file that defines the network is loaded.
    folder = package_file("aisfx", "models/checkpoint.pth", CHECKPOINT).parent
    spec = importlib.util.spec_from_file_location("aisfx_network", folder / "cnn2d.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    theirs = module.EmbeddingNet("max", 3, 1, 64).eval()
    theirs.load_state_dict(AiSFX._convert())
    sounds = [tone(60), tone(72, 3.0)]
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(np.stack([mine.spectrogram(sound) for sound in sounds]))).numpy()
    assert mine(sounds) == pytest.approx(expected, abs=1e-4)
