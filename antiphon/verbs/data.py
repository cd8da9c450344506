"""Sounds before training: inspect a folder, cut a session or render soundfonts into one, prepare one into a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.audio.files import SAMPLE_RATE, check_place
from antiphon.core.atomic import all_atomic, atomic, in_folder
from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import renamed
from antiphon.core.seeds import check_seed
from antiphon.verbs.report import Report

if TYPE_CHECKING:
    from rich.console import RenderableType

    from antiphon.data.labelling.row import Manifest
    from antiphon.music.score_folder import ScoreFolder
    from antiphon.verbs.recordings import Heard


@renamed(label="as_")
def inspect(
    folder: str | Path,
    *,
    one_shots: bool = False,
    pitch: str = "yes",
    as_: str = "",
    scenes: bool | None = None,
    picture: str | Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> RenderableType:
    """A rich renderable: what a folder contains, how it was labelled, what was refused and why. Every file is read to
    its end. A folder of MIDI files is one of scores, of which it tells styles, bars, parts, metres and keys.
    one_shots: the sounds are drums or the like, which have names but no pitch. pitch: whether every sound must have
    one: yes, no, or auto, which means yes unless most have none. as_: what to call the instrument, if not by the
    names of folders and files. scenes: they are long recordings of places, of which is shown how they sound and what
    is wrong in them (default: if they seem to be). picture: an HTML page to write, with a keyboard of every instrument,
    or every recording. Raises AntiphonError if (without force) it exists."""
    from antiphon.data.labelling.inspect import summary

    if _of_scores(folder):
        from antiphon.verbs.scores_table import scores_summary

        if picture is not None:
            raise AntiphonError(f"{folder} holds MIDI files, of which there is no page: leave --picture out")
        return scores_summary(_scores(folder, quiet))
    target = None if picture is None else check_place(Path(picture), force=force)
    if _are_recordings(folder, one_shots, pitch, scenes):
        from antiphon.verbs import recordings

        heard = _heard(folder, as_, quiet)
        if target is not None:
            _write_page(target, recordings.page(heard))
        return recordings.summary(heard)
    manifest = _scanned(folder, one_shots, pitch, quiet).called(as_)
    if target is not None:
        from antiphon.verbs.folder_page import folder_page

        _write_page(target, folder_page(manifest))
    return summary(manifest)


def _write_page(target: Path, page: str) -> None:
    with in_folder(target.parent), atomic(target) as draft:
        draft.write_text(page, encoding="utf-8", errors="replace")


@renamed(label="as_")
def described(
    folder: str | Path,
    *,
    one_shots: bool = False,
    pitch: str = "yes",
    as_: str = "",
    scenes: bool | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """What `inspect` shows, for scripts: rows of files, what was refused and why, and remarks on the folder; of places
    also their labels with what is measured of them, of MIDI files also which are copies."""
    from antiphon.data.labelling.inspect import facts

    if _of_scores(folder):
        from antiphon.music.score_folder import facts as facts_of_scores

        return facts_of_scores(_scores(folder, quiet))
    if _are_recordings(folder, one_shots, pitch, scenes):
        from antiphon.verbs import recordings

        return recordings.facts(_heard(folder, as_, quiet))
    return facts(_scanned(folder, one_shots, pitch, quiet).called(as_))


def _are_recordings(folder: str | Path, one_shots: bool, pitch: str, scenes: bool | None) -> bool:
    """Whether a folder is to be read as recordings of places."""
    from antiphon.data.labelling.recordings import looks_like_recordings

    if scenes and (one_shots or pitch != "yes"):
        raise AntiphonError("recordings of places have no pitch and are no one-shots: leave those options out")
    return looks_like_recordings(folder) and not one_shots and pitch == "yes" if scenes is None else scenes


def _heard(folder: str | Path, label: str, quiet: bool) -> Heard:
    from antiphon.data.labelling.recordings import find_recordings
    from antiphon.verbs.recordings import hear

    report = Report(quiet)
    with report.bar("listening for faults") as advance:
        found = find_recordings(folder, label=label, progress=advance)
    with report.bar("measuring") as advance:
        return hear(found, advance)


def _of_scores(folder: str | Path) -> bool:
    """Whether a folder holds more MIDI files than sounds."""
    from antiphon.audio.files import find_audio
    from antiphon.music.score_folder import midi_files

    return Path(folder).is_dir() and len(midi_files(folder)) > len(find_audio(folder))


def _scores(folder: str | Path, quiet: bool) -> ScoreFolder:
    from antiphon.music.score_folder import scan_scores

    with Report(quiet).bar("reading") as advance:
        return scan_scores(folder, advance)


def _scanned(folder: str | Path, one_shots: bool, pitch: str, quiet: bool) -> Manifest:
    from antiphon.data.labelling.manifest import scan

    with Report(quiet).bar("reading") as advance:
        return scan(folder, check=True, one_shots=one_shots, pitch=pitch, progress=advance)


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


@renamed(label="as_")
def prepare(
    folder: str | Path,
    out: str | Path,
    *,
    one_shots: bool = False,
    pitch: str = "yes",
    workers: int = 1,
    licence: str = "",
    as_: str = "",
    repair: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Analyse a folder of notes into one file; returns its path. Besides the package, it is all that training needs.

    one_shots, pitch, as_: as in `inspect`. workers: processes to use. licence: of the sounds, recorded in the file
    and in voices trained on it. repair: rid the notes of noise, hum, clicks and clipping first, as the verb `repair`
    does. Raises AntiphonError if nothing usable is found or (without force) if `out` exists."""
    from antiphon.data.labelling.manifest import scan
    from antiphon.data.prepare import prepare as measure
    from antiphon.verbs.repair import mended

    out, report = Path(out), Report(quiet)
    if out.suffix != ".safetensors":
        raise AntiphonError(f"cannot write {out.name}: use a name that ends in .safetensors")
    check_place(out, force=force)
    with report.bar("reading") as advance:
        manifest = scan(folder, one_shots=one_shots, pitch=pitch, progress=advance).called(as_)
    for remark in manifest.remarks:
        report.say(f"note: {remark}")
    with report.bar("measuring") as advance:
        how: dict[str, Any] = {"licence": licence, "sources": [Path(folder).name], "force": force}
        how["mend"] = mended if repair else None
        done = measure(manifest, out, workers=workers, progress=advance, **how)
    for item in done.refused[:10]:
        report.say(f"refused: {item.path}: {item.reason}")
    if len(done.refused) > 10:
        report.say(f"refused: {len(done.refused) - 10} more; `antiphon data inspect {folder}` lists them")
    report.say(f"{done.notes} notes, {done.seconds / 60:.1f} minutes of sound")
    return out


