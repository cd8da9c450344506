"""Which notes a voice is judged on: a function of the prepared file's tables and a seed, which can be saved as JSON.

A row names a real note that was never trained on, a second real note as near to it as possible (the floor), a note to
take the style from, the training note a sampler would pitch-shift, and a seed. The same holds for one-shots, with
another drum of the label in place of another note of the preset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.row import EXTRA
from antiphon.data.prepared import Prepared

HELD_OUT = ("block", "preset", "valid")  # splits never trained on, the hardest first
FEWEST = 8  # rows needed to judge
MIN_SECONDS = 0.25  # shortest note to take a style from


@dataclass(frozen=True)
class Row:
    """Indices into the prepared file, and the seed of the note imagined in place of the real one."""

    real: int
    other: int  # the floor: another real note, as near as possible
    source: int  # its style is encoded
    naive: int  # the training note that is shifted to the real one's pitch
    seed: int


def fingerprint(prepared: Prepared) -> str:
    """A hash of the notes; equal for equal prepared files wherever they are."""
    digest = hashlib.blake2b(digest_size=12)
    for name in ("pitch", "velocity", "hold", "start", "preset", "instrument", "split"):
        digest.update(np.ascontiguousarray(getattr(prepared, name).numpy()).tobytes())
    return digest.hexdigest()


def kinds(prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """What each note belongs to and the kind of that, (N,) each: itself and a preset; for one-shots, since strokes of a
    drum are nearly the same sound, a drum and a label."""
    preset = prepared.preset.numpy()
    return (preset, prepared.instrument.numpy()) if prepared.labels.one_shots else (np.arange(len(preset)), preset)


def draw_rows(prepared: Prepared, *, split: str = "block", n: int = 2_000, seed: int = 1) -> list[Row]:
    """Up to `n` rows from `split` ("block": octave blocks held out, with their extra notes, "preset": presets held
    out, "valid": single notes held out, "train": half of the training notes), presets in turn.

    Notes are paired with their neighbours in pitch, and one of a pair serves as the other's floor: no note is used
    twice. For one-shots, a stroke of a drum is paired with one of another drum of its label, whose style is encoded
    too. Raises AntiphonError if there are fewer than 8 rows.
    """
    rng = np.random.default_rng(seed)
    pairs = _in_turn(_pairs(prepared, split, rng), n)
    if len(pairs) < FEWEST:
        raise AntiphonError(f"{prepared.path} has too few {_what_is_missing(prepared, split, len(pairs))}")
    taught = training_notes(prepared, [note for pair in pairs for note in pair])
    _, kind = kinds(prepared)
    known = np.isin(kind, kind[taught])  # not where whole presets are held out
    rows = []
    for real, other in pairs:
        source = _source(prepared, real, other, taught if known[real] else None, rng)
        naive = nearest_note(prepared, real, taught) if known[real] else source
        rows.append(Row(real, other, source, naive, int(rng.integers(1 << 31))))
    return rows


def _what_is_missing(prepared: Prepared, split: str, pairs: int) -> str:
    """What is too scarce to judge by, and what to do about it."""
    what, alike = ("hits", "of a name") if prepared.labels.one_shots else ("notes", "of a preset")
    found = f"{what} to judge by in its split {split!r}: {pairs} pairs {alike}, and {FEWEST} are needed"
    if split == "train":
        return f"{found} besides as many to learn from: add more {what} {alike}"
    return f"{found}: hold more out, or judge by training notes (--split train)"


def choose_split(prepared: Prepared) -> str:
    """The split to judge a voice on: the hardest one that is held out and large enough, else "train"."""
    for split in HELD_OUT:
        if sum(len(pairs) for pairs in _pairs(prepared, split, np.random.default_rng(0))) >= FEWEST:
            return split
    return "train"


def training_notes(prepared: Prepared, judged: Sequence[int]) -> np.ndarray:
    """Indices of the training notes, without those that are judged and without all strokes of a judged drum."""
    notes, (own, _) = prepared.where("train").numpy(), kinds(prepared)
    return notes[~np.isin(own[notes], own[np.asarray(judged, int)])]


def _pairs(prepared: Prepared, split: str, rng: np.random.Generator) -> list[list[tuple[int, int]]]:
    """For each kind of a split, its notes in pairs of neighbours in pitch, shuffled. Of the training notes, half the
    pairs are left to learn from; kinds without a note to learn from are left out (unless whole kinds are held out)."""
    pool = prepared.where(split).numpy()
    if split == "block":
        pool = np.concatenate([pool, prepared.where(EXTRA).numpy()])
    train = prepared.where("train").numpy()
    (own, kind), pitch = kinds(prepared), prepared.pitch.numpy()
    if split != "train":
        pool = pool[~np.isin(own[pool], own[train])]  # a drum is held out only with all its strokes
    if split != "preset":
        pool = pool[np.isin(kind[pool], kind[train])]
    queues = []
    for name in np.unique(kind[pool]):
        notes = pool[kind[pool] == name]
        notes = notes[np.lexsort((rng.random(len(notes)), pitch[notes]))]
        notes = notes[np.sort(np.unique(own[notes], return_index=True)[1])]  # one stroke of each drum
        pairs = [rng.permutation(notes[at : at + 2]) for at in range(0, len(notes) - 1, 2)]
        rng.shuffle(pairs)
        kept = pairs[: len(pairs) // 2] if split == "train" else pairs
        queues.append([(int(real), int(other)) for real, other in kept])
    return queues


def _in_turn(queues: list[list[tuple[int, int]]], n: int) -> list[tuple[int, int]]:
    """The first of every queue, then the second and so on, at most `n`."""
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)][:n]


def _source(prepared: Prepared, real: int, other: int, taught: np.ndarray | None, rng: np.random.Generator) -> int:
    """Another note of the same preset: one that was trained on or, if the whole preset is held out, any third one; the
    `other` one if there is none, as with drums."""
    same = prepared.preset.numpy() == int(prepared.preset[real])
    if taught is not None:
        same &= np.isin(np.arange(len(prepared)), taught)
    same[[real, other]] = False
    long = same & (np.diff(prepared.start.numpy()) >= MIN_SECONDS * SAMPLE_RATE)
    choices = np.flatnonzero(long if long.any() else same)
    return int(rng.choice(choices)) if len(choices) else other


def nearest_note(prepared: Prepared, note: int, candidates: np.ndarray) -> int:
    """The candidate of the note's kind a sampler would take: nearest in pitch, then long enough, then in velocity."""
    _, kind = kinds(prepared)
    candidates = candidates[kind[candidates] == kind[note]]
    length = np.diff(prepared.start.numpy())
    above = prepared.pitch.numpy()[candidates] - float(prepared.pitch[note])
    short = length[candidates] * 2.0 ** (above / 12) < 0.9 * length[note]  # once it is shifted
    velocity = np.abs(prepared.velocity.numpy()[candidates] - float(prepared.velocity[note]))
    return int(candidates[np.lexsort((velocity, short, np.abs(above)))[0]])


