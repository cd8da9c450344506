"""Mixed precision only where the device has instructions for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import antiphon
from antiphon.networks import precision
from antiphon.networks.precision import mixed

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("known", "expected"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True, "avx512_bf16": False}, False)],
)
def test_bfloat16_is_for_processors_that_multiply_it(known, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    assert precision.multiplies_bfloat16.__wrapped__("cpu") is expected
    monkeypatch.setattr(precision, "multiplies_bfloat16", precision.multiplies_bfloat16.__wrapped__)
    for enabled in (True, False):
        with mixed(CPU, enabled):
            made = torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3))
        assert made.dtype == (torch.bfloat16 if expected and enabled else torch.float32)


def test_nobody_else_decides_on_bfloat16():
    """Networks that round by themselves would be emulated, several times slower, on most laptops."""
    root = Path(antiphon.__file__).parent
    deciding = {
        file.relative_to(root).as_posix()
        for file in root.rglob("*.py")
        if "autocast(" in (text := file.read_text()) and "torch.bfloat16" in text
    }
    assert deciding == {"networks/precision.py"}
