"""The figures of benchmarks/notes.py: each row of its tables is a set of sounds, one for each real note of the list."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from note_sets import CHUNK, LabelGaussians, Measured, Meter, Producer, encode_notes
from notes_report import console
from variety import variety

from antiphon.measures.frechet import frechet_distance
from antiphon.measures.kernel import kernel_distance, kid
from antiphon.measures.neighbours import label_accuracy, nearest
from antiphon.measures.pitch import pitch_score, track_pitch
from antiphon.measures.prdc import prdc

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
        sounds, rows, meter = self.sounds, self.rows, self.meter
        fixed: dict[str, Producer] = {
            "real": lambda part: [sounds.real(rows[at].real) for at in part],
            "floor": lambda part: [sounds.real(rows[at].other) for at in part],
            "naive": lambda part: [sounds.shifted(rows[at].naive, self.wanted[at]) for at in part],
        }
        # The floor's notes keep their own lengths, which are distributed as the real ones' are.
        sets = {
            k: self._timed(k, lambda k=k, make=make: meter.matched(make, keep=True, fit=k != "floor"))
            for k, make in fixed.items()
        }
        known = self._timed("reference", lambda: meter.free(map(sounds.real, map(int, self.reference)), keep=True))
        made, gaussians = self._timed("encoding", lambda: self._producers(voice))
        sets |= {k: self._timed(k, lambda make=make: meter.matched(make)) for k, make in made.items()}
        table = {name: self._row(part, sets, known) for name, part in sets.items()}
        self._between(made, table)
        labels = self._by_label(sets, known)
        spread = self._timed("variety", lambda: variety(voice, gaussians, sounds, meter.embeddings[0]))
        return {"rows": table, "labels": labels, "variety": spread}

    def _producers(self, voice: Any) -> tuple[dict[str, Producer], LabelGaussians]:
        """What makes each row's sound for the table's generated rows, and the Gaussians fitted on encoded notes."""
        rows = self.rows
        encoded = encode_notes(voice, self.sounds, [row.source for row in rows])
        gaussians = LabelGaussians(
            encode_notes(voice, self.sounds, list(self.reference)), self.instrument[self.reference]
        )
        labels = self.instrument[self.reals]
        drawn = np.stack([gaussians.draw(int(label), row.seed) for label, row in zip(labels, rows, strict=True)])
        made = {"encoded": self._play(voice, encoded), "imagined": self._play(voice, None)}
        made["gaussian"] = self._play(voice, drawn)
        fresh = untrained(voice)
        if fresh is not None:
            made["untrained"] = self._play(fresh, None)
        return made, gaussians

    def _play(self, voice: Any, vectors: np.ndarray | None) -> Producer:
        """Rows played by a voice from given style vectors (n, dim), or from its own imagination."""

        def produce(part: Sequence[int], raised: float = 0.0) -> Sequence[np.ndarray]:
            rows = [self.rows[at] for at in part]
            notes = [self.sounds.note(row.real, seed=row.seed, raised=raised) for row in rows]
            return voice.notes(notes) if vectors is None else voice.notes(notes, w=vectors[list(part)])

        return produce

    def _row(self, part: Measured, sets: dict[str, Measured], known: Measured) -> dict[str, Any]:
        """One set's figures against the real notes; distances also on the scale floor = 0, naive = 1."""
        real, floor, naive = (sets[name].features for name in ("real", "floor", "naive"))
        others = self.prepared.pitch.numpy()[[row.other for row in self.rows]]
        wanted = others if part is sets["floor"] else self.wanted
        row: dict[str, Any] = {"broken": part.broken, "pitch": pitch_score(part.pitch, wanted)}
        for name in real:
            row[name] = {}
            for key, measure in (("fad", frechet_distance), ("kernel", kernel_distance), ("kid", kid)):
                low, high = (measure(side[name], real[name]) for side in (floor, naive))
                value = measure(part.features[name], real[name])
                # Few notes may put the floor above naive; then there is no scale to speak of.
                scaled = (value - low) / (high - low) if high > low and part is not sets["real"] else float("nan")
                row[name] |= {key: value, f"{key}_normalised": scaled}
        eye, labels = self.eye, self.instrument
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
