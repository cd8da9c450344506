"""Do a voice's controls do what their names say, and nothing else? What is asked against what is measured.

    python benchmarks/why.py gm --labels 20 --seeds 1
    python benchmarks/why.py gm --labels 7 --fit            # as they would be fitted now, in memory
    python benchmarks/why.py gm --only map --labels 6 --seeds 2 --recordings NOTE.wav   # what the critics hear

For each label and control nine steps from -1 to 1, of seeds that the controls were not fitted to: Spearman's rank
correlation between asked and measured, the change of every trait (the matrix of side effects), the pitch, and whether
the label stays (nearest label in an embedding of other seeds). Beside them, moved as far: the principal
directions of the label's w (GANSpace, Härkönen 2020) and random ones, each credited with the trait that it moves best.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import why_map

from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.pitch import measure_f0
from antiphon.metrics.controls import fit_controls
from antiphon.metrics.describers.describer import describer
from antiphon.metrics.nearest_sounds import embedded
from antiphon.metrics.ranks import spearman
from antiphon.metrics.turns import scales
from antiphon.voices.capabilities import Imagines
from antiphon.voices.find import load

STEPS = np.linspace(-1, 1, 9)
FIRST_SEED = 5000  # not those of metrics/controls.py
JUDGED = 4  # imagined sounds of each label that the 1-NN judge knows


def main() -> None:
    args = _arguments()
    torch.set_num_threads(1)
    voice = load(args.voice).able(Imagines, "imagine sounds")
    how, rng = describer(voice), np.random.default_rng(0)
    labels = [voice.instruments[i] for i in rng.permutation(len(voice.instruments))[: args.labels]]
    if args.only == "map":
        found = why_map.measured(voice, labels, range(FIRST_SEED, FIRST_SEED + args.seeds), args.recordings)
        print(why_map.table(found))
        return _keep(found, args.out)
    if args.fit:
        voice.__dict__["controls"] = fit_controls(voice, labels, processes=1)
    controls = voice.controls
    judge = _Judge(voice, how, labels)
    rows, others = [], {"pca": [], "random": []}
    for done, label in enumerate(labels, 1):
        for seed in range(FIRST_SEED, FIRST_SEED + args.seeds):
            w = voice.imagine(label, (), seed)
            rows += [_measured(voice, how, controls, judge, label, w, name) for name in controls.of(label)]
        for kind, step in _unnamed(voice, label, rng).items():
            others[kind].append(_best(voice, how, controls, label, voice.imagine(label, (), FIRST_SEED), step))
        print(f"{done}/{len(labels)} {label}", flush=True)
    found = _summary(controls.names, rows, others, labels)
    print(_table(found))
    _keep(found, args.out)


def _keep(found: dict, out: Path | None) -> None:
    if out:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--fit", action="store_true", help="fit the controls of these labels first, and keep them not")
    parser.add_argument("--only", choices=("controls", "map"), default="controls")
    parser.add_argument("--recordings", type=Path, nargs="*", default=[], help="with --only map: notes of instruments")
    parser.add_argument("--out", type=Path, help="figures as JSON")
    return parser.parse_args()


class _Judge:
    """The label of the nearest imagined sound, of other seeds than those that are moved."""

    def __init__(self, voice, how, labels):
        self.names, vectors = [], []
        for label in labels:
            w = torch.stack([voice.imagine(label, (), FIRST_SEED + 1000 + i) for i in range(JUDGED)])
            vectors.append(embedded([_mono(sound) for sound in how.play(voice, label, w, [()] * JUDGED)]))
            self.names += [label] * JUDGED
        self.known = np.concatenate(vectors)

    def __call__(self, sound) -> str:
        apart = np.linalg.norm(self.known - embedded([_mono(sound)]), axis=1)
        return self.names[int(apart.argmin())]


def _mono(sound: np.ndarray) -> np.ndarray:
    return sound if sound.ndim == 1 else sound.sum(1)


def _measured(voice, how, controls, judge, label, w, name) -> dict:
    """One control of one sound: rank correlation, change of each trait from -1 to 1 in spans, cents, and the label."""
    turned = [voice.turned(w, label, {name: float(step)}) for step in STEPS]
    ws, shapings = torch.stack([one.w for one in turned]), [one.shaping for one in turned]
    sounds, pitch = how.play(voice, label, ws, shapings), how.pitch(voice, label)
    traits = np.stack([how.measure(sound, pitch) for sound in sounds])
    own = traits[:, controls.names.index(name)]
    kept = [judge(sounds[i]) for i in (0, 4, 8)]
    row = {"label": label, "control": name, "spearman": spearman(STEPS, own)}
    row["moves"] = ((traits[-1] - traits[0]) / 2 / _scale(how, controls, label)).tolist()
    row["kept"] = [kept[0] == kept[1], kept[2] == kept[1]]
    row["cents"] = _cents(sounds, pitch) if voice.pitched else 0.0
    return row


def _scale(how, controls, label) -> np.ndarray:
    return scales(controls.spans[controls.labels.index(label)].double().numpy()[None], how)[0]


def _cents(sounds, pitch: float) -> float:
    """How far the pitch strays from that at 0, at most."""
    held = [measure_f0(sound[: round(0.8 * SAMPLE_RATE)], pitch)[1] for sound in sounds]
    return float(np.abs(np.array(held) - held[4]).max())


def _unnamed(voice, label, rng) -> dict[str, torch.Tensor]:
    """The label's first principal direction and a random one, both as long as its w lie apart from their mean."""
    crowd = torch.stack([voice.imagine(label, (), FIRST_SEED + 2000 + i) for i in range(24)])
    first = torch.linalg.svd(crowd - crowd.mean(0), full_matrices=False).Vh[0]
    length = (crowd - crowd.mean(0)).norm(dim=1).mean()
    chance = torch.from_numpy(rng.standard_normal(len(first))).float()
    return {"pca": first * length, "random": chance / chance.norm() * length}


