"""Fuzzed input for every reader: python benchmarks/fuzz.py [--cases 10000] [--seed 0] [--out out/fuzz.json]

Case i of a seed is always the same. Cases run in worker processes with limits on memory and time, 250 to a process;
each case's outcome is a line of OUT.jsonl, so that the same command again resumes. `--only 17 18` runs these cases in
this process and shows what is wrong with them. The outcomes:

  refused   AntiphonError of one line; on the command line exit status 2
  warned    a result, and a line that says what was repaired or left out
  fine      a result
  defect    anything else: another exception, more than LIMIT seconds of processor or MEMORY beyond what Python and
            torch take, a half-written file left behind, a user's file changed, a result after a refusal

Peak memory is the most that the process holds during a case, minus what it held before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

CHUNK = 250  # cases per worker process
LIMIT, BLOCKED = 60, 150  # seconds of processor and of wall time allowed per case
MEMORY = 1536 << 20  # bytes allowed per case
SILENCE = 600  # seconds without output after which a worker counts as lost


class Hang(BaseException):
    """A case took too long; no `except Exception` may swallow it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/fuzz.json"))
    parser.add_argument("--only", type=int, nargs="*", default=[])
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.out.with_suffix("")
    if args.worker:
        work(range(*args.worker), args.seed, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    prepare_material(folder)
    if args.only:
        work(args.only, args.seed, folder)
        return
    lines = args.out.with_suffix(".jsonl")
    known = {json.loads(line)["case"] for line in lines.read_text().splitlines()} if lines.exists() else set()
    for first in range(0, args.cases, CHUNK):
        stop = min(first + CHUNK, args.cases)
        while missing := [case for case in range(first, stop) if case not in known]:
            known |= watch(missing[0], missing[-1] + 1, args, lines)
            print(f"{len(known)} of {args.cases} cases", file=sys.stderr, flush=True)
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    summary = summed([row for row in found if row["case"] < args.cases])
    args.out.write_text(json.dumps(summary | {"seed": args.seed, "command": " ".join(sys.argv)}, indent=1) + "\n")
    args.out.with_suffix(".md").write_text(table(summary))
    print(table(summary) + "\n".join(f"{row['case']}: {row['what']}" for row in summary["defect_list"]))
    print(args.out)
    sys.exit(summary["defects"] > 0)


def prepare_material(folder: Path) -> None:
    """Makes the files to damage once, in a separate process, because that imports and trains."""
    from fuzz_cases import MATERIAL, make_material

    if not (folder / MATERIAL / "done").exists():
        make_material(folder / MATERIAL)


def watch(first: int, stop: int, args: argparse.Namespace, lines: Path) -> set[int]:
    """Run the cases first..stop - 1 in a worker. -> those done. A case that kills its worker is a defect."""
    import select

    line = [sys.executable, __file__, "--seed", str(args.seed), "--out", str(args.out)]
    line += ["--worker", str(first), str(stop)]
    errors = lines.with_suffix(".log").open("a")
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1)
    done, running = set(), first
    with process, lines.open("a") as record:
        while True:
            ready, _, _ = select.select([process.stdout], [], [], SILENCE)
            text = process.stdout.readline() if ready else ""  # type: ignore[union-attr]
            if not text:
                break
            row = json.loads(text)
            if "outcome" not in row:
                running = row["case"]
                continue
            record.write(text)
            record.flush()
            done.add(row["case"])
        process.kill()
        process.wait()
        if running not in done:
            row = {
                "case": running,
                "family": "?",
                "outcome": "defect",
                "what": f"the worker died ({process.returncode})",
            }
            record.write(json.dumps(row) + "\n")
            done.add(running)
    return done


# ---- in the worker ---------------------------------------------------------------------------------------------------


def work(cases: Any, seed: int, folder: Path) -> None:
    import torch
    from fuzz_cases import load_material

    torch.set_num_threads(1)
    material = load_material(folder)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for timer in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(timer, _hang)
    limit = _status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what C libraries print is not for the parent
    for case in cases:
        say.write(json.dumps({"case": case}) + "\n")
        say.write(json.dumps(run(case, seed, material)) + "\n")


def _hang(*_: object) -> None:
    raise Hang


def run(case: int, seed: int, material: Any) -> dict[str, Any]:
    """One case: its family, its outcome, its time and memory."""
    from fuzz_box import Box
    from fuzz_cases import family_of, leftovers

    family, attempt, rng = family_of(case, seed)
    row: dict[str, Any] = {"case": case, "family": family}
    with tempfile.TemporaryDirectory(prefix="fuzz ", dir=material.folder) as place:
        box = Box(Path(place), rng, material)
        Path("/proc/self/clear_refs").write_text("5")
        before, start = _status("VmRSS"), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, LIMIT)
        signal.alarm(BLOCKED)
        try:
            row |= attempt(box)
        except Hang:
            row |= {"outcome": "defect", "what": "it hangs"}
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {str(error)[:300]} ({Path(where.filename).name}:{where.lineno})"
            row |= {"outcome": "defect", "what": what, "trace": traceback.format_exc()[-2500:]}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            soft = resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, soft))
        row |= {"cpu_s": round(time.process_time() - start, 3)}
        row |= {"peak_mb": round(max(_status("VmHWM") - before, 0) / 1e6, 1), "kind": box.kind}
        wrong = leftovers(box, row["outcome"])
        if wrong and row["outcome"] != "defect":
            row |= {"outcome": "defect", "what": wrong}
    return row


def _status(name: str) -> int:
    """Bytes, from a line of /proc/self/status."""
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(f"{name}:"))


# ---- figures ---------------------------------------------------------------------------------------------------------


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of a run, in total and by family."""
    families: dict[str, Any] = {}
    for name in sorted({row["family"] for row in rows}):
        own = [row for row in rows if row["family"] == name]
        families[name] = _figures(own)
    return _figures(rows) | {"families": families, "defect_list": [r for r in rows if r["outcome"] == "defect"][:50]}


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = Counter(row["outcome"] for row in rows)
    figures = {"cases": len(rows), "refused": outcomes["refused"], "warned": outcomes["warned"]}
    figures |= {"fine": outcomes["fine"], "defects": outcomes["defect"]}
    slow, large = (max(rows, key=lambda row, key=key: row.get(key, 0)) for key in ("cpu_s", "peak_mb"))
    worst = {"worst_cpu_s": slow.get("cpu_s"), "slowest": f"{slow['case']} {slow.get('kind')}"}
    worst |= {"worst_peak_mb": large.get("peak_mb"), "largest": f"{large['case']} {large.get('kind')}"}
    return figures | worst


def table(summary: dict[str, Any]) -> str:
    """The figures as the table of docs/bad-input.md."""
    names = ("cases", "refused", "warned", "fine", "defects", "worst_cpu_s", "worst_peak_mb")
    lines = ["| what | cases | refused | mended, with a note | fine | defects | worst processor s | worst MB |"]
    lines.append("| --- |" + " ---: |" * len(names))
    for name, own in (*summary["families"].items(), ("all", summary)):
        lines.append(f"| {name} | " + " | ".join(str(own[figure]) for figure in names) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
