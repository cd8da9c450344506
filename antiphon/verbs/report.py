"""A verb's messages while it works: notes and progress bars on stderr, so that stdout has only results."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from antiphon.core.bar import open_bar
from antiphon.core.detail import detail
from antiphon.core.stopping import check

Advance = Callable[[int, int], None]  # (done, total)


class Report:
    """Reports what happens, unless `quiet`. Works without `rich` too, but then without bars."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet

    def say(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """Report warnings raised during the block, each once."""
        said: set[str] = set()

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            if str(message) not in said:
                said.add(str(message))
                self.say(f"note: {message}")

        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show
            yield

    @contextmanager
    def bar(self, label: str) -> Iterator[Advance]:
        """A progress bar for as long as the block lasts; it shows itself on a terminal only. Advancing it raises
        KeyboardInterrupt if the program is to stop and has not yet."""
        drawn = None if self.quiet else open_bar(label)
        began, counted = time.monotonic(), (0, 0)

        def advance(done: int, total: int) -> None:
            nonlocal counted
            check()
            counted = done, total
            if drawn:
                drawn.update(done, total)

        try:
            if drawn:
                drawn.start()
            yield advance
            detail(f"{label}: {counted[0]} of {counted[1]}, {time.monotonic() - began:.1f} s")
        finally:
            if drawn:
                drawn.stop()