def _best(voice, how, controls, label, w, step) -> dict:
    """The trait that a direction without a name moves most steadily, and how much more than any other."""
    ws = torch.stack([voice.stepped(w, float(s) * step) for s in STEPS])
    traits = how.heard(voice, label, ws)
    ranks = np.array([abs(spearman(STEPS, column)) for column in traits.T])
    moves = np.abs(traits[-1] - traits[0]) / 2 / _scale(how, controls, label)
    order = np.sort(moves)[::-1]
    return {"spearman": float(ranks.max()), "ratio": float(order[0] / max(order[1], 1e-9))}


def _summary(names, rows, others, labels) -> dict:
    found = {"labels": len(labels), "controls": {}}
    for i, name in enumerate(names):
        own = [row for row in rows if row["control"] == name]
        if not own:
            continue
        ranks = np.array([row["spearman"] for row in own])
        moves = np.median([row["moves"] for row in own], axis=0)
        side = np.median([np.delete(np.abs(row["moves"]), i).max() for row in own])  # of each sound, whichever it is
        clean = np.mean([abs(row["moves"][i]) >= 3 * np.delete(np.abs(row["moves"]), i).max() for row in own])
        found["controls"][name] = {
            "sounds": len(own),
            "spearman_median": float(np.median(ranks)),
            "share_above_0.8": float((ranks >= 0.8).mean()),
            "own": float(moves[i]),
            "largest_side": float(side),
            "three_times": float(clean),
            "moves": moves.tolist(),
            "cents_median": float(np.median([row["cents"] for row in own])),
            "within_5_cents": float(np.mean([row["cents"] <= 5 for row in own])),
            "label_kept": float(np.mean([row["kept"] for row in own])),
        }
    for kind, some in others.items():
        found[kind] = {key: float(np.median([one[key] for one in some])) for key in ("spearman", "ratio")}
    return found


def _table(found: dict) -> str:
    names = list(found["controls"])
    lines = ["| control | sounds | Spearman | >= .8 | own | largest side | 3 times it | within 5 cents | label kept |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for name, row in found["controls"].items():
        cells = [row["sounds"], f"{row['spearman_median']:.2f}", f"{row['share_above_0.8']:.2f}", f"{row['own']:.2f}"]
        cells += [
            f"{row['largest_side']:.2f}",
            f"{row['three_times']:.2f}",
            f"{row['within_5_cents']:.2f}",
            f"{row['label_kept']:.2f}",
        ]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    lines += ["", f"| +1 of / moves | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {n} | {' | '.join(f'{x:.2f}' for x in found['controls'][n]['moves'])} |" for n in names]
    for kind in ("pca", "random"):
        lines.append(f"{kind}: best trait's |Spearman| {found[kind]['spearman']:.2f}, ratio {found[kind]['ratio']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
