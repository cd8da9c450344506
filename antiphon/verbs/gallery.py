"""The sounds in the documentation, made by the verbs it describes: `gallery`, into a folder with a page."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from antiphon.audio.files import check_place, read_audio
from antiphon.core.atomic import scratch
from antiphon.core.errors import AntiphonError
from antiphon.core.seeds import check_seed
from antiphon.core.stopping import check, held
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.plots.sheet import SONG, WIDTH, spectrogram_panels
from antiphon.verbs.clone import clone
from antiphon.verbs.export import export
from antiphon.verbs.gallery_table import SECTIONS, Line, Recording, Section
from antiphon.verbs.generate import generate
from antiphon.verbs.morph import morph
from antiphon.verbs.page import Chapter, Figure, Group, html_page
from antiphon.verbs.play import play
from antiphon.verbs.report import Advance, Report
from antiphon.verbs.scene import AMBIENCE, scene
from antiphon.voices.capabilities import ImaginesScenes
from antiphon.voices.find import load

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

PAGE = "index.html"
OPENED = (".sfz", ".dspreset", ".multisample", ".sf2")
WIDE = 3 * WIDTH + 20  # pixels: the picture of a sound that is longer than a note
NOTES = Path("examples/notes")
VERBS: dict[str, Callable[..., Path]] = {
    "generate": generate, "play": play, "morph": morph, "clone": clone, "scene": scene,
    "export": export,
}  # fmt: skip
OPTIONS = {"n": "-n", "start": "--from", "stop": "--to", "morphs": "--morph"}  # others are named like their keywords
INTRODUCTION = (
    "Every sound here is made by the command below it. Pictures show 30 Hz to 20 kHz from bottom to top, 80 dB"
    " from dark to bright; the first tenth of a second of a note is stretched."
)


@dataclass(frozen=True)
class Made:
    """The result of a line of the table: how it was made, its sounds, (samples,) or (samples, 2), by title, and the
    files beside the page that are to be opened elsewhere, by title."""

    command: str
    remark: str
    sounds: dict[str, np.ndarray]
    links: dict[str, str] = field(default_factory=dict)


def gallery(
    out: str | Path = "gallery",
    voice: str | Path = "gm",
    *,
    only: Sequence[str] = (),
    seed: int | str = 0,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Make the sounds that the documentation shows, in the folder `out`; returns the page to see and hear them, a
    self-contained index.html.

    voice: a bundled voice's name, a run folder or a weights file; sounds of instruments it lacks are left out. only:
    names of sections, listed in antiphon/verbs/gallery_table.py (default: all). seed: added to each sound's own.
    Everything appears at the end, or nothing does. Raises AntiphonError for an unknown section or voice, and (without
    force) if any of it exists."""
    folder, number, report = Path(out), check_seed(seed), Report(quiet)
    sections = _chosen(only)
    page = check_place(folder / PAGE, force=force)
    for section in sections:
        if (folder / section.name).exists() and not force:
            raise AntiphonError(f"{folder / section.name} exists: choose another folder, or add --force to replace it")
    existing = next(parent for parent in page.absolute().parents if parent.exists())
    with scratch(existing) as place, report.bar("gallery") as advance:
        kitchen = Kitchen(load(voice), str(voice), folder, place, number, report)
        chapters = kitchen.chapters(sections, advance)
        title = f"Antiphon: sounds of the voice {kitchen.player.info.name}"
        Path(place, PAGE).write_text(html_page(title, INTRODUCTION, chapters), encoding="utf-8")
        check()
        with held(late=True):
            for made in sorted(path for path in place.rglob("*") if path.is_file()):
                target = folder / made.relative_to(place)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(made, target)
    return page


def _chosen(names: Sequence[str]) -> list[Section]:
    known = [section.name for section in SECTIONS]
    for name in names:
        if name not in known:
            raise AntiphonError(f"the gallery has no section '{name}': use {', '.join(known)}")
    return [section for section in SECTIONS if not names or section.name in names]


