"""What the critics hear: the parts of their verdict, where their weights are read from, and what the page says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tone
from torch import nn

import antiphon
from antiphon.core.note import Note
from antiphon.core.run_files import STATE
from antiphon.metrics import critics_map as mapping
from antiphon.metrics.critics_map import SAMPLES, Cells, CriticsMap, critics_map, curves, gesture_of, read_critics
from antiphon.metrics.plots.critics import critics_panels
from antiphon.metrics.shapley import sampled_shapley
from antiphon.representations.spectral import LogMel
from antiphon.verbs.explanation_page import in_words

HELD = gesture_of(Note(60, 1.0), True)
HEARD = 3, 2  # the cell that the planted critic hears


class OneCell(nn.Module):
    """A critic that hears the middle of one cell, and nothing else."""

    def __init__(self):
        super().__init__()
        self.mel = LogMel(2048, 512, 128)

    def judge(self, image, gesture, instrument):
        return image[:, 16 * HEARD[0] + 7 : 16 * HEARD[0] + 9, 20].mean(1, keepdim=True), []


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(mapping, "ORDERS", 2)


def noise(seconds: float = 0.7) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(round(seconds * 44100)).astype(np.float32)


def test_a_critic_that_hears_one_cell_lights_up_that_cell():
    found = critics_map(nn.ModuleList([OneCell()]), noise(), HELD, 0)
    parts = np.abs(found.values)
    assert np.unravel_index(parts.argmax(), parts.shape) == HEARD
    assert 1.7 < parts[HEARD] / np.sort(parts.ravel())[-2] < 2.3  # masks are smooth: neighbours overlap by half
    far = [part for cell, part in np.ndenumerate(parts) if np.abs(np.subtract(cell, HEARD)).max() > 2]
    np.testing.assert_allclose(far, 0, atol=1e-6)


def test_parts_sum_to_what_blurring_takes_away(voice, run_folder, quick):
    critics = read_critics(run_folder / STATE, len(voice.instruments))
    found = critics_map(critics, tone(60, 1.0), HELD, 1)
    assert found.values.shape == (8, 8)
    assert found.values.sum() == pytest.approx(found.verdict - found.blurred, abs=1e-5)
    again = critics_map(critics, np.pad(tone(60, 1.0), (0, 44100)), HELD, 1)
    np.testing.assert_array_equal(again.values, found.values)  # what comes later is not heard


def test_the_verdict_is_the_critics_own(voice, run_folder):
    critics = read_critics(run_folder / STATE, len(voice.instruments))
    sound, label = tone(60, 1.0)[:SAMPLES], torch.tensor([1])
    logits, _ = critics(torch.from_numpy(sound).unsqueeze(0), HELD, label)
    own = torch.stack([x.mean() for x in logits]).mean()
    assert Cells(critics, sound, HELD, 1).verdicts(np.ones((1, 64)))[0] == pytest.approx(float(own), abs=1e-5)


def test_curves_begin_and_end_with_the_whole_and_the_blurred_sound():
    cells = Cells(nn.ModuleList([OneCell()]), noise(), HELD, 0)
    blurred, whole = cells.verdicts(np.stack([np.zeros(64), np.ones(64)]))
    near = [cell for cell in range(64) if np.abs(np.subtract(divmod(cell, 8), HEARD)).max() <= 2]
    deleted, inserted = curves(cells, np.r_[near, np.setdiff1d(np.arange(64), near)])
    assert deleted[0] == inserted[-1] == whole
    assert deleted[-1] == inserted[0] == blurred
    assert deleted[len(near)] == pytest.approx(blurred, abs=1e-5)
    assert inserted[len(near)] == pytest.approx(whole, abs=1e-5)


def test_sampled_contributions_add_up_and_a_cause_without_effect_has_none():
    def value(inside):
        return inside[:, 0] * inside[:, 1] + 2 * inside[:, 2]

    found = sampled_shapley(value, 4, 200, np.random.default_rng(0))
    assert found.sum() == pytest.approx(3)
    np.testing.assert_allclose(found, [0.5, 0.5, 2, 0], atol=1e-9)  # an order and its reverse: exact for pairs


def test_critics_are_found_beside_a_voice_or_in_its_run_and_others_are_none(run_folder, voice):
    bundled = Path(antiphon.load("gm").file).parent
    assert read_critics(bundled / "gm.critics.safetensors", 113) is not None
    assert read_critics(bundled / "gm.critics.safetensors", 112) is None  # of other labels
    assert read_critics(bundled / "repair.critics.safetensors", 113) is None
    state = read_critics(run_folder / STATE, len(voice.instruments))
    assert state is not None
    assert not state.training


def test_a_map_is_drawn_red_where_it_is_real_and_blue_where_it_is_not():
    values = np.zeros((8, 8))
    values[0, 0], values[7, 7] = 1.0, -1.0  # low and early, high and late
    (picture,) = critics_panels([noise()], [CriticsMap(values, 1.0, 0.0)])
    low_early, high_late = picture[-8:, :8].astype(int), picture[:8, -8:].astype(int)
    assert (low_early[..., 0] > low_early[..., 2]).all()
    assert (high_late[..., 0] < high_late[..., 2]).all()
    middle = picture[85, 135].astype(int)
    assert middle.max() - middle.min() == 0
    said = in_words(CriticsMap(values, 1.0, 0.0))
    assert "most for it speaks 20 Hz to 400 Hz from 0.00 to 0.09 s" in said
    assert "most against it, 12.9 kHz to 20.0 kHz from 0.65 to 0.74 s" in said


def test_the_page_shows_what_they_hear_and_says_so_without_them(run_folder, tmp_path, antiphon_line, quick):
    note, alone = "violin G4 seed 5 seconds 0.3", tmp_path / "alone" / "tiny.safetensors"
    alone.parent.mkdir()
    shutil.copy(run_folder / "weights.safetensors", alone)
    without = antiphon_line("explain", alone, "-o", tmp_path / "none", "--note", note, "-q")
    assert without.status == 0, without.err
    assert f"No critics lie beside {antiphon.load(alone).info.name}" in (tmp_path / "none.html").read_text()
    plain = json.loads((tmp_path / "none.json").read_text())
    assert plain["critics"] is None
    shutil.copy(run_folder / STATE, alone.with_name(STATE))
    assert antiphon_line("explain", alone, "-o", tmp_path / "why", "--note", note, "-q").status == 0
    text, facts = (tmp_path / "why.html").read_text(), json.loads((tmp_path / "why.json").read_text())
    assert "What the critics hear" in text
    (found,) = facts["critics"].values()
    assert np.shape(found["parts"]) == (8, 8)
    assert len(found["bands_hz"]) == len(found["seconds"]) == 9
    assert np.sum(found["parts"]) == pytest.approx(found["verdict"] - found["of_blurred"], abs=0.02)
    assert facts | {"critics": None} == plain  # nothing else changes
