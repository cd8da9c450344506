"""How the command line's options are declared, and how results are shown."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from tyro.conf import FlagCreatePairsOff, UseAppendAction, arg


def opt(metavar: str, *aliases: str) -> object:
    """An option whose help shows no default, because its text gives it or there is none."""
    return arg(metavar=metavar, aliases=aliases, help_behavior_hint="")


Flag = Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")]
Words = UseAppendAction[tuple[tuple[str, ...], ...]]


class Command(Protocol):
    """A parsed verb."""

    def run(self) -> None: ...


def show(renderable: Any) -> None:
    """Print a rich renderable, at its full width where no terminal limits it."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=200)).print(renderable)
