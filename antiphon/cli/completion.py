"""Completion of verbs and options in a shell: `antiphon --completion bash` prints what the shell is to read."""

from __future__ import annotations

import re
from collections.abc import Callable

from antiphon.core.errors import AntiphonError

Known = dict[str, list[str]]  # the words that may follow each verb

BASH = """_antiphon() {{
    local now=${{COMP_WORDS[COMP_CWORD]}} words=
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    [ "$COMP_CWORD" = 1 ] && words="{verbs}"
    COMPREPLY=($(compgen -W "$words" -- "$now") $(compgen -f -- "$now"))
}}
complete -o filenames -F _antiphon antiphon"""


def completion(shell: str, helped: Callable[[str], str]) -> str:
    """The script for bash, zsh or fish. helped: a verb to its help."""
    scripts = {"bash": _bash, "zsh": lambda known: f"autoload -U +X bashcompinit && bashcompinit\n{_bash(known)}",
               "fish": _fish}  # fmt: skip
    if shell not in scripts:
        raise AntiphonError(f"there is no completion for '{shell}': use {', '.join(scripts)}")
    return scripts[shell](_known(helped))


def _bash(known: Known) -> str:
    cases = "\n".join(f'        {verb}) words="{" ".join(options)}";;' for verb, options in known.items())
    return BASH.format(cases=cases, verbs=" ".join(known))


def _fish(known: Known) -> str:
    lines = [f"complete -c antiphon -n __fish_use_subcommand -a '{' '.join(known)}'"]
    for verb, options in known.items():
        there = f"complete -c antiphon -n '__fish_seen_subcommand_from {verb}'"
        lines += [f"{there} -l {word[2:]}" if word.startswith("--") else f"{there} -a {word}" for word in options]
    return "\n".join(lines)


def _known(helped: Callable[[str], str]) -> Known:
    """The words that may follow each verb: its options, or the rest of its name."""
    from antiphon.cli.commands import VERBS

    found: Known = {}
    for verb in VERBS:
        first, _, second = verb.partition(" ")
        words = found.setdefault(first, [])
        options = re.findall(r"(?<![\w-])--[a-z][a-z-]+", helped(verb))
        words += [word for word in dict.fromkeys([second] * bool(second) + options) if word not in words]
    return found
