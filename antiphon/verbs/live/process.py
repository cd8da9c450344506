"""The live engine in a process of its own, so that nothing else that Python does delays its sound: messages go in by a
pipe, and sound comes out by a ring in shared memory, from which an audio callback only has to copy."""

from __future__ import annotations

import multiprocessing as mp
import os
import threading
import time
from collections import deque
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
RING = 8192  # frames of the shared ring
READY = 120.0  # seconds within which the engine has to have loaded its voice
PATIENCE = 0.03  # seconds that a key waits at most for the keys before it
PAUSE = 0.001  # seconds of sleep where there is nothing to do
READ, WRITTEN, LATE, NOTES = range(4)  # of the shared numbers: frames read and written, callbacks without sound, notes
_QUIT = b""


class LiveProcess:
    """A `Live` elsewhere. ahead: frames that it keeps ready beyond what is being read; how: keywords of `Live`."""

    def __init__(self, voice: str | Path = "gm", *, ahead: int = 256, **how: Any):
        context = mp.get_context("spawn")
        start_resource_tracker()
        self._memory = SharedMemory(create=True, size=8 * 4 + RING * 2 * 4)
        self._numbers, self._ring = _views(self._memory)
        self._numbers[:] = 0
        self._pipe, theirs = context.Pipe()
        self._lock, self._closed = threading.Lock(), False
        arguments = (theirs, self._memory.name, str(voice), how, max(ahead, BLOCK))
        self._process = context.Process(target=_work, args=arguments, name="antiphon live", daemon=True)
        with unheard():  # Ctrl-C is for the one who asked
            self._process.start()
        theirs.close()

    def start(self) -> str:
        """Wait until it can play. -> the name of its instrument. Raises AntiphonError if it cannot."""
        try:
            said = self._pipe.recv() if self._pipe.poll(READY) else ("error", "the engine did not start in time")
        except EOFError:
            said = ("error", "the engine ended as it began: see the lines above")
        if said[0] == "error":
            self.close()
            raise AntiphonError(said[1])
        return str(said[1])

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
        self._numbers[LATE] += ready < frames
        return out

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _views(memory: SharedMemory) -> tuple[np.ndarray, np.ndarray]:
    """The shared numbers, and the ring, (RING, 2)."""
    numbers = np.ndarray(4, np.int64, memory.buf)
    return numbers, np.ndarray((RING, 2), np.float32, memory.buf, 8 * 4)


def _work(pipe: Connection, name: str, voice: str, how: dict[str, Any], ahead: int) -> None:
    """The other process: renders whenever less than `ahead` frames are ready, and what will come next in pauses."""
    memory = SharedMemory(name)
    try:
        _play(pipe, memory, voice, how, ahead)
    except AntiphonError as error:
        pipe.send(("error", str(error)))
    except (EOFError, BrokenPipeError):
        pass  # the other side is gone
    finally:
        memory.close()


def _play(pipe: Connection, memory: SharedMemory, voice: str, how: dict[str, Any], ahead: int) -> None:
    import torch

    from antiphon.verbs.live.engine import Live

    torch.set_num_threads(1)
    with suppress(OSError, AttributeError):
        os.nice(-10)  # where it is allowed
    live = Live(voice, **how)
    warm_up(live)
    numbers, ring = _views(memory)
    pipe.send(("ready", live.playing))
    waiting: deque[tuple[float, bytes]] = deque()
    while True:
        while pipe.poll(0):
            message = pipe.recv_bytes()
            if message == _QUIT:
                return
            waiting.append((time.monotonic(), message))
        ready = int(numbers[WRITTEN] - numbers[READ])
        if ready < ahead:
            now = _now(waiting, ready >= ahead - BLOCK, time.monotonic())
            at = int(numbers[WRITTEN])
            ring[(at + np.arange(BLOCK)) % RING] = limited(live.process([(0, message) for message in now], BLOCK))
            numbers[WRITTEN], numbers[NOTES] = at + BLOCK, live.sounding
        elif not live.prepare():
            pipe.poll(PAUSE)


def _now(waiting: deque[tuple[float, bytes]], calm: bool, time: float) -> list[bytes]:
    """The messages to play in a block: those up to the first key, for which there is time only while it is `calm`, but
    which does not wait for longer than PATIENCE. The keys of a chord begin some milliseconds apart, and what sounds
    already is not interrupted. waiting: when each came, and the message; time: now, in seconds."""
    now, keys = [], 0
    while waiting:
        came, message = waiting[0]
        if message[0] & 0xE0 == 0x80:
            keys += 1
            if time - came < PATIENCE and (keys > 1 or not calm):
                break
        now.append(message)
        waiting.popleft()
    return now


def warm_up(live: Any) -> None:
    """Play a few notes that nobody hears: the first is slow."""
    for key in (48, 60, 72):
        live.process([(0, (0x90, key, 64))], 2048)
        live.process([(0, (0x80, key, 0))], 2048)
    live.process([(0, (0x99, 38, 64))], 1024)
    live.panic()
    live.process([], 1024)


def limited(sound: np.ndarray) -> np.ndarray:
    """Soft above 0.7, and always within 1."""
    size = np.abs(sound)
    if size.max(initial=0) <= 0.7:
        return sound
    return np.where(size > 0.7, np.sign(sound) * (0.7 + 0.3 * np.tanh((size - 0.7) / 0.3)), sound).astype(np.float32)
