"""Renders the notes of a list: with a voice, its untrained twin, a voice with other styles, or sounds of a folder.

All a voice needs is `notes`. Whatever else it has is used: `encode` (recordings to style vectors), `instruments` and
`styles` (labels it knows), `sample_rate`, `untrained(seed)` (itself before its first step). A vocoder has no `notes`
and resynthesises the real ones from log-mel.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from antiphon.audio.files import find_audio, read_audio
from antiphon.audio.ops import resample
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling import gm
from antiphon.data.labelling.resolve import resolve_instrument
from antiphon.metrics.gaussians import LabelGaussians
from antiphon.metrics.meter import CHUNK
from antiphon.metrics.sounds import LIMIT, Sounds
from antiphon.representations.contract import Representation
from antiphon.representations.log_mel import LogMelSpectrogram

SHORTEST = 3  # letters of a label that is looked for among another voice's


class Renderer:
    """Plays rows with a voice: a producer.

    vectors: (rows, dim) style vectors; without them the voice imagines them from each row's labels and seed.
    """

    def __init__(self, voice: Any, sounds: Sounds, vectors: np.ndarray | None = None) -> None:
        self.voice, self.sounds, self.vectors = voice, sounds, vectors

    def __call__(self, part: Sequence[int], raised: float = 0.0) -> list[np.ndarray]:
        """The sounds of some rows, each (samples,) at 44.1 kHz; `raised` by that many semitones."""
        rows = [self.sounds.rows[at] for at in part]
        notes = [self.sounds.note(row.real, seed=row.seed, raised=raised) for row in rows]
        return play(self.voice, notes, None if self.vectors is None else self.vectors[list(part)])


class Copier(Renderer):
    """Rows resynthesised from the real notes, samples in and out, as a vocoder does."""

    def __init__(self, voice: Any, sounds: Sounds, way: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__(voice, sounds)
        self.way = way

    def __call__(self, part: Sequence[int], raised: float = 0.0) -> list[np.ndarray]:
        return [self.way(self.sounds.real(self.sounds.rows[at].real)) for at in part]


def play(voice: Any, notes: Sequence[Note], w: np.ndarray | None = None) -> list[np.ndarray]:
    """Each note's sound, (samples,) float32 at 44.1 kHz; w: (n, dim) style vectors in place of imagined ones.

    Of a note's labels, those that the voice knows are requested; without a label the voice chooses."""
    asked = [_in_its_words(voice, note) for note in notes]
    played = voice.notes(asked) if w is None else voice.notes(asked, w=w)
    rate = getattr(voice, "sample_rate", SAMPLE_RATE)
    return [resample(np.asarray(sound, np.float32), rate, SAMPLE_RATE) for sound in played]


def _in_its_words(voice: Any, note: Note) -> Note:
    note = replace(note, instrument=_known_as(note.instrument, getattr(voice, "instruments", None)))
    return replace(note, style=tuple(word for word in note.style if word in getattr(voice, "styles", note.style)))


def _known_as(label: str | None, known: tuple[str, ...] | None) -> str | None:
    """What a voice that knows some labels calls an instrument: alto is the alto sax if there is no other alto. None if
    it does not know it; a voice without labels knows them all."""
    return label if known is None or label is None or label in known else _found(label, tuple(known))


@lru_cache(maxsize=1024)
def _found(label: str, known: tuple[str, ...]) -> str | None:
    if len(label) < SHORTEST or label.isdigit() or label.lower() in (family.lower() for family in gm.FAMILIES):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # something else would stand in for it
            return resolve_instrument(label, known)
    except (AntiphonError, UserWarning):
        return None


def unknown_labels(voice: Any, sounds: Sounds) -> list[str]:
    """Instruments of the list that a voice does not know."""
    asked = {sounds.instruments[int(sounds.prepared.instrument[row.real])] for row in sounds.rows}
    known = getattr(voice, "instruments", None)
    return sorted(label for label in asked if _known_as(label, known) is None)


