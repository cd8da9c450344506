"""SFZ: a text file for each instrument, and its samples beside it (sfzformat.com)."""

from __future__ import annotations

from functools import partial

from antiphon.verbs.exporters.pack import Exporter, Files, Instrument, Pack, Zone, printable
from antiphon.verbs.exporters.wav import wav

FOLDER = "samples"


def files(pack: Pack) -> Files:
    """Instruments on top, samples in a folder of each."""
    found: Files = {f"{i.stem}.sfz": partial(mapping, pack, i) for i in pack.instruments}
    return found | {sample_path(i, zone): partial(wav, zone) for i in pack.instruments for zone in i.zones}


def sample_path(instrument: Instrument, zone: Zone) -> str:
    """Where a zone's sample lies in the pack."""
    return f"{FOLDER}/{instrument.stem}/{zone.sample.name}.wav"


def mapping(pack: Pack, instrument: Instrument) -> bytes:
    """The text of an instrument."""
    told = f"// {printable(instrument.name)}, played by {printable(pack.name)} (Antiphon); see README.txt"
    common = f"<global> amp_veltrack={0 if instrument.layered else 100}"
    lines = [told, common, *(_region(instrument, zone) for zone in instrument.zones)]
    return ("\n".join(lines) + "\n").encode()


def _region(instrument: Instrument, zone: Zone) -> str:
    sample = zone.sample
    opcodes: dict[str, object] = {
        "sample": sample_path(instrument, zone),
        "lokey": zone.low,
        "hikey": zone.high,
        "pitch_keycenter": zone.root,
        "lovel": zone.softest,
        "hivel": zone.hardest,
    }
    if zone.turns > 1:
        opcodes |= {"seq_length": zone.turns, "seq_position": zone.turn}
    if instrument.rings:
        opcodes["loop_mode"] = "one_shot"
    elif sample.loop:
        opcodes |= {"loop_mode": "loop_continuous", "loop_start": sample.loop[0], "loop_end": sample.loop[1] - 1}
    else:
        opcodes["loop_mode"] = "no_loop"
    if not instrument.rings:
        opcodes["ampeg_release"] = f"{sample.release:.3f}"
    if zone.choke:
        opcodes |= {"group": zone.choke, "off_by": zone.choke}
    return " ".join(["<region>", *(f"{name}={value}" for name, value in opcodes.items())])


HOW = "Open the .sfz file in sforzando, Sfizz, Falcon or another player of SFZ; leave `samples` beside it."
EXPORTERS = {"sfz": Exporter(files, HOW)}
