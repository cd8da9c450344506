"""The live engine in two processes, where there are two processors: each hears every message and plays every other
note, and what they play is added up."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.core.parallel import processors
from antiphon.verbs.live.process import Closed, LiveProcess

MOST = 2  # processes: the computer has other things to do


class LiveProcesses(Closed):
    """A `Live` in processes [LiveProcess], as one. ahead: frames kept ready, at least; how: keywords of `Live`."""

    def __init__(self, voice: str | Path = "gm", *, ahead: int = 256, **how: Any):
        count = min(processors(), MOST)
        self._all: list[LiveProcess] = []
        with ExitStack() as stack:
            for part in range(count):
                self._all.append(LiveProcess(voice, ahead=ahead, share=(part, count), **how))
                stack.callback(self._all[-1].close)
            self._stack = stack.pop_all()

    def start(self) -> tuple[str, float]:
        """Wait until all can play. -> the name of the instrument, and how many milliseconds it takes to begin a note.
        Raises AntiphonError if they cannot."""
        found = [one.start() for one in self._all]
        return found[0][0], max(begin for _, begin in found)

    def send(self, message: bytes) -> None:
        """A MIDI message, played as soon as possible; from any thread."""
        for one in self._all:
            one.send(message)

    def read(self, frames: int) -> np.ndarray:
        """(frames, 2) float32, the next ones; silence where an engine is late."""
        return limited(np.sum([one.read(frames) for one in self._all], axis=0))

    @property
    def ahead(self) -> int:
        """Frames that are kept ready."""
        return max(one.ahead for one in self._all)

    @property
    def late(self) -> int:
        """How often there was not enough sound."""
        return max(one.late for one in self._all)

    @property
    def sounding(self) -> int:
        """How many notes sound."""
        return sum(one.sounding for one in self._all)

    @property
    def alive(self) -> bool:
        return all(one.alive for one in self._all)

    def close(self) -> None:
        """End the processes."""
        self._stack.close()


def limited(sound: np.ndarray) -> np.ndarray:
    """Soft above 0.7, and always within 1."""
    size = np.abs(sound)
    if size.max(initial=0) <= 0.7:
        return sound
    return np.where(size > 0.7, np.sign(sound) * (0.7 + 0.3 * np.tanh((size - 0.7) / 0.3)), sound).astype(np.float32)
