"""The computer's keys as a piano, for those without another one.

A terminal tells which key was pressed and not when it was let go: a note lasts half a second, or as long as its key
repeats itself; with the sustain pedal (the space bar) it lasts until the pedal is let go.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

KEYS = {key: i for i, key in enumerate("zsxdcvgbhnjm,l.;/")} | {
    key: 12 + i for i, key in enumerate("q2w3er5t6y7ui9o0p")
}
HELD = 0.55  # seconds: a little longer than a key takes until it repeats itself
LOWEST, HIGHEST = 0, 96  # of the octave's first key
WORDS = """keys: z s x d c v ... and q 2 w 3 e r ... are a piano; - and = move it by an octave, space is the pedal,
[ and ] change the instrument, backspace silences everything, escape ends"""


class Piano:
    """Typed characters become MIDI messages. send: where they go."""

    def __init__(self, send: Callable[[bytes], None], velocity: int = 96, base: int = 48):
        self._send, self.velocity, self.base = send, velocity, base
        self._until: dict[int, float] = {}
        self.pedal, self.program = False, 0

    def typed(self, key: str, now: float) -> bool:
        """A character, at a time in seconds. -> whether to go on"""
        if key in ("\x1b", "\x03", "\x04"):
            return False
        if key.lower() in KEYS:
            note = self.base + KEYS[key.lower()]
            if note not in self._until and note < 128:
                self._send(bytes((0x90, note, self.velocity)))
            self._until[note] = now + HELD
        elif key == " ":
            self.pedal = not self.pedal
            self._send(bytes((0xB0, 64, 127 * self.pedal)))
        elif key in "-=":
            self.base = min(max(self.base + (12 if key == "=" else -12), LOWEST), HIGHEST)
        elif key in "[]":
            self.program = (self.program + (1 if key == "]" else -1)) % 128
            self._send(bytes((0xC0, self.program)))
        elif key in ("\x7f", "\x08"):
            self._until.clear()
            self._send(bytes((0xFF,)))
        return True

    def tick(self, now: float) -> None:
        """Let go of keys that no longer repeat themselves."""
        for note in [note for note, until in self._until.items() if until <= now]:
            del self._until[note]
            self._send(bytes((0x80, note, 0)))


@contextmanager
def typing() -> Iterator[Callable[[float], str]]:
    """Characters as they are typed, without echo: a function that waits some seconds for one, "" if none came."""
    if os.name == "nt":
        yield _windows_key
        return
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        yield _unix_key
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _unix_key(seconds: float) -> str:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return ""
    typed = os.read(sys.stdin.fileno(), 16).decode("utf-8", "ignore")
    return "" if len(typed) > 1 and typed[0] == "\x1b" else typed[:1]  # arrows and the like are sequences


def _windows_key(seconds: float) -> str:
    import msvcrt

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if msvcrt.kbhit():  # type: ignore[attr-defined]
            return str(msvcrt.getwch())  # type: ignore[attr-defined]
        time.sleep(0.005)
    return ""
