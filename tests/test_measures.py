"""Metrics against closed forms, hand-counted cases, and damage that they must rank."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.mel import cut_tail, fit_length, mel_bands, mel_distance
from antiphon.data.analysis.tracker import track_pitch
from antiphon.metrics.frechet import frechet_distance, gaussian, gaussian_distance
from antiphon.metrics.kernel import kernel_distance, kernel_distances_redrawn, kid
from antiphon.metrics.ndb import binned, bins_for, k_means
from antiphon.metrics.ndb import ndb as ndb_of_bins
from antiphon.metrics.neighbours import label_accuracy, nearest, spread, squared_distances
from antiphon.metrics.pitch import in_range, pitch_score
from antiphon.metrics.plots import titles
from antiphon.metrics.plots.png import encode_png, words_of, write_png
from antiphon.metrics.plots.sheet import (
    HEIGHT,
    WIDTH,
    column_times,
    log_spectrogram,
    spectrogram_sheet,
    spectrogram_strip,
)
from antiphon.metrics.plots.titles import draw_title
from antiphon.metrics.prdc import prdc
from antiphon.metrics.spectral import log_spectral_distance

RATE = 44_100


def tone(pitch: float, seconds: float = 0.6, *, partials: int = 8, decay: float = 3.0, tilt: float = 1.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    waves = [np.sin(2 * np.pi * k * f0 * t) / k**tilt for k in range(1, partials + 1) if k * f0 < 18_000]
    return (0.3 * np.sum(waves, 0) * np.exp(-decay * t)).astype(np.float32)


def ndb(features: np.ndarray, reference: np.ndarray, bins: int | None = None) -> dict[str, float]:
    return ndb_of_bins(*binned(features, reference, bins=bins))


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


def test_frechet_of_few_rows_is_the_same_without_large_matrices():
    rng = np.random.default_rng(8)
    few, others = rng.standard_normal((9, 30)), rng.standard_normal((12, 30)) * 2 + 1
    expected = gaussian_distance(*gaussian(few), *gaussian(others))
    assert frechet_distance(few, others) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="features"):
        frechet_distance(few[:1], others)


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


def test_kernel_distance_of_redrawn_rows_is_that_of_the_rows_written_out():
    rng = np.random.default_rng(9)
    x, y = rng.standard_normal((7, 3)), rng.standard_normal((7, 3)) + 1
    rows = np.array([[0, 1, 2, 3, 4, 5, 6], [0, 0, 1, 3, 3, 5, 6]])
    gaps = [np.sum((p - q) ** 2) for i, p in enumerate(y) for q in y[:i]]

    def kernel(p, q):
        return np.exp(-np.sum((p - q) ** 2) / (2 * np.median(gaps)))

    def within(points, row):
        return np.mean([kernel(points[i], points[j]) for i in row for j in row if i != j])

    row = rows[1]
    expected = within(x, row) + within(y, row) - 2 * np.mean([kernel(x[i], y[j]) for i in row for j in row])
    assert kernel_distances_redrawn(x, y, rows) == pytest.approx([kernel_distance(x, y), 1000 * expected])


def test_prdc_agrees_with_loops_over_its_definitions():
    rng = np.random.default_rng(10)
    real, made, k = rng.standard_normal((30, 4)), rng.standard_normal((25, 4)) * 1.3 + 0.5, 3

    def apart(p, q):
        return np.sqrt(((p - q) ** 2).sum())

    def radius(points, i):
        return sorted(apart(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    balls, others = ([radius(points, i) for i in range(len(points))] for points in (real, made))
    inside = np.array([[apart(r, m) < ball for m in made] for r, ball in zip(real, balls, strict=True)])
    reached = [any(apart(r, m) < ball for m, ball in zip(made, others, strict=True)) for r in real]
    expected = {"precision": inside.any(0).mean(), "recall": np.mean(reached)}
    expected |= {"density": inside.sum() / (k * len(made)), "coverage": inside.any(1).mean()}
    assert prdc(real, made, k=k) == pytest.approx(expected)


def test_ndb_finds_the_mode_that_is_missing_and_the_one_that_is_too_frequent():
    rng = np.random.default_rng(11)
    modes = 10 * np.eye(5)

    def mixture(shares):
        return np.concatenate([modes[i] + rng.standard_normal((n, 5)) for i, n in enumerate(shares)])

    real = mixture([200] * 5)
    assert sorted(np.round(k_means(real, 5)).argmax(1)) == list(range(5))  # a centre for each mode
    same, dropped = (ndb(mixture(shares), real, bins=5) for shares in ([200] * 5, [0, 400, 200, 200, 200]))
    assert (same["different"], same["divergence"]) == (0, pytest.approx(0, abs=1e-6))
    assert (dropped["different"], dropped["share"]) == (2, 0.4)
    # Halves of the mixtures p = (0, .4, .2, ...) and q = .2 everywhere, by hand.
    middle = [0.1, 0.3]
    bits = 0.5 * (0.4 * np.log2(0.4 / middle[1]) + 0.2 * np.log2(0.2 / middle[0]) + 0.2 * np.log2(0.2 / middle[1]))
    assert dropped["divergence"] == pytest.approx(bits, abs=1e-3)
    assert ndb(real, real)["different"] == 0
    assert (bins_for(10), bins_for(1_000), bins_for(10**6)) == (2, 50, 100)
    assert ndb(np.zeros((9, 2)), np.zeros((9, 2)))["different"] == 0  # all points on one spot


def test_ndb_of_equal_distributions_is_the_test_s_own_error():
    rng = np.random.default_rng(12)
    shares = [ndb(rng.standard_normal((1_000, 3)), rng.standard_normal((1_000, 3)), bins=20)["share"] for _ in range(5)]
    assert np.mean(shares) < 0.15


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


def damaged(clean: np.ndarray, how: str) -> list[np.ndarray]:
    """A sound unchanged, and with increasing damage."""
    if how == "low-pass":
        signal = pytest.importorskip("scipy.signal")
        filters = [signal.butter(6, cut, fs=RATE, output="sos") for cut in (16_000, 8_000, 4_000, 1_000)]
        return [clean, *(signal.sosfilt(one, clean).astype(np.float32) for one in filters)]
    if how == "noise":
        added = np.random.default_rng(5).standard_normal(len(clean)).astype(np.float32)
    else:
        added = np.zeros_like(clean)
        added[1_000::4_410] = 1
    return [clean + level * added for level in (0.0, 1e-4, 1e-3, 1e-2, 1e-1)]


def in_embedding(name: str):
    """Distance in an embedding, which is skipped if its weights are not installed."""
    from antiphon.metrics.embeddings import load_embedding
    from antiphon.metrics.networks.weights import default_cache, installed

    if name != "mel" and not installed(name):
        pytest.skip(f"{name} is not installed")
    embedding = load_embedding(name, default_cache())
    return lambda audio, target: float(np.linalg.norm(np.subtract(*embedding([audio, target]))))


@pytest.mark.parametrize("how", ["noise", "low-pass", "clicks"])
@pytest.mark.parametrize("measure", [mel_distance, log_spectral_distance, "mel", "aisfx", "musicnn"])
def test_every_distance_grows_with_the_damage(measure, how):
    distance = in_embedding(measure) if isinstance(measure, str) else measure
    clean = tone(57, partials=60)
    values = [distance(sound, clean) for sound in damaged(clean, how)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values == sorted(values)
    assert values[-1] > values[0]


def test_mel_distance_is_the_gain():
    clean = tone(57, partials=60)
    assert mel_distance(0.5 * clean, clean) == pytest.approx(6.02, abs=1.0)
    assert mel_distance(np.zeros(0, np.float32), np.zeros(0, np.float32)) == 0


def test_log_spectral_distance_is_the_gain():
    # every bin well above the floor: a gain moves all by as much
    flat = 0.1 * np.random.default_rng(13).standard_normal(RATE).astype(np.float32)
    assert log_spectral_distance(0.9 * flat, flat) == pytest.approx(-20 * np.log10(0.9), abs=0.05)
    assert log_spectral_distance(np.zeros(0, np.float32), np.zeros(0, np.float32)) == 0


def test_tails_are_cut_and_lengths_matched():
    sound = np.concatenate([tone(69, 0.5, decay=0), 1e-5 * tone(69, 1.0, decay=0)])
    assert abs(len(cut_tail(sound)) - 0.5 * RATE) <= 441
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


def _chunk(data: bytes, kind: bytes) -> bytes:
    start = data.index(kind)
    return data[start + 4 : start + 4 + int.from_bytes(data[start - 4 : start], "big")]


def _read_png(path: Path) -> np.ndarray:
    data = path.read_bytes()
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    rows = np.frombuffer(zlib.decompress(_chunk(data, b"IDAT")), np.uint8).reshape(height, -1)[:, 1:]
    if data[25] == 3:  # with a palette
        return np.frombuffer(_chunk(data, b"PLTE"), np.uint8).reshape(-1, 3)[rows]
    return rows.reshape(height, width, 3)


def test_png_round_trip(tmp_path):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[3, 4] = 5, 6, 7
    write_png(tmp_path / "new" / "a.png", pixels)
    assert (_read_png(tmp_path / "new" / "a.png") == pixels).all()
    pixels[5:10], pixels[10:15, :9] = (250, 20, 1), (0, 90, 255)  # few colours, and no two channels alike
    write_png(tmp_path / "coloured.png", pixels)
    assert (_read_png(tmp_path / "coloured.png") == pixels).all()
    many = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)  # more colours than a palette holds
    write_png(tmp_path / "many.png", many)
    assert (_read_png(tmp_path / "many.png") == many).all()
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "b.png", pixels.astype(float))


@pytest.mark.parametrize("words", ["", "flute 60 v100; Gitarre öl", "a lone \udcfe"])
def test_a_png_brings_its_words_along(words):
    png = encode_png(np.zeros((2, 3, 3), np.uint8), words)
    assert words_of(png) == words.replace("\udcfe", "?")
    assert words_of(png[:40]) == words_of(b"no picture at all") == ""


def test_titles_are_written_where_pillow_is(tmp_path):
    pytest.importorskip("PIL")
    for text in ("flute", "a title that is far too long for its place"):
        pixels = np.full((16, 60, 3), 24, np.uint8)
        draw_title(pixels, text)
        assert 200 < pixels.max() <= 230
        assert (pixels != 24).any(2).mean() > 0.03
    sound = 0.1 * np.sin(np.arange(RATE) / 10)
    spectrogram_sheet([("flute 60", sound, sound)], tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes()[25] == 3  # letters keep to a palette


def test_without_pillow_a_sheet_says_beside_it_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(titles, "_font", lambda: None)
    sound = 0.1 * np.sin(np.arange(RATE) / 10)
    spectrogram_sheet([("flute 60", sound, sound), ("cello 40", sound, sound)], tmp_path / "sheet.png")
    spectrogram_strip([sound, sound], ["flute", "cello"], tmp_path / "strip.png")
    said = [words_of((tmp_path / name).read_bytes()) for name in ("sheet.png", "strip.png")]
    assert said == [
        "Real beside generated, 2 to a line: flute 60 (1.0 s); cello 40 (1.0 s)",
        "2 to a line: flute; cello",
    ]
    assert (_read_png(tmp_path / "strip.png")[:4] == 24).all()


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
