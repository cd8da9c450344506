"""What is specific to the example for rented GPU machines: carrying a run from one machine to the next."""

from pathlib import Path

import pytest
import torch
from conftest import TINY

import antiphon
from antiphon.recipes.instrument import instrument
from antiphon.recipes.override import override
from antiphon.verbs.train import from_file
from antiphon.voices.checkpoint import read_tensors

EXAMPLE = Path(__file__).parent.parent / "examples" / "gpu"


def test_a_run_goes_on_from_its_small_state(
    run_folder: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import small_state

    monkeypatch.setattr(small_state, "MOST", 1 << 19)
    carried, run = tmp_path / "carried", tmp_path / "run"
    carried.mkdir()
    written = small_state.shrink(run_folder, carried)
    assert len(list(carried.glob("small-state.*"))) > 1
    assert max(p.stat().st_size for p in written if "small" in p.name) <= 1 << 19
    size = (run_folder / "state.safetensors").stat().st_size
    assert sum(p.stat().st_size for p in written) < 0.45 * size
    small_state.restore(carried, run)
    before, progress = read_tensors(run_folder / "state.safetensors")
    after, progress_after = read_tensors(run / "state.safetensors")
    assert progress_after == progress
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        if name.startswith("game."):
            torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=1e-3)
    recipe = override(instrument("tiny"), TINY)
    from_file(prepared, run, recipe, steps=12)
    assert antiphon.load(run).info.training["steps"] == 12
