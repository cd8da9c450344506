"""The measures face closed forms, hand-counted cases, and damage that must be told in order."""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path

import numpy as np
import pytest

from antiphon.data.prepared import Labels, Prepared, write_prepared
from antiphon.errors import AntiphonError
from antiphon.measures.frechet import frechet_distance, gaussian_distance
from antiphon.measures.kernel import kernel_distance, kid
from antiphon.measures.mel import fit_length, hz_of, mel_bands, mel_distance, mel_of, trim_tail
from antiphon.measures.neighbours import label_accuracy, nearest, spread, squared_distances
from antiphon.measures.pitch import in_range, pitch_score, track_pitch
from antiphon.measures.png import GLYPHS, draw_text, write_png
from antiphon.measures.prdc import prdc
from antiphon.measures.sheet import HEIGHT, WIDTH, column_times, log_spectrogram, spectrogram_sheet

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


# --- distances between clouds ---------------------------------------------------------------------------------------


def test_frechet_of_gaussians_is_the_closed_form():
    a, b = np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 1.0, 9.0])
    # Commuting covariances: |m|^2 + sum (sigma_a - sigma_b)^2.
    assert gaussian_distance(np.zeros(3), a, np.array([3.0, 0, 0]), b) == pytest.approx(9 + 1 + 1 + 0)
    assert gaussian_distance(np.ones(3), a, np.ones(3), a) == pytest.approx(0, abs=1e-9)


def test_frechet_agrees_with_scipys_matrix_root():
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, 12)), rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12)) + 0.3
    cx, cy = np.cov(x.T), np.cov(y.T)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx + cy - 2 * np.real(linalg.sqrtm(cx @ cy)))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="features"):
        frechet_distance(x[:1], y)


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, kid])
def test_distances_grow_with_a_shift_and_vanish_without(measure):
    rng = np.random.default_rng(1)
    real = rng.standard_normal((600, 6))
    values = [measure(rng.standard_normal((600, 6)) + shift, real) for shift in (0.0, 0.3, 0.8, 2.0)]
    assert values == sorted(values)
    assert abs(values[0]) < 0.05 * values[-1]


def test_kernel_distance_equals_its_definition():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((5, 3)), rng.standard_normal((6, 3)) + 1
    gaps = [np.sum((p - q) ** 2) for i, p in enumerate(y) for q in y[:i]]

    def kernel(p, q):
        return np.exp(-np.sum((p - q) ** 2) / (2 * np.median(gaps)))

    within_x = np.mean([kernel(p, q) for i, p in enumerate(x) for j, q in enumerate(x) if i != j])
    within_y = np.mean([kernel(p, q) for i, p in enumerate(y) for j, q in enumerate(y) if i != j])
    between = np.mean([kernel(p, q) for p in x for q in y])
    assert kernel_distance(x, y) == pytest.approx(1000 * (within_x + within_y - 2 * between))


def test_prdc_of_points_that_can_be_counted():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])
    generated = np.array([[0.5], [1.5], [100.0], [101.0]])
    figures = prdc(real, generated, k=1)
    # Radii of the real balls: 1, 1, 1, 8; 0.5 lies in those of 0 and 1, 1.5 in those of 1 and 2; but 10's reaches > 2.
    assert figures["precision"] == 0.5
    assert figures["density"] == pytest.approx(4 / 4)
    assert figures["coverage"] == 0.75
    # Radii of the generated balls: 1, 1, 1, 1: 0 and 1 and 2 are inside, 10 is not.
    assert figures["recall"] == 0.75
    with pytest.raises(ValueError, match="more than k"):
        prdc(real, generated, k=4)


def test_prdc_tells_collapse_from_spread():
    rng = np.random.default_rng(3)
    real, same = rng.standard_normal((200, 4)), rng.standard_normal((200, 4))
    collapsed = 0.05 * rng.standard_normal((200, 4))
    good, bad = prdc(real, same), prdc(real, collapsed)
    assert min(good["precision"], good["recall"], good["coverage"]) > 0.85
    assert bad["precision"] > 0.95
    assert bad["recall"] < 0.1
    assert bad["coverage"] < 0.3


