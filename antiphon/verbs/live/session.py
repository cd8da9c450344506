"""The verb: from a MIDI keyboard, or the computer's, to a loudspeaker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from antiphon.core.errors import AntiphonError
from antiphon.core.stopping import check, held
from antiphon.core.units import SAMPLE_RATE
from antiphon.verbs.live import devices
from antiphon.verbs.live.keyboard import WORDS, Piano, typing
from antiphon.verbs.live.process import GUARD
from antiphon.verbs.live.processes import LiveProcesses
from antiphon.verbs.report import Report

WAIT = 0.02  # seconds between looks at the keys
SMALLEST, LARGEST = 64, 4096  # frames of a buffer


def live(
    voice: str | Path = "gm",
    *,
    instrument: str | None = None,
    midi: str | None = None,
    audio: str | None = None,
    buffer: int = 256,
    kit: str | Path | None = None,
    polyphony: int = 16,
    seed: int | str = 0,
    seconds: float | None = None,
    quiet: bool = False,
) -> None:
    """Play a voice from a MIDI keyboard, or from the computer's keys where there is none, until Ctrl-C.

    midi: a port's number or part of its name (default: the first; "keys": the computer's keys). audio: part of a
    loudspeaker's name (default: the usual one; "null": none). buffer: frames, 64 to 4096; smaller answers faster and
    needs a faster computer. kit: a drum voice for channel 10. polyphony: the most notes at once. seconds: for how long
    (default: until Ctrl-C). Raises AntiphonError where there is no loudspeaker or no such port."""
    if not SMALLEST <= buffer <= LARGEST:
        raise AntiphonError(f"a buffer of {buffer} frames is out of range: use {SMALLEST} to {LARGEST}")
    report = Report(quiet)
    how: dict[str, Any] = {"instrument": instrument, "kit": kit, "polyphony": polyphony, "seed": seed}
    port, speaker = _port(midi), devices.find_speaker(audio)
    with ExitStack() as stack:
        with held():  # a stop before it is known would leave its shared memory behind
            engine = stack.enter_context(LiveProcesses(voice, ahead=buffer, **how))
        playing, begin = engine.start()
        stack.enter_context(closing(devices.open_speaker(speaker, buffer, engine.read)))
        piano = _listen(stack, engine, port, report)
        if port is None and midi is None:
            report.say("no MIDI port was found: play with the computer's keys")
        report.say(f"{playing} on channel 1, drums on channel 10; {_latency(buffer, begin)}")
        report.say("Ctrl-C ends")
        with suppress(KeyboardInterrupt):  # which is how it ends
            _until_stopped(engine, piano, seconds, stack)
        if engine.late > 1:
            kept = f"{1000 * engine.ahead / SAMPLE_RATE:.0f} ms are kept ready now"
            advice = f"{kept}; if it went on, try --buffer {min(2 * buffer, LARGEST)}"
            report.say(f"note: the sound was interrupted {engine.late} times: {advice}")


def listing() -> list[str]:
    """A line for each MIDI port and loudspeaker, with the numbers and names that `live` takes."""
    ports, speakers = devices.ports(), devices.speakers()
    lines = [f"--midi {i}   {name}" for i, name in enumerate(ports, 1)]
    if not lines:
        lines = ["no MIDI port: connect a keyboard, or play with the computer's keys (--midi keys)"]
        if not devices.can_listen():
            lines = [f"no MIDI without rtmidi2: {devices.HOW}; the computer's keys play too (--midi keys)"]
    lines += [f"--audio '{name}'" for name in speakers] or ["no loudspeaker was found"]
    return lines


def _latency(buffer: int, begin: float) -> str:
    """What a key has to wait for: the loudspeaker's buffer and the note's first samples, which took `begin` ms."""
    engine = begin + 1000 * GUARD / SAMPLE_RATE
    own = 1000 * buffer / SAMPLE_RATE
    return f"latency: buffer {own:.1f} ms + engine {engine:.1f} ms, and what the loudspeaker adds"


def _port(midi: str | None) -> tuple[int, str] | None:
    """Number and name of the MIDI port that is meant, or None for the computer's keys. Raises AntiphonError if there is
    no such port."""
    known = [] if midi == "keys" else devices.ports()
    if midi in (None, "keys"):
        return (0, known[0]) if known else None
    number = devices.chosen(midi, known, "MIDI port")
    return number, known[number]


def _listen(stack: ExitStack, engine: LiveProcesses, port: tuple[int, str] | None, report: Report) -> Piano | None:
    """Open the MIDI port. -> the computer's keys instead, if there is none"""
    if port is None:
        report.say(WORDS)
        return Piano(engine.send)
    stack.callback(devices.open_port(port[0], engine.send).close_port)
    report.say(f"listening to {port[1]}")
    return None


def _until_stopped(engine: LiveProcesses, piano: Piano | None, seconds: float | None, stack: ExitStack) -> None:
    """Play, until Ctrl-C, escape or the time is over."""
    key: Callable[[float], str] = stack.enter_context(typing()) if piano and sys.stdin.isatty() else _nothing
    end = time.monotonic() + (float("inf") if seconds is None else seconds)
    while time.monotonic() < end:
        check()
        if not engine.alive:
            raise AntiphonError("the engine has ended unexpectedly: start again")
        typed = key(WAIT)
        if piano:
            if typed and not piano.typed(typed, time.monotonic()):
                return
            piano.tick(time.monotonic())


def _nothing(seconds: float) -> str:
    time.sleep(seconds)
    return ""
