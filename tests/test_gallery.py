"""The gallery: its command lines make its sounds, its page holds them, and it leaves nothing half done."""

from __future__ import annotations

import base64
import html
import io
import re
import shlex
from pathlib import Path

import pytest
import soundfile

from antiphon.cli.app import _parse
from antiphon.verbs import gallery as module
from antiphon.verbs.gallery import command_line
from antiphon.verbs.gallery_table import RECORDED, SECTIONS, Line, Recording, Section, note, pack

LINES = [(section, line) for section in SECTIONS for line in section.lines if isinstance(line, Line)]
SHORT = (
    Section(
        "brief",
        "Brief & <clear>",
        "Some notes.",
        (
            note("viola", pitch="60.5", seconds=0.1, velocity=90),
            Line("two", "generate", {"n": 2, "instrument": "flute:1,oboe:1", "pitch": "C5", "seconds": 0.1, "seed": 3}),
            note("nobody", "kazoo", pitch="C4"),
            pack("a pack", "sf2", instrument=["flute"], keys=60, velocities=1, seconds=0.1),
            Recording("as recorded", RECORDED),
            Recording("an octave up", RECORDED, semitones=12),
        ),
    ),
    Section("none", "None", "Nothing.", (note("kazoo"),)),
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of a few short notes instead of the real one."""
    monkeypatch.setattr(module, "SECTIONS", SHORT)


def commands(page: str) -> list[str]:
    return [html.unescape(line) for line in re.findall(r"<pre>(.*?)</pre>", page)]


def inside(page: str, kind: str) -> list[bytes]:
    return [base64.b64decode(text) for text in re.findall(rf"data:{kind};base64,([\w+/=]+)", page)]


@pytest.mark.parametrize(("section", "line"), [pytest.param(*pair, id=pair[1].title) for pair in LINES])
def test_a_line_of_the_table_is_a_line_of_the_terminal(section, line):
    verb, *args = shlex.split(command_line(line.verb, "gm", Path("gallery", section.name), line.how))[1:]
    parsed = _parse(verb, args)
    assert Path(parsed.out) == Path("gallery", section.name)
    for name, value in line.how.items():
        said = getattr(parsed, {"morphs": "morph"}.get(name, name))
        if name in ("morphs", "instrument") and isinstance(value, list):
            assert [text for texts in said for text in texts] == value
        elif name == "samples":
            assert said == (Path(value),)
        else:
            said = said[0] if name == "pitch" and isinstance(said, tuple) else said  # there may be several
            assert said == value or said == str(value)  # a seed may be a name


def test_names_of_sections_are_in_the_help(antiphon_line):
    said = " ".join(antiphon_line("gallery", "--help").out)
    assert all(re.search(rf"\b{section.name}\b", said) for section in SECTIONS)
    assert len({section.name for section in SECTIONS}) == len(SECTIONS)


def test_the_page_holds_the_sounds_and_how_they_were_made(short, antiphon_line, tmp_path):
    said = antiphon_line("gallery", "-o", tmp_path / "g", "--only", "brief")
    assert said.status == 0
    assert said.out == [str(tmp_path / "g" / "index.html")]
    assert any("left out: brief, nobody" in line for line in said.err)
    page = (tmp_path / "g" / "index.html").read_text(encoding="utf-8")
    assert "Brief &amp; &lt;clear&gt;" in page
    sounds = [soundfile.read(io.BytesIO(content))[0] for content in inside(page, "audio/mpeg")]
    assert len(sounds) == len(inside(page, "image/png")) == 5
    assert len(sounds[3]) == pytest.approx(2 * len(sounds[4]), abs=2500)  # but for the frames of the format
    # What the page says, typed by a user, makes the same bytes.
    made = sorted((tmp_path / "g").rglob("*.wav"))
    assert len(made) == 3
    (link,) = re.findall(r'<a href="(.*?)">', page)
    assert (tmp_path / "g" / link).read_bytes()[8:12] == b"sfbk"
    for line in commands(page):
        assert antiphon_line(*shlex.split(line.replace(str(tmp_path / "g"), str(tmp_path / "h")))[1:]).status == 0
    assert (tmp_path / "h" / link).read_bytes() == (tmp_path / "g" / link).read_bytes()
    assert [p.read_bytes() for p in sorted((tmp_path / "h").rglob("*.wav"))] == [p.read_bytes() for p in made]


def test_nothing_is_replaced_or_left_behind(short, antiphon_line, tmp_path, monkeypatch):
    (tmp_path / "g" / "brief").mkdir(parents=True)
    refused = antiphon_line("gallery", "-o", tmp_path / "g", "--only", "brief")
    assert refused.status == 2
    assert "--force" in refused.err[-1]
    assert antiphon_line("gallery", "-o", tmp_path / "g", "--only", "xylophones").status == 2
    assert antiphon_line("gallery", "-o", tmp_path / "h", "--only", "none").status == 2

    def stopped(**_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setitem(module.VERBS, "generate", stopped)
    assert antiphon_line("gallery", "-o", tmp_path / "h").status == 130
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "g", tmp_path / "g" / "brief"]
