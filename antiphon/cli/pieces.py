"""The verb that composes.

Heavy modules are imported when a verb runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from antiphon.cli.options import (
    Flag,
    Spoken,
    Words,
    flat,
    opt,
)
from antiphon.core.errors import AntiphonError


@dataclass(frozen=True)
class Compose(Spoken):
    """Compose music, as MIDI: a new piece, or one that goes on, accompanies or varies what you give.

    Example: antiphon compose -o song.mid --style game --bars 32 --key Am --audio
    """

    out: Annotated[Path | None, opt("SONG.mid", "-o")] = None
    """a MIDI file; or, by its ending, a sound (.wav, .flac, .mp3), a piano roll (.png), or a page with all of them
    (.html) (default: an unused name, song.mid)"""
    voice: Annotated[str, arg(metavar="V")] = "composer"
    """a bundled voice, a run folder or a weights file"""
    style: Annotated[str | None, opt("LABEL")] = None
    """one of the voice's styles (default: drawn by the seed; `antiphon info composer` lists them)"""
    bars: Annotated[int | None, opt("N")] = None
    """how many bars, or how many more with --continue (default: 32)"""
    tempo: Annotated[float | None, opt("BPM")] = None
    """beats a minute"""
    key: Annotated[str | None, opt("Am|F#|Bb")] = None
    """the key, with m for minor"""
    meter: Annotated[str | None, opt("4/4|3/4|6/8")] = None
    """the time signature"""
    density: Annotated[float | None, opt("0-1")] = None
    """few notes (0) to many (1)"""
    parts: Annotated[Words, opt("ROLE,...")] = ()
    """the parts to write: any of melody, inner, chords, bass, drums"""
    more: Annotated[Words, opt("NAME=0-1,...")] = ()
    """other qualities, each from little (0) to much (1): register, syncopation, polyphony"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another seed, another piece"""
    temperature: Annotated[float, arg(metavar="T")] = 1.0
    """below 1 more usual, above 1 bolder"""
    after: Annotated[Path | None, arg(name="continue", metavar="MINE.mid", help_behavior_hint="")] = None
    """a piece to go on with, in its manner"""
    around: Annotated[Path | None, arg(name="with", metavar="MELODY.mid", help_behavior_hint="")] = None
    """a piece to write other parts for; it stays as it is, note for note"""
    keep: Annotated[Words, opt("1,2")] = ()
    """which of its parts stay, counted from 1 (default: all)"""
    vary: Annotated[Path | None, opt("MINE.mid")] = None
    """a piece to vary"""
    amount: Annotated[float, arg(metavar="0-1")] = 0.3
    """how far: 0 hardly, 1 a new piece"""
    audio: Annotated[tuple[Path, ...] | None, opt("SONG.wav")] = None
    """also write it as a sound, played by gm and kit (default name: as the MIDI file's)"""
    picture: Flag = False
    """also draw a piano roll with sections, in a PNG of the same name"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.compose import compose

        names = ("bars", "after", "around", "vary", "amount", "style", "tempo", "key", "density", "seed")
        how: dict[str, Any] = {name: getattr(self, name) for name in (*names, "temperature", "picture")}
        how |= {"metre": self.meter, "parts": flat(self.parts), "controls": _controls(flat(self.more))}
        how |= {"keep": [_whole(word) for word in flat(self.keep)], "audio": _audio(self.audio)}
        print(compose(self.out, self.voice, **how, force=self.force, quiet=self.quiet))


def _controls(words: list[str]) -> dict[str, float]:
    """NAME=NUMBER one by one."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise AntiphonError(f"'{word}' says not how much: write it like register=0.7") from None
    return found


def _whole(word: str) -> int:
    if not word.isdecimal():
        raise AntiphonError(f"'{word}' is not a number of a part: use 1, 2 ...")
    return int(word)


def _audio(names: tuple[Path, ...] | None) -> bool | Path:
    """Whether, or where, to write a sound: the option stands alone or with one name."""
    if names is not None and len(names) > 1:
        raise AntiphonError(f"--audio takes one name, not {len(names)}")
    return names is not None and (names[0] if names else True)
