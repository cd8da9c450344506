"""Trains the bundled drum voice `kit`. The same command again resumes.

    python examples/train_kit.py FluidR3_GM.sf2 MuseScore_General_Full.sf2 --folders sonic-pi audiophob --steps 20000
    python examples/train_kit.py --publish

The fonts are Debian's fluid-soundfont-gm and musescore-general-soundfont-lossless, MIT. The folders contain hits with
descriptive names: the drums among /usr/share/sonic-pi/samples (sonic-pi-samples, CC0: drum_*, bd_*, sn_*, elec_*,
perc_*, tabla_*), and the kit Audiophob of hydrogen-drumkits (CC0), its files named after its instruments. Everything
is in --work: rendered hits, one table of all, the prepared file and the run.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path

from publish import publish

from antiphon.data.labelling.manifest import scan
from antiphon.data.labelling.row import Row
from antiphon.verbs.data import prepare, render

NAME, LICENCE = "kit", "MIT and CC0"
COLUMNS = ("path", "instrument", "preset", "style", "velocity", "split")
ELECTRIC = ("elec", "bd", "sn")  # prefixes of the names of electric drums


def gather(fonts: list[Path], folders: list[Path], kit: Path) -> None:
    """Render the fonts' drums into `kit`, and list them and the folders' in its notes.csv; folders are inside it."""
    render(fonts, kit / "fonts", drums=True)
    rows = [row for folder in (Path("fonts"), *folders) for row in scan(kit / folder, one_shots=True).rows]
    with (kit / "notes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in rows:
            place = row.path.relative_to(kit)
            preset = f"{place.parts[0]}/{row.preset}"
            style = ";".join(row.style or _style(row))
            table.writerow([place, row.instrument, preset, style, row.velocity, row.split])


def _style(row: Row) -> tuple[str, ...]:
    return ("electric",) if row.path.name.startswith(ELECTRIC) else ("acoustic",)


def train(fonts: list[Path], folders: list[Path], work: Path, steps: int, processes: int) -> None:
    """Render, prepare, train: each only if not done yet."""
    data = work / f"{NAME}.safetensors"
    if not data.exists():
        gather(fonts, folders, work / NAME)
        prepare(work / NAME, data, one_shots=True, workers=processes, licence=LICENCE)
    line = [sys.executable, "-m", "antiphon", "train", str(data), "-o", str(work / f"{NAME}-run"), "--recipe", "drums"]
    line += ["--steps", str(steps), "--threads", str(processes), "--from-scratch"]
    subprocess.run(line, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", nargs="*", type=Path)
    parser.add_argument("--folders", nargs="*", type=Path, default=[], help="folders of hits, inside WORK/kit")
    parser.add_argument("--work", type=Path, default=Path("work-data"))
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--publish", action="store_true")
    args = parser.parse_args()
    if args.publish:
        publish(args.work / f"{NAME}-run", NAME, LICENCE)
    else:
        train(args.fonts, args.folders, args.work, args.steps, args.processes)


if __name__ == "__main__":
    main()
