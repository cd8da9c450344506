"""The sets of sounds that benchmarks/notes.py compares, and what is measured of each sound."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from embeddings import BATCH, Embedding
from notes_list import Row

from antiphon.data.prepared import Prepared
from antiphon.measures.mel import fit_length, mel_distance, trim_tail
from antiphon.measures.pitch import track_pitch
from antiphon.notes import Note
from antiphon.workers import spread

SAMPLE_RATE = 44_100
LIMIT = 4 * SAMPLE_RATE  # samples: longer notes are compared by their first 4 s
CHUNK = 64  # notes in memory at a time

Producer = Callable[[Sequence[int]], Sequence[np.ndarray]]
_Chunk = tuple[list[np.ndarray], list[np.ndarray], int]  # sounds, the real ones they answer to, how many were broken


@dataclass
class Measured:
    """What is kept of a set of n sounds: embeddings by name (n, dim), MIDI pitch (n,), mel distance in dB (n,)."""

    features: dict[str, np.ndarray]
    pitch: np.ndarray
    mel: np.ndarray
    broken: int = 0  # sounds with a sample that is not finite


class Sounds:
    """Real, shifted and generated sounds for given rows, each (samples,) float32 at 44.1 kHz."""

    def __init__(self, prepared: Prepared, rows: Sequence[Row]) -> None:
        self.prepared, self.rows = prepared, list(rows)
        labels = prepared.labels
        self.instruments, self.styles = labels.instruments, labels.styles

    def real(self, index: int) -> np.ndarray:
        """A recording, its first 4 s, cut at -60 dB."""
        return trim_tail(self.prepared.audio(index, 0, min(self.prepared.samples(index), LIMIT)))

    def shifted(self, index: int, pitch: float) -> np.ndarray:
        """A recording resampled to another MIDI pitch: what a sampler does, length and formants move along."""
        audio = self.prepared.audio(index, 0, min(self.prepared.samples(index), 4 * LIMIT))
        ratio = 2 ** ((pitch - float(self.prepared.pitch[index])) / 12)
        return soxr.resample(audio, SAMPLE_RATE * ratio, SAMPLE_RATE) if abs(ratio - 1) > 1e-4 else audio

    def note(self, index: int, *, seed: int = 0, raised: float = 0.0) -> Note:
        """The note a voice is asked for in the place of real note `index`: same pitch, hold, velocity, labels."""
        prepared = self.prepared
        hold = int(prepared.hold[index])
        held = (hold if hold >= 0 else prepared.samples(index)) / SAMPLE_RATE
        style = prepared.style[index].numpy()
        return Note(
            pitch=float(prepared.pitch[index]) + raised,
            seconds=min(held, LIMIT / SAMPLE_RATE + 0.2),
            velocity=float(prepared.velocity[index]),
            instrument=self.instruments[int(prepared.instrument[index])],
            style=tuple(name for name, on in zip(self.styles, style, strict=True) if on),
            seed=seed,
        )


class Meter:
    """Measures sets of sounds chunk by chunk; what is measured of real sounds is cached by content.

    threads: pieces of a chunk measured at once; as many as there are processors, if None.
    """

    def __init__(
        self, sounds: Sounds, embeddings: Sequence[Embedding], cache: Path, threads: int | None = None
    ) -> None:
        self.sounds, self.embeddings, self.cache = sounds, embeddings, cache / "features"
        self.threads = threads

    def matched(self, produce: Producer, *, keep: bool = False, fit: bool = True) -> Measured:
        """Measure one sound for each row, cut at -60 dB and, if `fit`, cut or padded to its real note's length.

        produce: positions of rows to their sounds, a chunk at a time.
        """
        return self._gather(self._chunks(produce, fit), keep)

    def _chunks(self, produce: Producer, fit: bool) -> Iterable[_Chunk]:
        rows = self.sounds.rows
        for start in range(0, len(rows), CHUNK):
            part = range(start, min(start + CHUNK, len(rows)))
            targets = [self.sounds.real(rows[at].real) for at in part]
            raw = [np.asarray(sound, np.float32) for sound in produce(part)]
            broken = sum(not np.isfinite(sound).all() for sound in raw)
            clean = [trim_tail(np.nan_to_num(sound)) for sound in raw]
            pairs = zip(clean, targets, strict=True)
            yield [fit_length(sound, len(target)) for sound, target in pairs] if fit else clean, targets, broken

    def free(self, produced: Iterable[np.ndarray], *, keep: bool = False) -> Measured:
        """Measure sounds that answer to no real one: the first embedding only."""
        return self._gather(self._free_chunks(produced), keep)

    @staticmethod
    def _free_chunks(produced: Iterable[np.ndarray]) -> Iterable[_Chunk]:
        chunk: list[np.ndarray] = []
        for sound in produced:
            chunk.append(trim_tail(np.nan_to_num(np.asarray(sound, np.float32)[:LIMIT])))
            if len(chunk) == CHUNK:
                yield chunk, [], 0
                chunk = []
        if chunk:
            yield chunk, [], 0

    def _gather(self, chunks: Iterable[_Chunk], keep: bool) -> Measured:
        parts, broken = [], 0
        for sounds, targets, bad in chunks:
            parts.append(self._cached(sounds, targets) if keep else self._measure(sounds, targets))
            broken += bad
        joined: dict[str, np.ndarray] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        pitch, mel = joined.pop("_pitch"), joined.pop("_mel_db")
        return Measured(joined, pitch, mel, broken)

    def _measure(self, sounds: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        pieces = [slice(at, at + BATCH) for at in range(0, len(sounds), BATCH)]
        parts = spread(lambda k: self._measure_piece(sounds[pieces[k]], targets[pieces[k]]), len(pieces), self.threads)
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _measure_piece(self, sounds: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        out = {embedding.name: embedding(sounds) for embedding in self.embeddings[: None if targets else 1]}
        out["_pitch"] = np.array([track_pitch(sound) for sound in sounds] if targets else [])
        out["_mel_db"] = np.array([mel_distance(a, b) for a, b in zip(sounds, targets, strict=False)])
        return out

    def _cached(self, sounds: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        digest = hashlib.blake2b(" ".join(e.name for e in self.embeddings).encode(), digest_size=16)
        for sound in [*sounds, *targets]:
            digest.update(np.int64(len(sound)).tobytes() + np.ascontiguousarray(sound).tobytes())
        path = self.cache / f"{digest.hexdigest()}.npz"
        if path.exists():
            with np.load(path) as stored:
                return dict(stored)
        out = self._measure(sounds, targets)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(path.name + ".part.npz")
        np.savez(scratch, **out)  # type: ignore[arg-type]
        scratch.replace(path)
        return out


class LabelGaussians:
    """A plain Gaussian per instrument, fitted on style vectors: what the mapping network has to beat."""

    def __init__(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        """vectors: (n, dim) style vectors; labels: (n,) instrument indices."""
        self.vectors, self.labels = np.asarray(vectors, np.float64), np.asarray(labels)

    def draw(self, label: int, seed: int) -> np.ndarray:
        """One style vector (dim,) float32 of the label's Gaussian; the whole cloud's where it has fewer than 2."""
        own = self.vectors[self.labels == label]
        cloud = own if len(own) > 1 else self.vectors
        centred = cloud - cloud.mean(0)
        # Weighting the centred rows by white noise has exactly the sample covariance, and needs no factorisation.
        noise = np.random.default_rng(seed).standard_normal(len(cloud)) / np.sqrt(len(cloud) - 1)
        return (cloud.mean(0) + noise @ centred).astype(np.float32)


def encode_notes(voice: Any, sounds: Sounds, indices: Sequence[int]) -> np.ndarray:
    """Style vectors (n, dim) of recordings, in chunks."""
    parts = []
    for start in range(0, len(indices), CHUNK):
        part = [int(index) for index in indices[start : start + CHUNK]]
        pitches = [float(sounds.prepared.pitch[index]) for index in part]
        holds = [hold / SAMPLE_RATE if hold >= 0 else None for hold in sounds.prepared.hold[part].tolist()]
        parts.append(np.asarray(voice.encode([sounds.real(index) for index in part], pitches, holds), np.float32))
    return np.concatenate(parts)
