"""How well a note survives log-mel and back: by Griffin-Lim, heap integration, both, and a vocoder, on notes that the
vocoder was not trained on.

    python benchmarks/vocoder.py runs/vocoder --prepared notes.safetensors --n 300 --sheet sheet.png

Each note is compared with the original (log-spectral and multi-scale log-mel distance), and all of them with all of the
real ones (Fréchet distance, with other real notes, the floor, for scale). Speed: processor seconds of one thread per
second of sound, including encoding, the best of several.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

import antiphon
from antiphon.core.parallel import parallel_map
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.prepared import Prepared
from antiphon.metrics.bootstrap import distance_margins, mean_margin, redrawn_distances
from antiphon.metrics.embeddings import load_embedding
from antiphon.metrics.frechet import frechet_distance
from antiphon.metrics.judge import Judge
from antiphon.metrics.lists import draw_rows
from antiphon.metrics.meter import Measured, Meter
from antiphon.metrics.pitch import pitch_score
from antiphon.metrics.plots.sheet import spectrogram_strip
from antiphon.metrics.renderers import there_and_back
from antiphon.metrics.sounds import Sounds
from antiphon.representations.contract import Representation
from antiphon.representations.log_mel import LogMelSpectrogram
from antiphon.verbs.report import Report
from antiphon.voices.vocoder import VocodedLogMel

SECONDS = 4.0  # length of the sound to measure speed with
SHOWN = 5  # notes on a sheet


def views(voice: str) -> dict[str, Representation]:
    """The inversions."""
    rules = {name: LogMelSpectrogram(phases=name) for name in ("griffin-lim", "pghi", "pghi+griffin-lim")}
    return {**rules, "vocoder": VocodedLogMel(antiphon.load(voice).model)}


def processor_seconds(view: Representation, audio: np.ndarray, repeats: int = 7) -> float:
    """Processor seconds of one thread per second of sound."""
    best = np.inf
    for _ in range(repeats):
        began = time.process_time()
        there_and_back(view, audio)
        best = min(best, time.process_time() - began)
    return best * SAMPLE_RATE / len(audio)


def times_side_by_side(view: Representation, audio: np.ndarray, sounds: int = 16) -> float:
    """Speed relative to real time, with one sound on each processor."""
    began = time.perf_counter()
    parallel_map(lambda _: there_and_back(view, audio), sounds)
    return sounds * SECONDS / (time.perf_counter() - began)


def measured(sets: dict[str, Measured], wanted: np.ndarray, eye: str, threads: int) -> dict[str, dict[str, float]]:
    """The figures of every set by name; those named "... +-" are half the width of a 95 % interval."""
    heard = {name: {eye: one.features[eye]} for name, one in sets.items()}
    margins = distance_margins(redrawn_distances(heard, threads))
    table = {}
    for name, one in sets.items():
        row = {
            "log-spectral dB": float(one.spectral.mean()),
            "log-spectral dB +-": mean_margin(one.spectral),
            "log-mel dB": float(one.mel.mean()),
            "log-mel dB +-": mean_margin(one.mel),
            f"{eye} Fréchet": frechet_distance(one.features[eye], sets["real"].features[eye]),
            f"{eye} Fréchet +-": margins.get(name, {}).get(f"{eye} fad", 0.0),
        }
        pitch = pitch_score(one.pitch, wanted) if one.pitch.size else {}
        table[name] = row | ({"within 50 cents": pitch["within_50"]} if pitch else {})
    return table


def write_sheet(ways: dict[str, Representation], sounds: Sounds, path: Path) -> None:
    """A line of spectrograms for some notes: real, then each inversion."""
    names = [name for name in ways if "+" not in name]
    chosen = np.linspace(0, len(sounds.rows) - 1, SHOWN).astype(int)
    pictures, titles = [], []
    for at in chosen:
        real = sounds.real(sounds.rows[at].real)
        pictures += [real, *(there_and_back(ways[name], real) for name in names)]
        titles += [sounds.note(sounds.rows[at].real).instrument or "", *names]
    spectrogram_strip(pictures, titles, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="vocoder")
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--split", default="block")
    parser.add_argument("--embedding", default="aisfx")
    parser.add_argument("--cache", type=Path, default=Path("work-data/cache"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/vocoder.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    data, ways = Prepared(args.prepared), views(args.voice)
    sounds = Sounds(data, draw_rows(data, split=args.split, n=args.n))
    if args.sheet:
        write_sheet(ways, sounds, args.sheet)
    meter = Meter(sounds, [load_embedding(args.embedding, args.cache)], args.cache, args.threads, Report().bar)
    sets = Judge(meter, np.zeros(0, int)).fixed_sets()

    def made(view: Representation) -> Callable[[range], list[np.ndarray]]:
        return lambda part: [there_and_back(view, sounds.real(sounds.rows[at].real)) for at in part]

    sets |= {name: meter.matched(made(view), name, keep=name != "vocoder") for name, view in ways.items()}
    wanted = np.array([float(data.pitch[row.real]) for row in sounds.rows])
    table = measured(sets, wanted, args.embedding, args.threads)
    longest = max((row.real for row in sounds.rows), key=data.samples)
    audio = np.resize(data.audio(longest), int(SECONDS * SAMPLE_RATE))
    for name, cost in {k: partial(processor_seconds, view, audio) for k, view in ways.items()}.items():
        table[name]["processor s a s"] = cost()
        table[name]["times real time"] = 1 / table[name]["processor s a s"]
        table[name]["side by side"] = times_side_by_side(ways[name], audio)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"notes": len(sounds.rows), "split": args.split, "rows": table}, indent=1) + "\n")
    _show(table)


def _show(table: dict[str, dict[str, float]]) -> None:
    """Print as Markdown."""
    columns = [key for key in table["vocoder"] if not key.endswith("+-")]
    print(f"| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, row in table.items():
        cells = [
            f"{row[key]:.3g}" + (f" +-{row[key + ' +-']:.2g}" if row.get(key + " +-") else "") if key in row else ""
            for key in columns
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
