"""What a run sounds like so far: a sheet of spectrograms, real beside generated, and the sounds themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antiphon.core.note import Note
from antiphon.core.run_files import SHEETS, SOUNDS
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.prepared import Prepared
from antiphon.metrics.plots.sheet import spectrogram_sheet
from antiphon.training.reports.wav import write_wav
from antiphon.voices.capabilities import Encodes, PlaysNotes, Transforms
from antiphon.voices.voice import Voice

MOST = 10
SPOTS = tuple((low, soft) for low in (0.05, 0.5, 0.95) for soft in (0.1, 0.9))  # of its pitches, of its velocities
PLACES = tuple((low, 0.5) for low in (0.05, 0.5, 0.95))
FEW = 3  # instruments, each of which can show more than one note


def choose_notes(data: Prepared, count: int = MOST) -> list[tuple[int, int]]:
    """(note, reference) pairs spread over the instruments, held-out notes if there are any; always the same for a
    file. A single instrument shows low, middle and high notes, soft and loud; two or three show a low, a middle and a
    high one each."""
    rng = np.random.default_rng(7)
    split = {name: set(data.where(name).tolist()) for name in data.labels.splits}
    held_out = split.get("block", set()) | split.get("valid", set())
    names = len(data.labels.instruments)
    chosen = []
    for instrument in sorted(rng.permutation(names)[:count].tolist()):
        notes = np.flatnonzero(data.instrument.numpy() == instrument)
        train = [i for i in notes if i in split.get("train", set())] or list(notes)
        middle = [i for i in notes if 45 <= data.pitch[i] <= 88] or list(notes)
        candidates = [i for i in middle if i in held_out] or middle
        if data.labels.pitched and names <= FEW:
            shown = _spread(data, notes, held_out, SPOTS if names == 1 else PLACES)
        else:
            shown = [int(candidates[rng.integers(len(candidates))])]
        for note in shown:
            same = [i for i in train if data.preset[i] == data.preset[note] and i != note] or train
            chosen.append((note, int(same[rng.integers(len(same))])))
    return chosen


def _spread(data: Prepared, notes: np.ndarray, held_out: set[int], spots: tuple[tuple[float, float], ...]) -> list[int]:
    """The notes nearest to some places, each (share of the pitches, share of the velocities), every note once; of notes
    as near as each other one that was held out."""
    pitch, velocity = data.pitch.numpy()[notes], data.velocity.numpy()[notes]
    known = np.isin(notes, list(held_out))
    found = []
    for low, soft in spots:
        away = np.abs(pitch - np.quantile(pitch, low)) / max(np.ptp(pitch), 1.0)
        away = away + 0.5 * np.abs(velocity - np.quantile(velocity, soft)) / max(np.ptp(velocity), 1.0)
        found.append(int(notes[np.argmin(away - 0.02 * known)]))
    return list(dict.fromkeys(found))


def imitate(listener: Encodes, player: PlaysNotes, data: Prepared, pairs: list[tuple[int, int]]) -> list[np.ndarray]:
    """Each note of the pairs as the player plays it, in the style that the listener hears in the reference."""
    references = [r for _, r in pairs]
    recordings = [data.audio(r) for r in references]
    holds = [float(data.hold[r]) / SAMPLE_RATE if data.hold[r] > 0 else None for r in references]
    w = listener.encode(recordings, [float(data.pitch[r]) for r in references], holds)
    notes = [Note(float(data.pitch[n]), hold_of(data, n), float(data.velocity[n])) for n, _ in pairs]
    return player.notes(notes, w=w)


def answer(voice: Voice, data: Prepared, pairs: list[tuple[int, int]]) -> list[np.ndarray]:
    """Each note of the pairs as the voice plays it: with the style encoded from the reference, or one imagined by its
    label if the voice has no encoder; or as a vocoder renders its spectrogram."""
    if isinstance(voice, Transforms):
        return [voice.transform(data.audio(note), SAMPLE_RATE) for note, _ in pairs]
    player = voice.able(PlaysNotes, "be listened to")
    if isinstance(player, Encodes):
        return imitate(player, player, data, pairs)
    labels = [data.labels.instruments[int(data.instrument[n])] for n, _ in pairs]
    return player.notes(
        [
            Note(
                float(data.pitch[n]), hold_of(data, n), instrument=label if label in voice.instruments else None, seed=n
            )
            for (n, _), label in zip(pairs, labels, strict=True)
        ]
    )


def hold_of(data: Prepared, note: int) -> float:
    """Seconds that a note of the file was held: until its release, or to its end if it has none."""
    held = int(data.hold[note])
    return (held if held > 0 else data.samples(note)) / SAMPLE_RATE


def write_sheet(folder: Path, voice: Voice, data: Prepared, step: int) -> Path:
    """sheets/step-N.png and sounds/step-N.wav (real, generated, real, generated ...). -> the picture's path"""
    pairs = choose_notes(data)
    generated = answer(voice, data, pairs)
    rows = []
    for (note, _), sound in zip(pairs, generated, strict=True):
        label = data.labels.instruments[int(data.instrument[note])]
        rows.append(
            (f"{label} {float(data.pitch[note]):.0f} v{float(data.velocity[note]):.0f}", data.audio(note), sound)
        )
    for name in (SHEETS, SOUNDS):
        (folder / name).mkdir(exist_ok=True)
    picture = folder / SHEETS / f"step-{step:06d}.png"
    spectrogram_sheet(rows, picture)
    write_wav(
        folder / SOUNDS / f"step-{step:06d}.wav",
        [s[: 3 * SAMPLE_RATE] for _, real, fake in rows for s in (real, fake)],
    )
    return picture
