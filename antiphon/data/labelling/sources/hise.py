"""HISE's sample maps: `<samplemap><sample Root= LoVel= FileName="{PROJECT_FOLDER}a.wav"/>`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from antiphon.data.labelling.sources.region import Region, key_number, tree, whole

SUFFIXES = (".xml",)


def regions(path: Path) -> Iterator[Region]:
    """Every use of a sound file in a sample map; nothing of other XML. Places are tried from the map's folder up."""
    root = tree(path)
    if root.tag.lower() != "samplemap":
        return
    for sample in root.iter("sample"):
        files = [sample.attrib.get("FileName", ""), *(file.attrib.get("FileName", "") for file in sample.iter("file"))]
        pitch = key_number(sample.attrib.get("Root", ""))
        for name in filter(None, files):
            bare = name.replace("{PROJECT_FOLDER}", "")
            for place in (bare, f"../{bare}", f"../Samples/{bare}"):
                yield Region(
                    sample=place,
                    pitch=None if pitch is None else float(pitch),
                    low=whole(sample.attrib.get("LoVel"), 0),
                    high=whole(sample.attrib.get("HiVel"), 127),
                    round_robin=whole(sample.attrib.get("RRGroup"), 1),
                )
