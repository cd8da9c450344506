"""A voice's networks as ONNX: another runtime computes what torch computes, and the example plays."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import antiphon
from antiphon.audio.files import read_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.networks.generators.instrument import SIZES, time_features
from antiphon.networks.gesture import Gesture
from antiphon.networks.mapping import Mapping
from antiphon.networks.model import InstrumentModel, LabelTable
from antiphon.networks.physics import DRIFTS, slow_waves
from antiphon.verbs.exporters import onnx
from antiphon.verbs.exporters.onnx_graph import Graph
from antiphon.voices.instrument import InstrumentVoice
from antiphon.voices.voice import VoiceInfo

runtime = pytest.importorskip("onnxruntime")
KNOTS = torch.tensor([[0.0, 128, 1000, 40_000, 40_500, 60_000], [0, 64, 500, 2_000_000, 2_000_100, 2_010_000]])
RELEASE = torch.tensor([[torch.inf] * 3 + [39_000.0] * 3, [torch.inf] * 4 + [2_000_000.0] * 2])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    model = InstrumentModel(SIZES["tiny"], LabelTable(("flute", "oboe"), ("bright",)))
    for weights in model.parameters():
        weights.data = weights.data.half().float()  # as in a voice's file
    return model.eval().requires_grad_(False)


def run(graph: bytes, **inputs: torch.Tensor) -> dict[str, np.ndarray]:
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {k: v.numpy() for k, v in inputs.items()}), strict=True))


def test_a_graph_is_the_arithmetic_it_was_written_as():
    graph = Graph("some")
    x = graph.input("x", ("n", 4))
    a, b = x.split([1, 3])
    graph.output("y", 1.0 - (a * b + graph.constant(np.arange(3))).clip(-1, 2) / 2.0, ("n", 3))
    given = torch.randn(5, 4)
    expected = 1 - (given[:, :1] * given[:, 1:] + torch.arange(3)).clamp(-1, 2) / 2
    np.testing.assert_allclose(run(graph.model(), x=given)["y"], expected, atol=1e-6)


@pytest.mark.parametrize("words", [0, 1])
def test_the_mapping(words):
    torch.manual_seed(1)
    network = Mapping(16, 3, words).requires_grad_(False)
    for weights in network.parameters():
        weights.data = weights.data.half().float()
    z, instrument, hot = torch.randn(4, 32), torch.tensor([0, 2, 1, 2]), torch.ones(4, words)
    given = {"z": z, "instrument": instrument} | ({"words": hot} if words else {})
    np.testing.assert_allclose(run(onnx.mapping(network), **given)["w"], network(z, instrument, hot), atol=1e-5)


def note(network, count: int = 2) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    w = torch.randn(count, network.config.style)
    return {"w": w, "pitch": torch.tensor([60.5, 31.0]), "velocity": torch.tensor([0.2, 1.0])}


def test_the_tuner(network):
    told = note(network)
    expected, found = network.generator.tuning(**told), run(onnx.tuner(network.generator), **told)
    for name, value in found.items():
        np.testing.assert_allclose(value, getattr(expected, name), rtol=2e-5, atol=2e-5, err_msg=name)
    assert found.keys() == {"ratios", "stretch", "free", "gains", "cents", "vibrato"}


def test_the_trunk(network):
    told, take = note(network), torch.tensor([3, 9])
    bend = torch.tensor([0.5, -1.0])
    g = Gesture(
        pitch=told["pitch"], velocity=told["velocity"], release=RELEASE, start=torch.zeros(2, dtype=torch.long),
        samples=2_010_112, knots=KNOTS, take=take,
        f0=(440 * 2 ** ((told["pitch"] + bend - 69) / 12)).unsqueeze(1).expand(-1, 15_705),
    )  # fmt: skip
    expected = network.generator.curves(told["w"], g)
    moments = {
        "knots": KNOTS,
        "release": RELEASE,
        "waves": slow_waves(take, KNOTS),
        "bend": bend.unsqueeze(1).expand(-1, 6),
    }
    found = run(onnx.trunk(network.generator), **told, **{k: v.contiguous() for k, v in moments.items()})
    for name, value in found.items():
        np.testing.assert_allclose(value, getattr(expected, name), rtol=1e-3, atol=1e-3, err_msg=name)
    assert found.keys() == vars(expected).keys()
    assert time_features(KNOTS, RELEASE).isfinite().all()
    assert DRIFTS == 6  # README.txt says so


def test_a_voice_plays_the_same_after_it_was_exported(network, tmp_path):
    voice = InstrumentVoice(network, VoiceInfo())
    antiphon.export(voice, tmp_path / "before", format="onnx", quiet=True)
    with torch.random.fork_rng():
        first = voice.notes([Note(60, 0.2, instrument="oboe")])[0]
    antiphon.export(voice, tmp_path / "again", format="onnx", quiet=True)
    np.testing.assert_array_equal(voice.notes([Note(60, 0.2, instrument="oboe")])[0], first)
    for name in onnx.PATHS[:4]:
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    with pytest.raises(AntiphonError, match="exists"):
        antiphon.export(voice, tmp_path / "again", format="onnx", quiet=True)


def test_the_example_plays(antiphon_line, tmp_path):
    said = antiphon_line("export", "gm", "-o", tmp_path / "gm", "--format", "onnx", "--instrument", "flute", "oboe")
    assert said.out == [str(tmp_path / "gm")]
    assert sum(path.stat().st_size for path in (tmp_path / "gm").iterdir()) < 6e6
    assert list(json.loads((tmp_path / "gm" / "constants.json").read_text())["styles"]) == ["flute", "oboe"]
    line = [sys.executable, str(tmp_path / "gm" / "example.py"), "flute", "72", str(tmp_path / "note.wav"), "0.8"]
    subprocess.run(line, check=True, timeout=60)
    sound = read_audio(tmp_path / "note.wav")
    (whole,) = antiphon.load("gm").notes([Note(72, 0.8, 95, "flute")])
    level = [20 * np.log10(np.sqrt(np.mean(x[10_000:30_000] ** 2))) for x in (sound, whole)]
    assert level[0] == pytest.approx(level[1], abs=2)
    spectrum = np.abs(np.fft.rfft(sound[10_000:30_000] * np.hanning(20_000), 1 << 18))
    assert spectrum.argmax() * 44_100 / (1 << 18) == pytest.approx(523.25, rel=0.006)
    assert "licence" in (tmp_path / "gm" / "README.txt").read_text().lower()


def test_a_kit_has_other_networks(tmp_path):
    with pytest.raises(AntiphonError, match="kit cannot be exported as ONNX: use a voice of instruments"):
        antiphon.export("kit", tmp_path / "kit", format="onnx", quiet=True)
    assert not (tmp_path / "kit").exists()
