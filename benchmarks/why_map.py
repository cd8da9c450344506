"""Is the map of what the critics hear faithful? `python benchmarks/why.py gm --only map --labels 6 --seeds 2`

*Deletion* and *insertion*: the area under the critics' verdict as cells are blurred, the highest of the map first, and
as they come back into the blurred picture, beside the same in the order of the cells' levels and in random order.
*Sanity* (Adebayo 2018): the rank correlation of the map with that of critics whose layers are made random, from the
last one down; of the parts as they are, of their sizes, and its own size, whichever sign a draw happens to give it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from antiphon.core.note import Note
from antiphon.metrics.bootstrap import mean_margin
from antiphon.metrics.critics_map import ORDERS, Cells, curves, gesture_of, read_critics
from antiphon.metrics.ranks import spearman
from antiphon.metrics.shapley import sampled_shapley
from antiphon.training.run_folder import critics_of
from antiphon.verbs.explained import recorded
from antiphon.voices.expression import common_pitch

ORDERS_OF_RANDOM = 6  # fewer than of the map itself, for time
ORDERINGS = 3  # random ones
LAYERS = (("score", "label", "condition"), ("layers.3",), ("layers.2",), ("layers.1",), ("layers.0",))


def measured(voice: Any, labels: list[str], seeds: range, recordings: list[Path]) -> dict[str, Any]:
    """Figures of all sounds, and of the sanity check of each, with random weights of its own."""
    critics = read_critics(critics_of(voice.file), len(voice.instruments))
    rng, rows, sanity = np.random.default_rng(0), [], []
    for number, (name, sound, note) in enumerate(_sounds(voice, labels, seeds, recordings)):
        label = voice.instruments.index(note.instrument)
        heard = (sound, gesture_of(note, voice.pitched), label)
        cells = Cells(critics, *heard)
        parts = _parts(cells, ORDERS, rng)
        orders = {"map": np.argsort(-parts), "level": np.argsort(-cells.levels())}
        areas = {kind: _areas(cells, order) for kind, order in orders.items()}
        areas["random"] = np.mean([_areas(cells, rng.permutation(len(parts))) for _ in range(ORDERINGS)], axis=0)
        rows.append({kind: list(map(float, both)) for kind, both in areas.items()} | {"sound": name})
        sanity.append(_sanity(critics, heard, parts, number))
        print(name, *(f"{kind} {a:.2f} {b:.2f}" for kind, (a, b) in areas.items()), flush=True)
    return {"sounds": rows, "sanity": sanity}


def _sounds(voice: Any, labels: list[str], seeds: range, recordings: list[Path]) -> Iterator[tuple[str, Any, Note]]:
    for label in labels:
        pitch = common_pitch(voice, (label,)) if voice.pitched else 60.0
        for seed in seeds:
            note = Note(pitch, 1.5, 100, label, (), seed)
            yield f"{label} {seed}", voice.notes([note], w=voice.imagine(label, (), seed).unsqueeze(0))[0], note
    for path in recordings:
        found = recorded(voice, path)
        yield path.stem, found.audio, found.note


def _parts(cells: Cells, orders: int, rng: np.random.Generator) -> np.ndarray:
    return sampled_shapley(cells.verdicts, cells.shape[0] * cells.shape[1], orders, rng)


def _areas(cells: Cells, order: np.ndarray) -> tuple[float, float]:
    deleted, inserted = (float((y[1:] + y[:-1]).mean() / 2) for y in curves(cells, order))
    return deleted, inserted


def _sanity(critics: Any, heard: Any, parts: np.ndarray, draw: int) -> list[list[float]]:
    """(layers, 3) correlations as more and more layers are random."""
    rng, found = torch.Generator().manual_seed(draw), []
    fresh = copy.deepcopy(critics)
    for names in LAYERS:
        for critic in fresh:
            _randomise(critic, names, rng)
        other = _parts(Cells(fresh, *heard), ORDERS_OF_RANDOM, np.random.default_rng(draw))
        rank = spearman(parts, other)
        found.append([rank, spearman(np.abs(parts), np.abs(other)), abs(rank)])
    return found


def _randomise(critic: Any, names: tuple[str, ...], rng: torch.Generator) -> None:
    """Weights from a normal distribution of the same deviation; biases 0; the norms of weights stay."""
    for name, weight in critic.named_parameters():
        if name.startswith(names) and not name.endswith("original0"):
            drawn = torch.randn(weight.shape, generator=rng) * (weight.std() if weight.ndim > 1 else 0)
            weight.copy_(drawn)


def table(found: dict[str, Any]) -> str:
    """Both as Markdown."""
    lines = ["| order | deletion (lower is better) | insertion (higher is better) |", "|---|---|---|"]
    kinds = {kind: np.array([row[kind] for row in found["sounds"]]) for kind in ("map", "level", "random")}
    for kind, areas in kinds.items():
        lines.append(f"| {kind} | {_with_margin(areas[:, 0])} | {_with_margin(areas[:, 1])} |")
    for kind in ("level", "random"):
        apart = kinds["map"] - kinds[kind]
        lines.append(f"| map - {kind} | {_with_margin(apart[:, 0])} | {_with_margin(apart[:, 1])} |")
    lines += ["", "| random from the top to | rank correlation | of sizes | whichever sign |", "|---|---|---|---|"]
    for names, column in zip(LAYERS, np.array(found["sanity"]).transpose(1, 2, 0), strict=True):
        lines.append(f"| {names[0]} | {' | '.join(_with_margin(values) for values in column)} |")
    return "\n".join(lines)


def _with_margin(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {mean_margin(values):.2f}"
