"""Ways to find the phases of a magnitude spectrogram, by name: each (magnitude, window, hop, samples) -> radians."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from antiphon.representations.griffin_lim import griffin_lim
from antiphon.representations.heap_integration import heap_integration

Phases = Callable[[Tensor, int, int, int], Tensor]


def _integrated(magnitude: Tensor, window: int, hop: int, samples: int) -> Tensor:
    return heap_integration(magnitude, window, hop)


def _refined(magnitude: Tensor, window: int, hop: int, samples: int) -> Tensor:
    """Griffin-Lim started from heap integration: better than either if the magnitudes are reliable."""
    return griffin_lim(magnitude, window, hop, samples, heap_integration(magnitude, window, hop), iterations=32)


PHASES: dict[str, Phases] = {"griffin-lim": griffin_lim, "pghi": _integrated, "pghi+griffin-lim": _refined}
