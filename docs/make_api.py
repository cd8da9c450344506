"""Writes docs/api.md, the reference of Antiphon's Python interface, from its signatures and docstrings.

python docs/make_api.py
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import antiphon

TARGET = Path(__file__).with_name("api.md")
MODULES = ("antiphon.verbs.data", "antiphon.verbs.info")  # with verbs that `antiphon` itself does not name
TEXTS = ("antiphon.voices.expression",)  # modules that other docstrings refer to
RUNGS = ("from_", "How")  # how the rungs of a verb's ladder are called, and the keywords that they share
WIDTH = 100


def public() -> dict[str, Any]:
    """Every documented name, dotted, with what it stands for, in the order of the reference."""
    found = {f"antiphon.{name}": getattr(antiphon, name) for name in antiphon.__all__ if not name.startswith("_")}
    homes = {thing.__module__ for thing in found.values() if thing.__module__.startswith("antiphon.verbs.")}
    for home in sorted(homes):
        found |= {f"{home}.{name}": thing for name, thing in _own(import_module(home)) if name.startswith(RUNGS)}
    for home in MODULES:
        found |= {f"{home}.{name}": thing for name, thing in _own(import_module(home)) if inspect.isfunction(thing)}
    return found


def _own(module: ModuleType) -> list[tuple[str, Any]]:
    """A module's own public names."""
    return [(name, thing) for name, thing in vars(module).items()
            if getattr(thing, "__module__", "") == module.__name__ and not name.startswith("_")]  # fmt: skip


def members(kind: type) -> dict[str, Any]:
    """A class's public methods and properties, with those of its bases that are Antiphon's own."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("antiphon"):
            own = {name: thing for name, thing in vars(base).items() if not name.startswith("_")}
            found |= {n: thing for n, thing in own.items() if inspect.isfunction(thing) or isinstance(thing, property)}
    return found


def reference() -> str:
    """The reference as Markdown."""
    names = public()
    top = {name: thing for name, thing in names.items() if name.count(".") == 1}
    parts = ["# Python reference", "", "Made by `python docs/make_api.py` from the docstrings: change those.", ""]
    parts += [_prose(antiphon), ""]
    for name, thing in top.items():
        parts += _entry(name, thing, 2)
    for home in dict.fromkeys(name.rpartition(".")[0] for name in names if name not in top):
        parts += [f"## {home}", "", _prose(import_module(home)), ""]
        for name, thing in names.items():
            if name.rpartition(".")[0] == home:
                parts += _entry(name, thing, 3)
    for home in TEXTS:
        parts += [f"## {home}", "", _prose(import_module(home)), ""]
    return "\n".join(parts).rstrip() + "\n"


def _entry(name: str, thing: Any, level: int) -> list[str]:
    short = name.rpartition(".")[2] if level > 2 else name
    lines = [f"{'#' * level} {short}", ""]
    shared = hasattr(thing, "__total__")
    exception = inspect.isclass(thing) and issubclass(thing, Exception)
    if not shared and not exception and not _made_elsewhere(thing):
        lines += ["```python", signature(short, thing), "```", ""]
    lines += [_prose(thing), ""]
    if inspect.isclass(thing) and not shared and not exception:
        for own, member in members(thing).items():
            if isinstance(member, property):
                kind = _shown(inspect.signature(member.fget).return_annotation)
                lines += [f"{'#' * (level + 1)} .{own}", "", f"`{kind}` {_prose(member)}", ""]
            else:
                lines += [f"{'#' * (level + 1)} .{own}()", "", "```python", signature(f".{own}", member), "```", ""]
                lines += [_prose(member), ""]
    return lines


def _made_elsewhere(thing: Any) -> bool:
    """Whether a class is not for its users to make."""
    return inspect.isclass(thing) and "Made by" in (thing.__doc__ or "")


def signature(name: str, thing: Any) -> str:
    """How something is called, on one line or, where that is too long, a line a parameter."""
    called = inspect.signature(thing)
    words, kind = [], None
    for parameter in called.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and kind not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            words.append("*")
        kind = parameter.kind
        mark = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(kind, "")
        said = "" if parameter.annotation is parameter.empty else f": {_shown(parameter.annotation)}"
        usual = "" if parameter.default is parameter.empty else f" = {_value(parameter.default)}"
        words.append(f"{mark}{parameter.name}{said}{usual}")
    back = called.return_annotation
    gives = "" if back in (called.empty, None, "None") else f" -> {_shown(back)}"
    line = f"{name}({', '.join(words)}){gives}"
    return line if len(line) <= WIDTH else "\n".join([f"{name}(", *(f"    {word}," for word in words), f"){gives}"])


def _value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _shown(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _prose(thing: Any) -> str:
    """A docstring as Markdown: what would be read as HTML or as emphasis, outside of code, is not."""
    pieces = re.split(r"(`[^`]*`|^ {4}.*$)", inspect.getdoc(thing) or "", flags=re.M)
    return "".join(piece if i % 2 else re.sub(r"([<*])", r"\\\1", piece) for i, piece in enumerate(pieces))


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    print(TARGET)