def can_encode(voice: Any) -> bool:
    """Whether a voice turns recordings into style vectors."""
    return hasattr(voice, "encode")


def untrained(voice: Any, seed: int = 0) -> Any:
    """The same voice before its first step: the same networks with fresh weights. None for a voice without networks."""
    return voice.untrained(seed) if hasattr(voice, "untrained") else None


def plays(voice: Any) -> bool:
    """Whether a voice plays notes; a vocoder does not."""
    return hasattr(voice, "notes")


def copiers(voice: Any, sounds: Sounds) -> dict[str, Renderer]:
    """A vocoder, before its first step and now, and the inversions of log-mel that need no training."""
    rules = {"Griffin-Lim": "griffin-lim", "heap integration": "pghi"}
    ways = {name: partial(one.transform, sample_rate=SAMPLE_RATE)
            for name, one in (("untrained", voice.untrained()), ("vocoded", voice))}  # fmt: skip
    ways |= {name: partial(there_and_back, LogMelSpectrogram(phases=phases)) for name, phases in rules.items()}
    return {name: Copier(voice, sounds, way) for name, way in ways.items()}


@torch.inference_mode()
def there_and_back(view: Representation, audio: np.ndarray) -> np.ndarray:
    """(samples,) -> the same after encoding and decoding."""
    sound = torch.from_numpy(np.ascontiguousarray(audio, np.float32)).unsqueeze(0)
    return view.decode(view.encode(sound), sound.shape[-1])[0].numpy()


def encode_notes(voice: Any, sounds: Sounds, indices: Sequence[int]) -> np.ndarray:
    """Style vectors (n, dim) of recordings, in chunks."""
    parts = []
    for start in range(0, len(indices), CHUNK):
        part = [int(index) for index in indices[start : start + CHUNK]]
        pitches = [float(sounds.prepared.pitch[index]) for index in part]
        holds = [hold / SAMPLE_RATE if hold > 0 else None for hold in sounds.prepared.hold[part].tolist()]
        parts.append(np.asarray(voice.encode([sounds.real(index) for index in part], pitches, holds), np.float32))
    return np.concatenate(parts)


def renderers(voice: Any, sounds: Sounds) -> dict[str, Renderer]:
    """`encoded`, if the voice can: in the style of another note of the preset. `imagined`: from noise and label."""
    imagined = {"imagined": Renderer(voice, sounds)}
    if not can_encode(voice):
        return imagined
    encoded = Renderer(voice, sounds, encode_notes(voice, sounds, [row.source for row in sounds.rows]))
    return {"encoded": encoded} | imagined


def fit_gaussians(voice: Any, sounds: Sounds, reference: np.ndarray) -> LabelGaussians:
    """Gaussians of training notes' style vectors, by instrument."""
    labels = sounds.prepared.instrument.numpy()[reference]
    return LabelGaussians(encode_notes(voice, sounds, reference.tolist()), labels)


def gaussian_renderer(voice: Any, sounds: Sounds, gaussians: LabelGaussians) -> Renderer:
    """Rows played with style vectors drawn from Gaussians."""
    labels = sounds.prepared.instrument.numpy()
    drawn = [gaussians.draw(int(labels[row.real]), row.seed) for row in sounds.rows]
    return Renderer(voice, sounds, np.stack(drawn))


def folder_sounds(folder: str | Path, n: int, seed: int = 0) -> list[Callable[[], np.ndarray]]:
    """Up to `n` sounds of a folder, drawn by seed; each is read when called. Raises AntiphonError if there are
    fewer than 8."""
    found = find_audio(folder)
    if len(found) < 8:
        raise AntiphonError(f"{folder} has {len(found)} sounds: at least 8 are needed to compare")
    chosen = np.random.default_rng(seed).permutation(len(found))[:n]
    return [partial(read_audio, found[at], max_seconds=LIMIT / SAMPLE_RATE) for at in sorted(chosen)]
