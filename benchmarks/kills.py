"""Kill a run ten times at random times and resume it. Are the weights those of an undisturbed run?

    python benchmarks/kills.py [--kills 10] [--steps 500] [--longest 90] [--seed 0] [--out out/kills]

The run is `antiphon train examples/notes --size tiny`, in its own processes as a user starts it, and SIGKILL is sent to
all of them. Its state is saved once a minute, so some kills must come later than that, and there must be enough steps
for all of them. Prints the step saved at each kill, and both hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import STATE, WEIGHTS
from antiphon.voices.checkpoint import read_metadata

NOTES = Path(__file__).parents[1] / "examples" / "notes"


def start(folder: Path, steps: int) -> subprocess.Popen[bytes]:
    """The command a user types, in its own process group."""
    line = [sys.executable, "-m", "antiphon", "train", str(NOTES), "-o", str(folder), "--size", "tiny"]
    line += ["--from-scratch", "--steps", str(steps)]
    return subprocess.Popen(line, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def step_of(folder: Path) -> int:
    """The step that the run's state holds; 0 before there is one."""
    try:
        return int(read_metadata(folder / STATE)["step"])
    except AntiphonError:
        return 0


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def main() -> None:
    """Run undisturbed, run killed, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--longest", type=float, default=90, help="most seconds between a start and a kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/kills"))
    asked = parser.parse_args()
    whole, killed = asked.out / "whole", asked.out / "killed"
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
    if start(whole, asked.steps).wait():
        raise SystemExit("the undisturbed run failed")
    rng, done = random.Random(asked.seed), 0
    while done < asked.kills:
        process, wait = start(killed, asked.steps), rng.uniform(0.5, asked.longest)
        began = time.monotonic()
        while time.monotonic() - began < wait and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is not None:
            raise SystemExit(f"the run ended before kill {done + 1}: use more --steps or a shorter --longest")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done += 1
        print(f"kill {done} after {wait:5.1f} s: the state holds step {step_of(killed)} of {asked.steps}", flush=True)
    if start(killed, asked.steps).wait():
        raise SystemExit("the killed run could not be finished")
    print(f"undisturbed {digest(whole)}\nkilled      {digest(killed)}")
    if digest(whole) != digest(killed):
        raise SystemExit("they differ")
    print(f"the same bytes after {asked.kills} kills")


if __name__ == "__main__":
    main()
