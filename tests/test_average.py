"""The example that averages voices."""

from pathlib import Path

import pytest
import torch

import antiphon
from antiphon.voices.checkpoint import read_tensors

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_mean_of_two_voices_by_their_shares(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from average import average

    trained, _ = read_tensors(run_folder / "weights.safetensors")
    same, meta = read_tensors(average([(str(run_folder), 1.0), (str(run_folder), 2.0)], tmp_path / "same.safetensors"))
    assert all(torch.equal(same[name], trained[name]) for name in trained)
    assert "harp" in meta["labels"]["instruments"]

    from antiphon.voices.checkpoint import save_voice

    other = antiphon.load(run_folder)
    with torch.no_grad():
        for weight in other.model.parameters():
            weight.zero_()
    save_voice(tmp_path / "zero.safetensors", other.model, other.info)
    shares = [(str(tmp_path / "zero.safetensors"), 3.0), (str(run_folder), 1.0)]
    mean, _ = read_tensors(average(shares, tmp_path / "mean.safetensors"))
    name = max(trained, key=lambda k: trained[k].numel())
    assert torch.allclose(mean[name].float(), trained[name].float() / 4, atol=1e-3)
    with pytest.raises(antiphon.AntiphonError, match="other sizes or labels"):
        average([("gm", 1.0), (str(run_folder), 1.0)], tmp_path / "none.safetensors")
    assert not (tmp_path / "none.safetensors").exists()
