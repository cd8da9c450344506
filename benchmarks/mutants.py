"""Plant faults in the method, one at a time: do the tests see them?

    python benchmarks/mutants.py [--only N ...] [--list] [--trust] [--out out/mutants.json]

Each fault is one line that could have been written so by mistake, and would be heard by nobody for a long time. It is
planted in a copy of the tree, in whichever file its line stands (exactly one must have it), and the tests that should
see it are run there: they must pass without the fault and fail with it. Prints a table, and how many were caught; exits
with 1 if one was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faults import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600  # seconds for the tests of one fault
PASSED, FAILED = 0, 1  # pytest's exit status; any other means that it could not run them


# ---- planting --------------------------------------------------------------------------------------------------------


def home(mutant: Mutant, tree: Path) -> Path:
    """The one file of the package that has the fault's line. Raises SystemExit if there is none or several."""
    found = [path for path in sorted((tree / "antiphon").rglob("*.py")) if mutant.old in path.read_text()]
    hits = sum(path.read_text().count(mutant.old) for path in found)
    if hits != 1 or "\n" in mutant.old + mutant.new:
        raise SystemExit(f"'{mutant.fault}': {hits} places have the line, there must be one: {mutant.old}")
    return found[0]


def copied(to: Path) -> Path:
    """A copy of what the tests need."""
    for name in ("antiphon", "tests", "benchmarks", "examples", "docs"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, to / name)
    return to


def run(tests: str, tree: Path) -> int:
    """pytest's exit status."""
    words, _, chosen = tests.partition(" -k ")
    line = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words.split()]
    line += ["-k", chosen.strip("'")] if chosen else []
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with open(tree / "said.txt", "w") as said:  # for whoever wonders, as long as the copy is there
        return subprocess.run(line, cwd=tree, env=environment, stdout=said, stderr=said, timeout=PATIENCE).returncode


def verdict(mutant: Mutant, tree: Path, trust: bool) -> str:
    """caught, missed, or what was wrong with the tests themselves. trust: that they pass without the fault."""
    path = home(mutant, tree)
    whole = path.read_text()
    path.write_text(whole.replace(mutant.old, mutant.new))
    try:
        with_fault = run(mutant.tests, tree)
    finally:
        path.write_text(whole)
    if with_fault == PASSED:
        return "missed"
    if with_fault != FAILED:
        return f"not run (pytest says {with_fault})"
    return "caught" if trust or run(mutant.tests, tree) == PASSED else "fails without it too"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="numbers of faults, from 1")
    parser.add_argument("--list", action="store_true", help="show them and plant none")
    parser.add_argument("--trust", action="store_true", help="do not see whether the tests pass without the fault")
    parser.add_argument("--out", type=Path, help="a JSON file for the verdicts")
    options = parser.parse_args()
    chosen = [(n, m) for n, m in enumerate(MUTANTS, 1) if not options.only or n in options.only]
    if options.list:
        for n, mutant in chosen:
            print(f"{n:3}  {mutant.area:12}{mutant.fault}  [{home(mutant, ROOT).relative_to(ROOT)}]")
        return
    with tempfile.TemporaryDirectory(prefix="antiphon-mutants-") as folder:
        verdicts = _all(chosen, copied(Path(folder)), options.trust)
    caught = sum(word == "caught" for word in verdicts.values())
    print(f"{caught} of {len(verdicts)} caught")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(verdicts, indent=2) + "\n")
    sys.exit(caught < len(verdicts))


def _all(chosen: list[tuple[int, Mutant]], tree: Path, trust: bool) -> dict[str, str]:
    """Verdicts by fault, each printed when it is known."""
    for _, mutant in chosen:  # before minutes are spent
        home(mutant, tree)
    verdicts = {}
    for n, mutant in chosen:
        began = time.monotonic()
        verdicts[mutant.fault] = verdict(mutant, tree, trust)
        print(f"{n:3}  {verdicts[mutant.fault]:8}{time.monotonic() - began:6.1f} s  {mutant.area}: {mutant.fault}")
        sys.stdout.flush()
    return verdicts


if __name__ == "__main__":
    main()