def cut(
    session: str | Path,
    out: str | Path,
    *,
    name: str | None = None,
    repair: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Cut a long recording of many notes into a folder of them; returns the folder.

    Each file is called by its pitch, as it is heard, and its velocity, from its level (the loudest is 115):
    clarinet_A3_v087_1.wav. Releases are kept. name: what to call the instrument; from the session's name, if not said.
    repair: rid the session of noise, hum, clicks and clipping first, as the verb `repair` does.
    cut.html shows what was cut where. Raises AntiphonError if no notes are found, for a missing tracker, or (without
    force) if the folder exists and is not empty."""
    from antiphon.audio.files import encode, read_audio
    from antiphon.audio.ops import to_mono
    from antiphon.data.analysis.tracker import open_tracker
    from antiphon.verbs.cutting import label_of, named, page_of, spans_of
    from antiphon.verbs.repair import mended

    path, folder, report = Path(session), Path(out), Report(quiet)
    open_tracker(demand=True)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not force:
        raise AntiphonError(f"{folder} exists and is not empty: choose another folder, or add --force to add to it")
    sound = read_audio(path, mono=False)
    sound = mended(sound) if repair else sound
    audio = to_mono(sound)
    spans = spans_of(audio)
    if not spans:
        raise AntiphonError(f"no notes with a pitch were found in {path.name}")
    files = named(spans, name or label_of(path.stem))
    with in_folder(folder), all_atomic([folder / file for file in (*files, "cut.html")]) as drafts:
        for span, file, draft in zip(spans, files, drafts, strict=False):
            encode(draft, folder / file, span.sound(sound if sound.shape[1] == 2 else audio))
        drafts[-1].write_text(page_of(path.name, audio, spans, files), encoding="utf-8", errors="replace")
    report.say(f"{len(spans)} notes of {len(audio) / SAMPLE_RATE:.1f} s; `antiphon data inspect {folder}` lists them")
    return folder
