"""DrumGizmo's instruments: `<instrument name="Snare"><samples><sample power="0.3"><audiofile file="a.wav"/>`. One hit
is in as many files, or channels, as there were microphones; the power, of any scale, says how hard it was struck."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from antiphon.data.labelling.sources.region import Region, tree

SUFFIXES = (".xml",)


def regions(path: Path) -> Iterator[Region]:
    """Every hit's files of an instrument; nothing of other XML."""
    root = tree(path)
    if root.tag.lower() != "instrument":
        return
    hits = list(root.iter("sample"))
    powers = [_power(hit) for hit in hits]
    ranked = sorted({power for power in powers if power is not None})
    for number, (hit, power) in enumerate(zip(hits, powers, strict=True), 1):
        at = ranked.index(power) if power is not None else None
        low, high = (0, 127) if at is None or len(ranked) < 2 else _share(at, len(ranked))
        for file in hit.iter("audiofile"):
            yield Region(
                sample=file.attrib.get("file", ""),
                low=low,
                high=high,
                round_robin=number,
                instrument=root.attrib.get("name"),
            )


def _power(hit: Element) -> float | None:
    try:
        return float(hit.attrib["power"])
    except (KeyError, ValueError):
        return None


def _share(at: int, count: int) -> tuple[int, int]:
    """The velocities of the hit of a rank: they share them evenly."""
    return 1 + 127 * at // count, max(127 * (at + 1) // count, 1 + 127 * at // count)
