"""Everything a run needs to resume where it stopped, as named tensors and readable JSON in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.training.contract import Game
from antiphon.training.ema import Ema
from antiphon.voices.checkpoint import read_tensors, write_tensors


def save_state(path: Path, game: Game, ema: Ema, progress: dict[str, Any]) -> None:
    """Write players, averages and optimisers; `progress` is any JSON."""
    tensors = {f"game.{k}": v for k, v in game.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in ema.module.state_dict().items()}
    for name, optimiser in game.optimisers.items():
        for i, slots in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{name}.{i}.{slot}": value for slot, value in slots.items()}
    write_tensors(path, tensors, progress)


def load_state(path: Path, game: Game, ema: Ema) -> dict[str, Any]:
    """Read what `save_state` wrote into a game of the same recipe. -> progress"""
    tensors, progress = read_tensors(path)
    try:
        game.load_state_dict(_under(tensors, "game."))
        ema.module.load_state_dict(_under(tensors, "ema."))
        for name, optimiser in game.optimisers.items():
            _load_optimiser(optimiser, _under(tensors, f"optimiser.{name}."))
    except (RuntimeError, KeyError, ValueError) as e:
        raise AntiphonError(f"{path} does not fit this run's settings: {str(e).splitlines()[0]}") from None
    return progress


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, slot = key.split(".", 1)
        state.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
