"""SFZ, of sforzando, Sfizz and others: `<group> key=36 <region> sample=a.wav lovel=1 hivel=63 ...`
(sfzformat.com)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.sources.region import Region, key_number, whole

SUFFIXES = (".sfz",)
_LEVELS = ("global", "master", "group", "region")
_TOKEN = re.compile(r"<(\w+)>|([\w$#]+)=(.*?)(?=\s+[\w$#]+=|\s*<\w+>|\s*$)")
_DEFINE, _INCLUDE = re.compile(r"#define\s+\$(\w+)\s+(\S+)"), re.compile(r'#include\s+"([^"\n]+)"')
_MOST_INCLUDES, _MOST_TEXT, _DEEPEST = 500, 1 << 25, 10
Opcodes = dict[str, str]


def regions(path: Path) -> Iterator[Region]:
    """Every use of a sound file in a mapping."""
    control: Opcodes = {}
    levels: dict[str, Opcodes] = {}
    current: Opcodes | None = None
    for header, name, value in _tokens(_lines(path)):
        if not header:
            if current is not None:
                current[name] = value
            continue
        yield from _region(levels, control)
        if header == "control":
            current = control
        elif header in _LEVELS:
            for below in _LEVELS[_LEVELS.index(header) :]:
                levels.pop(below, None)
            current = levels[header] = {}
        else:
            current = {}  # <curve>, <effect>
            levels.pop("region", None)
    yield from _region(levels, control)


def _region(levels: dict[str, Opcodes], control: Opcodes) -> Iterator[Region]:
    """The region that ends here, if one does."""
    own = levels.pop("region", None)
    if own is None:
        return
    opcodes = {name: value for level in _LEVELS[:3] for name, value in levels.get(level, {}).items()} | own
    sample = opcodes.get("sample", "")
    if not sample or sample.startswith("*"):
        return
    low = max(whole(opcodes.get("lovel"), 0), whole(opcodes.get("xfin_lovel"), 0))
    high = min(whole(opcodes.get("hivel"), 127), whole(opcodes.get("xfout_hivel"), 127))
    yield Region(
        sample=control.get("default_path", "") + sample,
        pitch=_pitch(opcodes, control),
        low=low,
        high=high,
        role=_role(opcodes),
        round_robin=_round_robin(opcodes),
    )


def _pitch(opcodes: Opcodes, control: Opcodes) -> float | None:
    """What the sample sounds at: what it is played at unchanged, less what it is transposed and tuned by there."""
    if opcodes.get("pitch_keytrack", "100").strip() in ("0", "0.0"):
        return None
    centre = key_number(opcodes.get("pitch_keycenter", opcodes.get("key", "")))
    if centre is None or centre < 0:
        return None
    moved = whole(control.get("note_offset"), 0) + 12 * whole(control.get("octave_offset"), 0)
    tuned = round(whole(opcodes.get("tune", opcodes.get("pitch")), 0) / 100)
    return float(centre + moved - whole(opcodes.get("transpose"), 0) - tuned)


def _role(opcodes: Opcodes) -> str:
    if opcodes.get("trigger", "").startswith("release"):
        return "release"
    by_pedal = any(name.startswith(("on_locc", "on_hicc", "start_locc", "start_hicc")) for name in opcodes)
    unplayed = opcodes.get("hikey", "").strip() == "-1" or opcodes.get("key", "").strip() == "-1"
    return "noise" if by_pedal or unplayed else "note"


def _round_robin(opcodes: Opcodes) -> int | None:
    if "seq_position" in opcodes:
        return whole(opcodes["seq_position"], 1)
    try:
        low, high = float(opcodes.get("lorand", 0)), float(opcodes.get("hirand", 1))
    except ValueError:
        return None
    return None if not 0 < high - low < 1 else 1 + round(low / (high - low))


def _tokens(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(header, "", "") and ("", opcode, value)."""
    for line in lines:
        for match in _TOKEN.finditer(line):
            yield (match[1] or "").lower(), (match[2] or "").lower(), (match[3] or "").strip()


def _lines(path: Path) -> Iterator[str]:
    """The mapping's lines and those of what it includes, without comments, with what #define has defined put in."""
    defined: Opcodes = {}
    read = [0, 0]

    def lines(file: Path, depth: int) -> Iterator[str]:
        text = _text(file)
        read[0], read[1] = read[0] + 1, read[1] + len(text)
        if read[0] > _MOST_INCLUDES or read[1] > _MOST_TEXT or depth > _DEEPEST:
            raise AntiphonError(f"the mapping {path.name} includes too much")
        for line in text.splitlines():
            if "$" in line:
                for definition in _DEFINE.finditer(line):
                    defined[definition[1]] = definition[2]
                line = _DEFINE.sub("", line)
                for name in sorted(defined, key=len, reverse=True):
                    line = line.replace(f"${name}", defined[name])
            if include := _INCLUDE.search(line):
                yield line[: include.start()]
                yield from lines(_included(include[1], path, file), depth + 1)
                line = line[include.end() :]
            yield line

    return lines(path, 0)


def _included(name: str, path: Path, file: Path) -> Path:
    """Where an included file lies: beside the mapping, or beside what includes it."""
    near = [folder / name.replace("\\", "/") for folder in (path.parent, file.parent)]
    return next((place for place in near if place.is_file()), near[0])


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_TEXT)
    except OSError:
        return ""
    text = data.decode("utf-8-sig", "replace")
    return re.sub(r"(?m)(?<!:)//.*$", "", re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL))
