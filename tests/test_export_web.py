"""A voice as one web page: what is inside it, that nothing gets out of its place, and that it plays without Python."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.core.note import mixed
from antiphon.networks.model import LabelTable
from antiphon.voices.controls import Controls, write_controls
from antiphon.voices.interpolation import slerp

HERE = Path(__file__).parent
PARTS = ["voice", "weights", "styles", "directions", "turns", "engine", "worklet", "worker", "page"]
HOSTILE = "</script><script>alert(1)</script><!-- \" ' & \u2028 </title><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def page(voice, tmp_path_factory) -> Path:
    return antiphon.export(voice, tmp_path_factory.mktemp("web") / "page.html", format="web", quiet=True)


class Reader(HTMLParser):
    """Tags with their attributes, the contents of scripts by id, and the text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.scripts, self.said, self._in = [], {}, "", ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = dict(attrs).get("id", "?") if tag == "script" else ""
        if self._in:
            self.scripts[self._in] = ""

    def handle_endtag(self, tag):
        self._in = "" if tag == "script" else self._in

    def handle_data(self, data):
        if self._in:
            self.scripts[self._in] += data
        else:
            self.said += data


def read(path: Path) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


def test_the_page_has_all_that_it_needs(page, voice):
    found = read(page)
    assert list(found.scripts) == PARTS
    for tag, attrs in found.tags:
        assert not {"src", "action", "srcset"} & attrs.keys(), tag
        assert attrs.get("href", "data:,").startswith("data:")
    told = json.loads(found.scripts["voice"])
    assert told["labels"] == list(voice.instruments)
    weights = np.frombuffer(base64.b64decode(found.scripts["weights"]), "<f2")
    expected = np.concatenate([p.numpy().ravel() for p in voice.model.generator.parameters()])
    np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-6)
    styles = np.frombuffer(base64.b64decode(found.scripts["styles"]), "<f2").reshape(len(told["labels"]), 9, -1)
    np.testing.assert_allclose(styles[1, 3], voice.imagine(voice.instruments[1], seed=2), atol=2e-3)
    np.testing.assert_allclose(styles[0, 0], voice.typical(voice.instruments[0]), atol=2e-3)
    assert voice.info.licence in found.said


def controls_of(labels, directions, turns) -> Controls:
    count = len(labels)
    effects = torch.zeros(count, 2, 2)
    return Controls(
        ("brightness", "attack"), (HOSTILE, "slower"), labels, directions, torch.zeros(count, 2, 3), effects, turns
    )


@pytest.fixture(scope="module")
def turned(voice, tmp_path_factory):
    """The same voice with two named controls, of which its first label lacks one; and its page."""
    weights = tmp_path_factory.mktemp("turned") / "turned.safetensors"
    shutil.copy(voice.file, weights)
    labels, style = tuple(voice.instruments), len(voice.typical(voice.instruments[0]))
    directions = torch.randn(len(labels), 2, style, generator=torch.Generator().manual_seed(0)).half().float()
    directions[0, 1] = 0
    turns = torch.randn(len(labels), 2, 2, len(voice.knobs), generator=torch.Generator().manual_seed(1)).half().float()
    turns[0, 1] = 0
    write_controls(controls_of(labels, directions, turns), weights)
    known = antiphon.load(weights)
    return known, antiphon.export(known, weights.with_name("page.html"), format="web", quiet=True)


def test_named_controls_are_sliders(turned, page):
    known, place = turned
    found = read(place)
    assert json.loads(found.scripts["voice"])["controls"] == ["brightness", "attack"]
    assert json.loads(read(page).scripts["voice"])["controls"] == []
    assert list(found.scripts) == PARTS
    sliders = [attrs for _, attrs in found.tags if attrs.get("id", "") in ("control-0", "control-1")]
    described = {attrs.get("id") for tag, attrs in found.tags if tag == "p"}
    assert [(s["type"], s["min"], s["max"], s["value"]) for s in sliders] == [("range", "-2", "2", "0")] * 2
    assert {s["aria-describedby"] for s in sliders} <= described
    assert HOSTILE in found.said
    steps = np.frombuffer(base64.b64decode(found.scripts["directions"]), "<f2").reshape(
        *known.controls.directions.shape
    )
    np.testing.assert_array_equal(steps, known.controls.directions)


