"""Hydrogen's drum kits: drumkit.xml, `<instrument><name>Kick</name>...<layer><filename/><min/><max/>`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from antiphon.data.labelling.sources.region import Region, tree

SUFFIXES = (".xml",)


def regions(path: Path) -> Iterator[Region]:
    """Every layer of a kit; nothing of other XML. Tags may bear Hydrogen's namespace."""
    root = tree(path)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != "drumkit_info":
        return
    for instrument in root.iter("instrument"):
        name = (instrument.findtext("name") or "").strip() or None
        for layer in instrument.iter("layer"):
            yield Region(
                sample=(layer.findtext("filename") or "").strip(),
                low=round(127 * _part(layer, "min", 0.0)),
                high=round(127 * _part(layer, "max", 1.0)),
                instrument=name,
            )
        if (bare := instrument.findtext("filename")) and instrument.find(".//layer") is None:
            yield Region(sample=bare.strip(), instrument=name)


def _part(layer: Element, name: str, default: float) -> float:
    try:
        return min(max(float(layer.findtext(name) or default), 0.0), 1.0)
    except ValueError:
        return default
