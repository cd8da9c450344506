"""The helper's side: another process of one run [helpers.py]."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading


def main() -> None:
    """A helper's whole life: start up, wait for its job, do it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    from antiphon.training.parallel import meet
    from antiphon.verbs.train import play_along

    torch.set_num_threads(1)
    print("ready", flush=True)
    line = sys.stdin.readline()
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    if not line:
        return
    task = json.loads(line)
    with contextlib.suppress(KeyboardInterrupt):
        meet(**task["meet"])
        play_along(**task["job"], world=task["meet"]["world"])


def _end_with_the_first() -> None:
    sys.stdin.read()
    os._exit(0)