def test_a_blend_is_turned_by_the_shares_of_its_labels(turned, tmp_path):
    known, _ = turned
    one, two = known.instruments[:2]
    place = antiphon.export(known, tmp_path / "p.html", format="web", instrument=[f"{one}:0.7,{two}:0.3"], quiet=True)
    turns = np.frombuffer(base64.b64decode(read(place).scripts["turns"]), "<f2")
    expected = 0.7 * known.controls.turns[0] + 0.3 * known.controls.turns[1]
    np.testing.assert_allclose(turns, expected.ravel(), atol=2e-3)


def test_a_slider_turns_knobs_as_in_python(turned, antiphon_page):
    known, place = turned
    found = read(place)
    knobs = json.loads(found.scripts["voice"])["knobs"]
    turns = np.frombuffer(base64.b64decode(found.scripts["turns"]), "<f2").astype(float)
    np.testing.assert_array_equal(turns, known.controls.turns.numpy().ravel())
    each = turns.reshape(len(known.instruments), -1)[1].tolist()
    expected = known.controls.shaping(known.instruments[1], {"brightness": 1.5, "attack": -0.5})
    np.testing.assert_allclose(antiphon_page(f"Antiphon.shapingOf({each}, [1.5, -0.5], {knobs})"), expected, atol=1e-6)
    assert antiphon_page(f"Antiphon.shapingOf([], [1.5, -0.5], {knobs})") == [0] * knobs


def test_a_pressed_key_is_turned_by_the_sliders(turned):
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node")
    known, place = turned
    line = [node, str(HERE / "streaming" / "sliders.js"), str(place), "1", "0", "0.25", "1.5", "-0.5"]
    said = json.loads(subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout)
    asked, names = {"brightness": 1.5, "attack": -0.5}, (known.instruments[1], known.instruments[0])
    shapings = [known.controls.shaping(name, asked) for name in names]
    np.testing.assert_allclose(said["shaping"], mixed(shapings, (0.75, 0.25)), atol=1e-6)
    ws = [known.stepped(known.typical(name), known.controls.step(name, asked)) for name in names]
    np.testing.assert_allclose(said["w"], slerp(*ws, 0.25), atol=3e-3)
    assert said["disabled"] == [False, True]


def test_controls_that_only_turn_knobs_have_no_directions(voice, tmp_path):
    weights = tmp_path / "knobs.safetensors"
    shutil.copy(voice.file, weights)
    labels, style = tuple(voice.instruments), len(voice.typical(voice.instruments[0]))
    turns = torch.zeros(len(labels), 2, 2, len(voice.knobs))
    turns[1, 1, 0, 1] = 0.5
    write_controls(controls_of(labels, torch.zeros(len(labels), 2, style), turns), weights)
    known = antiphon.load(weights)
    own = type(known)(known.model, replace(known.info, shaping=(0.0, 0.25)))
    told, clone = (
        read(antiphon.export(v, tmp_path / f"{i}.html", format="web", quiet=True)).scripts
        for i, v in enumerate((known, own))
    )
    assert told["directions"] == ""
    assert len(base64.b64decode(told["turns"])) == 2 * turns.numel()
    assert json.loads(told["voice"])["shaping"] == []
    assert json.loads(clone["voice"])["shaping"] == [0, 0.25]


def test_a_slider_moves_a_sound_as_in_python(turned, antiphon_page):
    known, _ = turned
    name = known.instruments[1]
    w = known.imagine(name, seed=3)
    expected = known.turned(w, name, {"brightness": 1.5, "attack": -0.5}).w
    assert float((expected - w).square().mean()) > 0.1
    step = known.controls.step(name, {"brightness": 1.5, "attack": -0.5})
    found = antiphon_page(f"Array.from(Antiphon.stepped({w.tolist()}, {step.tolist()}))")
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture
def antiphon_page():
    """Evaluates JavaScript beside engine.js."""
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node")
    engine = Path(antiphon.__file__).parent / "verbs" / "exporters" / "page" / "engine.js"

    def evaluate(text: str):
        line = f"const Antiphon = require({json.dumps(str(engine))}); console.log(JSON.stringify({text}))"
        return json.loads(
            subprocess.run([node, "-e", line], capture_output=True, text=True, check=True, timeout=60).stdout
        )

    return evaluate


