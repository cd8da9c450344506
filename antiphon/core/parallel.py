"""Independent pieces of work on all processors, each on one thread.

Torch's own threads split every small operation and wait for each other at its end; with one other busy process beside
them that is several times slower than a single thread. Whole pieces of work side by side have nothing to wait for, and
in separate processes they do not even wait for Python's lock.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.stopping import check, held, unheard

T = TypeVar("T")
MOST = 16  # processes: their results wait in memory for their turn
GONE = "one of the worker processes ended (killed? out of memory?): run the same command again"


def parallel_map(work: Callable[[int], T], count: int, threads: int | None = None) -> list[T]:
    """[work(0), ..., work(count - 1)], `threads` at once (default: as many as there are processors), in order."""
    threads = min(threads or processors(), count)
    _keep_memory()
    with one_thread():
        if threads <= 1:
            return [work(i) for i in range(count)]
        with ThreadPoolExecutor(threads, initializer=_torch_threads, initargs=(1,)) as pool:
            return list(pool.map(work, range(count)))


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch uses one thread in the block: for long chains of small operations. A scene took three times as long on two
    threads as on one, a piece of music ten times beside another busy process."""
    before = _torch_threads(1)
    try:
        yield
    finally:
        _torch_threads(before)


def in_order(work: Callable[[int], T], count: int, processes: int | None = None) -> Iterator[T]:
    """work(0), ..., work(count - 1), one after another; the next ones are computed while one is used, by this many
    `processes` (default: as many as there are processors) where the system can fork, elsewhere by a thread.

    A fork has all that `work` needs, whatever it is; results must be picklable. What `work` raises is raised here in
    its turn; an AntiphonError is raised if a process is lost."""
    processes = min(processes or processors(), count, MOST)
    if processes > 1 and sys.platform == "linux" and not multiprocessing.current_process().daemon:
        return _by_crew(work, count, processes)
    return _by_thread(work, count)


def _by_thread(work: Callable[[int], T], count: int) -> Iterator[T]:
    with ThreadPoolExecutor(1, "in-order") as pool:
        waiting: list[Future[T]] = []
        for i in range(count):
            waiting.append(pool.submit(work, i))
            if len(waiting) > 1:
                yield waiting.pop(0).result()
        for last in waiting:
            yield last.result()


def _by_crew(work: Callable[[int], T], count: int, processes: int) -> Iterator[T]:
    """Each process is given one piece beyond the one it works on; together they are at most two rounds ahead."""
    crew: list[_Helper] = []
    ready: dict[int, tuple[Any, Exception | None]] = {}
    given = 0
    gc.collect()  # free lists too: one tuple in them can keep a megabyte alive
    _free_memory()
    try:
        try:
            for _ in range(processes):
                with held():  # a stop meets neither a process that nobody knows of, nor one not yet deaf to it
                    crew.append(_Helper(work, [helper.pipe for helper in crew]))
        except OSError:  # no more processes are allowed: make do with those there are
            if not crew:
                yield from _by_thread(work, count)
                return
        for i in range(count):
            while i not in ready:
                for helper in crew * 2:
                    if helper.owes < 2 and given < min(count, i + 2 * processes):
                        helper.ask(given)
                        given += 1
                for pipe in wait([helper.pipe for helper in crew if helper.owes]):
                    ready.update(next(helper for helper in crew if helper.pipe is pipe).answer())
            result, failed = ready.pop(i)
            if failed:
                raise failed
            yield result
    finally:
        for helper in crew:
            helper.end()


class _Helper:
    """A forked process that works on requests from a pipe and ends when the pipe closes."""

    def __init__(self, work: Callable[[int], Any], pipes: Sequence[Connection]):
        """pipes: to other helpers; a copy of one kept open here would hide its end from them."""
        context = multiprocessing.get_context("fork")
        self.owes, (self.pipe, far) = 0, context.Pipe()
        self.process = context.Process(target=_serve, args=(work, far, [*pipes, self.pipe]), daemon=True)
        self.process.start()
        far.close()

    def ask(self, i: int) -> None:
        self.owes += 1
        self._safely(lambda: self.pipe.send(i))

    def answer(self) -> dict[int, tuple[Any, Exception | None]]:
        i, result, failed = self._safely(self.pipe.recv)
        self.owes -= 1
        return {i: (result, failed)}

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    @staticmethod
    def _safely(exchange: Callable[[], Any]) -> Any:
        try:
            return exchange()
        except (EOFError, OSError):
            check()  # a stop that ended both
            raise AntiphonError(GONE) from None


def _serve(work: Callable[[int], object], pipe: Connection, others: Sequence[Connection]) -> None:
    """A helper's main loop. What stops the parent process stops its helpers by way of it, or when the pipe closes."""
    for other in others:
        other.close()
    _leave_stopping_to_the_parent()
    _torch_threads(1)
    _keep_memory()
    while True:
        try:
            i = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[int, object, Exception | None] = (i, work(i), None)
        except Exception as error:
            answer = (i, None, _sendable(error))
        try:
            pipe.send(answer)
        except OSError:  # the parent is gone
            return
        _free_memory()


def start_resource_tracker() -> None:
    """Start the process that Python has beside others' to clear up after them. The end of the terminal would kill it,
    and then it would be missed, in five lines; and to start it later would undo `unheard` for what else is started."""
    from multiprocessing import resource_tracker

    with unheard():
        resource_tracker.ensure_running()


@contextmanager
def started_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of new Python processes, all started, which end with the block or with this process, however that ends."""
    start_resource_tracker()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_the_parent) as pool:
        with unheard():
            pool.submit(_nothing)
        yield pool


def _nothing() -> None:
    """The first piece of work, which starts the processes."""


def _end_with_the_parent() -> None:
    """A pool's processes would wait for work for ever, were the first one killed."""
    _leave_stopping_to_the_parent()
    threading.Thread(target=_await_its_end, daemon=True).start()


def _await_its_end() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _leave_stopping_to_the_parent() -> None:
    """Ctrl-C and the end of the terminal reach the whole group of processes; SIGTERM ends one without words."""
    for name, how in (("SIGINT", signal.SIG_IGN), ("SIGHUP", signal.SIG_IGN), ("SIGTERM", signal.SIG_DFL)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), how)


def _torch_threads(count: int) -> int:
    """Sets torch's number of threads in this process, if torch is loaded; returns the previous number."""
    torch = sys.modules.get("torch")
    if torch is None:
        return count
    before: int = torch.get_num_threads()
    torch.set_num_threads(count)
    return before


def _sendable(error: Exception) -> Exception:
    """The error and its traceback, in a form that can be pickled."""
    where = traceback.format_exc()
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(repr(error))
    error.add_note(where)
    return error


def _keep_memory() -> None:
    """Lets glibc keep freed memory for the next tensor. Until it has seen a block near its limit of 32 MB freed
    (mallopt(3), M_MMAP_THRESHOLD), it returns freed blocks to the kernel, and new pages cost more than what is computed
    in them. The block is never touched, so this costs nothing; without glibc it does nothing."""
    np.empty(31 << 20, np.uint8)


def _free_memory() -> None:
    """Returns unused memory between the blocks in use to the system: before a fork, which would inherit it, and after
    each piece of work, lest the gaps add up over hours. Without glibc it does nothing."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def processors() -> int:
    """How many processors this process may keep busy: one, if it is itself one of several."""
    if multiprocessing.current_process().daemon:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
