"""What every batch of tensors can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Self

import torch


class Tensors:
    """A dataclass of tensors, and of objects with tensors, that moves as one."""

    def to(self, device: torch.device) -> Self:
        """The same on another device; the processor does not wait for the copies."""
        return self._each(lambda x: x.to(device, non_blocking=True) if isinstance(x, torch.Tensor) else x.to(device))

    def _each(self, change: Callable[[Any], Any]) -> Self:
        return type(self)(**{f.name: change(getattr(self, f.name)) for f in fields(self)})  # type: ignore[arg-type]