@dataclass(frozen=True)
class Kitchen:
    """Turns lines of the table into sounds: made in `scratch`, shown as if made in `folder`."""

    player: Voice
    voice: str  # as the user named it
    folder: Path
    scratch: Path
    seed: int
    report: Report

    def chapters(self, sections: Sequence[Section], advance: Advance) -> list[Chapter]:
        """The page's chapters. Raises AntiphonError if the voice can make none of the sounds."""
        total, done, found = sum(len(section.lines) for section in sections), 0, []
        for section in sections:
            made = []
            for line in section.lines:
                try:
                    made.append(self._recorded(line) if isinstance(line, Recording) else self._made(section, line))
                except AntiphonError as lack:  # voices know different instruments
                    self.report.say(f"left out: {section.name}, {line.title}: {lack}")
                done += 1
                advance(done, total)
            if any(one.sounds or one.links for one in made):
                found.append(Chapter(section.heading, section.text, _groups(made)))
        if not found:
            raise AntiphonError(f"the voice {self.voice} can make none of these sounds: use another voice, or --only")
        return found

    def _voice_of(self, section: Section, line: Line) -> Voice | Path:
        """The voice that plays a line: the gallery's, or one that an earlier line of the section made."""
        if line.verb == "scene" and not isinstance(self.player, ImaginesScenes):
            return load(AMBIENCE)
        if not line.voice:
            return self.player
        made = self.scratch / section.name / f"{line.voice}.safetensors"
        if not made.is_file():
            raise AntiphonError(f"it needs the voice {line.voice}, which was not made")
        return made

    def _recorded(self, line: Recording) -> Made:
        import soxr

        sound = read_audio(_notes() / line.path)
        remark = str(NOTES / line.path)
        if line.semitones:
            ratio = 2 ** (line.semitones / 12)
            sound = soxr.resample(sound, SAMPLE_RATE * ratio, SAMPLE_RATE)
            remark += f", played {ratio:g} times as fast"
        return Made("", remark, {line.title: sound})

    def _made(self, section: Section, line: Line) -> Made:
        place = Path(section.name, re.sub(r"[^\w.]+", "-", line.title).strip("-"))
        if line.verb in ("play", "morph", "scene"):
            place = place.with_name(f"{place.name}.wav")
        elif line.how.get("format") == "web":
            place = place.with_name(f"{place.name}.html")
        how, own = dict(line.how), line.how.get("seed", 0) + self.seed
        if own:
            how["seed"] = own
        if "samples" in how:
            how["samples"] = _notes() / how["samples"]
        (self.scratch / section.name).mkdir(exist_ok=True)
        player = self._voice_of(section, line)
        target = VERBS[line.verb](voice=player, out=self.scratch / place, quiet=True, **how)
        sounds = {title: read_audio(path, mono=False) for title, path in _files(line, target, own)}
        shown = str(self.folder / section.name / line.voice) if line.voice else self.voice
        shown = AMBIENCE if line.verb == "scene" and player is not self.player else shown
        links = {path.name: path.relative_to(self.scratch).as_posix() for path in _opened(line, target)}
        return Made(command_line(line.verb, shown, self.folder / place, how), "", sounds, links)


def command_line(verb: str, voice: str, out: Path, how: dict[str, Any]) -> str:
    """The command line for a verb with these keywords."""
    words = ["antiphon", verb, *([] if verb == "play" else [voice])]
    words += [str(how["samples"])] if "samples" in how else []
    words += ["--voice", voice] if verb == "play" and voice != "gm" else []
    words += ["-o", str(out)]
    for name, value in how.items():
        if value is True:
            words.append(f"--{name}")
        elif name != "samples":
            words += [OPTIONS.get(name, f"--{name}"), *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def _notes() -> Path:
    """examples/notes of the current folder, or else of the copy of the repository that the package is in."""
    own = Path(__file__).parents[2] / NOTES
    return NOTES if NOTES.is_dir() or not own.is_dir() else own


def _files(line: Line, target: Path, seed: int) -> list[tuple[str, Path]]:
    """The sound files that a line made, with titles."""
    if line.verb in ("clone", "export"):
        return []
    if line.verb != "generate":
        return [(line.title, target)]
    paths = sorted(target.glob("*.wav"))
    return [(line.title if len(paths) == 1 else f"{line.title}, seed {seed + i}", p) for i, p in enumerate(paths)]


def _opened(line: Line, target: Path) -> list[Path]:
    """The files of an export that other programs, or a browser, open."""
    if line.verb != "export":
        return []
    return [target] if target.is_file() else sorted(p for p in target.iterdir() if p.suffix in OPENED)


def _groups(made: Sequence[Made]) -> list[Group]:
    """The sounds of a section with pictures. Notes share a time axis and a scale; longer sounds have their own."""
    sounds = [sound if sound.ndim == 1 else sound.mean(1) for one in made for sound in one.sounds.values()]
    brief = [sound for sound in sounds if len(sound) <= SONG * SAMPLE_RATE]
    panels = iter(spectrogram_panels(brief)) if brief else iter(())
    pictures = iter(
        next(panels) if len(sound) <= SONG * SAMPLE_RATE else spectrogram_panels([sound], width=WIDE)[0]
        for sound in sounds
    )
    return [
        Group(
            [Figure(title, sound, next(pictures)) for title, sound in one.sounds.items()],
            one.command,
            one.remark,
            one.links,
        )
        for one in made
    ]