def test_neighbours():
    reference = np.array([[0.0, 0], [10, 0], [0, 10]])
    features = np.array([[1.0, 0], [9, 1], [0, 7]])
    distance, index = nearest(features, reference)
    assert index.tolist() == [0, 1, 2]
    assert distance == pytest.approx([1, np.sqrt(2), 3])
    assert label_accuracy(features, np.array([0, 1, 1]), reference, np.arange(3)) == pytest.approx(2 / 3)
    assert nearest(reference, reference, skip_self=True)[0] == pytest.approx([10, 10, 10])
    assert spread(reference) == pytest.approx((10 + 10 + np.sqrt(200)) / 3)
    far = 1e4 + np.random.default_rng(4).standard_normal((20, 3))  # nothing cancels far from the origin
    assert squared_distances(far, far) == pytest.approx(((far[:, None] - far[None]) ** 2).sum(-1), abs=1e-6)


# --- sound ----------------------------------------------------------------------------------------------------------


def test_mel_bands_sum_to_one_and_mels_invert():
    assert mel_bands(RATE, 2_048, 96).sum(1) == pytest.approx(np.ones(96), abs=1e-5)
    assert hz_of(mel_of(440.0)) == pytest.approx(440)


def test_mel_distance_orders_damage():
    signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(5)
    clean = tone(57, partials=60)
    noise = rng.standard_normal(len(clean)).astype(np.float32)
    noisy = [mel_distance(clean + level * noise, clean) for level in (0.0, 1e-4, 1e-3, 1e-2)]
    assert noisy[0] == 0
    assert noisy == sorted(noisy)
    dull = [
        mel_distance(signal.sosfilt(signal.butter(6, cut, fs=RATE, output="sos"), clean).astype(np.float32), clean)
        for cut in (16_000, 8_000, 4_000, 1_000)
    ]
    assert dull == sorted(dull)
    assert mel_distance(0.5 * clean, clean) == pytest.approx(6.02, abs=1.0)
    assert mel_distance(np.zeros(0, np.float32), np.zeros(0, np.float32)) == 0


def test_tails_are_cut_and_lengths_matched():
    sound = np.concatenate([tone(69, 0.5, decay=0), 1e-5 * tone(69, 1.0, decay=0)])
    assert abs(len(trim_tail(sound)) - 0.5 * RATE) <= 441
    assert len(fit_length(sound, 100)) == 100
    assert fit_length(sound, 1_000)[-1] == 0  # faded
    assert len(fit_length(sound[:50], 100)) == 100


def test_pitch_score_counts_a_missed_note():
    wanted = np.array([60.0, 61, 62, 20])  # the last one is below the tracker's range
    score = pitch_score(np.array([60.1, 61.7, np.nan, 20]), wanted)
    assert score["notes"] == 3
    assert score["within_50"] == pytest.approx(1 / 3)
    assert score["median_cents"] == pytest.approx(40)
    assert in_range(np.array([30.0, 60, 97])).tolist() == [False, True, False]


def test_tracked_pitch_is_right_between_the_keys():
    pytest.importorskip("swift_f0")
    for pitch in (45.0, 60.5, 81.0):
        assert track_pitch(tone(pitch)) == pytest.approx(pitch, abs=0.1)
    assert np.isnan(track_pitch(np.zeros(RATE, np.float32)))


# --- pictures -------------------------------------------------------------------------------------------------------


def _read_png(path: Path) -> np.ndarray:
    data = path.read_bytes()
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    start = data.index(b"IDAT")
    size = int.from_bytes(data[start - 4 : start], "big")
    rows = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + size]), np.uint8).reshape(height, 1 + 3 * width)
    return rows[:, 1:].reshape(height, width, 3)


