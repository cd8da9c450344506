"""Multisample, of Bitwig Studio and Studio One: a zip of an XML file and samples (github.com/bitwig/multisample). It
has no envelopes: how a note ends is up to the sampler."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from xml.etree import ElementTree as xml

from antiphon.data.labelling import gm
from antiphon.verbs.exporters.pack import Exporter, Files, Instrument, Pack, Zone, printable
from antiphon.verbs.exporters.wav import wav

BEGINNING = (1980, 1, 1, 0, 0, 0)  # of time, for zip files: the same pack is the same bytes


def files(pack: Pack) -> Files:
    """A file for each instrument."""
    return {f"{i.stem}.multisample": partial(archive, pack, i) for i in pack.instruments}


def archive(pack: Pack, instrument: Instrument) -> bytes:
    """The zip, its samples stored as they are, so that they can be played from within it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo("multisample.xml", BEGINNING), mapping(pack, instrument))
        for zone in instrument.zones:
            file.writestr(zipfile.ZipInfo(f"{zone.sample.name}.wav", BEGINNING), wav(zone))
    return out.getvalue()


def mapping(pack: Pack, instrument: Instrument) -> bytes:
    """multisample.xml. Elements are in the order that its schema wants."""
    root = xml.Element("multisample", name=printable(instrument.name))
    xml.SubElement(root, "generator").text = "Antiphon"
    xml.SubElement(root, "category").text = _category(instrument)
    xml.SubElement(root, "creator").text = printable(pack.name)
    xml.SubElement(root, "description").text = printable(" ".join(f"{head}: {text}." for head, text in pack.about))
    for zone in instrument.zones:
        _sample(root, zone)
    xml.indent(root)
    return bytes(xml.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


def _sample(root: xml.Element, zone: Zone) -> None:
    sample = zone.sample
    length = len(sample.sound)
    logic = "round-robin" if zone.turns > 1 else "always-play"
    places = {"sample-start": "0", "sample-stop": str(length), "gain": "0"}
    entry = xml.SubElement(root, "sample", {"file": f"{sample.name}.wav", **places, "zone-logic": logic})
    keys = {"root": zone.root, "low": zone.low, "high": zone.high, "track": 1, "tune": 0}
    xml.SubElement(entry, "key", {name: str(value) for name, value in keys.items()})
    xml.SubElement(entry, "velocity", low=str(zone.softest), high=str(zone.hardest))
    xml.SubElement(entry, "select", low="0", high="127")
    start, stop = sample.loop or (0, length)
    xml.SubElement(entry, "loop", mode="loop" if sample.loop else "off", start=str(start), stop=str(stop))


def _category(instrument: Instrument) -> str:
    name = instrument.name.lower()
    return "drums" if instrument.rings else gm.family_of(gm.PROGRAMS.index(name)) if name in gm.PROGRAMS else "other"


HOW = "Drag the .multisample file into Bitwig Studio's or Studio One's sampler."
EXPORTERS = {"multisample": Exporter(files, HOW)}
