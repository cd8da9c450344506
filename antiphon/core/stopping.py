"""Stopping: Ctrl-C and the other signals that end a program become a KeyboardInterrupt, at a place where it is safe.

Python raises KeyboardInterrupt wherever it happens to be: inside a callback of a C library, which swallows it, between
the making of a file and the `try` that removes it, or in the middle of that removal. So a signal waits while a `held`
block lasts. The first signal ends the work; those right after it change nothing, since a terminal that closes sends
two. One that was swallowed all the same is raised again by `check`, which every progress bar calls.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

SAME = 5.0  # seconds after a stop in which further signals mean that one
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")


class _Ear:
    """What this process has heard. Signals are handled in the main thread only, so no lock is needed."""

    def __init__(self) -> None:
        self.holds = 0  # `held` blocks that the main thread is in
        self.noted = False  # a signal came during them
        self.listening = False
        self.asked = False  # a stop was asked for while listening, raised or not
        self.raised = -math.inf  # when

    def hear(self, number: int, frame: FrameType | None) -> None:
        if self.holds:
            self.noted = True
        else:
            self.stop()

    def stop(self) -> None:
        """Raise, unless what was raised a moment ago is still on its way."""
        self.noted = False
        if self.listening:
            if time.monotonic() < self.raised + SAME:
                return
            self.asked, self.raised = True, time.monotonic()
        raise KeyboardInterrupt


_EAR = _Ear()


@contextmanager
def listening() -> Iterator[None]:
    """During the block SIGTERM and SIGHUP stop the program as Ctrl-C does. A signal that is ignored (by nohup), or that
    the caller handles, stays so."""
    old = {}
    with suppress(ValueError):  # not the main thread: the caller handles signals
        for number in numbers():
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                old[number] = signal.signal(number, _EAR.hear)
    outermost = bool(old) and not _EAR.listening
    if outermost:
        _EAR.listening, _EAR.asked, _EAR.raised = True, False, -math.inf
    unraised = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else unraised(lost)  # see `check`
    try:
        yield
    finally:
        sys.unraisablehook = unraised
        for number, handler in old.items():
            signal.signal(number, handler)
        if outermost:
            _EAR.listening = _EAR.asked = False


@contextmanager
def held(*, late: bool = False) -> Iterator[Callable[[], bool]]:
    """Signals wait until the block ends, then stop the program; yields a function that says whether one has come.

    late: one that comes during the block is too late to undo what the block does, and is raised by the next `check`, if
    there is one. In a thread other than the main one, where Python raises no KeyboardInterrupt, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _EAR.hear)
    _EAR.holds += 1
    try:
        yield lambda: _EAR.noted
    finally:
        _EAR.holds -= 1
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if _EAR.noted and not _EAR.holds:
            if late and _EAR.listening:
                _EAR.noted, _EAR.asked = False, True
            else:
                _EAR.stop()


def check() -> None:
    """Raises KeyboardInterrupt if a stop was asked for and the work goes on nevertheless: a callback or a finaliser has
    swallowed the first one, or it came late. For the course of the work, never for its cleaning up."""
    if _EAR.asked and not _EAR.holds and threading.current_thread() is threading.main_thread():
        _EAR.raised = time.monotonic()
        raise KeyboardInterrupt


def deafen() -> None:
    """Ignore these signals from now on: for processes that another one ends, and for the interpreter's last moments."""
    with suppress(ValueError):
        for number in numbers():
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def unheard() -> Iterator[None]:
    """Programs started during the block never hear Ctrl-C or the terminal's end, which are for this process alone."""
    kinds = {getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)}
    mask: Any = getattr(signal, "pthread_sigmask", None)  # a program inherits what is blocked, unlike handlers
    with held():
        before = mask(signal.SIG_BLOCK, kinds) if mask else None
        try:
            yield
        finally:
            if mask:
                mask(signal.SIG_SETMASK, before)


def numbers() -> list[signal.Signals]:
    """The signals that stop a program, as far as this system has them."""
    return [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
