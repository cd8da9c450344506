"""Make new notes with a voice, from noise: from_notes, from_notes_to_folder, and `generate`, which makes up the
notes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from antiphon.audio.files import check_target, write_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.core.seeds import check_seed
from antiphon.data.labelling.labels import parse_pitch
from antiphon.data.labelling.row import note_name
from antiphon.verbs.report import Report
from antiphon.voices.capabilities import PlaysNotes
from antiphon.voices.expression import USUAL_RANGE, still
from antiphon.voices.find import load
from antiphon.voices.playable import PlayableVoice

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

MOST = 10_000  # notes per call
CHUNK = 32
HELD = 2.0  # seconds, by default


def from_notes(
    notes: Sequence[Note], voice: str | Path | Voice = "gm", *, w: np.ndarray | None = None
) -> list[np.ndarray]:
    """Each note's sound, (samples,) float32 at 44.1 kHz, from its onset to the end of its release.

    w: (notes, style) style vectors instead of those that the notes' instruments and seeds imply."""
    return load(voice).able(PlaysNotes, "play notes").notes(notes, w=w)


def from_notes_to_folder(
    notes: Sequence[Note],
    out: str | Path,
    voice: str | Path | Voice = "gm",
    *,
    w: np.ndarray | None = None,
    force: bool = False,
    quiet: bool = True,
) -> list[Path]:
    """Write each note to its own file, NNN_<instrument>_<note>_v<velocity>_s<seed>.wav, numbered from 1. -> the
    paths

    w: (notes, style), as in from_notes. A note too loud for a file is attenuated. Raises AntiphonError if one of the
    files exists, unless force."""
    out, player, report = Path(out), load(voice).able(PlaysNotes, "play notes"), Report(quiet)
    if out.exists() and not out.is_dir():
        raise AntiphonError(f"{out} is not a folder: give a folder for the sounds")
    width = max(3, len(str(len(notes))))
    names = [f"{i:0{width}d}_{_describe(note, player)}.wav" for i, note in enumerate(notes, 1)]
    paths = [check_target(out / name, force=force) for name in names]
    with report.bar("generating") as advance:
        for first in range(0, len(notes), CHUNK):
            part = slice(first, first + CHUNK)
            sounds = player.notes(notes[part], w=None if w is None else w[part])
            for path, sound in zip(paths[part], sounds, strict=True):
                write_audio(path, _bounded(sound), force=force)
            advance(min(first + CHUNK, len(notes)), len(notes))
    return paths


def generate(
    voice: str | Path | Voice,
    out: str | Path,
    n: int = 16,
    *,
    instrument: str | int | None = None,
    style: Sequence[str] = (),
    variation: float | None = None,
    pitch: str | float | None = None,
    velocity: float = 100,
    seconds: float | None = None,
    seed: int | str = 0,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Write `n` new notes into the folder `out`; returns the folder.

    Sound i depends only on seed + i, so that any of them can be made again alone. instrument: a label, an abbreviation,
    a General MIDI name, number or family, a blend ("flute:0.6,strings:0.4") or a recording of a note (default: drawn
    for each sound). style: style words, and "brightness=0.8" if the voice was trained with descriptors. variation:
    0..1, from the typical sound of a label, or the recording itself, to as varied as training (default: 1 for labels, 0
    for recordings). pitch: "C4", 61 or 60.5 (default: drawn from the instrument's trained range). velocity: 1..127.
    seconds: how long a note is held (default: 2). seed: a number, or a name that stands for one. Raises AntiphonError
    for invalid values, or (without force) if a file exists."""
    if not 1 <= n <= MOST:
        raise AntiphonError(f"cannot make {n} sounds: use 1 to {MOST}")
    first = check_seed(seed)
    check_seed(first + n - 1)
    player, report = load(voice).able(PlayableVoice, "imagine sounds"), Report(quiet)
    words = player.resolve_style(style)
    key = None if pitch is None else parse_pitch(str(pitch))
    if key is not None and not player.pitched:
        raise player.cannot("play a given pitch")
    held = HELD if seconds is None else seconds
    notes, ws = [], []
    with report.warnings():
        for own in range(first, first + n):
            name = player.resolve(None, own) if instrument is None else instrument
            drawn = still(player, name, seed=own, style=words, variation=variation)
            label = drawn.label()
            notes.append(
                Note(_drawn_key(player, label, own) if key is None else key, held, velocity, label, words, own)
            )
            ws.append(drawn.w().numpy())
    for text in _unheard_of(notes, player):
        report.say(f"note: {text}")
    if seconds is not None and seconds > player.longest:
        report.say(f"note: the sounds of this voice last {player.longest:.2f} s")
    from_notes_to_folder(notes, out, player, w=np.stack(ws), force=force, quiet=quiet)
    return Path(out)


def _drawn_key(voice: Voice, label: str, seed: int) -> float:
    """A key drawn from the range that an instrument was trained in."""
    lowest, highest = voice.info.range_of.get(label, USUAL_RANGE)
    return float(np.random.default_rng((3, seed)).integers(round(lowest), round(highest) + 1))


def _unheard_of(notes: Sequence[Note], voice: Voice) -> list[str]:
    """Remarks on requested labels and pitches that were never trained on."""
    found: dict[str | None, str] = {}
    if not voice.pitched:
        return []
    for note in notes:
        lowest, highest = voice.info.range_of.get(str(note.instrument), (0.0, 127.0))
        if not lowest - 0.5 <= note.pitch <= highest + 0.5:
            learned = f"{note_name(round(lowest))} to {note_name(round(highest))}"
            found[note.instrument] = f"{note.instrument} was trained on {learned}: {note_name(note.pitch)} is a guess"
    return list(found.values())


def _bounded(sound: np.ndarray) -> np.ndarray:
    return sound / np.float32(max(1.0, np.abs(sound).max(initial=0) / 0.99))


def _describe(note: Note, voice: Voice) -> str:
    label = re.sub(r"[^\w#]+", "-", voice.resolve(note.instrument, note.seed).lower()).strip("-")
    if not voice.pitched:
        return f"{label}_s{note.seed}"
    name = note_name(note.pitch).replace(" cents", "c").replace(" ", "")
    return f"{label}_{name}_v{note.velocity:g}_s{note.seed}"
