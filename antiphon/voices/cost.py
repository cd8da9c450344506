"""The cost of a network: its parameters, and the multiply-adds of running it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from antiphon.voices.capabilities import PlaysNotes, Transforms
from antiphon.voices.voice import Voice


def parameter_count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@contextmanager
def counting(module: nn.Module) -> Iterator[list[int]]:
    """Counts the multiply-adds of every pass during the block through a network, or through its layers if only those
    are called: matrix products and convolutions, which dominate."""
    passes: list[int] = []
    begun: list[int] = []
    with FlopCounterMode(display=False) as counter:

        def enter(*_: Any) -> None:
            begun.append(counter.get_total_flops())

        def leave(*_: Any) -> None:
            flops = counter.get_total_flops() - begun.pop()
            if not begun:  # else it is part of an unfinished pass
                passes.append(flops // 2)

        hooks = [part.register_forward_pre_hook(enter) for part in module.modules()]
        hooks += [part.register_forward_hook(leave) for part in module.modules()]
        try:
            yield passes
        finally:
            for hook in hooks:
                hook.remove()


@torch.no_grad()
def multiply_adds(module: nn.Module, *inputs: Any) -> int:
    """Multiply-adds of one forward pass with these inputs, which is run."""
    training = module.training
    with counting(module) as passes:
        module.eval()(*inputs)
    module.train(training)
    return sum(passes)


def multiply_adds_a_second(voice: Voice) -> float:
    """Multiply-adds of a voice's generator per second of sound, which is rendered: a note held for a second, whose
    release adds cost but no seconds; a sound of its fixed length; a second of noise for voices that transform sound."""
    seconds = voice.longest if math.isfinite(voice.longest) else 1.0
    with counting(getattr(voice.model, "generator", voice.model)) as passes:
        if isinstance(voice, PlaysNotes):
            voice.note(seconds=seconds)
        elif isinstance(voice, Transforms):
            voice.transform(np.random.default_rng(0).standard_normal(voice.sample_rate), voice.sample_rate)
    return sum(passes) / seconds
