"""What `-v` adds: lines on stderr about what is being done, from whatever does it. Silent unless `detailed`."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_asked = False


def detail(text: str) -> None:
    """Print one line, where details are asked for."""
    if _asked:
        print(f"  {text}", file=sys.stderr, flush=True)


@contextmanager
def detailed(asked: bool = True) -> Iterator[None]:
    """During the block details are printed; first with what it runs, last how long it took."""
    global _asked
    before, _asked = _asked, asked
    began, used = time.monotonic(), time.process_time()
    try:
        detail(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors")
        yield
        detail(f"{time.monotonic() - began:.1f} s, of which the processor worked {time.process_time() - used:.1f} s")
    finally:
        _asked = before
