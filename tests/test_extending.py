"""The example of docs/extending.md, put where it says and trained as it says."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import antiphon
from antiphon.representations.contract import representation

DOC = Path(__file__).parents[1] / "docs" / "extending.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The document's files, in folders that the package looks into too. -> their lines of code"""
    blocks = re.findall(r"```python\n# antiphon/(\S+)/(\w+)\.py\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    lines: list[str] = []
    for folder, name, code in blocks:
        package = "antiphon." + folder.replace("/", ".")
        beside = tmp_path / folder
        beside.mkdir(parents=True, exist_ok=True)
        (beside / f"{name}.py").write_text(code)
        monkeypatch.setattr(import_module(package), "__path__", [*import_module(package).__path__, str(beside)])
        monkeypatch.delitem(sys.modules, f"{package}.{name}", raising=False)
        lines += [line for line in code.splitlines() if line.strip()]
    assert len(blocks) == 3
    return lines


def test_it_is_thirty_lines(example):
    assert len(example) <= 30


def test_its_representation_keeps_its_promise(example):
    audio = torch.rand(2, 512) * 2 - 1
    view = representation("companded")
    assert torch.allclose(view.decode(view.encode(audio), 512), audio, atol=1e-6)


def test_its_recipe_trains_and_plays(example, prepared, tmp_path):
    how = {"recipe": "mine", "size": "tiny", "settings": {"batch": 4}, "threads": 1, "quiet": True}
    antiphon.train(prepared, tmp_path / "run", steps=3, **how)
    sound = antiphon.load(tmp_path / "run").note(60, seed=1)
    assert len(sound) > 8_000
    assert sound.std() > 0
