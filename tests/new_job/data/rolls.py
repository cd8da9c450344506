"""Bars of music as piano rolls, twelve keys by sixteen steps: from a folder of .csv files, a bar each, to one prepared
file. Any data set will do that has what antiphon/training/recipe.py's `Data` asks for."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError

KEYS, STEPS = 12, 16
SPLITS = "train", "valid"
EVERY = 4  # of so many bars one is held out


class Rolls:
    """A prepared file, opened. rolls: (n, KEYS, STEPS) uint8, 1 where a key sounds. split: (n,) index into SPLITS."""

    def __init__(self, path: Path):
        self.path = path
        try:
            with safe_open(path, "pt") as file:
                self.rolls, self.split = file.get_tensor("rolls"), file.get_tensor("split")
                self.said = json.loads(file.metadata()["rolls"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise AntiphonError(f"{path} holds no piano rolls: prepare the folder again") from None

    @property
    def extent(self) -> str:
        return f"{len(self.where('train'))} bars"

    def where(self, split: str) -> torch.Tensor:
        return torch.nonzero(self.split == SPLITS.index(split)).flatten() if split in SPLITS else torch.zeros(0)

    def training_on(self, split: str) -> Rolls:
        other, unseen = copy.copy(self), SPLITS.index(split)
        other.split = torch.where(self.split == unseen, 0, torch.where(self.split == 0, unseen, self.split))
        return other


def prepare_rolls(folder: Path, target: Path, licence: str) -> tuple[int, int]:
    """Write the prepared file. -> how many bars were taken, how many files refused"""
    files = sorted(folder.rglob("*.csv"))
    read = [np.loadtxt(path, np.uint8, delimiter=",", ndmin=2) for path in files]
    rolls = [roll for roll in read if roll.shape == (KEYS, STEPS) and roll.max() == 1]
    if not rolls:
        raise AntiphonError(f"{folder} holds no bars: give .csv files of {KEYS} rows of {STEPS} numbers, 0 or 1")
    split = torch.tensor([int(i % EVERY == EVERY - 1) for i in range(len(rolls))])
    said = json.dumps({"licence": licence, "sources": [folder.name]})
    with atomic(target) as draft:
        save_file({"rolls": torch.from_numpy(np.stack(rolls)), "split": split}, draft, {"rolls": said})
    return len(rolls), len(files) - len(rolls)
