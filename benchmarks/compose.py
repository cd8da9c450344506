"""How near to real music is composed music? A table by style, each row beside real works that nobody trained on.

    python benchmarks/compose.py shared/data/scores --voice composer [--likelihood runs/likelihood] [--quick]
    python benchmarks/compose.py shared/data/scores --rows real heard shuffled markov     # without a voice
    python benchmarks/compose.py shared/data/scores --voice composer --checks --asking --accompany --fuzz

DATA: a folder of folders of MIDI files, one for each style. --prepared: the file that the voice was trained on, which
says which works it never heard (default: a tenth of each style, by composer). Pieces are kept as MIDI files below
OUT/ROW/STYLE, so that the same command goes on where it was stopped, and so that they can be listened to.

Rows: real (unheard works, cut into windows of --bars), heard (training works: the floor, real against real), shuffled
(training bars in any order: right by bar, copied), markov (4-grams of each part, in C), and those of the voices:
untrained, likelihood (a checkpoint before the adversary), ours. Intervals are over pieces; a real work is one piece.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from compose_checks import accompany, asking, checks, fuzz
from compose_judge import Classifier, Copies, overlaps
from compose_naive import Markov, shuffled
from compose_works import Work, held_out, prepared_split, windows, works

from antiphon.core.errors import AntiphonError
from antiphon.metrics.bootstrap import mean_margin
from antiphon.metrics.composition import measures
from antiphon.music.notation import Score
from antiphon.music.qualities import NoteTable, note_table, qualities
from antiphon.music.score import read_score
from antiphon.voices.capabilities import ComposesMusic
from antiphon.voices.find import load

ROWS = ("real", "heard", "shuffled", "markov", "untrained", "likelihood", "ours")
REGULAR = {  # measure: (how far it may be from the real works', which side is worse)
    "scale consistency": (0.05, -1), "pitch-class entropy": (0.2, 1), "rhythm at 1": (0.15, -1),
    "rhythm at 4": (0.15, -1), "consonance": (0.08, -1),
}  # fmt: skip
COPIES = ("longest copy, notes", "nearest bar", "copied bars")  # judged by themselves
FORM = ("rhythm at 4", "rhythm at 8", "notes at 4", "notes at 8")
TAUGHT = 40  # works of a style that its classifier learns from, at least
Piece = list[NoteTable]  # windows of one work, or the only one of a composed piece
Found = dict[str, dict[str, dict[str, list[float]]]]  # row -> style -> measure -> a value for each piece


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--voice", default="composer")
    parser.add_argument("--likelihood")
    parser.add_argument("--prepared", type=Path)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--n", type=int, default=40, help="pieces of each style and row")
    parser.add_argument("--composed", type=int, help="of the voices' rows (default: as many)")
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("out/compose"))
    parser.add_argument("--quick", action="store_true", help="6 pieces of each style and row")
    parser.add_argument("--checks", action="store_true", help="300 pieces: valid, playable, repeatable")
    parser.add_argument("--asking", action="store_true", help="whether asking for more of a quality gets more of it")
    parser.add_argument("--accompany", action="store_true", help="harmony with the melodies of unheard works")
    parser.add_argument("--fuzz", action="store_true", help="1,000 damaged MIDI files")
    args = parser.parse_args()
    unheard = prepared_split(args.prepared) if args.prepared else held_out(args.data)
    found = works(args.data, args.out / "works.npz", unheard)
    args.n = 6 if args.quick else args.n
    args.composed = args.composed or args.n
    if args.checks or args.asking or args.accompany or args.fuzz:
        many = 30 if args.quick else 300
        voice = load(args.voice).able(ComposesMusic, "compose")
        result = {"checks": checks(voice, many)} if args.checks else {}
        result |= {"asking": asking(voice, args.n // 2)} if args.asking else {}
        result |= {"accompany": accompany(voice, found, args.n)} if args.accompany else {}
        result |= {"fuzz": fuzz(voice, args.out / "fuzz", 100 if args.quick else 1000)} if args.fuzz else {}
        kept(args.out / "checks.json", result)
        print(json.dumps(result, indent=2))
        return
    rows = [row for row in args.rows if row != "likelihood" or args.likelihood]
    pieces = {row: made(row, found, args) for row in rows}
    figures = judged(pieces, found)
    kept(args.out / "compose.json", figures)
    report(figures)


def kept(path: Path, result: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))


# ---- pieces ----------------------------------------------------------------------------------------------------------


def made(row: str, found: Sequence[Work], args: argparse.Namespace) -> dict[str, list[Piece]]:
    """A row's pieces, by style."""
    styles = sorted({work.style for work in found})
    if row in ("real", "heard"):
        return {style: _real(found, style, row == "real", args) for style in styles}
    pieces = {}
    for style in styles:
        began = time.perf_counter()
        maker = _maker(row, [work for work in found if work.style == style and not work.unheard], style, args)
        many = args.composed if row in ("untrained", "likelihood", "ours") else args.n
        pieces[style] = _composed(maker, args.out / row / style, many)
        print(f"{row}, {style}: {len(pieces[style])} pieces, {time.perf_counter() - began:.0f} s", flush=True)
    return pieces


def _real(found: Sequence[Work], style: str, unheard: bool, args: argparse.Namespace) -> list[Piece]:
    own = [work for work in found if work.style == style and work.unheard == unheard]
    order = np.random.default_rng(0).permutation(len(own))[: args.n]
    pieces = [windows(own[i].table, args.bars) for i in order.tolist()]
    return [piece for piece in pieces if piece]


