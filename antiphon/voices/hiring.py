"""Players from other voices: in a song, `violin` is an instrument of the song's voice, and `gm:violin`,
`oboe.safetensors` or `runs/sax:alto sax` one of another, loaded once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import WEIGHTS
from antiphon.music.casting import KIT
from antiphon.voices.find import bundled, load
from antiphon.voices.voice import Voice

SUFFIX = ".safetensors"
SHARE = re.compile(r"[\d.]+\s*([,>@]|$)")  # of a blend: no voice comes before it


def hired(voice: Voice, text: str) -> tuple[Voice | None, str]:
    """The voice that an instrument expression begins with, None if with none, and the rest of the expression. What the
    song's own `voice` calls an instrument is one. Raises AntiphonError for a voice that cannot be read, or that has
    several instruments of which none is named."""
    text = text.strip()
    if text.lower() in {label.lower() for label in voice.instruments}:
        return None, text
    for place, rest in _cuts(text):
        if _is_voice(place) and not SHARE.match(rest):
            other = _loaded(place, _changed(place))
            return other, rest or _only(other, place)
    return None, text


def _cuts(text: str) -> Iterator[tuple[str, str]]:
    """The whole, and its beginnings up to each colon with what follows, the longest first."""
    yield text, ""
    for at in reversed([i for i, c in enumerate(text) if c == ":"]):
        yield text[:at].strip(), text[at + 1 :].strip()


def _is_voice(place: str) -> bool:
    path = Path(os.path.expanduser(place))
    return place in bundled() or place.endswith(SUFFIX) or os.path.isfile(path / WEIGHTS) \
        or os.path.isfile(f"{path}{SUFFIX}")  # fmt: skip


def _changed(place: str) -> int:
    path = Path(os.path.expanduser(place))
    path = path / WEIGHTS if path.is_dir() else path
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=16)
def _loaded(place: str, changed: int) -> Voice:
    return load(place)


def _only(voice: Voice, place: str) -> str:
    if voice.song_part == "kit":
        raise AntiphonError(f"{place} is a drum kit: map the part to {KIT}, and choose the kit with --kit {place}")
    if len(voice.instruments) == 1:
        return voice.instruments[0]
    some = ", ".join(voice.instruments[:4])
    raise AntiphonError(
        f"{place} has {len(voice.instruments)} instruments ({some} ...): name one, as in {place}:{voice.instruments[0]}"
    )
