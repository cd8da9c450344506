"""DecentSampler: an XML file for each instrument, and its samples beside it (DecentSampler's developer guide)."""

from __future__ import annotations

from functools import partial
from xml.etree import ElementTree as xml

from antiphon.verbs.exporters.pack import Exporter, Files, Instrument, Pack, Zone
from antiphon.verbs.exporters.sfz import sample_path
from antiphon.verbs.exporters.wav import wav


def files(pack: Pack) -> Files:
    """Instruments on top, samples in a folder of each."""
    found: Files = {f"{i.stem}.dspreset": partial(preset, i) for i in pack.instruments}
    return found | {sample_path(i, zone): partial(wav, zone) for i in pack.instruments for zone in i.zones}


def preset(instrument: Instrument) -> bytes:
    """The text of an instrument. A group for each take, because takes that sound in turn say so in their group."""
    root = xml.Element("DecentSampler", minVersion="1.0.0")
    groups = xml.SubElement(root, "groups")
    for turn in sorted({zone.turn for zone in instrument.zones}):
        zones = [zone for zone in instrument.zones if zone.turn == turn]
        told = {"attack": "0", "ampVelTrack": "0" if instrument.layered else "1"}
        if zones[0].turns > 1:
            told |= {"seqMode": "round_robin", "seqLength": str(zones[0].turns), "seqPosition": str(turn)}
        group = xml.SubElement(groups, "group", told)
        for zone in zones:
            xml.SubElement(group, "sample", {name: str(value) for name, value in _sample(instrument, zone).items()})
    xml.indent(root)
    return bytes(xml.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


def _sample(instrument: Instrument, zone: Zone) -> dict[str, object]:
    sample = zone.sample
    told: dict[str, object] = {
        "path": sample_path(instrument, zone),
        "rootNote": zone.root,
        "loNote": zone.low,
        "hiNote": zone.high,
        "loVel": zone.softest,
        "hiVel": zone.hardest,
        "loopEnabled": "true" if sample.loop else "false",
    }
    if sample.loop:
        told |= {"loopStart": sample.loop[0], "loopEnd": sample.loop[1] - 1}
    if instrument.rings:
        told["ampEnvEnabled"] = "false"
    else:
        told["release"] = f"{sample.release:.3f}"
    if zone.choke:
        told |= {"tags": f"choke{zone.choke}", "silencedByTags": f"choke{zone.choke}", "silencingMode": "fast"}
    return told


HOW = "Open the .dspreset file in DecentSampler (free, in every DAW); leave `samples` beside it."
EXPORTERS = {"decentsampler": Exporter(files, HOW)}