def _maker(row: str, training: Sequence[Work], style: str, args: argparse.Namespace) -> Callable[[int], Score]:
    """Seeds to scores."""
    if row == "shuffled":
        return lambda seed: shuffled(training, args.bars, seed)
    if row == "markov":
        markov: list[Markov] = []

        def by_markov(seed: int) -> Score:
            markov[:] = markov or [Markov(training)]
            return markov[0].piece(args.bars, seed)

        return by_markov
    voice = load(args.likelihood if row == "likelihood" else args.voice)
    voice = (voice.untrained() if row == "untrained" else voice).able(ComposesMusic, "compose")
    return lambda seed: voice.bars(args.bars, style=style, seed=seed)


def _composed(maker: Callable[[int], Score], folder: Path, n: int) -> list[Piece]:
    """Written, and read again as everybody else reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(n):
        path = folder / f"{seed:03d}.mid"
        if not path.exists():
            maker(seed).write(path)
        try:
            found.append([note_table(read_score(path))])
        except AntiphonError as error:  # without notes
            print(f"not judged: {error}")
    return found


# ---- figures ---------------------------------------------------------------------------------------------------------


def judged(pieces: Mapping[str, Mapping[str, list[Piece]]], found: Sequence[Work]) -> dict[str, object]:
    """By row and style: each measure's values over pieces; overlaps with the unheard works; how often the classifier
    names the style."""
    heard = {
        style: [w for w in found if w.style == style and not w.unheard] for style in sorted({w.style for w in found})
    }
    classifier = Classifier(
        {style: [w for own in some[:150] for w in windows(own.table, 32)] for style, some in heard.items()}
    )
    copies = Copies([work.table for some in heard.values() for work in some])
    values: Found = {}
    sets: dict[str, dict[str, dict[str, float]]] = {}
    for row, by_style in pieces.items():
        for style, own in by_style.items():
            values.setdefault(row, {})[style] = measured(own, copies if row != "heard" else None)
            real = [window for piece in pieces["real"][style] for window in piece]
            mine = [window for piece in own for window in piece]
            named = [classifier.style(window) == style for piece in own for window in piece]
            sets.setdefault(row, {})[style] = overlaps(mine, real) | {"style named": float(np.mean(named))}
    return {"values": values, "sets": sets, "styles": sorted(heard)}


def measured(pieces: Sequence[Piece], copies: Copies | None) -> dict[str, list[float]]:
    """Each measure's value of every piece, the mean of its windows."""
    rows = []
    for piece in pieces:
        each = [measures(w) | qualities(w) | (copies.of(w) if copies else {}) for w in piece]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            rows.append({name: float(np.nanmean([one[name] for one in each])) for name in each[0]})
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


# ---- tables ----------------------------------------------------------------------------------------------------------


def mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean of those that are numbers, and its 95 % margin."""
    known = np.array([value for value in values if np.isfinite(value)])
    return (float(known.mean()), mean_margin(known)) if len(known) else (float("nan"), float("nan"))


def report(figures: dict) -> None:  # type: ignore[type-arg]
    values, sets = figures["values"], figures["sets"]
    for style in figures["styles"]:
        rows = [row for row in values if values[row].get(style)]
        print(f"\n{style}: {', '.join(f'{row} {len(next(iter(values[row][style].values())))}' for row in rows)} pieces")
        print(f"{'':22s}" + "".join(f"{row:>16s}" for row in rows))
        for name in values[rows[0]][style]:
            cells = [mean(values[row][style].get(name, [])) for row in rows]
            print(f"{name:22s}" + "".join(f"{value:10.3f} ±{margin:.3f}" for value, margin in cells))
        for name in ("overlap", "divergence", "style named"):
            print(f"{name:22s}" + "".join(f"{sets[row][style][name]:10.3f}      " for row in rows))
        if "ours" in rows:
            verdicts(style, {row: values[row][style] for row in rows})


def verdicts(style: str, rows: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """What the composer must show."""
    real, ours = rows["real"], rows["ours"]
    for name, (most, worse) in REGULAR.items():
        gap = worse * (mean(ours[name])[0] - mean(real[name])[0])
        print(f"  {'yes' if gap <= most else 'NO '} {name}: worse than real works by {gap:+.3f} (at most {most})")
    for name in FORM:
        known = [value for value in real[name] if np.isfinite(value)]
        low, high = np.quantile(known, [0.25, 0.75])
        value = mean(ours[name])[0]
        right = "yes" if low <= value <= high else "NO "
        print(f"  {right} {name}: {value:.3f}, real works' quartiles {low:.3f} {high:.3f}")
    for other in ("markov", "likelihood"):
        if other in rows:
            three = [rows[row] for row in ("real", "ours", other)]
            known = [name for name in real if all(np.isfinite(mean(row.get(name, []))[0]) for row in three)]
            names = [name for name in known if name not in COPIES]
            nearer = [_apart(ours, real, name) < _apart(rows[other], real, name) for name in names]
            print(f"  nearer to real works than {other} in {sum(nearer)} of {len(nearer)} measures")
    most = np.quantile(real["longest copy, notes"], 0.9)
    share = np.mean(np.array(ours["longest copy, notes"]) > most)
    print(
        f"  {'yes' if share <= 0.1 else 'NO '} copies longer than 90 % of real works' ({most:.0f} notes): {share:.2f}"
    )


def _apart(mine: Mapping[str, Sequence[float]], real: Mapping[str, Sequence[float]], name: str) -> float:
    return abs(mean(mine[name])[0] - mean(real[name])[0])


if __name__ == "__main__":
    main()
