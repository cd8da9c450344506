"""Verbs that make voices, show them and carry them elsewhere.

Heavy modules are imported when a verb runs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from antiphon.cli.options import (
    Flag,
    Spoken,
    Words,
    flat,
    opt,
    show,
    workers,
)


@dataclass(frozen=True)
class Train(Spoken):
    """Learn a voice from a folder of recorded notes. The same command again resumes an interrupted run.

    Example: antiphon train my-notes -o runs/mine --minutes 60
    """

    source: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """a folder of sound files, or a file made by `antiphon data prepare`"""
    out: Annotated[Path, arg(metavar="RUN", aliases=["-o"])]
    """the run's folder: weights, sheets, sounds, log"""
    recipe: Annotated[str | None, opt("NAME")] = None
    """the method: instrument (the default), drums, or one of the literature's GANs: dcgan, wavegan, specgan,
    gansynth, gansynth-r3gan (docs/recipes.md)"""
    size: Annotated[Literal["tiny", "small", "base", "large"] | None, opt("tiny|small|base|large")] = None
    """how large the networks are (default: the starting voice's size, or base)"""
    steps: Annotated[int | None, opt("N")] = None
    """train for this many steps"""
    minutes: Annotated[float | None, opt("M")] = None
    """train for about this long on this machine (default: 10)"""
    start_from: Annotated[str | None, arg(name="from", metavar="V", help_behavior_hint="")] = None
    """begin from this voice (default: the bundled gm, where there is one)"""
    from_scratch: Flag = False
    """begin with untrained networks"""
    seed: Annotated[str | None, opt("N|NAME")] = None
    """random seed, a number or any name (default: 0)"""
    set: Annotated[Words, opt("NAME=VALUE ...")] = ()
    """any setting of the recipe, such as game.rule=hinge or batch=8"""
    threads: Annotated[int | None, opt("N")] = None
    """processors to use, one process each (default: all, or as many as before)"""
    workers: Annotated[int | None, opt("N")] = None
    """processes that analyse the notes before training (default: one per processor)"""
    licence: Annotated[str, opt("TEXT")] = ""
    """licence of the sounds; recorded in the voice"""
    as_: Annotated[str, arg(name="as", metavar="LABEL", help_behavior_hint="")] = ""
    """what to call the instrument, if not by the names of folders and files"""
    repair: Flag = False
    """rid the sounds of noise, hum, clicks and clipping first: what is in them would be learned"""
    force: Flag = False
    """start over in a folder that holds another run"""

    def run(self) -> None:
        from antiphon.recipes.override import parse_settings
        from antiphon.verbs.train import train

        how: dict[str, Any] = {"size": self.size, "steps": self.steps, "minutes": self.minutes, "seed": self.seed}
        how |= {
            "recipe": self.recipe,
            "start_from": self.start_from,
            "from_scratch": self.from_scratch,
            "threads": self.threads,
        }
        how |= {"workers": workers(self.workers), "licence": self.licence, "as_": self.as_}
        how |= {"repair": self.repair, "force": self.force, "quiet": self.quiet}
        weights = train(self.source, self.out, settings=parse_settings(_settings(self.set)), **how)
        if os.environ.get("RANK", "0") == "0":  # only one of torchrun's processes prints
            print(weights)


@dataclass(frozen=True)
class Clone(Spoken):
    """Make a voice of an instrument from one recorded note of it, or from several.

    Example: antiphon clone gm kalimba.wav -o kalimba; antiphon play song.mid --voice kalimba
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """the voice to begin from: bundled, a run folder or a weights file"""
    samples: Annotated[Positional[tuple[Path, ...]], opt("SAMPLE.wav ...")]
    """recordings, each of a single note"""
    out: Annotated[Path, arg(metavar="MYVOICE", aliases=["-o"])]
    """the new voice's file; .safetensors is added to its name"""
    pitch: Annotated[tuple[str, ...], opt("A3 ...")] = ()
    """the note of each recording, in their order (default: estimated from the sound)"""
    name: Annotated[str | None, opt("LABEL")] = None
    """what to call the instrument (default: the first recording's name)"""
    as_: Annotated[str | None, arg(name="as", metavar="LABEL", help_behavior_hint="")] = None
    """the voice's instrument that it is most like, such as oboe (default: as heard)"""
    control: Annotated[Words, opt("NAME=-1..1 ...")] = ()
    """turn what was learned: brightness=+1 attack=-0.5 (`antiphon info V` lists the names)"""
    repair: Flag = False
    """learn from the recordings without their noise, hum, clicks and clipping"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name"""
    force: Flag = False
    """replace the file if it exists"""

    def run(self) -> None:
        from antiphon.verbs.clone import clone
        from antiphon.voices.controls import parse_controls

        how: dict[str, Any] = {"pitch": self.pitch, "name": self.name, "as_": self.as_}
        how["control"] = parse_controls(flat(self.control))
        how |= {"repair": self.repair, "seed": self.seed, "force": self.force, "quiet": self.quiet}
        print(clone(self.voice, self.samples, self.out, **how))


