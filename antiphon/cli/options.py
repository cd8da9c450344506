"""How the command line's options are declared and read, and how results are shown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, UseAppendAction, arg

from antiphon.core.detail import detailed
from antiphon.core.errors import AntiphonError


def opt(metavar: str, *aliases: str) -> object:
    """An option whose help shows no default, because its text gives it or there is none."""
    return arg(metavar=metavar, aliases=aliases, help_behavior_hint="")


Flag = Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")]
Words = UseAppendAction[tuple[tuple[str, ...], ...]]


Quiet = Annotated[FlagCreatePairsOff[bool], arg(aliases=["-q"], help_behavior_hint="")]


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """Of verbs that say what they do while they do it."""

    quiet: Quiet = False
    """say nothing but the result and what went wrong"""
    verbose: Annotated[FlagCreatePairsOff[bool], arg(aliases=["-v"], help_behavior_hint="")] = False
    """say more: which voice, each step and how long it took, each file written"""


@dataclass(frozen=True, kw_only=True)
class FileForm:
    """The form of a sound file."""

    rate: Annotated[int | None, opt("HZ")] = None
    """samples per second, such as 48000 (default: 44100)"""
    bits: Annotated[Literal[16, 24, 32] | None, opt("16|24|32")] = None
    """bits of a sample in wav, flac and aiff; 32 is float (default: 24)"""
    mono: Flag = False
    """write one channel"""

    def form(self) -> dict[str, Any]:
        """These options, as functions take them."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class SoundFile(FileForm):
    """How sound files are written."""

    gain: Annotated[float, arg(metavar="DB")] = 0.0
    """louder or softer by so many dB; peaks are limited"""
    lufs: Annotated[float | None, opt("LUFS")] = None
    """how loud, in LUFS (default: -16 for a song, as it comes for single sounds)"""


File = OmitArgPrefixes[SoundFile]
AS_USUAL = SoundFile()
OnlyForm = OmitArgPrefixes[FileForm]
PLAIN_FORM = FileForm()


class Command(Protocol):
    """A parsed verb."""

    def run(self) -> None: ...


def carry_out(command: Command) -> None:
    """Run it, with details if they are asked for. Raises AntiphonError if silence is too."""
    verbose = getattr(command, "verbose", False)
    if verbose and getattr(command, "quiet", False):
        raise AntiphonError("--quiet and --verbose exclude each other: use one")
    with detailed(verbose):
        command.run()


def show(renderable: Any) -> None:
    """Print a rich renderable, at its full width where no terminal limits it."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=200)).print(renderable)


def flat(groups: tuple[tuple[str, ...], ...]) -> list[str]:
    """The words of an option, which may be given several times and with commas."""
    return [word.strip() for group in groups for words in group for word in words.split(",") if word.strip()]


def workers(asked: int | None) -> int:
    """How many processes to use: one for each processor if nothing is asked for."""
    if asked is not None and not 1 <= asked <= 1024:
        raise AntiphonError(f"cannot use {asked} workers: use 1 to 1024")
    return asked or os.cpu_count() or 1
