"""Margins of figures by the bootstrap: each figure is computed again on lists drawn from the list with replacement
(Efron 1979), and 1.96 standard deviations of the results are its 95 % margin. If all rows agree, resampling them tells
nothing: see `wilson_margin`.

The standard deviation is used and not the quantiles, because a Fréchet distance rises when rows repeat.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from antiphon.core.parallel import parallel_map
from antiphon.metrics.frechet import frechet_distance
from antiphon.metrics.kernel import kernel_distances_redrawn
from antiphon.metrics.ndb import different_bins
from antiphon.metrics.pitch import pitch_score

DRAWS = 1_000
DISTANCE_DRAWS = 100  # a Fréchet distance takes a tenth of a second
Z = 1.96  # standard deviations that bound 95 % of a normal distribution
Features = Mapping[str, np.ndarray]  # by embedding, (n, dim)
Redrawn = dict[str, dict[str, np.ndarray]]  # figure -> set -> (draws,)


def draws(n: int, count: int | None = None, seed: int = 0) -> np.ndarray:
    """(count, n) positions in a list of n rows, drawn with replacement (default count: DRAWS)."""
    return np.random.default_rng(seed).integers(0, n, (DRAWS if count is None else count, n))


def margin(values: np.ndarray | list[float]) -> float:
    """Half the width of the 95 % interval of a figure whose values on redrawn lists are `values`."""
    values = np.asarray(values, np.float64)
    return float(Z * np.nanstd(values)) if np.isfinite(values).any() else float("nan")


def wilson_margin(n: int) -> float:
    """How far a share may be from 0 (or 1) when all n rows show 0 (or 1) and resampling is no help: the end of Wilson's
    interval (1927). The rule of three, 3 / n for one side, is nearly the same."""
    return Z**2 / (n + Z**2)


def mean_margin(values: np.ndarray) -> float:
    """Margin of a mean over rows; values: (n,), bool for a share. NaN if equal numbers tell nothing of their spread."""
    values = np.asarray(values)
    if not len(values):
        return float("nan")
    if (values == values[0]).all():
        return wilson_margin(len(values)) if values.dtype == bool else float("nan")
    return margin(values[draws(len(values))].mean(1))


def ratio_margin(above: np.ndarray, below: np.ndarray) -> float:
    """Margin of the ratio of two medians; above: (n,), below: (m,). Lists of equal length are drawn row by row."""
    tops, bottoms = (np.median(values[draws(len(values))], axis=1) for values in (above, below))
    return margin(tops / np.where(bottoms > 0, bottoms, np.nan))


def bins_margin(mine: np.ndarray, theirs: np.ndarray, k: int) -> float:
    """Margin of the number of k bins that differ; mine: (n,), theirs: (m,) the bin of each row."""
    counts = [np.stack([np.bincount(bins[at], minlength=k) for at in draws(len(bins))]) for bins in (mine, theirs)]
    return margin(different_bins(*counts).sum(-1))


def identity_margins(right: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Margins of 1-NN accuracy and of its ratio to the real notes'; right, real: (n,) bool, row by row."""
    at = draws(len(right))
    mine, own = right[at].mean(1), real[at].mean(1)
    share = margin(mine / np.where(own > 0, own, np.nan))
    agreed = wilson_margin(len(right)) / real.mean() if real.any() else float("nan")
    return {"accuracy": mean_margin(right), "share": share or agreed}


def pitch_margins(measured: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Margins of the share within 50 cents and of the median error; measured, wanted: (n,) MIDI pitches."""
    again = [pitch_score(measured[at], wanted[at]) for at in draws(len(wanted))]
    found = {key: margin([score[key] for score in again]) for key in ("within_50", "median_cents")}
    now = pitch_score(measured, wanted)
    return found | ({"within_50": wilson_margin(int(now["notes"]))} if now["within_50"] in (0, 1) else {})


def redrawn_distances(sets: Mapping[str, Features], threads: int | None = None) -> Redrawn:
    """The distances to the real notes on redrawn lists: {"<embedding> fad": {set: (draws,)}, "<embedding> kernel"}.

    sets: "real", "floor", "naive" and any others, each row of which corresponds to the real note of that row."""
    real, made = sets["real"], {name: part for name, part in sets.items() if name != "real"}
    out: Redrawn = {}
    for embedding in real:
        lists = draws(len(real[embedding]), DISTANCE_DRAWS)

        def once(k: int, embedding: str = embedding, lists: np.ndarray = lists) -> list[float]:
            fixed = real[embedding][lists[k]]
            return [frechet_distance(part[embedding][lists[k]], fixed) for part in made.values()]

        again = np.array(parallel_map(once, DISTANCE_DRAWS, threads))
        out[f"{embedding} fad"] = dict(zip(made, again.T, strict=True))
        out[f"{embedding} kernel"] = {
            name: kernel_distances_redrawn(part[embedding], real[embedding], lists) for name, part in made.items()
        }
    return out


def has_scale(distances: Mapping[str, np.ndarray]) -> bool:
    """Whether floor 0, naive 1 makes a scale: their gap is known to within half of itself."""
    gap = distances["naive"] - distances["floor"]
    return bool(gap.mean() > 2 * margin(gap))


def distance_margins(again: Redrawn) -> dict[str, dict[str, float]]:
    """Margins of redrawn distances: {set: {"<embedding> fad": ..., "<embedding> fad_normalised", "<embedding> kernel"
    ...}}, `normalised` on the scale floor 0, naive 1, if that is one."""
    out: dict[str, dict[str, float]] = {}
    for key, distances in again.items():
        low, high = distances["floor"], distances["naive"]
        for name, values in distances.items():
            out.setdefault(name, {})[key] = margin(values)
            if name not in ("floor", "naive") and has_scale(distances):  # these are the scale's ends
                out[name][f"{key}_normalised"] = margin((values - low) / (high - low))
    return out