def test_png_round_trip_and_text(tmp_path):
    pixels = np.zeros((20, 30, 3), np.uint8)
    draw_text(pixels, 0, 0, "i", scale=1)
    assert pixels[:5, :3, 0].astype(bool).tolist() == [[b == "1" for b in f"{int(r):03b}"] for r in GLYPHS["I"]]
    draw_text(pixels, 25, 0, "too long a text")  # cut, not an error
    write_png(tmp_path / "new" / "a.png", pixels)
    assert (_read_png(tmp_path / "new" / "a.png") == pixels).all()
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "b.png", pixels.astype(float))


def test_sheet_shows_a_tone_where_it_is(tmp_path):
    times = column_times(2.0)
    assert times[int(WIDTH * 0.3)] == pytest.approx(0.1, abs=0.01)
    sound = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(2 * RATE) / RATE)
    picture = log_spectrogram(sound, RATE, times)
    row = int(picture[:, WIDTH // 2].argmax())
    assert row == pytest.approx(HEIGHT * np.log(20) / np.log(20_000 / 30), abs=1)
    assert picture[row, WIDTH // 2] == pytest.approx(20 * np.log10(0.5), abs=1.5)
    pairs = [("A4", sound, sound[:100]), ("odd", np.zeros(0), np.full(10, np.nan)), ("late", np.zeros(5_000), sound)]
    spectrogram_sheet(pairs, tmp_path / "sheet.png")
    assert _read_png(tmp_path / "sheet.png").shape[1] > 4 * WIDTH
    with pytest.raises(ValueError, match="at least one"):
        spectrogram_sheet([], tmp_path / "none.png")


# --- the benchmark of notes -----------------------------------------------------------------------------------------

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

    def untrained(self):
        return NoiseVoice()


class NoiseVoice(PerfectVoice):
    def notes(self, notes, w=None):
        return [0.1 * np.random.default_rng(note.seed).standard_normal(20_000).astype(np.float32) for note in notes]


def test_rows_are_held_out_paired_and_frozen(benchmarks, tmp_path):
    pytest.importorskip("soxr")
    from notes_list import draw_reference, draw_rows, load_rows, save_rows

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
    with pytest.raises(AntiphonError, match="too few notes"):
        draw_rows(prepared, split="preset")


def test_a_perfect_voice_wins_and_noise_loses(benchmarks, tmp_path, monkeypatch):
    pytest.importorskip("soxr")
    pytest.importorskip("swift_f0")
    import margins
    import notes
    from notes_report import print_report

    monkeypatch.setattr(margins, "DISTANCE_DRAWS", 3)
    prepared = _prepared(tmp_path / "p.safetensors")
    settings = notes.Settings(
        voice="perfect", prepared=prepared.path, embeddings=("mel",), cache=tmp_path, sheet=tmp_path / "sheet.png"
    )
    result = notes.evaluate(PerfectVoice(), prepared, settings)
    rows = result["rows"]
    assert rows["encoded"]["mel"]["fad"] < 0.1 * rows["floor"]["mel"]["fad"]
    assert rows["untrained"]["mel"]["fad"] > rows["naive"]["mel"]["fad"] > rows["encoded"]["mel"]["fad"]
    assert rows["encoded"]["mel_db"] < 0.5 < rows["naive"]["mel_db"] < rows["untrained"]["mel_db"]
    assert rows["encoded"]["accuracy"] == 1
    assert rows["encoded"]["pitch"]["within_50"] == rows["encoded"]["between"]["within_50"] == 1
    assert rows["encoded"]["pitch"]["median_cents"] < 5
    assert result["labels"]["violin"]["notes"] == 14
    assert rows["encoded"]["margins"]["accuracy"] == 0  # whatever is drawn
    assert result["variety"]["labels"] == {"violin": PRESETS}
    assert result["variety"]["rows"]["imagined"]["precision"] > 0.9
    assert (tmp_path / "sheet.png").exists()
    assert len(list((tmp_path / "features").glob("*.npz"))) == 4  # real, floor, naive, reference
    print_report(result)
    again = notes.evaluate(PerfectVoice(), prepared, settings)
    assert again["rows"]["encoded"] == rows["encoded"]


def test_margins_are_those_of_the_textbook(benchmarks):
    pytest.importorskip("soxr")
    from adversary import difference
    from margins import distance_margins, identity_margins, pitch_margins
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(7)
    right, real = rng.random(1_000) < 0.4, np.ones(1_000, bool)
    expected = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 1_000)
    assert identity_margins(right, real) == pytest.approx({"accuracy": expected, "share": expected}, rel=0.1)
    wanted = np.full(1_000, 60.0)
    margins = pitch_margins(wanted + right, wanted)
    assert margins == {"within_50": pytest.approx(expected, rel=0.1), "median_cents": 0}
    sets = [{"mel": rng.normal(shift, 1, (200, 3))} for shift in (0, 0, 1, 2)]  # real, floor, naive and a made one
    margins = distance_margins({"made": sets[3]}, tuple(sets[:3]), threads=1)
    assert 0.2 < margins["made"]["mel fad_normalised"] < 2
    with_it, without = [1.2, 1.5, 1.1], [1.6, 1.7, 1.8]
    mean, half = difference(with_it, without)
    low, high = ttest_rel(with_it, without).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-3)


def test_gaussians_have_the_cloud_they_were_fitted_on(benchmarks):
    pytest.importorskip("soxr")
    from note_sets import LabelGaussians

    rng = np.random.default_rng(6)
    cloud = rng.standard_normal((400, 3)) @ np.diag([1.0, 2, 3]) + [5, 0, -5]
    drawn = np.stack([LabelGaussians(cloud, np.zeros(400)).draw(0, seed) for seed in range(2_000)])
    assert drawn.mean(0) == pytest.approx(cloud.mean(0), abs=0.25)
    assert np.cov(drawn.T) == pytest.approx(np.cov(cloud.T), abs=0.8)
    assert LabelGaussians(cloud, np.zeros(400)).draw(7, 0).shape == (3,)  # an unknown label: the whole cloud


def test_embeddings_without_their_packages_say_what_to_do(benchmarks, monkeypatch, tmp_path):
    import embeddings

    monkeypatch.setattr(embeddings.importlib.util, "find_spec", lambda name: None)
    for name in ("aisfx", "musicnn"):
        with pytest.raises(AntiphonError, match="pip install --no-deps"):
            embeddings.load_embedding(name, tmp_path)
    with pytest.raises(AntiphonError, match="choose among"):
        embeddings.load_embedding("vggish", tmp_path)


def test_aisfx_is_the_network_of_the_package(benchmarks, tmp_path):
    if importlib.util.find_spec("aisfx") is None:
        pytest.skip("aisfx is not installed")
    import torch
    from embeddings import AISFX_HASH, AiSFX, _checked, _package_file

    mine = AiSFX(tmp_path)
    # The package itself imports an old librosa: only the file that defines the network is loaded.
    spec = importlib.util.spec_from_file_location("aisfx_network", _package_file("aisfx", "models/cnn2d.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = _checked(_package_file("aisfx", "models/checkpoint.pth"), AISFX_HASH)
    weights, _ = torch.load(path, map_location="cpu", weights_only=False)
    theirs = module.EmbeddingNet("max", 3, 1, 64).eval()
    theirs.load_state_dict({k[14:]: v for k, v in weights.items() if k.startswith("embedding_net.")})
    sounds = [tone(60), tone(72, 3.0)]
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(np.stack([mine.spectrogram(sound) for sound in sounds]))).numpy()
    assert mine(sounds) == pytest.approx(expected, abs=1e-4)
