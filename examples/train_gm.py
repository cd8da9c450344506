"""Trains the bundled voice `gm`. The same command again resumes.

    python examples/train_gm.py FluidR3_GM.sf2 MuseScore_General_Full.sf2 --steps 6000 [--processes 2] [--from gm]
    python examples/train_gm.py FluidR3_GM.sf2 MuseScore_General_Full.sf2 --real "saxophone=alto sax" --from gm
    python examples/train_gm.py --publish

The fonts are Debian's fluid-soundfont-gm and musescore-general-soundfont-lossless, both MIT. Everything is in --work:
rendered notes (1.2 GB), the prepared file (3.9 GB) and the run. --processes starts that many by torchrun, each with one
thread on one processor: two of them beat two threads. --publish writes the run's voice into the package, with its
critics' weights beside it for further training.

--real: a folder of recorded notes and the label they belong to, which become a preset of their own; the keys that
benchmarks/real.py --kept measures with are kept back. As often as you like. --set: as of `antiphon train`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from publish import publish

from antiphon.data.labelling.kept_back import kept_back
from antiphon.data.labelling.manifest import scan
from antiphon.data.labelling.row import Row
from antiphon.data.prepare import prepare
from antiphon.verbs.data import render

NAME, LICENCE = "gm", "MIT and CC0"


def recorded(folder: Path, label: str) -> list[Row]:
    """The notes of a real instrument, as a preset of a label."""
    rows = scan(folder).rows
    back = kept_back(row.pitch for row in rows if row.pitch is not None)
    own = {"instrument": label, "preset": f"real {folder.name}", "style": ()}
    return [replace(row, **own, split="block" if row.pitch in back else "train") for row in rows]


def train(args: argparse.Namespace, real: dict[Path, str]) -> None:
    """Render, prepare, train: each only if not done yet."""
    work, processes = args.work, args.processes
    data = work / f"{NAME}.safetensors"
    if not data.exists():
        render(args.fonts, work / f"{NAME}-notes")
        notes = scan(work / f"{NAME}-notes")
        rows = [row for folder, label in real.items() for row in recorded(folder, label)]
        names = [path.stem for path in args.fonts] + [str(folder) for folder in real]
        licence = LICENCE if real else "MIT"
        prepare(replace(notes, rows=notes.rows + rows), data, workers=processes, licence=licence, sources=names)
    begin = ["--from", args.start] if args.start else ["--from-scratch"]
    line = ["-m", "antiphon", "train", str(data), "-o", str(work / f"{NAME}-run"), "--steps", str(args.steps), *begin]
    line += ["--set", *args.settings] if args.settings else []
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"] if processes > 1 else []
    threads = os.environ | ({"OMP_NUM_THREADS": "1"} if processes > 1 else {})
    subprocess.run([sys.executable, *launcher, *line], env=threads, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", nargs="*", type=Path)
    parser.add_argument("--real", action="append", default=[], metavar="FOLDER=LABEL")
    parser.add_argument("--work", type=Path, default=Path("work-data"))
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--from", dest="start")
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--publish", action="store_true")
    args = parser.parse_args()
    if args.publish:
        publish(args.work / f"{NAME}-run", NAME, "MIT")
    else:
        real = {Path(folder): label for folder, _, label in (text.rpartition("=") for text in args.real)}
        train(args, real)


if __name__ == "__main__":
    main()