def draw_reference(prepared: Prepared, *, n: int = 4_000, seed: int = 1, judged: Sequence[int] = ()) -> np.ndarray:
    """Indices of about `n` training notes, evenly over presets: the 1-NN classifier's reference. Every preset takes
    part; the notes that are judged do not."""
    rng = np.random.default_rng(seed)
    pool = rng.permutation(training_notes(prepared, judged))
    if not len(pool):
        raise AntiphonError(f"{prepared.path} has no training notes to compare with: all its notes are held out")
    preset = prepared.preset.numpy()[pool]
    # Each note's rank within its preset; the first n ranks are spread over presets as evenly as possible.
    order = np.argsort(preset, kind="stable")
    turns = np.empty(len(pool), np.int64)
    turns[order] = np.arange(len(pool)) - np.searchsorted(preset[order], preset[order])
    return np.sort(pool[np.argsort(turns, kind="stable")[:n]])


def save_rows(path: Path, prepared: Prepared, rows: list[Row], split: str) -> None:
    """Save a list as JSON, one row per line."""
    lines = ",\n".join(json.dumps(astuple(row)) for row in rows)
    head = json.dumps({"fingerprint": fingerprint(prepared), "split": split, "columns": list(Row.__annotations__)})
    path.write_text(f'{head[:-1]}, "rows": [\n{lines}\n]}}\n')


def load_rows(path: Path, prepared: Prepared, split: str) -> list[Row]:
    """Read a saved list. Raises AntiphonError if it was made for other notes or another split."""
    body = json.loads(path.read_text())
    if body["fingerprint"] != fingerprint(prepared) or body["split"] != split:
        raise AntiphonError(f"{path} lists the notes of another prepared file or split: draw a new list with --freeze")
    return [Row(*row) for row in body["rows"]]
