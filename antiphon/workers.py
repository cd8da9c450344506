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
    _keep_memory()
    try:
        if threads <= 1:
            return [work(i) for i in range(count)]
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, range(count)))
    finally:
        torch.set_num_threads(before)


def _keep_memory() -> None:
    """Lets glibc keep freed memory for the next tensor. It returns freed blocks to the kernel, and new pages cost more
    than what is computed in them, until it has seen a block near its limit of 32 MB freed (mallopt(3),
    M_MMAP_THRESHOLD). Nothing is touched, so this costs nothing; elsewhere than on glibc it does nothing."""
    torch.empty(31 << 20, dtype=torch.uint8)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
