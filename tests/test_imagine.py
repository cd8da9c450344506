"""The example that continues training only a voice's mapping network."""

from pathlib import Path

import pytest
import torch

import antiphon
from antiphon.data.prepared import Prepared
from antiphon.networks.mapping import NOISE

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def imagining(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import imagine

    return imagine


def strays(voice, w: torch.Tensor, label: torch.Tensor, words: torch.Tensor) -> float:
    """Mean distance of imagined styles from the nearest encoded one."""
    z = torch.randn(len(label), NOISE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = voice.model.mapping(z, label, words)
    return sum(float(torch.cdist(made[label == i], w[label == i]).min(1).values.mean()) for i in label.unique())


def test_only_the_mapping_learns_and_comes_nearer_to_what_is_heard(run_folder, prepared, imagining):
    voice, data = antiphon.load(run_folder), Prepared(prepared)
    kept = {name: x.clone() for name, x in voice.model.state_dict().items()}
    heard = imagining.heard(voice, data, 64, 0)
    before = strays(voice, *heard)
    imagining.imagine(voice, data, 150, count=64)
    assert strays(voice, *heard) < 0.8 * before
    for name, x in voice.model.state_dict().items():
        assert torch.equal(x, kept[name]) != name.startswith("mapping."), name

    one, other = antiphon.load(run_folder), antiphon.load(run_folder)
    for voice in (one, other):
        imagining.imagine(voice, data, 10, count=64)
    for name, x in other.model.state_dict().items():
        assert torch.equal(x, one.model.state_dict()[name]), name


def test_rare_labels_are_met_more_often_than_they_come(run_folder, prepared, imagining):
    voice, data = antiphon.load(run_folder), Prepared(prepared)
    data.preset[:] = torch.where(data.instrument == 0, torch.arange(len(data.preset)), len(data.preset))
    _, label, _ = imagining.heard(voice, data, 256, 0)
    shares = torch.bincount(label).float() / 256
    assert 0.2 < float(shares.min()) < 0.4  # 1 of 7 drawn; evenly it would be 1 of 2


def test_a_voice_of_other_labels_is_refused(prepared, imagining):
    with pytest.raises(antiphon.AntiphonError, match="other labels"):
        imagining.imagine(antiphon.load("gm"), Prepared(prepared), 1)
