"""Independent pieces of work on all processors, each on one thread.

Torch's own threads split every small operation and wait for each other at its end; beside one other busy process that
is several times slower than a single thread. Whole pieces of work side by side have nothing to wait for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def spread(work: Callable[[int], T], count: int, threads: int | None = None) -> list[T]:
    """[work(0), ..., work(count - 1)], `threads` at once (as many as there are processors, if None), in order."""
    threads = min(threads or _processors(), count)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads <= 1:
            return [work(i) for i in range(count)]
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, range(count)))
    finally:
        torch.set_num_threads(before)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
