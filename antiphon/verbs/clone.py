"""Clone an instrument from one or more recorded notes: from_audio, from_files, and `clone`, into a voice's file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from antiphon.audio.files import check_place, check_sound, read_audio, write_audio
from antiphon.core.atomic import in_folder, scratch
from antiphon.core.errors import AntiphonError
from antiphon.core.seeds import check_seed
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.recording import OneNote, one_note
from antiphon.data.labelling.labels import parse_name, parse_pitch
from antiphon.data.labelling.row import Manifest, Row, note_name
from antiphon.data.prepare import LONGEST, prepare
from antiphon.data.prepared import Prepared
from antiphon.verbs.clone_place import clone_place
from antiphon.verbs.report import Report
from antiphon.voices.capabilities import ImaginesScenes
from antiphon.voices.controls import place_of, write_controls
from antiphon.voices.find import load

if TYPE_CHECKING:
    from torch import Tensor

    from antiphon.voices.capabilities import Encodes
    from antiphon.voices.styled import StyledVoice
    from antiphon.voices.voice import Voice

CROP = 32_768  # samples: as in training
VELOCITY = 100  # of a recording without one: the default of `generate`
REACH = 12.0  # semitones beyond the recorded pitches in a clone's stated range
MOST = 64  # recordings


def from_audio(
    recordings: Sequence[np.ndarray],
    voice: str | Path | Voice = "gm",
    *,
    pitches: Sequence[float | None] | None = None,
    velocities: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    label: str = "clone",
    as_: str | int | None = None,
    control: Mapping[str, float] | None = None,
    repair: bool = False,
    seed: int | str = 0,
    quiet: bool = True,
) -> Voice:
    """A voice of one instrument, `label`, that plays like the recordings.

    recordings: each (samples,) float32 at 44.1 kHz, of one note. pitches: MIDI, or None to estimate it.
    velocities: 1..127, how hard they were played. names: what to call the recordings in error messages. as_: the
    instrument of the voice that they are most like, where you know it (default: as heard). control: named controls by
    which what was learned is turned, as in `generate`. repair: learn from the recordings without their noise, hum,
    clicks and clipping; what they are like is heard in them as they are, since that is what the voice learned to hear
    through. Raises AntiphonError, in one line, for a recording that is not one clean pitched note, and for an
    instrument that the voice does not know."""
    number = check_seed(seed)
    if not 1 <= len(recordings) <= MOST:
        raise AntiphonError(f"cannot clone {len(recordings)} recordings: give 1 to {MOST}")
    names = names or [f"recording {i}" for i in range(1, len(recordings) + 1)]
    heard = []
    for recording, name, pitch in zip(recordings, names, pitches or [None] * len(recordings), strict=True):
        check_sound(recording, name)
        hint = None if pitch is not None else parse_name(Path(name).stem).pitch
        heard.append(one_note(recording, name, pitch, hint))
    clean = heard
    if repair:
        from antiphon.verbs.repair import mended

        rid = [mended(np.asarray(recording, np.float32)) for recording in recordings]
        clean = [one_note(sound, name, note.pitch) for sound, name, note in zip(rid, names, heard, strict=True)]
    base, velocities = load(voice), velocities or [VELOCITY] * len(heard)
    return _learned(heard, clean, names, velocities, base, label, as_, control or {}, number, Report(quiet))


def from_files(
    paths: Sequence[str | Path],
    voice: str | Path | Voice = "gm",
    *,
    pitch: str | float | Sequence[str | float] = (),
    name: str | None = None,
    as_: str | int | None = None,
    control: Mapping[str, float] | None = None,
    repair: bool = False,
    seed: int | str = 0,
    quiet: bool = True,
) -> Voice:
    """A voice of one instrument that plays like the recorded notes in sound files; see `clone` for the keywords."""
    files = [Path(path) for path in paths]
    said = [pitch] if isinstance(pitch, str | float | int) else list(pitch)
    if said and len(said) != len(files):
        raise AntiphonError(f"{len(said)} pitches for {len(files)} recordings: give one for each, or none")
    return from_audio(
        [read_audio(path, max_seconds=LONGEST) for path in files],
        voice,
        pitches=[parse_pitch(str(p)) for p in said] or None,
        velocities=[parse_name(path.stem).velocity or VELOCITY for path in files],
        names=[path.name for path in files],
        label=name or (_label(files[0].stem) if files else ""),
        as_=as_,
        control=control,
        repair=repair,
        seed=seed,
        quiet=quiet,
    )


def clone(
    voice: str | Path | Voice,
    samples: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    pitch: str | float | Sequence[str | float] = (),
    name: str | None = None,
    as_: str | int | None = None,
    control: Mapping[str, float] | None = None,
    repair: bool = False,
    seed: int | str = 0,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Make a voice of an instrument from recordings of single notes of it; returns the voice's file.

    voice: the voice to begin from. samples: sound files, of which the first 20 s are used. out: the file; .safetensors
    is added to its name. pitch: "A3" or 57, or a list with each recording's (default: estimated from the sound). name:
    what to call the instrument. as_: the instrument of the voice that it is most like (default: as heard). control:
    named controls by which what was learned is turned, such as {"brightness": 1}. repair: learn from the recordings
    without their noise, hum, clicks and clipping, as `repair` takes them away. The same recordings and seed give the
    same bytes. The clone keeps the controls of the instrument that it is most like, in a file beside it. A voice of
    scenes hears places instead, by the first minute of each, and becomes a voice of the one place between them. Raises
    AntiphonError for a recording that is not one clean pitched note, for an instrument that the voice does not know,
    and (without force) if the file exists."""
    from antiphon.voices.checkpoint import save_voice

    if not isinstance(samples, str | Path) and not len(samples):
        line = shlex.join(["antiphon", "clone", "gm", str(voice), "-o", str(out)])
        raise AntiphonError(f"no recording to learn from: begin with a voice, as in {line}")
    target = Path(out)
    if target.suffix != ".safetensors":
        target = target.with_name(f"{target.name}.safetensors")
    for place in (target, place_of(target)):
        check_place(place, force=force)
    files = [samples] if isinstance(samples, str | Path) else samples
    base = load(voice)
    if isinstance(base, ImaginesScenes):
        if pitch or as_ is not None or control or repair:
            raise base.cannot("learn notes, with pitches, what they are like, controls and repair")
        made: Voice = clone_place(base, files, name or _label(Path(files[0]).stem))
    else:
        made = from_files(
            files, base, pitch=pitch, name=name, as_=as_, control=control, repair=repair, seed=seed, quiet=quiet
        )
    with in_folder(target.parent):
        save_voice(target, made.model, made.info)
        if "controls" in vars(made):
            write_controls(made.__dict__["controls"], target)
    return target


