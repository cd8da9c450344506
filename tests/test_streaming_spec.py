"""docs/streaming.md: every implementation of a streamed note plays its fixtures."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from streaming import fixtures as spec

from antiphon.voices import synthesis

ENGINE = Path(synthesis.__file__).parents[1] / "verbs" / "exporters" / "page" / "engine.js"
KNOWN = json.loads(spec.FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def network():
    return spec.generator()


@pytest.mark.parametrize("name", spec.NOTES)
def test_python_plays_the_fixtures(network, name, monkeypatch):
    monkeypatch.setattr(synthesis, "HALF", False)  # where processors multiply in half precision, they differ
    known = KNOWN["notes"][name]
    given = spec.given(network, name)
    with spec.ratios(network, known["ratios"]):
        sound = spec.played(network, name, 333)
    assert len(sound) == known["samples"]
    expected = np.concatenate(list(known["sound"].values()))
    found = np.concatenate([sound[int(at) : int(at) + spec.LENGTH] for at in known["sound"]])
    assert np.square(found - expected).sum() < 1e-6 * np.square(expected).sum()
    for key in ("phase", "copies", "ratios", "detune", "rate", "w"):
        np.testing.assert_allclose(given[key], known[key], rtol=1e-6, atol=1e-8)


def test_javascript_plays_the_fixtures():
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node")
    line = [node, str(spec.FILE.with_name("check.js")), str(ENGINE), str(spec.FILE)]
    said = json.loads(subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert said.pop("knots")
    assert said.keys() == KNOWN["notes"].keys()
    for name, found in said.items():
        assert found["samples"] == KNOWN["notes"][name]["samples"]
        assert found["decibels"] > 60, name
        assert found["far"] < 1e-6
