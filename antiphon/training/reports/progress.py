"""What a person sees of a run: one bar with the time left, and a log for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from antiphon.core.bar import open_bar

EVERY = 10  # steps a log line


class Log:
    """log.jsonl: the mean of each scalar over the steps since the last line. Lines after `step` (left by a run that was
    killed between a line and its checkpoint) are dropped, so that a resumed log reads like an uninterrupted one."""

    def __init__(self, path: Path, step: int):
        self.path = path
        self.sums: dict[str, list[float]] = {}
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            path.write_text("".join(line + "\n" for line in kept))

    def add(self, step: int, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            self.sums.setdefault(name, []).append(value)
        if step % EVERY == 0:
            row: dict[str, Any] = {"step": step, "time": round(time.time(), 1)}
            row |= {name: float(f"{sum(v) / len(v):.5g}") for name, v in self.sums.items()}
            with open(self.path, "a") as f:
                f.write(json.dumps(row) + "\n")
            self.sums = {}

    def say(self, step: int, words: str) -> None:
        """A line of words: what the run has done about its health."""
        with open(self.path, "a") as f:
            f.write(json.dumps({"step": step, "time": round(time.time(), 1), "said": words}) + "\n")


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


class Progress:
    """One line: steps, time left, and losses smoothed over about fifty steps. Where no bar can be shown, a line is
    printed every 100 steps."""

    def __init__(self, step: int, total: int, quiet: bool = False, shown: Mapping[str, str] | None = None):
        """shown: word in the line -> name of the scalar behind it."""
        self.quiet, self.shown = quiet, shown or {}
        self.smooth: dict[str, float] = {}
        self.began, self.first = time.monotonic(), step
        self.bar = None if quiet else open_bar("training", done=step, total=total or None, stays=True)

    def __enter__(self) -> Progress:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def update(self, step: int, total: int, scalars: dict[str, float], skipped: int, health: str = "") -> None:
        for name, value in scalars.items():
            self.smooth[name] = value + 0.98 * (self.smooth.get(name, value) - value)
        if self.quiet:
            return
        text = "  ".join(f"{word} {self.smooth.get(name, 0):.3f}" for word, name in self.shown.items())
        text += f"  skipped {skipped}" * bool(skipped) + f"  {health}" * bool(health)
        if self.bar:
            self.bar.update(step, total or None, text)
        elif step % 100 == 0:
            pace = (step - self.first) / (time.monotonic() - self.began)
            left = f"{(total - step) / pace / 60:.0f} min left" if total else "calibrating"
            print(f"step {step}/{total or '?'}  {left}  {text}", flush=True)

    def say(self, text: str) -> None:
        if self.bar:
            self.bar.say(text)
        elif not self.quiet:
            print(text, flush=True)
