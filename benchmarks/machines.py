"""Run commands as on odd machines: no home folder, a plain locale, a full disk, another user ... What do they say?

    python benchmarks/machines.py [--only HOME locale] [--verbs play train] [--python /usr/bin/python3]

Each command must either do its work or end with status 2 and one line that says what to do; and it may leave no file
half-written. As root it also runs as a user without a name or a home, and mounts a disk of 1 MB that is nearly full;
otherwise the size of files is limited. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stops import NOTES, ROOT, _song

NOBODY = 54321  # a user whom the system does not know
PLAIN = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TINY = ("--size", "tiny", "--from-scratch", "--steps", "2", "--workers", "2", "--threads", "2", "--set", "batch=8")
TINY += ("rehearsal_batch=4", "samples=8192", "game.imagined=1", "game.bank=64")


@dataclass(frozen=True)
class Machine:
    """What is odd about it."""

    name: str
    env: Mapping[str, str | None] = field(default_factory=dict)  # None: not set
    folder: str = "plain"
    user: int = 0  # another one, if this is root
    readonly: tuple[str, ...] = ()  # folders in `folder`
    folders: tuple[str, ...] = ()  # others
    file_bytes: int | None = None  # the largest file that may be written
    disk_bytes: int | None = None  # the size of the disk that `folder` is on
    closed: str = ""  # "stdout", "stdin"


MACHINES = (
    Machine("no HOME", {"HOME": None, "XDG_CACHE_HOME": None}),
    Machine("no HOME, a user without a name", {"HOME": None, "USER": None, "LOGNAME": None}, user=NOBODY),
    Machine("a HOME that is read-only", {"HOME": "home"}, user=NOBODY, readonly=("home",)),
    Machine("POSIX locale", PLAIN),
    Machine("POSIX locale, a path of spaces and emoji", PLAIN, "my songs 🎻"),
    Machine("a path of spaces and emoji", {}, "my songs 🎻"),
    Machine("a path that is not UTF-8", {}, os.fsdecode(b"caf\xe9")),
    Machine("TMPDIR that cannot be written to", {"TMPDIR": "none"}, user=NOBODY, readonly=("none",)),
    Machine("TMPDIR that does not exist", {"TMPDIR": "missing"}),
    Machine("TMPDIR with a space and an emoji", {"TMPDIR": "my tmp 🎻"}, folders=("my tmp 🎻",)),
    Machine("a folder that is read-only", {}, user=NOBODY, readonly=(".",)),
    Machine("files of 100 kB at most", {}, file_bytes=100_000),
    Machine("a disk of 300 kB", {}, disk_bytes=300_000),
    Machine("no stdout", {}, closed="stdout"),
    Machine("no stdin", {}, closed="stdin"),
    Machine("no TERM, no LANG", {"TERM": None, "LANG": None, "LC_ALL": None}),
)


def commands(place: Path) -> dict[str, tuple[str, ...]]:
    """Verb -> words, for a folder with song.mid and notes in it."""
    return {
        "play": ("play", str(place / "song.mid"), "-o", str(place / "song 🎹.wav"), "--stems"),
        "generate": ("generate", "gm", "-o", str(place / "made"), "-n", "2", "--seconds", "0.5"),
        "train": ("train", str(place / "notes"), "-o", str(place / "run"), *TINY),
        "data inspect": ("data", "inspect", str(place / "notes")),
    }


@contextlib.contextmanager
def disk(place: Path, size: int | None) -> Iterator[None]:
    """A small disk at the folder `place`, if a size is given."""
    if size is None:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", os.fsencode(place), b"tmpfs", 0, f"size={size}".encode()):
        raise OSError(ctypes.get_errno(), "cannot mount a disk: are you root?")
    try:
        yield
    finally:
        libc.umount2(os.fsencode(place), 2)


def attempt(machine: Machine, verb: str, root: Path, python: str) -> str:
    """-> what came of it"""
    shutil.rmtree(root, ignore_errors=True)
    sounds, place = root / "sounds", root / machine.folder
    for folder in (sounds, place, *(place / name for name in machine.readonly + machine.folders)):
        folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(NOTES.rglob("*.flac"))[:12]:
        shutil.copy(path, sounds / f"{path.parent.name}-{path.name}")
    with disk(place, machine.disk_bytes):
        (place / "song.mid").write_bytes(_song())
        (place / "notes").symlink_to(sounds)
        before = set(place.rglob("*"))
        for folder in (place, *place.rglob("*")):
            os.chown(folder, machine.user, -1, follow_symlinks=False) if os.getuid() == 0 else None
        for name in machine.readonly:
            (place / name).chmod(0o555)
        env = environment(machine, place)
        done = subprocess.run(
            [*_as(machine.user), python, "-m", "antiphon", *commands(place)[verb]],
            cwd="/" if "." in machine.readonly else place,
            env=env,
            capture_output=True,
            preexec_fn=lambda: _limit(machine),
        )
        left = [str(path) for path in set(place.rglob("*")) - before]
    said = done.stderr.decode(errors="replace").splitlines()
    return judge(done.returncode, said, left)


def judge(status: int, said: Sequence[str], left: Sequence[str]) -> str:
    unfinished = [path for path in left if path.endswith(".part") or Path(path).name.startswith(".antiphon")]
    if unfinished:
        return f"DEFECT: leaves {unfinished}"
    if status == 0 and not any("Traceback" in line or "rror" in line for line in said):
        return "fine" + "".join(f" ({line})" for line in said if line.startswith("note:"))
    told = [line for line in said if line.startswith("antiphon: ")]
    if status == 2 and len(told) == 1 and told[0] == said[-1] and "Traceback" not in " ".join(said):
        return f"refused: {told[0].removeprefix('antiphon: ')}"
    return f"DEFECT: status {status}: {' / '.join(said[-4:])}"


def environment(machine: Machine, place: Path) -> dict[str, str]:
    found = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *(p for p in sys.path if "site-packages" in p)])}
    found |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for name, value in machine.env.items():
        found.pop(name, None)
        if value is not None:
            found[name] = str(place / value) if name in ("HOME", "TMPDIR") else value
    return found


def _as(user: int) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user and os.getuid() == 0 else []


def _limit(machine: Machine) -> None:
    if machine.file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (machine.file_bytes, machine.file_bytes))
    if machine.closed:
        os.close({"stdin": 0, "stdout": 1}[machine.closed])


def main() -> None:
    """All commands on all machines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=(), help="words in the names of machines")
    parser.add_argument("--verbs", nargs="*", default=("play", "generate", "train", "data inspect"))
    parser.add_argument("--python", default=sys.executable, help="an interpreter that any user may run")
    asked = parser.parse_args()
    defects = 0
    with tempfile.TemporaryDirectory(prefix="machines-") as folder:
        os.chmod(folder, 0o755)
        for machine in MACHINES:
            if asked.only and not any(word in machine.name for word in asked.only):
                continue
            if (machine.user or machine.disk_bytes) and os.getuid():
                print(f"{machine.name}: only as root")
                continue
            for verb in asked.verbs:
                came = attempt(machine, verb, Path(folder, "root"), asked.python)
                defects += came.startswith("DEFECT")
                print(f"{machine.name:42} {verb:13} {came}", flush=True)
    sys.exit(defects > 0)


if __name__ == "__main__":
    main()
