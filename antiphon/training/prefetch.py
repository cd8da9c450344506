"""Batches made ahead of their use, so that a graphics card does not wait for the processor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

B = TypeVar("B")


class Prefetcher(Generic[B]):
    """`make(n)` for n, n + 1, ..., of which threads make a few ahead while one is in use. The result may depend on n
    only."""

    def __init__(self, make: Callable[[int], B], depth: int = 4, threads: int = 2):
        self.make, self.depth = make, depth
        self.pool = ThreadPoolExecutor(threads, "ahead")
        self.waiting: dict[int, Future[B]] = {}

    def __call__(self, n: int) -> B:
        for later in range(n, n + self.depth):
            if later not in self.waiting:
                self.waiting[later] = self.pool.submit(self.make, later)
        return self.waiting.pop(n).result()