@dataclass(frozen=True)
class Export(Spoken):
    """Write a voice as samples for a sampler (SFZ, SoundFont and others), as a web page that plays, or as ONNX.

    Example: antiphon export gm -o flute --instrument flute; antiphon export gm -o gm.html --format web
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """a bundled voice, a run folder or a weights file"""
    out: Annotated[Path, arg(metavar="DIR", aliases=["-o"])]
    """the folder for the pack; for web the HTML file"""
    format: Annotated[str, arg(metavar="sfz|decentsampler|multisample|sf2|wav|web|onnx")] = "sfz"
    """what the sampler reads (multisample: Bitwig Studio, Studio One; wav: Kontakt, Logic, Simpler, MPC and others); or
    the voice itself, without samples: web, a page that plays in a browser, and onnx, its networks"""
    instrument: Annotated[Words, opt("LABEL ...")] = ()
    """instruments, General MIDI names or numbers, blends (flute:0.6,strings:0.4) or recordings (NOTE.wav); `all` for
    everything (default: all, of a voice of few); of a kit: drums"""
    keys: Annotated[int, arg(metavar="N")] = 3
    """semitones from one sampled key to the next, at most"""
    velocities: Annotated[int, arg(metavar="N")] = 3
    """velocity layers; with 1, the sampler makes one sample softer and louder"""
    takes: Annotated[int, arg(metavar="N")] = 2
    """variants of each sample that sound in turn (a soundfont has one)"""
    seconds: Annotated[float | None, opt("S")] = None
    """how long a note is held (default: 2, and up to 6 where it has no loop)"""
    loop: Annotated[Literal["auto", "no"], arg(metavar="auto|no")] = "auto"
    """auto: a note that lasts is looped where nobody hears the join"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another player"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.export import export

        how: dict[str, Any] = {"format": self.format, "keys": self.keys, "velocities": self.velocities}
        how |= {"takes": self.takes, "seconds": self.seconds, "loop": self.loop, "seed": self.seed}
        how |= {"instrument": [name for group in self.instrument for name in group], "force": self.force}
        how["quiet"] = self.quiet
        print(export(self.voice, self.out, **how))


@dataclass(frozen=True)
class Gallery(Spoken):
    """Make the sounds that the documentation shows, and a page to see and hear them, with the command behind each.

    Example: antiphon gallery -o gallery --only morph blend
    """

    out: Annotated[Path, arg(metavar="FOLDER", aliases=["-o"])] = Path("gallery")
    """the folder for the sounds and the page, index.html"""
    voice: Annotated[str, arg(metavar="V")] = "gm"
    """a bundled voice, a run folder or a weights file"""
    only: Annotated[Words, opt("NAME ...")] = ()
    """some of imagined, players, between, velocity, hold, morph, blend, variation, clone, song, scenes, export
    (default: all)"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another seed, other players"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.gallery import gallery

        only = flat(self.only)
        print(gallery(self.out, self.voice, only=only, seed=self.seed, force=self.force, quiet=self.quiet))


@dataclass(frozen=True)
class Explain(Spoken):
    """Show why a voice, one of its notes or a recording sounds as it does: controls, causes, parts, nearest sounds.

    Example: antiphon explain gm -o why.html --note "flute C5 seed 7"
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """a bundled voice, a run folder or a weights file"""
    out: Annotated[Path, arg(metavar="WHY.html", aliases=["-o"])] = Path("why.html")
    """the page; WHY.json beside it holds the same for programs"""
    instrument: Annotated[str | None, opt("LABEL", "-i")] = None
    """the instrument to hear the controls with (default: the voice's first)"""
    note: Annotated[str | None, opt("TEXT")] = None
    """explain one sound: "flute C5 seed 7", also with velocity 90 and seconds 2"""
    recording: Annotated[Path | None, opt("NOTE.wav")] = None
    """explain what the voice makes of a recording of one note"""
    fit: Flag = False
    """first find the voice's controls by listening to it (minutes), and keep them beside its weights"""
    sounds: Annotated[Path | None, opt("PREPARED")] = None
    """the prepared file of its training sounds, to find the nearest in (default: the run's own)"""
    workers: Annotated[int | None, opt("N")] = None
    """processes that listen (default: one per processor)"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.explain import explain

        how: dict[str, Any] = {"instrument": self.instrument, "note": self.note, "recording": self.recording}
        how |= {"fit": self.fit, "sounds": self.sounds, "workers": workers(self.workers)}
        print(explain(self.voice, self.out, **how, force=self.force, quiet=self.quiet))


@dataclass(frozen=True)
class Info(Spoken):
    """Show what a voice knows: labels, pitch ranges, styles, size, training, licence.

    Example: antiphon info gm guitar
    """

    voice: Annotated[Positional[str | None], opt("V")] = None
    """a bundled voice, a run folder or a weights file (default: list the bundled voices)"""
    words: Annotated[Positional[tuple[str, ...]], opt("WORD ...")] = ()
    """show only instruments with one of these words in their name, family or styles"""
    json: Flag = False
    """print JSON"""

    def run(self) -> None:
        from antiphon.verbs.info import card, facts

        if self.voice is None:
            List().run()
        elif self.json:
            from json import dumps

            print(dumps(facts(self.voice, self.words), indent=2))
        else:
            show(card(self.voice, self.words))


@dataclass(frozen=True)
class List(Spoken):
    """List the voices there are: the bundled ones, and those in a folder.

    Example: antiphon list runs
    """

    folder: Annotated[Positional[Path | None], opt("FOLDER")] = None
    """a folder of run folders and weights files"""

    def run(self) -> None:
        from antiphon.voices.find import bundled, voices_in

        found = bundled() if self.folder is None else [*bundled(), *map(str, voices_in(self.folder))]
        print("\n".join(found) or "no voices are bundled")


def _settings(groups: tuple[tuple[str, ...], ...]) -> list[str]:
    """NAME=VALUE one by one; a comma separates two of them only where another NAME= follows."""
    texts = [text for group in groups for words in group for text in re.split(r",(?=[^,=]+=)", words)]
    return [text.strip(" ,") for text in texts if text.strip(" ,")]
