"""The figures of benchmarks/notes.py: each row of its tables is a set of sounds, one for each real note of the list."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from margins import distance_margins, identity_margins, pitch_margins
from note_sets import CHUNK, LabelGaussians, Measured, Meter, Producer, encode_notes
from notes_report import console
from variety import variety

from antiphon.measures.frechet import frechet_distance
from antiphon.measures.kernel import kernel_distance, kid
from antiphon.measures.neighbours import label_accuracy, nearest
from antiphon.measures.pitch import pitch_score, track_pitch
from antiphon.measures.prdc import prdc

DISTANCES = {"fad": frechet_distance, "kernel": kernel_distance, "kid": kid}
BETWEEN = 300  # notes asked for half a semitone up
COPY_QUANTILE = 0.01  # nearer to a training note than this share of unseen real notes: a copy


def untrained(voice: Any, *, seed: int = 0) -> Any:
    """The same voice before its first step: the same networks with fresh weights. None where there is no network."""
    if hasattr(voice, "untrained"):
        return voice.untrained()
    if not hasattr(voice, "model"):
        return None
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return type(voice)(type(voice.model)(voice.model.config, voice.model.labels), voice.info)


class Judge:
    """Measures the real notes once, then a voice's sets beside them.

    meter: knows the rows and the embeddings, whose first one is `eye`. reference: indices of training notes.
    """

    def __init__(self, meter: Meter, reference: np.ndarray) -> None:
        self.meter, self.reference = meter, reference
        self.sounds, self.rows = meter.sounds, meter.sounds.rows
        self.prepared = self.sounds.prepared
        self.eye = meter.embeddings[0].name
        self.reals = np.array([row.real for row in self.rows])
        self.wanted = self.prepared.pitch.numpy()[self.reals].astype(np.float64)
        self.instrument = self.prepared.instrument.numpy()
        self.timings: dict[str, float] = {}

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        self.timings[name] = round(time.perf_counter() - began, 1)
        console.print(f"[dim]{name}: {self.timings[name]:.1f} s[/dim]")
        return result

    def figures(self, voice: Any) -> dict[str, Any]:
        """All figures: `rows` by name, `labels` (accuracy by instrument), `variety`."""
        sets = self.fixed_sets()
        known = self._timed(
            "reference", lambda: self.meter.free(map(self.sounds.real, map(int, self.reference)), keep=True)
        )
        made = self._timed("encoding", lambda: self.producers(voice))
        gaussians, made["gaussian"] = self._timed("gaussians", lambda: self._gaussian_producer(voice))
        fresh = untrained(voice)
        if fresh is not None:
            made["untrained"] = self._play(fresh, None)
        sets |= {k: self._timed(k, lambda make=make: self.meter.matched(make)) for k, make in made.items()}
        table = {name: self._row(part, sets, known) for name, part in sets.items()}
        self._timed("margins", lambda: self._add_margins(table, sets, known))
        self._between(made, table)
        labels = self._by_label(sets, known)
        spread = self._timed("variety", lambda: variety(voice, gaussians, self.sounds, self.meter.embeddings[0]))
        return {"rows": table, "labels": labels, "variety": spread}

    def fixed_sets(self) -> dict[str, Measured]:
        """What does not depend on a voice: the real notes, the floor's, and the nearest training notes shifted."""
        sounds, rows, meter = self.sounds, self.rows, self.meter
        fixed: dict[str, Producer] = {
            "real": lambda part: [sounds.real(rows[at].real) for at in part],
            "floor": lambda part: [sounds.real(rows[at].other) for at in part],
            "naive": lambda part: [sounds.shifted(rows[at].naive, self.wanted[at]) for at in part],
        }
        # The floor's notes keep their own lengths, which are distributed as the real ones' are.
        return {
            k: self._timed(k, lambda k=k, make=make: meter.matched(make, keep=True, fit=k != "floor"))
            for k, make in fixed.items()
        }

    def producers(self, voice: Any) -> dict[str, Producer]:
        """What makes each row's sound: from another note of its preset, encoded, and from noise and label alone."""
        encoded = encode_notes(voice, self.sounds, [row.source for row in self.rows])
        return {"encoded": self._play(voice, encoded), "imagined": self._play(voice, None)}

    def _gaussian_producer(self, voice: Any) -> tuple[LabelGaussians, Producer]:
        """Gaussians fitted on encoded notes, and what makes each row's sound from them."""
        known = encode_notes(voice, self.sounds, list(self.reference))
        gaussians = LabelGaussians(known, self.instrument[self.reference])
        labels = self.instrument[self.reals]
        drawn = [gaussians.draw(int(label), row.seed) for label, row in zip(labels, self.rows, strict=True)]
        return gaussians, self._play(voice, np.stack(drawn))

    def _play(self, voice: Any, vectors: np.ndarray | None) -> Producer:
        """Rows played by a voice from given style vectors (n, dim), or from its own imagination."""

        def produce(part: Sequence[int], raised: float = 0.0) -> Sequence[np.ndarray]:
            rows = [self.rows[at] for at in part]
            notes = [self.sounds.note(row.real, seed=row.seed, raised=raised) for row in rows]
            return voice.notes(notes) if vectors is None else voice.notes(notes, w=vectors[list(part)])

        return produce

    def _row(self, part: Measured, sets: dict[str, Measured], known: Measured) -> dict[str, Any]:
        """One set's figures against the real notes."""
        others = self.prepared.pitch.numpy()[[row.other for row in self.rows]]
        wanted = others if part is sets["floor"] else self.wanted
        row: dict[str, Any] = {"broken": part.broken, "pitch": pitch_score(part.pitch, wanted)}
        row |= self.distances(part, sets)
        eye, labels, real = self.eye, self.instrument, sets["real"].features
        row["prdc"] = prdc(real[eye], part.features[eye])
        reference = known.features[eye], labels[self.reference]
        # The floor's notes are others, but of the same presets, pitch by pitch: the labels are the same.
        row["accuracy"] = label_accuracy(part.features[eye], labels[self.reals], *reference)
        own, _ = nearest(real[eye], known.features[eye])
        distance, _ = nearest(part.features[eye], known.features[eye])
        row["nearest"] = float(np.median(distance) / np.median(own))
        row["copies"] = float((distance < np.quantile(own, COPY_QUANTILE)).mean())
        row["mel_db"] = float(np.mean(part.mel))
        return row

    @staticmethod
    def distances(part: Measured, sets: dict[str, Measured]) -> dict[str, dict[str, float]]:
        """By embedding, the distances of one set to the real notes, also on the scale floor = 0, naive = 1."""
        real, floor, naive = (sets[name].features for name in ("real", "floor", "naive"))
        out: dict[str, dict[str, float]] = {name: {} for name in real}
        for name, key in product(real, DISTANCES):
            low, high, value = (DISTANCES[key](side[name], real[name]) for side in (floor, naive, part.features))
            # Few notes may put the floor above naive; then there is no scale to speak of.
            scaled = (value - low) / (high - low) if high > low and part is not sets["real"] else float("nan")
            out[name] |= {key: value, f"{key}_normalised": scaled}
        return out

    def _add_margins(self, table: dict[str, Any], sets: dict[str, Measured], known: Measured) -> None:
        """95 % margins of identity, pitch and the normalised Fréchet distance, under `margins` of each row."""
        right = {}
        for name, part in sets.items():
            _, index = nearest(part.features[self.eye], known.features[self.eye])
            right[name] = self.instrument[self.reference][index] == self.instrument[self.reals]
        for name, part in sets.items():
            own = identity_margins(right[name], right["real"])
            if name != "floor":  # its notes have pitches of their own
                own |= pitch_margins(part.pitch, self.wanted)
            table[name]["margins"] = own
        made = {name: part.features for name, part in sets.items() if name not in ("real", "floor", "naive")}
        corners = tuple(sets[name].features for name in ("real", "floor", "naive"))
        for name, margins in distance_margins(made, corners, self.meter.threads).items():
            table[name]["margins"] |= margins

    def _between(self, made: dict[str, Producer], table: dict[str, dict[str, Any]]) -> None:
        """Pitch between the keys: some of the rows asked for half a semitone up."""
        chosen = np.unique(np.linspace(0, len(self.rows) - 1, min(BETWEEN, len(self.rows))).astype(int))
        for name in ("encoded", "imagined"):
            measured = []
            for start in range(0, len(chosen), CHUNK):
                played = made[name](chosen[start : start + CHUNK].tolist(), raised=0.5)  # type: ignore[call-arg]
                measured += [track_pitch(np.nan_to_num(sound)) for sound in played]
            table[name]["between"] = pitch_score(np.array(measured), self.wanted[chosen] + 0.5)

    def _by_label(self, sets: dict[str, Measured], known: Measured) -> dict[str, dict[str, float]]:
        """By instrument: notes, 1-NN accuracy and pitch of real, encoded and imagined, mel distance of encoded."""
        labels, taught = self.instrument[self.reals], self.instrument[self.reference]
        table: dict[str, dict[str, float]] = {}
        for label in np.unique(labels):
            mine = labels == label
            row: dict[str, float] = {"notes": int(mine.sum())}
            for name in ("real", "encoded", "imagined"):
                features = sets[name].features[self.eye][mine]
                row[f"accuracy_{name}"] = label_accuracy(features, labels[mine], known.features[self.eye], taught)
                row[f"within_50_{name}"] = pitch_score(sets[name].pitch[mine], self.wanted[mine])["within_50"]
            row |= {f"mel_db_{name}": float(sets[name].mel[mine].mean()) for name in ("naive", "encoded")}
            table[self.sounds.instruments[int(label)]] = row
        return table
