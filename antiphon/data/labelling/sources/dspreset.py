"""Decent Sampler's presets: `<groups><group><sample path= rootNote= loVel= .../>` (decentsampler developers' guide).

Real ones break XML's rules (an attribute twice), so they are read as browsers read pages."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.sources.region import Region, key_number, whole

SUFFIXES = (".dspreset",)


def regions(path: Path) -> Iterator[Region]:
    """Every use of a sound file in a preset."""
    reader = _Reader()
    try:
        reader.feed(path.read_bytes().decode("utf-8-sig", "replace"))
    except (OSError, AssertionError) as error:
        raise AntiphonError(f"the mapping {path.name} cannot be read: {str(error)[:100]}") from None
    yield from map(_region, reader.samples)


class _Reader(HTMLParser):
    """Samples with what their group and all groups say; names in lower case."""

    def __init__(self) -> None:
        super().__init__()
        self._outer: dict[str, dict[str, str]] = {"groups": {}, "group": {}}
        self.samples: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in reversed(attrs)}
        if tag in self._outer:
            self._outer[tag] = said
        elif tag == "sample":
            self.samples.append(self._outer["groups"] | self._outer["group"] | said)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._outer:
            self._outer[tag] = {}


def _region(said: dict[str, str]) -> Region:
    tracked = said.get("pitchkeytrack", "1").strip() not in ("0", "0.0", "false")
    pitch = key_number(said.get("rootnote", "")) if tracked else None
    tuned = round(whole(said.get("tuning"), 0))
    by_pedal = any(name.startswith(("onlocc", "onhicc")) for name in said)
    return Region(
        sample=said.get("path", ""),
        pitch=None if pitch is None else float(pitch - tuned),
        low=whole(said.get("lovel"), 0),
        high=whole(said.get("hivel"), 127),
        role="release" if said.get("trigger") == "release" else "noise" if by_pedal else "note",
        round_robin=whole(said["seqposition"], 1) if "seqposition" in said else None,
    )
