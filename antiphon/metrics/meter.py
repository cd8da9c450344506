"""Measurements of each sound of a set: its embeddings, its pitch, and its distance to the corresponding note."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antiphon.audio.mel import cut_tail, fit_length, mel_distance
from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.core.parallel import parallel_map
from antiphon.data.analysis.tracker import can_track, track_pitch
from antiphon.metrics.embeddings import Embedding
from antiphon.metrics.networks.batching import BATCH
from antiphon.metrics.sounds import LIMIT, Sounds
from antiphon.metrics.spectral import log_spectral_distance

CHUNK = 64  # notes in memory at a time
FORMAT = 2  # version of the cache

Producer = Callable[[Sequence[int]], Sequence[np.ndarray]]  # positions of rows to one sound each
Advance = Callable[[int, int], None]  # (done, total)
Bar = Callable[[str], AbstractContextManager[Advance]]  # shows the progress of a named piece of work
_Chunk = tuple[list[np.ndarray], list[np.ndarray], int]  # sounds, the corresponding real ones, how many were broken


@contextmanager
def no_bar(label: str) -> Iterator[Advance]:
    """Shows nothing."""
    yield lambda done, total: None


@dataclass
class Measured:
    """Measurements of a set of n sounds: embeddings by name (n, dim), MIDI pitch (n,), mel and log-spectral distance
    in dB (n,). Sounds without a corresponding note have features only; pitch needs a tracker."""

    features: dict[str, np.ndarray]
    pitch: np.ndarray
    mel: np.ndarray
    spectral: np.ndarray
    broken: int = 0  # sounds with a sample that is not finite

    @property
    def answers(self) -> bool:
        """Whether sound k corresponds to row k."""
        return len(self.mel) > 0


class Meter:
    """Measures sets of sounds chunk by chunk; measurements of real sounds are cached by content.

    threads: pieces of a chunk measured at once (default: as many as there are processors). bar: shows progress.
    """

    def __init__(
        self,
        sounds: Sounds,
        embeddings: Sequence[Embedding],
        cache: Path,
        threads: int | None = None,
        bar: Bar = no_bar,
    ) -> None:
        self.sounds, self.embeddings, self.cache = sounds, list(embeddings), cache / "features"
        self.threads, self.bar = threads, bar
        self.hears_pitch = can_track() and sounds.prepared.labels.pitched

    def matched(self, produce: Producer, label: str = "", *, keep: bool = False, fit: bool = True) -> Measured:
        """Measure one sound for each row, cut at -60 dB and, if `fit`, cut or padded to its real note's length.

        produce: positions of rows to their sounds, a chunk at a time. keep: cache the measurements.
        """
        return self._gather(self._chunks(produce, fit), self.embeddings, len(self.sounds.rows), label, keep)

    def _chunks(self, produce: Producer, fit: bool) -> Iterable[_Chunk]:
        rows = self.sounds.rows
        for start in range(0, len(rows), CHUNK):
            part = range(start, min(start + CHUNK, len(rows)))
            targets = [self.sounds.real(rows[at].real) for at in part]
            raw = [np.asarray(sound, np.float32) for sound in produce(part)]
            broken = sum(not np.isfinite(sound).all() for sound in raw)
            clean = [cut_tail(np.nan_to_num(sound)) for sound in raw]
            pairs = zip(clean, targets, strict=True)
            yield [fit_length(sound, len(target)) for sound, target in pairs] if fit else clean, targets, broken

    def free(
        self,
        produced: Sequence[Callable[[], np.ndarray]],
        label: str = "",
        *,
        keep: bool = False,
        embeddings: list[Embedding] | None = None,
    ) -> Measured:
        """Measure sounds without corresponding notes: their features, in all embeddings unless some are given."""
        return self._gather(self._free_chunks(produced), embeddings or self.embeddings, len(produced), label, keep)

    @staticmethod
    def _free_chunks(produced: Sequence[Callable[[], np.ndarray]]) -> Iterable[_Chunk]:
        for start in range(0, len(produced), CHUNK):
            sounds = [np.asarray(make(), np.float32)[:LIMIT] for make in produced[start : start + CHUNK]]
            broken = sum(not np.isfinite(sound).all() for sound in sounds)
            yield [cut_tail(np.nan_to_num(sound)) for sound in sounds], [], broken

    def _gather(
        self, chunks: Iterable[_Chunk], embeddings: list[Embedding], total: int, label: str, keep: bool
    ) -> Measured:
        parts, broken, done = [], 0, 0
        with self.bar(label) as advance:
            for sounds, targets, bad in chunks:
                measure = self._cached if keep else self._measure
                parts.append(measure(sounds, targets, embeddings))
                broken, done = broken + bad, done + len(sounds)
                advance(done, total)
        joined: dict[str, np.ndarray] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        pitch, mel, spectral = (joined.pop(f"_{key}") for key in ("pitch", "mel_db", "spectral_db"))
        return Measured(joined, pitch, mel, spectral, broken)

    def _measure(
        self, sounds: Sequence[np.ndarray], targets: Sequence[np.ndarray], embeddings: list[Embedding]
    ) -> dict[str, np.ndarray]:
        def piece(k: int) -> dict[str, np.ndarray]:
            some = slice(k * BATCH, (k + 1) * BATCH)
            return self._measure_piece(sounds[some], targets[some], embeddings)

        parts = parallel_map(piece, -(-len(sounds) // BATCH), self.threads)
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _measure_piece(
        self, sounds: Sequence[np.ndarray], targets: Sequence[np.ndarray], embeddings: list[Embedding]
    ) -> dict[str, np.ndarray]:
        out = {embedding.name: embedding(sounds) for embedding in embeddings}
        out["_pitch"] = np.array([track_pitch(sound) for sound in sounds] if targets and self.hears_pitch else [])
        pairs = list(zip(sounds, targets, strict=False))
        out["_mel_db"] = np.array([mel_distance(a, b) for a, b in pairs])
        out["_spectral_db"] = np.array([log_spectral_distance(a, b) for a, b in pairs])
        return out

    def _cached(
        self, sounds: Sequence[np.ndarray], targets: Sequence[np.ndarray], embeddings: list[Embedding]
    ) -> dict[str, np.ndarray]:
        digest = hashlib.blake2b(f"{FORMAT} {self.hears_pitch} {[e.name for e in embeddings]}".encode(), digest_size=16)
        for sound in [*sounds, *targets]:
            digest.update(np.int64(len(sound)).tobytes() + np.ascontiguousarray(sound).tobytes())
        path = self.cache / f"{digest.hexdigest()}.npz"
        if path.exists():
            with np.load(path) as stored:
                return dict(stored)
        out = self._measure(sounds, targets, embeddings)
        with suppress(OSError, AntiphonError):  # kept for next time only
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as draft, draft.open("wb") as file:
                np.savez(file, **out)  # type: ignore[arg-type]
        return out
