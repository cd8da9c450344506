"""Sounds before training: inspect a folder, render soundfonts into one, prepare one into a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.audio.files import check_place
from antiphon.core.errors import AntiphonError
from antiphon.core.seeds import check_seed
from antiphon.verbs.report import Report

if TYPE_CHECKING:
    from rich.console import RenderableType


def inspect(
    folder: str | Path, *, one_shots: bool = False, pitch: str = "yes", label: str = "", quiet: bool = False
) -> RenderableType:
    """A rich renderable: what a folder contains, how it was labelled, what was refused and why. Every file is read to
    its end. one_shots: the sounds are drums or the like, which have names but no pitch. pitch: whether every sound must
    have one: yes, no, or auto, which means yes unless most have none. label: what to call the instrument, if not by the
    names of folders and files."""
    from antiphon.data.labelling.inspect import summary
    from antiphon.data.labelling.manifest import scan

    with Report(quiet).bar("reading") as advance:
        return summary(scan(folder, check=True, one_shots=one_shots, pitch=pitch, progress=advance).called(label))


def render(
    fonts: Sequence[str | Path],
    out: str | Path,
    *,
    programs: Sequence[int] = (),
    step: int = 2,
    velocities: int = 3,
    seed: int | str = 0,
    drums: bool = False,
    quiet: bool = False,
) -> Path:
    """Render soundfonts into a folder of labelled notes, dry, with octaves and presets held out; returns the folder.

    fonts: .sf2 or .sf3 files. programs: General MIDI numbers (default: all that play single notes). step: semitones
    between keys. velocities: layers per key. seed: random seed of velocities, holds and what is held out, a number or a
    name. drums: render the hits of the fonts' drum kits instead. The same call again resumes an interrupted render.
    Raises AntiphonError if FluidSynth is missing or a font cannot be read."""
    from antiphon.data.soundfont.render import RenderOptions
    from antiphon.data.soundfont.render import render as render_fonts

    for name, value, most in (("step", step, 12), ("velocities", velocities, 16)):
        if not 1 <= value <= most:
            raise AntiphonError(f"{name} {value} is out of range: use 1 to {most}")
    if any(not 0 <= program <= 127 for program in programs):
        raise AntiphonError("a program is out of range: use 0 to 127")
    if not fonts:
        raise AntiphonError("no soundfont to render: give an .sf2 or .sf3 file")
    number, report = check_seed(seed), Report(quiet)
    if drums:
        from antiphon.data.soundfont.drums import HITS, render_drums

        done = render_drums(fonts, out, replace(HITS, velocities=velocities, seed=number), report.say)
        report.say(
            f"{done.notes} hits of {done.presets} drums; train on them: antiphon train {out} -o RUN --recipe drums"
        )
        return Path(out)
    options = RenderOptions(programs=tuple(programs) or None, step=step, velocities=velocities, seed=number)
    done = render_fonts(fonts, out, options, report.say)
    report.say(f"{done.notes} notes of {done.presets} presets; train on them: antiphon train {out} -o RUN")
    return Path(out)


def prepare(
    folder: str | Path,
    out: str | Path,
    *,
    one_shots: bool = False,
    pitch: str = "yes",
    workers: int = 1,
    licence: str = "",
    label: str = "",
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Analyse a folder of notes into one file; returns its path. Besides the package, it is all that training needs.

    one_shots, pitch, label: as in `inspect`. workers: processes to use. licence: of the sounds, recorded in the file
    and in voices trained on it. Raises AntiphonError if nothing usable is found or (without force) if `out` exists."""
    from antiphon.data.labelling.manifest import scan
    from antiphon.data.prepare import prepare as measure

    out, report = Path(out), Report(quiet)
    if out.suffix != ".safetensors":
        raise AntiphonError(f"cannot write {out.name}: use a name that ends in .safetensors")
    check_place(out, force=force)
    with report.bar("reading") as advance:
        manifest = scan(folder, one_shots=one_shots, pitch=pitch, progress=advance).called(label)
    for remark in manifest.remarks:
        report.say(f"note: {remark}")
    with report.bar("measuring") as advance:
        done = measure(
            manifest, out, workers=workers, progress=advance, licence=licence, sources=[Path(folder).name], force=force
        )
    for item in done.refused[:10]:
        report.say(f"refused: {item.path}: {item.reason}")
    if len(done.refused) > 10:
        report.say(f"refused: {len(done.refused) - 10} more; `antiphon data inspect {folder}` lists them")
    report.say(f"{done.notes} notes, {done.seconds / 60:.1f} minutes of sound")
    return out
