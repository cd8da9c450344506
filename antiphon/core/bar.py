"""A line on stderr that shows how far work has come, where stderr is a terminal and `rich` is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Bar:
    """label, a bar, done/total, time spent, time left, and words that may change; drawn from start to stop."""

    def __init__(self, label: str, console: Console, *, done: int = 0, total: int | None = None, stays: bool = False):
        """total: None if it is not known yet. stays: whether the line is left on the screen at the end."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        times = (TimeElapsedColumn(), TimeRemainingColumn())
        words = TextColumn("{task.fields[words]}", markup=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(24), MofNCompleteColumn(), *times, words)
        self._drawn = Progress(*columns, console=console, transient=not stays, refresh_per_second=2)
        self._task = self._drawn.add_task(label, total=total, completed=done, words="")

    def start(self) -> None:
        self._drawn.start()

    def stop(self) -> None:
        self._drawn.stop()

    def update(self, done: int, total: int | None, words: str = "") -> None:
        """How far it has come."""
        self._drawn.update(self._task, completed=done, total=total, words=words)

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._drawn.console.print(text, highlight=False, markup=False)


def open_bar(label: str, *, done: int = 0, total: int | None = None, stays: bool = False) -> Bar | None:
    """A bar, or None where it could not be seen: stderr is not a terminal, or `rich` is missing."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(stderr=True)
    return Bar(label, console, done=done, total=total, stays=stays) if console.is_terminal else None
