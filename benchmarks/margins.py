"""How sure the figures of benchmarks/notes.py are: each is computed again on lists drawn from the list with replacement
(Efron 1979), and 1.96 standard deviations of what comes out are its 95 % margin.

The spread is taken and not the quantiles, because a Fréchet distance rises when rows repeat.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from antiphon.measures.frechet import frechet_distance
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


def distance_margins(
    made: Mapping[str, Features], corners: tuple[Features, Features, Features], threads: int | None = None
) -> dict[str, dict[str, float]]:
    """Of each made set's Fréchet distance on the scale floor 0, naive 1: {set: {"<embedding> fad_normalised": ...}}.

    corners: the features of the real notes, the floor's and naive's, row by row like the made ones'."""
    real, floor, naive = corners
    out: dict[str, dict[str, float]] = {name: {} for name in made}
    for embedding in real:
        lists = draws(len(real[embedding]), DISTANCE_DRAWS)

        def once(k: int, embedding: str = embedding, lists: np.ndarray = lists) -> dict[str, float]:
            def fad(features: Features) -> float:
                return frechet_distance(features[embedding][lists[k]], real[embedding][lists[k]])

            low, high = fad(floor), fad(naive)
            scale = high - low if high > low else np.nan
            return {name: (fad(part) - low) / scale for name, part in made.items()}

        again = spread(once, DISTANCE_DRAWS, threads)
        for name in made:
            out[name][f"{embedding} fad_normalised"] = margin([one[name] for one in again])
    return out
