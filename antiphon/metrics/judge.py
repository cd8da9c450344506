"""The figures of voices: each row of the table is a set of sounds, one for each real note of a list.

Beside the sets to judge are the real notes themselves (`real`), other real notes as near to them as possible (`floor`)
and what a sampler would play, the nearest training note resampled (`naive`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np

from antiphon.data.analysis.tracker import track_pitch
from antiphon.metrics.bootstrap import (
    bins_margin,
    distance_margins,
    has_scale,
    identity_margins,
    mean_margin,
    pitch_margins,
    ratio_margin,
    redrawn_distances,
)
from antiphon.metrics.frechet import frechet_distance
from antiphon.metrics.kernel import kernel_distance, kid
from antiphon.metrics.meter import CHUNK, Measured, Meter, Producer
from antiphon.metrics.ndb import binned, ndb
from antiphon.metrics.neighbours import label_accuracy, nearest, spread
from antiphon.metrics.pitch import pitch_score
from antiphon.metrics.prdc import prdc_by_row
from antiphon.metrics.renderers import Renderer

DISTANCES = {"fad": frechet_distance, "kernel": kernel_distance, "kid": kid}
FIXED = ("real", "floor", "naive")  # rows that do not depend on a voice
BETWEEN = 300  # notes requested half a semitone up
COPY_QUANTILE = 0.01  # a copy is nearer to a training note than this share of unseen real notes
CROWD = 4  # notes of a label needed to measure diversity


class Judge:
    """Measures the real notes once, then compares other sets with them.

    meter: has the rows and the embeddings, the first of which is `eye`: identity, neighbours and variety are judged in
    it. reference: indices of training notes.
    """

    def __init__(self, meter: Meter, reference: np.ndarray) -> None:
        self.meter, self.reference = meter, reference
        self.sounds, self.rows = meter.sounds, meter.sounds.rows
        self.prepared = self.sounds.prepared
        self.eye = meter.embeddings[0].name
        self.reals = np.array([row.real for row in self.rows])
        self.wanted = self.prepared.pitch.numpy()[self.reals].astype(np.float64)
        self.instrument = self.prepared.instrument.numpy()
        self.labels = self.instrument[self.reals]

    def fixed_sets(self) -> dict[str, Measured]:
        """The sets that do not depend on a voice: real notes, the floor's, and the nearest training notes shifted."""
        sounds, rows = self.sounds, self.rows
        fixed: dict[str, Producer] = {
            "real": lambda part: [sounds.real(rows[at].real) for at in part],
            "floor": lambda part: [sounds.real(rows[at].other) for at in part],
            "naive": lambda part: [sounds.shifted(rows[at].naive, self.wanted[at]) for at in part],
        }
        # The floor's notes keep their own lengths, whose distribution is that of the real ones.
        return {k: self.meter.matched(make, k, keep=True, fit=k != "floor") for k, make in fixed.items()}

    @cached_property
    def known(self) -> np.ndarray:
        """The training notes in the eye's embedding, (reference, dim)."""
        recordings = [partial(self.sounds.real, int(index)) for index in self.reference]
        measured = self.meter.free(recordings, "training notes", keep=True, embeddings=self.meter.embeddings[:1])
        return measured.features[self.eye]

    def table(self, sets: Mapping[str, Measured]) -> dict[str, dict[str, Any]]:
        """Every set's figures against sets["real"], by name; "floor" and "naive" must be among them. `margins`
        holds half the widths of 95 % intervals."""
        table = {name: self._row(part, sets) for name, part in sets.items()}
        answering = {name: part.features for name, part in sets.items() if part.answers}
        with self.meter.bar("intervals"):
            again = redrawn_distances(answering, self.meter.threads)
        for name, margins in distance_margins(again).items():
            table[name]["margins"] |= margins
        for embedding, key in product([one.name for one in self.meter.embeddings], DISTANCES):
            if not has_scale(again[f"{embedding} {'fad' if key == 'fad' else 'kernel'}"]):
                for row in table.values():
                    row[embedding][f"{key}_normalised"] = float("nan")
        return table

    def _row(self, part: Measured, sets: Mapping[str, Measured]) -> dict[str, Any]:
        """One set's figures against the real notes."""
        row: dict[str, Any] = {"notes": len(part.features[self.eye]), "broken": part.broken, "margins": {}}
        row |= self.distances(part, sets)
        self._add_neighbours(row, part, sets["real"])
        bins = binned(part.features[self.eye], sets["real"].features[self.eye])
        row["ndb"], row["margins"]["ndb"] = ndb(*bins), bins_margin(*bins)
        if part.answers:
            self._add_answers(row, part, sets)
        return row

    @staticmethod
    def distances(part: Measured, sets: Mapping[str, Measured]) -> dict[str, dict[str, float]]:
        """The distances of one set to the real notes by embedding, also on the scale floor = 0, naive = 1."""
        real, floor, naive = (sets[name].features for name in FIXED)
        out: dict[str, dict[str, float]] = {name: {} for name in real}
        for name, key in product(real, DISTANCES):
            low, high, value = (DISTANCES[key](side[name], real[name]) for side in (floor, naive, part.features))
            # With few notes the floor may be above naive; then there is no scale.
            scaled = (value - low) / (high - low) if high > low and part is not sets["real"] else float("nan")
            out[name] |= {key: value, f"{key}_normalised": scaled}
        return out

    def _add_neighbours(self, row: dict[str, Any], part: Measured, real: Measured) -> None:
        """Precision, recall, density, coverage, and the distance to the training notes."""
        features = part.features[self.eye]
        four = prdc_by_row(real.features[self.eye], features)
        row["prdc"] = {key: float(values.mean()) for key, values in four.items()}
        row["margins"] |= {key: mean_margin(values) for key, values in four.items()}
        own, _ = nearest(real.features[self.eye], self.known)
        distance, _ = nearest(features, self.known)
        copied = distance < np.quantile(own, COPY_QUANTILE)
        row |= {"nearest": float(np.median(distance) / np.median(own)), "copies": float(copied.mean())}
        row["margins"] |= {"nearest": ratio_margin(distance, own), "copies": mean_margin(copied)}

    def _add_answers(self, row: dict[str, Any], part: Measured, sets: Mapping[str, Measured]) -> None:
        """Figures note by note: pitch, label, distance to the corresponding note, and variety within a label."""
        margins, eye = row["margins"], self.eye
        if self.meter.hears_pitch:
            others = self.prepared.pitch.numpy()[[row.other for row in self.rows]].astype(np.float64)
            wanted = others if part is sets["floor"] else self.wanted  # its notes have their own pitches
            row["pitch"] = pitch_score(part.pitch, wanted)
            margins |= pitch_margins(part.pitch, wanted)
        # The floor's notes differ but are of the same presets, so the labels are the same.
        taught = self.instrument[self.reference]
        right = [taught[nearest(x.features[eye], self.known)[1]] == self.labels for x in (part, sets["real"])]
        mine, real = (float(one.mean()) for one in right)
        row |= {"accuracy": mine, "share": mine / real if real else float("nan")}
        margins |= identity_margins(*right)
        row |= {"mel_db": float(np.mean(part.mel)), "spectral_db": float(np.mean(part.spectral))}
        margins |= {"mel_db": mean_margin(part.mel), "spectral_db": mean_margin(part.spectral)}
        ratios = self._spreads(part) / self._spreads(sets["real"])
        row["diversity"] = float(ratios.mean()) if len(ratios) else float("nan")
        margins["diversity"] = mean_margin(ratios)

    def _spreads(self, part: Measured) -> np.ndarray:
        """Mean distance between two notes of a label, for every label with enough."""
        groups = [self.labels == label for label in np.unique(self.labels)]
        features = part.features[self.eye]
        return np.array([spread(features[mine]) for mine in groups if mine.sum() >= CROWD])

    def between(self, player: Renderer, label: str = "") -> tuple[dict[str, float], dict[str, float]]:
        """Pitch between the keys: some of the rows requested half a semitone up. -> the figures and their margins"""
        chosen = np.unique(np.linspace(0, len(self.rows) - 1, min(BETWEEN, len(self.rows))).astype(int))
        measured: list[float] = []
        with self.meter.bar(label) as advance:
            for start in range(0, len(chosen), CHUNK):
                played = player(chosen[start : start + CHUNK].tolist(), raised=0.5)
                measured += [track_pitch(np.nan_to_num(sound)) for sound in played]
                advance(len(measured), len(chosen))
        heard, wanted = np.array(measured), self.wanted[chosen] + 0.5
        return pitch_score(heard, wanted), pitch_margins(heard, wanted)

    def by_label(self, sets: Mapping[str, Measured], names: Sequence[str]) -> dict[str, dict[str, float]]:
        """By instrument: notes, 1-NN accuracy and pitch of the real notes and of `names`, and distances in dB of naive
        and of `names`."""
        taught = self.instrument[self.reference]
        table: dict[str, dict[str, float]] = {}
        for label in np.unique(self.labels):
            mine = self.labels == label
            row: dict[str, float] = {"notes": int(mine.sum())}
            for name in ("real", *names):
                features = sets[name].features[self.eye][mine]
                row[f"accuracy_{name}"] = label_accuracy(features, self.labels[mine], self.known, taught)
                if self.meter.hears_pitch:
                    row[f"within_50_{name}"] = pitch_score(sets[name].pitch[mine], self.wanted[mine])["within_50"]
            row |= {f"mel_db_{name}": float(sets[name].mel[mine].mean()) for name in ("naive", *names)}
            table[self.sounds.instruments[int(label)]] = row
        return table
