"""Trains the voice on a rented GPU machine without network, from the pack of pack.py. Nothing is installed.

    python examples/gpu/run.py --out $OUT --minutes 25 --until 540 --set batch=128              # first call
    python examples/gpu/run.py --out $OUT --minutes 25 --until 540 --set batch=128 --resume build/gpu/last

For machines that are available for some minutes per call: --minutes is the whole training, --until the seconds after
which this call stops and writes its results: voice, small state, sheet, sounds, log, result.json. Put those into
build/gpu/last and the next call resumes, on the same machine or on a fresh one. There it renders and prepares the notes
again, on all processors. --bench first checks that the GPU computes the same as the CPU, and times it.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import json
import os
import shutil
import signal
import sys
import tarfile
import threading
import time
import traceback
import zipfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAME = "gm"
BEGAN = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, default=ROOT / "build/gpu", help="the folder that pack.py wrote")
    parser.add_argument("--work", type=Path, default=Path("/tmp/antiphon"), help="for notes, prepared file and run")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--resume", type=Path, help="a folder with earlier results")
    parser.add_argument("--minutes", type=float, help="minutes of the whole training, over all calls")
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--until", type=float, default=540, help="seconds after which this call ends its training")
    parser.add_argument("--size", default="base", help="size of a voice from scratch")
    parser.add_argument("--from", dest="start", help="a voice to begin from, such as gm")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="as in antiphon train")
    parser.add_argument("--programs", type=int, nargs="*", default=[], help="General MIDI programs (default: all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--bench", action="store_true", help="check and time the GPU before training")
    args = parser.parse_args()
    for folder in (args.work, args.out):
        folder.mkdir(parents=True, exist_ok=True)
    unpack(args.pack, args.work)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # when time is up, results are written all the same
    result: dict[str, Any] = {}
    try:
        data = notes(args, result)
        if args.bench:
            result["bench"] = measured(data, args.start or args.size)
        train(args, data, result)
    finally:
        hand_out(args.work / "run", args.out)
        result["seconds"] = round(time.monotonic() - BEGAN)
        (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result, indent=1))


# ---- what was packed -------------------------------------------------------------------------------------------------


def unpack(pack: Path, work: Path) -> None:
    """Unpack the wheels and put them on the path, which child processes inherit."""
    site = work / "site"
    for wheel in sorted((pack / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as file:
            file.extractall(site)
    with tarfile.open(pack / "libraries.tar.xz") as tar:
        tar.extractall(work / "libraries", filter="data")
    sys.path[:0] = [str(ROOT), str(ROOT / "examples/gpu")]
    sys.path.append(str(site))  # the machine's own packages come first


def use_libraries(folder: Path) -> None:
    """Load FluidSynth with all its dependencies, each library after its own dependencies, and tell pyfluidsynth where
    it is."""
    waiting = sorted(folder.glob("*.so*"))
    while waiting:
        left = []
        for library in waiting:
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                left.append((library, error))
        if len(left) == len(waiting):
            raise left[0][1]
        waiting = [library for library, _ in left]
    path = str(next(folder.glob("libfluidsynth.so*")))
    ctypes.util.find_library = lambda name: path if name == "fluidsynth" else None


# ---- notes -----------------------------------------------------------------------------------------------------------


def notes(args: argparse.Namespace, result: dict[str, Any]) -> Path:
    """Render and prepare, each only if not done yet. -> the prepared file"""
    folder, data = args.work / "notes", args.work / f"{NAME}.safetensors"
    if not data.exists():
        began = time.monotonic()
        render(sorted(args.pack.glob("*.sf[23]")), folder, args.work / "libraries", args.workers, args.programs)
        rendered = time.monotonic()
        from antiphon.verbs.data import prepare

        prepare(folder, data, workers=args.workers, licence="MIT")
        result["render_seconds"] = round(rendered - began, 1)
        result["prepare_seconds"] = round(time.monotonic() - rendered, 1)
        shutil.rmtree(folder)
    return data


def render(fonts: list[Path], folder: Path, libraries: Path, workers: int, programs: list[int]) -> None:
    """`antiphon data render`, one process per preset."""
    use_libraries(libraries)
    from antiphon.data.soundfont.fluid import Fluid
    from antiphon.data.soundfont.render import RenderOptions, collect, plan

    options = RenderOptions(programs=tuple(programs) or None)
    with Fluid() as fluid:
        jobs, _ = plan(fluid, fonts, options)
    work = partial(render_one, folder=folder, options=options)
    with ProcessPoolExecutor(workers, get_context("spawn"), use_libraries, (libraries,)) as pool:
        list(pool.map(work, jobs))
    print(f"{collect(folder, jobs)} notes of {len(jobs)} presets", flush=True)


def render_one(job: Any, folder: Path, options: Any) -> None:
    from antiphon.data.soundfont.fluid import Fluid
    from antiphon.data.soundfont.render import notes_of, render_preset

    if not (folder / job.folder / "notes.csv").exists():
        with Fluid() as fluid:
            render_preset(fluid, job, list(notes_of(job, options)), folder, options)


def measured(data: Path, voice: str) -> Any:
    """bench.py's figures, or its error: training is tried all the same."""
    from bench import bench  # type: ignore[import-not-found]

    try:
        return bench(data, voice)
    except Exception as error:
        traceback.print_exc()
        return repr(error)


