"""Gathers what a rented GPU machine without network needs to render, prepare and train, into build/gpu.

    python examples/gpu/pack.py

The machine has Python 3.12 (--python), torch, numpy, safetensors and little else. The pack contains Debian's
fluidr3mono-gm-soundfont (23 MB, MIT), far smaller than the notes it becomes; FluidSynth's library with the libraries it
needs, from this system (x86-64 Linux, with a C library no newer than the machine's); and a few wheels. Then copy the
repository with build/gpu and continue with run.py.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path

FONT = Path("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3")
WHEELS = ("soundfile", "cffi", "pycparser", "soxr", "pyfluidsynth")
FLUIDSYNTH = "libfluidsynth.so.3"
# Sound servers, screens and terminals: rendering calls none of them, and their dependencies outweigh all the rest.
STAND_INS = ("libasound", "libpulse", "libpulse-simple", "libjack", "libSDL2-2.0", "libdbus-1", "libreadline")
EVERYWHERE = ("libc", "libm", "libpthread", "libdl", "librt", "ld-linux-x86-64", "libstdc++", "libgcc_s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--font", type=Path, default=FONT)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--python", default="3.12", help="the machine's Python version")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(args.font.resolve(), args.out / args.font.name)
    pack_libraries(args.out / "libraries.tar.xz")
    pack_wheels(args.out / "wheels", args.python)
    for path in sorted(p for p in args.out.rglob("*") if p.is_file()):
        print(f"{path.stat().st_size / 2**20:8.2f} MiB  {path}")


def pack_wheels(folder: Path, python: str) -> None:
    """The newest wheels for that Python on x86-64 Linux."""
    shutil.rmtree(folder, ignore_errors=True)
    platforms = [f"--platform=manylinux_2_{n}_x86_64" for n in (34, 31, 28, 27, 24, 17)]
    platforms += ["--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64"]
    line = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    subprocess.run([*line, f"--python-version={python}", *platforms, "-d", folder, *WHEELS], check=True)


def pack_libraries(archive: Path) -> None:
    """FluidSynth's library and its dependencies; stubs for those that are not used here."""
    places = _places(Path(f"/usr/lib/x86_64-linux-gnu/{FLUIDSYNTH}"))
    real, empty, waiting = set(), set(), [FLUIDSYNTH]
    while waiting:
        name = waiting.pop()
        stem = name.split(".so")[0]
        if stem in EVERYWHERE or name in real | empty:
            continue
        if stem in STAND_INS:
            empty.add(name)
        else:
            real.add(name)
            waiting += re.findall(r"NEEDED +(\S+)", _said("objdump", "-p", places[name]))
    wanted = [line.split()[-1] for name in real for line in _said("nm", "-D", "-u", places[name]).splitlines()]
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(archive, "w:xz") as tar:
        for name in sorted(real):
            tar.add(places[name].resolve(), name)
        for name in sorted(empty):
            tar.add(_stand_in(name, places[name], set(wanted), Path(scratch)), name)


def _places(library: Path) -> dict[str, Path]:
    """The paths of a library and all its dependencies, by name."""
    found = re.findall(r"(\S+) => (/\S+)", _said("ldd", library))
    return {FLUIDSYNTH: library} | {name: Path(path) for name, path in found}


def _stand_in(name: str, original: Path, wanted: set[str], scratch: Path) -> Path:
    """A library of that name with stubs for the functions in `wanted`, which all return 0."""
    lines = _said("nm", "-D", "--defined-only", original).splitlines()
    defined = {line.split()[-1].replace("@@", "@") for line in lines}
    versions = defaultdict(list)
    for symbol, _, version in (s.partition("@") for s in sorted(defined & wanted)):
        versions[version].append(symbol)
    source, script, built = (scratch / f"{name}.{end}" for end in ("c", "map", "built"))
    source.write_text("".join(f"long {s}(void) {{ return 0; }}\n" for names in versions.values() for s in names))
    script.write_text("".join(f"{v} {{ global: {'; '.join(names)}; }};\n" for v, names in versions.items() if v))
    versioned = [f"-Wl,--version-script={script}"] if script.stat().st_size else []
    line = ["gcc", "-w", "-shared", "-fPIC", "-fno-builtin", "-nostdlib", "-s", f"-Wl,-soname,{name}", *versioned]
    subprocess.run([*line, "-o", built, source], check=True)
    return built


def _said(*line: str | Path) -> str:
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
