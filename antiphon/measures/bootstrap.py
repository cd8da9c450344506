"""How sure figures are: each is computed again on lists drawn from the list with replacement (Efron 1979), and 1.96
standard deviations of what comes out are its 95 % margin.

The spread is taken and not the quantiles, because a Fréchet distance rises when rows repeat.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from antiphon.measures.frechet import frechet_distance
from antiphon.measures.kernel import kernel_distances_redrawn
from antiphon.measures.pitch import pitch_score
from antiphon.workers import spread

DRAWS = 1_000
DISTANCE_DRAWS = 100  # a Fréchet distance takes a tenth of a second
Features = Mapping[str, np.ndarray]  # by embedding, (n, dim)


def draws(n: int, count: int = DRAWS, seed: int = 0) -> np.ndarray:
    """(count, n) positions in a list of n rows, with replacement."""
    return np.random.default_rng(seed).integers(0, n, (count, n))


def margin(values: np.ndarray | list[float]) -> float:
    """Half the width of the 95 % interval round a figure that came out as `values` on redrawn lists."""
    values = np.asarray(values, np.float64)
    return float(1.96 * np.nanstd(values)) if np.isfinite(values).any() else float("nan")


def mean_margin(values: np.ndarray) -> float:
    """Of a mean over rows; values: (n,). What redrawing would come to needs no drawing: the deviation over root n."""
    values = np.asarray(values, np.float64)
    return float(1.96 * values.std() / np.sqrt(len(values))) if len(values) else float("nan")


def identity_margins(right: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Of 1-NN accuracy and of its share of the real notes' own; right, real: (n,) bool, row by row."""
    again = [(right[at].mean(), real[at].mean()) for at in draws(len(right))]
    return {
        "accuracy": margin([mine for mine, _ in again]),
        "share": margin([mine / own if own else np.nan for mine, own in again]),
    }


def pitch_margins(measured: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Of the share within 50 cents and of the median error; measured, wanted: (n,) MIDI pitches."""
    again = [pitch_score(measured[at], wanted[at]) for at in draws(len(wanted))]
    return {key: margin([score[key] for score in again]) for key in ("within_50", "median_cents")}


def distance_margins(sets: Mapping[str, Features], threads: int | None = None) -> dict[str, dict[str, float]]:
    """Of the distances to the real notes: {set: {"<embedding> fad": ..., "<embedding> fad_normalised", "<embedding>
    kernel"}}, `normalised` on the scale floor 0, naive 1.

    sets: "real", "floor", "naive" and any others, of which each row answers to the real note of that row."""
    real, made = sets["real"], {name: part for name, part in sets.items() if name != "real"}
    out: dict[str, dict[str, float]] = {name: {} for name in made}
    for embedding in real:
        lists = draws(len(real[embedding]), DISTANCE_DRAWS)

        def once(k: int, embedding: str = embedding, lists: np.ndarray = lists) -> dict[str, float]:
            fixed = real[embedding][lists[k]]
            return {name: frechet_distance(part[embedding][lists[k]], fixed) for name, part in made.items()}

        again = spread(once, DISTANCE_DRAWS, threads)
        for name, part in made.items():
            out[name][f"{embedding} fad"] = margin([one[name] for one in again])
            if name not in ("floor", "naive"):  # the scale's ends
                out[name][f"{embedding} fad_normalised"] = margin([_on_scale(one, name) for one in again])
            out[name][f"{embedding} kernel"] = margin(kernel_distances_redrawn(part[embedding], real[embedding], lists))
    return out


def _on_scale(distances: Mapping[str, float], name: str) -> float:
    low, high = distances["floor"], distances["naive"]
    return (distances[name] - low) / (high - low) if high > low else float("nan")
