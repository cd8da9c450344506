"""Make new notes with a voice, from noise: from_notes, from_notes_to_folder, and `generate`, which makes up the
notes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from antiphon.audio.files import SUFFIXES, Form, check_target, write_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.core.seeds import check_seed
from antiphon.data.labelling.row import note_name
from antiphon.data.labelling.several_pitches import parse_pitches
from antiphon.verbs.finish import PLAINLY, Finish
from antiphon.verbs.report import Report
from antiphon.verbs.scene import read_controls, several
from antiphon.voices.capabilities import ImaginesScenes, PlaysNotes
from antiphon.voices.expression import USUAL_RANGE, common_pitch, still
from antiphon.voices.find import load
from antiphon.voices.playable import PlayableVoice
from antiphon.voices.ranges import beyond

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

MOST = 10_000  # notes per call
USUAL = 16  # notes, by default
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
    called: str | None = None,
    finish: Finish = PLAINLY,
    force: bool = False,
    quiet: bool = True,
) -> list[Path]:
    """Write each note to its own file, NNN_<instrument>_<note>_v<velocity>_s<seed>.wav, numbered from 1. -> the
    paths

    w: (notes, style), as in from_notes. called: what to call the instrument, if not by the notes' labels. finish: room,
    level and form of the files. A note too loud for a file is attenuated. Raises AntiphonError if one of the files
    exists, unless force."""
    out, player = Path(out), load(voice).able(PlaysNotes, "play notes")
    if out.exists() and not out.is_dir():
        raise AntiphonError(f"{out} is not a folder: give a folder for the sounds")
    width = max(3, len(str(len(notes))))
    names = [f"{i:0{width}d}_{_describe(note, player, called)}.wav" for i, note in enumerate(notes, 1)]
    return _write(notes, [out / name for name in names], player, w, finish, force, quiet)


def _write(
    notes: Sequence[Note],
    paths: Sequence[Path],
    player: PlaysNotes,
    w: np.ndarray | None,
    finish: Finish,
    force: bool,
    quiet: bool,
) -> list[Path]:
    """Each note to its own path."""
    targets = [check_target(path, form=finish.form, force=force) for path in paths]
    with Report(quiet).bar("generating") as advance:
        for first in range(0, len(notes), CHUNK):
            part = slice(first, first + CHUNK)
            sounds = player.notes(notes[part], w=None if w is None else w[part])
            for path, sound in zip(targets[part], sounds, strict=True):
                write_audio(path, finish(sound), form=finish.form, force=force)
            advance(min(first + CHUNK, len(notes)), len(notes))
    return targets


def generate(
    voice: str | Path | Voice,
    out: str | Path,
    n: int | None = None,
    *,
    instrument: str | int | None = None,
    style: Sequence[str] = (),
    variation: float | None = None,
    control: Mapping[str, float] | None = None,
    pitch: str | float | Sequence[str | float] | None = None,
    velocity: float = 100,
    seconds: float | None = None,
    seed: int | str = 0,
    room: float = 0.0,
    rate: int | None = None,
    bits: int | None = None,
    mono: bool = False,
    gain: float = 0.0,
    lufs: float | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Write `n` new notes into the folder `out`, or a single one into a sound file; returns its path.

    n: how many, each another player's (default: 16; 1 for several pitches or for a file). Sound i depends only on
    seed + i, so that any of them can be made again alone. instrument: a label, an abbreviation, a General MIDI name,
    number or family, a blend ("flute:0.6,strings:0.4") or a recording of a note (default: drawn for each sound). style:
    style words, and "brightness=0.8" if the voice was trained with descriptors. variation: 0..1, from the typical sound
    of a label, or the recording itself, to as varied as training (default: 1 for labels, 0 for recordings). control:
    named controls, -2..2 each, such as {"brightness": 1, "attack": -0.5}: see `info` for the voice's. pitch:
    "C4", 61 or 60.5, several ("C4 E4 G4"), or "C3..C6 every 3": then every player plays them all (default: drawn from
    the instrument's trained range; for a blend, one that all of it can play). velocity: 1..127. seconds: how long a
    note is held (default: 2; 10 of a scene, which has no pitch and is stereo). seed: a number, or a name that stands
    for one. room: 0..1, none to a hall. rate, bits, mono: of the files, as in `play`. gain: dB; lufs: loudness of each
    sound. Raises AntiphonError for invalid values, or (without force) if a file exists."""
    keys, single = parse_pitches(pitch), Path(out).suffix.lower() in SUFFIXES
    n = n if n is not None else 1 if single or len(keys) > 1 else USUAL
    if not 1 <= n * max(len(keys), 1) <= MOST:
        raise AntiphonError(f"cannot make {n * max(len(keys), 1)} sounds: use 1 to {MOST}")
    if single and n * max(len(keys), 1) > 1:
        raise AntiphonError(f"{n * max(len(keys), 1)} sounds do not fit into one file: give a folder, or -n 1")
    first = check_seed(seed)
    check_seed(first + n - 1)
    finish = Finish(room, lufs, gain, Form(rate, bits, mono), first)
    loaded = load(voice)
    if isinstance(loaded, ImaginesScenes):
        if keys or room:
            raise loaded.cannot("play notes, with pitches or a room")
        scenes: dict[str, Any] = {
            "controls": read_controls(style),
            "sound": instrument if instrument is None else str(instrument),
            "seconds": seconds,
        }
        scenes |= {
            "control": control,
            "seed": first,
            "variation": variation,
            "gain": gain,
            "lufs": lufs,
            "form": finish.form,
        }
        return several(loaded, out, n, **scenes, force=force, quiet=quiet)
    player, report = loaded.able(PlayableVoice, "imagine sounds"), Report(quiet)
    if keys and not player.pitched:
        raise player.cannot("play a given pitch")
    if seconds is not None and seconds > player.longest:
        report.say(f"note: the sounds of this voice last {player.longest:.2f} s")
    held = HELD if seconds is None else seconds
    words = player.resolve_style(style)
    with report.warnings():
        drawn = [
            (own, still(player, player.resolve(None, own) if instrument is None else instrument, seed=own, style=words,
                        variation=variation, control=control))
            for own in range(first, first + n)
        ]  # fmt: skip
    blend = instrument is not None and len(drawn[0][1].blended) > 1
    notes, ws = [], []
    for own, found in drawn:
        label = found.label()
        usual = common_pitch(player, [part for part, _ in found.blended]) if blend else _drawn_key(player, label, own)
        for key in keys or [usual]:
            notes.append(Note(key, held, velocity, label, words, own, shaping=found.shaping()))
            ws.append(found.w().numpy())
    for text in _unheard_of(notes, player):
        report.say(f"note: {text}")
    if single:
        return _write(notes, [Path(out)], player, np.stack(ws), finish, force, quiet)[0]
    called = str(instrument) if blend else None
    from_notes_to_folder(notes, out, player, w=np.stack(ws), called=called, finish=finish, force=force, quiet=quiet)
    return Path(out)


def _drawn_key(voice: Voice, label: str, seed: int) -> float:
    """A key drawn from the range that an instrument was trained in."""
    lowest, highest = voice.info.range_of.get(label, USUAL_RANGE)
    return float(np.random.default_rng((3, seed)).integers(round(lowest), round(highest) + 1))


def _unheard_of(notes: Sequence[Note], voice: Voice) -> list[str]:
    """Remarks on requested labels and pitches that were never trained on."""
    found: dict[str | None, str] = {}
    for note in notes:
        learned, far = beyond(voice, str(note.instrument), [note.pitch])
        if far:
            found[note.instrument] = f"{learned}: {note_name(note.pitch)} is a guess"
    return list(found.values())


def _describe(note: Note, voice: Voice, called: str | None = None) -> str:
    """A file's name for a note: the instrument, the pitch, how hard, and the seed."""
    label = re.sub(r"[^\w#.]+", "-", (called or voice.resolve(note.instrument, note.seed)).lower()).strip("-.")[:80]
    if not voice.pitched:
        return f"{label}_s{note.seed}"
    name = note_name(note.pitch).replace(" cents", "c").replace(" ", "")
    return f"{label}_{name}_v{note.velocity:g}_s{note.seed}"
