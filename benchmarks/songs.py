"""How fast a whole song is played, and in how much memory: runs `antiphon play` in a separate process, as users do.

    python benchmarks/songs.py [VOICE] [--song SONG.mid] [--minutes 3 60] [--stems] [--room 0.3] [--out out/songs.json]

The song is by default benchmarks/songs/dense.mid (8 tracks, 4,852 notes in 3 minutes), repeated for at least --minutes.
Times are from the command to its end, including start-up and writing; memory is the process's peak resident set.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mido

SONG = Path(__file__).parent / "songs" / "dense.mid"


def lengthened(source: Path, times: int, path: Path) -> Path:
    """The song repeated `times` times."""
    song = mido.MidiFile(source)
    ticks = max(sum(message.time for message in track) for track in song.tracks)
    for track in song.tracks:
        body = [message for message in track if message.type != "end_of_track"]
        gap = ticks - sum(message.time for message in body)
        again = [body[0].copy(time=body[0].time + gap), *body[1:]] if body else []
        track[:] = [*body, *(again * (times - 1))]
    song.save(path)
    return path


def measure(command: list[str]) -> tuple[float, float, float]:
    """(wall seconds, processor seconds, peak MB) of a command. Raises if it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # ru_maxrss is in bytes on macOS, elsewhere in kilobytes
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def rows(voice: str, source: Path, minutes: list[int], options: list[str]) -> list[dict[str, float]]:
    """A row for each length."""
    found, once = [], mido.MidiFile(source).length / 60
    for wanted in minutes:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            song = lengthened(source, max(math.ceil(wanted / once - 0.01), 1), Path(folder) / "song.mid")
            seconds = mido.MidiFile(song).length
            line = [sys.executable, "-m", "antiphon", "play", str(song), "-o", str(Path(folder) / "song.wav")]
            wall, processor, peak = measure([*line, "--voice", voice, *options])
        found.append({
            "minutes": seconds / 60, "wall, s": wall, "times real time": seconds / wall,
            "times real time, of one processor's time": seconds / processor, "peak, MB": peak,
        })  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="gm")
    parser.add_argument("--song", type=Path, default=SONG)
    parser.add_argument("--minutes", type=int, nargs="+", default=[3, 60])
    parser.add_argument("--stems", action="store_true")
    parser.add_argument("--room", type=float, default=0.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    options = ["--room", str(args.room), *(["--stems"] if args.stems else [])]
    found = rows(args.voice, args.song, args.minutes, options)
    for name in found[0]:
        print(f"{name:42s}" + "".join(f"{row[name]:10.1f}" for row in found))
    print(
        f"{'peak, as a share of the first':42s}"
        + "".join(f"{r['peak, MB'] / found[0]['peak, MB']:10.2f}" for r in found)
    )
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"song": args.song.name, "options": options, "rows": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
