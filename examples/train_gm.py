"""Trains the bundled voice `gm`. The same command again resumes.

    python examples/train_gm.py FluidR3_GM.sf2 MuseScore_General_Full.sf2 --steps 6000 [--processes 2] [--from gm]
    python examples/train_gm.py --publish

The fonts are Debian's fluid-soundfont-gm and musescore-general-soundfont-lossless, both MIT. Everything is in --work:
rendered notes (1.2 GB), the prepared file (3.9 GB) and the run. --processes starts that many by torchrun, each with one
thread on one processor: two of them beat two threads. --publish writes the run's voice into the package, with its
critics' weights beside it for further training.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from publish import publish

from antiphon.verbs.data import prepare, render

NAME = "gm"


def train(fonts: list[Path], work: Path, steps: int, processes: int, start: str | None) -> None:
    """Render, prepare, train: each only if not done yet."""
    data = work / f"{NAME}.safetensors"
    if not data.exists():
        render(fonts, work / f"{NAME}-notes")
        prepare(work / f"{NAME}-notes", data, workers=processes, licence="MIT")
    begin = ["--from", start] if start else ["--from-scratch"]
    line = ["-m", "antiphon", "train", str(data), "-o", str(work / f"{NAME}-run"), "--steps", str(steps), *begin]
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"] if processes > 1 else []
    threads = os.environ | ({"OMP_NUM_THREADS": "1"} if processes > 1 else {})
    subprocess.run([sys.executable, *launcher, *line], env=threads, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, default=Path("work-data"))
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--from", dest="start")
    parser.add_argument("--publish", action="store_true")
    args = parser.parse_args()
    if args.publish:
        publish(args.work / f"{NAME}-run", NAME, "MIT")
    else:
        train(args.fonts, args.work, args.steps, args.processes, args.start)


if __name__ == "__main__":
    main()
