"""The live engine in a process of its own, so that nothing else that Python does delays its sound: messages go in by a
pipe, and sound comes out by a ring in shared memory, from which an audio callback only has to copy."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.parallel import start_resource_tracker
from antiphon.core.stopping import unheard

BLOCK = 128  # frames that the engine renders at once
RING = 16384  # frames of the shared ring
READY = 120.0  # seconds within which the engine has to have loaded its voice
MARGIN = 512  # frames that are kept ready beyond what is asked for: beginning a note takes some milliseconds
GUARD = 64  # frames after those that are being read in which nothing is changed any more
PAUSE = 0.001  # seconds of sleep where there is nothing to do
MOST_AHEAD = 2048  # frames that are kept ready at most, or twice what a loudspeaker reads at once
SPELL = 0.25  # seconds of interruptions that count as one: a computer that woke up is no reason to be slower for ever
# Of the shared numbers: frames read and written, callbacks without sound, notes, frames to keep ready.
READ, WRITTEN, LATE, NOTES, AHEAD = range(NUMBERS := 5)
_QUIT = b""


class Closed(ABC):
    """What is closed at the end of a with block."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LiveProcess(Closed):
    """A `Live` elsewhere. ahead: frames that it keeps ready beyond what is being read, at least; more for a loudspeaker
    that reads more at once, or twice in a moment. how: keywords of `Live`."""

    def __init__(self, voice: str | Path = "gm", *, ahead: int = 256, **how: Any):
        context = mp.get_context("spawn")
        start_resource_tracker()
        self._memory = SharedMemory(create=True, size=8 * NUMBERS + RING * 2 * 4)
        self._numbers, self._ring = _views(self._memory)
        self._numbers[:] = 0
        self._numbers[AHEAD] = max(ahead, BLOCK) + MARGIN
        self._grown = -math.inf
        self._pipe, theirs = context.Pipe()
        self._lock, self._closed = threading.Lock(), False
        arguments = (theirs, self._memory.name, str(voice), how)
        self._process = context.Process(target=_work, args=arguments, name="antiphon live", daemon=True)
        with unheard():  # Ctrl-C is for the one who asked
            self._process.start()
        theirs.close()

    def start(self) -> tuple[str, float]:
        """Wait until it can play. -> the name of its instrument, and how many milliseconds it takes to begin a note.
        Raises AntiphonError if it cannot."""
        try:
            late = ("error", "the engine did not start in time")
            said: tuple[Any, ...] = self._pipe.recv() if self._pipe.poll(READY) else late
        except EOFError:
            said = ("error", "the engine ended as it began: see the lines above")
        if said[0] == "error":
            self.close()
            raise AntiphonError(said[1])
        return str(said[1]), float(said[2])

    def send(self, message: bytes) -> None:
        """A MIDI message, played as soon as possible; from any thread."""
        with self._lock, suppress(OSError):
            if not self._closed:
                self._pipe.send_bytes(message)

    def read(self, frames: int) -> np.ndarray:
        """(frames, 2) float32, the next ones; silence where the engine is late."""
        out = np.zeros((frames, 2), np.float32)
        if self._closed:
            return out
        at = int(self._numbers[READ])
        ready = min(int(self._numbers[WRITTEN]) - at, frames)
        place = (at + np.arange(ready)) % RING
        out[:ready] = self._ring[place]
        self._numbers[READ] = at + ready
        if ready < frames:
            self._numbers[LATE] += 1
            self._keep_more(frames)
        return out

    def _keep_more(self, frames: int) -> None:
        """After an interruption: at least what was asked for and a block, and a block more than before."""
        now = time.monotonic()
        if now - self._grown > SPELL:
            most = min(max(MOST_AHEAD, 2 * frames), RING - BLOCK)
            self._numbers[AHEAD] = max(min(max(self.ahead, frames) + BLOCK, most), self.ahead)
            self._grown = now

    @property
    def ahead(self) -> int:
        """Frames that are kept ready."""
        return int(self._numbers[AHEAD])

    @property
    def late(self) -> int:
        """How often there was not enough sound."""
        return int(self._numbers[LATE])

    @property
    def sounding(self) -> int:
        """How many notes sound."""
        return int(self._numbers[NOTES])

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def close(self) -> None:
        """End the process."""
        if self._closed:
            return
        self.send(_QUIT)
        self._process.join(2)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(2)
        with self._lock:
            self._closed = True
            self._pipe.close()
        del self._numbers, self._ring
        self._memory.close()
        with suppress(FileNotFoundError):
            self._memory.unlink()


def _views(memory: SharedMemory) -> tuple[np.ndarray, np.ndarray]:
    """The shared numbers, and the ring, (RING, 2)."""
    numbers = np.ndarray(NUMBERS, np.int64, memory.buf)
    return numbers, np.ndarray((RING, 2), np.float32, memory.buf, 8 * NUMBERS)


def _work(pipe: Connection, name: str, voice: str, how: dict[str, Any]) -> None:
    """The other process: renders whenever fewer frames are ready than are to be kept, and what comes next in pauses."""
    memory = SharedMemory(name)
    try:
        _play(pipe, memory, voice, how)
    except AntiphonError as error:
        pipe.send(("error", str(error)))
    except (EOFError, BrokenPipeError):
        pass  # the other side is gone
    finally:
        memory.close()


def _play(pipe: Connection, memory: SharedMemory, voice: str, how: dict[str, Any]) -> None:
    import torch

    from antiphon.verbs.live.engine import Live

    torch.set_num_threads(1)
    with suppress(OSError, AttributeError):
        os.nice(-10)  # where it is allowed
    live = Live(voice, **how)
    numbers, ring = _views(memory)
    pipe.send(("ready", live.playing, warm_up(live)))
    while True:
        while pipe.poll(0):
            message = pipe.recv_bytes()
            if message == _QUIT:
                return
            live.process([(0, message)], 0)
        if live.begun():
            _begin_now(live, numbers, ring)
        written = int(numbers[WRITTEN])
        if written - int(numbers[READ]) < int(numbers[AHEAD]):
            ring[(written + np.arange(BLOCK)) % RING] = live.process([], BLOCK)
            numbers[WRITTEN], numbers[NOTES] = written + BLOCK, live.sounding
        elif not live.prepare():
            pipe.poll(PAUSE)


def _begin_now(live: Any, numbers: np.ndarray, ring: np.ndarray) -> None:
    """Add the notes that have just begun to what is ready already, so that a key does not wait for its end."""
    written = int(numbers[WRITTEN])
    place = np.arange(int(numbers[READ]) + GUARD, written) % RING
    ring[place] += live.earlier(len(place))


def warm_up(live: Any) -> float:
    """Play a few notes that nobody hears: the first is slow. -> milliseconds until a key's first sample is made"""
    took = 0.0
    for key in (48, 60, 72, 48, 60, 72):
        begin = time.perf_counter()
        live.process([(0, (0x90, key, 64))], 1)
        took = time.perf_counter() - begin
        live.process([(0, (0x80, key, 0))], 2048)
    live.process([(0, (0x99, 38, 64))], 1024)
    live.panic()
    live.process([], 1024)
    return 1000 * took
