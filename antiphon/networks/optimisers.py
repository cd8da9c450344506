"""torch's optimisers without their hooks for torch.compile, which nothing here uses: those import the whole compiler,
torch._dynamo, when the first optimiser is made. That takes longer than importing torch itself, in every process that
trains."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer


def _bare(method: Callable[..., Any]) -> Any:
    """What a method of an optimiser does, without what has been wrapped around it."""
    return inspect.unwrap(method)


def _step(kind: type[Optimizer]) -> Any:
    """Its step; of what was wrapped around it, one thing was of use: the step itself is not differentiated."""
    return torch.no_grad()(_bare(kind.step))


class _Bare(Optimizer):
    """The same methods with the same results."""

    add_param_group = _bare(Optimizer.add_param_group)
    zero_grad = _bare(Optimizer.zero_grad)
    state_dict = _bare(Optimizer.state_dict)
    load_state_dict = _bare(Optimizer.load_state_dict)


class Adam(_Bare, torch.optim.Adam):
    """Kingma & Ba 2015."""

    step = _step(torch.optim.Adam)


class AdamW(_Bare, torch.optim.AdamW):
    """Loshchilov & Hutter 2019."""

    step = _step(torch.optim.AdamW)


class RMSprop(_Bare, torch.optim.RMSprop):
    """Hinton 2012."""

    step = _step(torch.optim.RMSprop)
