"""What a verb says while it works: notes and bars on stderr, so that stdout holds results only."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from antiphon.core.bar import open_bar

Advance = Callable[[int, int], None]  # (done, total)


class Report:
    """Says what happens. `quiet` says nothing. Works without `rich` too, then without bars."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet

    def say(self, text: str) -> None:
        """One line."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """Says what is warned of while the block lasts, each warning once."""
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
        """A progress bar for as long as the block lasts; it shows itself on a terminal only."""
        drawn = None if self.quiet else open_bar(label)
        if drawn is None:
            yield lambda done, total: None
            return
        drawn.start()
        try:
            yield drawn.update
        finally:
            drawn.stop()
