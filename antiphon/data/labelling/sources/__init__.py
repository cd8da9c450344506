"""Who says what a sound is, best first. A sampler's mapping is a module here with SUFFIXES and `regions(file)`; adding
one is adding a file and its name to MAPPINGS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.sources import drumgizmo, dspreset, hise, hydrogen, sfz
from antiphon.data.labelling.sources.region import Label, Region, combined

MAPPINGS = (sfz, dspreset, hise, drumgizmo, hydrogen)
MOST_BYTES = 1 << 24  # of a mapping


def from_mappings(root: Path, files: Sequence[Path]) -> tuple[dict[Path, Label], list[str]]:
    """What the mappings in a folder, or right above it, say of its sound files, and remarks about such as cannot be
    read. The kind of mapping that knows most of the files is believed."""
    places = _Places(files)
    known: list[dict[Path, Label]] = []
    remarks: list[str] = []
    for kind in MAPPINGS:
        found: dict[Path, list[Region]] = defaultdict(list)
        names: dict[Path, Path] = {}
        for mapping in _files(root, kind.SUFFIXES):
            try:
                for region in kind.regions(mapping):
                    if (file := places.find(mapping.parent, region.sample)) is not None:
                        found[file].append(region)
                        names[file] = mapping
            except AntiphonError as error:
                if mapping.is_relative_to(root) and str(error) not in remarks:
                    remarks.append(str(error))
        known.append({file: combined(regions, names[file]) for file, regions in found.items()})
    best: dict[Path, Label] = {}
    for labels in sorted(known, key=len):
        best |= labels
    return best, remarks


def _files(root: Path, suffixes: Sequence[str]) -> list[Path]:
    found = [
        path for suffix in suffixes for path in (*root.rglob(f"*{suffix}"), *root.absolute().parent.glob(f"*{suffix}"))
    ]
    return sorted(p for p in found if p.is_file() and not p.name.startswith(".") and p.stat().st_size <= MOST_BYTES)


class _Places:
    """Sound files by what mappings call them: in any case, with either slash, perhaps with another suffix."""

    def __init__(self, files: Sequence[Path]):
        self._whole = {str(file.absolute()).casefold(): file for file in files}
        self._bare = {str(file.absolute().with_suffix("")).casefold(): file for file in files}

    def find(self, folder: Path, sample: str) -> Path | None:
        parts: list[str] = []
        for part in (*folder.absolute().parts, *sample.replace("\\", "/").split("/")):
            if part == "..":
                parts = parts[:-1] or parts
            elif part not in ("", "."):
                parts.append(part)
        place = Path(*parts) if parts else folder
        name = str(place).casefold()
        try:
            return self._whole.get(name) or self._bare.get(str(place.with_suffix("")).casefold())
        except ValueError:
            return None
