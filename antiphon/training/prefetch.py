"""Batches made ahead of their use, so that a graphics card does not wait for a processor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

B = TypeVar("B")


class Prefetcher(Generic[B]):
    """`make(n)` for n, n + 1, ..., a few of them being made by threads while one is used. What it makes may depend on
    n only."""

    def __init__(self, make: Callable[[int], B], depth: int = 4, threads: int = 2):
        self.make, self.depth = make, depth
        self.pool = ThreadPoolExecutor(threads, "ahead")
        self.waiting: dict[int, Future[B]] = {}

    def __call__(self, n: int) -> B:
        for later in range(n, n + self.depth):
            if later not in self.waiting:
                self.waiting[later] = self.pool.submit(self.make, later)
        return self.waiting.pop(n).result()
