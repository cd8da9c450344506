"""More processes for one run, one per processor. The one that was started by the user comes first: it shows the bar,
handles Ctrl-C and writes the files. It starts its helpers and sends them their job through a pipe; they end when the
pipe does, however the first process ends, so nothing is left behind, not even by kill -9.

Unlike multiprocessing's, a plain subprocess does not import the caller's script again.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.core.atomic import scratch
from antiphon.core.errors import AntiphonError

if TYPE_CHECKING:
    from antiphon.training.recipe import Recipe

LINE = "from antiphon.verbs.helper_process import main; main()"
GONE = "one of the run's processes ended (killed? out of memory?): the same command again resumes, try --threads 1"
WORTH = 4  # excerpts per process: fewer hardly make a step shorter (1.06 s for 16, 0.52 for 8, 0.29 for 4, 0.24 for 2)


def share(recipe: Recipe[Any], threads: int) -> tuple[Recipe[Any], int]:
    """Share a batch among processes, one per thread but none with fewer than WORTH excerpts. -> (the recipe of each,
    how many). Two threads in one process wait for each other all the time; two processes once per step. One process if
    torchrun has shared the work already, or a graphics card does it."""
    import torch

    count = max(min(threads, recipe.batch // WORTH), 1)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 or torch.cuda.is_available() or not sys.executable:
        count = 1
    return recipe.shared(count), count


class Helpers:
    """`count` processes beside this one, which start up while this one does something else."""

    def __init__(self, count: int):
        self.processes = [self._start() for _ in range(count)]

    @staticmethod
    def _start() -> subprocess.Popen[str]:
        own = str(Path(__file__).parents[2])  # a helper runs the same code, wherever that was imported from
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.Popen(
            [sys.executable, "-P", "-c", LINE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("ANTIPHON_DEBUG") else subprocess.DEVNULL,
            env=os.environ | threads | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the first process only, which stops the others
            text=True,
        )

    def begin(self, job: dict[str, Any]) -> None:
        """Make every helper do `job`, keywords of `play_along` in verbs/train.py, and join them in a group."""
        from antiphon.training.parallel import meet

        with scratch() as folder:
            how: dict[str, Any] = {"place": str(folder / "meeting"), "world": len(self.processes) + 1}
            for rank, process in enumerate(self.processes, 1):
                if not process.stdout or not process.stdin or not process.stdout.readline():
                    raise AntiphonError(GONE)
                process.stdin.write(json.dumps({"meet": how | {"rank": rank}, "job": job}) + "\n")
                process.stdin.flush()
            meet(rank=0, **how)

    def lost(self) -> bool:
        """Whether a helper has ended, or does so within a second."""
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
                return True
        return False

    def close(self) -> None:
        """Leave the group and let the helpers end."""
        from antiphon.training.parallel import leave

        leave()
        for process in self.processes:
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()  # type: ignore[union-attr]


@contextmanager
def helpers(count: int) -> Iterator[Helpers]:
    """`count` helpers for as long as the block lasts. Raises AntiphonError if one of them was lost."""
    team = Helpers(count)
    try:
        yield team
    except RuntimeError:  # torch's error for a broken connection
        if team.lost():
            raise AntiphonError(GONE) from None
        raise
    finally:
        team.close()
