"""Completion of verbs and options in a shell: `antiphon --completion bash` prints what the shell is to read."""

from __future__ import annotations

import contextlib
import io
import re

from antiphon.core.errors import AntiphonError

BASH = """_antiphon() {{
    local now=${{COMP_WORDS[COMP_CWORD]}} words=
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    [ "$COMP_CWORD" = 1 ] && words="{verbs}"
    COMPREPLY=($(compgen -W "$words" -- "$now") $(compgen -f -- "$now"))
}}
complete -o filenames -F _antiphon antiphon"""


def completion(shell: str) -> str:
    """The script for bash, zsh or fish."""
    scripts = {"bash": _bash, "zsh": lambda: f"autoload -U +X bashcompinit && bashcompinit\n{_bash()}", "fish": _fish}
    if shell not in scripts:
        raise AntiphonError(f"there is no completion for '{shell}': use {', '.join(scripts)}")
    return scripts[shell]()


def _bash() -> str:
    known = _known()
    cases = "\n".join(f'        {verb}) words="{" ".join(options)}";;' for verb, options in known.items())
    return BASH.format(cases=cases, verbs=" ".join(known))


def _fish() -> str:
    known = _known()
    lines = [f"complete -c antiphon -n __fish_use_subcommand -a '{' '.join(known)}'"]
    for verb, options in known.items():
        there = f"complete -c antiphon -n '__fish_seen_subcommand_from {verb}'"
        lines += [f"{there} -l {word[2:]}" if word.startswith("--") else f"{there} -a {word}" for word in options]
    return "\n".join(lines)


def _known() -> dict[str, list[str]]:
    """The words that may follow each verb: its options, or the rest of its name."""
    from antiphon.cli.commands import VERBS

    found: dict[str, list[str]] = {}
    for verb in VERBS:
        first, _, second = verb.partition(" ")
        words = found.setdefault(first, [])
        words += [word for word in [second] * bool(second) + _options(verb) if word not in words]
    return found


def _options(verb: str) -> list[str]:
    from antiphon.cli.app import _parse

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        _parse(verb, ["--help"])
    return list(dict.fromkeys(re.findall(r"(?<![\w-])--[a-z][a-z-]+", said.getvalue())))
