"""Playing live: what it costs, how long a key has to wait, and whether anything is interrupted.

    python benchmarks/live.py [--only cost latency stress messages] [--buffer 256] [--minutes 2] [--null]

cost: processor time of 16 held notes of gm as a share of real time, of one note's beginning and of its release, beside
what this processor multiplies at the same time (float32 matrices of 256 x 256). latency: from a message to the first
callback with sound, the process beside an own clock that reads a buffer at a time. stress: random messages; callbacks
without enough sound, notes left behind, memory. messages: the same without a clock and in this process, so that no
other program matters: notes left behind, memory by quarters, processor time a second of sound. --null: through
miniaudio's null device instead of the own clock.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from antiphon.core.units import SAMPLE_RATE
from antiphon.verbs.live.devices import NULL, find_speaker, open_speaker
from antiphon.verbs.live.engine import Live
from antiphon.verbs.live.processes import LiveProcesses

VOICES = 16
NAMES = ("acoustic grand piano", "violin", "string ensemble 1", "flute", "drawbar organ")


def cost(seconds: float) -> dict[str, Any]:
    torch.set_num_threads(1)
    live, found = Live("gm", polyphony=VOICES), {}
    for name in NAMES:
        live._channels[0].player = live._cast(name)
        begins, releases = [], []
        for i in range(VOICES):
            begins.append(spent(lambda key=48 + 2 * i: live.process([(0, (0x90, key, 90))], 1)))
        live.process([], SAMPLE_RATE // 2)
        share = spent(lambda: [live.process([], 256) for _ in range(round(seconds * SAMPLE_RATE / 256))]) / seconds
        for i in range(VOICES):
            releases.append(spent(lambda key=48 + 2 * i: live.process([(0, (0x80, key, 0))], 1)))
        live.process([(0, (0xFF,))], 1024)
        found[name] = {"share": share, "begin_ms": 1e3 * np.median(begins), "release_ms": 1e3 * np.median(releases)}
    a = torch.randn(256, 256)
    gemm = spent(lambda: [a @ a for _ in range(200)]) / 200
    return found | {"gemm_gflops": 2 * 256**3 / gemm / 1e9}


def spent(work: Callable[[], object]) -> float:
    """Seconds of this thread's processor time."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


@contextmanager
def clock(engine: LiveProcesses, buffer: int, null: bool, heard: Callable[[np.ndarray], None]) -> Iterator[None]:
    """Reads a buffer at a time, in real time."""

    def read(frames: int) -> np.ndarray:
        sound = engine.read(frames)
        heard(sound)
        return sound

    if null:
        device = open_speaker(find_speaker(NULL), buffer, read)
        yield
        device.close()
        return
    stop = threading.Event()

    def run() -> None:
        due = time.perf_counter()
        while not stop.is_set():
            read(buffer)
            due += buffer / SAMPLE_RATE
            time.sleep(max(due - time.perf_counter(), 0))

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join()


def latency(buffer: int, null: bool, notes: int = 120) -> dict[str, Any]:
    first: list[float] = []

    def heard(sound: np.ndarray) -> None:
        if np.abs(sound).max() > 1e-5:
            first.append(time.perf_counter())

    waits, rng = [], random.Random(1)
    with LiveProcesses("gm", ahead=buffer) as engine:
        engine.start()
        with clock(engine, buffer, null, heard):
            time.sleep(0.5)
            late = engine.late
            for i in range(notes):
                time.sleep(0.02 + 0.02 * rng.random())
                first.clear()
                begin = time.perf_counter()
                engine.send(bytes((0x90, 60 + i % 12, 100)))
                while not first and time.perf_counter() < begin + 1:
                    time.sleep(0.0005)
                waits.append(1e3 * (first[0] - begin))
                engine.send(bytes((0xFF,)))
                time.sleep(0.05)
            late, ahead = engine.late - late, engine.ahead
    own = 1e3 * buffer / SAMPLE_RATE
    found = {"buffer_ms": own, "median_ms": np.median(waits), "p99_ms": np.percentile(waits, 99)}
    return found | {"late": late, "ahead": ahead}


def shaken(rng: random.Random, down: list[int]) -> list[tuple[int, ...]]:
    """A random message or two; down: the keys that are, which it changes."""
    if down and rng.random() < 0.5:
        found: list[tuple[int, ...]] = [(0x80, down.pop(rng.randrange(len(down))), 0)]
    else:
        down.append(rng.randrange(36, 96))
        found = [(0x90, down[-1], rng.randrange(1, 128))]
    if rng.random() < 0.2:
        other = ((0xB0, 64, 127), (0xB0, 64, 0), (0xE0, 0, rng.randrange(128)), (0xC0, rng.randrange(96)))
        found.append(rng.choice(other))
    return found


def messages(buffer: int, minutes: float) -> dict[str, Any]:
    torch.set_num_threads(1)
    rng, live, down, due, sent = random.Random(2), Live("gm", polyphony=VOICES), list[int](), 0.0, 0
    blocks, sizes, own, begin = round(60 * minutes * SAMPLE_RATE / buffer), [], os.getpid(), time.process_time()
    for block in range(blocks):
        found = shaken(rng, down) if block * buffer >= due * SAMPLE_RATE else []
        due += 0.2 * rng.random() if found else 0.0
        live.process([(0, message) for message in found], buffer)
        sent += len(found)
        if block % (blocks // 4) == 0:
            sizes.append(memory(own))
    share = (time.process_time() - begin) / (60 * minutes)
    for number in (64, 123):
        live.process([(0, (0xB0, number, 0))], 6 * SAMPLE_RATE)
    return {"messages": sent, "left": live.sounding, "mb": [*sizes, memory(own)], "share": share}


def stress(buffer: int, null: bool, minutes: float) -> dict[str, Any]:
    rng, sent, most = random.Random(2), 0, 0
    down: list[int] = []
    with LiveProcesses("gm", ahead=buffer, polyphony=VOICES) as engine:
        engine.start()
        pid = engine._all[0]._process.pid
        with clock(engine, buffer, null, lambda _: None):
            time.sleep(1)
            late, end, begin = engine.late, time.monotonic() + 60 * minutes, memory(pid)
            while time.monotonic() < end:
                for message in shaken(rng, down):
                    engine.send(bytes(message))
                sent, most = sent + 1, max(most, engine.sounding)
                time.sleep(0.2 * rng.random())
            late, grown, ahead = engine.late - late, memory(pid) - begin, engine.ahead
            for number in (64, 123):
                engine.send(bytes((0xB0, number, 0)))
            time.sleep(6)
            left = engine.sounding
    callbacks = round(60 * minutes * SAMPLE_RATE / buffer)
    found = {"messages": sent, "most_notes": most, "late": late, "callbacks": callbacks, "left": left}
    return found | {"grown_mb": grown, "ahead": ahead}


def memory(pid: int | None) -> float:
    """MB of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=("cost", "latency", "stress", "messages"), default=("cost", "latency", "stress")
    )
    parser.add_argument("--buffer", type=int, default=256)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seconds", type=float, default=4, help="of sound whose cost is measured")
    parser.add_argument("--null", action="store_true")
    told = parser.parse_args()
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "cost": lambda: cost(told.seconds),
        "latency": lambda: latency(told.buffer, told.null),
        "stress": lambda: stress(told.buffer, told.null, told.minutes),
        "messages": lambda: messages(told.buffer, told.minutes),
    }
    for name in told.only:
        print(name, json.dumps(runs[name](), default=lambda x: round(float(x), 3)), flush=True)


if __name__ == "__main__":
    main()
