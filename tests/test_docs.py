"""The documentation is correct: commands exist, links work, and the reference matches the code."""

from __future__ import annotations

import inspect
import re
import runpy
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.cli.app import _parse
from antiphon.cli.commands import VERBS
from antiphon.core.errors import AntiphonError

ROOT = Path(__file__).parents[1]
FRONT = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "notes" / "README.md"]
PAGES = [*FRONT, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "antiphon").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
SELF_EVIDENT = {"self", "voice", "out", "path", "paths", "force", "quiet", "notes", "song", "kwargs"}
SHAPE = re.compile(r"\([\w .]+,[\w ,.]*\)")
API = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "make_api.py"), run_name="make_api"))
PUBLIC = API.public()


# ---- what a page says ------------------------------------------------------------------------------------------------


def blocks(text: str) -> Iterator[str]:
    """The code blocks of a Markdown page: fenced ones, and paragraphs indented by four."""
    yield from re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, re.S | re.M)
    without = re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
    yield from re.findall(r"(?:\A|\n[ ]*\n)((?: {4,}[^\n]*\n?)+)", without)


def shell_lines(text: str) -> Iterator[list[str]]:
    """The words of each command in the code blocks, without comments and prompts; `;` and `&&` separate commands."""
    for block in blocks(text):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            said = re.sub(r"(^|\s)#.*$", "", line.strip().removeprefix("$ "))
            if re.match(r"(antiphon|python|make) ", said):
                yield from ([*part] for part in split(said))


def split(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set(";&|"):
            if words:
                yield words
            words = []
        else:
            words.append(word)


def verb_of(words: list[str]) -> tuple[str, list[str]]:
    """The verb of an `antiphon ...` line, and what follows it."""
    count = 2 if words[1:2] == ["data"] else 1
    return " ".join(words[1 : 1 + count]), words[1 + count :]


@cache
def help_of(verb: str) -> str:
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        _parse(verb, ["--help"])
    return said.getvalue()


# ---- pages -----------------------------------------------------------------------------------------------------------


def test_commands_are_found_in_blocks():
    text = "Say\n\n    $ antiphon play a.mid \\\n        -o b.wav   # c\n\n"
    text += '```\nantiphon clone gm "A#4 x.wav" -o y; make play\n```\n'
    found = [["antiphon", "clone", "gm", "A#4 x.wav", "-o", "y"], ["make", "play"]]
    assert list(shell_lines(text)) == [*found, ["antiphon", "play", "a.mid", "-o", "b.wav"]]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_of_a_page_are_understood(page):
    for words in shell_lines(page.read_text(encoding="utf-8")):
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M), words
        elif words[0] == "python" and words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file(), words
        elif words[0] == "antiphon" and not words[1].startswith("-"):
            verb, args = verb_of(words)
            assert verb in VERBS, words
            if "--help" not in args and not any(word == "..." or word.startswith("[") for word in args):  # no pattern
                try:
                    _parse(verb, args)
                except AntiphonError as error:
                    pytest.fail(f"{shlex.join(words)}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_options_named_in_a_sentence_exist(page):
    for said in re.findall(r"`antiphon ([a-z][^`]*)`", page.read_text(encoding="utf-8").replace("\n", " ")):
        verb, args = verb_of(["antiphon", *said.split()])
        assert verb in VERBS or verb == "data", said
        for word in args:
            if word.startswith("--") and word != "--help":
                assert word.rstrip(",;:") in help_of(verb), said


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            linked = page.parent / file if file else page
            assert linked.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
                assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}, target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_lines_of_a_page_are_short(page):
    assert not [line for line in page.read_text(encoding="utf-8").splitlines() if len(line) > 120]


def test_front_pages_are_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    assert (ROOT / "docs" / "lab-notes.md").stat().st_size <= 40 * 1024


def test_the_index_names_every_page():
    index = ROOT / "docs" / "index.md"
    said = index.read_text(encoding="utf-8")
    pages = [page.name for page in index.parent.glob("*.md") if page != index]
    assert not [name for name in pages if f"({name})" not in said]


@pytest.mark.parametrize("verb", VERBS)
def test_examples_of_the_help_are_understood(verb):
    (line,) = [line for line in (VERBS[verb].__doc__ or "").splitlines() if "Example:" in line]
    for words in split(line.strip().removeprefix("Example: ")):
        _parse(*verb_of(words))


def test_pictures_are_small():
    for picture in (ROOT / "docs").glob("*.png"):
        assert picture.stat().st_size < 300_000, picture.name


# ---- the reference ---------------------------------------------------------------------------------------------------


def test_the_reference_is_up_to_date():
    assert API.TARGET.read_text(encoding="utf-8") == API.reference(), "run `python docs/make_api.py`"


def functions() -> Iterator[tuple[str, Any]]:
    for name, thing in PUBLIC.items():
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing):
            yield from ((f"{name}.{own}", member) for own, member in API.members(thing).items())


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name):
    assert len(inspect.getdoc(PUBLIC[name]) or "") > 20


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*pair, id=pair[0]) for pair in functions()])
def test_docstrings_say_shapes_and_explain_keywords(name, thing):
    doc = inspect.getdoc(thing) or ""
    assert doc, f"{name} has no docstring"
    if isinstance(thing, property):
        return
    called = inspect.signature(thing)
    annotations = [str(p.annotation) for p in called.parameters.values()] + [str(called.return_annotation)]
    if any(re.search(r"ndarray|Tensor", a) for a in annotations):
        assert SHAPE.search(doc), f"{name} takes or gives arrays: say their shapes"
    home = inspect.getmodule(thing)  # what another rung explains need not be repeated
    near = [t for n, t in PUBLIC.items() if inspect.getmodule(t) is home or f"`{n.rpartition('.')[2]}`" in doc]
    ladder = " ".join(inspect.getdoc(t) or "" for t in near)
    for parameter in called.parameters.values():
        if parameter.name not in SELF_EVIDENT and parameter.kind is not parameter.VAR_KEYWORD:
            assert re.search(rf"\b{parameter.name}\b", doc + ladder), f"{name} does not explain {parameter.name}"