# ---- training --------------------------------------------------------------------------------------------------------


def train(args: argparse.Namespace, data: Path, result: dict[str, Any]) -> None:
    """Play the game until it is done or the call's time is up."""
    import torch
    from small_state import restore  # type: ignore[import-not-found]

    from antiphon.verbs.train import from_file
    from antiphon.voices.checkpoint import read_metadata
    from antiphon.voices.find import load

    run, state = args.work / "run", args.work / "run/state.safetensors"
    if args.resume and not state.exists():
        restore(args.resume, run)
    before = read_metadata(state) if state.exists() else {"step": 0, "seconds": 0}
    recipe = make_recipe(args, load(args.start).model.config if args.start else None)
    how: dict[str, Any] = {"minutes": args.minutes} if args.steps is None else {"steps": args.steps}
    stop = threading.Timer(max(args.until - (time.monotonic() - BEGAN), 1), os.kill, (os.getpid(), signal.SIGTERM))
    stop.daemon = True
    stop.start()
    try:
        from_file(data, run, recipe, start_from=args.start, name=NAME, quiet=False, **how)
    except KeyboardInterrupt as stopped:
        print(stopped, flush=True)
    finally:
        stop.cancel()
        with suppress(Exception):
            now = read_metadata(state)
            steps, seconds = now["step"] - before["step"], now["seconds"] - before["seconds"]
            result |= {"step": now["step"], "of": now["total"], "skipped": now["skipped"], "batch": recipe.batch}
            result["steps_a_second"] = round(steps / max(seconds, 1e-9), 2)
            if torch.cuda.is_available():
                result["gpu"] = torch.cuda.get_device_name()
                result["gpu_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)


def make_recipe(args: argparse.Namespace, network: Any) -> Any:
    from antiphon.recipes.check import check
    from antiphon.recipes.instrument import instrument
    from antiphon.recipes.override import override, parse_settings

    recipe = instrument(args.size)
    recipe = override(replace(recipe, network=network or recipe.network), parse_settings(args.set))
    check(recipe)
    return recipe


def hand_out(run: Path, out: Path) -> None:
    """At most eight files of at most 16 MiB, with result.json."""
    from small_state import shrink

    if not (run / "state.safetensors").exists():
        return
    written = shrink(run, out)
    newest = [sorted((run / part).glob("step-*"))[-1:] for part in ("sheets", "sounds")]
    for path in [p for found in newest for p in found][: max(7 - len(written), 0)]:
        shutil.copy(path, out / f"latest{path.suffix}")


if __name__ == "__main__":
    main()
