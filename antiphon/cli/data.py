"""Verbs of `antiphon data`: folders of sounds and of scores.

Heavy modules are imported when a verb runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from antiphon.cli.options import (
    Flag,
    Spoken,
    opt,
    show,
    workers,
)
from antiphon.core.errors import AntiphonError


@dataclass(frozen=True)
class Inspect(Spoken):
    """Show what a folder of sounds or MIDI files holds: how it was labelled, what was refused and why.

    Example: antiphon data inspect my-notes
    """

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """a folder of sound files, or of MIDI files"""
    one_shots: Flag = False
    """the sounds are drums or the like: they have names but no pitch"""
    pitch: Annotated[Literal["yes", "auto", "no"], arg(metavar="yes|auto|no")] = "yes"
    """whether every sound must have a pitch; auto: yes, unless most have none"""
    scenes: Flag = False
    """the sounds are long recordings of places: show how they sound and what is wrong in them (default: if they seem to
    be)"""
    as_: Annotated[str, arg(name="as", metavar="LABEL", help_behavior_hint="")] = ""
    """what to call the instrument, if not by the names of folders and files"""
    json: Flag = False
    """print JSON: every file with its labels and their sources, and what was refused"""
    picture: Annotated[Path | None, opt("PAGE.html")] = None
    """write a page: a keyboard of every instrument, or every recording of a place; players; what was refused"""
    force: Flag = False
    """replace the page if it exists"""

    def run(self) -> None:
        from antiphon.verbs.data import described, inspect

        how: dict[str, Any] = {"one_shots": self.one_shots, "pitch": self.pitch, "as_": self.as_}
        how |= {"quiet": self.quiet, "scenes": self.scenes or None}
        if self.json:
            if self.picture is not None:
                raise AntiphonError("--json and --picture are two things: use one")
            from json import dumps

            print(dumps(described(self.folder, **how), indent=2))
        else:
            show(inspect(self.folder, picture=self.picture, force=self.force, **how))
            if self.picture is not None:
                print(self.picture)


@dataclass(frozen=True)
class Cut(Spoken):
    """Cut a long recording of many notes into a folder of notes, named by pitch and velocity.

    Example: antiphon data cut session.wav -o my-notes
    """

    session: Annotated[Positional[Path], arg(metavar="SESSION")]
    """a sound file of notes in succession"""
    out: Annotated[Path, arg(metavar="FOLDER", aliases=["-o"])]
    """the folder for the notes, with cut.html, a picture of where they were cut"""
    name: Annotated[str | None, opt("NAME")] = None
    """what to call the instrument (default: from the session's name)"""
    repair: Flag = False
    """rid the session of noise, hum, clicks and clipping first"""
    force: Flag = False
    """write into a folder that contains other files"""

    def run(self) -> None:
        from antiphon.verbs.data import cut

        print(cut(self.session, self.out, name=self.name, repair=self.repair, force=self.force, quiet=self.quiet))


@dataclass(frozen=True)
class Render(Spoken):
    """Render soundfonts into a folder of labelled notes (needs FluidSynth). The same command again resumes.

    Example: antiphon data render FluidR3_GM.sf2 -o notes --programs 0 40 73
    """

    fonts: Annotated[Positional[tuple[Path, ...]], opt("FONT.sf2 ...")]
    """soundfonts, .sf2 or .sf3"""
    out: Annotated[Path, arg(metavar="FOLDER", aliases=["-o"])]
    """the folder for the notes and their table"""
    programs: Annotated[tuple[int, ...], opt("0-127 ...")] = ()
    """General MIDI programs (default: all that play single notes)"""
    step: int = 2
    """semitones from one key to the next"""
    velocities: int = 3
    """velocity layers per key"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed of velocities, holds and what is held out, a number or any name"""
    drums: Flag = False
    """render the hits of the fonts' drum kits instead, for `antiphon train --recipe drums`"""

    def run(self) -> None:
        from antiphon.verbs.data import render

        how: dict[str, Any] = {"step": self.step, "velocities": self.velocities, "seed": self.seed}
        how |= {"drums": self.drums, "quiet": self.quiet}
        print(render(self.fonts, self.out, programs=self.programs, **how))


@dataclass(frozen=True)
class Prepare(Spoken):
    """Analyse a folder of notes into one file: besides the package, all that training on another machine needs.

    Example: antiphon data prepare my-notes -o my-notes.safetensors
    """

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """a folder of sound files"""
    out: Annotated[Path, arg(metavar="FILE.safetensors", aliases=["-o"])]
    """the prepared file"""
    one_shots: Flag = False
    """the sounds are drums or the like: they have names but no pitch"""
    pitch: Annotated[Literal["yes", "auto", "no"], arg(metavar="yes|auto|no")] = "yes"
    """whether every sound must have a pitch; auto: yes, unless most have none"""
    workers: Annotated[int | None, opt("N")] = None
    """processes to use (default: one per processor)"""
    licence: Annotated[str, opt("TEXT")] = ""
    """licence of the sounds; recorded in the file and in voices trained on it"""
    as_: Annotated[str, arg(name="as", metavar="LABEL", help_behavior_hint="")] = ""
    """what to call the instrument, if not by the names of folders and files"""
    repair: Flag = False
    """rid the notes of noise, hum, clicks and clipping first"""
    force: Flag = False
    """replace the file if it exists"""

    def run(self) -> None:
        from antiphon.verbs.data import prepare

        how: dict[str, Any] = {"workers": workers(self.workers), "licence": self.licence, "force": self.force}
        how |= {"as_": self.as_, "repair": self.repair, "quiet": self.quiet}
        print(prepare(self.folder, self.out, one_shots=self.one_shots, pitch=self.pitch, **how))