def test_the_network_multiplies_as_without_webassembly(antiphon_page):
    sizes = [[13, 9, 1], [16, 24, 4], [7, 3, 11]]  # inputs, outputs, rows
    found = antiphon_page(f"""{json.dumps(sizes)}.map(([n, m, rows]) => {{
      const next = Antiphon.dice(n), some = (k) => Float32Array.from({{ length: k }}, () => 2 * next() - 1);
      const layer = {{ in: n, out: m, weight: some(n * m), bias: some(m) }}, x = some(rows * n);
      const plain = Antiphon.linear(layer, x, rows), quick = Antiphon.products([layer], 24)(layer, x, rows);
      return [quick.length, Math.max(...plain.map((y, i) => Math.abs(y - quick[i])))];
    }})""")
    assert [length for length, _ in found] == [rows * out for _, out, rows in sizes]
    assert max(off for _, off in found) < 1e-5


def test_every_control_has_a_label(turned):
    found = read(turned[1])
    labelled = {attrs.get("for") for tag, attrs in found.tags if tag == "label"}
    for tag, attrs in found.tags:
        if tag in ("input", "select"):
            assert attrs["id"] in labelled
    assert {"role", "aria-live"} <= next(attrs for _, attrs in found.tags if attrs.get("id") == "status").keys()


def test_names_cannot_break_out(voice, tmp_path):
    told = type(voice)(voice.model, replace(voice.info, name=HOSTILE, licence=HOSTILE, sources=(HOSTILE,)))
    kept = told.model.labels
    told.model.labels = LabelTable((HOSTILE, *kept.instruments[1:]), kept.styles)
    try:
        found = read(antiphon.export(told, tmp_path / "x.html", format="web", quiet=True))
    finally:
        told.model.labels = kept
    assert list(found.scripts) == PARTS
    assert not [tag for tag, _ in found.tags if tag == "img"]
    assert sum(tag == "script" for tag, _ in found.tags) == len(PARTS)
    assert json.loads(found.scripts["voice"])["labels"][0] == " ".join(HOSTILE.split())
    assert "alert(1)" not in "".join(found.scripts[name] for name in ("engine", "worklet", "worker", "page"))


def test_the_pages_own_scripts_could_not_end_early():
    for path in (Path(antiphon.__file__).parent / "verbs" / "exporters" / "page").iterdir():
        assert not re.search(r"</script|<!--", path.read_text(encoding="utf-8"), re.I), path


def test_nothing_is_replaced_by_mistake(page, voice, tmp_path, antiphon_line):
    before = page.read_bytes()
    with pytest.raises(AntiphonError, match="exists"):
        antiphon.export(voice, page, format="web", quiet=True)
    with pytest.raises(AntiphonError, match="is a folder: give a file"):
        antiphon.export(voice, tmp_path, format="web", quiet=True)
    assert page.read_bytes() == before
    assert (
        antiphon_line("export", "kit", "-o", tmp_path / "k.html", "--format", "web")
        .err[-1]
        .startswith("antiphon: kit cannot become a web instrument")
    )
    said = antiphon_line(
        "export", "gm", "-o", tmp_path / "two.html", "--format", "web", "--instrument", "flute", "flute,cello"
    )
    assert said.out == [str(tmp_path / "two.html")]
    assert json.loads(read(tmp_path / "two.html").scripts["voice"])["labels"] == ["flute", "flute,cello"]


def test_the_page_plays_without_a_browser(page):
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node")
    line = [node, str(HERE / "streaming" / "page.js"), str(page)]
    said = json.loads(subprocess.run(line, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert said["before"] == said["after"] == said["left"] == 0
    assert 1e-4 < said["held"] < 1
    assert said["risen"] > 3 * said["held"]
    assert said["sounding"] >= 3
    assert said["ended"] == 6
    script = Path(antiphon.__file__).parent / "verbs" / "exporters" / "page" / "page.js"
    subprocess.run([node, "--check", str(script)], check=True)