# ---- learning --------------------------------------------------------------------------------------------------------


def _learned(
    notes: Sequence[OneNote],
    clean: Sequence[OneNote],
    names: Sequence[str],
    velocities: Sequence[int],
    base: Voice,
    label: str,
    as_: str | int | None,
    control: Mapping[str, float],
    seed: int,
    report: Report,
) -> Voice:
    from antiphon.core.parallel import parallel_map
    from antiphon.metrics.takes import nearest_takes
    from antiphon.training.batches.excerpts import ExcerptSource
    from antiphon.training.invert import Inversion, anchored, invert
    from antiphon.voices.instrument import InstrumentVoice

    base = base.able(InstrumentVoice, "learn a recording")
    like = None if as_ is None else base.resolve(as_)
    if control:
        base.controls.named(control, base.info.name)  # before anything is learned
    for note, name in zip(notes, names, strict=True):
        for remark in note.remarks:
            report.say(f"note: {remark}")
        report.say(f"{name}: {note_name(note.pitch)}")
    with scratch() as folder:
        with report.bar("cloning") as advance:
            data = _measured(notes, names, velocities, label, folder)
            start = _heard(base, data)
            if clean is not notes:
                (folder / "clean").mkdir()
                data = _measured(clean, names, velocities, label, folder / "clean")
            source = ExcerptSource(data, CROP, seed)
            known = _known(base, start, like)
            # operations on one thread, so that the same recording gives the same bytes everywhere
            generator, w = parallel_map(lambda _: invert(base.model, source, start, known, Inversion(), advance), 1)[0]
        nearest = like or base.nearest(w)
        w, shaping = base.turned(w, nearest, control)
        made = InstrumentVoice(anchored(base.model, generator, w, label), _info(base, label, notes, names, seed))
        with suppress(AntiphonError):  # a voice without controls has none to pass on
            made.__dict__["controls"] = base.controls.alone(nearest, label)
        with report.bar("choosing takes") as advance:
            takes = nearest_takes(made, data, progress=advance)
        made.info = replace(made.info, takes=takes, shaping=shaping)
    return made


def _measured(
    notes: Sequence[OneNote], names: Sequence[str], velocities: Sequence[int], label: str, folder: Path
) -> Prepared:
    """The recordings, measured like training data."""
    loudest = max(float(np.abs(note.audio).max()) for note in notes)
    rows = []
    for i, (note, velocity) in enumerate(zip(notes, velocities, strict=True)):
        path = write_audio(folder / f"{i}.wav", note.audio * np.float32(0.9 / loudest))
        rows.append(Row(path, note.pitch, label, label, velocity=velocity))
    report = prepare(Manifest(folder, rows, [], []), folder / "notes.safetensors")
    for refused in report.refused:
        raise AntiphonError(f"{names[int(refused.path.stem)]} cannot be used: {refused.reason}")
    return Prepared(report.path)


def _heard(base: Encodes, data: Prepared) -> Tensor:
    """(style,) the encoder's style vector of all the recordings together."""
    import torch

    from antiphon.networks.encoders.note import on_sphere

    holds = [hold / SAMPLE_RATE if hold > 0 else None for hold in data.hold.tolist()]
    w = base.encode([data.audio(i) for i in range(len(data))], data.pitch.tolist(), holds)
    return on_sphere(torch.from_numpy(w).mean(0))


def _known(base: StyledVoice, heard: Tensor, like: str | None) -> Tensor:
    """(n, style) near which w stays: imagined ones of `like`, or else what the encoder heard."""
    return base.known(like) if like else heard.unsqueeze(0)


def _info(base: Voice, label: str, notes: Sequence[OneNote], names: Sequence[str], seed: int):  # type: ignore[no-untyped-def]
    from antiphon.voices.voice import VoiceInfo

    pitches = [note.pitch for note in notes]
    training = {"cloned_from": base.info.name, "recordings": len(notes), "seed": seed}
    training["pitches"] = " ".join(note_name(pitch).replace(" ", "") for pitch in pitches)
    return VoiceInfo(
        name=label,
        range_of={label: (max(min(pitches) - REACH, 0.0), min(max(pitches) + REACH, 127.0))},
        training=training,
        licence=f"{base.info.licence}, and that of the recordings",
        sources=(*base.info.sources, *names),
    )


def _label(stem: str) -> str:
    """An instrument's name from a file's name, without the pitch."""
    named = parse_name(stem).instrument or re.sub(r"[\W_]+", " ", stem)
    return " ".join(named.split())[:80] or "clone"
