"""The command line: parse, call a verb (cli/commands.py), print the result's path last; errors in one line.

What takes time to import is imported inside `main`, so that Ctrl-C is handled from the start.
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from antiphon import __version__
from antiphon.core.atomic import sweep_up
from antiphon.core.errors import AntiphonError
from antiphon.core.stopping import deafen, listening

if TYPE_CHECKING:
    from antiphon.cli.options import Command


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line and exit: 0, 2 after a user's error (one line on stderr), 130 after Ctrl-C."""
    with listening():
        try:
            status = _status(list(sys.argv[1:] if argv is None else argv))
        except KeyboardInterrupt as stop:
            status = _fail(str(stop) or "stopped", 130)
            if argv is None:  # Python itself would end by SIGINT, if a library's C code has seen the interrupt
                atexit.register(os._exit, status)
        sweep_up()
    if argv is None:  # the result is there: what comes while Python ends its threads would only hide the status
        deafen()
    sys.exit(status)


def _status(argv: list[str]) -> int:
    """Run one command line. -> its status, after a line on stderr for whatever went wrong but a stop"""
    try:
        _legible()
        return _run(argv)
    except AntiphonError as error:
        return _fail(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
        return 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "a file could not be read or written: "
        return _fail(where + (error.strerror or str(error)), 2)
    except MemoryError:
        return _fail("not enough memory for this: try fewer or shorter notes", 2)
    except Exception as error:
        if os.environ.get("ANTIPHON_DEBUG"):
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        return _fail(f"internal error ({what}): please report it (ANTIPHON_DEBUG=1 shows where)", 1)


def _legible() -> None:
    """Escape characters that the terminal's encoding lacks, and do without a closed stream (`>&-`), rather than fail
    when all the work is done."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (for as long as the program runs)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _run(argv: list[str]) -> int:
    from antiphon.cli.commands import VERBS
    from antiphon.cli.options import carry_out

    if not argv or argv in (["-h"], ["--help"], ["help"]):
        print(_overview())
        return 0
    if argv[0] in ("-h", "--help", "help"):  # of a verb
        argv = [*argv[1:], "--help"]
    if argv[0] in ("-V", "--version", "version"):
        print(f"antiphon {__version__}")
        return 0
    if argv[0] == "--completion":
        from antiphon.cli.completion import completion

        print(completion(argv[1] if len(argv) > 1 else "", _help))
        return 0
    words = 2 if argv[0] == "data" else 1
    if argv[0] == "data" and (len(argv) == 1 or argv[1] in ("-h", "--help")):
        print(_overview("data "))
        return 0
    verb = " ".join(argv[:words])
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, [*VERBS, "data"], 1)
        hint = f"did you mean `antiphon {near[0]}`?" if near else f"use {', '.join(VERBS)}"
        raise AntiphonError(f"there is no `antiphon {verb}`: {hint}")
    if "" in argv:  # as a path it would mean the current folder
        raise AntiphonError("one of the arguments is empty: give a value or leave the option out (an unset variable?)")
    carry_out(_parse(verb, argv[words:]))
    sys.stdout.flush()
    return 0


def _overview(beginning: str = "") -> str:
    from antiphon.cli.commands import VERBS

    chosen = {name: verb for name, verb in VERBS.items() if name.startswith(beginning)}
    lines = [f"  antiphon {name:14}{(verb.__doc__ or '').splitlines()[0]}" for name, verb in chosen.items()]
    examples = [f"  {line.strip().removeprefix('Example: ')}" for verb in chosen.values()
                for line in (verb.__doc__ or "").splitlines() if "Example:" in line]  # fmt: skip
    return "\n".join(
        ["Antiphon trains adversarial networks on your sounds and plays what they learned.", "", *lines, "",
         "Examples:", *examples, "", "`antiphon VERB --help` shows a verb's options.",
         "`antiphon --completion bash|zsh|fish` prints what completes them."]
    )  # fmt: skip


def _parse(verb: str, args: list[str]) -> Command:
    """The verb with its options; tyro's complaints about wrong ones become one line."""
    import tyro

    from antiphon.cli.commands import VERBS

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(VERBS[verb], prog=f"antiphon {verb}", args=args)
    except SystemExit as stop:
        if not stop.code:
            raise
    hint = _stray(verb, args) or f"`antiphon {verb} --help` shows the options"
    raise AntiphonError(f"{_gist(said.getvalue())}; {hint}") from None


def _help(verb: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        _parse(verb, ["--help"])
    return said.getvalue()


def _stray(verb: str, args: list[str]) -> str:
    """What to write instead of a second word that is no option, where a verb knows what it is likely to be."""
    from antiphon.cli.commands import STRAYS

    words = list(takewhile(lambda word: not word.startswith("-"), args))
    return f"for '{words[1]}' write {STRAYS[verb]} {words[1]}" if verb in STRAYS and len(words) > 1 else ""


def _gist(box: str) -> str:
    """The message in tyro's box of several lines, as one."""
    lines = [line.strip("│ \t") for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    rules = [i for i, line in enumerate(lines) if line and set(line) == {"─"}]
    text = " ".join(lines[: rules[0]] if rules else lines)
    if "Perhaps you meant:" in lines:
        text += f", perhaps you meant {lines[lines.index('Perhaps you meant:') + 1].split()[0]}"
    text = " ".join(text.split()).rstrip(".")
    for kind, named in (("FLOAT", r"\1 is not a number"), ("INT", r"'\1' is not a whole number")):
        text = re.sub(rf"no type matching \{{None\}}\|{kind} could be instantiated from \['(.*?)'\].*", named, text)
    text = re.sub(r"invalid literal for int\(\) with base 10: ('.*')", r"\1 is not a whole number", text)
    text = re.sub(r"could not convert string to float: ('.*')", r"\1 is not a number", text)
    return text[:1].lower() + text[1:] if text else "these options cannot be understood"


def _fail(text: str, status: int) -> int:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    line = "".join(c if c.isprintable() else " " for c in text)
    line = f"{line[:600]} ... {line[-300:]}" if len(line) > 1000 else line
    print(f"antiphon: {' '.join(line.split())}", file=sys.stderr)
    return status
