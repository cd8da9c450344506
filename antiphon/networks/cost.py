"""What a network costs: its parameters, and the multiply-adds of one pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameter_count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@torch.no_grad()
def multiply_adds(module: nn.Module, *inputs: Any) -> int:
    """Of one forward pass with these inputs, which is made: matrix products and convolutions, all that counts here."""
    training = module.training
    with FlopCounterMode(display=False) as counter:
        module.eval()(*inputs)
    module.train(training)
    return int(counter.get_total_flops()) // 2
